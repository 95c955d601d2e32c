"""Which arrays of a graph are weights: variables, that training may change.

Floats that its nodes compute with are; what decides shapes, single numbers beside them, and what
the file holds as statistics of training data are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nacre.export.importers.imported import Weight
from nacre.export.importers.onnx.reading import Graph, float_kinds
from nacre.export.importers.onnx.registry import OPS, Node

# Inputs that training leaves as they are: statistics, limits, scales of whole numbers.
_FROZEN: dict[str, tuple[int, ...]] = {
    "BatchNormalization": (3, 4), "Clip": (1, 2), "Pad": (2,), "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2), "OneHot": (2,), "STFT": (2,), "QLinearConv": (1, 4, 6),
    "QLinearMatMul": (1, 4, 6), "RotaryEmbedding": (1, 2), "MaxRoiPool": (1,), "Dropout": (1,),
}  # fmt: skip
# Where an array of one number is a weight all the same: the offset of a layer of one unit.
_LAYERS = frozenset(
    ("Gemm", "Conv", "ConvTranspose", "PRelu", "BatchNormalization", "InstanceNormalization",
     "GroupNormalization", "LayerNormalization", "LSTM", "GRU", "RNN", "MatMul", "Einsum")
)  # fmt: skip
# What is decided by values, and computed call by call.
_DECIDES = frozenset(("ConstantOfShape", "Range", "HannWindow", "HammingWindow", "BlackmanWindow",
                      "MelWeightMatrix", "Unique", "SequenceAt", "SplitToSequence"))  # fmt: skip
_SIZE = 1024  # numbers from which on whole numbers, and floats among the nodes, are kept apart


def weights_of(graph: Graph) -> dict[str, Weight]:
    """The weights among a graph's constants, in the order of the file."""
    decides = _deciding(graph)
    makers = {name: node for node in graph.nodes for name in node.outputs}
    uses: dict[str, list[tuple[Node, int]]] = {}
    for node in graph.nodes:
        for place, name in enumerate(node.inputs):
            uses.setdefault(name, []).append((node, place))
    found: dict[str, Weight] = {}
    for name, array in graph.constants.items():
        if name in decides:
            continue
        kind = array.dtype.name
        if kind in float_kinds() or kind == "float64":
            if array.ndim:
                value = array.astype(np.float32) if kind == "float64" else array
                found[name] = Weight(value, _is_trained(array, uses.get(name, []), makers))
        elif array.size >= _SIZE and kind in ("int8", "uint8", "int16", "uint16", "int32", "bool"):
            found[name] = Weight(array, False)
    return found


def _is_trained(
    array: np.ndarray[Any, Any], uses: Sequence[tuple[Node, int]], makers: dict[str, Node]
) -> bool:
    if any(place in _FROZEN.get(node.op, ()) for node, place in uses):
        return False
    if array.size > 1:
        return True
    for node, place in uses:
        others = [makers.get(n) for i, n in enumerate(node.inputs) if i != place]
        if node.op in _LAYERS:
            return True
        if node.op == "Add" and any(other is not None and other.op in _LAYERS for other in others):
            return True
    return False


def _deciding(graph: Graph) -> set[str]:
    """Names of values that must be known while a program is traced, as they make shapes."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    waiting = list(_asked(graph.nodes))
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if not name or name in found:
            continue
        found.add(name)
        node = makers.get(name)
        if node is not None and node.op not in ("Shape", "Size"):
            waiting += node.inputs
            waiting += node.reads
    return found


def _asked(nodes: Sequence[Node]) -> Iterator[str]:
    """Inputs that decide by their values, also of graphs within."""
    for node in nodes:
        op = OPS.get((node.domain, node.op))
        if node.op in _DECIDES or node.op in ("If", "Loop"):
            yield from node.inputs[: 2 if node.op in ("If", "Loop") else None]
        elif op is not None:
            yield from (n for i, n in enumerate(node.inputs) if i in op.kept)
        for value in node.attributes.values():
            if isinstance(value, Graph):
                yield from _asked(value.nodes)


def hoisted(graph: Graph) -> None:
    """Take large arrays that stand among the nodes for constants, as some writers put weights."""
    kept: list[Node] = []
    for node in graph.nodes:
        value = node.get("value") if node.op == "Constant" else None
        if isinstance(value, np.ndarray) and _is_large(value) and node.domain == "":
            graph.constants[node.outputs[0]] = value
        else:
            kept.append(node)
    graph.nodes[:] = kept


def _is_large(value: np.ndarray[Any, Any]) -> bool:
    return value.ndim > 0 and value.size >= _SIZE and value.dtype.name in float_kinds()


__all__ = ["hoisted", "weights_of"]
