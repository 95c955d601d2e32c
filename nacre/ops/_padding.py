"""What an axis is padded with out of itself, where its size may be open."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# What repeats an axis endlessly: with its ends once or twice at each turn, or from its beginning.
REPEATING = ("reflect", "symmetric", "wrap")


def pad_repeating(x: jax.Array, pad_width: Any, mode: str) -> jax.Array:
    """`x` padded with its own elements, mirrored or from the other end, by NumPy's rules.

    JAX's pad must know that an axis is longer than what it adds; axes whose size is open, as in a
    graph of a model for any length, are padded by the place of each element instead.

    Args:
        x: The array.
        pad_width: (before, after) of each axis, or what NumPy broadcasts to that.
        mode: One of `REPEATING`.
    """
    widths = np.broadcast_to(np.asarray(pad_width, "int64"), (x.ndim, 2)).tolist()
    is_open = [jax.export.is_symbolic_dim(size) for size in x.shape]
    for axis, (before, after) in enumerate(widths):
        if is_open[axis] and (before or after):
            places = _places(x.shape[axis], before, after, mode)
            x = jnp.take(x, places, axis=axis, mode="clip")
            widths[axis] = [0, 0]
    return jnp.pad(x, widths, mode=mode)


def _places(size: Any, before: int, after: int, mode: str) -> jax.Array:
    """Where in an axis of an open size the elements of the padded one are."""
    steps = jnp.arange(size + (before + after), dtype="int32") - before
    last = jnp.asarray(size, "int32") - 1
    if mode == "wrap":
        return jnp.mod(steps, last + 1)
    ends = 1 if mode == "symmetric" else 0  # the element at the end, once more
    period = jnp.maximum(2 * (last + ends), 1)
    turned = jnp.mod(steps, period)
    return jnp.minimum(turned, period - ends - turned)


__all__ = ["REPEATING", "pad_repeating"]
