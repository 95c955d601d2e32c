"""cache: elements are made in the first pass and kept in memory."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from nacre.core.host_random import are_same
from nacre.data.dataset.node import Cursor, Node, Opening
from nacre.data.dataset.ordering import OneInput
from nacre.data.dataset.sources import Slices


class Cache(OneInput):
    """Elements kept from the first pass on. What is kept belongs to the data set, as for tf.data; a
    pass that ends early keeps nothing.

    Attributes:
        kept_items: The elements, once all are there.
        began: The state of the input before the first of them.
    """

    name = "Dataset.cache"

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.kept_items: list[Any] | None = None
        self.began: Any = None

    def make_cursor(self, opening: Opening) -> Cursor:
        is_there = type(self.input) is Slices  # in memory already
        if is_there or (opening.is_peek and self.kept_items is None):
            return self.input.open(opening)
        return CacheCursor(self, opening)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "kept_items": None, "began": None}


class CacheCursor(Cursor):
    """A place among elements that are kept, or are being kept.

    Its state tells how far it came, and where the input began. Who goes on in a process that has
    nothing kept goes over the input again from there.
    """

    def __init__(self, node: Cache, opening: Opening) -> None:
        self._node, self._opening, self._at = node, opening, 0
        self._up: Cursor | None = None  # while elements are being kept
        if node.kept_items is None:
            self._fill()
        else:
            self._items, self._began = node.kept_items, node.began

    def _fill(self) -> None:
        self._items: list[Any] = []
        self._up = self._node.input.open(self._opening)
        self.inputs = (self._up,)
        self._began: Any = None

    def __next__(self) -> Any:
        if self._at >= len(self._items):
            self._make()
        self._at += 1
        return self._items[self._at - 1]

    def _make(self) -> None:
        if self._up is None:
            raise StopIteration
        if self._began is None:
            self._began = self._up.state()
        try:
            self._items.append(next(self._up))
        except StopIteration:
            self._up.close()
            self._up = None
            if self._node.kept_items is None:
                self._node.kept_items, self._node.began = self._items, self._began
            raise

    def state(self) -> Any:
        began = self._began
        if began is None and self._up is not None:
            began = self._up.state()
        return {"at": self._at, "began": began, "is_at_end": self._is_at_end()}

    def _is_at_end(self) -> bool:
        return self._up is None and self._at == len(self._items)

    def restore(self, state: Any) -> None:
        began, node = state["began"], self._node
        if self._up is None and not are_same(began, self._began):
            node.kept_items = node.began = None  # those of another order
            self._fill()
        if self._up is not None:
            self._up.restore(began)
            self._began = began
        self._at = state["at"]
        while len(self._items) < self._at:
            self._make()
        if state["is_at_end"] and self._up is not None:
            with suppress(StopIteration):  # which keeps them for the next pass
                self._make()


__all__ = ["Cache"]
