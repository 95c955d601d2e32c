"""A graph as stable text, for tests, people and bug reports.

    graph classifier(x: float32[batch, 4])
      weight dense/kernel: float32[4, 3]
      dense_0: float32[batch, 3] = dense(x, dense/kernel, -) @dense
      softmax_0: float32[batch, 3] = softmax(dense_0; axes=(-1,)) @predictions
      return outputs=softmax_0

A weight that gradients do not change is followed by `fixed`; `-` is an input that is left out; `@`
tells the layer; updates follow as `update path = value`. Of a large array stand dtype, shape and a
digest, of a long tuple its length and one. Graphs of control flow stand below their node, indented.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from nacre.export.graph.ir import Graph, Node, Value

_MOST_SHOWN = 8  # elements of an array, or of a tuple


def graph_text(graph: Graph) -> str:
    """The text of a graph, which is the same for the same graph."""
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield f"graph {graph.name}({', '.join(map(_typed, graph.inputs))})"
    for weight in graph.weights:
        yield f"  weight {_typed(weight.value)}{'' if weight.trainable else ' fixed'}"
    for node in graph.nodes:
        yield f"  {node_text(node)}"
        for name, inner in sorted(node.graphs.items()):
            first, *rest = _lines(inner)
            yield f"    {name}: {first}"
            yield from (f"    {line}" for line in rest)
    for update in graph.updates:
        yield f"  update {update.path} = {update.value.name}"
    yield f"  return {', '.join(f'{name}={value.name}' for name, value in graph.outputs)}"


def node_text(node: Node) -> str:
    """One node, in a line."""
    results = ", ".join(map(_typed, node.outputs))
    inputs = ", ".join("-" if v is None else v.name for v in node.inputs)
    attributes = ", ".join(f"{k}={_shown(v)}" for k, v in sorted(node.attributes.items()))
    given = "; ".join(filter(None, [inputs, attributes]))
    return f"{results} = {node.op}({given})" + (f" @{node.layer}" if node.layer else "")


def _typed(value: Value) -> str:
    return f"{value.name}: {value.type}"


def _shown(value: Any) -> str:
    if isinstance(value, tuple) and len(value) > _MOST_SHOWN:
        return f"{len(value)} #{_digest(repr(value).encode())}"
    if not isinstance(value, np.ndarray):
        return repr(value)
    start = f"{value.dtype}{list(value.shape)}"
    if value.size <= _MOST_SHOWN:
        return f"{start} {value.tolist()}"
    data = repr(value.tolist()).encode() if value.dtype == object else value.tobytes()
    return f"{start} #{_digest(data)}"


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=6).hexdigest()
