"""What nothing needs is left out, and what is computed twice is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.graph.opset import OPSET
from nacre.export.passes.rewriting import Rewriting, within


def drop_dead_code(graph: Graph) -> Graph:
    """The graph without nodes whose results nobody reads. Inputs and weights stay."""
    return within(_alive(graph), _alive)


def _alive(graph: Graph) -> Graph:
    needed = set(graph.results())
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            kept.append(node)
            needed.update(value for value in node.inputs if value is not None)
    return replace(graph, nodes=tuple(reversed(kept)))


def drop_unread_weights(graph: Graph) -> Graph:
    """The graph without weights that nothing reads or updates."""
    read = {value for node in graph.nodes for value in node.inputs} | set(graph.results())
    updated = {update.path for update in graph.updates}
    kept = (w for w in graph.weights if w.value in read or w.path in updated)
    return replace(graph, weights=tuple(kept))


def merge_equal(graph: Graph) -> Graph:
    """The graph with each of several equal nodes once; random ones differ."""
    return within(_merged(graph), _merged)


def _merged(graph: Graph) -> Graph:
    seen: dict[Any, Node] = {}

    def visit(node: Node, new: Rewriting) -> Sequence[Value] | None:
        spec = OPSET[node.op]
        if spec.is_random or spec.graphs:
            return None
        attributes = tuple((k, _key(v)) for k, v in sorted(node.attributes.items()))
        found = seen.setdefault((node.op, node.inputs, attributes), node)
        return None if found is node else found.outputs

    return Rewriting(graph).run(visit)


def _key(value: Any) -> Any:
    """An attribute as something that tells it from all others: 1, 1.0 and True are three."""
    if isinstance(value, np.ndarray):
        data = repr(value.tolist()) if value.dtype == object else value.tobytes()
        return value.dtype.name, value.shape, data  # a dtype's `str` is 'V1' for several
    if isinstance(value, tuple):
        return tuple(map(_key, value))
    return type(value), str(value)
