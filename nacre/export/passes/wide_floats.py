"""What is computed in 16 bits computed in 32, for formats whose runtimes do not know less.

Inputs and outputs keep their dtypes. Results have more digits than those of the model, which a
comparison allows for models of 16 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nacre.export.graph.ir import Graph, Node, Output, Value, Weight

_NARROW = ("float16", "bfloat16")


def widen_floats(graph: Graph) -> Graph:
    """The graph with all in float32 that is in float16 or bfloat16, but for its inputs and outputs.

    Updates of variables are left out where they are narrow: variables are wide afterwards.
    """
    values = [*graph.inputs, *(weight.value for weight in graph.weights)]
    values += [v for node in graph.all_nodes() for v in node.outputs]
    return _Widening().outer(graph) if any(v.dtype in _NARROW for v in values) else graph


class _Widening:
    """One graph on its way: the wide value of each narrow one."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.wide: dict[Value, Value] = {}

    def outer(self, graph: Graph) -> Graph:
        for value in graph.inputs:
            if value.dtype in _NARROW:
                self.wide[value] = self._cast(value, "float32")
        weights = tuple(self._weight(weight) for weight in graph.weights)
        for node in graph.nodes:
            self._node(node)
        outputs = [Output(name, self._as_declared(value)) for name, value in graph.outputs]
        updates = tuple(u for u in graph.updates if u.value.dtype not in _NARROW)
        return replace(
            graph,
            nodes=tuple(self.nodes),
            weights=weights,
            outputs=tuple(outputs),
            updates=tuple(u._replace(value=self._new(u.value)) for u in updates),
        )

    def inner(self, graph: Graph) -> Graph:
        inputs = tuple(self._widened(value) for value in graph.inputs)
        for node in graph.nodes:
            self._node(node)
        outputs = tuple(Output(name, self._new(value)) for name, value in graph.outputs)
        return replace(graph, inputs=inputs, nodes=tuple(self.nodes), outputs=outputs)

    def _new(self, value: Value) -> Value:
        return self.wide.get(value, value)

    def _widened(self, value: Value) -> Value:
        if value.dtype not in _NARROW:
            return value
        self.wide[value] = Value(value.name, "float32", value.shape)
        return self.wide[value]

    def _weight(self, weight: Weight) -> Weight:
        if weight.value.dtype not in _NARROW:
            return weight
        data = weight.data.astype("float32")
        return replace(weight, value=self._widened(weight.value), data=data)

    def _cast(self, value: Value, dtype: str) -> Value:
        cast = Value(f"{value.name}_{dtype}", dtype, value.shape)
        self.nodes.append(Node("cast", (value,), (cast,), {"dtype": dtype}))
        return cast

    def _as_declared(self, value: Value) -> Value:
        wide = self.wide.get(value)
        return value if wide is None else self._cast(wide, value.dtype)

    def _node(self, node: Node) -> None:
        if node.op == "bitcast" and _NARROW_BITS & {node.attributes["dtype"], _dtype(node)}:
            inputs = tuple(None if v is None else self._as_declared(v) for v in node.inputs)
            self.nodes.append(replace(node, inputs=inputs))
            for value in node.outputs:
                if value.dtype in _NARROW:
                    self.wide[value] = self._cast(value, "float32")
            return
        inputs = tuple(None if v is None else self._new(v) for v in node.inputs)
        outputs = tuple(self._widened(value) for value in node.outputs)
        attributes = _widened_attributes(node.attributes)
        graphs = {name: _Widening().inner(inner) for name, inner in node.graphs.items()}
        self.nodes.append(
            replace(node, inputs=inputs, outputs=outputs, attributes=attributes, graphs=graphs)
        )


_NARROW_BITS = set(_NARROW)


def _dtype(node: Node) -> str:
    value = node.inputs[0]
    assert value is not None
    return value.dtype


def _widened_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(attributes)
    if found.get("dtype") in _NARROW:
        found["dtype"] = "float32"
    value = found.get("value")
    if isinstance(value, np.ndarray) and value.dtype.name in _NARROW:
        found["value"] = value.astype("float32")
    return found


__all__ = ["widen_floats"]
