"""`tf.TensorShape`: a tuple of sizes that also answers TensorFlow's questions."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from typing import Any, SupportsIndex

import numpy as np

from nacre.core.errors import ShapeError, message


class Dimension:
    """`tf.compat.v1.Dimension`: a size that may be unknown, with its `value`.

    Args:
        value: The size, or None.

    Source:
        TensorFlow 2.15. Comparing with one that is not known gives None, as there.
    Example:
        >>> TensorShape([None, 3]).dims[1].value, TensorShape([None, 3]).dims[1] * 2
        (3, Dimension(6))
    """

    def __init__(self, value: Any) -> None:
        size = getattr(value, "value", value)
        if size is not None and isinstance(size, int | np.integer) and size < 0:
            raise ShapeError(
                message("tf.compat.v1.Dimension", "a size must be 0 or more", f"{size}")
            )
        self._value = size if size is None or not _is_index(size) else operator.index(size)

    @property
    def value(self) -> Any:
        """The size, None where it is not known."""
        return self._value

    def is_compatible_with(self, other: Any) -> bool:
        """Whether both may be equal."""
        return self._value is None or _value(other) in (None, self._value)

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raise where they cannot be equal."""
        if not self.is_compatible_with(other):
            raise ShapeError(
                message("tf.compat.v1.Dimension", f"sizes must fit {self}", f"{other}")
            )

    def merge_with(self, other: Any) -> Dimension:
        """What is known of either."""
        self.assert_is_compatible_with(other)
        return Dimension(_value(other) if self._value is None else self._value)

    def _with(self, function: Callable[[Any, Any], Any], other: Any, turned: bool = False) -> Any:
        given = _value(other)
        if given is not None and not _is_index(given):
            return NotImplemented
        if self._value is None or given is None:
            return None
        return function(given, self._value) if turned else function(self._value, given)

    def _sized(self, function: Callable[[Any, Any], Any], other: Any, turned: bool = False) -> Any:
        found = self._with(function, other, turned)
        return found if found is NotImplemented else Dimension(found)

    def __add__(self, other: Any) -> Any:
        return self._sized(operator.add, other)

    def __sub__(self, other: Any) -> Any:
        return self._sized(operator.sub, other)

    def __rsub__(self, other: Any) -> Any:
        return self._sized(operator.sub, other, True)

    def __mul__(self, other: Any) -> Any:
        return self._sized(operator.mul, other)

    def __floordiv__(self, other: Any) -> Any:
        return self._sized(operator.floordiv, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._sized(operator.floordiv, other, True)

    def __mod__(self, other: Any) -> Any:
        return self._sized(operator.mod, other)

    def __rmod__(self, other: Any) -> Any:
        return self._sized(operator.mod, other, True)

    __radd__ = __add__
    __rmul__ = __mul__

    def __eq__(self, other: object) -> Any:
        return self._with(operator.eq, other)

    def __ne__(self, other: object) -> Any:
        return self._with(operator.ne, other)

    def __lt__(self, other: Any) -> Any:
        return self._with(operator.lt, other)

    def __le__(self, other: Any) -> Any:
        return self._with(operator.le, other)

    def __gt__(self, other: Any) -> Any:
        return self._with(operator.gt, other)

    def __ge__(self, other: Any) -> Any:
        return self._with(operator.ge, other)

    def __hash__(self) -> int:
        return hash(self._value)

    def __int__(self) -> int:
        return self.__index__()

    def __index__(self) -> int:
        if self._value is None:
            rule = "a size that is not known is no number"
            raise TypeError(message("tf.compat.v1.Dimension", rule, "None", "Use tf.shape(x)."))
        return operator.index(self._value)

    def __str__(self) -> str:
        return "?" if self._value is None else str(self._value)

    def __repr__(self) -> str:
        return f"Dimension({self._value})"


def _value(size: Any) -> Any:
    return size.value if isinstance(size, Dimension) else size


def _is_index(size: Any) -> bool:
    return hasattr(size, "__index__") and not isinstance(size, bool)


def dimension_value(dimension: Any) -> Any:
    """The size of a `Dimension`; a number and None as they are.

    Args:
        dimension: One of either kind.
    """
    return _value(dimension)


def dimension_at_index(shape: Any, index: int) -> Dimension:
    """One size of a shape, as a `Dimension`.

    Args:
        shape: The shape.
        index: Which axis.
    """
    return TensorShape(shape).dims[index]


class TensorShape(tuple[Any, ...]):
    """Sizes, with None for those that are not known. It is a tuple, for all who take one.

    Args:
        dims: The sizes, -1 for one that is not known.

    Raises:
        ShapeError: `dims` is None: shapes of any number of axes are not here.
    Example:
        >>> shape = TensorShape([None, 3])
        >>> shape.as_list(), shape.rank, shape[1:] == (3,), shape.is_fully_defined()
        ([None, 3], 2, True, False)
    """

    __slots__ = ()

    def __new__(cls, dims: Any = ()) -> TensorShape:
        """The sizes as whole numbers of Python's."""
        if dims is None:
            raise ShapeError(
                message(
                    "tf.TensorShape",
                    "the number of axes must be known",
                    "None",
                    "Give None for each axis: tf.TensorShape([None, None]).",
                )
            )
        sizes = dims if isinstance(dims, Iterable) else (dims,)
        return tuple.__new__(cls, map(_size, sizes))

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self)

    @property
    def ndims(self) -> int:
        """The number of axes."""
        return len(self)

    @property
    def dims(self) -> list[Dimension]:
        """The sizes, each with its `value`."""
        return [Dimension(size) for size in self]

    def as_list(self) -> list[int | None]:
        """The sizes as a list."""
        return list(self)

    def num_elements(self) -> int | None:
        """The number of numbers, None where a size is not known."""
        return None if None in self else math.prod(self)

    def is_fully_defined(self) -> bool:
        """Whether every size is known."""
        return None not in self

    def is_compatible_with(self, other: Any) -> bool:
        """Whether an array can have both shapes."""
        theirs = TensorShape(other)
        return len(self) == len(theirs) and all(
            a is None or b is None or a == b for a, b in zip(self, theirs, strict=True)
        )

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raise where no array can have both shapes."""
        if not self.is_compatible_with(other):
            raise ShapeError(message("tf.TensorShape", f"shapes must fit {self}", f"{other}"))

    def assert_has_rank(self, rank: int) -> None:
        """Raise unless there are so many axes."""
        if len(self) != rank:
            raise ShapeError(message("tf.TensorShape", f"there must be {rank} axes", f"{self}"))

    def with_rank(self, rank: int) -> TensorShape:
        """The shape, if it has so many axes."""
        self.assert_has_rank(rank)
        return self

    def with_rank_at_least(self, rank: int) -> TensorShape:
        """The shape, if it has so many axes or more."""
        if len(self) < rank:
            rule = f"there must be {rank} axes or more"
            raise ShapeError(message("tf.TensorShape", rule, f"{self}"))
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        """The shape, if it has so many axes or fewer."""
        if len(self) > rank:
            rule = f"there must be {rank} axes or fewer"
            raise ShapeError(message("tf.TensorShape", rule, f"{self}"))
        return self

    def assert_same_rank(self, other: Any) -> None:
        """Raise unless both have as many axes."""
        self.assert_has_rank(len(TensorShape(other)))

    def assert_is_fully_defined(self) -> None:
        """Raise where a size is not known."""
        if None in self:
            raise ShapeError(message("tf.TensorShape", "every size must be known", f"{self}"))

    def most_specific_compatible_shape(self, other: Any) -> TensorShape:
        """The sizes that both have, None where they differ."""
        self.assert_same_rank(other)
        pairs = zip(self, TensorShape(other), strict=True)
        return TensorShape(a if a == b else None for a, b in pairs)

    def merge_with(self, other: Any) -> TensorShape:
        """What is known of either."""
        self.assert_is_compatible_with(other)
        pairs = zip(self, TensorShape(other), strict=True)
        return TensorShape(b if a is None else a for a, b in pairs)

    def concatenate(self, other: Any) -> TensorShape:
        """These sizes, then the others."""
        return TensorShape((*self, *TensorShape(other)))

    # No __radd__: it would take part in `sizes += shape` of a list, as JAX writes.
    def __add__(self, other: Any) -> TensorShape:  # type: ignore[override]
        return self.concatenate(other)

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        found = tuple.__getitem__(self, key)
        return of_sizes(found) if isinstance(key, slice) else found

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, tuple(other) if isinstance(other, list) else other)  # type: ignore[arg-type]

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __str__(self) -> str:
        return repr(self._shown())

    def __repr__(self) -> str:
        return f"TensorShape({list(self._shown())})"

    def _shown(self) -> tuple[int | None, ...]:
        """Sizes as they are told: one that is a symbol while code is traced is not known."""
        return tuple(size if isinstance(size, int) else None for size in self)


def _size(size: Any) -> int | None:
    size = getattr(size, "value", size)
    if isinstance(size, int | np.integer):
        return None if size < 0 else int(size)
    return size  # None, or a symbol of JAX's


def of_sizes(sizes: tuple[Any, ...]) -> TensorShape:
    """A shape of sizes as JAX has them, symbolic ones among them, which stay what they are."""
    return tuple.__new__(TensorShape, sizes)


__all__ = ["Dimension", "TensorShape", "dimension_at_index", "dimension_value", "of_sizes"]
