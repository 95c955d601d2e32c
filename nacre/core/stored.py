"""Arrays in files, of h5py and zarr, as rows that are read when they are picked.

Neither library is imported here. A file in chunks is read a chunk at a time whatever is asked for,
and packed chunks are unpacked whole, so what is picked is sorted, and each chunk of it is read
once.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from nacre.core.errors import DataError, message
from nacre.core.kinds import is_of_library

# Read at once, where chunks are not larger: the memory that a pick takes beside its result.
READ_BYTES = 16 << 20
# Passing over less than this costs more than reading it along (h5py: 0.1 ms a read).
_GAP_BYTES = 64 << 10
_MOST_KEPT_BYTES = 64 << 20  # of a chunk, for small batches that come one after another


class _Kept:
    """The chunk that was read last, for the rows that come after.

    For them alone: the next pass over a file that is written to meanwhile reads it again.
    """

    # Its first row, its rows, and the first row that was not asked for.
    block: tuple[int, np.ndarray, int] = (0, np.empty(0), 1)


class StoredRows:
    """Rows of an array in a file; what is picked is read, never the whole.

    Args:
        array: For which `is_stored` is true, with a first axis.
        who: Who asks, for messages.
        first, stop: Which of its rows these are; all by default.

    Attributes:
        shape, dtype: Of these rows.
        chunk_rows: Rows of the file that are read together whatever is asked for; 1 where they lie
            by themselves.
    """

    def __init__(
        self, array: Any, who: str = "data", first: int = 0, stop: int | None = None
    ) -> None:
        refuse_closed(array, who)
        self._array, self._who, self._first = array, who, first
        self._kept = _Kept()
        count = (int(array.shape[0]) if stop is None else stop) - first
        self.shape: tuple[int, ...] = (count, *(int(size) for size in array.shape[1:]))
        self.dtype = np.dtype(array.dtype)
        chunks: Any = array.chunks
        self.chunk_rows = max(1, int(chunks[0])) if chunks else 1

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def place(self) -> str:
        """The file, as far as the library says, and the array's name in it."""
        file: Any = getattr(self._array, "file", None) or getattr(self._array, "store", None)
        return f"{getattr(file, 'filename', file)} {getattr(self._array, 'name', '')}"

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return max(1, math.prod(self.shape[1:]) * self.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return len(self) * self.row_bytes

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> Any:
        """For a slice these rows, unread; for indices an array of them."""
        if not isinstance(rows, slice):
            return self._read(np.asarray(rows))
        first, stop, step = rows.indices(len(self))
        if step != 1:
            return self._read(np.arange(first, stop, step))
        at = self._first
        part = StoredRows(self._array, self._who, at + first, at + max(first, stop))
        part._kept = self._kept
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        first, stop = self._first, self._first + len(self)
        if len(self) >= self.chunk_rows or self.chunk_rows * self.row_bytes > _MOST_KEPT_BYTES:
            return np.asarray(self._part(first, stop), dtype=dtype)
        # Small batches one after another: a chunk is unpacked for the first one of its rows.
        low, rows, after = self._kept.block
        if not after <= first <= stop <= low + len(rows):
            low = first // self.chunk_rows * self.chunk_rows
            end = -(-stop // self.chunk_rows) * self.chunk_rows
            rows = self._part(low, min(end, int(self._array.shape[0])))
        self._kept.block = low, rows, stop
        return np.array(rows[first - low : stop - low], dtype=dtype)

    def _read(self, rows: np.ndarray) -> np.ndarray:
        order = np.argsort(rows, kind="stable")
        wanted = rows[order].astype(np.int64) + self._first
        picked = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for begin, end in self._stretches(wanted):
            low = int(wanted[begin])
            part = self._part(low, int(wanted[end - 1]) + 1)
            picked[order[begin:end]] = part[wanted[begin:end] - low]
        return picked

    def _stretches(self, wanted: np.ndarray) -> Iterator[tuple[int, int]]:
        """Where, among sorted rows of the file, those begin and end that are read together."""
        if not len(wanted):
            return
        chunk_bytes = self.chunk_rows * self.row_bytes
        chunks = wanted // self.chunk_rows
        blocks = chunks // max(1, READ_BYTES // chunk_bytes)
        is_cut = np.diff(chunks) > 1 + _GAP_BYTES // chunk_bytes
        is_cut |= np.diff(blocks) > 0
        begins = [0, *(np.flatnonzero(is_cut) + 1).tolist()]
        yield from zip(begins, [*begins[1:], len(wanted)], strict=True)

    def _part(self, first: int, stop: int) -> np.ndarray:
        refuse_closed(self._array, self._who)
        return np.asarray(self._array[first:stop])


def is_stored(value: Any) -> bool:
    """True for a data set of h5py or an array of zarr, when that is already loaded."""
    return is_of_library(value, "h5py", "Dataset") or is_of_library(value, "zarr", "Array")


def refuse_closed(array: Any, who: str) -> None:
    """Raise for a data set whose file was closed.

    Raises:
        DataError: It was.
    """
    if not _is_of_h5py(array) or array:  # one of a closed file is false
        return
    raise DataError(
        message(
            who,
            "the file of a data set must stay open while it is read",
            "a data set of h5py whose file is closed",
            "Call it inside `with h5py.File(...) as file:`, or read all of it there: x = "
            "file['x'][:].",
        )
    )


def stored_to_numpy(array: Any, who: str) -> np.ndarray:
    """All of an array in a file."""
    refuse_closed(array, who)
    return np.asarray(array[()])


def as_mapped(array: Any) -> np.memmap | None:
    """A data set of h5py that lies in its file as it is, without chunks, as a mapped file.

    So its rows are read one by one in any order; h5py takes 0.1 ms for each.
    """
    if not _is_of_h5py(array) or array.chunks is not None or array.dtype.kind not in "fiubc":
        return None
    if array.is_virtual or array.external is not None or array.file.driver not in ("sec2", "stdio"):
        return None
    if array.file.mode != "r":
        return None  # what is written later may still be with HDF5
    offset = array.id.get_offset()
    if offset is None or array.ndim == 0 or not array.size:
        return None
    name = array.file.filename
    try:
        opened = os.fstat(array.file.id.get_vfd_handle())
        if not os.path.samestat(opened, os.stat(name)):
            return None  # another file has this name now, or from the folder we are in now
        mapped = np.memmap(name, array.dtype, "r", offset, array.shape)
    except (OSError, ValueError):
        return None
    ends = (slice(0, 1), slice(len(array) - 1, None))
    is_same = all(mapped[end].tobytes() == array[end].tobytes() for end in ends)
    return mapped if is_same else None


def _is_of_h5py(array: Any) -> bool:
    return type(array).__module__.partition(".")[0] == "h5py"


__all__ = ["READ_BYTES", "StoredRows", "as_mapped", "is_stored", "refuse_closed", "stored_to_numpy"]
