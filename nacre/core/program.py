"""Programs: pure functions of a state and arguments, compiled once, kept in one place.

What a program depends on besides arrays is in the key it is kept under; what it changes is in what
it returns. Variables that its code uses and nobody listed (a `beta` of the script that a loss
multiplies by, the global random generator) are found when it is traced, and become part of its
state: read anew at each run, and committed when the code assigns to them.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false

# Results are of any kind: type() leaves what they hold unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import contextlib
import functools
import gc
import os
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import attribute_reads, changes, config, context, leftovers, moved, recording, scope
from nacre.core.equations import calls_host
from nacre.core.errors import message
from nacre.core.layout import current_layout
from nacre.core.recent import Recent
from nacre.core.run_checks import RunChecks
from nacre.core.state import OUTSIDE, State, Updates, Values
from nacre.core.variable import Variable
from nacre.core.warning import warn

_MAX_PROGRAMS = 64  # programs of one model
_FEW_PROGRAMS = 8  # in the process: so many may wait for Python to look for cycles
_SHORT_SEARCH = 0.15  # seconds; what looking for cycles takes in a process of no special size
_SEARCHING = 0.1  # of a process's time: what longer searches take beyond that is no more ...
_SEARCHED_AT = 4  # ... until there are so many times as many
_MANY_SHAPES = 12  # after so many shapes the user is warned that each one is compiled


def _in_order(result: Any) -> Any:
    """A result whose dicts are OrderedDicts where their code did not make them in sorted order.

    JAX would sort those: it keeps the order of an OrderedDict alone.
    """
    if type(result) in (list, tuple):
        return type(result)([_in_order(part) for part in result])
    if type(result) is not dict:
        return result
    parts = {key: _in_order(part) for key, part in result.items()}
    try:
        is_sorted = list(parts) == sorted(parts)
    except TypeError:  # keys that cannot be compared, which JAX refuses in its own words
        is_sorted = True
    return parts if is_sorted else OrderedDict(parts)


def _as_made(result: Any) -> Any:
    """A result with plain dicts again."""
    kind = type(result)
    if kind is dict or kind is OrderedDict:
        return {key: _as_made(part) for key, part in result.items()}
    if kind is tuple or (kind is list and result and isinstance(result[0], list | tuple | dict)):
        return kind([_as_made(part) for part in result])
    return result


class Program:
    """A function of a state's values and arguments, compiled for each shape of the arguments.

    Args:
        function: `(values, *arguments)` -> anything, without side effects; `values` has one list
            for each group of the state. Within it variables of the state have these values.
        state: The variables it may use.
        donates: Whether the arrays of `values` are given to the program, which may overwrite them.
        compiled: False runs the function's Python each time, with real values, for debugging.
        name: What it computes, for messages.
        checks: Those that its code has made where it was traced before.

    Example:
        >>> factor = Variable(2.0)
        >>> program = Program(lambda values, x: factor.value * x, State({}))
        >>> float(program({}, 3.0)), float(factor.assign(5.0)), float(program({}, 3.0))
        (6.0, 5.0, 15.0)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        state: State,
        *,
        donates: bool = False,
        compiled: bool = True,
        name: str = "program",
        checks: RunChecks | None = None,
    ) -> None:
        self.state, self.name, self.donates, self.compiled = state, name, donates, compiled
        self.traced_shapes: list[Any] = []  # of the arguments, one entry a compilation
        self._function = function
        # Variables whose numbers Python asked for while it was traced, with the arrays they had.
        self._numbers_read: tuple[tuple[Variable, Any], ...] = ()
        self._is_tracing = False
        self._calls_host = False
        self._orders_dicts = False  # whether dicts of the result come back as OrderedDicts
        self._checks = RunChecks() if checks is None else checks
        self._run: Any = self._jitted() if compiled else self._run_eagerly
        if compiled:
            _note_made(self)

    def __call__(self, values: Values, *arguments: Any) -> Any:
        """Run it. Where it turns out to use more variables, their values are added to `values`."""
        if recording.recording_tapes:
            with recording.paused():
                return self._run_here(values, *arguments)
        return self._run_here(values, *arguments)

    def _run_here(self, values: Values, *arguments: Any) -> Any:
        if self._checks.exist:
            with self._checks.made():
                return self._run_once(values, *arguments)
        return self._run_once(values, *arguments)

    def _run_once(self, values: Values, *arguments: Any) -> Any:
        if self._numbers_read:
            self._drop_outdated()
        try:
            result = self._run(self._complete(values), *arguments)
        except _NotTraced:
            result = self._run_new(values, *arguments)
        except _MoreVariables as found:  # of one that is not compiled
            result = self._rerun(found, lambda: self._run(self._complete(values), *arguments))
        else:
            attribute_reads.stop_looking()
        return self._completed(result)

    def _completed(self, result: Any) -> Any:
        """The result, once the code it calls has run: its errors come before anybody keeps it."""
        if self._calls_host:
            jax.block_until_ready(result)
            self._checks.raise_failed()
        return _as_made(result) if self._orders_dicts else result

    def _run_new(self, values: Values, *arguments: Any) -> Any:
        """Run it with arguments of forms that it was not traced for yet."""
        self.trace(values, *arguments)
        _forget_failures(self._run)
        with self._checks.made(), self._being_traced():
            return self._completed(self._run(self._complete(values), *arguments))

    @contextlib.contextmanager
    def _being_traced(self) -> Generator[None]:
        before, self._is_tracing = self._is_tracing, True
        try:
            yield
        finally:
            self._is_tracing = before

    def _traced(self, values: Values, *arguments: Any) -> jax.stages.Traced:
        """Trace it; a program that calls the user's Python gets no arrays that it may overwrite.

        That code may fail, and then the variables would have neither old nor new values.
        """
        with self._being_traced():
            traced = self._run.trace(self._complete(values), *arguments)
            if not self._calls_host and calls_host(traced.jaxpr.jaxpr):
                self._calls_host, self.donates = True, False
                self._run = jax.jit(self._function_to_trace)
                traced = self._run.trace(self._complete(values), *arguments)
        return traced

    def _drop_outdated(self) -> None:
        if self._numbers_read and not are_unchanged(self._numbers_read):
            # It was traced for numbers that have changed.
            self._numbers_read, self._run = (), self._jitted()

    def _jitted(self) -> Any:
        # A function of its own each time: JAX keeps what it compiled under the function.
        self._function_to_trace = functools.partial(self._trace)
        options: Any = {"donate_argnums": 0} if self.donates else {}
        return jax.jit(self._function_to_trace, **options)

    def _rerun(self, found: _MoreVariables, run: Callable[[], Any]) -> Any:
        """Run again with the variables that a run turned out to use.

        Variables that were made meanwhile are those of a layer that is built by its first call,
        or of one that is made anew in every call. The former are found again when the code runs
        again; the latter belong to the one run.
        """
        with context.changed(running_again=(*context.current().running_again, self)):
            while True:
                self.state.extend(found.variables)
                try:
                    return run()
                except _MoreVariables as more:
                    found = more

    def _complete(self, values: Values) -> Values:
        outside = self.state.groups[OUTSIDE]
        given = values.get(OUTSIDE, [])
        if len(given) == len(outside) and OUTSIDE in values:
            return values
        take = Variable.donate if self.donates else _lent
        found = outside[len(given) :]
        self.state.place(found)
        return {**values, OUTSIDE: [*given, *map(take, found)]}

    def _trace(self, values: Values, *arguments: Any) -> Any:
        if self.compiled and not self._is_tracing:
            raise _NotTraced
        run = scope.ProgramRun(self.compiled, self._checks)
        inner = scope.StatelessScope(self.state.pairs(values))
        with changes.tracing() as left, scope.running_program(run), inner:
            result = self._function(values, *arguments)
            unknown = [v for v in run.outside.values() if not self.state.knows(v)]
            if unknown:
                lasting = [v for v in unknown if id(v) not in run.created]
                if lasting or self not in context.current().running_again:
                    raise _MoreVariables(lasting)
        if self.compiled:
            lasting_numbers = [
                pair for key, pair in run.numbers_read.items() if key not in run.created
            ]
            self._numbers_read = (*self._numbers_read, *lasting_numbers)
            self._note_shapes(arguments)
            if left.is_new:
                leftovers.warn_where_read(left, lambda: self._trace_again(values, *arguments))
            if left.moved:
                leftovers.warn_where_counted(left, lambda: self._trace_again(values, *arguments))
            drawn = [] if left.is_told_of_draws else left.drawn
            if (left.changed and not left.moved) or drawn or left.taken:
                again = lambda: self._trace_on_trial(values, *arguments)
                owners = left.called.values()
                moved.warn_where_decisive(left.changed, drawn, left.taken, owners, again)
            leftovers.warn_where_taken(left)
            in_order = _in_order(result)
            if jax.tree.structure(in_order) != jax.tree.structure(result):
                self._orders_dicts = True
            return in_order
        return result

    def _trace_again(self, values: Values, *arguments: Any) -> Any:
        """Trace it for what its code meets there; nothing of it stays. Returns its program."""

        def run(values: Values, *arguments: Any) -> Any:
            inner = scope.StatelessScope(self.state.pairs(values))
            with scope.running_program(scope.ProgramRun(True, self._checks)), inner:
                return self._function(values, *arguments)

        # Of another function each time: JAX keeps what it traced under the function.
        return jax.make_jaxpr(functools.partial(run))(values, *arguments)

    def _trace_on_trial(self, values: Values, *arguments: Any) -> Any:
        with leftovers.cleared(is_trial=True):
            return self._trace_again(values, *arguments)

    def _run_eagerly(self, values: Values, *arguments: Any) -> Any:
        arrays = [jax.tree.map(_as_array, argument) for argument in arguments]
        with jax.disable_jit():
            return self._trace(values, *arrays)

    def _note_shapes(self, arguments: Any) -> None:
        shapes = [getattr(leaf, "shape", ()) for leaf in jax.tree.leaves(arguments)]
        self.traced_shapes.append(shapes)
        if len(self.traced_shapes) == _MANY_SHAPES:
            before, now = self.traced_shapes[-2:]
            changed = next(
                (f"{a} after {b}" for a, b in zip(now, before, strict=False) if a != b), str(now)
            )
            warn(
                message(
                    self.name,
                    "each new shape of a batch is compiled, which takes time",
                    f"{_MANY_SHAPES} shapes so far; the last one has {changed}",
                    "Pad batches to a few lengths, or to one.",
                )
            )

    def trace(self, values: Any, *arguments: Any) -> jax.stages.Traced:
        """The program for arguments, or shapes, like these, to look at or to lower."""
        self._drop_outdated()
        try:
            return self._traced(values, *arguments)
        except _MoreVariables as found:
            return self._rerun(found, lambda: self._traced(values, *arguments))

    def compiled_for(self, *shapes: Any) -> Callable[..., Any]:
        """The program for values and arguments of these shapes, compiled now."""
        compiled = self.trace(*shapes).lower().compile()
        numbers_read = self._numbers_read

        def run(values: Values, *arguments: Any) -> Any:
            if not are_unchanged(numbers_read):  # it was compiled for other numbers
                return self(values, *arguments)
            with self._checks.made():
                return self._completed(compiled(self._complete(values), *arguments))

        return run


