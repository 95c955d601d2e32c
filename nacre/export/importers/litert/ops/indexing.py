"""Operators that write to places, look for numbers, and choose among boxes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.export.importers.litert.ops.shaping import room
from nacre.export.importers.litert.registry import Step, jax_dtype, known, op, size, sizes


@op("SCATTER_ND")
def _scatter_nd(step: Step, places: Any, updates: Any, shape: Any) -> Any:
    new, updates = tuple(sizes(shape, "the shape")), jnp.asarray(updates)
    room(new, updates.dtype, False)
    places = jnp.asarray(places)
    index = tuple(places[..., i] for i in range(places.shape[-1]))
    return jnp.zeros(new, updates.dtype).at[index].add(updates, mode="drop")


@op("SPARSE_TO_DENSE")
def _sparse_to_dense(step: Step, places: Any, shape: Any, values: Any, default: Any) -> Any:
    new, places = tuple(sizes(shape, "the shape")), jnp.asarray(places)
    values = jnp.asarray(values)
    room(new, values.dtype, False)
    if places.ndim < 2:
        places = places.reshape(-1, 1)
    index = tuple(places[:, i] for i in range(places.shape[1]))
    base = jnp.broadcast_to(jnp.asarray(default).reshape(()), new)
    return base.at[index].set(values, mode="drop")


@op("EMBEDDING_LOOKUP", weights=[1])
def _embedding_lookup(step: Step, places: Any, table: Any) -> Any:
    return jnp.take(jnp.asarray(table), jnp.asarray(places), axis=0, mode="fill")


@op("ONE_HOT")
def _one_hot(step: Step, places: Any, depth: Any, on: Any, off: Any) -> Any:
    axis, count, places = int(step["axis"]), size(depth, "the depth"), jnp.asarray(places)
    axis = places.ndim if axis == -1 else axis
    steps = jnp.arange(count).reshape([-1 if a == axis else 1 for a in range(places.ndim + 1)])
    return jnp.where(jnp.expand_dims(places, axis) == steps, on, off)


@op("MATRIX_DIAG")
def _matrix_diag(step: Step, x: Any) -> Any:
    x = jnp.asarray(x)
    return x[..., None] * jnp.eye(x.shape[-1], dtype=x.dtype)


@op("MATRIX_SET_DIAG")
def _matrix_set_diag(step: Step, x: Any, diagonal: Any) -> Any:
    x, diagonal = jnp.asarray(x), jnp.asarray(diagonal)
    rows, columns = x.shape[-2:]
    count = diagonal.shape[-1]
    is_on = jnp.arange(rows)[:, None] == jnp.arange(columns)
    wide = jnp.pad(diagonal, [(0, 0)] * (diagonal.ndim - 1) + [(0, rows - count)])
    return jnp.where(is_on, wide[..., None], x)


@op("BUCKETIZE")
def _bucketize(step: Step, x: Any) -> Any:
    edges = step.operator.options.get("boundaries")
    edges = np.zeros(0, "float32") if edges is None else np.asarray(edges)
    return jnp.searchsorted(jnp.asarray(edges), jnp.asarray(x), side="right").astype("int32")


# --- sizes that only a run tells ------------------------------------------------------------------


@op("WHERE")
def _where(step: Step, condition: Any) -> Any:
    found = np.argwhere(known(condition, "where a condition holds"))
    return found.astype(jax_dtype(step.outputs[0].dtype))


@op("UNIQUE")
def _unique(step: Step, x: Any) -> list[Any]:
    """The values in the order in which they come first, and where each one went."""
    array = known(x, "the values")
    values, first, inverse = np.unique(array, return_index=True, return_inverse=True)
    order = np.argsort(first)
    ranks = np.empty(len(order), "int64")
    ranks[order] = np.arange(len(order))
    places = ranks[inverse.reshape(-1)]
    return [values[order], places.astype(jax_dtype(step.outputs[1].dtype))]


# --- boxes ----------------------------------------------------------------------------------------


def _overlaps(boxes: Any) -> Any:
    """Intersection over union of all pairs of boxes (y, x, y, x), with any two corners."""
    low = jnp.minimum(boxes[:, :2], boxes[:, 2:])
    high = jnp.maximum(boxes[:, :2], boxes[:, 2:])
    area = jnp.prod(high - low, -1)
    shared = jnp.minimum(high[:, None], high) - jnp.maximum(low[:, None], low)
    inner = jnp.prod(jnp.maximum(shared, 0), -1)
    union = area[:, None] + area - inner
    empty = (area[:, None] <= 0) | (area <= 0)
    return jnp.where(empty, 0, inner / jnp.where(union > 0, union, 1))


def _chosen(boxes: Any, scores: Any, count: int, most: Any, least: Any, sigma: Any) -> Any:
    """Boxes one by one, the best first; others lose by how much they overlap with it.

    Source: the kernel of TFLite: a hard limit where sigma is 0, else scores fall by
    exp(-overlap² / (2 sigma)) (Soft-NMS, arXiv:1704.04503).
    """
    overlaps = _overlaps(boxes)
    low = jnp.asarray(-jnp.inf, scores.dtype)
    left = jnp.where(scores > least, scores, low)

    def body(i: Any, state: Any) -> Any:
        left, places, values, number = state
        best = jnp.argmax(left)
        value = left[best]
        is_one = value > low
        places = places.at[i].set(jnp.where(is_one, best.astype("int32"), 0))
        values = values.at[i].set(jnp.where(is_one, value, 0))
        near = overlaps[best]
        hard = jnp.where(near > most, low, left)
        soft = left * jnp.exp(-0.5 * near * near / jnp.where(sigma > 0, sigma, 1))
        soft = jnp.where((soft > least) & (near <= most), soft, low)
        new = jnp.where(sigma > 0, soft, hard).at[best].set(low)
        return jnp.where(is_one, new, left), places, values, number + is_one.astype("int32")

    start = (left, jnp.zeros(count, "int32"), jnp.zeros(count, scores.dtype), jnp.int32(0))
    return jax.lax.fori_loop(0, count, body, start)[1:]


@op("NON_MAX_SUPPRESSION_V4")
def _nms4(step: Step, boxes: Any, scores: Any, count: Any, most: Any, least: Any) -> list[Any]:
    number = size(count, "how many boxes are chosen")
    boxes, scores = jnp.asarray(boxes), jnp.asarray(scores)
    zero = jnp.zeros((), "float32")
    places, _, found = _chosen(boxes, scores, number, jnp.asarray(most), jnp.asarray(least), zero)
    return [places, found]


@op("NON_MAX_SUPPRESSION_V5")
def _nms5(
    step: Step, boxes: Any, scores: Any, count: Any, most: Any, least: Any, sigma: Any
) -> list[Any]:
    number = size(count, "how many boxes are chosen")
    ends = (jnp.asarray(most), jnp.asarray(least), jnp.asarray(sigma))
    return list(_chosen(jnp.asarray(boxes), jnp.asarray(scores), number, *ends))
