"""Queues of batches that threads fill, as `tf.keras.utils` of 2.15 has them; `fit` needs none."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

from nacre.core.errors import ArgumentError, NotBuiltError, message


class SequenceEnqueuer:
    """A queue that threads fill with what a source gives.

    Args:
        sequence: Has a length and gives batches by index.
        use_multiprocessing: Accepted for compatibility: threads fill it.

    Raises:
        NotBuiltError: It is read before it was started.
    Source:
        tf.keras 2.15. Differs: threads in place of processes.
    """

    def __init__(self, sequence: Any, use_multiprocessing: bool = False) -> None:
        self.sequence, self.use_multiprocessing = sequence, use_multiprocessing
        self.queue: queue.Queue[Any] | None = None
        self.stop_signal: threading.Event | None = None
        self._thread: threading.Thread | None = None

    def is_running(self) -> bool:
        """Whether it is filled just now."""
        return self.stop_signal is not None and not self.stop_signal.is_set()

    def start(self, workers: int = 1, max_queue_size: int = 10) -> None:
        """Begin to fill it.

        Args:
            workers: Accepted for compatibility: one thread keeps the order.
            max_queue_size: How many batches it holds at most.
        """
        self.queue, self.stop_signal = queue.Queue(max(1, max_queue_size)), threading.Event()
        self._thread = threading.Thread(target=self._fill, daemon=True)
        self._thread.start()

    def stop(self, timeout: float | None = None) -> None:
        """Stop, and forget what nobody has read.

        Args:
            timeout: Seconds to wait for the thread at most.
        """
        if self.stop_signal is not None and self._thread is not None:
            self.stop_signal.set()
            self._thread.join(timeout)

    def get(self) -> Iterator[Any]:
        """The batches, in order; what the source raises is raised here."""
        if self.queue is None:
            rule, fix = "it must be started before it is read", "Call start() first."
            raise NotBuiltError(message(type(self).__name__, rule, "no queue", fix))
        return self._read()

    def _read(self) -> Iterator[Any]:
        assert self.queue is not None
        while self.is_running():
            try:
                kind, value = self.queue.get(timeout=_PATIENCE_SECONDS)
            except queue.Empty:
                continue
            if kind is _ENDS:
                return
            if kind is _FAILS:
                raise value
            yield value

    def _fill(self) -> None:
        try:
            for batch in self._batches():
                if not self._put((_GIVES, batch)):
                    return
            self._put((_ENDS, None))
        except Exception as error:  # told where the queue is read
            self._put((_FAILS, error))

    def _put(self, item: tuple[str, Any]) -> bool:
        assert self.queue is not None
        while self.is_running():
            try:
                self.queue.put(item, timeout=_PATIENCE_SECONDS)
                return True
            except queue.Full:
                continue
        return False

    def _batches(self) -> Iterator[Any]:
        raise ArgumentError(
            message(
                type(self).__name__,
                "it must say what it is filled with",
                "the base class",
                "Use OrderedEnqueuer for a Sequence, GeneratorEnqueuer for a generator.",
            )
        )


_PATIENCE_SECONDS = 0.1  # between two looks at whether somebody has stopped it
_GIVES, _ENDS, _FAILS = "gives", "ends", "fails"


class OrderedEnqueuer(SequenceEnqueuer):
    """A queue of the batches of a `Sequence`, pass after pass.

    Args:
        sequence: Has a length and gives batches by index.
        use_multiprocessing: Accepted for compatibility: threads fill it.
        shuffle: Whether each pass has an order of its own, drawn by Python's `random`.

    Example:
        >>> batches = OrderedEnqueuer(["first", "second"])
        >>> batches.start()
        >>> stream = batches.get()
        >>> [next(stream) for _ in range(3)]
        ['first', 'second', 'first']
        >>> batches.stop()
    """

    def __init__(
        self, sequence: Any, use_multiprocessing: bool = False, shuffle: bool = False
    ) -> None:
        super().__init__(sequence, use_multiprocessing)
        self.shuffle = shuffle

    def _batches(self) -> Iterator[Any]:
        while True:
            order = list(range(len(self.sequence)))
            if not order:
                return
            if self.shuffle:
                random.shuffle(order)
            for index in order:
                yield self.sequence[index]
            if hasattr(self.sequence, "on_epoch_end"):
                self.sequence.on_epoch_end()


class GeneratorEnqueuer(SequenceEnqueuer):
    """A queue of what a generator gives, until it ends.

    Args:
        generator: The generator.
        use_multiprocessing: Accepted for compatibility: threads fill it.
        random_seed: Accepted for compatibility: one thread draws as the generator alone would.
    """

    def __init__(
        self, generator: Any, use_multiprocessing: bool = False, random_seed: int | None = None
    ) -> None:
        super().__init__(generator, use_multiprocessing)

    def _batches(self) -> Iterator[Any]:
        return iter(self.sequence)


class TimedThread:
    """A thread that calls `on_interval`, which a subclass defines, again and again.

    Args:
        interval: Seconds between two calls.
        kwargs: For the thread.
    """

    def __init__(self, interval: float, **kwargs: Any) -> None:
        self.interval = interval
        self.daemon = kwargs.pop("daemon", False)
        self.thread_kwargs = kwargs
        self.thread: threading.Thread | None = None
        self.thread_stop_event: threading.Event | None = None

    def start(self) -> None:
        """Begin, once."""
        if self.is_alive():
            return
        stopped = self.thread_stop_event = threading.Event()
        self.thread = threading.Thread(
            target=self._call, args=(stopped,), daemon=self.daemon, **self.thread_kwargs
        )
        self.thread.start()

    def _call(self, stopped: threading.Event) -> None:
        due = time.monotonic()
        while not stopped.is_set():
            self.on_interval()
            due += self.interval
            stopped.wait(max(0.0, due - time.monotonic()))

    def stop(self) -> None:
        """Let the call under way be the last one."""
        if self.thread_stop_event is not None:
            self.thread_stop_event.set()

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self.thread is not None and self.thread.is_alive()

    def on_interval(self) -> None:
        """What it does."""
        rule, fix = "it must say what it does", "Define on_interval in a subclass."
        raise ArgumentError(message(type(self).__name__, rule, "no on_interval", fix))

    def __enter__(self) -> TimedThread:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


__all__ = ["GeneratorEnqueuer", "OrderedEnqueuer", "SequenceEnqueuer", "TimedThread"]
