"""The program of one kind of call of a `nacre.function`.

The code is traced once for each form of its arrays, and played back where a program or a gradient
tape needs it (`core/played.py`); code that makes variables runs a second time, as in TensorFlow.
The first trace shows which variables it reads, and which of them it changes: those are donated, as
in `fit`, so that an update needs no second copy of the weights; the others are only read.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import changes, leftovers, recording, scope, tree
from nacre.core.errors import ArgumentError, message
from nacre.core.leftovers import LostTensor
from nacre.core.played import Played, form_of
from nacre.core.program import CallProgram, Program, changed_in_scope
from nacre.core.reach import Reach
from nacre.core.recent import Recent
from nacre.core.run_checks import RunChecks
from nacre.core.state import State, Updates, Values
from nacre.core.tracing import is_tracer
from nacre.core.variable import Variable
from nacre.ops.kernels.placement import own_program
from nacre.summary.compiled import compiling, write_found
from nacre.training.deferred_signals import DeferredSignals

_CHANGED, _READ = "changed", "read"
_MOST_TRACES = 64  # of one function's, each of other shapes
_CHANGING_VARIABLES = threading.RLock()
_LONGEST_WAIT_SECONDS = 60.0


@contextlib.contextmanager
def _one_at_a_time() -> Generator[None]:
    """Threads that call functions which change variables, a seed say, follow one another, as those
    of `Dataset.map` do. One that waits for another of them ends up with a BusyError."""
    is_held = _CHANGING_VARIABLES.acquire(timeout=_LONGEST_WAIT_SECONDS)
    try:
        yield
    finally:
        if is_held:
            _CHANGING_VARIABLES.release()


class FunctionProgram:
    """A Python function of arrays that reads and assigns variables, compiled.

    Args:
        call: The function, of a list of arrays.
        who: For messages.
        reach: What it leads to: users' own objects and functions may keep tensors.
    """

    def __init__(self, call: Callable[[list[Any]], Any], who: str, reach: Reach) -> None:
        self._who, self._objects = who, reach.objects
        self._kept = kept = list[Any]()  # what its traces gave besides arrays
        self._traces = Recent(_MOST_TRACES)
        self._checks = RunChecks()

        def run(arrays: list[Any]) -> tuple[list[Any], Kept]:
            for owner in reach.objects:
                leftovers.note_called(owner)
            for traced in reach.functions:
                leftovers.note_function(traced)
            inner = scope.get_stateless_scope()
            assert inner is not None
            inner.losses_of = {}
            with scope.entered_call(None), own_program(), compiling() as summaries:
                leaves, structure = _outcome((call(arrays), summaries.found), who)
            kept.append(structure)
            return leaves, Kept(len(kept) - 1)

        self._call = run
        self._program: Program | None = None
        self._state = self._changing = State({})
        self._recorded: CallProgram | None = None

    @property
    def num_traces(self) -> int:
        """How often it was traced for new shapes."""
        programs = [p for p in (self._program, self._recorded) if p is not None]
        return sum(len(program.traced_shapes) for program in programs)

    def run(self, arrays: list[Any]) -> Any:
        """Run it on the variables' present values, and commit what it changes."""
        if self._program is None:
            self._program = self._made(arrays)
        if recording.recording_tapes:  # which see through it, and keep what it is given
            if self._recorded is None:
                self._recorded = CallProgram(
                    self._outcome_of, self._state, name=self._who, checks=self._checks
                )
            leaves, kept = self._recorded.run(arrays)
        elif not self._state.groups[_CHANGED]:
            leaves, kept = self._run(self._program, arrays)
        else:
            found: list[Any] = []

            def commit(result: Any) -> None:
                self._commit(*result[:2])
                found.extend(result[2])

            self._changing.wait_for_saves()  # which may call functions themselves
            with (
                _one_at_a_time(),
                self._changing.in_training(self._who, lambda: None) as training,
                training.lock,
                DeferredSignals() as signals,
            ):
                donated = self._state.donate([_CHANGED])
                read = self._state.read([_READ])
                signals.run(commit, self._program, donated, read, arrays)
            leaves, kept = found
        result, summaries = _unpacked(self._kept[kept.number], leaves)
        write_found(summaries)
        return result

    def _run(self, program: Program, arrays: list[Any]) -> tuple[list[Any], Kept]:
        new, updates, outcome = program({_CHANGED: []}, self._state.read([_READ]), arrays)
        self._commit(new, updates)
        return outcome

    def _commit(self, new: Values, updates: Updates) -> None:
        self._state.commit(new)
        if updates:
            self._state.commit_unless_in_training(updates)

    def trace(self, arrays: list[Any]) -> jax.stages.Traced:
        """The program for arrays, or shapes, like these, to look at or to lower."""
        if self._program is None:
            self._program = self._made(arrays)
        return self._program.trace(
            self._state.donate([_CHANGED]), self._state.read([_READ]), arrays
        )

    def _made(self, arrays: list[Any]) -> Program:
        trace = self._trace_for(arrays)
        state = self._state = State({_CHANGED: trace.changed, _READ: trace.read})
        self._changing = State({_CHANGED: trace.changed})

        def run(values: Values, read: Values, arrays: list[Any]) -> Any:
            inner = scope.get_stateless_scope()
            assert inner is not None
            for variable, value in state.pairs(read):
                inner.add_update((variable, value))
            outcome = self._outcome_of(arrays)
            new = {
                name: [inner.get_current_value(v) for v in state.groups[name]] for name in values
            }
            # What the first trace only read: of other shapes code may do more.
            return state.settled(new), changed_in_scope(state, read), outcome

        return Program(run, state, donates=True, name=self._who, checks=self._checks)

    def _outcome_of(self, arrays: list[Any]) -> tuple[list[Any], Kept]:
        """What the code gives in the trace of a program around it."""
        trace = self._trace_for(arrays)
        if trace.made_variables or not trace.still_holds():
            return self._call(arrays)
        return trace.play(arrays)

    def _trace_for(self, arrays: list[Any]) -> Played:
        """The trace for arrays of this form, made now if there is none."""
        return self._traces.get(form_of(arrays), lambda: self._traced(arrays))

    def _traced(self, arrays: list[Any]) -> Played:
        run = scope.ProgramRun(is_traced=True, checks=self._checks)
        before = [(owner, dict(vars(owner))) for owner in self._objects]
        with leftovers.apart(), changes.tracing() as left:
            trace = Played(self._call, arrays, run)
            left.is_trial = trace.made_variables  # it runs again, and finds all as it was
        if left.is_trial:
            for owner, attributes in before:
                _set_back(owner, attributes)
        else:
            self._warn_of(left, arrays)
        return trace

    def _warn_of(self, left: leftovers.Leftovers, arrays: list[Any]) -> None:
        """Say where code reads what its trace has left behind, which stands for nothing."""

        def again() -> None:
            run = scope.ProgramRun(is_traced=True)
            with recording.paused(), scope.outside_scopes(), scope.running_program(run):
                with scope.StatelessScope():
                    jax.eval_shape(self._call, arrays)

        if left.is_new:
            leftovers.warn_where_read(left, again)
        if left.moved:
            leftovers.warn_where_counted(left, again)


