"""`PyDataset`: the base class of batches by index. `indexed.py` has them made.

Worker processes import this file to find the class, so it imports nothing that takes long.
"""

from __future__ import annotations

import operator
import sys
from typing import Any

from nacre.core.errors import ArgumentError, DataError, message

# What `len` gives for sources that repeat for ever, such as grain's: it can give nothing larger.
ENDLESS_LENGTH = sys.maxsize


class PyDataset:
    """A source of batches by index. Subclass it and define `__len__` and `__getitem__`.

    `on_epoch_begin` and `on_epoch_end` run in this process, between two passes. Worker processes
    have copies of the object: they are sent it again in each epoch in which it has changed, so they
    see what these methods do; what `__getitem__` changes in its object stays in that process.

    Random numbers: with processes, `random`, `np.random`, torch's generator and the generators that
    the object holds begin anew for each batch, by the run's seed, the epoch and the batch's number:
    no two batches draw the same, and a run with the same `set_random_seed` gets the same, whatever
    the number of workers. Several threads draw from them in no fixed order, so make a generator of
    each batch's own there: `np.random.default_rng([seed, index])`.

    A worker that dies, raises, or is at one batch for 60 seconds (`NACRE_WORKER_SECONDS` in the
    environment; 0: for ever) ends the run with its own traceback. Keras waits for it.

    Args:
        workers: How many make batches ahead. 0 and 1 make them in one thread beside the loop. They
            come in order whatever their number.
        use_multiprocessing: Whether the workers are processes, also a single one; else threads,
            which suit what NumPy, decoders and files do. Processes are sent the object by pickle,
            so it cannot hold open files or locks; arrays in mapped files are sent by their names.
            They begin by spawn, a new Python each, so a script's own work belongs under
            `if __name__ == "__main__":` unless cloudpickle is installed, with which classes of
            scripts and notebooks are sent too; with neither, threads make the batches and a
            warning says so. `NACRE_WORKER_START=fork` forks as Keras does.
        max_queue_size: Batches kept ready.

    `fit`, `evaluate` and `predict` take the three too, as tf.keras 2's do, in place of these.

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
        length = _length(source)
    except TypeError:
        return None
    return None if length >= ENDLESS_LENGTH else length


def is_endless(source: Any) -> bool:
    """Whether a source says by its length, or a `PyDataset` by having none, that it never ends."""
    if isinstance(source, PyDataset):
        return source.num_batches is None
    try:
        return len(source) >= ENDLESS_LENGTH
    except (TypeError, ValueError, OverflowError):
        return False


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


__all__ = ["PyDataset", "is_endless", "is_indexable_source", "number_of_batches"]
