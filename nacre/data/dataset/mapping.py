"""Functions over elements: map, filter, scan."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from nacre.core.errors import DataError, message
from nacre.core.host_random import are_same, host_random_state
from nacre.core.random import user_seed
from nacre.core.warning import warn
from nacre.data.dataset import elements as el
from nacre.data.dataset.calls import Failure, call, call_predicate, failed, made
from nacre.data.dataset.host_tensor import HostTensor
from nacre.data.dataset.node import (
    AUTOTUNE,
    NOT_KNOWN,
    UNKNOWN,
    Cursor,
    Node,
    Opening,
    spec_by_examples,
)
from nacre.data.dataset.ordering import OneCursor, OneInput
from nacre.data.dataset.spec import spec_of
from nacre.data.processes import parcel_of
from nacre.data.worker_process import drawn_seeds, generators_of, reseed
from nacre.data.workers import Seeds, Task, Workers

# A task for a thread should take about this long, as handing one over takes some 50 microseconds;
# so quick functions get many elements at once.
_TASK_SECONDS = 0.002
_MOST_AT_ONCE = 256
_LOOKS = 4  # at whether a function draws random numbers
_BYTES_AT_ONCE = 4 << 20  # two tasks a thread are made ahead


class Map(OneInput):
    """What a function makes of each element."""

    name = "Dataset.map"

    def __init__(
        self,
        node: Node,
        function: Callable[..., Any],
        threads: int,
        is_ordered: bool,
        processes: int = 0,
    ) -> None:
        super().__init__(node)
        self.function, self.threads, self.is_ordered = function, threads, is_ordered
        self.processes = processes

    def make_cursor(self, opening: Opening) -> Cursor:
        up = self.input.open(opening)
        if opening.is_peek or (self.threads <= 1 and not self.processes):
            return MapCursor(up, self.function)
        return ParallelMapCursor(up, self)

    def known_spec(self) -> Any:
        return NOT_KNOWN

    def make_spec(self) -> Any:
        return spec_by_examples(
            self.input, lambda element: made(call(self.function, element, self.name, 0), self.name)
        )


def threads_of(num_parallel_calls: int | None) -> int:
    """How many threads `num_parallel_calls` asks for; one is the reader's own."""
    if num_parallel_calls is None:
        return 1
    return _processors() if num_parallel_calls == AUTOTUNE else num_parallel_calls


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 2


class MapCursor(OneCursor):
    """A function over one element after another, called by who reads."""

    picks_rows = False

    def __init__(self, up: Cursor, function: Callable[..., Any]) -> None:
        super().__init__(up)
        self._function, self._seen = function, 0
        self._again: deque[Any] = deque()  # elements that threads had been given, of a state

    def __next__(self) -> Any:
        element = self._again.popleft() if self._again else next(self._up)
        self._seen += 1
        try:
            if type(element) is tuple:
                result = self._function(*element)
            else:
                result = self._function(element)
        except Exception as error:
            raise failed(self._function, error, Map.name, self._seen - 1) from error
        if type(result) is list:
            result = tuple(result)
        return el.to_element(result, Map.name)

    def state(self) -> Any:
        given = [el.packed(element) for element in self._again]
        return {"up": self._up.state(), "seen": self._seen, "given": given}

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._seen = state["seen"]
        self._again = deque(el.unpacked(element) for element in state["given"])