def _set_back(owner: object, before: dict[str, Any]) -> None:
    """Take tensors of a trial out of a user's object, where nothing tells of attributes set."""
    present = vars(owner)
    for name in [name for name, value in present.items() if isinstance(value, LostTensor)]:
        if name in before:
            present[name] = before[name]
        else:
            del present[name]


# -------------------------------------------------------------------- what it returns


class Kept:
    """What a compiled function gives back besides arrays, which is the same at every run.

    Only its number is part of what JAX compiles: JAX remembers the structure of results for good.

    Args:
        number: Which it is of all that the traces of the function gave.
    """

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kept) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)


jax.tree_util.register_pytree_node(Kept, lambda kept: ((), kept), lambda kept, _: kept)


class _Array:
    """Stands for an array in the structure of arguments and results."""

    def __repr__(self) -> str:
        return "array"


ARRAY = _Array()


def _outcome(result: Any, who: str) -> tuple[list[Any], Any]:
    """The arrays of a result, and its structure with all else."""
    leaves: list[Any] = []

    def take(leaf: Any) -> Any:
        if isinstance(leaf, Variable):
            leaf = leaf.value
        if isinstance(leaf, jax.Array | np.ndarray):
            mask = scope.get_mask(leaf)
            leaves.append(jnp.asarray(leaf))
            if mask is None:
                return ARRAY
            leaves.append(mask)
            return _Masked()
        _refuse_hidden_tensors(leaf, who)
        return _Other(leaf)

    return leaves, tree.map_structure(take, result)


class _Masked:
    """Stands for an array that has a mask."""


class _Other:
    """Something that is no array, in its place."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def _unpacked(structure: Any, leaves: list[Any]) -> Any:
    stream = iter(leaves)

    def give(place: Any) -> Any:
        if place is ARRAY:
            return next(stream)
        if isinstance(place, _Masked):
            array, mask = next(stream), next(stream)
            scope.set_mask(array, mask)
            return array
        return place.value

    return tree.map_structure(give, structure)


def _refuse_hidden_tensors(leaf: Any, who: str) -> None:
    if leaf is not None and any(map(is_tracer, getattr(leaf, "__dict__", {}).values())):
        raise ArgumentError(
            message(
                who,
                "it must return tensors, or lists, tuples and dicts of them",
                f"a {type(leaf).__name__} that holds some",
                "Return what it holds, and make the object outside.",
            )
        )


__all__ = ["ARRAY", "FunctionProgram", "Kept"]
