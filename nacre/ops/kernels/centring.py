"""Numbers less their mean, as exactly as they are given."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax


def centred(x: Array, axes: int | tuple[int, ...]) -> Array:
    """`x` less its mean over `axes`.

    The mean of numbers far from 0 is rounded by more than they may differ. What it leaves of them
    is small, so the mean of that is what it was wrong by: 0 but for the rounding, and so is its
    derivative.

    Example:
        >>> centred(jnp.array([1e6, 1e6 + 0.5, 1e6 + 1]), 0).tolist()
        [-0.5, 0.0, 0.5]
    """
    around = x - jnp.mean(x, axes, keepdims=True)
    return around - lax.stop_gradient(jnp.mean(around, axes, keepdims=True))
