"""Reductions over elements that carry the same segment number."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.core.symbolic import KerasTensor
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Tensor, array, is_inexact
from nacre.ops._define import Family, composite
from nacre.ops.kernels.derivatives import computed_once

op = Family("math", masks=masks.IN_SEGMENTS)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _products(data: jax.Array, ids: jax.Array, num_segments: int, is_sorted: bool) -> jax.Array:
    """Products of segments. JAX has no gradient for them where an index occurs twice."""
    return jax.ops.segment_prod(data, ids, num_segments, indices_are_sorted=is_sorted)


@_products.defjvp
def _products_jvp(num_segments: int, is_sorted: bool, primals: Any, tangents: Any) -> Any:
    """Each element's tangent times the product of the others, zeros among them or not."""
    (data, ids), (change, _) = primals, tangents
    total = functools.partial(
        jax.ops.segment_sum, segment_ids=ids, num_segments=num_segments,
        indices_are_sorted=is_sorted,
    )  # fmt: skip
    is_zero = data == 0
    safe = jnp.where(is_zero, jnp.ones_like(data), data)
    product = _products(safe, ids, num_segments, is_sorted)[ids]  # of what is not zero
    other_zeros = total(is_zero.astype("int32"))[ids] - is_zero
    others = jnp.where(other_zeros == 0, product / safe, jnp.zeros_like(data))
    return _products(data, ids, num_segments, is_sorted), total(change * others)


def _whole_form(name: str) -> Any:
    """The named op of one reduction, for a known number of segments."""
    reduction = getattr(jax.ops, name)
    if name == "segment_prod":
        reduction = lambda x, ids, count, indices_are_sorted: _products(
            x, ids, count, indices_are_sorted
        )

    @composite(name=name)
    def segment(data: Tensor, segment_ids: Tensor, num_segments: int, sorted: bool) -> jax.Array:
        if name in _COMPARED and is_inexact(data):
            data = computed_once(data)
        flat = jnp.reshape(data, (-1, *data.shape[segment_ids.ndim :]))
        ids = jnp.ravel(segment_ids)
        return reduction(flat, ids, num_segments, indices_are_sorted=sorted)

    return segment


_COMPARED = ("segment_max", "segment_min")
_NAMES = ("segment_sum", "segment_prod", "segment_max", "segment_min")
_FORMS = {name: _whole_form(name) for name in _NAMES}


def _reduce(
    who: str,
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
    return _FORMS[who](data, ids, num_segments=int(num_segments), sorted=bool(is_sorted))


def _shapes(
    data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
) -> KerasTensor | None:
    """The number of segments may be in the values; the ids may have an unknown length."""
    data, ids = (x if isinstance(x, KerasTensor) else array(x) for x in (data, segment_ids))
    if num_segments is not None and None not in (*data.shape, *ids.shape):
        return None
    return KerasTensor((num_segments, *data.shape[len(ids.shape) :]), data.dtype)


@op(shape_rule=_shapes)
def segment_sum(
    data: Tensor, segment_ids: Tensor, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """The sum of each segment, 0 for an empty one.

    Example:
        >>> segment_sum([1, 2, 10], [0, 0, 1]).tolist()
        [3, 10]
    """
    return _reduce("segment_sum", data, segment_ids, num_segments, sorted)


@op(shape_rule=_shapes)
def segment_prod(
    data: Tensor, segment_ids: Tensor, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """The product of each segment, 1 for an empty one."""
    return _reduce("segment_prod", data, segment_ids, num_segments, sorted)


@op(shape_rule=_shapes)
def segment_max(
    data: Tensor, segment_ids: Tensor, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """The largest element of each segment, the smallest value of the dtype for an empty one."""
    return _reduce("segment_max", data, segment_ids, num_segments, sorted)


@op(shape_rule=_shapes)
def segment_min(
    data: Tensor, segment_ids: Tensor, num_segments: int | None = None, sorted: bool = False
) -> jax.Array:
    """The smallest element of each segment, the largest value of the dtype for an empty one."""
    return _reduce("segment_min", data, segment_ids, num_segments, sorted)


__all__, __dir__ = op.shown()
