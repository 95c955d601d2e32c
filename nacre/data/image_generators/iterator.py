"""`Iterator`: batches of changed images, by index or one after another without end.

tf.keras draws from `np.random`, which it sets to `seed + number of the batch` before each batch.
The same numbers are drawn here from a generator of the batch's own, so that threads draw what they
should, and nobody else's numbers change.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator as PlainIterator
from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from nacre.core.errors import DataError, PositionError, message
from nacre.core.numbers import as_whole, whole_number
from nacre.data.py_dataset import PyDataset

Array = np.ndarray[Any, Any]
# `np.random` itself, or a `RandomState`, which has the same functions.
Random = Any

_NUMPY_RANDOM = threading.RLock()  # held while `np.random` stands where a batch needs it


class Iterator(PyDataset):
    """The base class of what `ImageDataGenerator.flow` and its brothers give.

    A subclass defines `_get_batches_of_transformed_samples(index_array)`.

    Args:
        n: How many samples there are.
        batch_size: Samples in a batch; the last one of a pass has those that are left.
        shuffle: Whether samples come in another order in each pass.
        seed: What orders and changes follow from. Without, they follow from `np.random`: within
            `fit` by a seed that is drawn from it once.

    Attributes:
        batch_index: The batch that `next` gives next.
        index_array: The samples in the order of this pass, once it is drawn.
        total_batches_seen: How many batches there were.

    As a source of batches by index it goes into `fit`, `evaluate` and `predict`, and `fit(resume=)`
    goes on in it exactly. `next(iterator)` and a `for` loop never end.

    Source: tf.keras 2.15, whose orders and draws for a seed were compared, for batches taken in
    their order. Differs: with a seed, `np.random` is left where it was.

    Example:
        >>> class Numbers(Iterator):
        ...     def _get_batches_of_transformed_samples(self, index_array):
        ...         return index_array * 10
        >>> numbers = Numbers(5, batch_size=2, shuffle=False, seed=None)
        >>> numbers[2].tolist(), next(numbers).tolist(), next(numbers).tolist()
        ([40], [0, 10], [20, 30])
    """

    white_list_formats = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None) -> None:
        super().__init__()
        who = type(self).__name__
        self.n = whole_number(who, "n", n, 0)
        self.batch_size = whole_number(who, "batch_size", batch_size)
        self.shuffle = shuffle
        self.seed = None if seed is None else whole_number(who, "seed", seed, 0)
        self.batch_index = 0
        self.index_array: Array | None = None
        self.lock = threading.RLock()
        # Batches by index are numbered from the first one of their round on. A round ends when all
        # were made, or when one is asked for again.
        self._first = 0
        self._made: set[int] = set()
        self._may_be_again: set[int] = set()  # made before a state was taken, and not used
        self._opened: int | None = None  # the batch whose draws began with the order
        # Told of epochs, as by fit: then each round has an order of its own, and without a seed one
        # is drawn once, so that draws do not depend on which thread makes a batch first.
        self._is_told_of_epochs = False
        self._drawn_seed: int | None = None
        # A batch, and what it drew from; None for `np.random`.
        self._latest: tuple[int, np.random.RandomState | None] = (-1, None)

    def __len__(self) -> int:
        """The number of batches a pass."""
        return -(-self.n // self.batch_size)

    @property
    def num_batches(self) -> int | None:
        """The number of batches a pass."""
        return len(self)

    @property
    def total_batches_seen(self) -> int:
        """How many batches there were."""
        return self._first + len(self._made)

    def __getitem__(self, idx: int) -> Any:
        """Batch number `idx`."""
        count = len(self)
        at = as_whole(idx)
        if at is None or not -count <= at < count:
            rule = f"index must be from 0 to {count - 1}" if count else "there must be samples"
            raise PositionError(message(type(self).__name__, rule, f"{idx}"))
        at %= count
        with self.lock:
            number = self._number(at)
            if self.index_array is None:
                self._open()
            assert self.index_array is not None
            picked = self.index_array[at * self.batch_size : (at + 1) * self.batch_size]
        with self._drawing(number) as random:
            if number == self._opened and self.shuffle and self._own_seed is not None:
                random.permutation(self.n)  # the order was drawn first
            return self._batch(picked, random)

    def _number(self, at: int) -> int:
        """The number of a batch among all; begins a new round where one is over."""
        is_again = at in self._made and at not in self._may_be_again
        if is_again or len(self._made) == len(self):
            self._begin_round()
        self._may_be_again.discard(at)
        self._made.add(at)
        return self._first + at

    def _begin_round(self) -> None:
        self._first += len(self)
        self._made, self._may_be_again = set(), set()
        if self._is_told_of_epochs:
            self._reorder()

    def _open(self) -> None:
        """Draw the first order; the first batch draws on from there."""
        with self._drawing(self._first) as random:
            self._draw_order(random)
        self._opened = self._first

    def _reorder(self) -> None:
        self._opened = None
        self._draw_order(self._latest[1] or np.random)

    def on_epoch_begin(self) -> None:
        """Draw the order of the first pass."""
        with self.lock:
            self._is_told_of_epochs = True
            if self.seed is None and self._drawn_seed is None:
                self._drawn_seed = int(np.random.randint(2**31))
            if self.index_array is None:
                self._open()

    def on_epoch_end(self) -> None:
        """Draw the order of the next pass; one that is under way is left to end in its own."""
        with self.lock:
            if self._made and len(self._made) < len(self):
                self._is_told_of_epochs = True
                return
            if self._made or self._is_told_of_epochs:  # or other processes made them
                self._first += len(self)
                self._made, self._may_be_again = set(), set()
            self._reorder()

    def reset(self) -> None:
        """Let `next` begin a new pass."""
        self.batch_index = 0

    def next(self) -> Any:
        """The next batch, without end."""
        if self.n == 0:
            raise DataError(message(type(self).__name__, "there must be samples", "none"))
        with self.lock:
            number = self.total_batches_seen
            with self._drawing(number) as random:
                begins = self.batch_index == 0
                if begins:
                    self._draw_order(random)
                assert self.index_array is not None
                begin = self.batch_index * self.batch_size
                picked = self.index_array[begin : begin + self.batch_size]
                self.batch_index = 0 if begin + self.batch_size >= self.n else self.batch_index + 1
                self._first, self._made, self._opened = number + 1, set(), None
                return self._batch(picked, random)

    def __next__(self) -> Any:
        return self.next()

    def __iter__(self) -> PlainIterator[Any]:
        return self

    # ------------------------------------------------------------------------------ draws

    def _draw_order(self, random: Random) -> None:
        self.index_array = random.permutation(self.n) if self.shuffle else np.arange(self.n)

    # Batches are made outside of `lock`, which is taken before `_NUMPY_RANDOM`, never within it.
    @contextmanager
    def _drawing(self, number: int) -> PlainIterator[Random]:
        """What a batch draws from: its own generator, or `np.random` set for it."""
        if self._own_seed is None:
            yield np.random
            return
        seed = (self._own_seed + number) % 2**32
        if not self._shares_numpy_random:
            random = np.random.RandomState(seed)
            yield random
        else:  # code of the user's draws too
            with _NUMPY_RANDOM:
                before = np.random.get_state()
                try:
                    np.random.seed(seed)
                    yield np.random
                    random = np.random.RandomState()
                    random.set_state(np.random.get_state())
                finally:
                    np.random.set_state(before)
        with self.lock:
            if number >= self._latest[0]:
                self._latest = number, random

    @property
    def draws_by_index(self) -> bool:
        """Whether what a batch draws follows from its number alone, whichever thread makes it."""
        return self._own_seed is not None

    @property
    def _own_seed(self) -> int | None:
        return self._drawn_seed if self.seed is None else self.seed

    @property
    def _shares_numpy_random(self) -> bool:
        return self._has_own_batches

    @property
    def _has_own_batches(self) -> bool:
        """Whether a class outside makes the batches."""
        mine = Iterator._get_batches_of_transformed_samples
        return type(self)._get_batches_of_transformed_samples is not mine

    def _batch(self, index_array: Array, random: Random) -> Any:
        if self._has_own_batches:
            return self._get_batches_of_transformed_samples(index_array)
        return self._transformed(index_array, random)

    def _get_batches_of_transformed_samples(self, index_array: Array) -> Any:
        """The batch of some samples; a subclass may define it, and draws from `np.random`."""
        return self._transformed(index_array, np.random)

    def _transformed(self, index_array: Array, random: Random) -> Any:
        rule = "it must define _get_batches_of_transformed_samples(index_array)"
        raise NotImplementedError(message(type(self).__name__, rule, "a class without it"))

    # ------------------------------------------------------------ what a run goes on from

    def state(self) -> dict[str, Any]:
        """Where it is: data that JSON can hold, and arrays."""
        with self.lock:
            latest, random = self._latest
            return {
                "batch_index": self.batch_index,
                "index_array": self.index_array if self.shuffle else None,
                "first": self._first,
                "made": sorted(self._made),
                "opened": self._opened,
                "is_told_of_epochs": self._is_told_of_epochs,
                "drawn_seed": self._drawn_seed,
                "latest": latest,
                "random": None if random is None else dict(random.get_state(legacy=False)),
            }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was taken."""
        with self.lock:
            order = state["index_array"]
            if order is not None and len(order) != self.n:
                rule = "the samples must be those of the run that is resumed"
                got = f"{self.n} samples, where there were {len(order)}"
                raise DataError(message(type(self).__name__, rule, got))
            self.index_array = None if order is None else np.asarray(order)
            self.batch_index, self._first = state["batch_index"], state["first"]
            self._made, self._may_be_again = set(state["made"]), set(state["made"])
            self._opened = state["opened"]
            self._is_told_of_epochs = state["is_told_of_epochs"]
            self._drawn_seed = state["drawn_seed"]
            random = None
            if state["random"] is not None:
                random = np.random.RandomState()
                random.set_state(state["random"])
            self._latest = state["latest"], random

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, lock=threading.RLock())


__all__ = ["Array", "Iterator", "Random"]
