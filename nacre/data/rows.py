"""Arrays as rows: made from what users pass, picked by index, and sent to the device."""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from nacre.core.dtypes import device_dtype
from nacre.core.errors import DataError, TracedValueError, message
from nacre.core.host_arrays import plain_array
from nacre.core.indices import check_width
from nacre.core.interop import (
    has_array_protocol,
    is_foreign_array,
    to_numpy_if_foreign,
)
from nacre.core.kinds import is_buffer
from nacre.core.sparse import SparseRows, is_sparse
from nacre.core.stored import StoredRows, as_mapped, is_stored, refuse_closed, stored_to_numpy
from nacre.core.tracing import is_tracer
from nacre.data.padding import is_ragged
from nacre.data.py_dataset import PyDataset

SMALL_BYTES = 1 << 20  # copying less is not worth thinking about
MAPPED_STRETCH_BYTES = 32 << 20  # of a mapped file, read before its pages are let go of
# An array in a file that is not larger is read whole: so its values are looked at before the first
# step, and it is read once, not in every epoch.
READ_WHOLE_BYTES = 128 << 20
# What reading a row maps of its surroundings: Linux's fault_around_bytes, 64 KB, at each end.
READ_AROUND_BYTES = 128 << 10


def is_array_like(value: Any) -> bool:
    """True for arrays (also of torch, TensorFlow, pandas, polars, SciPy, h5py, zarr), and lists or
    dicts of them. Nothing is converted to find out."""
    if value is None:
        return False
    if isinstance(value, np.ndarray | jax.Array | SparseRows | StoredRows):
        return True
    if (
        is_buffer(value) or is_foreign_array(value) or is_ragged(value)
    ):  # one kind of SciPy's matrices is a dict
        return True
    if isinstance(value, dict):
        return all(is_array_like(v) for v in value.values())
    if isinstance(value, list | tuple):
        return all(_is_plain(v) or is_array_like(v) for v in value) or _has_gaps(value)
    return has_array_protocol(value)


def is_source_of_batches(value: Any) -> bool:
    """True for generators, a PyDataset and a Dataset, which never are one of the arrays."""
    return isinstance(value, Iterator | PyDataset) or hasattr(value, "element_spec")


def arrays_of_lists(structure: Any) -> Any:
    """Lists of numbers (or of lists of numbers) as arrays; lists of arrays stay lists."""
    if is_buffer(structure):
        return np.asarray(structure)
    if isinstance(structure, dict) and is_sparse(structure):
        return SparseRows(structure)
    if isinstance(structure, dict):
        return {key: arrays_of_lists(value) for key, value in structure.items()}
    if isinstance(structure, list | tuple):
        if structure and (all(_is_plain(item) for item in structure) or _has_gaps(structure)):
            return _array_of(structure)
        if isinstance(structure, tuple) and hasattr(structure, "_fields"):
            return type(structure)(*(arrays_of_lists(item) for item in structure))
        return type(structure)(arrays_of_lists(item) for item in structure)
    return structure


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return isinstance(value, int | float | bool | complex | str | bytes | np.number | np.bool_)


def _has_gaps(values: Any) -> bool:
    """Whether lists of numbers or strings hold None where one is missing."""
    leaves = _leaves_of_lists(values)
    return (
        None in leaves
        and any(leaf is not None for leaf in leaves)
        and all(leaf is None or _is_plain(leaf) for leaf in leaves)
    )


def _leaves_of_lists(values: Any) -> list[Any]:
    leaves: list[Any] = []
    for value in values:
        if isinstance(value, list | tuple):
            leaves.extend(_leaves_of_lists(value))
        elif value is None or _is_plain(value):
            leaves.append(value)
        else:
            return [*leaves, values]  # an array or the like: no list of numbers
    return leaves


def _array_of(rows: Any) -> np.ndarray:
    first = rows[0]
    while isinstance(first, list | tuple) and first:
        first = first[0]
    if isinstance(first, str | bytes):
        # NumPy's own strings give every text the room of the longest.
        return np.array(rows, dtype=object)
    try:
        return np.asarray(rows)
    except ValueError:  # rows of different lengths
        array = np.empty(len(rows), dtype=object)
        array[:] = list(rows)
        return array


