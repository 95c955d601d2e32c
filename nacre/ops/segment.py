"""Reductions over elements that carry the same segment number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.ops._arrays import Tensor, array
from nacre.ops._define import op

KERAS_OPS_MODULE = "math"


def _reduce(
    who: str,
    reduction: Callable[..., Any],
    data: Tensor,
    segment_ids: Tensor,
    num_segments: int | None,
    is_sorted: bool,
) -> jax.Array:
    data, ids = array(data), array(segment_ids).astype("int32")
    if ids.shape != data.shape[: ids.ndim]:
        raise ArgumentError(
            message(
                who,
                "segment_ids must have the sizes of the first axes of data",
                f"segment_ids {tuple(ids.shape)} and data {tuple(data.shape)}",
            )
        )
    if num_segments is None:
        if isinstance(ids, jax.core.Tracer):
            raise ArgumentError(
                message(who, "num_segments must be given inside a traced function", "None")
            )
        num_segments = int(jnp.max(ids)) + 1
    flat = jnp.reshape(data, (-1, *data.shape[ids.ndim :]))
    return reduction(flat, jnp.ravel(ids), num_segments, indices_are_sorted=is_sorted)


@op
def segment_sum(
    data: Tensor, segment_ids: Tensor, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """The sum of each segment, 0 for an empty one.

    Example:
        >>> segment_sum([1, 2, 10], [0, 0, 1]).tolist()
        [3, 10]
    """
    return _reduce("segment_sum", jax.ops.segment_sum, data, segment_ids, num_segments, sorted)


@op
def segment_prod(
    data: Tensor, segment_ids: Tensor, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """The product of each segment, 1 for an empty one."""
    return _reduce("segment_prod", jax.ops.segment_prod, data, segment_ids, num_segments, sorted)


@op
def segment_max(
    data: Tensor, segment_ids: Tensor, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """The largest element of each segment, the smallest value of the dtype for an empty one."""
    return _reduce("segment_max", jax.ops.segment_max, data, segment_ids, num_segments, sorted)


@op
def segment_min(
    data: Tensor, segment_ids: Tensor, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """The smallest element of each segment, the largest value of the dtype for an empty one."""
    return _reduce("segment_min", jax.ops.segment_min, data, segment_ids, num_segments, sorted)
