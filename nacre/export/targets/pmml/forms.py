"""Ops as neurons. What is affine in what goes in is worked out by the op's own formula, with the
rows of a matrix in the place of samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from nacre.core.errors import UnsupportedOpError, message
from nacre.export.graph.evaluate import node_results
from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.targets.pmml.network import Affine, Matrix, Network, combined
from nacre.export.targets.support import Forms

# (net, node, values that vary, values that are known) -> the results.
Form: TypeAlias = Callable[
    [Network, Node, Mapping[Value, Affine], Mapping[Value, Matrix]], Sequence[Affine]
]
FORMS: Forms[Form] = Forms()

# Affine in the first input, where the others are known.
_FIRST = (
    "dense conv depthwise_conv conv_transpose average_pool batch_normalization div neg reshape "
    "transpose slice split reverse reduce_sum reduce_mean up_sampling resize pad mirror_pad gather "
    "cumsum broadcast_to cast"
).split()
# In any one, or in all of them together.
_ANY, _ALL = "mul matmul einsum".split(), "add sub concat".split()
_MOVES = "reshape transpose slice split concat broadcast_to".split()
_FUNCTIONS = {
    "relu": "rectifier", "tanh": "tanh", "sigmoid": "logistic", "exp": "exponential",
    "sin": "sine", "cos": "cosine", "softsign": "Elliott", "square": "square",
}  # fmt: skip
_SELU = (1.6732632423543772, 1.0507009873554805)


def _others(n: int) -> Matrix:
    return np.random.default_rng(0).normal(size=(3, n))


def varying(node: Node, known: object) -> list[Value]:
    """The inputs of a node that are not known beforehand."""
    assert isinstance(known, set | dict)
    return [v for v in node.inputs if v is not None and v not in known]


def known_values(graph: Graph) -> set[Value]:
    """What follows from variables and constants alone."""
    found = {weight.value for weight in graph.weights}
    for node in graph.nodes:
        is_plain = not node.graphs and not node.op.startswith("random_") and node.op != "size"
        if is_plain and not varying(node, found) and all(
            isinstance(n, int) for v in node.outputs for n in v.shape
        ):  # fmt: skip
            found.update(node.outputs)
    return found


def is_batch(value: Value) -> bool:
    """Whether it is samples of known size, as many as there are."""
    known = all(isinstance(n, int) for n in value.shape[1:])
    # A name, and no product such as '5*batch', in which samples are cut into pieces.
    return bool(value.shape) and str(value.shape[0]).isidentifier() and known


def fault(node: Node, known: set[Value]) -> str | None:
    """Why a node with a form cannot be neurons all the same, None where it can."""
    others = varying(node, known)
    if node.op in _FIRST and (len(others) != 1 or others[0] is not node.inputs[0]):
        return "What it is computed with must be weights."
    if node.op in _ANY and len(others) != 1:
        return "Products of two results have no form."
    if node.op == "softmax" and (
        len(node.outputs[0].shape) != 2 or node.attributes["axes"] not in ((1,), (-1,))
    ):
        return "Only over the units of a dense layer."
    if node.op not in _MOVES and not node.outputs[0].dtype.startswith("float"):
        return "Only of floats: numbers are not rounded."
    for value in (*others, *node.outputs):
        if not is_batch(value):
            return f"Only a batch of samples of known size, not {value.type}."
    return None


def _affine(
    op: str, net: Network, node: Node, values: Mapping[Value, Affine],
    known: Mapping[Value, Matrix],
) -> Sequence[Affine]:  # fmt: skip
    """An op that is affine in its inputs: where `op` is another one than the node's, that one."""
    varies = varying(node, known)
    layers = sorted({layer for v in varies for layer in values[v].parts})
    node = node if op == node.op else _as(node, op)

    def run(rows: Mapping[Value, Matrix]) -> list[Matrix]:
        count = len(next(iter(rows.values())))
        shaped = {
            v: row.reshape(count, *values[v].shape).astype("float64") for v, row in rows.items()
        }
        wide = {v: x.astype("float64") if x.dtype.kind == "f" else x for v, x in known.items()}
        symbols = {str(v.shape[0]): count for v in varies}
        results = node_results(node, {**wide, **shaped}, symbols, np.random.default_rng(0))
        return [np.asarray(r).reshape(count, -1) for r in results]

    zeros = [run({v: np.zeros((1, len(values[v].bias))) for v in varies})]
    biases = run({v: values[v].bias[None] for v in varies})
    parts: list[dict[int, Matrix]] = [{} for _ in node.outputs]
    for layer in layers:
        count = max(len(values[v].parts[layer]) for v in varies if layer in values[v].parts)
        rows = {
            v: values[v].parts.get(layer, np.zeros((count, len(values[v].bias)))) for v in varies
        }
        found = run(rows)
        # Behind other samples each must give the same.
        longer = run({v: np.concatenate([_others(len(r[0])), r]) for v, r in rows.items()})
        for part, one, again, zero in zip(parts, found, longer, zeros[0]):
            same = len(again) == len(one) + 3 and np.allclose(one, again[3:], 1e-9, 1e-9)
            if len(one) != count or not same:
                raise UnsupportedOpError(
                    message(
                        f"{node.op} in '{node.layer}'",
                        "each sample must be computed for itself",
                        "one that joins samples",
                        "Leave it out of what is exported.",
                    )
                )
            part[layer] = one - zero
    return [
        Affine(part, bias[0], tuple(int(str(n)) for n in value.shape[1:]))
        for part, bias, value in zip(parts, biases, node.outputs)
    ]


