"""Which layers of a config are one object: a number in configs, at every depth.

A layer that stands in a nested model and outside it is written twice, as each graph lists its own
layers. Both carry the number `shared_object_id`, and a reader makes the object once. Layers that
stand alone carry none, so that ordinary configs are as Keras writes them.

Keras 3.15 knows the key and honours it in `.keras` files, but does not write it for layers;
tf.keras 2 writes it for every object. Here it counts for layers alone: of initializers and the
like nothing depends on being one object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nacre.core.context import changed, current
from nacre.core.held import Held
from nacre.core.kinds import is_dict, is_list

KEY = "shared_object_id"


class Numbers:
    """Numbers of objects that are written, in the order they are met.

    Attributes:
        held: Takes the user's classes and functions, where a copy is made.
        is_in_use: Whether a config is being written with them.
    """

    def __init__(self, held: Held | None = None) -> None:
        self.held = held
        self.is_in_use = True
        self._numbers: dict[int, int] = {}
        self._objects: list[Any] = []  # keeps the ids alive

    def of(self, obj: Any) -> int:
        """The number of an object."""
        if id(obj) not in self._numbers:
            self._numbers[id(obj)] = len(self._objects)
            self._objects.append(obj)
        return self._numbers[id(obj)]


class Objects:
    """Objects that were read, by number and name."""

    def __init__(self) -> None:
        self._objects: dict[tuple[int, str | None], Any] = {}

    def find(self, number: int, name: str | None) -> Any:
        """The object of a number, or None."""
        return self._objects.get((number, name))

    def add(self, number: int, name: str | None, obj: Any) -> None:
        """Remember a layer."""
        if has_identity(obj):
            self._objects.setdefault((number, name), obj)


def has_identity(obj: Any) -> bool:
    """Whether it matters that an object is the same one in two places: it has a state."""
    return bool(getattr(obj, "_has_identity", False))


def numbers() -> Numbers | None:
    """The numbers of the config that is being written, or None."""
    return current().numbers


def objects() -> Objects | None:
    """The objects of the config that is being read, or None."""
    return current().objects


def holding(held: Held) -> changed:
    """A block in which configs that are written name the user's classes and functions by object."""
    table = Numbers(held)
    table.is_in_use = False
    return changed(numbers=table)


def held() -> Held | None:
    """What takes the user's classes and functions, or None."""
    table = numbers()
    return None if table is None else table.held


def writing(table: Numbers | None) -> changed:
    """A block in which configs take their numbers from a table."""
    return changed(numbers=table)


def reading(table: Objects | None) -> changed:
    """A block in which objects of equal number are made once."""
    return changed(objects=table)


def written(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` writes; at the outermost call, without the numbers of layers that stand alone."""
    around = numbers()
    if around is not None and around.is_in_use:
        return make()
    with writing(Numbers(held())):
        data = make()
    counts: dict[Any, int] = {}
    _count(data, counts)
    _strip(data, {number for number, count in counts.items() if count < 2})
    return data


def read(make: Callable[[], Any]) -> Any:
    """What `make` reads, with one table of objects for all that is within."""
    if objects() is not None:
        return make()
    with reading(Objects()):
        return make()


def name_in(data: dict[str, Any]) -> str | None:
    """The name in an object's config; two entries of one object agree in it."""
    inner = data.get("config")
    name = inner.get("name") if is_dict(inner) else None
    return name if isinstance(name, str) else None


def _count(node: Any, counts: dict[Any, int]) -> None:
    if is_dict(node):
        if KEY in node:
            counts[node[KEY]] = counts.get(node[KEY], 0) + 1
        for value in node.values():
            _count(value, counts)
    elif is_list(node):
        for value in node:
            _count(value, counts)


def _strip(node: Any, alone: set[Any]) -> None:
    if is_dict(node):
        if node.get(KEY) in alone:
            del node[KEY]
        for value in node.values():
            _strip(value, alone)
    elif is_list(node):
        for value in node:
            _strip(value, alone)


__all__ = [
    "KEY", "Numbers", "Objects", "has_identity", "name_in", "numbers", "objects", "read",
    "reading", "writing", "written",
]  # fmt: skip
