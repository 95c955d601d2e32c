"""Feeds of the rows of arrays: kept on the device, sent in chunks, or batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from nacre.data.feed import Position, RowFeed, Stretch, stretch_of_rows, uploaded
from nacre.data.resident import ResidentRows
from nacre.data.rows import aligned_empty
from nacre.data.sources import ArraySource


class ResidentFeed(RowFeed):
    """Rows that are all kept on the device, from the first epoch on.

    The steps of the first epoch begin while rows still arrive. When an epoch is over all are there,
    so that a callback which changes the arrays between epochs changes all of an epoch: whoever
    finds that it did has them sent again (`take`).
    """

    _resident: ResidentRows | None = None
    _first_use = Position(0, 0)  # which batch is laid down first
    _sent_order: tuple[int, jax.Array | None] | None = None

    def _stretches(self, begin: Position, first_step: int) -> Iterator[tuple[Position, Stretch]]:
        size, (full, rest) = self.batch_size, divmod(self.source.num_rows, self.batch_size)
        for number, first, stop, step in self._spans(begin, first_step):
            rows = self._rows(number, first)
            order, last = self._device_order(number), min(stop, full)
            smaller = rest if stop > full else None
            while first < last:
                stop_now = min(last, self._batches_sent(number, first))
                yield Position(number, stop_now), Stretch(
                    rows.arrays, self.source.structure, order, first * size, stop_now - first, size,
                    step, True, smaller,
                )  # fmt: skip
                step += stop_now - first
                first = stop_now
            if stop > full:
                rows.wait(self.source.num_rows)
                yield (
                    Position(number, stop),
                    Stretch(rows.arrays, self.source.structure, order, full * size, 1, rest, step),
                )
        if self._resident is not None:
            self._resident.wait(self.source.num_rows)

    def _rows(self, number: int, first: int) -> ResidentRows:
        if self._resident is None:
            self._first_use = Position(number, first)
            row = first * self.batch_size
            self._resident = ResidentRows(self.source, self._order(number), row)
        return self._resident

    def _batches_sent(self, number: int, batch: int) -> int:
        """Wait for the rows of a batch; up to which batch of this pass all rows are there."""
        assert self._resident is not None
        count, size = self.source.num_rows, self.batch_size
        first = self._first_use
        if number != first.pass_number or batch < first.batch or not self.overlaps or self.layout:
            self._resident.wait(count)
            return self.num_batches
        filled = self._resident.wait((batch + 1 - first.batch) * size)
        return self.num_batches if filled == count else first.batch + filled // size

    def _device_order(self, number: int) -> jax.Array | None:
        assert self._resident is not None
        if self._sent_order is None or self._sent_order[0] != number:
            places = self._resident.places(self._order(number))
            self._sent_order = number, None if places is None else jax.device_put(places)
        return self._sent_order[1]

    def take(self, source: ArraySource) -> None:
        super().take(source)
        self.close()
        self._resident = self._sent_order = None

    def close(self) -> None:
        if self._resident is not None:
            self._resident.close()


class StreamedFeed(RowFeed):
    """Rows that are sent in chunks; the next chunk is made and sent while one is used."""

    batches_a_chunk: int | None = None  # as many as the rows' size allows where it is not set

    def _stretches(self, begin: Position, first_step: int) -> Iterator[tuple[Position, Stretch]]:
        return self._prefetch(self._chunks(begin, first_step), ahead=1)

    def _chunks(self, begin: Position, first_step: int) -> Iterator[tuple[Position, Stretch]]:
        size, (full, rest) = self.batch_size, divmod(self.source.num_rows, self.batch_size)
        most = max(1, min(full, self.steps))
        wanted = self.source.batches_per_chunk(size, is_shuffled=self.shuffle is True)
        steps_a_chunk = self.batches_a_chunk or min(wanted, most)
        for number, start, stop, step in self._spans(begin, first_step):
            order = self._order(number)
            for first in range(start, min(stop, full), steps_a_chunk):
                last = min(first + steps_a_chunk, stop, full)
                picked = self.source.rows(_part(order, first * size, last * size))
                # Always of one size, so that one program serves them all.
                picked = [_lengthened(a, steps_a_chunk * size) for a in picked]
                yield Position(number, last), Stretch(
                    uploaded(picked), self.source.structure, None, 0, last - first, size,
                    step + first - start, True, is_temporary=True,
                )  # fmt: skip
            if stop > full:
                picked = self.source.rows(_part(order, full * size, self.source.num_rows))
                yield Position(number, stop), Stretch(
                    uploaded(picked), self.source.structure, None, 0, 1, rest, step + full - start,
                    is_temporary=True,
                )  # fmt: skip


class BatchwiseFeed(RowFeed):
    """Each batch by itself; made ahead in a thread where work on the host comes first."""

    @property
    def _sends(self) -> bool:
        return self.source.convert is not None

    def _stretches(self, begin: Position, first_step: int) -> Iterator[tuple[Position, Stretch]]:
        return self._prefetch(self._batches(begin, first_step), ahead=2 if self._sends else 0)

    def _batches(self, begin: Position, first_step: int) -> Iterator[tuple[Position, Stretch]]:
        size = self.batch_size
        for number, start, stop, step in self._spans(begin, first_step):
            order = self._order(number)
            for index in range(start, stop):
                last = min((index + 1) * size, self.source.num_rows)
                rows = _part(order, index * size, last)
                yield (
                    Position(number, index + 1),
                    stretch_of_rows(self.source, rows, step + index - start, sends=self._sends),
                )


def _part(order: np.ndarray | None, first: int, stop: int) -> np.ndarray | slice:
    return slice(first, stop) if order is None else order[first:stop]


def _lengthened(array: Any, count: int) -> Any:
    """An array with rows of zeros at its end, which no step reads."""
    if array is None or len(array) == count:
        return array
    longer = aligned_empty((count, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    longer[len(array) :] = 0
    return longer


__all__ = ["BatchwiseFeed", "ResidentFeed", "StreamedFeed"]
