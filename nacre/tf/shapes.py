"""`tf.TensorShape`: a tuple of sizes that also answers TensorFlow's questions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np

from nacre.core.errors import ShapeError, message


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
    def dims(self) -> list[int | None]:
        """The sizes."""
        return list(self)

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


__all__ = ["TensorShape", "of_sizes"]
