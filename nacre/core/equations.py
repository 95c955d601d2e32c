"""The equations of a trace, those in loops, branches and inner functions too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jax._src import core

from nacre.core.kinds import is_list

if TYPE_CHECKING:  # it imports Pallas: see core/tracing.py
    from jax.extend.core import Jaxpr, JaxprEqn

# Used: `jax._src.core.Jaxpr` and `ClosedJaxpr`, the same classes. From JAX 0.12 on they are one.
PROGRAMS: tuple[type, ...] = (core.Jaxpr, getattr(core, "ClosedJaxpr", core.Jaxpr))

# The primitives that call back into Python while a program runs.
_HOST_CALLS = frozenset({"pure_callback", "io_callback", "debug_callback", "debug_print"})


def inner_jaxprs(equation: JaxprEqn) -> Iterator[Jaxpr]:
    """The functions an equation runs: a loop's body, branches, what `jit` was put around."""
    for value in equation.params.values():
        for item in cast("Sequence[object]", value if is_list(value) else (value,)):
            if isinstance(item, PROGRAMS):
                yield cast("Jaxpr", getattr(item, "jaxpr", item))  # an open one is itself


def calls_host(jaxpr: Jaxpr) -> bool:
    """Whether a program calls back into Python while it runs, as `jax.pure_callback` has it.

    Example:
        >>> import jax
        >>> calls_host(jax.make_jaxpr(lambda x: x + 1)(2.0).jaxpr)
        False
    """
    seen, left = {jaxpr}, [jaxpr]
    while left:
        for equation in left.pop().eqns:
            if equation.primitive.name in _HOST_CALLS:
                return True
            # A function that is called in many places is one jaxpr, which is read once.
            inner = set(inner_jaxprs(equation)) - seen
            seen |= inner
            left += inner
    return False


def numbers_in(program: Any) -> tuple[str, ...]:
    """The single numbers that stand in the code of a program, loops and branches too, in order.

    Args:
        program: A closed jaxpr.
    Example:
        >>> import jax
        >>> numbers_in(jax.make_jaxpr(lambda x: x / x.shape[0])(jax.numpy.ones(3)))
        ('3.0',)
    """
    found: list[Any] = []
    seen: set[int] = set()

    def read(jaxpr: Any) -> None:
        if id(jaxpr) in seen:
            return
        seen.add(id(jaxpr))
        for equation in jaxpr.eqns:
            values = [x.val for x in equation.invars if isinstance(x, core.Literal)]
            found.extend(repr(np.asarray(value).item()) for value in values)
            for inner in inner_jaxprs(equation):
                read(inner)

    read(program.jaxpr)
    found.extend(repr(np.asarray(x).item()) for x in program.consts if np.size(x) == 1)
    return tuple(found)


__all__ = ["PROGRAMS", "calls_host", "inner_jaxprs", "numbers_in"]