_alive: weakref.WeakSet[Program] = weakref.WeakSet()
_alive_at_most = [_FEW_PROGRAMS]
_not_before = [0.0]  # the time from which on Python may be asked to look


def _note_made(program: Program) -> None:
    """Have Python look for cycles, where models that were dropped may still hold programs.

    A model and its programs refer to each other, and Python counts objects, not the megabytes of
    machine code behind a few hundred of them: a search for a good model would fill the memory. It
    looks when there are twice as many as the last time; while none is dropped that is seldom. It
    looks through all objects of the process, which takes long where a script holds millions.
    """
    count, begun = len(_alive), time.perf_counter()
    is_due = count >= _alive_at_most[0] and begun >= _not_before[0]
    if (is_due or count >= _SEARCHED_AT * _alive_at_most[0]) and gc.isenabled():
        gc.collect()
        ended = time.perf_counter()
        longer = max(0.0, ended - begun - _SHORT_SEARCH)
        _not_before[0] = ended + longer * (1 / _SEARCHING - 1)
        _alive_at_most[0] = max(_FEW_PROGRAMS, 2 * len(_alive))
    _alive.add(program)


class CallProgram(Program):
    """A function of arguments that reads and assigns variables, compiled.

    Args:
        function: `(*arguments)` -> anything; what it assigns to variables is committed.
        state, compiled, name, checks: See `Program`.

    Example:
        >>> count = Variable(0.0)
        >>> add = CallProgram(lambda x: count.assign_add(x), State({"other": [count]}))
        >>> float(add.run(2.0)), float(add.run(3.0)), float(count.value)
        (2.0, 5.0, 5.0)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        state: State,
        *,
        compiled: bool = True,
        name: str = "call",
        checks: RunChecks | None = None,
    ) -> None:
        def run(values: Values, *arguments: Any) -> tuple[Updates, Any]:
            result = function(*arguments)
            return changed_in_scope(state, values), result

        super().__init__(run, state, compiled=compiled, name=name, checks=checks)

    def run(self, *arguments: Any) -> Any:
        """Run it on the variables' present values, and commit what it changes."""
        values = self.state.read()
        if recording.recording_tapes:
            values = {name: [*map(_lent, group)] for name, group in self.state.groups.items()}
        updates, result = self._run_here(values, *arguments)
        if updates:
            self.state.commit_unless_in_training(updates)
        return result


