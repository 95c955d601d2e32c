"""Making the next items in a thread while the present one is used."""

from __future__ import annotations

import atexit
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from nacre.core.context import carried

T = TypeVar("T")

# Threads still at work when Python ends are told to stop, and waited for this long together: one
# that is within JAX at that moment could bring the process down.
_SECONDS_AT_EXIT = 1.0

# On Windows Ctrl-C does not end a wait: it is looked at between two.
WAIT_SECONDS = 0.1 if sys.platform == "win32" else None


class Ahead(Generic[T]):
    """What a reader shares with the thread that makes its items; the reader itself may be dropped,
    which ends the thread.

    Args:
        ahead: How many items may be ready.
    """

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead
        self.changed = threading.Condition()
        self.ready: deque[T] = deque()
        self.is_stopped = False

    def has_room(self) -> bool:
        """Wait until another item may be made; False once it is stopped."""
        with self.changed:
            while len(self.ready) >= self.ahead and not self.is_stopped:
                self.changed.wait()
            return not self.is_stopped

    def stop(self) -> None:
        """Have the thread end."""
        with self.changed:
            self.is_stopped = True
            self.changed.notify_all()


class _Shared(Ahead[T]):
    """The same for the items of an iterable."""

    def __init__(self, items: Iterable[T], ahead: int) -> None:
        super().__init__(ahead)
        self.items = items
        self.is_done = False
        self.error: BaseException | None = None

    def make(self) -> None:
        """The work of the thread."""
        try:
            self._make_all()
        except BaseException as error:  # handed over to the reader
            self.error = error
        finally:
            self.items = ()
            with self.changed:
                self.is_done = True
                self.changed.notify_all()

    def _make_all(self) -> None:
        iterator = iter(self.items)
        try:
            while self.has_room():
                try:
                    item = next(iterator)
                except StopIteration:
                    return
                with self.changed:
                    self.ready.append(item)
                    self.changed.notify_all()
                del item  # or it would live as long as the next one takes
        finally:
            if isinstance(self.items, Iterator) and hasattr(iterator, "close"):
                iterator.close()  # type: ignore[attr-defined]

    def stop(self) -> None:
        """Have the thread end, and throw away what is ready."""
        with self.changed:
            self.ready.clear()
            super().stop()


class Prefetched(Iterator[T]):
    """The items of an iterable, made up to `ahead` in advance by one thread.

    The thread begins with the first item that is asked for. An error in it is raised here with its
    own traceback, in the place of the item it stood in the way of. `close`, or dropping the
    iterator, stops the thread at once where it waits, and after the item it is making where it
    works; nobody waits for that.

    Args:
        items: What to iterate over. A generator is closed by the thread.
        ahead: How many items may be ready, the one that is being made among them; 0 makes each when
            it is asked for, without a thread.

    Example:
        >>> list(Prefetched(range(3)))
        [0, 1, 2]
    """

    def __init__(self, items: Iterable[T], ahead: int = 2) -> None:
        self._shared = _Shared(items, ahead)
        self._plain = iter(items) if ahead == 0 else None
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def __next__(self) -> T:
        if self._is_closed:
            raise StopIteration
        if self._plain is not None:
            return next(self._plain)
        self.start()
        shared = self._shared
        with shared.changed:
            while not shared.ready and not shared.is_done:
                shared.changed.wait(WAIT_SECONDS)
            if shared.ready:
                item = shared.ready.popleft()
                shared.changed.notify_all()
                return item
        error, shared.error = shared.error, None
        if error is None:
            raise StopIteration
        try:
            raise error
        finally:
            del error  # its traceback holds this frame

    def start(self) -> None:
        """Begin to make items, before the first is asked for."""
        if self._thread is None and self._plain is None and not self._is_closed:
            self._thread = threading.Thread(
                target=carried(self._shared.make), name="nacre-prefetch", daemon=True
            )
            stopped_at_exit(self._shared, self._thread)
            self._thread.start()

    def take_ready(self) -> list[T]:
        """Take the items that are ready now, without waiting for any."""
        shared = self._shared
        with shared.changed:
            items = list(shared.ready)
            shared.ready.clear()
            shared.changed.notify_all()
        return items

    def close(self) -> None:
        """Stop; there are no more items."""
        self._is_closed = True
        self._shared.stop()
        if self._plain is not None and hasattr(self._plain, "close"):
            self._plain.close()  # type: ignore[attr-defined]
        self._plain = None

    def __del__(self) -> None:
        self._shared.stop()


class Stoppable(Protocol):
    """What threads share, and what they are told to stop by."""

    def stop(self) -> None:
        """Let the threads end; waits for nobody."""
        ...


_running: weakref.WeakKeyDictionary[threading.Thread, Stoppable] = weakref.WeakKeyDictionary()


def stopped_at_exit(shared: Stoppable, thread: threading.Thread) -> None:
    """Let a thread be stopped when Python ends."""
    _running[thread] = shared


@atexit.register
def _stop_all() -> None:
    threads = [(shared, thread) for thread, shared in list(_running.items()) if thread.is_alive()]
    for shared, _ in threads:
        shared.stop()
    end = time.monotonic() + _SECONDS_AT_EXIT
    for _, thread in threads:
        thread.join(max(0.0, end - time.monotonic()))


__all__ = ["WAIT_SECONDS", "Ahead", "Prefetched", "stopped_at_exit"]
