"""Digits that tell arrays and numbers apart, so that a file knows what it was made of."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from nacre.data.dataset.ragged import Ragged
from nacre.data.dataset.sparse import SparseEntries

_ALL_BYTES = 1 << 26  # up to 64 MB every byte counts: 0.1 s
_PARTS, _PART_BYTES = 256, 1 << 16  # of larger arrays so many parts, spread evenly


class _Digest(Protocol):
    def update(self, data: Any, /) -> None: ...


def add_to(digest: _Digest, value: Any) -> None:
    """Take a structure of arrays, numbers and strings into account."""
    if isinstance(value, dict):
        for key, item in value.items():
            digest.update(repr(key).encode())
            add_to(digest, item)
    elif isinstance(value, list | tuple):
        digest.update(f"{len(value)} of".encode())
        for item in value:
            add_to(digest, item)
    elif isinstance(value, Ragged):
        add_to(digest, (value.values, value.row_splits))
    elif isinstance(value, SparseEntries):
        add_to(digest, (value.indices, value.values, value.dense_shape))
    elif hasattr(value, "dtype") and hasattr(value, "shape"):
        _add_array(digest, value)
    elif value is None or isinstance(value, str | bytes | int | float):
        digest.update(repr(value).encode())
    else:
        digest.update(type(value).__name__.encode())


def _add_array(digest: _Digest, array: Any) -> None:
    digest.update(f"{array.dtype} {tuple(array.shape)}".encode())
    if not array.shape or np.dtype(array.dtype) == object:
        for item in np.asarray(array).ravel():
            digest.update(repr(item).encode())
        return
    row_bytes = int(np.prod(array.shape[1:], dtype=np.int64)) * np.dtype(array.dtype).itemsize
    rows = len(array)
    if rows * row_bytes <= _ALL_BYTES:
        digest.update(np.ascontiguousarray(array).view(np.ndarray).tobytes())
        return
    each = max(1, _PART_BYTES // max(1, row_bytes))
    for start in np.unique(np.linspace(0, rows - each, _PARTS).astype(np.int64)).tolist():
        digest.update(np.ascontiguousarray(array[start : start + each]).tobytes())


__all__ = ["add_to"]
