"""Sums, extremes, running sums, orders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.targets.onnx.body import Body, Placed, dtype_of, rank_of, value_of
from nacre.export.targets.onnx.forms._form import (
    NUMBERS,
    Kernel,
    cast_back,
    cast_in,
    chosen_order,
    form,
    placed,
)

_OPS = {
    "reduce_sum": "ReduceSum", "reduce_mean": "ReduceMean", "reduce_prod": "ReduceProd",
    "reduce_max": "ReduceMax", "reduce_min": "ReduceMin", "logsumexp": "ReduceLogSumExp",
}  # fmt: skip


def reduce(make: Body, op: str, tensor: str, axes: Sequence[int], keepdims: bool) -> str:
    """A tensor reduced along axes, as inputs or as an attribute."""
    keep = int(keepdims)
    if op == "ReduceSum" or make.opset >= 18:
        return make.add(op, [tensor, make.ints(*axes)], keepdims=keep)
    return make.add(op, [tensor], axes=tuple(axes), keepdims=keep)


@form("reduce_sum", "reduce_mean", "reduce_prod", "reduce_max", "reduce_min", "logsumexp")
def _reduce(make: Body, node: Node) -> str | Placed:
    x, keepdims = value_of(node), node.attributes["keepdims"]
    order = chosen_order(make, [x], len(x.shape))
    dropped = {axis % len(x.shape) for axis in node.attributes["axes"]}
    kept = [axis for axis in order if axis not in dropped]
    if not keepdims and kept != sorted(kept):
        order = tuple(range(len(order)))
    axes = sorted(order.index(axis) for axis in dropped)
    tensor = cast_in(make, make.ordered(x, order), x.dtype, NUMBERS)
    if not axes:
        return placed(make, make.add("Identity", [make.ordered(x, order)]), order)
    found = reduce(make, _OPS[node.op], tensor, axes, keepdims)
    found = cast_back(make, found, x.dtype, NUMBERS)
    return placed(make, found, order) if keepdims else found


_PLACED = Kernel(frozenset({"float32", "float64", "int32"}))


@form("argmax", "argmin")
def _argmax(make: Body, node: Node) -> str:
    op = "ArgMax" if node.op == "argmax" else "ArgMin"
    tensor = cast_in(make, make.tensor(value_of(node)), dtype_of(node), _PLACED)
    axis = node.attributes["axis"] % rank_of(node)
    found = make.add(op, [tensor], axis=axis, keepdims=0)
    dtype = node.attributes["dtype"]
    return found if dtype == "int64" else make.cast(found, dtype)


@form("cumsum")
def _cumsum(make: Body, node: Node) -> str:
    tensor = cast_in(make, make.tensor(value_of(node)), dtype_of(node), NUMBERS)
    axis = make.constant(np.int64(node.attributes["axis"] % rank_of(node)))
    found = make.add("CumSum", [tensor, axis], reverse=int(node.attributes["reverse"]))
    return cast_back(make, found, dtype_of(node), NUMBERS)


@form("top_k")
def _top_k(make: Body, node: Node) -> Sequence[str]:
    dtype = dtype_of(node)
    tensor = cast_in(make, make.tensor(value_of(node)), dtype, NUMBERS)
    inputs = [tensor, make.ints(node.attributes["k"])]
    values, places = make.add_all("TopK", inputs, 2, axis=-1, largest=1, sorted=1)
    return [cast_back(make, values, dtype, NUMBERS), make.cast(places, "int32")]


@form("sort")
def _sort(make: Body, node: Node) -> Sequence[str]:
    """By the last key first: each later order keeps that of the ones before among equals."""
    axis = node.attributes["axis"] % rank_of(node)
    size = make.size(value_of(node).shape[axis])
    inputs = [make.tensor(v) for v in node.inputs if v is not None]
    keys: list[str] = []
    for place in range(node.attributes["num_keys"]):
        dtype = dtype_of(node, place)
        wide = cast_in(make, inputs[place], dtype, NUMBERS)
        if "float" in dtype:  # NaN come last, which no comparison of theirs says
            is_nan = make.add("IsNaN", [wide])
            keys.append(make.cast(is_nan, "int32"))
            top = make.constant(np.asarray(np.inf, dtype))
            wide = make.add("Where", [is_nan, top, wide])
        keys.append(wide)
    order = ""
    for key in reversed(keys):
        found = make.add("GatherElements", [key, order], axis=axis) if order else key
        _, places = make.add_all("TopK", [found, size], 2, axis=axis, largest=0, sorted=1)
        order = make.add("GatherElements", [order, places], axis=axis) if order else places
    return [make.add("GatherElements", [x, order], axis=axis) for x in inputs]