# Compared by kind, size and order of bytes: an array of another order is equal to none of them.
USUAL = frozenset(np.dtype(name) for name in ("float32", "float64", "int32", "int64", "uint8"))


def as_rows(value: Any, who: str, where: str = "") -> Any:
    """An array with rows, from an array, a list of numbers or whatever holds numbers in rows.

    Args:
        value: What the user passed.
        who: Who asks, for messages.
        where: Which of the arrays it is, such as "x['a']".

    Raises:
        DataError: It has no rows, holds something else than numbers or strings, or is a source of
            batches.
        TracedValueError: It is a tensor of code that is compiled.
    """
    if type(value) is np.ndarray and value.ndim and value.dtype in USUAL:
        return value  # as nearly all are
    who = f"{who}, {where}" if where else who
    if is_tracer(value):
        raise TracedValueError(
            message(
                who,
                "it goes over data, which code that is compiled has none of",
                "a tensor of a compiled step",
                "Call the model there, as in `self(x, training=False)`; for a loss and its "
                "gradients see compute_loss() and GradientTape.",
            )
        )
    if is_source_of_batches(value):
        raise DataError(  # NumPy would read it row by row, and some have no end
            message(
                who,
                "a source of batches brings inputs, targets and weights together, as x alone",
                f"a {type(value).__name__} as one of them",
                "Let it give (x, y) or (x, y, sample_weight): Dataset.zip((x, y)) joins two.",
            )
        )
    if isinstance(value, SparseRows | StoredRows | jax.Array):
        rows = value
    elif type(value) is np.ndarray:
        rows = plain_array(value, who)
    elif is_sparse(value):
        rows = SparseRows(value)
    elif is_stored(value):
        rows = stored_rows(value, who)
    else:
        value = to_numpy_if_foreign(value, who)
        if not isinstance(value, np.ndarray):
            try:
                value = np.asarray(value)
            except ValueError:
                value = np.asarray(value, dtype=object)
        rows = plain_array(value, who)
    if rows.ndim == 0:
        text = rows.dtype.kind in "OUS"
        raise DataError(
            message(
                who,
                "arrays must have rows on a first axis",
                f"the string {str(rows)[:40]!r}" if text else f"the number {rows}",
                "Put a single sample into a batch of one: np.array([value]); a generator yields "
                "whole batches, and a Dataset gives them after .batch(32).",
            )
        )
    return rows


def stored_rows(value: Any, who: str) -> Any:
    """Rows of an array in a file: read if they are few, else read when they are picked."""
    refuse_closed(value, who)
    dtype = np.dtype(value.dtype)
    if dtype.kind in "fiubc" and value.ndim and value.nbytes > READ_WHOLE_BYTES:
        mapped = as_mapped(value)
        return StoredRows(value, who) if mapped is None else mapped
    plain_array(np.empty(0, dtype), who)  # dates and fields are refused before they are read
    return plain_array(stored_to_numpy(value, who), who)


def is_picked_late(leaf: Any) -> bool:
    """Whether the whole of an array is never made: sparse ones, and large ones in files."""
    return isinstance(leaf, SparseRows | StoredRows)


