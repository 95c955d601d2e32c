"""All rows of arrays on the device, there while the first steps already run.

On a CPU a device array can lie in memory that NumPy made. It is put there empty, and a thread
copies the rows into it in the order in which the first pass uses them; a step is run when its rows
have arrived. So a copy of 188 MB costs a training of one epoch next to nothing, and each row is
copied once. Where a device has memory of its own, the thread sends the arrays whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from nacre.data.prefetch import Prefetched
from nacre.data.rows import aligned_empty, in_place
from nacre.data.sources import ArraySource

PIECE_BYTES = 4 << 20  # copied between two looks at what has arrived, about a millisecond


class ResidentRows:
    """The rows of a source on the device.

    Args:
        source: The rows.
        order: The order of the first pass, which begins at `first`; None for the rows' own. The
            rows are laid down in it where that can be.
        first: The first row to be used, in that order.

    Attributes:
        arrays: The arrays on the device. Rows that `wait` has not told of are not there yet.
    """

    def __init__(self, source: ArraySource, order: np.ndarray | None, first: int = 0) -> None:
        self._source, self.num_rows = source, source.num_rows
        self._filled = 0
        self._places: np.ndarray | None = None  # row -> where it was put
        buffers = _host_memory(source) if _can_be_filled(source) else None
        arrays = None if buffers is None else in_place(buffers)
        if buffers is None or arrays is None:
            self.arrays: list[Any] = []
            self._pieces = Prefetched(self._send_whole(), ahead=1)
        else:
            self.arrays = arrays
            if order is None:
                layout = None
            else:
                layout = np.roll(order, -first)
                self._places = np.empty_like(layout)
                self._places[layout] = np.arange(self.num_rows, dtype=layout.dtype)
            start = first if order is None else 0
            is_small = source.row_bytes * self.num_rows <= PIECE_BYTES
            pieces = self._fill(buffers, layout, start)
            self._pieces = Prefetched(pieces, ahead=0 if is_small else self.num_rows + 1)
        self._pieces.start()

    def _send_whole(self) -> Iterator[int]:
        self.arrays = self._source.whole()
        yield self.num_rows

    def _fill(self, buffers: list[Any], layout: np.ndarray | None, start: int) -> Iterator[int]:
        """Copy the rows; gives how many there are after each piece."""
        step = max(1, PIECE_BYTES // max(1, self._source.row_bytes))
        done = 0
        while done < self.num_rows:
            first = (start + done) % self.num_rows
            stop = min(self.num_rows, first + min(step, self.num_rows - done))
            rows = slice(first, stop) if layout is None else layout[first:stop]
            into = [None if b is None else b[first:stop] for b in buffers]
            self._source.copy_rows(rows, into)
            done += stop - first
            yield done

    def wait(self, count: int) -> int:
        """Wait until the first `count` rows to be used are there; how many are, which may be more.

        Raises:
            DTypeError: A number does not fit, see `check_width`.
        """
        while self._filled < count:
            filled = next(self._pieces, None)
            assert filled is not None, "rows are asked for after an error, or after the end"
            self._filled = filled
        if self._filled < self.num_rows:
            for filled in self._pieces.take_ready():
                self._filled = filled
        return self._filled

    def places(self, order: np.ndarray | None) -> np.ndarray | None:
        """Where rows lie, for an order of them."""
        if self._places is None or order is None:
            return order
        return self._places[order]

    def close(self) -> None:
        """Stop copying."""
        self._pieces.close()


def _can_be_filled(source: ArraySource) -> bool:
    """Whether rows can be copied in any order into memory the device uses in place."""
    plain = all(leaf is None or type(leaf) is np.ndarray for leaf in source.leaves)
    return plain and jax.default_backend() == "cpu"


def _host_memory(source: ArraySource) -> list[Any]:
    return [
        None if spec is None else aligned_empty(spec.shape, spec.dtype)
        for spec in source.specs(source.num_rows)
    ]


__all__ = ["ResidentRows"]
