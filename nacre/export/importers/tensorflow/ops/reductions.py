"""Sums, means and the like over axes, over segments, and from the beginning on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.export.importers.tensorflow.ops.math import cast
from nacre.export.importers.tensorflow.registry import Node, op
from nacre.export.importers.tensorflow.values import (
    GraphError,
    dtype,
    integer,
    ints,
    is_known,
    known,
    numbers,
)


def _over_axes(name: str) -> Callable[..., Any]:
    keeps_dtype = name in ("sum", "prod")

    def reduce(node: Node, x: Any, axes: Any) -> Any:
        if is_known(x) and x.dtype == object:
            raise GraphError("strings cannot be summed")
        options = {"dtype": x.dtype} if keeps_dtype else {}
        return getattr(numbers(x), name)(
            x, axis=_axes(axes, x), keepdims=bool(node.get("keep_dims", False)), **options
        )

    return reduce


def _axes(axes: Any, x: Any) -> tuple[int, ...]:
    return tuple(sorted({axis % max(x.ndim, 1) for axis in ints(axes)}))


for _op, _name in {
    "Sum": "sum",
    "Prod": "prod",
    "Max": "max",
    "Min": "min",
    "All": "all",
    "Any": "any",
}.items():
    op(_op, known=True)(_over_axes(_name))


@op("Mean", known=True)
def _mean(node: Node, x: Any, axes: Any) -> Any:
    keep, over = bool(node.get("keep_dims", False)), _axes(axes, x)
    if np.dtype(x.dtype).kind not in "iu":
        return numbers(x).mean(x, axis=over, keepdims=keep).astype(x.dtype)
    count = int(np.prod([x.shape[axis] for axis in over], dtype=np.int64)) or 1
    whole, rest = _shares(x, over, keep, count)
    # Towards zero, as whole numbers are divided there.
    return (whole + ((whole < 0) & (rest > 0))).astype(x.dtype)


_MOST_RESTS = 1 << 16  # the sum of as many rests fits into 32 bits


def _shares(x: Any, over: tuple[int, ...], keep: bool, count: int) -> tuple[Any, Any]:
    """The mean of whole numbers rounded down, and what is left of their sum.

    The sum itself may not fit into their bits, where the mean does.
    """
    module = numbers(x)
    if is_known(x) or np.dtype(x.dtype).itemsize < 4:
        wide: Any = np.int64 if is_known(x) else np.int32
        return module.divmod(module.sum(x, axis=over, keepdims=keep, dtype=wide), count)
    if count >= _MOST_RESTS:
        return module.divmod(module.sum(x, axis=over, keepdims=keep, dtype=x.dtype), count)
    each, left = module.divmod(x, count)
    lefts = module.sum(left.astype(np.uint32), axis=over, keepdims=keep, dtype=np.uint32)
    carried, rest = module.divmod(lefts, np.uint32(count))
    sums = module.sum(each, axis=over, keepdims=keep, dtype=x.dtype)
    return sums + carried.astype(x.dtype), rest


@op("EuclideanNorm")
def _euclidean_norm(node: Node, x: Any, axes: Any) -> Any:
    keep = bool(node.get("keep_dims", False))
    return jnp.sqrt(jnp.sum(jnp.square(x), axis=_axes(axes, x), keepdims=keep))


@op("ArgMax", "ArgMin")
def _arg(node: Node, x: Any, axis: Any) -> Any:
    """NaN is never the one, there: no comparison with it holds."""
    is_most = node.op == "ArgMax"
    if np.dtype(x.dtype).kind not in "iub":
        x = jnp.where(jnp.isnan(x), -jnp.inf if is_most else jnp.inf, x)
    found = (jnp.argmax if is_most else jnp.argmin)(x, axis=integer(axis))
    return cast(found, dtype(node["output_type"]))


# --- from the beginning on ------------------------------------------------------------------------


@op("Cumsum", "Cumprod", "CumulativeLogsumexp")
def _cumulative(node: Node, x: Any, axis: Any) -> Any:
    at, x = integer(axis) % x.ndim, jnp.asarray(x)
    function = {"Cumsum": lax.cumsum, "Cumprod": lax.cumprod}.get(node.op, lax.cumlogsumexp)
    first = {"Cumsum": 0, "Cumprod": 1}.get(node.op, -np.inf)
    backwards = bool(node.get("reverse", False))
    found = function(x, axis=at, reverse=backwards)
    if not node.get("exclusive", False):
        return found
    pads = [(0, 0, 0)] * x.ndim
    pads[at] = (-1, 1, 0) if backwards else (1, -1, 0)
    return lax.pad(found, jnp.asarray(first, x.dtype), pads)


# --- segments -------------------------------------------------------------------------------------


def _segments(node: Node, x: Any, ids: Any, count: Any) -> Any:
    size = integer(count)
    rank = jnp.ndim(ids)
    flat_ids = jnp.reshape(jnp.asarray(ids), (-1,))
    flat = jnp.reshape(jnp.asarray(x), (-1, *x.shape[rank:]))
    flat_ids = jnp.where(flat_ids < 0, size, flat_ids)  # those are left out
    kind = node.op.removeprefix("Unsorted").removeprefix("Segment")
    function = {"Sum": jax.ops.segment_sum, "Prod": jax.ops.segment_prod}.get(kind)
    if function is not None:
        return function(flat, flat_ids, size)
    function = jax.ops.segment_max if kind == "Max" else jax.ops.segment_min
    found = function(flat, flat_ids, size)
    empty = jax.ops.segment_sum(jnp.ones_like(flat_ids), flat_ids, size) == 0
    info: Any = np.iinfo(flat.dtype) if flat.dtype.kind in "iu" else jnp.finfo(flat.dtype)
    start = info.min if kind == "Max" else info.max
    shaped = empty.reshape((-1,) + (1,) * (found.ndim - 1))
    return jnp.where(shaped, jnp.asarray(start, found.dtype), found)


op("UnsortedSegmentSum", "UnsortedSegmentProd", "UnsortedSegmentMax", "UnsortedSegmentMin")(
    _segments
)


@op("SegmentSum", "SegmentMean", "SegmentProd", "SegmentMax", "SegmentMin")
def _sorted_segments(node: Node, x: Any, ids: Any) -> Any:
    ids = known(ids)
    size = int(ids[-1]) + 1 if len(ids) else 0
    kind = node.op.removeprefix("Segment")
    total = Node(f"UnsortedSegment{'Sum' if kind == 'Mean' else kind}", node.name)
    found = _segments(total, x, ids, np.asarray(size))
    counts = np.bincount(ids, minlength=size).reshape((-1,) + (1,) * (found.ndim - 1))
    if kind == "Mean":
        return (found / np.maximum(counts, 1)).astype(found.dtype)
    return jnp.where(counts == 0, jnp.asarray(1 if kind == "Prod" else 0, found.dtype), found)


@op("SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN")
@op(
    "SparseSegmentSumWithNumSegments",
    "SparseSegmentMeanWithNumSegments",
    "SparseSegmentSqrtNWithNumSegments",
)
def _sparse_segments(node: Node, data: Any, indices: Any, ids: Any, count: Any = None) -> Any:
    if count is None:
        ids = known(ids)
        count = int(ids[-1]) + 1 if len(ids) else 0
    size = integer(count)
    rows = jnp.take(jnp.asarray(data), jnp.asarray(indices), axis=0)
    total = jax.ops.segment_sum(rows, jnp.asarray(ids), size)
    if "Sum" in node.op.removesuffix("WithNumSegments"):
        return total
    counts = jax.ops.segment_sum(jnp.ones(jnp.shape(ids), total.dtype), jnp.asarray(ids), size)
    counts = jnp.maximum(counts, 1).reshape((-1,) + (1,) * (total.ndim - 1))
    return total / (jnp.sqrt(counts) if "SqrtN" in node.op else counts)


# --- counts ---------------------------------------------------------------------------------------


@op("Bincount")
def _bincount(node: Node, x: Any, size: Any, weights: Any) -> Any:
    return _counted(jnp.reshape(jnp.asarray(x), (1, -1)), integer(size), weights, False, node)[0]


@op("DenseBincount")
def _dense_bincount(node: Node, x: Any, size: Any, weights: Any) -> Any:
    x = jnp.asarray(x)
    rows = x if x.ndim == 2 else x[None]
    found = _counted(rows, integer(size), weights, bool(node.get("binary_output", False)), node)
    return found if x.ndim == 2 else found[0]


def _counted(rows: Any, size: int, weights: Any, is_binary: bool, node: Node) -> Any:
    """[batch, values] -> [batch, size]; what is outside counts nothing."""
    kind = jax.dtypes.canonicalize_dtype(dtype(node["T"]))
    weights = jnp.asarray(weights, kind)
    weights = weights.reshape(rows.shape) if weights.size else jnp.ones(rows.shape, kind)
    at = jnp.where(rows < 0, size, rows)
    batch = jnp.arange(rows.shape[0])[:, None]
    zeros = jnp.zeros((rows.shape[0], size), kind)
    if is_binary:
        return zeros.at[batch, at].set(1, mode="drop")
    return zeros.at[batch, at].add(weights, mode="drop")


@op("HistogramFixedWidth")
def _histogram(node: Node, values: Any, limits: Any, count: Any) -> Any:
    size = integer(count)
    low, high = jnp.asarray(limits)[0], jnp.asarray(limits)[1]
    at = jnp.clip(jnp.floor((jnp.ravel(values) - low) / (high - low) * size), 0, size - 1)
    found = jnp.zeros((size,), jnp.int32).at[at.astype(jnp.int32)].add(1)
    return cast(found, dtype(node["dtype"]))


# --- order ----------------------------------------------------------------------------------------


@op("TopKV2")
def _top_k(node: Node, x: Any, k: Any) -> Any:
    x = jnp.asarray(x)
    if np.dtype(x.dtype).kind in "iub":
        values, at = lax.top_k(x, integer(k))
    else:  # of equals the first comes first, and 0 is no more than -0
        ordered = lax.stop_gradient(jnp.where(x == 0, jnp.zeros((), x.dtype), x))
        _, at = lax.top_k(ordered, integer(k))
        values = jnp.take_along_axis(x, at, axis=-1)
    return values, cast(at, dtype(node.get("index_type") or 3))


@op("InTopKV2", "InTopK")
def _in_top_k(node: Node, predictions: Any, targets: Any, k: Any = None) -> Any:
    most = node["k"] if k is None else k
    picked = jnp.take_along_axis(jnp.asarray(predictions), jnp.asarray(targets)[:, None], axis=1)
    above = jnp.sum(predictions > picked, axis=1)
    return (above < most) & jnp.isfinite(predictions).all(axis=1)


@op("LowerBound", "UpperBound")
def _bound(node: Node, ordered: Any, values: Any) -> Any:
    side = "left" if node.op == "LowerBound" else "right"
    values = jnp.asarray(values)
    found = jax.vmap(lambda row, of: jnp.searchsorted(row, of, side=side))(
        jnp.asarray(ordered), values
    )
    if np.dtype(values.dtype).kind not in "iub":  # nothing is below NaN, and nothing above it
        end = 0 if side == "left" else np.shape(ordered)[-1]
        found = jnp.where(jnp.isnan(values), end, found)
    return cast(found, dtype(node["out_type"]))


@op("Unique", "UniqueV2", "UniqueWithCounts", "UniqueWithCountsV2", host=True)
def _unique(node: Node, x: Any, axis: Any = None) -> Any:
    """In the order in which they first stand there."""
    x = np.asarray(x)
    if axis is not None and np.size(axis) and x.ndim > 1:
        raise GraphError("unique parts along an axis")
    if x.dtype == object:
        places: dict[Any, int] = {}
        of = np.asarray([places.setdefault(item, len(places)) for item in x.ravel()])
        values = np.empty(len(places), object)
        values[:] = list(places)
        counts = np.bincount(of, minlength=len(places)) if len(of) else of
    else:
        ordered, first, inverse, count = np.unique(
            x, return_index=True, return_inverse=True, return_counts=True
        )
        order = np.argsort(first, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        values, of, counts = ordered[order], rank[inverse.ravel()], count[order]
    kind = dtype(node["out_idx"])
    found = values, of.astype(kind)
    return (*found, counts.astype(kind)) if "Counts" in node.op else found


@op("ListDiff", host=True)
def _list_difference(node: Node, x: Any, y: Any) -> Any:
    x = np.asarray(x)
    out = set(np.asarray(y).ravel().tolist())
    keeps = np.asarray([item not in out for item in x.tolist()], bool)
    return x[keeps], np.flatnonzero(keeps).astype(dtype(node["out_idx"]))