def is_in_file(leaf: Any) -> bool:
    """Whether looking at all of an array would read a file."""
    return isinstance(leaf, np.memmap | StoredRows)


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array without values that a CPU device can use in place, without copying it.

    XLA takes over memory that begins at a multiple of 64 bytes; NumPy's begins 16 after one.
    NumPy asks the system for large pages, so filling it is also faster than XLA's own copy
    (29 ms against 67 for 188 MB).
    """
    size_bytes = math.prod(shape) * dtype.itemsize
    memory = np.empty(size_bytes + 64, dtype=np.uint8)
    start = -memory.__array_interface__["data"][0] % 64  # asking `ctypes` takes as long as a copy
    return memory[start : start + size_bytes].view(dtype).reshape(shape)


def in_place(buffers: list[Any]) -> list[Any] | None:
    """Memory of `aligned_empty` as arrays of the device, which is still to be filled; None where
    the device made a copy of it."""
    arrays = [None if b is None else jax.device_put(b) for b in buffers]
    pairs = zip(arrays, buffers, strict=True)
    shared = all(a is None or a.unsafe_buffer_pointer() == b.ctypes.data for a, b in pairs)
    return arrays if shared else None


def own_copy(array: np.ndarray, dtype: np.dtype, who: str) -> np.ndarray:
    """Rows of the host in the dtype they have on the device, in memory that is nobody else's.

    What a source gives it may fill anew for its next batch, while the device still reads.

    Raises:
        DTypeError: An integer does not fit; see `check_width`.
    """
    check_width(who, array, dtype)
    copy = aligned_empty(array.shape, dtype)
    np.copyto(copy, array, casting="unsafe")
    return copy


def on_device(leaf: Any, dtype: np.dtype | None = None, who: str = "data") -> jax.Array:
    """A whole array on the device. (jnp.asarray would compile a little program for each shape.)"""
    if isinstance(leaf, jax.Array):
        return leaf
    dtype = device_dtype(leaf.dtype) if dtype is None else dtype
    if dtype == leaf.dtype and (leaf.nbytes < SMALL_BYTES or jax.default_backend() != "cpu"):
        return jax.device_put(leaf)
    check_width(who, leaf, dtype)
    copy = aligned_empty(leaf.shape, dtype)
    np.copyto(copy, leaf, casting="unsafe")
    return jax.device_put(copy)


def pick(
    leaf: Any,
    indices: np.ndarray | slice,
    dtype: np.dtype | None = None,
    who: str = "data",
    out: np.ndarray | None = None,
) -> Any:
    """The rows at `indices`, in the dtype of the device unless another one is asked for.

    Args:
        leaf: An array, which is in a file, sparse or on a device, too.
        indices: Which rows.
        dtype: The dtype they get.
        who: Who asks, and which array it is, for messages.
        out: Where to put them; new memory, which a CPU device can use in place, by default.

    Raises:
        DTypeError: An integer does not fit; see `check_width`.
    """
    if isinstance(leaf, jax.Array):
        leaf = np.asarray(leaf)
    elif is_picked_late(leaf):
        leaf, indices = np.asarray(leaf[indices]), slice(None)
    if leaf.dtype.kind in "OUS":
        return leaf[indices]
    if out is None:
        dtype = device_dtype(leaf.dtype) if dtype is None else dtype
        count = len(range(*indices.indices(len(leaf))) if isinstance(indices, slice) else indices)
        out = aligned_empty((count, *leaf.shape[1:]), dtype)
    if isinstance(leaf, np.memmap) and not isinstance(indices, slice):
        # Rows are read in the order of the file, which a disk likes, and put in place after. One
        # read maps many pages around it, so pages are let go of after every stretch of the file.
        order = np.argsort(indices, kind="stable")
        row_bytes = leaf.nbytes // max(1, len(leaf))
        mapped_bytes = min(leaf.nbytes, len(order) * (row_bytes + READ_AROUND_BYTES))
        for part in np.array_split(order, 1 + mapped_bytes // MAPPED_STRETCH_BYTES):
            out[part] = _checked(leaf[indices[part]], out.dtype, who)
            forget_pages(leaf)
    elif not isinstance(indices, slice) and leaf.dtype == out.dtype:
        np.take(leaf, indices, axis=0, out=out, mode="clip")
    else:
        np.copyto(out, _checked(leaf[indices], out.dtype, who), casting="unsafe")
        forget_pages(leaf)
    return out


def _checked(rows: np.ndarray, dtype: np.dtype, who: str) -> np.ndarray:
    check_width(who, rows, dtype)
    return rows


def forget_pages(leaf: Any) -> None:
    """Let go of the pages of a mapped file that were just read, so that memory stays flat.

    They stay in the system's cache, so reading them again costs little. A copy-on-write map keeps
    its pages: it may hold changes of the user's that are nowhere else.
    """
    if not isinstance(leaf, np.memmap) or leaf.mode not in ("r", "r+"):
        return
    if not hasattr(mmap, "MADV_DONTNEED"):
        return
    mapped = getattr(leaf, "_mmap", None)
    if isinstance(mapped, mmap.mmap):
        mapped.madvise(mmap.MADV_DONTNEED)
