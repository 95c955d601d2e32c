"""Two numbers of 4 bits in one byte, the first in the lower half: as ONNX, TFLite and nacre's own
weights keep them."""

from __future__ import annotations

from typing import Any

import numpy as np


def in_bytes(numbers: Any) -> Any:
    """Each two neighbours along the first axis as one byte.

    Args:
        numbers: (2n, ...), from -8 to 7 or from 0 to 15; an array of NumPy's or of JAX's.

    Returns:
        (n, ...), uint8, an array of the same library.
    Example:
        >>> in_bytes(np.array([1, -1, 3, 0], "int8")).tolist()
        [241, 3]
    """
    # In uint8, as shifts of signed numbers would carry the sign into the other half.
    halves = numbers.astype("uint8") & 0xF
    return halves[0::2] | (halves[1::2] << 4)


def in_bytes_as_stored(numbers: np.ndarray) -> np.ndarray:
    """All numbers of an array of NumPy's, row by row, two in a byte; an odd last one is beside 0.

    Source: https://onnx.ai/onnx/technical/int4.html; LiteRT's kernels unpack alike.
    Example:
        >>> in_bytes_as_stored(np.array([[1, -1, 3]], "int8")).tolist()
        [241, 3]
    """
    return in_bytes(np.append(numbers.reshape(-1), np.zeros(numbers.size % 2, numbers.dtype)))


__all__ = ["in_bytes", "in_bytes_as_stored"]
