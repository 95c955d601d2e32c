"""Elements picked and put by index, and random numbers.

On a CPU TensorFlow refuses an index outside of its axis, on a GPU it gives zeros or nothing: what
the graph says of such indices is written out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.graph.rules import is_float
from nacre.export.targets.graphdef.body import Body, Kind
from nacre.export.targets.graphdef.rules._rule import (
    cast,
    dtype_of,
    rank_of,
    reduce,
    reshape,
    rule,
    value,
)


def _filler(make: Body, dtype: str) -> str:
    if dtype == "bool":
        return make.constant(True)
    if is_float(dtype):
        return make.like(float("nan"), dtype)
    limits = np.iinfo(dtype)
    return make.constant(limits.max if dtype.startswith("u") else limits.min, dtype)


def _whole(make: Body, indices: str, dtype: str) -> tuple[str, str]:
    """Indices as TensorFlow takes them, and their dtype."""
    if dtype in ("int32", "int64"):
        return indices, dtype
    wanted = "int64" if dtype in ("uint32", "uint64") else "int32"
    return cast(make, indices, dtype, wanted), wanted


def _clipped(make: Body, indices: str, sizes: str, dtype: str) -> str:
    """Indices moved to the nearest one inside of sizes, which are int32."""
    sizes = cast(make, sizes, "int32", dtype)
    last = make.add("Sub", [sizes, make.constant(1, dtype)], T=Kind(dtype))
    low = make.add("Maximum", [indices, make.constant(0, dtype)], T=Kind(dtype))
    return make.add("Minimum", [low, last], T=Kind(dtype))


def _inside(make: Body, indices: str, clipped: str, dtype: str) -> str:
    """Which indices clipping left as they were."""
    return make.add("Equal", [indices, clipped], T=Kind(dtype), incompatible_shape_error=True)


@rule("gather")
def _gather(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, given = inputs
    dtype, axis = dtype_of(node), node.attributes["axis"] % rank_of(node)
    indices, kind = _whole(make, given, dtype_of(node, 1))
    clipped = _clipped(make, indices, make.size(value(node).shape[axis]), kind)
    picked = make.add(
        "GatherV2",
        [x, clipped, make.constant(axis, "int32")],
        Tparams=Kind(dtype),
        Tindices=Kind(kind),
        Taxis=Kind("int32"),
        batch_dims=0,
    )
    if node.attributes["outside"] == "clip":
        return picked
    inside = _inside(make, indices, clipped, kind)
    behind = rank_of(node) - 1 - axis
    if behind:
        shape = (*value(node, 1).shape, *[1] * behind)
        inside = reshape(make, inside, make.flexible_sizes(shape), "bool")
    return make.add("SelectV2", [inside, picked, _filler(make, dtype)], T=Kind(dtype))


def _bounded(make: Body, node: Node, given: str) -> tuple[str, str, str]:
    """Indices of several axes, those clipped, and their dtype."""
    indices, kind = _whole(make, given, dtype_of(node, 1))
    count = value(node, 1).shape[-1]
    assert isinstance(count, int)
    sizes = make.sizes(value(node).shape[:count])
    return indices, _clipped(make, indices, sizes, kind), kind


@rule("gather_nd")
def _gather_nd(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, given = inputs
    dtype = dtype_of(node)
    indices, clipped, kind = _bounded(make, node, given)
    picked = make.add("GatherNd", [x, clipped], Tparams=Kind(dtype), Tindices=Kind(kind))
    if node.attributes["outside"] == "clip":
        return picked
    inside = _inside(make, indices, clipped, kind)
    inside = reduce(make, "All", inside, [rank_of(node, 1) - 1], "bool", False)
    behind = len(node.outputs[0].shape) - rank_of(node, 1) + 1
    if behind:
        shape = (*value(node, 1).shape[:-1], *[1] * behind)
        inside = reshape(make, inside, make.flexible_sizes(shape), "bool")
    return make.add("SelectV2", [inside, picked, _filler(make, dtype)], T=Kind(dtype))


_COMBINED = {
    "set": "TensorScatterUpdate",
    "add": "TensorScatterAdd",
    "max": "TensorScatterMax",
    "min": "TensorScatterMin",
}


def _no_products(node: Node) -> str | None:
    if node.attributes["combine"] == "mul":
        return "Scatter the logarithms, and take exp() of the sums."
    return None


@rule("scatter_nd", limit=_no_products)
def _scatter_nd(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, given, updates = inputs
    dtype = dtype_of(node)
    indices, clipped, kind = _bounded(make, node, given)
    if node.attributes["outside"] == "drop":
        inside = _inside(make, indices, clipped, kind)
        inside = reduce(make, "All", inside, [rank_of(node, 1) - 1], "bool", False)
        kept = make.add("Where", [inside], T=Kind("bool"))
        clipped = make.add("GatherNd", [clipped, kept], Tparams=Kind(kind), Tindices=Kind("int64"))
        updates = make.add("GatherNd", [updates, kept], Tparams=Kind(dtype), Tindices=Kind("int64"))
    op = _COMBINED[node.attributes["combine"]]
    return make.add(op, [x, clipped, updates], T=Kind(dtype), Tindices=Kind(kind))


_SEGMENTS = {
    "segment_sum": "UnsortedSegmentSum",
    "segment_prod": "UnsortedSegmentProd",
    "segment_max": "UnsortedSegmentMax",
    "segment_min": "UnsortedSegmentMin",
}


@rule(*_SEGMENTS)
def _segments(make: Body, node: Node, inputs: Sequence[str]) -> str:
    """TensorFlow leaves out negative ids; of no elements it gives the largest finite number."""
    data, given = inputs
    dtype = dtype_of(node)
    ids, kind = _whole(make, given, dtype_of(node, 1))
    count = node.attributes["num_segments"]
    limit = make.constant(count, kind)
    known = make.add("Less", [ids, limit], T=Kind(kind))
    ids = make.add("SelectV2", [known, ids, make.constant(-1, kind)], T=Kind(kind))
    result = make.add(
        _SEGMENTS[node.op],
        [data, ids, make.constant(count, "int32")],
        T=Kind(dtype),
        Tindices=Kind(kind),
        Tnumsegments=Kind("int32"),
    )
    if node.op not in ("segment_max", "segment_min") or not is_float(dtype):
        return result
    sign = -1.0 if node.op == "segment_max" else 1.0
    nothing = make.like(sign * float("inf"), dtype)
    extreme = make.like(sign * _LARGEST[dtype], dtype)
    is_empty = make.add("Equal", [result, extreme], T=Kind(dtype), incompatible_shape_error=True)
    return make.add("SelectV2", [is_empty, nothing, result], T=Kind(dtype))


_LARGEST = {
    "float16": 65504.0,
    "bfloat16": 3.3895313892515355e38,
    "float32": 3.4028234663852886e38,
    "float64": 1.7976931348623157e308,
}


# --- random numbers -------------------------------------------------------------------------------


@rule("random_uniform")
def _random_uniform(make: Body, node: Node, inputs: Sequence[str]) -> str:
    low, high = inputs
    dtype = node.attributes["dtype"]
    drawn = _drawn(make, node, "RandomUniform", dtype)
    width = make.add("Sub", [high, low], T=Kind(dtype))
    scaled = make.add("Mul", [drawn, width], T=Kind(dtype))
    return make.add("AddV2", [scaled, low], T=Kind(dtype))


def _drawn(make: Body, node: Node, op: str, dtype: str) -> str:
    sizes = make.sizes(node.attributes["shape"])
    return make.add(op, [sizes], T=Kind("int32"), dtype=Kind(dtype), seed=0, seed2=0)


@rule("random_normal")
def _random_normal(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return _drawn(make, node, "RandomStandardNormal", node.attributes["dtype"])


def _at_most_32_bits(node: Node) -> str | None:
    return "Draw at most 32 bits." if node.attributes["dtype"] == "uint64" else None


@rule("random_bits", limit=_at_most_32_bits)
def _random_bits(make: Body, node: Node, inputs: Sequence[str]) -> str:
    dtype = node.attributes["dtype"]
    sizes = make.sizes(node.attributes["shape"])
    most = make.constant(int(np.iinfo(dtype).max) + 1, "int64")
    drawn = make.add(
        "RandomUniformInt",
        [sizes, make.constant(0, "int64"), most],
        T=Kind("int32"),
        Tout=Kind("int64"),
        seed=0,
        seed2=0,
    )
    return cast(make, drawn, "int64", dtype)
