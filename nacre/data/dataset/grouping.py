"""Elements in groups: window, group_by_window and what buckets by length are made of."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DataError, message
from nacre.core.numbers import as_whole
from nacre.data.dataset import elements as el
from nacre.data.dataset.calls import call, dataset_of, whole_argument
from nacre.data.dataset.node import (
    NOT_KNOWN,
    UNKNOWN,
    Cursor,
    Node,
    Opening,
    as_dataset,
    without_zeros,
)
from nacre.data.dataset.ordering import OneCursor, OneInput, checked_merge
from nacre.data.dataset.seeds import Passes
from nacre.data.dataset.sources import Kept
from nacre.data.dataset.spec import DatasetSpec, as_shape


class Window(OneInput):
    """Elements together as data sets, which may overlap."""

    name = "Dataset.window"

    def __init__(
        self, node: Node, size: int, shift: int, stride: int, drop_remainder: bool
    ) -> None:
        super().__init__(node)
        self.size, self.shift, self.stride = size, shift, stride
        self.drop_remainder = drop_remainder
        self.span = (size - 1) * stride + 1  # elements from the first to the last of a window

    def make_cursor(self, opening: Opening) -> Cursor:
        return WindowCursor(self.input.open(opening), self)

    def make_spec(self) -> Any:
        return el.mapped(DatasetSpec, self.input.spec())

    def cardinality(self) -> int:
        available = self.input.cardinality()
        if available < 0:
            return available
        if self.drop_remainder:
            return max(0, (available - self.span) // self.shift + 1)
        return -(-available // self.shift)


class WindowCursor(OneCursor):
    """See `Window`. It holds the elements from the first of the next window on."""

    picks_rows = False

    def __init__(self, up: Cursor, node: Window) -> None:
        super().__init__(up)
        self._node, self._to_skip = node, 0
        self._items: list[Any] = []

    def __next__(self) -> Any:
        node, items = self._node, self._items
        if self._to_skip:
            skipped = sum(1 for _ in itertools.islice(self._up, self._to_skip))
            self._to_skip -= skipped
            if self._to_skip:
                raise StopIteration
        items.extend(itertools.islice(self._up, max(0, node.span - len(items))))
        window = items[: node.span : node.stride]
        if not window or (node.drop_remainder and len(window) < node.size):
            raise StopIteration
        self._to_skip = max(0, node.shift - len(items))
        del items[: node.shift]
        return _datasets(window)

    def state(self) -> Any:
        return {
            "up": self._up.state(),
            "items": [el.packed(item) for item in self._items],
            "skip": self._to_skip,
        }

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._items = [el.unpacked(item) for item in state["items"]]
        self._to_skip = state["skip"]


def _datasets(items: list[Any]) -> Any:
    """Elements as one whose leaves are data sets."""
    first = items[0]
    if not el.is_structure(first):
        return as_dataset(Kept(items))
    columns = [_datasets([el.child(item, key) for item in items]) for key, _ in el.children(first)]
    return el.rebuilt(first, columns)


class GroupByWindow(OneInput):
    """Elements of one key together, as many as make a window; a function makes a data set of it."""

    def __init__(
        self,
        node: Node,
        key_func: Callable[..., Any],
        reduce_func: Callable[..., Any],
        window_size: Callable[[int], int],
        name: str,
    ) -> None:
        super().__init__(node)
        self.key_func, self.reduce_func, self.window_size = key_func, reduce_func, window_size
        self.name, self.passes = name, Passes(None)

    def make_cursor(self, opening: Opening) -> Cursor:
        return GroupCursor(self, self.input.open(opening), opening)

    def known_spec(self) -> Any:
        return NOT_KNOWN

    def make_spec(self) -> Any:
        spec: Any = NOT_KNOWN
        examples = self.input.examples_or_zeros()
        for group in (examples, *([example] for example in examples)):
            inner = self.reduced(self.key_of(group[0], 0), group).spec()
            inner = el.mapped(without_zeros, inner)
            spec = inner if spec is NOT_KNOWN else checked_merge(spec, inner, self.name)
        return spec

    def cardinality(self) -> int:
        return UNKNOWN

    def key_of(self, element: Any, number: int) -> int:
        """The key of an element."""
        given = call(self.key_func, element, self.name, number)
        key = as_whole(given)
        if key is None:
            raise DataError(
                message(
                    self.name,
                    "key_func must give one whole number",
                    f"{str(given)[:60]} at element {number}",
                )
            )
        return key

    def reduced(self, key: int, items: list[Any]) -> Node:
        """What the function makes of the elements of a window."""
        arguments = (el.sealed(_int64(key)), as_dataset(Kept(items)))
        return dataset_of(call(self.reduce_func, arguments, self.name, None), self.name)


def _int64(value: int) -> np.ndarray:
    return np.array(value, np.int64)


class GroupCursor(OneCursor):
    """See `GroupByWindow`."""

    picks_rows = False

    def __init__(self, node: GroupByWindow, up: Cursor, opening: Opening) -> None:
        super().__init__(up)
        self._node, self._opening = node, opening
        self._groups: dict[int, list[Any]] = {}
        self._seen, self._is_over = 0, False
        self._given: tuple[int, list[Any], Cursor] | None = None  # the window that is given out
        self._passes, self._windows = opening.passes(node.passes), 0
        self._pass = self._passes.begin(opening.leaves_no_trace)

    def _opened(self, key: int, items: list[Any]) -> Cursor:
        """What is made of a window, the last of those that were counted."""
        place = self._passes.place(self._pass, self._windows)
        with place.calling():
            reduced = self._node.reduced(key, items)
        return reduced.open(self._opening.within(place))

    def __next__(self) -> Any:
        while True:
            if self._given is not None:
                try:
                    return next(self._given[2])
                except StopIteration:
                    self._given[2].close()
                    self._given = None
            window = self._next_window()
            if window is None:
                raise StopIteration
            self._windows += 1
            self._given = (*window, self._opened(*window))

    def _next_window(self) -> tuple[int, list[Any]] | None:
        node, groups = self._node, self._groups
        while not self._is_over:
            try:
                element = next(self._up)
            except StopIteration:
                self._is_over = True
                break
            self._seen += 1
            key = node.key_of(element, self._seen - 1)
            group = groups.setdefault(key, [])
            group.append(element)
            if len(group) >= node.window_size(key):
                return key, groups.pop(key)
        if not groups:
            return None
        key = min(groups)
        return key, groups.pop(key)

    def state(self) -> Any:
        given = None
        if self._given is not None:
            key, items, cursor = self._given
            packed = [el.packed(item) for item in items]
            given = {"key": key, "items": packed, "at": cursor.state()}
        return {
            "up": self._up.state(),
            "groups": [
                [key, [el.packed(item) for item in items]] for key, items in self._groups.items()
            ],
            "seen": self._seen,
            "is_over": self._is_over,
            "given": given,
            "windows": self._windows,
            "drawn": self._passes.state(self._pass),
        }

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._groups = {
            key: [el.unpacked(item) for item in items] for key, items in state["groups"]
        }
        self._seen, self._is_over, self._given = state["seen"], state["is_over"], None
        self._windows = state["windows"]
        self._pass = self._passes.restored(state["drawn"])
        given = state["given"]
        if given is not None:
            items = [el.unpacked(item) for item in given["items"]]
            cursor = self._opened(given["key"], items)
            cursor.restore(given["at"])
            self._given = (given["key"], items, cursor)


def window_size_of(window_size: Any, window_size_func: Any, who: str) -> Callable[[int], int]:
    """How many elements a window of a key has.

    Raises:
        ArgumentError: Not exactly one of both is given.
    """
    if (window_size is None) == (window_size_func is None):
        rule = "exactly one of window_size and window_size_func must be given"
        raise ArgumentError(message(who, rule, "both" if window_size is not None else "none"))
    if window_size_func is None:
        size = whole_argument(who, "window_size", window_size, 1)
        return lambda key: size
    return lambda key: whole_argument(
        who, "window_size", window_size_func(el.sealed(_int64(key))), 1
    )


class Buckets:
    """The functions of `bucket_by_sequence_length`: a bucket for each stretch of lengths.

    Args:
        length_func: Element -> its length.
        boundaries: Where each bucket ends and the next begins.
        batch_sizes: How many elements of each bucket make a batch, of one more than boundaries.
        options: What `padded_batch` takes; None for `batch`.
        to_boundary: Whether batches are filled up to the longest that the bucket holds.
        drop_remainder: Whether smaller last batches are left out.
    """

    name = "Dataset.bucket_by_sequence_length"

    def __init__(
        self,
        length_func: Callable[..., Any],
        boundaries: Any,
        batch_sizes: Any,
        options: dict[str, Any] | None,
        to_boundary: bool,
        drop_remainder: bool,
    ) -> None:
        self.length_func, self.options = length_func, options
        self.to_boundary, self.drop_remainder = to_boundary, drop_remainder
        self.boundaries = [whole_argument(self.name, "bucket_boundaries", b) for b in boundaries]
        self.sizes = [whole_argument(self.name, "bucket_batch_sizes", s, 1) for s in batch_sizes]
        if len(self.sizes) != len(self.boundaries) + 1:
            raise ArgumentError(
                message(
                    self.name,
                    "there must be one batch size more than boundaries",
                    f"{len(self.sizes)} sizes and {len(self.boundaries)} boundaries",
                )
            )
        if self.boundaries != sorted(set(self.boundaries)):
            rule = "bucket_boundaries must rise"
            raise ArgumentError(message(self.name, rule, f"{self.boundaries}"))

    def key(self, *parts: Any) -> int:
        """The number of an element's bucket."""
        given = self.length_func(*parts)
        length = as_whole(given)
        if length is None:
            raise DataError(
                message(self.name, "element_length_func must give a whole number", f"{given}"[:60])
            )
        return sum(length >= boundary for boundary in self.boundaries)

    def size(self, key: int) -> int:
        """How many elements of a bucket make a batch."""
        return self.sizes[key]

    def batch(self, key: Any, window: Any) -> Any:
        """The batch of a bucket."""
        which = int(key)
        size = self.sizes[which]
        if self.options is None:
            return window.batch(size, drop_remainder=self.drop_remainder)
        options = dict(self.options)
        if self.to_boundary:
            if which == len(self.boundaries):
                raise DataError(
                    message(
                        self.name,
                        "with pad_to_bucket_boundary no element may reach the last boundary",
                        f"one of at least {self.boundaries[-1]}",
                        "Add a boundary above the longest.",
                    )
                )
            items = window._dataset_node.kept()
            shapes = self._filled(items, options["padded_shapes"], self.boundaries[which] - 1)
            options["padded_shapes"] = shapes
        return window.padded_batch(size, drop_remainder=self.drop_remainder, **options)

    def _filled(self, items: list[Any], shapes: Any, longest: int) -> Any:
        """Shapes with the longest length in the place of each size that is one, which sizes do
        not tell: it is one where all elements have their lengths there."""
        lengths = [
            as_whole(self.length_func(*item) if type(item) is tuple else self.length_func(item))
            for item in items
        ]

        def fill(leaves: list[Any], shape: Any) -> Any:
            if el.is_structure(leaves[0]):
                parts = [
                    fill(
                        [el.child(leaf, key) for leaf in leaves],
                        None if shape is None else el.child(shape, key),
                    )
                    for key, _ in el.children(leaves[0])
                ]
                return el.rebuilt(leaves[0], parts)
            if shape is not None:
                return [longest if n is None else n for n in as_shape(shape) or ()]
            axes = range(leaves[0].ndim)
            sizes = [[leaf.shape[axis] for leaf in leaves] for axis in axes]
            return [longest if found == lengths else None for found in sizes]

        return fill(items, shapes)


__all__ = ["Buckets", "GroupByWindow", "Window", "window_size_of"]
