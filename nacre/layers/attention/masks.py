"""Which query may look at which key, and dropout of attention weights."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from nacre import ops
from nacre.core import random
from nacre.core.errors import ShapeError, message
from nacre.core.shapes import check_broadcasts, fits_leading_axes
from nacre.layers.base.input_spec import plain_sizes
from nacre.layers.regularization.dropout import drop
from nacre.layers.regularization.random_bits import keep_mask
from nacre.ops._arrays import floating
from nacre.ops.kernels.attention import attention
from nacre.ops.kernels.placement import current_placement


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
) -> Any:
    """All masks of projected attention as one.

    It broadcasts to (batch, targets, sources), or to (batch, heads, targets, sources) where the
    attention mask tells heads apart; `mask_over_axes` serves attention over other axes.

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
        part = with_axes(part, ndim)
        joined = part if joined is None else ops.logical_and(joined, part)
    return joined


def mask_over_axes(
    who: str,
    shapes: tuple[Any, Any],
    axes: tuple[int, ...],
    masks: dict[str, Any],
    is_causal: bool,
    window: int | None,
) -> Any:
    """All masks of attention over any axes as one, which broadcasts to the scores; None for none.

    The steps that attend are the places of all attention axes together, in row-major order: that
    is what "later" means for the causal mask, and "apart" for the window.

    Shapes:
        shapes                of query and value, without heads: (batch, *sizes)
        query_mask            the query's shape, or the first axes of it, or (batch, *targets)
        value_mask, key_mask  the value's shape, or the first axes of it, or (batch, *sources)
        attention_mask        (..., *targets, *sources) with an axis for each attention axis, before
                              them perhaps batch and free axes, or all of these and the heads; or
                              (batch, targets, sources) with the attention axes flattened
        returns               (batch and free axes, heads, *targets, *sources)

    Raises:
        ShapeError: A mask does not fit.
    """
    count, free = len(axes), tuple(a for a in range(len(shapes[0])) if a not in axes)
    parts = []
    for name, shape in zip(("query_mask", "value_mask", "key_mask"), (*shapes, shapes[1])):
        if (mask := masks[name]) is not None:
            mask = _over_all_axes(f"{who}, {name}", ops.cast(mask, "bool"), shape, axes)
            mask = ops.transpose(mask, (*free, *axes))
            first = len(free) + (count if name == "query_mask" else 0)
            heads_and_others = (len(free), *(first + 1 + i for i in range(count)))
            parts.append(ops.expand_dims(mask, heads_and_others))
    targets, sources = ([shape[axis] for axis in axes] for shape in shapes)
    sizes = math.prod(targets), math.prod(sources)
    flat = [causal_mask(*sizes)] if is_causal else []
    flat += [] if window is None else [window_mask(*sizes, window)]
    parts += [jnp.reshape(mask, (*targets, *sources)) for mask in flat]
    if (mask := masks["attention_mask"]) is not None:
        mask = ops.cast(mask, "bool")
        outer = [shapes[0][a] for a in free]
        if mask.ndim < 2 * count:
            wanted = (outer[0], *sizes) if len(free) == 1 else sizes
            check_broadcasts(who, "attention_mask", mask.shape, wanted)
            mask = jnp.broadcast_to(mask, (*mask.shape[:-2], *sizes))
            mask = jnp.reshape(mask, (*mask.shape[:-2], *targets, *sources))
        extra = mask.ndim - 2 * count
        lead = [*outer, None][:extra] if extra <= len(outer) else [*outer, None]
        check_broadcasts(who, "attention_mask", mask.shape, (*lead, *targets, *sources))
        parts.append(with_axes(mask, len(free) + 1 + 2 * count, count))
    return functools.reduce(ops.logical_and, parts) if parts else None


def _over_all_axes(who: str, mask: Any, shape: Any, axes: tuple[int, ...]) -> Any:
    """A mask of steps with an axis for each one of `shape`, of size 1 where it says nothing."""
    attended = (shape[0], *(shape[axis] for axis in axes))
    first = shape[: mask.ndim]
    is_first, is_attended = (
        mask.ndim == len(wanted) and fits_leading_axes(mask.shape, wanted)
        for wanted in (first, attended)
    )
    names_axes = tuple(range(1, mask.ndim)) != tuple(axes)
    if is_first and is_attended and names_axes and mask.ndim < len(shape):
        raise ShapeError(
            message(
                who,
                "the axes it covers must be clear",
                f"shape {plain_sizes(mask.shape)} for steps {plain_sizes(shape)}, where it may "
                f"cover the first axes or the attention axes {tuple(axes)}",
                f"Give it all axes: mask[:, None] or mask[..., None], {len(shape)} in all.",
            )
        )
    if is_first:
        return ops.expand_dims(mask, tuple(range(mask.ndim, len(shape))))
    if not is_attended:
        raise ShapeError(
            message(
                who,
                f"it must have the shape {plain_sizes(shape)}, its first axes, or "
                f"{plain_sizes(attended)}",
                f"shape {plain_sizes(mask.shape)}",
            )
        )
    order = sorted(range(len(axes)), key=lambda i: axes[i])
    mask = ops.transpose(mask, (0, *(i + 1 for i in order)))
    return ops.expand_dims(mask, tuple(a for a in range(1, len(shape)) if a not in axes))


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


def zeros_where_blind(outputs: Any, mask: Any) -> Any:
    """Outputs (batch, targets, heads, size), zeros where a target may look at no source.

    Args:
        mask: Broadcasts to (batch, heads, targets, sources).
    """
    sees = ops.expand_dims(ops.transpose(ops.any(mask, axis=-1), (0, 2, 1)), -1)
    return ops.where(sees, outputs, jnp.zeros((), outputs.dtype))


def dropped(weights: Any, rate: float, seed_generator: Any) -> Any:
    """Weights with a share set to zero and the rest scaled up."""
    return drop(weights, rate, random.draw_key(seed_generator))


def attended_with_dropout(
    arrays: tuple[Any, Any, Any],
    bias: Any,
    mask: Any,
    is_causal: bool,
    rate: float,
    seed_generator: Any,
) -> Any:
    """`ops.dot_product_attention` of a query, keys and values, with dropout of its weights."""
    query, key, value = map(floating, arrays)
    batch, targets, heads, size = query.shape
    batch = batch if key.shape[0] == 1 else key.shape[0]  # one of them may be 1
    if rate >= 1:
        return jnp.zeros((batch, targets, heads, value.shape[-1]), value.dtype)
    share = 1.0 - rate
    drawn = random.draw_key(seed_generator)
    return attention(
        query,
        key,
        value,
        None if bias is None else jnp.asarray(bias),
        None if mask is None else jnp.asarray(mask).astype(bool),
        scale=1 / math.sqrt(size),
        is_causal=is_causal,
        keep=keep_mask(drawn, share, (batch, heads, targets, key.shape[1])),
        share=share,
        placement=current_placement(),
    )
