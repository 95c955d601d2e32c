"""Whether a user's arrays were changed in place while somebody keeps a copy of them.

A sum of all bytes is taken, near the speed of the memory (188 MB in 10 ms, where comparing with a
copy takes 32 and CRC-32 27), and only where code of the user's may run in between. It consists of
many sums, of numbers that lie a prime number apart, and of as many for another prime: numbers that
change places without changing the sums of the one lie in other sums of the other, as a block is
shorter than what both primes divide.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

_LANES = (1021, 1019)  # primes
_BLOCK_BYTES = 4 << 20  # summed at once; less than 1021 * 1019 numbers of 8 bytes


class WatchedArrays:
    """Arrays of NumPy, to find out later whether their numbers changed.

    Args:
        arrays: Others than arrays of NumPy in memory, and those of objects, are left out: tensors
            of JAX do not change, and to look at a file would read it.

    Example:
        >>> numbers = np.zeros(3)
        >>> watched = WatchedArrays([numbers])
        >>> watched.have_changed()
        False
        >>> numbers[1] = 5
        >>> watched.have_changed(), watched.have_changed()
        (True, False)
    """

    def __init__(self, arrays: Iterable[Any]) -> None:
        self._arrays = [a for a in arrays if type(a) is np.ndarray and not a.dtype.hasobject]
        self._sums = [_sums(a) for a in self._arrays]

    def have_changed(self) -> bool:
        """Whether they hold something else than at the last look."""
        before, self._sums = self._sums, [_sums(a) for a in self._arrays]
        return self._sums != before


def _sums(array: np.ndarray) -> list[bytes]:
    if array.flags.c_contiguous:
        return _sums_of_bytes(array.reshape(-1).view(np.uint8))
    row_bytes = max(1, array.nbytes // max(1, len(array)))
    step = max(1, _BLOCK_BYTES // row_bytes)
    found: list[bytes] = []
    for first in range(0, len(array), step):
        part = np.ascontiguousarray(array[first : first + step])
        found += _sums_of_bytes(part.reshape(-1).view(np.uint8))
    return found


def _sums_of_bytes(data: np.ndarray) -> list[bytes]:
    found: list[bytes] = []
    for first in range(0, len(data), _BLOCK_BYTES):
        part = data[first : first + _BLOCK_BYTES]
        for lanes in _LANES:
            whole = len(part) // (lanes * 8) * (lanes * 8)
            if whole:
                numbers = part[:whole].view(np.uint64).reshape(-1, lanes)
                found.append(np.add.reduce(numbers, axis=0).tobytes())
            found.append(part[whole:].tobytes())
    return found


__all__ = ["WatchedArrays"]
