"""Sums, extremes, orders."""

from __future__ import annotations

from nacre.export.graph.ir import Node, Value
from nacre.export.targets.coreml.maker import Maker, Var
from nacre.export.targets.coreml.support import FLOATS, FORMS, NUMBERS, takes


def _x(node: Node) -> Value:
    value = node.inputs[0]
    assert value is not None
    return value


def _axes(node: Node) -> list[int]:
    return [axis % len(_x(node).shape) for axis in node.attributes["axes"]]


_REDUCTIONS = {
    "reduce_sum": "reduce_sum", "reduce_mean": "reduce_mean", "reduce_prod": "reduce_prod",
    "reduce_max": "reduce_max", "reduce_min": "reduce_min", "logsumexp": "reduce_log_sum_exp",
}  # fmt: skip


def _reduced_limit(node: Node) -> str | None:
    if node.op in ("reduce_mean", "logsumexp"):
        return takes(*FLOATS)(node)
    return takes(*NUMBERS)(node)


@FORMS.form(*_REDUCTIONS, limit=_reduced_limit)
def _reduced(make: Maker, node: Node) -> Var:
    if not node.attributes["axes"]:
        return make.add("identity", x=make.input(node))
    return make.add(
        _REDUCTIONS[node.op],
        x=make.input(node),
        axes=_axes(node),
        keep_dims=node.attributes["keepdims"],
    )


@FORMS.form("argmax", "argmin")
def _place(make: Maker, node: Node) -> Var:
    op = "reduce_argmax" if node.op == "argmax" else "reduce_argmin"
    x = make.input(node)
    x = make.cast(x, "int32") if _x(node).dtype == "bool" else x
    axis = node.attributes["axis"] % len(_x(node).shape)
    found = make.add(op, x=x, axis=axis, keep_dims=False)
    dtype = node.attributes["dtype"]
    return found if dtype == "int32" else make.cast(found, dtype)


@FORMS.form("cumsum", limit=takes(*NUMBERS))
def _cumsum(make: Maker, node: Node) -> Var:
    axis = node.attributes["axis"] % len(_x(node).shape)
    return make.add(
        "cumsum", x=make.input(node), axis=axis, exclusive=False,
        reverse=node.attributes["reverse"],
    )  # fmt: skip


def _one_key(node: Node) -> str | None:
    return None if node.attributes["num_keys"] == 1 else "It sorts by one key."


@FORMS.form("sort", limit=_one_key)
def _sort(make: Maker, node: Node) -> tuple[Var, ...]:
    axis = node.attributes["axis"] % len(_x(node).shape)
    given = [v for v in node.inputs if v is not None]
    # MIL sorts and picks numbers.
    values = [make.cast(make.var(v), "int32") if v.dtype == "bool" else make.var(v) for v in given]
    order = make.add("argsort", x=values[0], axis=axis, ascending=True)
    found = (make.add("gather_along_axis", x=x, indices=order, axis=axis) for x in values)
    return tuple(
        make.cast(x, "bool") if v.dtype == "bool" else x for x, v in zip(found, given, strict=True)
    )


@FORMS.form("top_k", limit=takes(*NUMBERS))
def _top_k(make: Maker, node: Node) -> tuple[Var, ...]:
    k = node.attributes["k"]
    return tuple(make.add("topk", x=make.input(node), k=k, axis=-1, ascending=False))
