"""Batch normalisation folded into the convolution or product before it: one multiplication less.

For inference alone: what training would change is part of the kernel afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nacre.export.graph.ir import Graph, Node, Value, Weight

# Of these the kernel's axis whose places are the channels of the result.
_FILTERS = {"conv": -1, "conv_transpose": -2, "dense": -1, "depthwise_conv": None}


@dataclass(frozen=True)
class _Found:
    """A batch normalisation behind a product.

    Attributes:
        product: What is multiplied with a kernel.
        bias: The node that adds a bias in between, None where none does.
        node: The normalisation.
    """

    product: Node
    bias: Node | None
    node: Node


def fuse_batch_normalization(graph: Graph) -> Graph:
    """The graph without each batch normalisation that follows a convolution or a dense product.

    Kept is one whose input others read too, whose numbers are no weights, or whose kernel serves
    twice.
    """
    while True:
        weights = {weight.value: weight for weight in graph.weights}
        readers, makers = graph.consumers(), graph.producers()
        results = set(graph.results())

        def read_once(value: Value, readers: Any = readers, results: Any = results) -> bool:
            return len(readers.get(value, ())) == 1 and value not in results

        found = (_found(node, makers, weights, read_once) for node in graph.nodes)
        first = next((one for one in found if one is not None), None)
        if first is None:
            return graph
        graph = _fused(graph, first, weights)


def _found(
    node: Node,
    makers: Mapping[Value, Node],
    weights: Mapping[Value, Weight],
    read_once: Callable[[Value], bool],
) -> _Found | None:
    x = node.inputs[0] if node.inputs else None
    if node.op != "batch_normalization" or x is None or not read_once(x):
        return None
    if node.attributes["axis"] % len(x.shape) != len(x.shape) - 1:
        return None
    if not all(v is None or v in weights for v in node.inputs[1:]):
        return None
    before, bias = makers.get(x), None
    if before is not None and before.op == "add":
        bias, before = before, _behind_bias(before, makers, weights, read_once)
    if before is None or before.op not in _FILTERS:
        return None
    kernel = before.inputs[1]
    own = kernel in weights and kernel is not None and read_once(kernel)
    is_wide = all(v is None or v.dtype in ("float32", "float64") for v in node.inputs)
    dense_bias = before.inputs[2] if before.op == "dense" else None
    if not own or not is_wide or (dense_bias is not None and dense_bias not in weights):
        return None
    return _Found(before, bias, node)


def _behind_bias(
    add: Node,
    makers: Mapping[Value, Node],
    weights: Mapping[Value, Weight],
    read_once: Callable[[Value], bool],
) -> Node | None:
    """The product that a vector of weights is added to."""
    x, y = add.inputs
    if x is None or y is None or not read_once(x):
        return None
    if _weight_of(y, makers, weights) is None:
        return None
    is_vector = all(n == 1 for n in y.shape[:-1]) and y.shape[-1:] == x.shape[-1:]
    return makers.get(x) if is_vector else None


def _weight_of(
    value: Value, makers: Mapping[Value, Node], weights: Mapping[Value, Weight]
) -> Weight | None:
    """The weight that a value is, or is but for axes of size 1 in front."""
    maker = makers.get(value)
    if maker is not None and maker.op == "reshape" and maker.inputs[0] is not None:
        value = maker.inputs[0]
    return weights.get(value)


def _fused(graph: Graph, found: _Found, weights: Mapping[Value, Weight]) -> Graph:
    product, node = found.product, found.node
    data = [None if v is None else weights[v].data.astype("float64") for v in node.inputs[1:]]
    mean, variance, offset, scale = data
    assert mean is not None
    assert variance is not None
    factor = 1 / np.sqrt(variance + node.attributes["epsilon"])
    factor = factor if scale is None else factor * scale
    kernel_value = product.inputs[1]
    assert kernel_value is not None
    kernel = weights[kernel_value]
    old = _bias_of(found, graph.producers(), weights)
    shift = (old - mean) * factor + (0 if offset is None else offset)
    new_kernel = _like(kernel, kernel.data * _along(factor, kernel.data, product.op))
    bias_path = f"{node.layer}/folded_bias".lstrip("/")
    if any(bias_path == weight.path for weight in graph.weights):  # the layer was called twice
        bias_path = f"{bias_path}_{node.outputs[0].name}"
    bias = Weight(
        Value(bias_path, kernel_value.dtype, (shift.size,)), bias_path,
        shift.astype(kernel.data.dtype), kernel.trainable,
    )  # fmt: skip
    dropped = {id(found.bias), id(product)}
    # The product's inputs that change: the kernel, and the bias of a dense product.
    inputs = (product.inputs[0], new_kernel.value, *product.inputs[2:])
    if product.op == "dense":
        nodes = [replace(product, inputs=(*inputs[:2], bias.value), outputs=node.outputs)]
    else:
        plain = replace(product, inputs=inputs)
        added = Node("add", (plain.outputs[0], bias.value), node.outputs, layer=node.layer)
        nodes = [plain, added]
    kept: list[Node] = []
    for one in graph.nodes:
        if one is node:
            kept.extend(nodes)
        elif id(one) not in dropped:
            kept.append(one)
    replaced = {kernel_value: new_kernel}
    every = [replaced.get(weight.value, weight) for weight in graph.weights]
    return replace(graph, nodes=tuple(kept), weights=(*every, bias))


def _bias_of(
    found: _Found, makers: Mapping[Value, Node], weights: Mapping[Value, Weight]
) -> np.ndarray | float:
    value = found.product.inputs[2] if found.product.op == "dense" else None
    total = np.zeros(()) if value is None else weights[value].data.astype("float64")
    if found.bias is not None:
        added = found.bias.inputs[1]
        assert added is not None
        bias = _weight_of(added, makers, weights)
        assert bias is not None
        total = total + bias.data.astype("float64").reshape(-1)
    return total


def _along(factor: np.ndarray, kernel: np.ndarray, op: str) -> np.ndarray:
    """One factor for each channel of the result, to be multiplied with a kernel."""
    axis = _FILTERS[op]
    if axis is None:  # depthwise: the channels are (channel, multiplier)
        return factor.reshape(kernel.shape[-2:])
    return factor.reshape(*factor.shape, *[1] * (-1 - axis))


def _like(weight: Weight, data: np.ndarray) -> Weight:
    """Other numbers under the same path."""
    value = Value(weight.value.name, weight.value.dtype, weight.value.shape)
    return replace(weight, value=value, data=data.astype(weight.data.dtype))


__all__ = ["fuse_batch_normalization"]
