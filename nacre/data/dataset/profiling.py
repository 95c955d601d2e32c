"""`Dataset.profile()`: where the time of a pipeline goes, and which stage is the brake."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from nacre.data.dataset.node import Cursor, Node
from nacre.data.dataset.prefetching import Prefetch


@dataclass(frozen=True)
class Stage:
    """A transformation as it was measured.

    Args:
        name: Its name.
        elements: How many elements it gave.
        seconds: The time that was spent in it, without that of the stages before it; where threads
            do the work, the time that was spent waiting for them.
        threads: How many threads do it.
        only_waits: Whether all it does is to wait for the stages before it, as prefetch does.
    """

    name: str
    elements: int
    seconds: float
    threads: int = 1
    only_waits: bool = False


@dataclass(frozen=True)
class Profile:
    """Where the time of a pipeline went.

    Args:
        stages: Its transformations, from the source on.
        elements: How many elements came out.
        seconds: How long that took.
    """

    stages: list[Stage]
    elements: int
    seconds: float

    @property
    def brake(self) -> Stage:
        """The stage that takes most of the time."""
        return max(self.stages, key=lambda stage: -1.0 if stage.only_waits else stage.seconds)

    def __str__(self) -> str:
        rate = self.elements / self.seconds if self.seconds else 0.0
        total = sum(stage.seconds for stage in self.stages if not stage.only_waits) or 1.0
        lines = [f"{self.elements} elements in {self.seconds:.3g} s ({rate:.4g} a second)"]
        for stage in self.stages:
            share = "waits" if stage.only_waits else f"{100 * stage.seconds / total:3.0f} %"
            threads = f", {stage.threads} threads" if stage.threads > 1 else ""
            mark = "  <- the brake" if stage is self.brake else ""
            lines.append(f"{stage.name:<26}{share:>6}  {stage.elements} elements{threads}{mark}")
        return "\n".join(lines)


class Measuring:
    """Wraps cursors, and adds up the time of each node.

    A thread that asks one cursor within another is told which, so that each second is counted once.
    """

    def __init__(self) -> None:
        self.seconds: dict[Node, float] = {}
        self.elements: dict[Node, int] = {}
        self.order: list[Node] = []
        self._running = threading.local()
        self._lock = threading.Lock()

    def watch(self, node: Node, cursor: Cursor) -> Cursor:
        """A cursor that is measured."""
        with self._lock:
            if node not in self.seconds:
                self.order.append(node)
                self.seconds[node], self.elements[node] = 0.0, 0
        return Watched(self, node, cursor)

    def begin(self) -> tuple[float, float]:
        """Begin to ask a cursor: (the time, what was spent within others of whoever asks)."""
        outer = getattr(self._running, "within", 0.0)
        self._running.within = 0.0
        return time.perf_counter(), outer

    def end(self, node: Node, begun: tuple[float, float], count: int) -> None:
        """A cursor has given elements."""
        taken = time.perf_counter() - begun[0]
        own = taken - self._running.within
        self._running.within = begun[1] + taken
        with self._lock:
            self.seconds[node] += own
            self.elements[node] += count


class Watched(Cursor):
    """A cursor that is measured."""

    def __init__(self, measuring: Measuring, node: Node, cursor: Cursor) -> None:
        self._measuring, self._node, self._cursor = measuring, node, cursor
        self.inputs = (cursor,)

    @property
    def rows(self) -> Any:  # type: ignore[override]
        """The rows of the cursor."""
        return self._cursor.rows

    def __next__(self) -> Any:
        begun, count = self._measuring.begin(), 0
        try:
            element = next(self._cursor)
            count = 1
            return element
        finally:
            self._measuring.end(self._node, begun, count)

    def positions(self, count: int) -> np.ndarray:
        begun, given = self._measuring.begin(), 0
        try:
            found = self._cursor.positions(count)
            given = len(found)
            return found
        finally:
            self._measuring.end(self._node, begun, given)

    def state(self) -> Any:
        return self._cursor.state()

    def restore(self, state: Any) -> None:
        self._cursor.restore(state)


def profile_of(measuring: Measuring, top: Node, elements: int, seconds: float) -> Profile:
    """What was measured. Data sets that functions made are added up by their names."""
    own: set[Node] = set()
    waiting = [top]
    while waiting:
        node = waiting.pop()
        own.add(node)
        waiting.extend(node.inputs)
    groups: dict[Any, list[Node]] = {}
    for node in measuring.order:
        groups.setdefault(node if node in own else f"  {_name(node)}, within", []).append(node)
    stages = [
        Stage(
            key if isinstance(key, str) else _name(key),
            sum(measuring.elements[node] for node in nodes),
            sum(measuring.seconds[node] for node in nodes),
            getattr(nodes[0], "threads", 1),
            isinstance(nodes[0], Prefetch),
        )
        for key, nodes in groups.items()
    ]
    return Profile(stages, elements, seconds)


def _name(node: Node) -> str:
    function = getattr(node, "function", None)
    own = getattr(function, "__name__", "")
    return node.name.removeprefix("Dataset.") + (f" {own}" if own else "")


__all__ = ["Measuring", "Profile", "Stage", "profile_of"]
