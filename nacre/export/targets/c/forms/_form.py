"""What forms share: the table they go into, and expressions of one element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from nacre.export.graph.ir import Node
from nacre.export.graph.ir import value_of as given
from nacre.export.targets.c import helpers
from nacre.export.targets.c.types import TYPES, is_float, number, suffix
from nacre.export.targets.c.unit import Body
from nacre.export.targets.support import Forms

Form: TypeAlias = Callable[[Body, Node], None]
FORMS: Forms[Form] = Forms()
form = FORMS.form

# Functions of `math.h` by the ops they are.
_MATH = {
    name: name
    for name in "floor ceil sqrt cbrt exp exp2 expm1 log log1p sin cos tan asin acos atan sinh "
    "cosh tanh asinh acosh atanh erf erfc lgamma".split()
} | {"round": "rint"}


def unary(make: Body, op: str, dtype: str, x: str) -> str:
    """An op of one input and no attributes, of an element."""
    type_, _, wide = TYPES[dtype]
    if op == "linear":
        return x
    if is_float(dtype):
        if op in _MATH:
            return f"{_MATH[op]}{suffix(dtype)}({x})"
        if op == "abs":
            return f"fabs{suffix(dtype)}({x})"
        if op in ("neg", "square"):
            return f"-({x})" if op == "neg" else f"({x}) * ({x})"
    elif op in ("neg", "square"):
        return f"({type_})(0 - ({wide})({x}))" if op == "neg" else (
            f"({type_})(({wide})({x}) * ({wide})({x}))"
        )  # fmt: skip
    elif op == "abs":
        return (
            x
            if dtype.startswith("u")
            else f"({type_})(({x}) < 0 ? 0 - ({wide})({x}) : ({wide})({x}))"
        )
    elif op == "not":
        return f"!({x})" if dtype == "bool" else f"({type_})~({x})"
    if op == "sign" and dtype.startswith("u"):
        return f"({x}) > 0"
    assert helpers.has(op), op
    return f"{make.helper(op, dtype)}({x})"


def lowest(dtype: str) -> str:
    """What is below, or the same as, all numbers of a dtype."""
    return number(_limit(dtype, -1), dtype)


def highest(dtype: str) -> str:
    """What is above, or the same as, all numbers of a dtype."""
    return number(_limit(dtype, 1), dtype)


def _limit(dtype: str, sign: int) -> Any:
    if is_float(dtype):
        return sign * float("inf")
    if dtype == "bool":
        return int(sign > 0)
    bits = int("".join(c for c in dtype if c.isdigit()))
    if dtype.startswith("u"):
        return 2**bits - 1 if sign > 0 else 0
    return 2 ** (bits - 1) - 1 if sign > 0 else -(2 ** (bits - 1))


def added(dtype: str, x: str, y: str, sign: str = "+") -> str:
    """x + y, or with another sign; of integers without overflow."""
    type_, _, wide = TYPES[dtype]
    if is_float(dtype):
        return f"{x} {sign} {y}"
    return f"({type_})(({wide})({x}) {sign} ({wide})({y}))"


def combined(make: Body, how: str, dtype: str, x: str, y: str) -> str:
    """Two elements by 'sum' or 'add', 'prod' or 'mul', 'max', 'min', 'and', 'or'."""
    if how in ("max", "min"):
        return f"{make.helper(how, dtype)}({x}, {y})"
    if how in ("and", "or"):
        return f"{x} {'&&' if how == 'and' else '||'} {y}"
    return added(dtype, x, y, "*" if how in ("prod", "mul") else "+")


def is_nan(dtype: str, x: str) -> str:
    """Whether an element is NaN."""
    return f"({x} != {x})" if is_float(dtype) else "0"


def without(indices: Sequence[str], axes: Sequence[int]) -> list[str]:
    """Indices but those of some axes."""
    return [index for axis, index in enumerate(indices) if axis not in axes]


__all__ = [
    "FORMS", "Form", "added", "combined", "form", "given", "highest", "is_nan", "lowest", "unary",
    "without",
]  # fmt: skip
