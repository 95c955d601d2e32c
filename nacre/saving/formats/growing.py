"""Lists and dicts that take values from a checkpoint which was restored before they grow."""

from __future__ import annotations

# The one function of JAX here whose arguments have no types.
# pyright: reportUnknownMemberType=false
from collections.abc import Callable, Iterable
from typing import Any

import jax

Given = Callable[[str, Any], None]  # what is told of a new element, with its name in files


class GrowingList(list[Any]):
    """A list that tells of what is put at its end.

    Args:
        values: What it holds first, which is not told of.
        given: It is told of the others.

    Example:
        >>> seen = []
        >>> grown = GrowingList([1], lambda name, value: seen.append((name, value)))
        >>> grown.append(2)
        >>> grown += [3]
        >>> grown, seen
        ([1, 2, 3], [('1', 2), ('2', 3)])
    """

    def __init__(self, values: Iterable[Any], given: Given) -> None:
        super().__init__(values)
        self._given = given

    def append(self, value: Any, /) -> None:
        """Put a value at the end."""
        super().append(value)
        self._given(str(len(self) - 1), value)

    def extend(self, values: Iterable[Any], /) -> None:
        """Put values at the end."""
        for value in list(values):
            self.append(value)

    def __iadd__(self, values: Iterable[Any], /) -> GrowingList:  # type: ignore[override,misc]
        self.extend(values)
        return self

    def __reduce__(self) -> Any:
        return list, (list(self),)  # a copy belongs to no checkpoint


class GrowingDict(dict[Any, Any]):
    """A dict that tells of the values that it gets.

    Args:
        values: What it holds first, which is not told of.
        given: It is told of the others.
    """

    def __init__(self, values: dict[Any, Any], given: Given) -> None:
        super().__init__(values)
        self._given = given

    def __setitem__(self, key: Any, value: Any, /) -> None:
        super().__setitem__(key, value)
        self._given(str(key), value)

    def setdefault(self, key: Any, default: Any = None, /) -> Any:
        """The value of a key, which is the default from now on where there was none."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Put in what another dict holds."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other: Any, /) -> GrowingDict:  # type: ignore[override,misc]
        self.update(other)
        return self

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


def _nothing(name: str, value: Any) -> None:
    """What is computed of such values belongs to no checkpoint."""


def _items(values: GrowingDict) -> tuple[list[Any], tuple[Any, ...]]:
    return list(values.values()), tuple(values)


def _from_items(keys: tuple[Any, ...], values: Iterable[Any]) -> GrowingDict:
    return GrowingDict(dict(zip(keys, values, strict=True)), _nothing)


def _elements(values: GrowingList) -> tuple[list[Any], None]:
    return list(values), None


def _from_elements(_: None, values: Iterable[Any]) -> GrowingList:
    return GrowingList(values, _nothing)


# JAX takes classes that it does not know for single values.
jax.tree_util.register_pytree_node(GrowingList, _elements, _from_elements)
jax.tree_util.register_pytree_node(GrowingDict, _items, _from_items)

__all__ = ["GrowingDict", "GrowingList"]
