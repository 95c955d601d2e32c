"""Making the next items in a thread while the present one is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")
_END = object()


def prefetched(items: Iterable[T], ahead: int = 2) -> Generator[T]:
    """The items of an iterable, made up to `ahead` in advance by one thread.

    An error in the thread is raised here with its own traceback; leaving early stops the thread at
    its next item.

    Example:
        >>> list(prefetched(range(3)))
        [0, 1, 2]
    """
    ready: queue.Queue[object] = queue.Queue(maxsize=ahead)
    stopped = threading.Event()

    def offer(item: object) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not offer(("item", item)):
                    return
            offer(("end", _END))
        except BaseException as error:  # handed over to the reader
            offer(("error", error))

    thread = threading.Thread(target=work, name="nacre-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = ready.get()  # type: ignore[misc]
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        stopped.set()