def _as(node: Node, op: str) -> Node:
    return Node(op, node.inputs, node.outputs, node.attributes, node.graphs, node.layer)


def _given(node: Node, values: Mapping[Value, Affine]) -> Affine:
    value = node.inputs[0]
    assert value is not None
    return values[value]


def _function(name: str, net: Network, node: Node, values: Any, _: Any) -> Sequence[Affine]:
    return [net.activated(_given(node, values), name)]


for _op in (*_FIRST, *_ANY, *_ALL):
    FORMS.form(_op)(functools.partial(_affine, _op))
for _op, _name in _FUNCTIONS.items():
    FORMS.form(_op)(functools.partial(_function, _name))


@FORMS.form("softmax")
def _softmax(net: Network, node: Node, values: Any, known: Any) -> Sequence[Affine]:
    return [net.activated(_given(node, values), "identity", is_softmax=True)]


@FORMS.form("atan")
def _atan(net: Network, node: Node, values: Any, known: Any) -> Sequence[Affine]:
    # PMML's arctan is 2 / π times it.
    return [combined(net.activated(_given(node, values), "arctan"), math.pi / 2)]


def _ramp(net: Network, x: Affine, factor: float = 1.0, plus: float = 0.0) -> Affine:
    """max(factor · x + plus, 0)."""
    return net.activated(combined(x, factor, plus=plus), "rectifier")


@FORMS.form("abs")
def _abs(net: Network, node: Node, values: Any, known: Any) -> Sequence[Affine]:
    x = _given(node, values)
    return [combined(_ramp(net, x), 1.0, _ramp(net, x, -1.0))]


@FORMS.form("leaky_relu")
def _leaky(net: Network, node: Node, values: Any, known: Any) -> Sequence[Affine]:
    x = _given(node, values)
    slope = node.attributes["negative_slope"]
    return [combined(_ramp(net, x, -1.0), -slope, _ramp(net, x))]


@FORMS.form("relu6")
def _relu6(net: Network, node: Node, values: Any, known: Any) -> Sequence[Affine]:
    x = _given(node, values)
    return [combined(_ramp(net, x, plus=-6.0), -1.0, _ramp(net, x))]


@FORMS.form("hard_sigmoid")
def _hard_sigmoid(net: Network, node: Node, values: Any, known: Any) -> Sequence[Affine]:
    x = _given(node, values)
    both = combined(_ramp(net, x, plus=-3.0), -1.0, _ramp(net, x, plus=3.0))
    return [combined(both, 1 / 6)]


@FORMS.form("elu", "selu")
def _elu(net: Network, node: Node, values: Any, known: Any) -> Sequence[Affine]:
    x = _given(node, values)
    alpha, scale = _SELU if node.op == "selu" else (node.attributes["alpha"], 1.0)
    # exp(min(x, 0)) - 1, min(x, 0) being -max(-x, 0).
    low = net.activated(combined(_ramp(net, x, -1.0), -1.0), "exponential")
    inner = combined(low, alpha, combined(_ramp(net, x), 1.0), plus=-alpha)
    return [combined(inner, scale)]


__all__ = ["FORMS", "Form", "fault", "is_batch", "known_values", "varying"]
