"""Activations."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Node
from nacre.export.targets.litert.body import Body, Tensor
from nacre.export.targets.litert.rules._rule import only, rule
from nacre.export.targets.litert.rules.elementwise import binary

_FLOAT = only("float32")


@rule("relu", "relu6", limit=_FLOAT)
def _relu(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return make.like(node.op.upper(), inputs[0])


@rule("leaky_relu", limit=_FLOAT)
def _leaky_relu(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return make.like("LEAKY_RELU", inputs[0], alpha=node.attributes["negative_slope"])


@rule("gelu", limit=_FLOAT)
def _gelu(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return make.like("GELU", inputs[0], approximate=node.attributes["approximate"])


def _number(make: Body, op: str, x: Tensor, number: float) -> Tensor:
    return binary(make, op, x, make.constant(number, x.dtype))


def _below(make: Body, x: Tensor, alpha: float) -> Tensor:
    """alpha · (exp(x) - 1) for x < 0, else 0."""
    less = make.like("ELU", _number(make, "MINIMUM", x, 0.0))
    return less if alpha == 1 else _number(make, "MUL", less, alpha)


@rule("elu", "selu", "celu", limit=_FLOAT)
def _elu(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """The kernel is that of alpha 1."""
    (x,) = inputs
    alpha = node.attributes.get("alpha", 1.6732632423543772)
    if node.op == "elu" and alpha == 1:
        return make.like("ELU", x)
    inner = _number(make, "MUL", x, 1 / alpha) if node.op == "celu" else x
    found = binary(make, "ADD", make.like("RELU", x), _below(make, inner, alpha))
    return _number(make, "MUL", found, 1.0507009873554805) if node.op == "selu" else found


@rule("hard_sigmoid", limit=_FLOAT)
def _hard_sigmoid(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    shifted = make.like("RELU6", _number(make, "ADD", inputs[0], 3.0))
    return _number(make, "MUL", shifted, 1 / 6)


@rule("expm1", limit=_FLOAT)
def _expm1(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """Below 0 that of ELU; above the same of -x: exp(x) - 1 = -expm1(-x) · exp(x)."""
    (x,) = inputs
    below = make.like("ELU", _number(make, "MINIMUM", x, 0.0))
    up = make.like("RELU", x)
    mirrored = make.like("ELU", make.like("NEG", up))
    above = binary(make, "MUL", make.like("NEG", mirrored), make.like("EXP", up))
    return binary(make, "ADD", below, above)


def _last(node: Node) -> str | None:
    value = node.inputs[0]
    assert value is not None
    axes = {axis % len(value.shape) for axis in node.attributes["axes"]}
    if value.dtype == "float32" and axes == {len(value.shape) - 1}:
        return None
    return "Take it along the last axis, of float32."


@rule("softmax", limit=_last)
def _softmax(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return make.like("SOFTMAX", inputs[0], beta=1.0)


@rule("log_softmax", limit=_last)
def _log_softmax(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return make.like("LOG_SOFTMAX", inputs[0])
