"""Which query may look at which key, and dropout of attention weights."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from nacre import ops
from nacre.core import random


def causal_mask(targets: Any, sources: Any) -> Any:
    """(targets, sources), True where a source is not later than its target."""
    rows, columns = (lax.broadcasted_iota("int32", (targets, sources), axis) for axis in (0, 1))
    return rows >= columns


def window_mask(targets: Any, sources: Any, window: int) -> Any:
    """(targets, sources), True where the two are fewer than `window` steps apart."""
    rows, columns = (lax.broadcasted_iota("int32", (targets, sources), axis) for axis in (0, 1))
    return jnp.abs(rows - columns) < window


def joined_mask(
    query: Any,
    value: Any,
    query_mask: Any,
    value_mask: Any,
    key_mask: Any,
    attention_mask: Any,
    is_causal: bool,
    window: int | None,
    num_axes: int = 1,
) -> Any:
    """All masks of projected attention as one.

    It broadcasts to (batch, targets, sources), or to (batch, heads, targets, sources) where the
    attention mask tells heads apart; attention over `num_axes` has as many axes for each of both.

    Shapes:
        query, value          (batch, targets or sources, ...)
        query_mask            (batch, targets)
        value_mask, key_mask  (batch, sources)
        attention_mask        (batch, targets, sources), or whatever broadcasts to it
    """
    parts = []
    if query_mask is not None:
        parts.append(ops.expand_dims(ops.cast(query_mask, "bool"), -1))
    for mask in (value_mask, key_mask):
        if mask is not None:
            parts.append(ops.expand_dims(ops.cast(mask, "bool"), -2))
    targets, sources = query.shape[1], value.shape[1]
    if is_causal:
        parts.append(causal_mask(targets, sources)[None])
    if window is not None:
        parts.append(window_mask(targets, sources, window)[None])
    if attention_mask is not None:
        parts.append(ops.cast(attention_mask, "bool"))
    joined = None
    ndim = max((part.ndim for part in parts), default=0)
    for part in parts:
        part = with_axes(part, ndim, num_axes)
        joined = part if joined is None else ops.logical_and(joined, part)
    return joined


def with_axes(mask: Any, ndim: int, num_axes: int = 1) -> Any:
    """A mask with new axes, as those of heads, before the targets until it has `ndim` of them."""
    for _ in range(ndim - mask.ndim):
        mask = ops.expand_dims(mask, max(-2 * num_axes - 1, -mask.ndim - 1))
    return mask


def masked_softmax(scores: Any, mask: Any, axes: tuple[int, ...]) -> Any:
    """Softmax over `axes` of allowed places; zeros where no place is allowed."""
    if mask is None:
        return ops.softmax(scores, axis=axes if len(axes) > 1 else axes[0])
    lowest = jnp.asarray(-0.7 * float(jnp.finfo(scores.dtype).max), scores.dtype)
    weights = ops.softmax(ops.where(mask, scores, lowest), axis=axes if len(axes) > 1 else axes[0])
    return ops.where(mask, weights, jnp.zeros((), weights.dtype))


def dropped(weights: Any, rate: float, seed_generator: Any) -> Any:
    """Weights with a share set to zero and the rest scaled up."""
    kept = jax.random.bernoulli(random.draw_key(seed_generator), 1 - rate, weights.shape)
    return ops.where(kept, weights / (1 - rate), jnp.zeros((), weights.dtype))
