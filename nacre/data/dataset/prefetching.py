"""prefetch: the next elements are made in a thread while the present one is used."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from nacre.core.context import carried
from nacre.core.host_random import are_same, host_random_state, set_host_random_state
from nacre.data.dataset import elements as el
from nacre.data.dataset.calls import Failure
from nacre.data.dataset.node import AUTOTUNE, Cursor, Node, Opening
from nacre.data.dataset.ordering import OneCursor, OneInput
from nacre.data.prefetch import WAIT_SECONDS, Ahead, stopped_at_exit
from nacre.data.workers import Stopped

_BY_DEFAULT = 4  # with AUTOTUNE; more than two even out elements that take longer than others


class Prefetch(OneInput):
    """Elements made ahead by a thread."""

    name = "Dataset.prefetch"

    def __init__(self, node: Node, buffer_size: int) -> None:
        super().__init__(node)
        self.buffer_size = _BY_DEFAULT if buffer_size == AUTOTUNE else buffer_size

    def make_cursor(self, opening: Opening) -> Cursor:
        up = self.input.open(opening)
        is_plain = opening.is_peek or self.buffer_size == 0
        return up if is_plain else AheadCursor(up, self.buffer_size)


class _Shared(Ahead[Any]):
    """What reader and thread share of the elements of a cursor."""

    def __init__(self, up: Cursor, ahead: int) -> None:
        super().__init__(ahead)
        self.up = up
        self.turn = threading.Lock()  # held while the input is asked; free: it stands still
        self.is_over = False
        self.draws = False  # whether making elements draws from Python's or NumPy's generator

    def stop(self) -> None:
        """Have the thread end, also where it waits for a worker."""
        super().stop()
        self.up.interrupt()

    def work(self) -> None:
        looks = 4  # whether random numbers of Python and NumPy are drawn shows at once
        while self.has_room():
            with self.turn:
                if self.is_stopped:
                    break
                looks, before = looks - 1, host_random_state() if looks > 0 else None
                try:
                    item: Any = next(self.up)
                except StopIteration:
                    item = None
                    self.is_over = True
                except BaseException as error:  # handed over to the reader
                    item = Failure(error)
                if before is not None and not are_same(before, host_random_state()):
                    self.draws = True
                if not self.is_over:
                    self.ready.append(item)
                del item
            with self.changed:
                self.changed.notify_all()
            if self.is_over:
                break
        if self.is_stopped:
            self.up.close()


class AheadCursor(OneCursor):
    """A cursor whose elements a thread makes ahead; those that are ready stand in its state."""

    picks_rows = False

    def __init__(self, up: Cursor, ahead: int) -> None:
        super().__init__(up)
        self._shared = _Shared(up, ahead)
        self._thread: threading.Thread | None = None
        self._again: deque[Any] = deque()  # elements that a state held
        self._is_closed = False

    def __next__(self) -> Any:
        if self._again:
            return self._again.popleft()
        if self._is_closed:
            raise StopIteration
        self._start()
        shared = self._shared
        with shared.changed:
            while not shared.ready and not shared.is_over and not shared.is_stopped:
                shared.changed.wait(WAIT_SECONDS)
            if not shared.ready:
                if not shared.is_over:  # which is no end, as `cache` would take it to be
                    raise Stopped
                raise StopIteration
            item = shared.ready.popleft()
            shared.changed.notify_all()
        if type(item) is Failure:
            try:
                raise item.error
            finally:
                del item  # its traceback holds this frame
        return item

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=carried(self._shared.work), name="nacre-dataset-prefetch", daemon=True
            )
            stopped_at_exit(self._shared, self._thread)
            self._thread.start()

    def state(self) -> Any:
        shared = self._shared
        with shared.turn:  # the thread is between two elements
            ready = [item for item in shared.ready if type(item) is not Failure]
            return {
                "up": shared.up.state(),
                "ready": [el.packed(item) for item in (*self._again, *ready)],
                # Where the elements after those begin to draw; another thread goes on at once.
                "random": host_random_state() if shared.draws else None,
            }

    def restore(self, state: Any) -> None:
        assert self._thread is None, "a cursor is restored before it is used"
        self._up.restore(state["up"])
        self._again = deque(el.unpacked(item) for item in state["ready"])
        if state["random"] is not None:
            self._shared.draws = True
            set_host_random_state(state["random"])

    def interrupt(self) -> None:
        self._shared.stop()

    def close(self) -> None:
        self._is_closed = True
        self._shared.stop()
        if self._thread is None or not self._thread.is_alive():
            super().close()  # else the thread does, after the element it is making

    def __del__(self) -> None:
        self._shared.stop()


__all__ = ["AheadCursor", "Prefetch"]