def _lent(variable: Variable) -> Any:
    """A variable's array, as `borrow` gives it; one that a gradient tape may keep."""
    if recording.recording_tapes:
        return recording.read(variable, variable.own_value())
    return variable.borrow()


def changed_in_scope(state: State, values: Values) -> Updates:
    """What the innermost scope has in place of `values`, by group and index."""
    inner = scope.get_stateless_scope()
    assert inner is not None
    found: Updates = {}
    for name, group in values.items():
        for index, (variable, old) in enumerate(zip(state.groups[name], group, strict=True)):
            new = inner.get_current_value(variable)
            if new is not old:
                found.setdefault(name, {})[index] = new
    return found


def _as_array(leaf: Any) -> jax.Array:
    return jnp.asarray(leaf)


def are_unchanged(numbers_read: tuple[tuple[Variable, Any], ...]) -> bool:
    """Whether variables still have the numbers they had."""
    return all(
        v.is_holding(value) or np.array_equal(v.borrow(), value, equal_nan=True)
        for v, value in numbers_read
    )


def _forget_failures(run: Any) -> None:
    """Have JAX look anew at a function's calls, as they failed only because it was not traced.

    For arguments of forms with which a call has raised, JAX takes its slow way ever after: Python
    handles each call, which costs 0.1 ms. What it has traced and compiled is kept elsewhere. A
    version without this method is slower and as right.
    """
    forget = getattr(run, "_clear_cache", None)
    if forget is not None:
        forget()


