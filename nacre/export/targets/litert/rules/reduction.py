"""Sums, extremes, running sums, orders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.core.wire.tflite import NUMBER_OF_DTYPE
from nacre.export.graph.ir import Node
from nacre.export.targets.litert.body import Body, Shape, Tensor
from nacre.export.targets.litert.rules._rule import dtype_of, only, rule, widened
from nacre.export.targets.litert.rules.elementwise import binary

_KERNELS = {
    "reduce_sum": "SUM", "reduce_prod": "REDUCE_PROD", "reduce_max": "REDUCE_MAX",
    "reduce_min": "REDUCE_MIN",
}  # fmt: skip
_OF_BOOLS = {
    "reduce_max": "REDUCE_ANY", "reduce_min": "REDUCE_ALL", "reduce_any": "REDUCE_ANY",
    "reduce_all": "REDUCE_ALL",
}  # fmt: skip


def _reduced(make: Body, node: Node, op: str, x: Tensor) -> Tensor:
    axes = make.ints(*(axis % x.ndim for axis in node.attributes["axes"]))
    keep = node.attributes["keepdims"]
    return make.add(op, [x, axes], x.dtype, node.outputs[0].shape, keep_dims=keep)


@rule(*_KERNELS)
def _reduce(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    if not node.attributes["axes"]:
        return inputs[0]
    if dtype_of(node) == "bool":
        return _reduced(make, node, _OF_BOOLS[node.op], inputs[0])
    return widened(make, inputs, lambda xs: _reduced(make, node, _KERNELS[node.op], xs[0]))


@rule("reduce_mean", limit=only("float32"))
def _mean(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return _reduced(make, node, "MEAN", inputs[0]) if node.attributes["axes"] else inputs[0]


@rule("reduce_all", "reduce_any")
def _of_bools(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    axes = node.attributes["axes"]
    return _reduced(make, node, _OF_BOOLS[node.op], inputs[0]) if axes else inputs[0]


@rule("argmax", "argmin", limit=only("float32", "int32", "bool", "int8", "uint8", "int16"))
def _place(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    (x,) = inputs
    x = x if x.dtype == "float32" else make.cast(x, "int32")
    axis = make.constant(node.attributes["axis"] % x.ndim, "int32")
    op = "ARG_MAX" if node.op == "argmax" else "ARG_MIN"
    number = NUMBER_OF_DTYPE["int32"]
    found = make.add(op, [x, axis], "int32", node.outputs[0].shape, output_type=number)
    return make.cast(found, node.attributes["dtype"])


@rule("cumsum", limit=lambda node: "Cast to int32." if dtype_of(node) == "bool" else None)
def _cumsum(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    axis = make.constant(node.attributes["axis"] % inputs[0].ndim, "int32")
    reverse = node.attributes["reverse"]

    def work(xs: list[Tensor]) -> Tensor:
        (x,) = xs
        return make.add("CUMSUM", [x, axis], x.dtype, x.shape, exclusive=False, reverse=reverse)

    return widened(make, inputs, work)


def _ordered(make: Body, x: Tensor, count: Tensor, shape: Shape) -> tuple[Tensor, Tensor]:
    """The largest elements of the last axis, the first of equal ones first, and their places."""
    values, places = make.add_all("TOPK_V2", [x, count], [(x.dtype, shape), ("int32", shape)])
    return values, places


@rule("top_k", limit=only("float32", "int32", "int64"))
def _top_k(make: Body, node: Node, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    count = make.constant(node.attributes["k"], "int32")
    return _ordered(make, inputs[0], count, node.outputs[0].shape)


def _keys_in_order(node: Node) -> str | None:
    keys = node.inputs[: node.attributes["num_keys"]]
    fits = all(v is not None and v.dtype in ("float32", "int32", "int64", "bool") for v in keys)
    return None if fits else "Order by float32 or int32."


@rule("sort", limit=_keys_in_order)
def _sort(make: Body, node: Node, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """The greatest first of the keys turned around, of which equal ones keep their order."""
    axis, rank = node.attributes["axis"] % inputs[0].ndim, inputs[0].ndim
    order = (*(a for a in range(rank) if a != axis), axis)
    back = tuple(order.index(a) for a in range(rank))
    turned = [make.transpose(x, order) for x in inputs]
    count = make.size(turned[0].shape[-1])
    places: Tensor | None = None
    for key in reversed(turned[: node.attributes["num_keys"]]):
        key = key if places is None else _along(make, key, places)
        _, again = _ordered(make, _backwards(make, key), count, key.shape)
        places = again if places is None else _along(make, places, again)
    assert places is not None
    return [make.transpose(_along(make, x, places), back) for x in turned]


def _backwards(make: Body, key: Tensor) -> Tensor:
    """A key whose order is the opposite one; NaN, which are to come last, are the smallest."""
    if key.dtype == "bool":
        key = make.cast(key, "int32")
    if key.dtype != "float32":  # -x - 1, which has no overflow
        return binary(make, "SUB", make.constant(-1, key.dtype), key)
    is_number = binary(make, "EQUAL", key, key, "bool")
    lowest = make.constant(-np.inf, "float32")
    inner = [is_number, make.like("NEG", key), lowest]
    return make.add("SELECT_V2", inner, "float32", key.shape)


def _along(make: Body, x: Tensor, places: Tensor) -> Tensor:
    """The elements at places of the last axis, of each row for itself."""

    def work(xs: list[Tensor]) -> Tensor:
        options = {"axis": x.ndim - 1, "batch_dims": x.ndim - 1}
        return make.add("GATHER", [xs[0], places], xs[0].dtype, x.shape, **options)

    return widened(make, [x], work, frozenset({"int8", "uint8", "int16"}))
