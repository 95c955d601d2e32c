"""Graphs of different sizes as one batch of arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DataError, message


def pad_graphs(
    graphs: Sequence[Any], num_nodes: int | None = None, num_edges: int | None = None
) -> dict[str, np.ndarray]:
    """Stack graphs of different sizes, padded to one size, as graph layers take them.

    Args:
        graphs: Each a dict with `node_features` (nodes, features), `edge_index` (edges, 2) and
            perhaps `edge_weight` (edges,), or a tuple of these in this order.
        num_nodes: Nodes of each padded graph; the largest graph's by default. A fixed number keeps
            the shapes of all batches equal, so that nothing is compiled twice.
        num_edges: The same for edges.

    Shapes:
        node_features (graphs, num_nodes, features) float32, zeros at padding
        edge_index    (graphs, num_edges, 2)        int32, -1 at padding
        edge_weight   (graphs, num_edges)           float32, only when the graphs have weights
        node_mask     (graphs, num_nodes)           bool, False at padding
    Raises:
        ArgumentError: No graph, or only some have weights.
        DataError: A graph is larger than asked for, or an edge ends outside its nodes.
    Example:
        >>> batch = pad_graphs([([[1.0], [2.0]], [[0, 1]]), ([[3.0]], [])])
        >>> batch["node_mask"].tolist(), batch["edge_index"].tolist()
        ([[True, True], [True, False]], [[[0, 1]], [[-1, -1]]])
    """
    parts = [_parts(graph, place) for place, graph in enumerate(graphs)]
    weighted = {weight is not None for _, _, weight in parts}
    if not parts or len(weighted) > 1:
        raise ArgumentError(
            message(
                "pad_graphs",
                "graphs must be a list of one or more graphs, all with edge weights or none",
                "some with weights" if parts else "no graph",
            )
        )
    nodes = _size("num_nodes", num_nodes, [len(features) for features, _, _ in parts])
    edges = _size("num_edges", num_edges, [len(index) for _, index, _ in parts])
    count, size = len(parts), parts[0][0].shape[1]
    batch = {
        "node_features": np.zeros((count, nodes, size), "float32"),
        "edge_index": np.full((count, edges, 2), -1, "int32"),
        "node_mask": np.zeros((count, nodes), bool),
    }
    if True in weighted:
        batch["edge_weight"] = np.zeros((count, edges), "float32")
    for row, (features, index, weight) in enumerate(parts):
        batch["node_features"][row, : len(features)] = features
        batch["node_mask"][row, : len(features)] = True
        batch["edge_index"][row, : len(index)] = index
        if weight is not None:
            batch["edge_weight"][row, : len(index)] = weight
    return batch


def _parts(graph: Any, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Features, edges and weights of one graph, checked."""
    names = ("node_features", "edge_index", "edge_weight")
    given = dict(graph) if isinstance(graph, Mapping) else dict(zip(names, graph, strict=False))
    features = np.asarray(given["node_features"], "float32")
    index = np.asarray(given["edge_index"], "int64").reshape(-1, 2)
    weight = given.get("edge_weight")
    weight = None if weight is None else np.asarray(weight, "float32").reshape(-1)
    wrong = ""
    if features.ndim != 2:
        wrong = f"features of shape {features.shape}"
    elif index.size and (index.min() < 0 or index.max() >= len(features)):
        wrong = f"edges from {index.min()} to {index.max()} for {len(features)} nodes"
    elif weight is not None and len(weight) != len(index):
        wrong = f"{len(weight)} weights for {len(index)} edges"
    if wrong:
        raise DataError(
            message(
                f"pad_graphs, graph {place}",
                "it must have features (nodes, features), edges between these nodes, and one "
                "weight for each edge or none",
                wrong,
            )
        )
    return features, index, weight


def _size(name: str, wanted: int | None, sizes: list[int]) -> int:
    largest = max(sizes)
    if wanted is None:
        return largest
    if wanted < largest:
        raise DataError(
            message(
                "pad_graphs",
                f"{name} must be at least the largest graph's",
                f"{wanted}, while graph {sizes.index(largest)} has {largest}",
                f"Pass {name}={largest}.",
            )
        )
    return wanted
