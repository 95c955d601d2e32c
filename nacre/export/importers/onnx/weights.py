"""Which arrays of a graph are weights: variables, that training may change.

Floats that its nodes compute with are; what decides shapes, single numbers beside them, and what
the file holds as statistics of training data are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nacre.export.importers.imported import Weight
from nacre.export.importers.onnx.reading import Graph, float_kinds
from nacre.export.importers.onnx.registry import OPS, Node
from nacre.export.importers.wide_work import without_rounding

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
    makers, uses = _ends_of(graph)
    found: dict[str, Weight] = {}
    for name, array in graph.constants.items():
        if name in decides:
            continue
        kind = array.dtype.name
        if kind in float_kinds() or kind == "float64":
            value = without_rounding(array)
            if array.ndim and value is not None:
                found[name] = Weight(value, _is_trained(array, uses.get(name, []), makers))
        elif array.size >= _SIZE and kind in ("int8", "uint8", "int16", "uint16", "int32", "bool"):
            found[name] = Weight(array, False)
    return found


def _ends_of(graph: Graph) -> tuple[dict[str, Node], dict[str, list[tuple[Node, int]]]]:
    """Of each value the node that makes it, and the nodes that read it, each with the place."""
    uses: dict[str, list[tuple[Node, int]]] = {}
    for node in graph.nodes:
        for place, name in enumerate(node.inputs):
            uses.setdefault(name, []).append((node, place))
    return {name: node for node in graph.nodes for name in node.outputs}, uses


def rounded(graph: Graph, weights: Mapping[str, Weight]) -> list[str]:
    """Names of arrays that would be trained if float32 held them."""
    makers, uses = _ends_of(graph)
    return [
        name
        for name, array in graph.constants.items()
        if array.dtype == np.float64 and array.size > 1 and name not in weights
        and name in uses and _is_trained(array, uses[name], makers)
    ]  # fmt: skip


def makes_64_bits(graph: Graph, dtypes: Sequence[str]) -> bool:
    """Whether some numbers of 64 bits, beside those that decide shapes, are computed with.

    Args:
        graph: The graph.
        dtypes: Of its inputs and outputs.
    """
    decides = _deciding(graph)
    arrays = [array for name, array in graph.constants.items() if name not in decides]
    return (
        any(kind in _WIDE for kind in dtypes)
        or any(array.dtype.name in _WIDE for array in arrays)
        or any(_makes_wide(node, decides) for node in graph.nodes)
    )


_WIDE = frozenset(("int64", "uint64", "float64", "complex128"))
# Types of elements in attributes: 7, 11, 13 and 15 of onnx.proto.
_WIDE_TYPES = frozenset((7, 11, 13, 15))
# What gives int64 for whatever it is given.
_COUNTS = frozenset(("ArgMax", "ArgMin", "TopK", "NonZero", "Unique", "TfIdfVectorizer"))


def _makes_wide(node: Node, decides: set[str]) -> bool:
    if node.domain or node.op in _COUNTS:
        return True
    inner = [v for a in node.attributes.values() for v in (a if isinstance(a, list) else [a])]
    graphs = [v for v in inner if isinstance(v, Graph)]
    if node.body is not None:
        graphs.append(node.body)
    if any(makes_64_bits(graph, ()) for graph in graphs):
        return True
    if node.op == "Constant":
        value = node.get("value")
        is_wide = isinstance(value, np.ndarray) and value.dtype.name in _WIDE
        is_wide = is_wide or node.get("value_int") is not None or bool(node.get("value_ints"))
        return is_wide and not decides.issuperset(node.outputs)
    return node.get("to") in _WIDE_TYPES or node.get("dtype") in _WIDE_TYPES


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


__all__ = ["hoisted", "makes_64_bits", "rounded", "weights_of"]
