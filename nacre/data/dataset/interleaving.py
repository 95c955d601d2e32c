"""flat_map and interleave: elements of data sets that a function makes, several at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from nacre.data.dataset import elements as el
from nacre.data.dataset.calls import call, dataset_of
from nacre.data.dataset.node import (
    NOT_KNOWN,
    UNKNOWN,
    Cursor,
    Node,
    Opening,
    without_zeros,
)
from nacre.data.dataset.ordering import OneCursor, OneInput, checked_merge
from nacre.data.dataset.prefetching import AheadCursor
from nacre.data.dataset.reading_processes import Team, restore_here
from nacre.data.dataset.seeds import Passes


class Interleave(OneInput):
    """Elements of the data sets that a function makes of each element, several at a time in turn;
    of one at a time for flat_map."""

    def __init__(
        self,
        node: Node,
        function: Callable[..., Any],
        cycle_length: int,
        block_length: int,
        threads: int,
        name: str,
        processes: int = 0,
    ) -> None:
        super().__init__(node)
        self.function, self.name, self.passes = function, name, Passes(None)
        self.cycle_length, self.block_length, self.threads = cycle_length, block_length, threads
        self.processes = processes

    def make_cursor(self, opening: Opening) -> Cursor:
        return InterleaveCursor(self, self.input.open(opening), opening)

    def known_spec(self) -> Any:
        return NOT_KNOWN

    def make_spec(self) -> Any:
        spec: Any = NOT_KNOWN
        for element in self.input.examples_or_zeros():
            inner = el.mapped(without_zeros, self.made(element, 0).spec())
            spec = inner if spec is NOT_KNOWN else checked_merge(spec, inner, self.name)
        return spec

    def cardinality(self) -> int:
        return UNKNOWN

    def made(self, element: Any, number: int) -> Node:
        """The data set of an element."""
        return dataset_of(call(self.function, element, self.name, number), self.name)


_Way = Literal["", "threads", "processes"]  # what goes over a data set; '' is who reads


class _Slot:
    """A data set under way: the element it was made of, its cursor, and what that one is."""

    def __init__(self, element: Any, number: int, cursor: Cursor, way: _Way) -> None:
        self.element, self.number, self.cursor, self.way = element, number, cursor, way


class InterleaveCursor(OneCursor):
    """See `Interleave`. Where threads are asked for, one for each open data set reads ahead; or
    processes go over the data sets, each over those of every so many elements."""

    picks_rows = False

    def __init__(self, node: Interleave, up: Cursor, opening: Opening) -> None:
        super().__init__(up)
        self._node, self._opening = node, opening
        self._slots: list[_Slot | None] = [None] * node.cycle_length
        self._turn, self._given, self._seen, self._is_over = 0, 0, 0, False
        self._passes = opening.passes(node.passes)
        self._pass = self._passes.begin(opening.leaves_no_trace)
        self._team: Team | None = None
        self._way: _Way = ""
        if node.processes and not opening.is_peek:
            self._team, self._way = Team(node.name, node.function, node.processes), "processes"
        elif node.threads > 1 and not opening.is_peek:
            self._way = "threads"

    def _opened(self, element: Any, number: int, way: _Way) -> _Slot:
        if way == "processes" and self._team is not None:
            cursor = self._team.cursor(element, number, self._passes, self._pass)
            return _Slot(element, number, cursor, way)
        place = self._passes.place(self._pass, number)
        with place.calling():
            made = self._node.made(element, number)
        cursor = made.open(self._opening.within(place))
        if way == "threads":
            cursor = AheadCursor(cursor, max(2, self._node.block_length))
        return _Slot(element, number, cursor, way)

    def __next__(self) -> Any:
        slots, block = self._slots, self._node.block_length
        empty = 0  # turns one after another that had nothing to give
        while True:
            slot = slots[self._turn]
            if slot is None:
                slot = self._begin()
                if slot is None:
                    empty += 1
                    if empty >= len(slots):
                        raise StopIteration
                    self._next_turn()
                    continue
                slots[self._turn] = slot
            if self._given >= block:
                self._next_turn()
                continue
            empty = 0
            try:
                item = next(slot.cursor)
            except StopIteration:
                slot.cursor.close()
                slots[self._turn] = None
                self._next_turn()
                continue
            self._given += 1
            return item

    def _begin(self) -> _Slot | None:
        if self._is_over:
            return None
        try:
            element = next(self._up)
        except StopIteration:
            self._is_over = True
            return None
        self._seen += 1
        return self._opened(element, self._seen - 1, self._way)

    def _next_turn(self) -> None:
        self._turn, self._given = (self._turn + 1) % len(self._slots), 0

    def state(self) -> Any:
        slots = [
            None
            if slot is None
            else {
                "element": el.packed(slot.element),
                "number": slot.number,
                "at": slot.cursor.state(),
                "way": slot.way,
            }
            for slot in self._slots
        ]
        return {
            "up": self._up.state(),
            "slots": slots,
            "turn": self._turn,
            "given": self._given,
            "seen": self._seen,
            "is_over": self._is_over,
            "drawn": self._passes.state(self._pass),
            "seeds": None if self._team is None else self._team.seeds,
        }

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._pass = self._passes.restored(state["drawn"])
        if self._team is not None and state["seeds"] is not None:
            self._team.seeds = state["seeds"]
        self._turn, self._given = state["turn"], state["given"]
        self._seen, self._is_over = state["seen"], state["is_over"]
        for place, its in enumerate(state["slots"]):
            slot = None
            if its is not None:
                # Those under way go on as they were begun, also where others go another way now.
                slot = self._opened(el.unpacked(its["element"]), its["number"], its["way"])
                if its["way"] == "processes" and self._team is None:
                    slot.way = ""
                    restore_here(slot.cursor, its["at"])
                else:
                    slot.cursor.restore(its["at"])
            self._slots[place] = slot

    def interrupt(self) -> None:
        if self._team is not None:
            self._team.stop()
        for slot in list(self._slots):
            if slot is not None:
                slot.cursor.interrupt()
        super().interrupt()

    def close(self) -> None:
        if self._team is not None:
            self._team.stop()
        for slot in self._slots:
            if slot is not None:
                slot.cursor.close()
        super().close()


__all__ = ["Interleave"]
