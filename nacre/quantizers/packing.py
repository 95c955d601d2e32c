"""Two 4-bit numbers in one byte."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from nacre.core.errors import ArgumentError, DTypeError, message
from nacre.core.nibbles import in_bytes

_DTYPES = ("int8", "uint8")


def pack_int4(arr: Any, axis: int = 0, dtype: str = "int8") -> tuple[Any, tuple[int, ...], int]:
    """Put each two neighbours along an axis into one byte: the first into its low half.

    Args:
        arr: Numbers in [-8, 7] as int8, or in [0, 15] as uint8.
        axis: The axis of the neighbours; a zero is appended when its size is odd.
        dtype: Dtype of `arr` and of the bytes.

    Returns:
        (bytes, their shape, the size of the axis before).
    Raises:
        DTypeError: `arr` has another dtype.
    Example:
        >>> import numpy as np
        >>> packed, shape, rows = pack_int4(np.array([[1], [-1], [7]], "int8"))
        >>> packed.tolist(), shape, rows
        ([[-15], [7]], (2, 1), 3)
    """
    _check_dtype("pack_int4", dtype)
    if str(arr.dtype) != dtype:
        raise DTypeError(message("pack_int4", f"arr must be {dtype}", str(arr.dtype)))
    lines = jnp.moveaxis(jnp.asarray(arr), axis, 0)
    size = lines.shape[0]
    if size % 2:
        lines = jnp.pad(lines, [(0, 1), *[(0, 0)] * (lines.ndim - 1)])
    packed = jnp.moveaxis(in_bytes(lines).astype(dtype), 0, axis)
    return packed, tuple(packed.shape), size


def unpack_int4(packed: Any, orig_len: int, axis: int = 0, dtype: str = "int8") -> Any:
    """The numbers that `pack_int4` put into bytes.

    Args:
        packed: Bytes.
        orig_len: The size of the axis before packing.
        axis: The axis that was packed.
        dtype: 'int8' gives numbers in [-8, 7], 'uint8' in [0, 15].

    Raises:
        DTypeError: `packed` holds no bytes.
    Example:
        >>> import numpy as np
        >>> unpack_int4(np.array([-15, 7], "int8"), 3).tolist()
        [1, -1, 7]
    """
    _check_dtype("unpack_int4", dtype)
    if str(packed.dtype) not in _DTYPES:
        raise DTypeError(message("unpack_int4", "packed must be int8 or uint8", str(packed.dtype)))
    lines = jnp.moveaxis(jnp.asarray(packed), axis, 0).astype("uint8")
    halves = jnp.stack([lines & 0xF, lines >> 4], axis=1)  # (size / 2, 2, *rest)
    numbers = halves.reshape((-1, *lines.shape[1:]))[:orig_len]
    if dtype == "int8":
        # 8...15 stand for -8...-1.
        numbers = (numbers ^ 8).astype("int8") - jnp.int8(8)
    return jnp.moveaxis(numbers, 0, axis)


def _check_dtype(who: str, dtype: str) -> None:
    if dtype not in _DTYPES:
        raise ArgumentError(message(who, "dtype must be 'int8' or 'uint8'", repr(dtype)))
