"""Processes that go over the data sets of `interleave`, and send what they read ahead."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from nacre.core.errors import WorkerError
from nacre.data.dataset.calls import Failure, call, dataset_of
from nacre.data.dataset.mapping import size_bytes, task_size
from nacre.data.dataset.node import Cursor, Opening
from nacre.data.dataset.seeds import Passes
from nacre.data.processes import parcel_of
from nacre.data.worker_process import drawn_seeds, generators_of, reseed
from nacre.data.workers import Seeds, Task, Workers


class Team:
    """The processes of one pass, each with data sets of its own.

    Args:
        who: Whose they are, for messages.
        function: Element -> data set.
        count: How many.

    Attributes:
        seeds: What random numbers begin with in each data set, together with its number.
    """

    def __init__(self, who: str, function: Callable[..., Any], count: int) -> None:
        parcel = parcel_of(_Reader(function, who), who, function)
        self.seeds: Seeds = drawn_seeds(parcel.generators)
        self._workers = [Workers(who, 1, parcel=parcel) for _ in range(count)]

    def cursor(self, element: Any, number: int, passes: Passes, pass_number: int) -> Cursor:
        """A cursor over the data set of an element, at the beginning."""
        workers = self._workers[number % len(self._workers)]
        given = element, passes, pass_number, self.seeds
        return AwayCursor(self, workers, number, given)

    def stop(self) -> None:
        """End them."""
        for workers in self._workers:
            workers.stop()


class _Reader:
    """Goes over data sets in a process, from one call to the next.

    Args:
        function: Element -> data set.
        who: Whose it is, for messages.
    """

    def __init__(self, function: Callable[..., Any], who: str) -> None:
        self.function, self.who = function, who
        self._cursors: dict[int, Cursor] = {}

    def __call__(
        self, number: int, given: Any, at: Any, skip: int, count: int
    ) -> tuple[list[Any], Any, bool, float]:
        """Read on.

        Args:
            number: That of the element whose data set it is.
            given: What begins the data set; None where it is under way.
            at, skip: The state to begin at, None for the beginning, and how many elements to pass
                over after it.
            count: How many elements at most.

        Returns:
            The elements, the state after them, whether there are no more, and the seconds each
            took.
        """
        begin = time.perf_counter()
        items: list[Any] = []
        try:
            cursor = self._cursors.get(number) if given is None else None
            if cursor is None:
                cursor = self._cursors[number] = self._opened(number, given, at, skip)
        except Exception as error:
            return [Failure(error)], None, True, 0.0
        try:
            while len(items) < count:
                items.append(next(cursor))
        except StopIteration:
            self._cursors.pop(number).close()
            return items, None, True, 0.0
        except Exception as error:
            items.append(Failure(error))
        return items, cursor.state(), False, (time.perf_counter() - begin) / len(items)

    def _opened(self, number: int, given: Any, at: Any, skip: int) -> Cursor:
        element, passes, pass_number, seeds = given
        reseed([(*seed, number) for seed in seeds], generators_of(self.function))
        place = passes.place(pass_number, number)
        with place.calling():
            made = dataset_of(call(self.function, element, self.who, number), self.who)
        cursor = made.open(Opening(place=place))
        restore_here(cursor, {"at": at, "used": skip})
        return cursor


def restore_here(cursor: Cursor, state: Any) -> None:
    """Have a cursor of this process go on where the state of an `AwayCursor` was taken."""
    if state["at"] is not None:
        cursor.restore(state["at"])
    for _ in range(state["used"]):
        with suppress(Exception):  # what could not be made was told when it was asked for
            next(cursor)


class AwayCursor(Cursor):
    """A place in a data set that a process goes over.

    Its state is where the elements begin that the process sent last, and how many of them were
    given out.

    Args:
        team: The process and its fellows.
        workers: The process.
        number: That of the element whose data set it is.
        given: What begins it, see `_Reader`.
    """

    def __init__(self, team: Team, workers: Workers, number: int, given: Any) -> None:
        self._team, self._workers, self._number, self._given = team, workers, number, given
        self._at: tuple[Any, int] = (None, 0)  # where the elements that are here begin
        self._next_at: tuple[Any, int] = (None, 0)
        self._items: deque[Any] = deque()
        self._used = 0  # of them
        self._task: Task | None = None
        self._at_once, self._is_over = 1, False

    def __next__(self) -> Any:
        while not self._items:
            if self._is_over:
                raise StopIteration
            self._take()
        self._used += 1
        item = self._items.popleft()
        if type(item) is Failure:
            raise item.error
        return item

    def _ask(self) -> Task:
        name = f"the data set of element {self._number}"
        task = self._workers.submit(name, self._number, self._given, *self._next_at, self._at_once)
        self._given = None
        return task

    def _take(self) -> None:
        task = self._task or self._ask()
        self._task = task
        try:
            self._workers.wait(lambda: task.is_done)
        except WorkerError:  # one died or stands still: the pass is over
            self._team.stop()
            raise
        self._task = None
        if task.error is not None:
            self._is_over = True
            raise task.error
        items, after, self._is_over, seconds = task.value
        self._items, self._used = deque(items), 0
        self._at, self._next_at = self._next_at, (after, 0)
        if not self._is_over:
            self._at_once = min(task_size(seconds, size_bytes(items[0])), 2 * self._at_once)
            self._task = self._ask()  # while these are used

    def state(self) -> Any:
        at, skipped = self._at
        return {"at": at, "used": skipped + self._used}

    def restore(self, state: Any) -> None:
        assert self._given is not None, "a cursor is restored before it is used"
        self._at = self._next_at = (state["at"], state["used"])


__all__ = ["AwayCursor", "Team", "restore_here"]
