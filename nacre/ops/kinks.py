"""Absolute values, maxima and limits with TensorFlow's gradients where they have a corner.

XLA's own rules share a tie: each of two equal numbers gets half of the gradient of the larger, a
limit passes half of it, and |x| has slope 1 at 0, so that a weight of 0 is pushed aside.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

Pair = tuple[jax.Array, jax.Array]


@jax.custom_jvp
def _absolute(x: jax.Array) -> jax.Array:
    return jnp.absolute(x)


@_absolute.defjvp
def _(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> Pair:
    (x,), (moved,) = primals, tangents
    slope = jnp.where(x == 0, jnp.zeros_like(moved), jnp.where(x > 0, moved, -moved))
    return jnp.absolute(x), slope


@jax.custom_jvp
def _larger(x1: jax.Array, x2: jax.Array) -> jax.Array:
    return jnp.maximum(x1, x2)


@_larger.defjvp
def _(primals: Pair, tangents: Pair) -> Pair:
    return jnp.maximum(*primals), jnp.where(primals[0] >= primals[1], *tangents)


@jax.custom_jvp
def _smaller(x1: jax.Array, x2: jax.Array) -> jax.Array:
    return jnp.minimum(x1, x2)


@_smaller.defjvp
def _(primals: Pair, tangents: Pair) -> Pair:
    return jnp.minimum(*primals), jnp.where(primals[0] <= primals[1], *tangents)


def _real_floats(*values: ArrayLike) -> list[jax.Array] | None:
    """The values in the dtype they promote to, where that is a real float: there the rules hold."""
    dtype = jnp.result_type(*values)
    if not jnp.issubdtype(dtype, jnp.floating):
        return None
    found = [jnp.asarray(v) for v in values]
    # What has the dtype stays as it is: a cast would make a Python number's dtype a fixed one.
    return [v if v.dtype == dtype else v.astype(dtype) for v in found]


def absolute(x: ArrayLike) -> jax.Array:
    """The distance from zero; at 0 its gradient is 0.

    Shapes:
        x        (*any)
        returns  (*any)
    Source:
        TensorFlow's gradient of `Abs`: the sign. Differs: where `x` is NaN it is not NaN.
    Example:
        >>> float(jax.grad(absolute)(0.0))
        0.0
    """
    floats = _real_floats(x)
    return jnp.absolute(x) if floats is None else _absolute(*floats)


def larger(x1: ArrayLike, x2: ArrayLike) -> jax.Array:
    """The larger of two numbers; of two equal ones the first has the gradient.

    Shapes:
        x1, x2   shapes that broadcast
        returns  (*broadcast)
    Source:
        TensorFlow's gradient of `Maximum`.
    Example:
        >>> [float(g) for g in jax.grad(larger, (0, 1))(1.0, 1.0)]
        [1.0, 0.0]
    """
    floats = _real_floats(x1, x2)
    return jnp.maximum(x1, x2) if floats is None else _larger(*floats)


def smaller(x1: ArrayLike, x2: ArrayLike) -> jax.Array:
    """The smaller of two numbers; of two equal ones the first has the gradient.

    Shapes:
        x1, x2   shapes that broadcast
        returns  (*broadcast)
    Source:
        TensorFlow's gradient of `Minimum`.
    Example:
        >>> [float(g) for g in jax.grad(smaller, (0, 1))(1.0, 1.0)]
        [1.0, 0.0]
    """
    floats = _real_floats(x1, x2)
    return jnp.minimum(x1, x2) if floats is None else _smaller(*floats)


def limited(x: jax.Array, low: ArrayLike | None, high: ArrayLike | None) -> jax.Array:
    """Numbers within limits; one on a limit has the whole gradient.

    Shapes:
        x          (*any)
        low, high  shapes that broadcast to it; None leaves a side open
        returns    (*any)
    Source:
        TensorFlow's gradient of `ClipByValue`.
    Example:
        >>> float(jax.grad(limited)(1.0, 0.0, 1.0))
        1.0
    """
    if low is not None:
        x = larger(x, low)
    return x if high is None else smaller(x, high)
