"""Roots of sums of powers: lengths and spreads, whose slope at zero is zero.

The root's own slope is infinite there. With that of the sum, which is zero, it makes NaN, and one
padded row of zeros makes NaN of all weights behind it. As in PyTorch's norms, the slope is zero.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

Axes = int | tuple[int, ...] | None


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def root(total: Array, order: float = 2) -> Array:
    """The root of a sum of powers, `total ** (1 / order)`.

    Example:
        >>> jax.grad(root)(0.0).item(), jax.grad(root)(4.0).item()
        (0.0, 0.25)
    """
    return jnp.sqrt(total) if order == 2 else total ** (1 / order)


@root.defjvp
def _root_slope(order: float, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (total,), (d_total,) = primals, tangents
    found = root(total, order)
    is_zero = total == 0
    slope = found / jnp.where(is_zero, 1, total) / order
    return found, jnp.where(is_zero, 0, slope) * d_total


def norm(x: Array, order: Any = None, axis: Axes = None, keepdims: bool = False) -> Array:
    """`jnp.linalg.norm` with a gradient of zero at zero."""
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    is_vector = len(axes) == 1 and isinstance(order, int | float) and 1 < order < math.inf
    is_euclidean = order is None and (axis is None or len(axes) <= 2)
    is_frobenius = order == "fro" and len(axes) == 2
    if not (is_vector or is_euclidean or is_frobenius):
        return jnp.linalg.norm(x, ord=order, axis=axis, keepdims=keepdims)
    power = order if is_vector else 2
    size = jnp.abs(wide(x))
    powers = jnp.square(size) if power == 2 else size**power
    return root(jnp.sum(powers, axis=axes, keepdims=keepdims), power).astype(jnp.abs(x).dtype)


def wide(x: Array) -> Array:
    """float32 for 16-bit floats: the square of 256 is no number of float16, nor is that of 1e-4."""
    return x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def inverse_length(squares: Array, shortest: float) -> Array:
    """1 / sqrt(squares), of a length of at least `shortest`.

    Example:
        >>> inverse_length(jnp.array([0.0, 4.0]), 0.1).tolist()
        [10.0, 0.5]
    """
    return jnp.minimum(jax.lax.rsqrt(squares), 1 / shortest)


@inverse_length.defjvp
def _inverse_length_slope(
    shortest: float, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
    (squares,), (d_squares,) = primals, tangents
    found = inverse_length(squares, shortest)
    is_short = found >= 1 / shortest
    slope = -0.5 * found / jnp.where(is_short, 1, squares)
    return found, jnp.where(is_short, 0, slope) * d_squares
