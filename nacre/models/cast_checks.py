"""Inputs of a graph that must not be cast: whole numbers that stand for others, which floats would
be cut to."""

from __future__ import annotations

from typing import Any

from nacre.core.symbolic import Node
from nacre.layers.base.calling import has_call_of_nacre
from nacre.layers.base.layer import Layer
from nacre.models.graph import Graph

# (position among the graph's inputs, layer that is given it, place among what the layer is given)
Reader = tuple[int, Layer, int]


def exact_readers(graph: Graph) -> list[Reader]:
    """The layers that are given an input as it comes and want no other dtype; found once."""
    return graph.once(_readers)


def _readers(graph: Graph) -> list[Reader]:
    return graph.readers(_node_readers)


def _node_readers(node: Node, place: int) -> list[tuple[Layer, int]]:
    layer = node.operation
    if not isinstance(layer, Layer):
        return []
    inner = getattr(layer, "_graph", None)
    if isinstance(inner, Graph):
        # A `call` of the user's own may quantize its inputs first.
        if len(node.inputs) != len(inner.inputs) or not has_call_of_nacre(type(layer)):
            return []
        return [(reader, p) for i, reader, p in exact_readers(inner) if i == place]
    return [(layer, place)] if layer._wants_exact(place) else []


def refuse_casts(graph: Graph, given: list[Any]) -> None:
    """Raise where an Input would cast what a layer behind it refuses.

    Args:
        graph: The graph.
        given: What each of its inputs is given, of its own dtype still.

    Raises:
        DTypeError: What the layer itself raises for it.
    """
    for position, layer, place in exact_readers(graph):
        if hasattr(given[position], "dtype"):
            layer._refuse_cast(place, given[position])


__all__ = ["exact_readers", "refuse_casts"]
