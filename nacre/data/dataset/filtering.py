"""Elements left out for what they are: those seen before, those that could not be made; and a check
of how many there are."""

from __future__ import annotations

from typing import Any

from nacre.core.errors import DataError, WorkerError, message
from nacre.core.warning import warn
from nacre.data.dataset import elements as el
from nacre.data.dataset.host_tensor import HostTensor
from nacre.data.dataset.node import INFINITE, UNKNOWN, Cursor, Node, Opening
from nacre.data.dataset.ordering import OneCursor, OneInput
from nacre.data.workers import Stopped


class Unique(OneInput):
    """Each element once."""

    name = "Dataset.unique"

    def make_cursor(self, opening: Opening) -> Cursor:
        return UniqueCursor(self.input.open(opening))

    def cardinality(self) -> int:
        return UNKNOWN


class UniqueCursor(OneCursor):
    """See `Unique`."""

    picks_rows = False

    def __init__(self, up: Cursor) -> None:
        super().__init__(up)
        self._seen: dict[Any, Any] = {}  # what tells elements apart -> element

    def __next__(self) -> Any:
        while True:
            element = next(self._up)
            key = tuple([_key(leaf) for leaf in el.leaves(element)])
            if key not in self._seen:
                self._seen[key] = element
                return element

    def state(self) -> Any:
        return {"up": self._up.state(), "seen": [el.packed(e) for e in self._seen.values()]}

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        seen = [el.unpacked(e) for e in state["seen"]]
        self._seen = {tuple([_key(leaf) for leaf in el.leaves(e)]): e for e in seen}


def _key(leaf: Any) -> Any:
    if type(leaf) is not HostTensor:
        raise DataError(message(Unique.name, "elements must be tensors", f"{type(leaf).__name__}"))
    if leaf.dtype.kind == "O":
        return (leaf.shape, tuple(leaf.reshape(-1).tolist()) if leaf.ndim else leaf.item())
    return (leaf.shape, leaf.tobytes())


class IgnoreErrors(OneInput):
    """The elements that could be made."""

    name = "Dataset.ignore_errors"

    def __init__(self, node: Node, tells: bool) -> None:
        super().__init__(node)
        self.tells = tells

    def make_cursor(self, opening: Opening) -> Cursor:
        return IgnoreErrorsCursor(self.input.open(opening), self.tells)

    def cardinality(self) -> int:
        return UNKNOWN


class IgnoreErrorsCursor(OneCursor):
    """See `IgnoreErrors`."""

    picks_rows = False

    def __init__(self, up: Cursor, tells: bool) -> None:
        super().__init__(up)
        self._tells = tells

    def __next__(self) -> Any:
        while True:
            try:
                return next(self._up)
            except (StopIteration, WorkerError, Stopped):  # these are no element's
                raise
            except Exception as error:
                if self._tells:
                    warn(message(IgnoreErrors.name, "an element is left out", f"{error}"[:200]))

    def state(self) -> Any:
        return self._up.state()

    def restore(self, state: Any) -> None:
        self._up.restore(state)


class AssertCardinality(OneInput):
    """Elements whose number is told by who knows it, and checked at the end."""

    name = "assert_cardinality"

    def __init__(self, node: Node, count: int) -> None:
        super().__init__(node)
        self.count = count

    def make_cursor(self, opening: Opening) -> Cursor:
        return AssertCursor(self.input.open(opening), self.count)

    def cardinality(self) -> int:
        return self.count


class AssertCursor(OneCursor):
    """See `AssertCardinality`."""

    picks_rows = False

    def __init__(self, up: Cursor, count: int) -> None:
        super().__init__(up)
        self._count, self._seen = count, 0

    def __next__(self) -> Any:
        try:
            element = next(self._up)
        except StopIteration:
            if self._count != UNKNOWN and self._seen != self._count:
                wanted = "no end" if self._count == INFINITE else f"{self._count} elements"
                raise DataError(
                    message(
                        AssertCardinality.name,
                        f"the data set must have {wanted}",
                        f"an end after {self._seen}",
                    )
                ) from None
            raise
        self._seen += 1
        if 0 <= self._count < self._seen:
            raise DataError(
                message(
                    AssertCardinality.name,
                    f"the data set must have {self._count} elements",
                    "more",
                )
            )
        return element

    def state(self) -> Any:
        return {"up": self._up.state(), "seen": self._seen}

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._seen = state["seen"]


__all__ = ["AssertCardinality", "IgnoreErrors", "Unique"]
