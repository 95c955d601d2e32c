"""`PyDataset`: batches by index, made by worker threads ahead of the training loop."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Sequence
from typing import Any

from nacre.core.context import carried
from nacre.core.errors import ArgumentError, DataError, message
from nacre.core.host_random import are_same, host_random_state
from nacre.core.random import user_seed
from nacre.core.warning import warn


class PyDataset:
    """A source of batches by index. Subclass it and define `__len__` and `__getitem__`.

    Args:
        workers: Threads that make batches ahead; 1 makes them in one thread beside the loop. The
            batches come in order whatever their number; where `__getitem__` draws random numbers,
            several draw from `random` and `np.random` in no fixed order, so make a generator of
            each batch's own: `np.random.default_rng([seed, index])`.
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
        if type(self).num_batches is PyDataset.num_batches:
            raise NotImplementedError(
                message(type(self).__name__, "it must define __len__()", "a class without it")
            )
        count = self.num_batches
        if count is None:
            raise TypeError(
                message(type(self).__name__, "it has no length", "a source that never ends")
            )
        return count

    @property
    def num_batches(self) -> int | None:
        """The number of batches an epoch. Override it to return None for a source without end."""
        return _length(self)

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


def number_of_batches(source: Any) -> int | None:
    """The number of batches an epoch, None when it is not known or the source never ends."""
    if isinstance(source, PyDataset):
        return source.num_batches
    if not hasattr(source, "__len__"):
        return None
    try:
        return _length(source)
    except TypeError:
        return None


def _length(source: Any) -> int:
    """What `__len__` gives, as a whole number also where it is a float, as of np.ceil(n / 32)."""
    given = source.__len__()
    if not isinstance(given, float):  # NumPy's are floats too
        return operator.index(given)
    if given.is_integer():
        return int(given)
    who = f"{type(source).__name__}.__len__"
    fix = "Write int(np.ceil(rows / batch_size))."
    raise DataError(message(who, "it must give a whole number", str(given), fix))


def indexed_batches(
    source: Any, order: Sequence[int] | None = None, skip: int = 0
) -> Iterator[Any]:
    """The batches of one pass, made by the source's worker threads, in order.

    Args:
        source: The source.
        order: The indices in another order than their own.
        skip: How many of the first are left out.
    """
    count = number_of_batches(source)
    if count == 0:
        raise DataError(message(type(source).__name__, "it must have at least one batch", "none"))
    indices = order if order is not None else itertools.count() if count is None else range(count)
    remaining = itertools.islice(indices, skip, None)
    workers = getattr(source, "workers", 1) or 1
    if workers == 1:
        for index in remaining:
            yield source[index]
        return
    from collections import deque
    from concurrent.futures import Future, ThreadPoolExecutor

    # Who gave a seed wants the same numbers again.
    random = None if user_seed() is None else host_random_state()
    item = carried(source.__getitem__)
    ahead = max(workers, getattr(source, "max_queue_size", 10))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="nacre-batches")
    try:
        first = itertools.islice(remaining, ahead)
        waiting: deque[Future[Any]] = deque(pool.submit(item, i) for i in first)
        while waiting:
            batch = waiting.popleft().result()
            if random is not None and not are_same(random, host_random_state()):
                warn(_random_order(source, workers))
            random = None
            following = next(remaining, None)
            if following is not None:
                waiting.append(pool.submit(item, following))
            yield batch
    finally:
        # After an error, or when the reader leaves early, batches not begun are not made.
        pool.shutdown(cancel_futures=True)


def _random_order(source: Any, workers: int) -> str:
    return message(
        type(source).__name__,
        "several workers draw from the generators of Python and NumPy in no fixed order, so that "
        "a run with the same seed gets other batches",
        f"workers={workers}",
        "Draw from a generator of the batch's own, np.random.default_rng([seed, index]), or pass "
        "workers=1.",
    )
