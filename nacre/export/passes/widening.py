"""Floats of dtypes that a format has no kernels for, in float32.

The numbers are those of more digits, as most processors compute 16 bits, and as a comparison with
the model allows for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nacre.export.graph.ir import Graph, Node, Output, Update, Value, Weight

_WIDE = "float32"


def without_bfloat16(graph: Graph) -> Graph:
    """The graph in float32 where it is in bfloat16: inputs, weights and outputs too."""
    return _Widening(("bfloat16",)).graph(graph)


def without_narrow_floats(graph: Graph) -> Graph:
    """The graph in float32 where it is in float16 or bfloat16: inputs, weights and outputs too."""
    return _Widening(("float16", "bfloat16")).graph(graph)


def widen_floats(graph: Graph) -> Graph:
    """The graph in float32 where it is in float16 or bfloat16, but for its inputs and outputs."""
    widening = _Widening(("float16", "bfloat16"))
    narrow = [value for value in graph.inputs if value.dtype in widening.narrow]
    casts = [widening.cast_of(value) for value in narrow]
    wide = widening.graph(graph)
    if wide is graph:
        return graph
    outputs: list[Output] = []
    ends: list[Node] = []
    for (name, value), (_, old) in zip(wide.outputs, graph.outputs, strict=True):
        if value.dtype != old.dtype:
            cast = Value(f"{old.name}_{old.dtype}_{len(ends)}", old.dtype, old.shape)
            ends.append(Node("cast", (value,), (cast,), {"dtype": old.dtype}))
            value = cast
        outputs.append(Output(name, value))
    nodes = (*casts, *wide.nodes, *ends)
    return replace(wide, inputs=graph.inputs, nodes=nodes, outputs=tuple(outputs))


class _Widening:
    """A graph on its way: the wide value of each narrow one."""

    def __init__(self, narrow: tuple[str, ...]) -> None:
        self.narrow = narrow
        self._new: dict[Value, Value] = {}

    def graph(self, graph: Graph) -> Graph:
        """The graph without the narrow dtypes; itself where it has none."""
        values = [*graph.inputs, *(w.value for w in graph.weights)]
        values += [v for node in graph.all_nodes() for v in node.outputs]
        return self._changed(graph) if any(v.dtype in self.narrow for v in values) else graph

    def cast_of(self, value: Value) -> Node:
        """What makes a narrow value wide, which all others read from now on."""
        self._new[value] = Value(f"{value.name}_{_WIDE}", _WIDE, value.shape)
        return Node("cast", (value,), (self._new[value],), {"dtype": _WIDE})

    def _changed(self, graph: Graph) -> Graph:
        return replace(
            graph,
            inputs=tuple(map(self._value, graph.inputs)),
            weights=tuple(map(self._weight, graph.weights)),
            nodes=tuple(part for node in graph.nodes for part in self._nodes(node)),
            outputs=tuple(Output(name, self._value(v)) for name, v in graph.outputs),
            updates=tuple(Update(path, self._value(v)) for path, v in graph.updates),
        )

    def _value(self, value: Value) -> Value:
        if value.dtype not in self.narrow:
            return value
        return self._new.setdefault(value, replace(value, dtype=_WIDE))

    def _weight(self, weight: Weight) -> Weight:
        if weight.value.dtype not in self.narrow:
            return weight
        return replace(weight, value=self._value(weight.value), data=weight.data.astype(_WIDE))

    def _nodes(self, node: Node) -> list[Node]:
        if node.op == "bitcast":
            return self._bits(node)
        changed = replace(
            node,
            inputs=tuple(None if v is None else self._value(v) for v in node.inputs),
            outputs=tuple(map(self._value, node.outputs)),
            attributes=self._attributes(node.attributes),
            graphs={name: self._changed(inner) for name, inner in node.graphs.items()},
        )
        return [changed]

    def _bits(self, node: Node) -> list[Node]:
        """Bits are read of the dtype that they are said of, with casts around."""
        (source,), (result,) = node.inputs, node.outputs
        assert source is not None
        made: list[Node] = []
        if source.dtype in self.narrow:
            back = Value(f"{result.name}_bits", source.dtype, source.shape)
            made.append(Node("cast", (self._value(source),), (back,), {"dtype": source.dtype}))
            source = back
        made.append(replace(node, inputs=(source,)))
        if result.dtype in self.narrow:
            made.append(self.cast_of(result))
        return made

    def _attributes(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        found = dict(attributes)
        if found.get("dtype") in self.narrow:
            found["dtype"] = _WIDE
        value = found.get("value")
        if isinstance(value, np.ndarray) and value.dtype.name in self.narrow:
            found["value"] = value.astype(_WIDE)
        return found


__all__ = ["widen_floats", "without_narrow_floats", "without_bfloat16"]
