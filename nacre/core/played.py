"""A trace that is made once and played back: the code behind it runs once, whatever reads it.

A program must know which variables its code reads and changes before it is compiled, and a gradient
tape sees through a program of its own. Each would run the user's Python again, and with it what
that prints, counts and appends. So it is traced apart from both, with each variable that it reads
as an input that is found on the way, and what was traced is played back in either.
"""

# JAX leaves its functions' arguments without types.
# pyright: reportUnknownMemberType=false
# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core import recording, scope, tracing
from nacre.core.errors import TracedValueError, message
from nacre.core.program import are_unchanged
from nacre.core.variable import Variable

_READ = tracing.new_primitive("nacre_read_variable")


def _aval_of_read(*, number: int, aval: Any) -> Any:
    return aval


_READ.def_abstract_eval(_aval_of_read)


class Played:
    """What a function did when it was traced for arrays of some shapes.

    Attributes:
        read: The variables that it read or drew from, and no others.
        changed: Those that it assigned, or drew from.
        numbers_read: Variables whose numbers Python asked for, and what they were.
        made_variables: Whether it made variables: then it cannot be played back, as they would
            have the values of the trace.
        rest: What it gave besides arrays.
    """

    def __init__(
        self,
        function: Callable[[list[Any]], tuple[list[Any], Any]],
        arrays: Sequence[Any],
        run: scope.ProgramRun,
    ) -> None:
        """Trace it.

        Args:
            function: Takes arrays, and gives arrays and what else there is.
            arrays: Those, or their shapes.
            run: Notes what the trace uses.
        """
        found: list[tuple[list[Variable], Any]] = []
        drawn: list[Variable] = []
        reads = Reads()

        def trace(arrays: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
            inner = scope.StatelessScope()
            run.hand_in = reads.begin(inner)
            with scope.running_program(run), inner:
                leaves, rest = function(arrays)
                used = list(run.outside.values())
                now = [(v, inner.get_current_value(v)) for v in used]
            changed = [(v, new) for v, new in now if new is not None and not reads.gave(v, new)]
            found.append(([v for v, _ in changed], rest))
            drawn.extend(v for v, _ in changed if inner.has_drawn(v))
            firsts = [v.own_value() for v in run.made_of_tensors]  # not what it was set to since
            return leaves, [new for _, new in changed], firsts

        with recording.paused(), scope.outside_scopes():
            closed: Any = jax.make_jaxpr(trace)(list(arrays))
        run.hand_in = None
        self.changed, self.rest = found[-1]
        known = {id(v) for v in self.changed}
        self.read = [v for v in run.outside.values() if id(v) not in known]
        self.numbers_read = tuple(run.numbers_read.values())
        self.made_variables = bool(run.created)
        self._inputs, self._jaxpr, self._consts = reads.variables, *_with_inputs(closed)
        if run.made_of_tensors:
            self._give_first_values(run.made_of_tensors, drawn, arrays)

    def _give_first_values(
        self, made: Sequence[Variable], drawn: Sequence[Variable], arrays: Sequence[Any]
    ) -> None:
        """Compute the first values of variables that were made of tensors.

        Generators that were drawn from go on behind it: what is drawn next is not these values.
        """
        outputs = self._jaxpr.outvars
        count = len(outputs) - len(made)
        first = count - len(self.changed)
        before = [first + at for at, v in enumerate(self.changed) if id(v) in set(map(id, drawn))]
        wanted = [outputs[at] for at in [*before, *range(count, len(outputs))]]
        jaxpr = tracing.with_outputs(self._jaxpr, wanted)
        used = {id(v) for e in jaxpr.eqns for v in e.invars} | set(map(id, wanted))
        for place, array in enumerate(arrays):
            is_known = not tracing.is_tracer(array) and not isinstance(array, jax.ShapeDtypeStruct)
            if id(jaxpr.invars[place]) in used and not is_known:
                raise TracedValueError(
                    message(
                        f"Variable '{made[0].path}'",
                        "a first value that a compiled function computes of its arguments needs "
                        "these",
                        "shapes alone",
                        "Call the function with arrays first, or make the variable outside.",
                    )
                )
        pairs = zip(jaxpr.invars, arrays, strict=False)  # behind them stand the variables
        known = [a if id(v) in used else jnp.zeros(a.shape, a.dtype) for v, a in pairs]
        with recording.paused(), scope.outside_scopes(), jax.ensure_compile_time_eval():
            found = tracing.eval_jaxpr(
                jaxpr, self._consts, *known, *(v.own_value() for v in self._inputs)
            )
            for variable, state in zip(drawn, found[: len(drawn)], strict=True):
                variable.assign(state)
            for variable, value in zip(made, found[len(drawn) :], strict=True):
                variable.begin_with(value)

    def still_holds(self) -> bool:
        """Whether the numbers that Python asked for are what they were."""
        return are_unchanged(self.numbers_read)

    def play(self, arrays: Sequence[Any]) -> tuple[list[Any], Any]:
        """Do it with these arrays, on the variables of the scope around.

        Returns:
            The arrays that it gives, and what else there is.
        """
        inner = scope.get_stateless_scope()
        assert inner is not None
        for variable, value in self.numbers_read:
            scope.record_number_read(variable, value)
        given = [_raw(v) for v in self._inputs]
        found = tracing.eval_jaxpr(self._jaxpr, self._consts, *arrays, *given)
        count = len(found) - len(self.changed)
        for variable, new in zip(self.changed, found[count:], strict=True):
            inner.add_update((variable, new))
        return found[:count], self.rest


def _raw(variable: Variable) -> Any:
    """A variable's value; a generator's state as it is, too."""
    return variable._raw()


class Reads:
    """The variables that a trace reads, each given to it as a value of the trace's own."""

    def __init__(self) -> None:
        self.variables: list[Variable] = []
        self._given: dict[int, Any] = {}

    def begin(self, outermost: scope.StatelessScope) -> Callable[[Variable, Any], Any]:
        """What a variable is read by that no scope holds, in the trace that begins here.

        Args:
            outermost: The scope that keeps its value.
        """
        trace = tracing.current_trace()

        def hand_in(variable: Variable, value: Any) -> Any:
            aval = jax.typeof(value)
            number = len(self.variables)
            with tracing.traced_by(trace):  # not by the loop or branch that reads it first
                given = _READ.bind(number=number, aval=aval)
            self.variables.append(variable)
            self._given[id(variable)] = given
            outermost.hold(variable, given)
            return given

        return hand_in

    def gave(self, variable: Variable, value: Any) -> bool:
        """Whether a value is the one that a variable was read as."""
        return self._given.get(id(variable)) is value


def _with_inputs(closed: Any) -> tuple[Any, list[Any]]:
    """The equations, with what variables were read as among their inputs, and their constants."""
    jaxpr = closed.jaxpr
    reads = [e for e in jaxpr.eqns if e.primitive is _READ]
    reads.sort(key=lambda equation: equation.params["number"])
    rest = [e for e in jaxpr.eqns if e.primitive is not _READ]
    inputs = [*jaxpr.invars, *(e.outvars[0] for e in reads)]
    return tracing.with_equations(jaxpr, inputs, rest), closed.consts


def form_of(arrays: Sequence[Any]) -> Hashable:
    """All that a trace for arrays depends on besides its code: their kinds, and JAX's settings."""
    return tuple(map(_kind_of, arrays)), tracing.settings_of_traces()


def _kind_of(array: Any) -> Hashable:
    shape: tuple[int, ...] = tuple(array.shape)
    return shape, jax.dtypes.canonicalize_dtype(array.dtype), getattr(array, "weak_type", False)


__all__ = ["Played", "form_of"]
