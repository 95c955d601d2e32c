"""Batches from anything that can be walked: generators, `PyDataset`s, data loaders, iterables.

A source knows how to go over the data and what becomes of each batch on its way to the device; when
that happens, and where, is the feed's matter (`batch_feed.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from nacre.core.errors import DataError, message
from nacre.data import seeking
from nacre.data.feed import shuffled
from nacre.data.indexed import IndexedBatches, Making
from nacre.data.py_dataset import is_endless, is_indexable_source, number_of_batches
from nacre.data.sources import Batch, standard_batch


class BatchSource:
    """A source of batches.

    Args:
        data: What the user gave.
        who: The method that was called, for messages.
        shuffle: Whether batches that are made by index come in another order in each pass.
        seed: What that order follows from, together with the number of the pass.
        first_pass: The number of the first pass.
        making: By what workers batches are made by index, in place of what the data says.
    """

    def __init__(
        self,
        data: Any,
        who: str = "fit",
        *,
        shuffle: bool = False,
        seed: int = 0,
        first_pass: int = 0,
        making: Making | None = None,
    ) -> None:
        self.data, self.who, self.shuffle, self.seed = data, who, shuffle, seed
        self.is_indexed = is_indexable_source(data)
        self._indexed = IndexedBatches(data, making) if self.is_indexed else None
        # A generator can be gone over once; all else can be again, from its beginning.
        self.is_one_pass = not self.is_indexed and hasattr(data, "__next__")
        self._first_pass = first_pass
        # What becomes of what the data gives, before anything else.
        self.prepare: Callable[[Any], Any] | None = None
        self._conversions: list[Callable[[Batch], Batch]] = []
        self._begun: tuple[int, Batch, Iterator[Any]] | None = None  # pass, first batch, the rest
        self._epoch_has_begun = False
        self._walked: Iterator[Any] | None = None  # what gives the raw batches of the pass
        self._own: tuple[Any] | None = None  # where a pass that is walked goes on, see `restore`

    @property
    def num_batches(self) -> int | None:
        """The number of batches a pass, None when it is not known."""
        return number_of_batches(self.data)

    @property
    def is_endless(self) -> bool:
        """Whether the data says itself that it never ends, as `repeat()` of a `Dataset` does."""
        if is_endless(self.data):
            return True
        cardinality: Any = getattr(self.data, "cardinality", None)
        if not callable(cardinality) or self.num_batches is not None:
            return False
        count: Any = cardinality()
        return int(count) == -1

    def add_conversion(self, convert: Callable[[Batch], Batch]) -> None:
        """Let each batch go through a function, after those given before."""
        self._conversions.append(convert)
        if self._begun is not None:
            number, first, rest = self._begun
            self._begun = number, convert(first), rest

    def first(self) -> Batch:
        """The first batch as it is by now, which the first pass will begin with.

        Raises:
            DataError: There is none.
        """
        if self._begun is None:
            number = self._first_pass
            raw = self._walk(number, 0)
            item = next(raw, _NOTHING)
            if item is _NOTHING:
                raise DataError(
                    message(
                        self.who,
                        "the source must give at least one batch",
                        "none",
                        "A generator that was used up gives nothing: make a new one.",
                    )
                )
            self._begun = number, self._converted(item), raw
        return self._begun[1]

    @property
    def seen(self) -> Batch | None:
        """The first batch, where it was looked at and a pass has yet to begin with it."""
        return None if self._begun is None else self._begun[1]

    def batches(self, pass_number: int = 0, skip: int = 0) -> Iterator[Batch]:
        """One pass over the batches, without the first few.

        The batch that `first` gave is the first one of the pass it was taken from.
        """
        begun, self._begun = self._begun, None
        if begun is not None and (self.is_one_pass or begun[0] == pass_number):
            _, first, raw = begun
            if skip == 0:
                yield first
            rest = itertools.islice(raw, max(0, skip - 1), None)
        else:
            if begun is not None:
                _close(begun[2])
            raw = self._walk(pass_number, skip)
            rest = raw
        try:
            for item in rest:
                yield self._converted(item)
        finally:
            if raw is not self.data:  # the user's own generator stays open
                _close(raw)

    def close(self) -> None:
        """End a pass that was begun to see its first batch. The user's own generator stays open."""
        begun, self._begun = self._begun, None
        if begun is not None and not self.is_one_pass:
            _close(begun[2])

    def stop(self) -> None:
        """End the workers that make batches, also for a thread that waits for one."""
        if self._indexed is not None:
            self._indexed.stop()
        interrupt = None if self.is_one_pass else getattr(self._walked, "interrupt", None)
        if callable(interrupt):  # one's own iterator of a `Dataset`; a user's is used further
            interrupt()

    def _walk(self, pass_number: int, skip: int) -> Iterator[Any]:
        """One pass over what the source gives."""
        self.begin_epoch()
        if self._indexed is None:
            own, self._own = self._own, None
            if own is not None:
                return self._walk_on(own[0])
            self._walked = iter(self.data)
            return itertools.islice(self._walked, skip, None) if skip else self._walked
        count = number_of_batches(self.data)
        order: Any = None
        if count is not None and self.shuffle:
            order = shuffled(count, self.seed, pass_number).tolist()
        self._indexed.seed = self.seed
        return self._indexed.batches(order, skip, pass_number)

    def _walk_on(self, state: Any) -> Iterator[Any]:
        """The rest of a pass that said where it was; all of the next one where it was over."""
        if seeking.has_state(self.data):
            seeking.restore(self.data, state)
            self._walked = iter(self.data)
        else:
            self._walked = iter(self.data)
            if state is not None:
                seeking.restore(self._walked, state)
        item = next(self._walked, _NOTHING)
        if item is _NOTHING:
            self._walked = iter(self.data)
            return self._walked
        return itertools.chain([item], self._walked)

    # ------------------------------------------------------------ what a run goes on from

    @property
    def iterator(self) -> Iterator[Any] | None:
        """What gives the raw batches of the pass under way."""
        return self._walked

    @property
    def has_state(self) -> bool:
        """Whether the data says itself where it is."""
        return seeking.has_state(self.data) or seeking.has_state(self._walked)

    def state(self, is_between_passes: bool) -> Any:
        """Where the data says it is; None where it does not say it, or begins anew."""
        if seeking.has_state(self.data):
            return seeking.state_of(self.data)
        if not seeking.has_state(self._walked):
            return None
        if is_between_passes and not getattr(self._walked, "tells_pass", False):
            return None
        return seeking.state_of(self._walked)

    def restore(self, state: Any, in_epoch: bool) -> None:
        """Go on from a state, with the next pass that is asked for.

        Args:
            state: What `state` gave.
            in_epoch: Whether an epoch had begun, so that the data is not told so again.
        """
        self.close()
        self._epoch_has_begun = in_epoch
        if self.is_indexed:
            if seeking.has_state(self.data):
                seeking.restore(self.data, state)
        elif self.has_state:
            self._own = (state,)

    def _converted(self, item: Any) -> Batch:
        if self.prepare is not None:
            item = self.prepare(item)
        batch = standard_batch(item, self.who)
        for convert in self._conversions:
            batch = convert(batch)
        return batch

    def begin_epoch(self) -> None:
        """Tell the data that an epoch begins, once; taking its first batch is the beginning."""
        if self.is_indexed and not self._epoch_has_begun and hasattr(self.data, "on_epoch_begin"):
            self.data.on_epoch_begin()
        self._epoch_has_begun = True
        self._note_change()

    def end_epoch(self) -> None:
        """Tell the data that an epoch is over."""
        if self.is_indexed and hasattr(self.data, "on_epoch_end"):
            self.data.on_epoch_end()
        self._epoch_has_begun = False
        self._note_change()

    def _note_change(self) -> None:
        if self._indexed is not None:
            self._indexed.note_change()


_NOTHING = object()


def _close(iterator: Any) -> None:
    if hasattr(iterator, "close"):
        iterator.close()


__all__ = ["BatchSource"]
