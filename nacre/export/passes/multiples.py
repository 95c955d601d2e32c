"""Graphs for sizes that come in steps: other sizes are refused where the graph runs.

A net that halves pictures and joins them with what it doubles is a graph for multiples alone; a
size between two of them would be taken for the smaller one, and give other numbers without a word.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nacre.export.graph.ir import Builder, Graph, Node, Output, Update, Value
from nacre.export.graph.sizes import Size, multiple_of_name


def refuse_other_sizes(graph: Graph) -> Graph:
    """The graph whose inputs meet zeros of the sizes that it is for.

    To numbers of the same sizes zeros change nothing; with others they do not broadcast, which
    every runtime refuses. (A reshape would be left out by formats that see that it does nothing.)
    It is added last, as passes take it away.
    """
    stepped = [v for v in graph.inputs if any(map(_is_stepped, v.shape)) and v.dtype != "string"]
    if not stepped:
        return graph
    make = Builder(graph.name)
    for value in (*graph.inputs, *(v for node in graph.nodes for v in node.outputs)):
        make.take(value.name)
    new = {value: _met(make, value) for value in stepped}
    nodes: list[Node] = list(make.nodes)
    for node in graph.nodes:
        inputs = tuple(None if v is None else new.get(v, v) for v in node.inputs)
        nodes.append(replace(node, inputs=inputs))

    def met(value: Value) -> Value:
        return new.get(value, value)

    return replace(
        graph,
        nodes=tuple(nodes),
        outputs=tuple(Output(name, met(value)) for name, value in graph.outputs),
        updates=tuple(Update(path, met(value)) for path, value in graph.updates),
    )


def _met(make: Builder, value: Value) -> Value:
    for axis, size in enumerate(value.shape):
        if not _is_stepped(size):
            continue
        # Of a number that is counted, as formats leave out zeros that are plain ones.
        line = make.add("iota", attributes={"shape": (size,), "axis": 0, "dtype": "int32"})
        zeros = make.add("mul", [line, make.constant(np.int32(0))])
        behind = (1,) * (len(value.shape) - 1 - axis)
        zeros = make.add("reshape", [zeros], {"shape": (size, *behind)})
        if value.dtype != "int32":
            zeros = make.add("cast", [zeros], {"dtype": value.dtype})
        value = make.add("or" if value.dtype == "bool" else "add", [value, zeros])
    return value


def _is_stepped(size: Size) -> bool:
    named = multiple_of_name(size)
    return named is not None and named[1] > 1


__all__ = ["refuse_other_sizes"]
