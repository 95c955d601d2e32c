"""Floats of a dtype that a format has no kernels for, in a wider one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nacre.export.graph.ir import Graph, Node, Output, Update, Value, Weight


def without_bfloat16(graph: Graph) -> Graph:
    """The graph in float32 where it is in bfloat16: inputs, weights and outputs too. The numbers
    are those of more digits, as most processors compute bfloat16."""
    return _Widening("bfloat16", "float32").graph(graph)


class _Widening:
    def __init__(self, narrow: str, wide: str) -> None:
        self.narrow, self.wide = narrow, wide
        self._new: dict[Value, Value] = {}

    def graph(self, graph: Graph) -> Graph:
        """The graph without the narrow dtype; itself where it has none."""
        values = [*graph.inputs, *(w.value for w in graph.weights)]
        values += [v for node in graph.all_nodes() for v in node.outputs]
        if not any(v.dtype == self.narrow for v in values):
            return graph
        return self._changed(graph)

    def _changed(self, graph: Graph) -> Graph:
        return replace(
            graph,
            inputs=tuple(map(self._value, graph.inputs)),
            weights=tuple(map(self._weight, graph.weights)),
            nodes=tuple(map(self._node, graph.nodes)),
            outputs=tuple(Output(name, self._value(v)) for name, v in graph.outputs),
            updates=tuple(Update(path, self._value(v)) for path, v in graph.updates),
        )

    def _value(self, value: Value) -> Value:
        if value.dtype != self.narrow:
            return value
        return self._new.setdefault(value, replace(value, dtype=self.wide))

    def _weight(self, weight: Weight) -> Weight:
        if weight.value.dtype != self.narrow:
            return weight
        data = weight.data.astype(self.wide)
        return replace(weight, value=self._value(weight.value), data=data)

    def _node(self, node: Node) -> Node:
        return replace(
            node,
            inputs=tuple(None if v is None else self._value(v) for v in node.inputs),
            outputs=tuple(map(self._value, node.outputs)),
            attributes={k: self._attribute(v) for k, v in node.attributes.items()},
            graphs={name: self._changed(inner) for name, inner in node.graphs.items()},
        )

    def _attribute(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value.astype(self.wide) if value.dtype.name == self.narrow else value
        return self.wide if isinstance(value, str) and value == self.narrow else value


__all__ = ["without_bfloat16"]
