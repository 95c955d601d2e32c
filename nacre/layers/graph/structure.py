"""How a batch of padded graphs is read, and sums over the edges that end in one node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nacre import ops
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.layers.base.calling import to_float

PARTS = ("node_features", "edge_index", "edge_weight", "node_mask")


class Graph(NamedTuple):
    """A batch of graphs padded to one size.

    Shapes:
        nodes       (batch, nodes, features)
        sources     (batch, edges) int32  where each edge begins; 0 for padding
        targets     (batch, edges) int32  where it ends; `nodes`, one too far, for padding
        valid       (batch, edges) bool   False for padding
        edge_weight (batch, edges) or None
        node_mask   (batch, nodes) bool or None
    """

    nodes: Any
    sources: Any
    targets: Any
    valid: Any
    edge_weight: Any = None
    node_mask: Any = None


def named_parts(who: str, inputs: Any, with_edges: bool = True) -> dict[str, Any]:
    """Inputs (or their shapes) by name, None for what was not given.

    Raises:
        ArgumentError: A name is unknown, or features or edges are missing.
    """
    if isinstance(inputs, Mapping):
        given = dict(inputs)
    elif isinstance(inputs, list | tuple) and not _is_one_shape(inputs):
        given = dict(zip(PARTS, inputs, strict=False))
    else:
        given = {"node_features": inputs}
    needed = PARTS[:2] if with_edges else PARTS[:1]
    unknown = [name for name in given if name not in PARTS]
    missing = [name for name in needed if given.get(name) is None]
    several = isinstance(inputs, list | tuple) and not _is_one_shape(inputs)
    too_many = several and len(inputs) > len(PARTS)
    if unknown or missing or too_many:
        got = ", ".join(str(n) for n in given) if not too_many else f"{len(inputs)} tensors"
        raise ArgumentError(
            message(
                who,
                f"inputs must be a dict or tuple of {', '.join(needed)}, and perhaps "
                f"{', '.join(name for name in PARTS if name not in needed)}",
                got,
                "Call layer({'node_features': x, 'edge_index': edges}).",
            )
        )
    return {name: given.get(name) for name in PARTS}


def _is_one_shape(inputs: Any) -> bool:
    """Whether a tuple is the shape of one tensor, not a tuple of shapes or tensors."""
    return bool(inputs) and all(size is None or isinstance(size, int) for size in inputs)


def node_mask_of(parts: dict[str, Any], mask: Any) -> Any:
    """The mask of nodes: the one given as an input, else that of the features."""
    if parts["node_mask"] is not None:
        return ops.cast(parts["node_mask"], "bool")
    if isinstance(mask, Mapping):
        mask = mask.get("node_features")
    elif isinstance(mask, list | tuple):
        mask = mask[0] if mask else None
    return None if mask is None else ops.cast(mask, "bool")


def read_graph(who: str, inputs: Any, mask: Any = None, dtype: str | None = None) -> Graph:
    """The graph in a layer's inputs, float features in `dtype`; edges that touch padding are marked
    as padding."""
    parts = named_parts(who, inputs)
    nodes, edges = parts["node_features"], parts["edge_index"]
    if nodes.ndim != 3 or edges.ndim != 3 or edges.shape[-1] != 2:
        raise ShapeError(
            message(
                who,
                "node_features must be (batch, nodes, features) and edge_index (batch, edges, 2)",
                f"{tuple(nodes.shape)} and {tuple(edges.shape)}",
                "A single graph needs a batch axis: x[None]; nacre.utils.pad_graphs stacks many.",
            )
        )
    count = nodes.shape[1]
    nodes = nodes if dtype is None else to_float(nodes, dtype)
    edges = edges.astype("int32")
    valid = jnp.all((edges >= 0) & (edges < count), axis=-1)
    node_mask = node_mask_of(parts, mask)
    if node_mask is not None:
        ends = jax.vmap(lambda row, index: row[index])(node_mask, jnp.where(edges < 0, 0, edges))
        valid = valid & jnp.all(ends, axis=-1)
    return Graph(
        nodes=nodes,
        sources=jnp.where(valid, edges[..., 0], 0),
        targets=jnp.where(valid, edges[..., 1], count),
        valid=valid,
        edge_weight=None if parts["edge_weight"] is None else edge_weights(parts, nodes.dtype),
        node_mask=node_mask,
    )


def edge_weights(parts: dict[str, Any], dtype: Any) -> Any:
    """Weights (batch, edges), a last axis of size 1 dropped."""
    weight = parts["edge_weight"]
    return (weight[..., 0] if weight.ndim == 3 else weight).astype(dtype)


def with_self_loops(graph: Graph) -> Graph:
    """The graph with an edge of weight 1 from every node to itself, padding excepted."""
    batch, count = graph.nodes.shape[:2]
    own = jnp.broadcast_to(jnp.arange(count, dtype="int32"), (batch, count))
    kept = jnp.ones((batch, count), bool) if graph.node_mask is None else graph.node_mask
    weight = graph.edge_weight
    if weight is not None:
        weight = jnp.concatenate([weight, jnp.ones((batch, count), weight.dtype)], axis=1)
    return graph._replace(
        sources=jnp.concatenate([graph.sources, own], axis=1),
        targets=jnp.concatenate([graph.targets, jnp.where(kept, own, count)], axis=1),
        valid=jnp.concatenate([graph.valid, kept], axis=1),
        edge_weight=weight,
    )


def gather(values: Any, indices: Any) -> Any:
    """Rows of `values` (batch, nodes, ...) at (batch, edges); an index too far reads the last."""
    return jax.vmap(lambda rows, index: jnp.take(rows, index, axis=0, mode="clip"))(values, indices)


def sum_at(values: Any, targets: Any, count: Any) -> Any:
    """Sums (batch, nodes, ...) of edge values (batch, edges, ...); padding falls out."""
    return jax.vmap(lambda v, i: jax.ops.segment_sum(v, i, num_segments=count))(values, targets)


def max_at(values: Any, targets: Any, count: Any, empty: float = 0.0) -> Any:
    """Largest edge values of each node, `empty` for a node in which no edge ends."""
    largest = jax.vmap(lambda v, i: jax.ops.segment_max(v, i, num_segments=count))(values, targets)
    edges = sum_at(jnp.ones(targets.shape, values.dtype), targets, count)
    edges = edges.reshape(edges.shape + (1,) * (largest.ndim - 2))
    return jnp.where(edges > 0, largest, jnp.asarray(empty, largest.dtype))


def mean_at(values: Any, targets: Any, count: Any) -> Any:
    """Means of the edge values of each node, 0 for a node in which no edge ends."""
    edges = sum_at(jnp.ones(targets.shape, values.dtype), targets, count)
    edges = edges.reshape(edges.shape + (1,) * (values.ndim - 2))
    return sum_at(values, targets, count) / jnp.maximum(edges, 1)


def without_padding(values: Any, node_mask: Any) -> Any:
    """Node values (batch, nodes, ...) with zeros at padded nodes."""
    if node_mask is None:
        return values
    kept = node_mask.reshape(node_mask.shape + (1,) * (values.ndim - 2))
    return jnp.where(kept, values, jnp.zeros((), values.dtype))
