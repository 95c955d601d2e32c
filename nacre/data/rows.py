"""Arrays as rows: made from what users pass, picked by index, and sent to the device."""

from __future__ import annotations

import mmap
from typing import Any

import jax
import numpy as np

from nacre.core.dtypes import device_dtype
from nacre.core.errors import DataError, message
from nacre.core.interop import to_numpy_if_foreign
from nacre.core.strings import is_text, refuse_missing

SMALL_BYTES = 1 << 20  # copying less is not worth thinking about
MAPPED_STRETCH_BYTES = 32 << 20  # of a mapped file, read before its pages are let go of


def is_array_like(value: Any) -> bool:
    """True for arrays (also torch, pandas, TensorFlow ones), and lists or dicts of them."""
    if value is None:
        return False
    if isinstance(value, dict):
        return all(is_array_like(v) for v in value.values())
    value = to_numpy_if_foreign(value)
    if isinstance(value, np.ndarray | jax.Array):
        return True
    if isinstance(value, list | tuple) and value:
        return all(
            isinstance(v, int | float | bool | str | bytes) or is_array_like(v) for v in value
        )
    return isinstance(value, list | tuple)


def arrays_of_lists(structure: Any) -> Any:
    """Lists of numbers (or of lists of numbers) as arrays; lists of arrays stay lists."""
    if isinstance(structure, dict):
        return {key: arrays_of_lists(value) for key, value in structure.items()}
    if isinstance(structure, list | tuple):
        if structure and all(_is_plain(item) for item in structure):
            return _array_of(structure)
        if isinstance(structure, tuple) and hasattr(structure, "_fields"):
            return type(structure)(*(arrays_of_lists(item) for item in structure))
        return type(structure)(arrays_of_lists(item) for item in structure)
    return structure


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return isinstance(value, int | float | bool | str | bytes | np.number | np.bool_)


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
        return np.asarray([None] * len(rows), dtype=object)


def as_rows(value: Any, who: str) -> Any:
    """An array with rows, from an array or a list of numbers."""
    value = to_numpy_if_foreign(value)
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        try:
            value = np.asarray(value)
        except Exception:
            value = np.asarray(value, dtype=object)
    if value.dtype == object and not is_text(value):
        refuse_missing(value, who)
        raise DataError(
            message(
                who,
                "data must be arrays of numbers",
                "an array of Python objects (rows of different lengths?)",
                "Pad the rows to one length, e.g. with nacre.utils.pad_sequences.",
            )
        )
    if value.ndim == 0:
        raise DataError(
            message(who, "arrays must have rows on a first axis", f"the number {value}")
        )
    return value


def sent(arrays: list[Any]) -> list[Any]:
    """Arrays, or None, on the device."""
    return [None if a is None else jax.device_put(a) for a in arrays]


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array without values that a CPU device can use in place, without copying it.

    XLA takes over memory that begins at a multiple of 64 bytes; NumPy's begins 16 after one.
    NumPy asks the system for large pages, so filling it is also faster than XLA's own copy
    (29 ms against 67 for 188 MB).
    """
    size_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    memory = np.empty(size_bytes + 64, dtype=np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size_bytes].view(dtype).reshape(shape)


def on_device(leaf: Any) -> jax.Array:
    """A whole array on the device. (jnp.asarray would compile a little program for each shape.)"""
    if isinstance(leaf, jax.Array):
        return leaf
    dtype = device_dtype(leaf.dtype)
    if dtype == leaf.dtype and (leaf.nbytes < SMALL_BYTES or jax.default_backend() != "cpu"):
        return jax.device_put(leaf)
    copy = aligned_empty(leaf.shape, dtype)
    np.copyto(copy, leaf, casting="unsafe")
    return jax.device_put(copy)


def pick(leaf: Any, indices: np.ndarray | slice) -> Any:
    if isinstance(leaf, jax.Array):
        leaf = np.asarray(leaf)
    if leaf.dtype.kind in "OUS":
        return leaf[indices]
    dtype = device_dtype(leaf.dtype)
    if isinstance(indices, slice):
        picked = leaf[indices]
        rows = aligned_empty(picked.shape, dtype)
        np.copyto(rows, picked, casting="unsafe")
        _forget_pages(leaf)
        return rows
    rows = aligned_empty((len(indices), *leaf.shape[1:]), dtype)
    if not isinstance(leaf, np.memmap):
        if dtype == leaf.dtype:
            np.take(leaf, indices, axis=0, out=rows, mode="clip")
        else:
            rows[:] = leaf[indices]
        return rows
    # Rows are read in the order of the file, which a disk likes, and put in place after. One
    # read maps many pages around it, so pages are let go of after every stretch of the file.
    order = np.argsort(indices, kind="stable")
    for part in np.array_split(order, 1 + leaf.nbytes // MAPPED_STRETCH_BYTES):
        rows[part] = leaf[indices[part]]
        _forget_pages(leaf)
    return rows


def _forget_pages(leaf: np.ndarray) -> None:
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
