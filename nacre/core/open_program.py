"""Compiled programs that see variables nobody passed to them.

A loss may read a variable of the script (`beta * loss`, with a callback that raises `beta` every
epoch). Plain JAX would take its value for a constant of the program, and never look again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from nacre.core import scope
from nacre.core.variable import Variable


class OpenProgram:
    """`jax.jit(run)`, with variables that `run` reads from outside as further inputs.

    They are found when it is traced; where there are none, nothing is different. Only their values
    are seen: what a program assigns to them does not leave it.

    Args:
        run: A pure function but for variables it reads.
        donated: The first argument's arrays are given to the program.

    Example:
        >>> factor = Variable(2.0)
        >>> program = OpenProgram(lambda x: factor.value * x)
        >>> float(program(3.0)), float(factor.assign(5.0)), float(program(3.0))
        (6.0, 5.0, 15.0)
    """

    def __init__(self, run: Callable[..., Any], donated: bool = False) -> None:
        self._run, self._donated = run, donated
        self._traced: tuple[tuple[Variable, ...], Any] = ((), None)
        self._take(())

    def __call__(self, *arguments: Any) -> Any:
        """Run it with the variables' present values."""
        while True:
            variables, program = self._traced
            try:
                return program([v.peek() for v in variables], *arguments)
            except _Found as found:
                self._take(found.variables)

    def trace(self, *arguments: Any) -> jax.stages.Traced:
        """The program for arguments, or shapes, like these, to look at or to lower.

        Variables from outside are its first argument.
        """
        while True:
            variables, program = self._traced
            own = [jax.ShapeDtypeStruct(v.shape, v.peek().dtype) for v in variables]
            try:
                return program.trace(own, *arguments)
            except _Found as found:
                self._take(found.variables)

    def compiled_for(self, *shapes: Any) -> Callable[..., Any]:
        """The program for arguments of these shapes, compiled now."""
        compiled = self.trace(*shapes).lower().compile()
        variables, _ = self._traced
        return lambda *arguments: compiled([v.peek() for v in variables], *arguments)

    def _take(self, found: tuple[Variable, ...]) -> None:
        variables = self._traced[0]
        variables += tuple(v for v in found if all(v is not known for known in variables))

        def traced(values: list[Any], *arguments: Any) -> Any:
            seen: dict[int, Variable] = {}
            given = {id(v): value for v, value in zip(variables, values, strict=True)}
            with scope.values_given(given), scope.reads_noted(seen):
                result = self._run(*arguments)
            if seen:
                raise _Found(tuple(seen.values()))
            return result

        donated = {"donate_argnums": 1} if self._donated else {}
        self._traced = variables, jax.jit(traced, **donated)


class _Found(Exception):
    """Tracing read variables that are no inputs yet."""

    def __init__(self, variables: tuple[Variable, ...]) -> None:
        super().__init__("variables from outside")
        self.variables = variables


__all__ = ["OpenProgram"]