class _CallAll:
    """A function called on some elements, one after another.

    Args:
        function: The function.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._generators: list[Any] | None = None

    def __call__(
        self, elements: list[Any], first: int, looks: bool, seeds: Seeds | None
    ) -> tuple[list[Any], float, bool]:
        """What it makes of them, the seconds each took, and whether random numbers were drawn.

        Args:
            elements: The elements.
            first: The number of the first.
            looks: Whether to see if random numbers of Python or NumPy are drawn.
            seeds: What they begin with, together with an element's number; None leaves them alone.
        """
        random = host_random_state() if looks else None
        if seeds is not None and self._generators is None:
            self._generators = generators_of(self.function)
        begin = time.perf_counter()
        results: list[Any] = []
        for number, element in enumerate(elements, first):
            if seeds is not None:
                reseed([(*seed, number) for seed in seeds], self._generators or ())
            try:
                results.append(made(call(self.function, element, Map.name, number), Map.name))
            except Exception as error:
                results.append(Failure(error))
        seconds = (time.perf_counter() - begin) / len(elements)
        return results, seconds, random is not None and not are_same(random, host_random_state())


def task_size(seconds: float, element_bytes: int) -> int:
    """How many elements a task should have.

    Args:
        seconds: What one takes to make.
        element_bytes: What one takes in memory.
    """
    most = min(_MOST_AT_ONCE, _BYTES_AT_ONCE // max(1, element_bytes))
    return max(1, min(most, int(_TASK_SECONDS / max(seconds, 1e-7))))


def size_bytes(element: Any) -> int:
    """What an element takes in memory."""
    if type(element) is Failure:
        return 0
    return sum(leaf.nbytes for leaf in el.leaves(element) if type(leaf) is HostTensor)


def _warn_of_drawing(function: Any) -> None:
    """Tell that a seed was given in vain, where threads draw random numbers in no fixed order."""
    name = getattr(function, "__name__", type(function).__name__)
    warn(
        message(
            Map.name,
            "several threads draw from the generators of Python and NumPy in no fixed order, so "
            "that a run with the same seed gets other elements",
            f"the function {name!r}, which draws, and num_parallel_calls",
            "Leave num_parallel_calls out, or give each element its own generator: "
            "np.random.default_rng([seed, number]) with the number of ds.enumerate().",
        )
    )


class ParallelMapCursor(OneCursor):
    """A function called by several threads or processes. What they were given and is not handed out
    yet stands in the state, so that it is given to them again."""

    picks_rows = False

    def __init__(self, up: Cursor, node: Map) -> None:
        super().__init__(up)
        count = node.processes or node.threads
        self._function, self._is_ordered, self._ahead = node.function, node.is_ordered, 2 * count
        self._seeds: Seeds | None = None
        call_all = _CallAll(node.function)
        if node.processes:
            parcel = parcel_of(call_all, Map.name, node.function)
            self._seeds = drawn_seeds(parcel.generators)
            self._workers = Workers(Map.name, count, parcel=parcel)
        else:
            self._workers = Workers(Map.name, count, call_all, name="nacre-dataset")
        self._waiting: deque[tuple[list[Any], Task]] = deque()
        self._given: deque[Any] = deque()  # the elements that the results below are made of
        self._results: deque[Any] = deque()
        self._again: list[Any] = []  # elements that a state held
        self._error: BaseException | None = None  # of the input, for after what came before it
        self._seen, self._at_once, self._is_over = 0, 1, False
        # Who gave a seed wants the same numbers again. Others draw too, but not each time.
        may_differ = user_seed() is not None and not node.processes
        self._looks, self._draws = _LOOKS if may_differ else 0, 0

    def _fill(self) -> None:
        while len(self._waiting) < self._ahead and not self._is_over and self._error is None:
            elements = self._read(self._at_once)
            if elements:
                looks, self._looks = self._looks > 0, self._looks - 1
                name = f"the elements from number {self._seen} on"
                task = self._workers.submit(name, elements, self._seen, looks, self._seeds)
                self._seen += len(elements)
                self._waiting.append((elements, task))

    def _read(self, count: int) -> list[Any]:
        if self._again:
            elements, self._again = self._again[:count], self._again[count:]
            return elements
        elements = []
        try:
            while len(elements) < count:
                elements.append(next(self._up))
        except StopIteration:
            self._is_over = True
        except Exception as error:
            self._error = error
        return elements

    def __next__(self) -> Any:
        while not self._results:
            self._fill()
            if not self._waiting:
                error, self._error = self._error, None
                if error is not None:
                    raise error
                raise StopIteration
            self._take()
        self._given.popleft()
        result = self._results.popleft()
        if type(result) is Failure:
            raise result.error
        return result

    def _take(self) -> None:
        """The results of the next task, or of the first that is done where order is no matter."""
        waiting = self._waiting
        if self._is_ordered:
            place, task = 0, waiting[0][1]
            if not task.is_done:
                self._workers.wait(lambda: task.is_done)
        else:
            self._workers.wait(lambda: any(task.is_done for _, task in waiting))
            place = next(i for i, (_, task) in enumerate(waiting) if task.is_done)
        elements, task = waiting[place]
        del waiting[place]
        if task.error is not None:
            raise task.error
        results, seconds, draws = task.value
        self._draws = self._draws + 1 if draws else 0
        if self._draws == _LOOKS:
            _warn_of_drawing(self._function)
        self._given.extend(elements)
        self._results.extend(results)
        taken_bytes = size_bytes(elements[0]) + size_bytes(results[0])
        self._at_once = min(task_size(seconds, taken_bytes), 2 * self._at_once)

    def state(self) -> Any:
        given = [*self._given, *(e for elements, _ in self._waiting for e in elements)]
        given += self._again
        return {
            "up": self._up.state(),
            "given": [el.packed(element) for element in given],
            "seen": self._seen - len(given) + len(self._again),
            "seeds": self._seeds,
        }

    def restore(self, state: Any) -> None:
        if self._seeds is not None and state.get("seeds") is not None:
            self._seeds = state["seeds"]
        self._waiting.clear()
        self._given.clear()
        self._results.clear()
        self._up.restore(state["up"])
        self._again = [el.unpacked(element) for element in state["given"]]
        self._seen, self._is_over, self._error = state["seen"], False, None

    def interrupt(self) -> None:
        self._workers.stop()
        super().interrupt()

    def close(self) -> None:
        self._workers.stop()
        self._waiting.clear()
        self._is_over = True
        super().close()


class Filter(OneInput):
    """The elements that fit."""

    name = "Dataset.filter"

    def __init__(self, node: Node, predicate: Callable[..., Any]) -> None:
        super().__init__(node)
        self.predicate = predicate

    def make_cursor(self, opening: Opening) -> Cursor:
        return FilterCursor(self.input.open(opening), self.predicate)

    def cardinality(self) -> int:
        return UNKNOWN


class FilterCursor(OneCursor):
    """See `Filter`."""

    picks_rows = False

    def __init__(self, up: Cursor, predicate: Callable[..., Any]) -> None:
        super().__init__(up)
        self._predicate, self._seen = predicate, 0

    def __next__(self) -> Any:
        while True:
            element = next(self._up)
            self._seen += 1
            if call_predicate(self._predicate, element, Filter.name, self._seen - 1):
                return element

    def state(self) -> Any:
        return {"up": self._up.state(), "seen": self._seen}

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._seen = state["seen"]


class Scan(OneInput):
    """What a function makes of each element and of what it kept of those before."""

    name = "Dataset.scan"

    def __init__(self, node: Node, initial: Any, function: Callable[..., Any]) -> None:
        super().__init__(node)
        self.initial, self.function = initial, function

    def make_cursor(self, opening: Opening) -> Cursor:
        return ScanCursor(self, self.input.open(opening))

    def known_spec(self) -> Any:
        return NOT_KNOWN

    def make_spec(self) -> Any:
        return spec_by_examples(self.input, lambda element: self.step(self.initial, element, 0)[1])

    def step(self, kept: Any, element: Any, number: int) -> tuple[Any, Any]:
        """(what is kept, what is given)."""
        result = made(call(self.function, (kept, element), self.name, number), self.name)
        if type(result) is not tuple or len(result) != 2:
            raise DataError(
                message(
                    self.name,
                    "the function must return (new_state, output)",
                    f"{type(result).__name__}",
                )
            )
        return result


class ScanCursor(OneCursor):
    """See `Scan`."""

    picks_rows = False

    def __init__(self, node: Scan, up: Cursor) -> None:
        super().__init__(up)
        self._node, self._kept, self._seen = node, node.initial, 0
        self._spec = spec_of(node.initial)

    def __next__(self) -> Any:
        element = next(self._up)
        self._seen += 1
        self._kept, item = self._node.step(self._kept, element, self._seen - 1)
        return item

    def state(self) -> Any:
        return {"up": self._up.state(), "kept": el.packed(self._kept), "seen": self._seen}

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._kept, self._seen = el.unpacked(state["kept"]), state["seen"]


__all__ = ["Filter", "Map", "Scan", "size_bytes", "task_size", "threads_of"]
