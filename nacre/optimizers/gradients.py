"""What happens to gradients before the update: clipping, as pure functions of arrays.

None stands for a variable without gradient and stays None.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Gradients = list[jax.Array | None]


def norm(array: jax.Array) -> jax.Array:
    """The Euclidean norm of all elements, summed in float32 for 16-bit arrays.

    Example:
        >>> float(norm(jnp.array([[3.0, 4.0]])))
        5.0
    """
    wide = array.astype(jnp.promote_types(array.dtype, jnp.float32))
    return lax.sqrt(jnp.sum(lax.square(wide)))


def global_norm(gradients: Sequence[jax.Array | None]) -> jax.Array:
    """The Euclidean norm of all gradients taken as one long vector."""
    squares = [lax.square(norm(g)).astype(jnp.float32) for g in gradients if g is not None]
    return lax.sqrt(sum(squares, jnp.float32(0.0)))


def clip_by_norm(gradients: Sequence[jax.Array | None], clipnorm: float) -> Gradients:
    """Shorten each gradient whose own norm is above `clipnorm` to that norm.

    Formula:
        g ← g · clipnorm / max(‖g‖, clipnorm)
    """

    def clipped(gradient: jax.Array) -> jax.Array:
        factor = clipnorm / lax.max(norm(gradient), jnp.float32(clipnorm))
        return gradient * factor.astype(gradient.dtype)

    return [None if g is None else clipped(g) for g in gradients]


def clip_by_global_norm(gradients: Sequence[jax.Array | None], clipnorm: float) -> Gradients:
    """Shorten all gradients by one factor when their common norm is above `clipnorm`.

    Formula:
        g ← g · clipnorm / max(‖all g‖, clipnorm)
    """
    factor = clipnorm / lax.max(global_norm(gradients), jnp.float32(clipnorm))
    return [None if g is None else g * factor.astype(g.dtype) for g in gradients]


def clip_by_value(gradients: Sequence[jax.Array | None], clipvalue: float) -> Gradients:
    """Bring every element into [-clipvalue, clipvalue]."""
    limit = jnp.asarray(clipvalue)  # a variable too

    def clipped(gradient: jax.Array) -> jax.Array:
        most = limit.astype(gradient.dtype)
        return jnp.clip(gradient, -most, most)

    return [None if g is None else clipped(g) for g in gradients]


def as_arrays(gradients: Sequence[Any]) -> Gradients:
    """Gradients of any array kind as JAX arrays."""
    return [None if g is None else jnp.asarray(g) for g in gradients]