class _NotTraced(Exception):
    """A program is called with arguments of forms that it was not traced for yet."""


class _MoreVariables(Exception):
    """Tracing used variables that are not in the state yet."""

    def __init__(self, variables: list[Variable]) -> None:
        super().__init__("variables from outside")
        self.variables = variables


class Programs(Recent):
    """The programs of one model, layer or optimizer, each under all that it depends on.

    Example:
        >>> programs = Programs()
        >>> programs.get("one", lambda: 1), programs.get("one", lambda: 2)
        (1, 1)
    """

    def __init__(self) -> None:
        super().__init__(_MAX_PROGRAMS)


class HasPrograms(Protocol):
    """A model or layer, which keeps its programs."""

    _programs: Programs | None


def programs_of(owner: HasPrograms) -> Programs:
    """All compiled programs of a model or layer."""
    if owner._programs is None:
        owner._programs = Programs()
    return owner._programs


def settings_key() -> tuple[Hashable, ...]:
    """Settings of the process that code reads while it is traced."""
    return config.settings_of_traces(), _environment.get(_KERNELS), current_layout()


# The dict behind `os.environ`, where it is one: to ask that one for a name that is not set takes
# ten times as long, and every call of a model asks.
_data: dict[Any, str] | None = getattr(os.environ, "_data", None)
_environment: Any = os.environ if _data is None else _data
_KERNELS: Any = "NACRE_KERNELS" if _data is None else os.environ.encodekey("NACRE_KERNELS")


__all__ = [
    "CallProgram",
    "Program",
    "Programs",
    "are_unchanged",
    "changed_in_scope",
    "programs_of",
    "settings_key",
]
