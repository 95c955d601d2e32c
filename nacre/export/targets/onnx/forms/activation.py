"""Activations. Those that work element by element keep the order of axes of their input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.targets.onnx.body import Body, Placed, dtype_of, rank_of, value_of
from nacre.export.targets.onnx.forms._form import SINGLE, form, placed, since, tensors
from nacre.export.targets.onnx.forms.elementwise import elementwise


@elementwise("relu")
def _relu(make: Body, inputs: Sequence[str], node: Node) -> str:
    if "float" in dtype_of(node):
        return make.add("Relu", inputs)
    return make.add("Max", [*inputs, make.constant(0, "int64" if dtype_of(node) == "int64" else
                                                   "int32")])  # fmt: skip


@elementwise("relu6")
def _relu6(make: Body, inputs: Sequence[str], node: Node) -> str:
    dtype = dtype_of(node) if "float" in dtype_of(node) or dtype_of(node) == "int64" else "int32"
    limits = [make.constant(np.asarray(n, dtype)) for n in (0, 6)]
    return make.add("Clip", [*inputs, *limits])


@elementwise("leaky_relu", kernel=SINGLE)
def _leaky_relu(make: Body, inputs: Sequence[str], node: Node) -> str:
    return make.add("LeakyRelu", inputs, alpha=float(node.attributes["negative_slope"]))


@elementwise("elu", "celu", kernel=SINGLE)
def _elu(make: Body, inputs: Sequence[str], node: Node) -> str:
    return make.add(node.op.capitalize(), inputs, alpha=float(node.attributes["alpha"]))


@elementwise("hard_sigmoid", kernel=SINGLE)
def _hard_sigmoid(make: Body, inputs: Sequence[str], node: Node) -> str:
    return make.add("HardSigmoid", inputs, alpha=1 / 6, beta=0.5)


@elementwise("silu")
def _silu(make: Body, inputs: Sequence[str], node: Node) -> str:
    return make.add("Mul", [inputs[0], make.add("Sigmoid", inputs)])


@elementwise("gelu", kernel=SINGLE)
def _gelu(make: Body, inputs: Sequence[str], node: Node) -> str:
    return make.add("Gelu", inputs, approximate="tanh" if node.attributes["approximate"] else None)


since(20, "gelu")
since(18, "mish")
since(14, "hard_silu")


def _slopes_of_x(node: Node) -> str | None:
    """PRelu broadcasts its slope, not x."""
    x, result = value_of(node), node.outputs[0]
    return None if x.shape == result.shape else "Use max(x, 0) - alpha * max(-x, 0)."


@elementwise("prelu", kernel=SINGLE, limit=_slopes_of_x)
def _prelu(make: Body, inputs: Sequence[str], node: Node) -> str:
    return make.add("PRelu", inputs)


def _one_axis(node: Node) -> str | None:
    return None if len(node.attributes["axes"]) == 1 else "Take one axis."


@form("softmax", "log_softmax", limit=_one_axis)
def _softmax(make: Body, node: Node) -> str | Placed:
    op = "Softmax" if node.op == "softmax" else "LogSoftmax"
    axis = node.attributes["axes"][0] % rank_of(node)
    found = make.orders(value_of(node))
    usual = tuple(range(rank_of(node)))
    if found and usual not in found:
        order, name = next(iter(found.items()))
        return placed(make, make.add(op, [name], axis=order.index(axis)), order)
    return make.add(op, tensors(make, node)[:1], axis=axis)
