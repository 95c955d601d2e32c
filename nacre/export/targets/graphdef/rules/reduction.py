"""Sums, extremes, running sums, orders."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Node
from nacre.export.graph.rules import is_float
from nacre.export.targets.graphdef.body import Body, Kind
from nacre.export.targets.graphdef.rules._rule import (
    cast,
    dtype_of,
    kind_of,
    rank_of,
    reduce,
    reshape,
    rule,
    transpose,
    value,
)

_REDUCTIONS = {
    "reduce_sum": "Sum",
    "reduce_mean": "Mean",
    "reduce_prod": "Prod",
    "reduce_max": "Max",
    "reduce_min": "Min",
    "reduce_all": "All",
    "reduce_any": "Any",
}


@rule(*_REDUCTIONS)
def _reduce(make: Body, node: Node, inputs: Sequence[str]) -> str:
    dtype = dtype_of(node)
    op = _REDUCTIONS[node.op]
    if dtype == "bool":
        op = {"Max": "Any", "Min": "All"}.get(op, op)
    axes, keep = node.attributes["axes"], node.attributes["keepdims"]
    if op == "Mean" and dtype in ("float16", "bfloat16"):
        wide = cast(make, inputs[0], dtype, "float32")
        return cast(make, reduce(make, op, wide, axes, "float32", keep), "float32", dtype)
    return reduce(make, op, inputs[0], axes, dtype, keep)


@rule("logsumexp")
def _logsumexp(make: Body, node: Node, inputs: Sequence[str]) -> str:
    (x,), dtype, axes = inputs, dtype_of(node), node.attributes["axes"]
    top = reduce(make, "Max", x, axes, dtype, True)
    is_finite = make.add("IsFinite", [top], T=Kind(dtype))
    top = make.add("SelectV2", [is_finite, top, make.like(0, dtype)], T=Kind(dtype))
    top = make.add("StopGradient", [top], T=Kind(dtype))
    parts = make.add("Exp", [make.add("Sub", [x, top], T=Kind(dtype))], T=Kind(dtype))
    total = reduce(make, "Sum", parts, axes, dtype, True)
    logged = make.add("Log", [total], T=Kind(dtype))
    result = make.add("AddV2", [logged, top], T=Kind(dtype))
    if node.attributes["keepdims"]:
        return result
    return make.add("Squeeze", [result], T=Kind(dtype), squeeze_dims=tuple(axes))


@rule("argmax", "argmin")
def _arg(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, dtype, wanted = inputs[0], dtype_of(node), node.attributes["dtype"]
    if dtype == "bool":
        x, dtype = cast(make, x, "bool", "uint8"), "uint8"
    if is_float(dtype):
        x = _first_nan(make, x, node, dtype)
    given = wanted if wanted in ("int32", "int64") else "int32"
    found = make.add(
        "ArgMax" if node.op == "argmax" else "ArgMin",
        [x, make.constant(node.attributes["axis"], "int32")],
        T=Kind(dtype),
        Tidx=Kind("int32"),
        output_type=Kind(given),
    )
    return cast(make, found, given, wanted)


def _first_nan(make: Body, x: str, node: Node, dtype: str) -> str:
    """Numbers whose extreme is the first NaN where there is one: TensorFlow's ArgMax passes over
    NaN, or stays at it, as its place has it."""
    is_nan = make.add("NotEqual", [x, x], T=Kind(dtype), incompatible_shape_error=True)
    any_nan = reduce(make, "Any", is_nan, [node.attributes["axis"]], "bool", True)
    # 1 at NaN is the largest, 0 the smallest.
    marked = is_nan if node.op == "argmax" else make.add("LogicalNot", [is_nan])
    marks = cast(make, marked, "bool", dtype)
    return make.add("SelectV2", [any_nan, marks, x], T=Kind(dtype))


_RUNNING = {"cumsum": "Cumsum", "cumprod": "Cumprod", "cumlogsumexp": "CumulativeLogsumexp"}


@rule(*_RUNNING)
def _running(make: Body, node: Node, inputs: Sequence[str]) -> str:
    axis = make.constant(node.attributes["axis"], "int32")
    return make.add(
        _RUNNING[node.op],
        [inputs[0], axis],
        T=kind_of(node),
        Tidx=Kind("int32"),
        exclusive=False,
        reverse=node.attributes["reverse"],
    )


def _one_key(node: Node) -> str | None:
    if node.attributes["num_keys"] > 1:
        return "Sort by one key, the last one first."
    return "Sort numbers." if dtype_of(node) in ("bool", "string") else None


def _rising(make: Body, x: str, dtype: str) -> tuple[str, str]:
    """Integers that rise with numbers, and their dtype: TopKV2 loses its way among NaN, which come
    last here. Of a negative float all bits but the sign fall where it rises."""
    if not is_float(dtype):
        return x, dtype
    if dtype != "float64":
        x, dtype = cast(make, x, dtype, "float32"), "float32"
    bits, whole = (63, "int64") if dtype == "float64" else (31, "int32")
    kind, zero = Kind(dtype), make.like(0, dtype)
    is_zero = make.add("Equal", [x, zero], T=kind, incompatible_shape_error=True)
    x = make.add("SelectV2", [is_zero, zero, x], T=kind)  # -0 too
    is_nan = make.add("NotEqual", [x, x], T=kind, incompatible_shape_error=True)
    x = make.add("SelectV2", [is_nan, make.like(float("nan"), dtype), x], T=kind)
    found = make.add("Bitcast", [x], T=kind, type=Kind(whole))
    kind = Kind(whole)
    sign = make.add("RightShift", [found, make.constant(bits, whole)], T=kind)
    turned = make.add("BitwiseAnd", [sign, make.constant(2**bits - 1, whole)], T=kind)
    return make.add("BitwiseXor", [found, turned], T=kind), whole


def _taken(make: Body, x: str, places: str, dtype: str, rank: int) -> str:
    """Elements of the last axis."""
    return make.add(
        "GatherV2",
        [x, places, make.constant(rank - 1, "int32")],
        Tparams=Kind(dtype),
        Tindices=Kind("int32"),
        Taxis=Kind("int32"),
        batch_dims=rank - 1,
    )


@rule("sort", limit=_one_key)
def _sort(make: Body, node: Node, inputs: Sequence[str]) -> list[str]:
    """By TopKV2 of what falls where the key rises; of equal elements it gives the first first."""
    dtype, rank = dtype_of(node), rank_of(node)
    axis = node.attributes["axis"] % rank
    order = [*(i for i in range(rank) if i != axis), axis]
    back = [order.index(i) for i in range(rank)]
    turned = [transpose(make, x, order, dtype_of(node, index)) for index, x in enumerate(inputs)]
    rising, whole = _rising(make, turned[0], dtype)
    falling = make.add("Invert", [rising], T=Kind(whole))
    count = make.size(value(node).shape[axis])
    _, places = make.add_all("TopKV2", [falling, count], 2, T=Kind(whole), sorted=True)
    found: list[str] = []
    for index, x in enumerate(turned):
        taken = _taken(make, x, places, dtype_of(node, index), rank)
        found.append(transpose(make, taken, back, dtype_of(node, index)))
    return found


@rule("top_k")
def _top_k(make: Body, node: Node, inputs: Sequence[str]) -> Sequence[str]:
    dtype, count = dtype_of(node), make.constant(node.attributes["k"], "int32")
    rising, whole = _rising(make, inputs[0], dtype)
    _, places = make.add_all("TopKV2", [rising, count], 2, T=Kind(whole), sorted=True)
    return _taken(make, inputs[0], places, dtype, rank_of(node)), places


@rule("searchsorted")
def _searchsorted(make: Body, node: Node, inputs: Sequence[str]) -> str:
    edges, values = inputs
    dtype = dtype_of(node)
    one = reshape(make, edges, make.ints(1, -1), dtype)
    flat = reshape(make, values, make.ints(1, -1), dtype)
    op = "LowerBound" if node.attributes["side"] == "left" else "UpperBound"
    found = make.add(op, [one, flat], T=Kind(dtype), out_type=Kind("int32"))
    if is_float(dtype):  # NaN is behind all; TensorFlow finds the first place for it
        is_nan = make.add("NotEqual", [flat, flat], T=Kind(dtype), incompatible_shape_error=True)
        size = make.add("Size", [edges], T=Kind(dtype), out_type=Kind("int32"))
        found = make.add("SelectV2", [is_nan, size, found], T=Kind("int32"))
    return reshape(make, found, make.flexible_sizes(value(node, 1).shape), "int32")
