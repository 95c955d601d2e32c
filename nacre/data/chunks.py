"""Batches laid one behind another, so that one dispatch runs as many steps as there are batches.

What a step costs beside its arithmetic, a tenth of a millisecond or two, is as much as a step of a
small model takes. Batches of one form are copied as they are made into memory that a CPU device
uses in place; whoever trains takes those that are there, and waits for no more than one.

Whether a batch is laid down, and so which program runs it, follows from its form alone, never from
a clock: a loop and a step by itself may round differently (see `pace.py`).
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from nacre.core import tree
from nacre.core.dtypes import device_dtype
from nacre.core.strings import is_text
from nacre.data.feed import Stretch
from nacre.data.rows import aligned_empty, in_place
from nacre.data.sources import Batch, without_arrays

MOST_BATCHES = 16  # of what one dispatch costs, a sixteenth is left a step
CHUNK_BYTES = 8 << 20  # larger batches come by themselves: their steps take long

# Shape and dtype of each leaf, and whether it lies on the host.
_Form = tuple[tuple[tuple[int, ...], np.dtype, bool] | None, ...]


def batches_a_chunk(batch: Batch) -> int:
    """How many batches like this one a chunk holds; 1 where it comes by itself."""
    arrays = [leaf for leaf in tree.flatten(batch) if leaf is not None]
    if not arrays or not all(map(_can_be_copied, arrays)):
        return 1
    rows = {a.shape[0] for a in arrays}
    if len(rows) > 1 or 0 in rows:
        return 1
    return max(1, min(MOST_BATCHES, CHUNK_BYTES // max(1, sum(a.nbytes for a in arrays))))


def _can_be_copied(array: Any) -> bool:
    if not isinstance(array, np.ndarray) or is_text(array) or not array.ndim:
        return False
    return array.dtype == device_dtype(array.dtype)


class Chunks:
    """Lays batches down that have the form of the first one.

    Args:
        form: What `form` was in a run that is gone on with; None for a new one.

    Attributes:
        form: The form of the batches that are laid down, as a number; None before the first.
        batches_a_chunk: How many a chunk holds; 1 where they come by themselves.
    """

    def __init__(self, form: int | None = None) -> None:
        self.form = form
        self._leaves: _Form | None = None
        self._structure: Any = None
        self.batches_a_chunk = 1
        self._used = 0  # of the present one
        self._memory: list[np.ndarray | None] = []
        self._arrays: list[Any] = []

    @property
    def is_begun(self) -> bool:
        """Whether a batch of the form was seen."""
        return self._leaves is not None

    def laid_down(self, batch: Batch, step: int) -> Stretch | None:
        """The step on a batch, of which a copy is made; None where it is to come by itself."""
        leaves = tree.flatten(batch)
        if self._leaves is None:
            self._begin(batch, leaves)
        elif not self._is_alike(batch, leaves):
            return None
        if self._leaves is None or self.batches_a_chunk == 1:
            return None
        size = self._size
        if self._used == self.batches_a_chunk and not self._begin_chunk():
            return None
        first, self._used = self._used * size, self._used + 1
        for memory, leaf in zip(self._memory, leaves, strict=True):
            if memory is not None:
                memory[first : first + size] = leaf
        return Stretch(
            self._arrays, self._structure, None, first, 1, size, step, True, is_temporary=True
        )

    @property
    def _size(self) -> int:
        assert self._leaves is not None
        return next(form[0][0] for form in self._leaves if form is not None)

    def _begin(self, batch: Batch, leaves: list[Any]) -> None:
        """Take the form of a batch, unless another one is waited for."""
        structure = without_arrays(batch)
        forms = _forms(leaves)
        number = zlib.crc32(
            repr((structure, [f and (f[0], str(f[1]), f[2]) for f in forms])).encode()
        )
        if self.form is None:
            self.form = number
        if self.form == number:
            self._leaves, self._structure = forms, structure
            self.batches_a_chunk = self._used = batches_a_chunk(batch)

    def _is_alike(self, batch: Batch, leaves: list[Any]) -> bool:
        return _forms(leaves) == self._leaves and without_arrays(batch) == self._structure

    def _begin_chunk(self) -> bool:
        """Begin a chunk; False where the device does not use memory of the host in place."""
        assert self._leaves is not None
        memory = [
            None if f is None else aligned_empty((self.batches_a_chunk * f[0][0], *f[0][1:]), f[1])
            for f in self._leaves
        ]
        arrays = in_place(memory)
        if arrays is None:
            self.batches_a_chunk = 1
            return False
        self._memory, self._arrays, self._used = memory, arrays, 0
        return True


def _forms(leaves: list[Any]) -> _Form:
    return tuple(
        [None if a is None else (a.shape, a.dtype, isinstance(a, np.ndarray)) for a in leaves]
    )


__all__ = ["MOST_BATCHES", "Chunks", "batches_a_chunk"]
