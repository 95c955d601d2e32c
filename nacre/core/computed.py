"""Attributes that are computed unless their owner sets one of the same name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class Computed(Generic[T]):
    """A property that an attribute of the same name, set on an object, takes the place of.

    Choose it over `property` for names that classes of users have for their own things, such as
    `input_shape` in a layer.

    Args:
        function: Computes the value, from the object.

    Example:
        >>> class Box:
        ...     @Computed
        ...     def size(self):
        ...         return 1
        >>> box = Box()
        >>> box.size
        1
        >>> box.size = 2
        >>> box.size
        2
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, owner: None, cls: type) -> Self: ...
    @overload
    def __get__(self, owner: object, cls: type) -> T: ...
    def __get__(self, owner: object, cls: type) -> Self | T:
        return self if owner is None else self.function(owner)


__all__ = ["Computed"]
