"""shuffle: each element is drawn from a buffer, and the next one takes its place."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.data.dataset import elements as el
from nacre.data.dataset.node import Cursor, Node, Opening
from nacre.data.dataset.ordering import OneCursor, OneInput
from nacre.data.dataset.seeds import Draws, Passes

_READ = 1024  # rows that are asked for at once


class Shuffle(OneInput):
    """Elements drawn from a buffer.

    Attributes:
        parts, is_told: Of what stands below, see `parts.py`.
    """

    name = "Dataset.shuffle"

    def __init__(self, node: Node, buffer_size: int, passes: Passes) -> None:
        super().__init__(node)
        self.buffer_size, self.passes = buffer_size, passes
        self.parts: set[tuple[str, int, int]] = set()
        self.is_told = False

    def make_cursor(self, opening: Opening) -> Cursor:
        passes = opening.passes(self.passes)
        number = passes.begin(opening.leaves_no_trace)
        return ShuffleCursor(self.input.open(opening), self.buffer_size, passes, number)


class ShuffleCursor(OneCursor):
    """See `Shuffle`.

    Of rows the buffer holds their numbers, and where all fit into it at once, they are in an order
    drawn in one go, which is told by where they began. Else it holds elements.
    """

    def __init__(self, up: Cursor, buffer_size: int, passes: Passes, number: int) -> None:
        super().__init__(up)
        self._size, self._passes = buffer_size, passes
        self._draws: Draws = passes.draws(number)
        self._forget()

    def _forget(self) -> None:
        self._buffer: list[Any] | None = None  # None before the first element is asked for
        self._drawn = 0  # random numbers
        self._incoming: list[int] = []  # rows that were read and are not in the buffer
        self._is_over = False  # whether the input is
        self._whole: np.ndarray | None = None  # all rows in their order, where they fit at once
        self._began: Any = None  # where the input stood before these were read
        self._done = 0  # of them

    def _begin(self) -> None:
        """Fill the buffer."""
        self._buffer = []
        if self._up.rows is None:
            buffer = self._buffer
            try:
                while len(buffer) < self._size:
                    buffer.append(next(self._up))
            except StopIteration:
                self._is_over = True
            return
        self._began = self._up.state()
        first = self._up.positions(self._size)
        more = self._up.positions(1)
        if len(more):
            self._buffer, self._incoming = first.tolist(), more.tolist()
        else:
            self._whole, self._is_over = self._draws.permuted(first), True

    def _next_row(self) -> int | None:
        if not self._incoming:
            if self._is_over:
                return None
            self._incoming = self._up.positions(_READ).tolist()
            self._incoming.reverse()
            if not self._incoming:
                self._is_over = True
                return None
        return self._incoming.pop()

    def __next__(self) -> Any:
        rows = self._up.rows
        if rows is not None:
            found = self.positions(1)
            if not len(found):
                raise StopIteration
            return rows.row(int(found[0]))
        if self._buffer is None:
            self._begin()
        buffer: Any = self._buffer
        if not buffer:
            raise StopIteration
        following: Any = _NOTHING
        if not self._is_over:
            try:
                following = next(self._up)
            except StopIteration:
                self._is_over = True
        place = int(self._draws.at(self._drawn) * len(buffer))
        self._drawn += 1
        item = buffer[place]
        if following is not _NOTHING:
            buffer[place] = following
        else:
            last = buffer.pop()
            if place < len(buffer):
                buffer[place] = last
        return item

    def positions(self, count: int) -> np.ndarray:
        if self._buffer is None:
            self._begin()
        if self._whole is not None:
            found = self._whole[self._done : self._done + count]
            self._done += len(found)
            return found
        buffer: Any = self._buffer
        picked: list[int] = []
        at, drawn = self._draws.at, self._drawn
        while len(picked) < count and buffer:
            place = int(at(drawn) * len(buffer))
            drawn += 1
            picked.append(buffer[place])
            following = self._next_row()
            if following is not None:
                buffer[place] = following
            else:
                last = buffer.pop()
                if place < len(buffer):
                    buffer[place] = last
        self._drawn = drawn
        return np.array(picked, np.int64)

    def state(self) -> Any:
        state = {"seed": self._passes.seed, "pass": self._draws.number}
        if self._buffer is None:
            return {**state, "up": self._up.state()}
        if self._whole is not None:
            return {**state, "up": self._began, "done": self._done}
        is_rows = self._up.rows is not None
        return {
            **state,
            "up": self._up.state(),
            "drawn": self._drawn,
            "is_over": self._is_over,
            "rows" if is_rows else "kept": np.array(self._buffer, np.int64)
            if is_rows
            else [el.packed(item) for item in self._buffer],
            "incoming": np.array(self._incoming, np.int64),
        }

    def restore(self, state: Any) -> None:
        self._forget()
        self._up.restore(state["up"])
        self._draws = self._passes.resume(state["seed"], state["pass"])
        if "done" in state:
            self._begin()
            self._done = state["done"]
        elif "drawn" in state:
            self._drawn, self._is_over = state["drawn"], state["is_over"]
            kept = state.get("kept")
            self._buffer = (
                state["rows"].tolist() if kept is None else [el.unpacked(item) for item in kept]
            )
            self._incoming = state["incoming"].tolist()


_NOTHING = object()

__all__ = ["Shuffle"]
