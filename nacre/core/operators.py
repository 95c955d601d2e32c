"""Python's operators for what is no array itself: variables and symbolic tensors.

The ops they stand for lie on a higher floor, which hands them over when it is imported: at the
latest when the first of them is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Generic, TypeVar

# What an operator gives: an array of a variable, a symbolic tensor of a symbolic tensor.
R = TypeVar("R", covariant=True)

# A number, an array, nested lists of numbers, a variable or a tensor: whatever ops take.
Operand = Any


class _Operations(dict[str, Callable[..., Any]]):
    """The op for each operator, by its name between the underscores (`add`, `getitem`)."""

    def __missing__(self, name: str) -> Callable[..., Any]:
        if self:
            raise KeyError(name)
        importlib.import_module("nacre.ops")  # a script may use a variable and nothing else
        return self[name]


OPERATIONS = _Operations()


def _of_two(name: str, left: Operand, right: Operand) -> Any:
    if right is None or isinstance(right, str):
        return NotImplemented
    return OPERATIONS[name](left, right)


class Operators(Generic[R]):
    """`x + 1`, `x[0]`, `x > 0`, each an op."""

    def __add__(self, other: Operand, /) -> R:
        return _of_two("add", self, other)

    def __radd__(self, other: Operand, /) -> R:
        return OPERATIONS["add"](other, self)

    def __sub__(self, other: Operand, /) -> R:
        return _of_two("sub", self, other)

    def __rsub__(self, other: Operand, /) -> R:
        return OPERATIONS["sub"](other, self)

    def __mul__(self, other: Operand, /) -> R:
        return _of_two("mul", self, other)

    def __rmul__(self, other: Operand, /) -> R:
        return OPERATIONS["mul"](other, self)

    def __truediv__(self, other: Operand, /) -> R:
        return _of_two("truediv", self, other)

    def __rtruediv__(self, other: Operand, /) -> R:
        return OPERATIONS["truediv"](other, self)

    def __floordiv__(self, other: Operand, /) -> R:
        return _of_two("floordiv", self, other)

    def __rfloordiv__(self, other: Operand, /) -> R:
        return OPERATIONS["floordiv"](other, self)

    def __mod__(self, other: Operand, /) -> R:
        return _of_two("mod", self, other)

    def __rmod__(self, other: Operand, /) -> R:
        return OPERATIONS["mod"](other, self)

    def __pow__(self, other: Operand, /) -> R:
        return _of_two("pow", self, other)

    def __rpow__(self, other: Operand, /) -> R:
        return OPERATIONS["pow"](other, self)

    def __matmul__(self, other: Operand, /) -> R:
        return _of_two("matmul", self, other)

    def __rmatmul__(self, other: Operand, /) -> R:
        return OPERATIONS["matmul"](other, self)

    def __and__(self, other: Operand, /) -> R:
        return _of_two("and", self, other)

    def __rand__(self, other: Operand, /) -> R:
        return OPERATIONS["and"](other, self)

    def __or__(self, other: Operand, /) -> R:
        return _of_two("or", self, other)

    def __ror__(self, other: Operand, /) -> R:
        return OPERATIONS["or"](other, self)

    def __xor__(self, other: Operand, /) -> R:
        return _of_two("xor", self, other)

    def __rxor__(self, other: Operand, /) -> R:
        return OPERATIONS["xor"](other, self)

    def __lt__(self, other: Operand, /) -> R:
        return _of_two("lt", self, other)

    def __le__(self, other: Operand, /) -> R:
        return _of_two("le", self, other)

    def __gt__(self, other: Operand, /) -> R:
        return _of_two("gt", self, other)

    def __ge__(self, other: Operand, /) -> R:
        return _of_two("ge", self, other)

    def __neg__(self) -> R:
        return OPERATIONS["neg"](self)

    def __abs__(self) -> R:
        return OPERATIONS["abs"](self)

    def __invert__(self) -> R:
        return OPERATIONS["invert"](self)

    def __round__(self, ndigits: int | None = None, /) -> R:
        return OPERATIONS["round"](self, ndigits or 0)

    def __getitem__(self, key: Any, /) -> R:  # an index, a slice, a mask, or a tuple of them
        return OPERATIONS["getitem"](self, key)


class ElementwiseEquality(Generic[R]):
    """`x == 1` for each element, and a hash of its own nevertheless.

    Symbolic tensors have one that also tells which tensor is which: graphs look for them in lists.
    """

    def __eq__(self, other: Operand, /) -> R:  # type: ignore[override]  # an array, as NumPy's
        return _of_two("eq", self, other)

    def __ne__(self, other: Operand, /) -> R:  # type: ignore[override]
        return _of_two("ne", self, other)

    __hash__ = object.__hash__


__all__ = ["OPERATIONS", "ElementwiseEquality", "Operand", "Operators"]
