"""Floats to whole numbers in a small range, by a scale and perhaps a zero point."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.dtypes import standardize_dtype
from nacre.core.errors import ShapeError, message

Range = tuple[int, int]


def abs_max_quantize(
    inputs: Any,
    axis: Any,
    value_range: Range = (-127, 127),
    dtype: str = "int8",
    epsilon: float = 1e-7,
    to_numpy: bool = False,
) -> tuple[Any, Any]:
    """Whole numbers and the scale that makes the largest |x| the end of the range.

    Args:
        inputs: Floats.
        axis: Axis or axes that share a scale; None for all.
        value_range: Lowest and highest whole number.
        dtype: Dtype of the whole numbers.
        epsilon: Added to the largest |x|, so that zeros have a scale.
        to_numpy: Compute on the host, which needs no room on the device.

    Returns:
        (whole numbers, scale); the scale keeps the reduced axes with size 1.
    Formula:
        s = high / (max |x| + epsilon),  q = clip(round(x · s)),  x ≈ q / s
    Example:
        >>> q, scale = abs_max_quantize(jnp.array([[1.0, -4.0]]), axis=-1)
        >>> q.tolist()
        [[32, -127]]
    """
    if to_numpy:
        inputs, math = np.asarray(inputs), np
    else:
        inputs, math = jnp.asarray(inputs), jnp
    out_dtype = inputs.dtype
    # 16-bit floats lack the digits for the quotient.
    wide = inputs.astype("float32") if out_dtype.itemsize < 4 else inputs
    axis = tuple(axis) if isinstance(axis, list) else axis
    largest = math.max(math.abs(wide), axis=axis, keepdims=True)
    scale = (value_range[1] / (largest + wide.dtype.type(epsilon))).astype(wide.dtype)
    whole = math.clip(math.round(wide * scale), value_range[0], value_range[1])
    return jnp.asarray(whole.astype(dtype)), jnp.asarray(scale.astype(out_dtype))


def abs_max_quantize_grouped_with_zero_point(
    inputs: Any,
    block_size: int,
    value_range: Range = (-8, 7),
    dtype: str = "int8",
    epsilon: float = 1e-7,
    to_numpy: bool = False,
) -> tuple[Any, Any, Any]:
    """Whole numbers of a matrix, with a scale and a zero point for each block of rows.

    Args:
        inputs: Floats (rows, columns).
        block_size: Number of neighbouring rows that share, column by column, scale and zero point.
        value_range: Lowest and highest whole number.
        dtype: Dtype of the whole numbers and of the zero points.
        epsilon: Added to the width of a block.
        to_numpy: Compute on the host, which needs no room on the device.

    Shapes:
        returns (rows, columns), scale (blocks, columns), zero point (blocks, columns)
    Formula:
        s = (max - min + epsilon) / (high - low),  z = clip(round(low - min / s)),
        q = clip(round(x / s + z)),  x ≈ (q - z) · s
    Raises:
        ShapeError: `inputs` is no matrix.
    Source:
        Keras 3.15: the zero point is cut to the range too, so a block far from zero loses digits;
        a last block that is not full is filled with zeros (on the device not the only one); a
        constant block is taken as one of width 2 on the device, of `epsilon` on the host.
    Example:
        >>> q, s, z = abs_max_quantize_grouped_with_zero_point(jnp.array([[2.0], [-1.0]]), 2)
        >>> q.ravel().tolist(), z.ravel().tolist()
        ([7, -8], [-3])
    """
    if inputs.ndim != 2:
        raise ShapeError(
            message(
                "abs_max_quantize_grouped_with_zero_point",
                "inputs must be a matrix",
                f"shape {tuple(inputs.shape)}",
            )
        )
    if to_numpy:
        inputs, math = np.asarray(inputs), np
    else:
        inputs, math = jnp.asarray(inputs), jnp
    rows, columns = inputs.shape
    low, high = value_range
    if not to_numpy:
        block_size = min(block_size, rows)
    count = -(-rows // block_size)
    padded = math.pad(inputs, ((0, count * block_size - rows), (0, 0)))
    blocks = padded.reshape(count, block_size, columns)
    least = blocks.min(axis=1, keepdims=True)  # (blocks, 1, columns)
    most = blocks.max(axis=1, keepdims=True)
    if not to_numpy:
        constant = most == least
        least, most = math.where(constant, least - 1, least), math.where(constant, most + 1, most)
    kind = inputs.dtype.type
    scale = (most - least + kind(epsilon)) / kind(high - low)
    zero = math.clip(math.round(low - least / scale), low, high)
    whole = math.clip(math.round(blocks / scale + zero), low, high)
    whole = whole.reshape(-1, columns)[:rows].astype(dtype)
    return jnp.asarray(whole), jnp.asarray(scale[:, 0]), jnp.asarray(zero[:, 0].astype(dtype))


def fake_quant_with_min_max_vars(
    inputs: Any,
    min_vals: Any,
    max_vals: Any,
    num_bits: int = 8,
    narrow_range: bool = False,
    axis: int | None = None,
) -> Any:
    """Floats rounded to the steps that whole numbers of `num_bits` bits can tell apart.

    Choose it in training, so that a model learns to live with the rounding.

    Args:
        inputs: Floats.
        min_vals, max_vals: Ends of the range: numbers, or one for each index along `axis`.
        num_bits: Number of bits.
        narrow_range: Leave the lowest whole number out.
        axis: Axis with ranges of its own; None for one range.

    Formula:
        The range is moved so that 0 is a step; y = step · round((clip(x) - low) / step) + low.
        dx is passed inside the range, dmin gets what lies below, dmax what lies above.
    Source:
        Jacob et al. 2017, arXiv:1712.05877, section 3.
    Example:
        >>> fake_quant_with_min_max_vars(jnp.array([0.4, 3.0]), 0.0, 1.0, num_bits=1).tolist()
        [0.0, 1.0]
    """
    inputs = jnp.asarray(inputs)
    dtype = standardize_dtype(inputs.dtype)
    ends = [jnp.asarray(end, dtype=dtype) for end in (min_vals, max_vals)]
    if axis is not None:
        shape = [1] * inputs.ndim
        shape[axis] = -1
        ends = [jnp.broadcast_to(end, (inputs.shape[axis],)).reshape(shape) for end in ends]
    return _fake_quant(inputs, *ends, (1 if narrow_range else 0, 2**num_bits - 1))


def _steps(least: Any, most: Any, levels: Range) -> tuple[Any, Any, Any]:
    """Lowest and highest value, and the step, with 0 among the values."""
    lowest, highest = levels
    empty = most <= least
    step = jnp.where(empty, 1, (most - least) / (highest - lowest))
    zero = jnp.clip(jnp.floor(lowest - least / step + 0.5), lowest, highest)
    ends = ((lowest - zero) * step, (highest - zero) * step)
    low, high = (jnp.where(empty, 0, end).astype(least.dtype) for end in ends)
    return low, high, step


@jax.custom_jvp
def _rounded(x: Any, least: Any, most: Any, low: Any, high: Any, step: Any) -> Any:
    return jnp.floor((jnp.clip(x, low, high) - low) / step + 0.5) * step + low


@_rounded.defjvp
def _rounded_jvp(primals: Any, tangents: Any) -> Any:
    x, _, _, low, high, _ = primals
    dx, dleast, dmost, *_ = tangents
    inside = jnp.where((x >= low) & (x <= high), dx, 0)
    moved = jnp.where(x < low, dleast, jnp.where(x > high, dmost, inside))
    return _rounded(*primals), moved.astype(x.dtype)


def _fake_quant(x: Any, least: Any, most: Any, levels: Range) -> Any:
    low, high, step = (jax.lax.stop_gradient(v) for v in _steps(least, most, levels))
    return _rounded(x, least, most, low, high, step)
