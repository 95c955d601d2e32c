"""What is found out about a class or function once, and forgotten together with it."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


def weak_cache(function: Callable[[Key], Value]) -> Callable[[Key], Value]:
    """Keep what a function of one argument gave, as `functools.cache` does, for as long as the
    argument lives.

    For classes and functions of users: a notebook's cell that is run again makes new ones, and
    what keeps the old ones keeps all that they hold. A value must not refer to its argument. For an
    argument that cannot be referred to weakly nothing is kept.

    Example:
        >>> @weak_cache
        ... def bases(cls):
        ...     return len(cls.__mro__)
        >>> bases(bool)
        3
    """
    kept: dict[int, tuple[weakref.ref[Key], Value]] = {}

    @functools.wraps(function)
    def found(key: Key) -> Value:
        entry = kept.get(id(key))
        if entry is not None:
            return entry[1]
        value, number = function(key), id(key)
        try:
            # Called before another object can have the number.
            reference = weakref.ref(key, lambda _: kept.pop(number, None))
        except TypeError:
            return value
        kept[number] = reference, value
        return value

    return found


__all__ = ["weak_cache"]
