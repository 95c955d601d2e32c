"""Convolutions and pools: MIL has the channels before the spatial axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.export.graph.ir import Node, Value
from nacre.export.targets.coreml.maker import Maker, Var
from nacre.export.targets.coreml.support import FLOATS, FORMS, takes


def _x(node: Node) -> Value:
    value = node.inputs[0]
    assert value is not None
    return value


def _channels_first(make: Maker, node: Node) -> Var:
    rank = len(_x(node).shape)
    return make.add("transpose", x=make.input(node), perm=[0, rank - 1, *range(1, rank - 1)])


def _channels_last(make: Maker, x: Var, rank: int) -> Var:
    return make.add("transpose", x=x, perm=[0, *range(2, rank), 1])


def _padding(node: Node, window: Any) -> dict[str, Any]:
    padding = node.attributes["padding"]
    dilation = node.attributes.get("dilation_rate", (1,) * len(window))
    if padding in ("valid", "same"):
        return {"pad_type": padding}
    if padding == "causal":
        padding = [((k - 1) * d, 0) for k, d in zip(window, dilation)]
    return {"pad_type": "custom", "pad": [n for pair in padding for n in pair]}


def _conv_limit(node: Node) -> str | None:
    padding = node.attributes["padding"]
    if not isinstance(padding, str) and any(n < 0 for pair in padding for n in pair):
        return "Padding must not cut."
    return takes(*FLOATS)(node)


@FORMS.form("conv", limit=_conv_limit)
def _conv(make: Maker, node: Node) -> Var:
    kernel = node.inputs[1]
    assert kernel is not None
    window, rank = kernel.shape[:-2], len(kernel.shape)
    order = [rank - 1, rank - 2, *range(rank - 2)]
    weight = np.ascontiguousarray(make.known_input(node, 1).transpose(order))
    y = make.add(
        "conv",
        x=_channels_first(make, node),
        weight=weight,
        strides=list(node.attributes["strides"]),
        dilations=list(node.attributes["dilation_rate"]),
        groups=node.attributes["groups"],
        **_padding(node, window),
    )
    return _channels_last(make, y, rank)


def _pool_limit(node: Node) -> str | None:
    rank = len(_x(node).shape)
    if not 3 <= rank <= 5:
        return "It has one to three spatial axes."
    return _conv_limit(node)


@FORMS.form("max_pool", "average_pool", limit=_pool_limit)
def _pool(make: Maker, node: Node) -> Var:
    window = node.attributes["pool_size"]
    given = _padding(node, window)
    if node.op == "average_pool":
        given["exclude_padding_from_average"] = True
    y = make.add(
        "max_pool" if node.op == "max_pool" else "avg_pool",
        x=_channels_first(make, node),
        kernel_sizes=list(window),
        strides=list(node.attributes["strides"]),
        **given,
    )
    return _channels_last(make, y, len(_x(node).shape))


def _transposed_limit(node: Node) -> str | None:
    crop = node.attributes["crop"]
    if any(n < 0 for pair in crop for n in pair):
        return "It cuts, and puts nothing around."
    return takes(*FLOATS)(node)


@FORMS.form("conv_transpose", limit=_transposed_limit)
def _conv_transpose(make: Maker, node: Node) -> Var:
    """MIL's kernel is (channels, filters, *window)."""
    rank = len(_x(node).shape)
    kernel = make.known_input(node, 1)
    weight = np.ascontiguousarray(kernel.transpose(rank - 1, rank - 2, *range(rank - 2)))
    y = make.add(
        "conv_transpose",
        x=_channels_first(make, node),
        weight=weight,
        strides=list(node.attributes["strides"]),
        dilations=list(node.attributes["dilation_rate"]),
        pad_type="custom",
        pad=[n for pair in node.attributes["crop"] for n in pair],
    )
    return _channels_last(make, y, rank)
