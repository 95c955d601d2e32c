"""Which inputs of a graph are read as indices, so that their values are checked on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DataError
from nacre.core.ragged_marks import unmarked
from nacre.core.stored import READ_BYTES
from nacre.core.symbolic import Node
from nacre.data.rows import forget_pages, is_in_file
from nacre.layers.base.calling import has_call_of_nacre
from nacre.layers.base.layer import Layer
from nacre.models.graph import Graph, graph_of

# (position among the graph's inputs, layer that reads it, how many indices it knows)
Reader = tuple[int, Layer, int]


def readers_of(graph: Graph) -> list[Reader]:
    """The layers that read an input of the graph as indices; found once."""
    return graph.once(_readers)


def _readers(graph: Graph) -> list[Reader]:
    return graph.readers(_node_readers)


def _node_readers(node: Node, input_index: int) -> list[tuple[Layer, int]]:
    layer = node.operation
    if not _has_builtin_call(layer):
        return []
    inner = graph_of(layer)
    if inner is not None:
        same = len(node.inputs) == len(inner.inputs)
        return [(r, limit) for i, r, limit in readers_of(inner) if i == input_index] if same else []
    # `reverse=True` of an embedding: what it then reads are vectors.
    is_switched = any(v is True for v in (*node.args[1:], *node.kwargs.values()))
    if not isinstance(layer, Layer) or input_index or is_switched:
        return []
    limit = layer._index_limit()
    return [] if limit is None else [(layer, limit)]


def _has_builtin_call(layer: Any) -> bool:
    """Whether `call` is nacre's: one of the user's may make the indices first, as x % buckets."""
    return has_call_of_nacre(type(layer)) and "call" not in vars(layer)


def check_indices(graph: Graph, given: list[Any]) -> None:
    """Refuse indices outside a table among arrays of the host that a graph is about to be given.

    Args:
        graph: The graph.
        given: An array for each of its inputs; those on a device are not checked, those in files a
            part at a time.

    Raises:
        DataError, ArgumentError: What the layer itself raises for such an index.
    """
    for position, layer, limit in readers_of(graph):
        if graph.entries[position].ragged and isinstance(given[position], np.ndarray):
            layer._check_indices(unmarked(given[position]), limit)
            continue
        if is_in_file(given[position]):
            _check_in_parts(layer, given[position], limit)
        elif isinstance(given[position], np.ndarray):
            layer._check_indices(given[position], limit)


def _check_in_parts(layer: Layer, rows: Any, limit: int) -> None:
    """The same for an array in a file, of which little is in memory at a time."""
    step = max(1, READ_BYTES * len(rows) // max(1, rows.nbytes))
    for first in range(0, len(rows), step):
        part = np.asarray(rows[first : first + step])
        try:
            layer._check_indices(part, limit)
        except (ArgumentError, DataError) as error:
            counted = f" (Rows are counted from row {first} on.)" if first else ""
            raise type(error)(f"{error}{counted}") from None
        forget_pages(rows)


__all__ = ["check_indices", "readers_of"]
