"""Errors of code that asks a traced tensor for its value, reported with the user's own line.

JAX words them for people who trace functions themselves. Here they name the line, what it does
that tracing cannot follow, and what to write instead.
"""

from __future__ import annotations

import linecache
from types import TracebackType

from nacre.core.errors import ArgumentError, TracedValueError, message
from nacre.core.leftovers import lost
from nacre.core.tracing import is_tracer

# Name of JAX's error class -> what was met, what to write instead.
_KINDS = {
    "TracerBoolConversionError": (
        "an `if`, `while`, `and`, `or` or `not` on a tensor",
        "Use nacre.ops.where, nacre.ops.cond or nacre.ops.while_loop",
    ),
    "TracerArrayConversionError": (
        "a tensor given to NumPy",
        "Use the function of that name in nacre.ops",
    ),
    "TracerIntegerConversionError": (
        "a tensor used as a Python int, such as an index of a list",
        "Use nacre.ops.take, or a size from .shape",
    ),
    "NonConcreteBooleanIndexError": (
        "a mask as an index, which gives a shape that depends on values",
        "Use nacre.ops.where",
    ),
    "ConcretizationTypeError": (
        "float(), int(), .item() or a shape made from a tensor's value",
        "Use functions of nacre.ops throughout",
    ),
}


_EAGERLY = (
    "compile(run_eagerly=True), which is slow, and there ask nacre.ops.stop_gradient(tensor) where "
    "gradients are taken"
)
_DESCRIBED = (
    "compile(run_eagerly=True) on a model without an Input (a Sequential of layers alone, or a "
    "subclass of nacre.Model with a call of its own), as a graph is described before there are "
    "values"
)

_LOOP_WITHOUT_GRADIENT = "Reverse-mode differentiation does not work for lax.while_loop"

# What other libraries' tensors have to give their values out.
_VALUE_ATTRIBUTES = frozenset(("numpy", "eval", "detach", "cpu"))


def _missing_attribute(error: BaseException) -> str | None:
    """The name of an attribute that was looked for on a traced tensor, and is not there."""
    if isinstance(error, AttributeError) and is_tracer(error.obj):
        return error.name
    return None


def _kind(error: BaseException) -> tuple[str, str] | None:
    names = [base.__name__ for base in type(error).__mro__ if base.__module__.startswith("jax")]
    return next((_KINDS[name] for name in names if name in _KINDS), None)


def _is_lost(error: BaseException) -> bool:
    """Whether an error is JAX's about a tensor whose trace is over."""
    return type(error).__name__ == "UnexpectedTracerError"


def _place(kept: TracebackType) -> tuple[str, str]:
    """The function and number of the last line of a traceback, and the line."""
    while kept.tb_next is not None:
        kept = kept.tb_next
    code = kept.tb_frame.f_code
    line = linecache.getline(code.co_filename, kept.tb_lineno).strip()
    who = f"{getattr(code, 'co_qualname', code.co_name)}, line {kept.tb_lineno}"
    return who.replace("<locals>.", ""), line


def asks_for_a_value(error: BaseException) -> bool:
    """Whether an error is one of JAX's about the value of a traced tensor."""
    return _kind(error) is not None


def explained(
    error: BaseException,
    kept: TracebackType | None,
    by_user: bool = True,
    is_described: bool = False,
) -> TracedValueError | None:
    """What to raise in place of one of JAX's errors about traced values; None for others.

    Args:
        error: Any error.
        kept: Its traceback without internal frames; the last one is the line to name.
        by_user: Whether the user's code asked; a missing attribute that nacre itself looks for is
            a bug of nacre's, and stays one.
        is_described: Whether a graph of symbolic tensors was being described, where running eagerly
            helps nothing.
    """
    if _is_lost(error):
        return lost(_place(kept)[0] if kept is not None else "A tensor")
    attribute = _missing_attribute(error) if by_user else None
    found = _kind(error)
    if attribute is not None:
        found = (f"`.{attribute}` of a tensor", "Use functions of nacre.ops throughout")
    if found is None or kept is None:
        return None
    who, line = _place(kept)
    met, fix = found
    rule = "code that is compiled cannot ask a tensor for its value"
    if attribute is not None and attribute not in _VALUE_ATTRIBUTES:
        rule = "tensors are JAX arrays, which do not have every attribute of other libraries'"
    return TracedValueError(
        message(
            who,
            rule,
            f"{met}: `{line}`" if line else met,
            f"{fix}." if attribute else f"{fix}; or {_DESCRIBED if is_described else _EAGERLY}.",
        )
    )


def without_gradient(error: BaseException) -> ArgumentError | None:
    """What to raise for a `while_loop` without gradient in the place of JAX's error, else None."""
    if not isinstance(error, ValueError) or not str(error).startswith(_LOOP_WITHOUT_GRADIENT):
        return None
    return ArgumentError(
        message(
            "while_loop",
            "a loop whose number of steps is known only when it runs has no gradient",
            "a gradient through such a loop",
            "Use nacre.ops.fori_loop or nacre.ops.scan with a fixed number of steps; or put "
            "nacre.ops.stop_gradient around what the loop is given, where none is needed.",
        )
    )


__all__ = ["asks_for_a_value", "explained", "without_gradient"]
