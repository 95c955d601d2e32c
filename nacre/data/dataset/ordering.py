"""Which elements, how often: take, skip, shard, repeat, take_while, concatenate, zip, enumerate."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.core.errors import DataError, message
from nacre.data.dataset import elements as el
from nacre.data.dataset.calls import call_predicate
from nacre.data.dataset.node import (
    INFINITE,
    NOT_KNOWN,
    UNKNOWN,
    Cursor,
    Node,
    Opening,
    times,
)
from nacre.data.dataset.spec import TensorSpec, merged, spec_of


class OneInput(Node):
    """A node that gives elements of one other, as they are."""

    @property
    def input(self) -> Node:
        """The node it stands on."""
        return self.inputs[0]

    def make_spec(self) -> Any:
        return self.input.spec()

    def cardinality(self) -> int:
        return self.input.cardinality()


class OneCursor(Cursor):
    """The cursor of such a node: its rows are those of the other one."""

    picks_rows = True

    def __init__(self, up: Cursor) -> None:
        self._up = up
        self.inputs = (up,)

    @property
    def rows(self) -> Any:  # type: ignore[override]
        """The rows of the other cursor, where this one picks among them."""
        return self._up.rows if self.picks_rows else None


class Take(OneInput):
    """The first elements."""

    name = "Dataset.take"

    def __init__(self, node: Node, count: int) -> None:
        super().__init__(node)
        self.count = count

    def make_cursor(self, opening: Opening) -> Cursor:
        return TakeCursor(self.input.open(opening), self.count)

    def cardinality(self) -> int:
        available = self.input.cardinality()
        if self.count < 0:
            return available
        if self.count == 0:
            return 0
        if available == INFINITE:
            return self.count
        return min(available, self.count) if available >= 0 else UNKNOWN


class TakeCursor(OneCursor):
    """See `Take`."""

    def __init__(self, up: Cursor, count: int) -> None:
        super().__init__(up)
        self._count, self._done = count, 0

    def __next__(self) -> Any:
        if self._done >= self._count >= 0:
            raise StopIteration
        item = next(self._up)
        self._done += 1
        return item

    def positions(self, count: int) -> np.ndarray:
        if self._count >= 0:
            count = min(count, self._count - self._done)
        found = self._up.positions(count)
        self._done += len(found)
        return found

    def state(self) -> Any:
        return {"up": self._up.state(), "done": self._done}

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._done = state["done"]


class Skip(OneInput):
    """All but the first elements."""

    name = "Dataset.skip"

    def __init__(self, node: Node, count: int) -> None:
        super().__init__(node)
        self.count = count

    def make_cursor(self, opening: Opening) -> Cursor:
        return SkipCursor(self.input.open(opening), self.count)

    def cardinality(self) -> int:
        available = self.input.cardinality()
        if self.count < 0:
            return 0
        return max(0, available - self.count) if available >= 0 else available


class SkipCursor(OneCursor):
    """See `Skip`."""

    def __init__(self, up: Cursor, count: int) -> None:
        super().__init__(up)
        self._to_skip = count

    def _skip(self) -> None:
        count, self._to_skip = self._to_skip, 0
        if count < 0:
            self._to_skip = -1  # all of them
            raise StopIteration
        if self._up.rows is not None:
            self._up.positions(count)
            return
        for _ in itertools.islice(self._up, count):
            pass

    def __next__(self) -> Any:
        if self._to_skip:
            self._skip()
        return next(self._up)

    def positions(self, count: int) -> np.ndarray:
        if self._to_skip < 0:
            return np.arange(0)
        if self._to_skip:
            self._skip()
        return self._up.positions(count)

    def state(self) -> Any:
        return {"up": self._up.state(), "skip": self._to_skip}

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._to_skip = state["skip"]


class Shard(OneInput):
    """Every so many-th element."""

    name = "Dataset.shard"

    def __init__(self, node: Node, count: int, index: int) -> None:
        super().__init__(node)
        self.count, self.index = count, index

    def make_cursor(self, opening: Opening) -> Cursor:
        return ShardCursor(self.input.open(opening), self.count, self.index)

    def cardinality(self) -> int:
        available = self.input.cardinality()
        if available < 0:
            return available
        return max(0, -((self.index - available) // self.count))


class ShardCursor(OneCursor):
    """See `Shard`."""

    def __init__(self, up: Cursor, count: int, index: int) -> None:
        super().__init__(up)
        self._count, self._index, self._seen = count, index, 0

    def __next__(self) -> Any:
        while True:
            item = next(self._up)
            self._seen += 1
            if (self._seen - 1) % self._count == self._index:
                return item

    def positions(self, count: int) -> np.ndarray:
        found: list[np.ndarray] = []
        while count > 0:
            given = self._up.positions(count * self._count)
            if not len(given):
                break
            picked = given[(self._index - self._seen) % self._count :: self._count]
            self._seen += len(given)
            # All that was asked for lies in a stretch of this length, never more.
            found.append(picked)
            count -= len(picked)
        return np.concatenate(found) if found else np.arange(0)

    def state(self) -> Any:
        return {"up": self._up.state(), "seen": self._seen}

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._seen = state["seen"]


class Repeat(OneInput):
    """The elements over and over."""

    name = "Dataset.repeat"

    def __init__(self, node: Node, count: int) -> None:
        super().__init__(node)
        self.count = count

    def make_cursor(self, opening: Opening) -> Cursor:
        return RepeatCursor(self.input, self.count, opening)

    def cardinality(self) -> int:
        return times(self.input.cardinality(), self.count)


class RepeatCursor(Cursor):
    """See `Repeat`. Each pass is a new cursor."""

    def __init__(self, node: Node, count: int, opening: Opening) -> None:
        self._node, self._count, self._opening = node, count, opening
        self._done, self._is_over = 0, count == 0
        self._is_empty = True  # whether the pass under way gave nothing
        self._begin()

    def _begin(self) -> None:
        self._up = self._node.open(self._opening)
        self.inputs = (self._up,)

    @property
    def rows(self) -> Any:  # type: ignore[override]
        """The rows of the passes."""
        return self._up.rows

    def _go_on(self) -> None:
        """Begin another pass, or end."""
        self._done += 1
        if self._is_empty or self._done >= self._count >= 0:
            self._is_over = True
            return
        self._up.close()
        self._is_empty = True
        self._begin()

    def __next__(self) -> Any:
        while not self._is_over:
            try:
                item = next(self._up)
            except StopIteration:
                self._go_on()
                continue
            self._is_empty = False
            return item
        raise StopIteration

    def positions(self, count: int) -> np.ndarray:
        found: list[np.ndarray] = []
        while count > 0 and not self._is_over:
            given = self._up.positions(count)
            if len(given):
                self._is_empty = False
                found.append(given)
                count -= len(given)
            else:
                self._go_on()
        return np.concatenate(found) if found else np.arange(0)

    def state(self) -> Any:
        return {
            "up": self._up.state(),
            "done": self._done,
            "is_empty": self._is_empty,
            "is_over": self._is_over,
        }

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._done, self._is_empty = state["done"], state["is_empty"]
        self._is_over = state["is_over"]


class TakeWhile(OneInput):
    """The elements before the first that does not fit."""

    name = "Dataset.take_while"

    def __init__(self, node: Node, predicate: Callable[..., Any]) -> None:
        super().__init__(node)
        self.predicate = predicate

    def make_cursor(self, opening: Opening) -> Cursor:
        return TakeWhileCursor(self.input.open(opening), self.predicate)

    def cardinality(self) -> int:
        return UNKNOWN


class TakeWhileCursor(OneCursor):
    """See `TakeWhile`."""

    picks_rows = False

    def __init__(self, up: Cursor, predicate: Callable[..., Any]) -> None:
        super().__init__(up)
        self._predicate, self._is_over, self._seen = predicate, False, 0

    def __next__(self) -> Any:
        if self._is_over:
            raise StopIteration
        item = next(self._up)
        self._seen += 1
        if not call_predicate(self._predicate, item, TakeWhile.name, self._seen - 1):
            self._is_over = True
            raise StopIteration
        return item

    def state(self) -> Any:
        return {"up": self._up.state(), "is_over": self._is_over, "seen": self._seen}

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._is_over, self._seen = state["is_over"], state["seen"]


class Concatenate(Node):
    """One after another."""

    name = "Dataset.concatenate"

    def __init__(self, *nodes: Node) -> None:
        super().__init__(*nodes)
        if all(node.known_spec() is not NOT_KNOWN for node in nodes):
            self.spec()  # refuses what does not fit, now

    def make_cursor(self, opening: Opening) -> Cursor:
        return ConcatenateCursor(self, opening)

    def make_spec(self) -> Any:
        spec = self.inputs[0].spec()
        for node in self.inputs[1:]:
            spec = checked_merge(spec, node.spec(), self.name)
        return spec

    def cardinality(self) -> int:
        counts = [node.cardinality() for node in self.inputs]
        if INFINITE in counts:
            return INFINITE
        return UNKNOWN if UNKNOWN in counts else sum(counts)


def checked_merge(first: Any, second: Any, who: str) -> Any:
    """What two specs have in common.

    Raises:
        DataError: Their structures or dtypes differ.
    """
    try:
        return merged(first, second)
    except ValueError as error:
        raise DataError(
            message(
                who, "data sets must have elements of one structure and dtype",
                f"{error}: {first} and {second}"[:200],
                "Bring one to the form of the other with map.",
            )
        ) from None  # fmt: skip


class ConcatenateCursor(Cursor):
    """See `Concatenate`."""

    def __init__(self, node: Concatenate, opening: Opening) -> None:
        self._node, self._opening, self._which = node, opening, 0
        self._first: Any = None  # the spec of the first element, to tell what does not fit
        self._is_new = True
        self._begin()

    def _begin(self) -> None:
        self._up = self._node.inputs[self._which].open(self._opening)
        self.inputs, self._is_new = (self._up,), True

    def __next__(self) -> Any:
        while True:
            try:
                item = next(self._up)
            except StopIteration:
                if self._which + 1 >= len(self._node.inputs):
                    raise
                self._up.close()
                self._which += 1
                self._begin()
                continue
            if self._is_new:
                self._is_new = False
                spec = spec_of(item)
                if self._first is None:
                    self._first = spec
                else:
                    checked_merge(self._first, spec, self._node.name)
            return item

    def state(self) -> Any:
        return {"which": self._which, "up": self._up.state()}

    def restore(self, state: Any) -> None:
        self._up.close()
        self._which = state["which"]
        self._begin()
        self._up.restore(state["up"])


class Zip(Node):
    """Elements side by side, as long as all have one."""

    name = "Dataset.zip"

    def __init__(self, structure: Any, *nodes: Node) -> None:
        super().__init__(*nodes)
        self.structure = structure  # with numbers in the places of the data sets

    def make_cursor(self, opening: Opening) -> Cursor:
        return ZipCursor([node.open(opening) for node in self.inputs], self.structure)

    def make_spec(self) -> Any:
        return placed(self.structure, [node.spec() for node in self.inputs])

    def cardinality(self) -> int:
        counts = [node.cardinality() for node in self.inputs]
        finite = [count for count in counts if count >= 0]
        if UNKNOWN in counts:
            return UNKNOWN
        return min(finite) if finite else INFINITE


def placed(structure: Any, values: list[Any]) -> Any:
    """Values in the places that a structure numbers."""
    if type(structure) is int:
        return values[structure]
    return el.rebuilt(structure, [placed(value, values) for _, value in el.children(structure)])


class ZipCursor(Cursor):
    """See `Zip`."""

    def __init__(self, ups: list[Cursor], structure: Any) -> None:
        self.inputs = tuple(ups)
        self._structure = structure
        self._is_flat = structure == tuple(range(len(ups)))
        self._is_over = False

    def __next__(self) -> Any:
        if self._is_over:
            raise StopIteration
        try:
            items = [next(up) for up in self.inputs]
        except StopIteration:
            self._is_over = True
            raise
        return tuple(items) if self._is_flat else placed(self._structure, items)

    def state(self) -> Any:
        return {"ups": self.states_of_inputs(), "is_over": self._is_over}

    def restore(self, state: Any) -> None:
        self.restore_inputs(state["ups"])
        self._is_over = state["is_over"]


class Enumerate(OneInput):
    """Elements with their numbers before them."""

    name = "Dataset.enumerate"

    def __init__(self, node: Node, start: int) -> None:
        super().__init__(node)
        self.start = start

    def make_cursor(self, opening: Opening) -> Cursor:
        return EnumerateCursor(self.input.open(opening), self.start)

    def make_spec(self) -> Any:
        return (TensorSpec((), "int64"), self.input.spec())


class EnumerateCursor(OneCursor):
    """See `Enumerate`."""

    picks_rows = False

    def __init__(self, up: Cursor, start: int) -> None:
        super().__init__(up)
        self._at = start

    def __next__(self) -> Any:
        item = next(self._up)
        self._at += 1
        return el.sealed(np.array(self._at - 1, np.int64)), item

    def state(self) -> Any:
        return {"up": self._up.state(), "at": self._at}

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._at = state["at"]


__all__ = [
    "Concatenate", "Enumerate", "OneCursor", "OneInput", "Repeat", "Shard", "Skip", "Take",
    "TakeWhile", "Zip", "checked_merge",
]  # fmt: skip
