"""8-bit floats with a scale that follows the largest values seen lately."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp


def compute_float8_scale(amax: Any, scale: Any, dtype_max: float, margin: int = 0) -> Any:
    """The scale by which values up to `amax` just fit into an 8-bit float.

    Args:
        amax: The largest value seen lately.
        scale: The scale so far, kept when `amax` is 0 or not finite.
        dtype_max: The largest number of the 8-bit dtype.
        margin: The scale is `2 ** margin` times larger than needed.

    Formula:
        s = amax · 2^margin / dtype_max
    Example:
        >>> float(compute_float8_scale(896.0, 1.0, 448.0))
        2.0
    """
    amax, scale = jnp.asarray(amax), jnp.asarray(scale)
    fitting = amax * (2.0**margin) / dtype_max
    return jnp.where((amax > 0) & jnp.isfinite(amax), fitting, scale)


def compute_float8_amax_history(x: Any, amax_history: Any) -> Any:
    """The history with the largest |x| put first, in the place of the oldest entry.

    Example:
        >>> compute_float8_amax_history(jnp.array([-5.0, 2.0]), jnp.array([1.0, 2.0, 3.0])).tolist()
        [5.0, 3.0, 1.0]
    """
    amax = jnp.max(jnp.abs(jnp.asarray(x))).astype(amax_history.dtype)
    return jnp.roll(jnp.asarray(amax_history), -1, axis=0).at[0].set(amax)


def quantize_and_dequantize(
    inputs: Any, scale: Any, quantized_dtype: str, compute_dtype: str
) -> Any:
    """`inputs` as an 8-bit float can hold them, back in the compute dtype.

    Args:
        inputs: Floats.
        scale: Numbers are divided by it before, multiplied by it after.
        quantized_dtype: 'float8_e4m3fn' or 'float8_e5m2'.
        compute_dtype: Dtype of the result.

    Example:
        >>> float(quantize_and_dequantize(jnp.array(1.06), 1.0, "float8_e4m3fn", "float32"))
        1.0
    """
    dtype = jnp.dtype(quantized_dtype)
    largest = float(jnp.finfo(dtype).max)
    scale = jnp.asarray(scale).astype(compute_dtype)
    # Cut to the range first: 8-bit floats have no room beyond it and would become NaN.
    scaled = jnp.clip(jnp.asarray(inputs).astype(compute_dtype) / scale, -largest, largest)
    return scaled.astype(dtype).astype(compute_dtype) * scale
