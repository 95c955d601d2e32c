"""What all passes stand on: a walk over the nodes of a graph that makes a new graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from nacre.export.graph.ir import Builder, Graph, Node, Output, Update, Value

# What becomes of a node whose inputs are new already: values that stand for its results, or None to
# keep it as it is.
Visit: TypeAlias = "Callable[[Node, Rewriting], Sequence[Value] | None]"


class Rewriting:
    """A graph on its way into a new one.

    Attributes:
        maker: The node that made each value of the new graph.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.maker: dict[Value, Node] = {}
        self._new: dict[Value, Value] = {}
        self._names = Builder(graph.name)
        for value in _all_values(graph):
            self._names.take(value.name)

    def new(self, value: Value) -> Value:
        """What stands for a value of the old graph."""
        return self._new.get(value, value)

    def add(self, op: str, inputs: Sequence[Value | None], like: Node, **attributes: Any) -> Value:
        """A further node with one result, of the layer of another one."""
        (value,) = self.add_all(op, inputs, like, **attributes)
        return value

    def add_all(
        self,
        op: str,
        inputs: Sequence[Value | None],
        like: Node,
        graphs: Mapping[str, Graph] | None = None,
        **attributes: Any,
    ) -> tuple[Value, ...]:
        """A further node, of the layer of another one, and its results."""
        values = self._names.add_all(op, inputs, attributes, graphs=graphs, layer=like.layer)
        self.keep(self._names.nodes.pop())
        return values

    def keep(self, node: Node) -> None:
        """Append a node as it is."""
        self.nodes.append(node)
        self.maker.update(dict.fromkeys(node.outputs, node))

    def run(self, visit: Visit) -> Graph:
        """The new graph: `visit` sees each node, in order."""
        for old in self.graph.nodes:
            inputs = tuple(None if v is None else self.new(v) for v in old.inputs)
            node = old if inputs == old.inputs else replace(old, inputs=inputs)
            instead = visit(node, self)
            if instead is None:
                self.keep(node)
            else:
                self._new.update(zip(old.outputs, instead, strict=True))
        return replace(
            self.graph,
            nodes=tuple(self.nodes),
            outputs=tuple(Output(name, self.new(v)) for name, v in self.graph.outputs),
            updates=tuple(Update(path, self.new(v)) for path, v in self.graph.updates),
        )


def _all_values(graph: Graph) -> list[Value]:
    made = [value for node in graph.nodes for value in node.outputs]
    return [*graph.inputs, *(weight.value for weight in graph.weights), *made]


def within(graph: Graph, change: Callable[[Graph], Graph]) -> Graph:
    """The graph with the graphs of its control flow changed."""
    if not any(node.graphs for node in graph.nodes):
        return graph
    nodes = (
        replace(node, graphs={k: change(within(g, change)) for k, g in node.graphs.items()})
        if node.graphs
        else node
        for node in graph.nodes
    )
    return replace(graph, nodes=tuple(nodes))
