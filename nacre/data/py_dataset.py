"""`PyDataset`: batches by index, made by worker threads ahead of the training loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nacre.core.errors import ArgumentError, DataError, message
from nacre.core.random import host_generator


class PyDataset:
    """A source of batches by index. Subclass it and define `__len__` and `__getitem__`.

    Args:
        workers: Threads that make batches ahead; 1 makes them in one thread beside the loop.
        use_multiprocessing: Accepted for compatibility; threads are used.
        max_queue_size: Batches kept ready.

    Example:
        >>> import numpy as np
        >>> class Squares(PyDataset):
        ...     def __len__(self):
        ...         return 3
        ...     def __getitem__(self, index):
        ...         return np.full((2, 1), index), np.full((2, 1), index**2)
        >>> Squares().num_batches
        3
    """

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        if workers < 0 or max_queue_size < 1:
            raise ArgumentError(
                message(
                    type(self).__name__,
                    "workers must not be negative and max_queue_size must be positive",
                    f"workers={workers}, max_queue_size={max_queue_size}",
                )
            )
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Batch number `index`: (inputs, targets) or (inputs, targets, sample_weights)."""
        raise NotImplementedError(
            message(type(self).__name__, "it must define __getitem__(index)", "a class without it")
        )

    def __len__(self) -> int:
        """The number of batches an epoch."""
        raise NotImplementedError(
            message(type(self).__name__, "it must define __len__()", "a class without it")
        )

    @property
    def num_batches(self) -> int | None:
        """The number of batches an epoch."""
        return len(self)

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch."""


def is_indexable_source(value: Any) -> bool:
    """True for a `PyDataset`, or any object that looks like one (`keras.utils.Sequence`)."""
    return isinstance(value, PyDataset) or (
        hasattr(value, "__getitem__")
        and hasattr(value, "__len__")
        and hasattr(value, "on_epoch_end")
    )


def indexed_batches(source: Any, shuffle: bool, seed: int | None) -> Iterator[Any]:
    """The batches of one epoch, made by the source's worker threads, in order."""
    count = len(source)
    if count == 0:
        raise DataError(message(type(source).__name__, "it must have at least one batch", "none"))
    order = list(range(count))
    if shuffle:
        host_generator(seed).shuffle(order)
    workers = getattr(source, "workers", 1) or 1
    if workers == 1:
        for index in order:
            yield source[index]
        return
    from collections import deque
    from concurrent.futures import Future, ThreadPoolExecutor

    ahead = max(workers, getattr(source, "max_queue_size", 10))
    with ThreadPoolExecutor(workers, thread_name_prefix="nacre-batches") as pool:
        waiting: deque[Future[Any]] = deque()
        remaining = iter(order)
        for index in remaining:
            waiting.append(pool.submit(source.__getitem__, index))
            if len(waiting) >= ahead:
                break
        while waiting:
            batch = waiting.popleft().result()
            following = next(remaining, None)
            if following is not None:
                waiting.append(pool.submit(source.__getitem__, following))
            yield batch
