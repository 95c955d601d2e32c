"""`Workers`: a few threads that do tasks, and end when their owner does, when it is dropped, and
when Python ends."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from nacre.core.context import carried
from nacre.data.prefetch import WAIT_SECONDS, stopped_at_exit


class Task:
    """One call of a function, and what came of it."""

    __slots__ = ("arguments", "error", "function", "is_done", "value")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.function, self.arguments = function, arguments
        self.is_done, self.value = False, None
        self.error: BaseException | None = None


class _Shared:
    """What the threads hold; their owner may be dropped, which ends them."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.tasks: deque[Task] = deque()
        self.is_stopped = False

    def work(self) -> None:
        while True:
            with self.changed:
                while not self.tasks and not self.is_stopped:
                    self.changed.wait()
                if self.is_stopped:
                    return
                task = self.tasks.popleft()
            try:
                task.value = task.function(*task.arguments)
            except BaseException as error:  # handed over to who waits
                task.error = error
            with self.changed:
                task.is_done = True
                self.changed.notify_all()
            del task  # or what it made would live as long as the next one takes

    def stop(self) -> None:
        with self.changed:
            self.is_stopped = True
            self.tasks.clear()
            self.changed.notify_all()


class Workers:
    """Threads that do tasks, begun with the first one. Nobody ever waits for one that is at work.

    Args:
        count: How many threads.
    """

    def __init__(self, count: int) -> None:
        self._count, self._shared, self._threads = count, _Shared(), 0

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Task:
        """Let a thread call a function."""
        task = Task(function, arguments)
        with self._shared.changed:
            self._shared.tasks.append(task)
            self._shared.changed.notify()
        if self._threads < self._count:
            self._threads += 1
            thread = threading.Thread(
                target=carried(self._shared.work), name="nacre-dataset", daemon=True
            )
            stopped_at_exit(self._shared, thread)
            thread.start()
        return task

    def wait(self, is_ready: Callable[[], Any]) -> None:
        """Wait until something is true that a task's end may make true."""
        with self._shared.changed:
            while not is_ready():
                self._shared.changed.wait(WAIT_SECONDS)

    def stop(self) -> None:
        """End the threads, each after the task it is at."""
        self._shared.stop()

    def __del__(self) -> None:
        self._shared.stop()


__all__ = ["Task", "Workers"]
