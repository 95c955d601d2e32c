"""One vector for each graph: sum, mean or maximum over its nodes."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.graph import structure
from nacre.ops.kernels.extremes import largest


class GraphPooling(Layer):
    """Reduce the nodes of each graph, padding left out."""

    def __init__(self, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """One vector (batch, features) for each graph."""
        parts = structure.named_parts(self._who(), inputs, with_edges=False)
        nodes, kept = parts["node_features"], structure.node_mask_of(parts, mask)
        if kept is None:
            kept = jnp.ones(nodes.shape[:2], bool)
        return self._pool(nodes, kept[..., None])

    def _pool(self, nodes: Any, kept: Any) -> Any:
        return jnp.sum(jnp.where(kept, nodes, jnp.zeros((), nodes.dtype)), axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask: the axis of nodes is gone."""
        return None


@register("layers/GraphSumPooling", module="nacre")
class GraphSumPooling(GraphPooling):
    """The sum of all node features of each graph.

    Choose it where the number of nodes matters.

    Shapes:
        inputs  (batch, nodes, features), alone with its mask, or a dict or tuple as graph layers
                take it
        returns (batch, features)
    Source:
        Xu et al. 2019, arXiv:1810.00826, section 4.2.
    Example:
        >>> import numpy as np
        >>> x, mask = np.array([[[1.0], [2.0], [9.0]]]), np.array([[True, True, False]])
        >>> GraphSumPooling()({"node_features": x, "node_mask": mask}).tolist()
        [[3.0]]
    """


@register("layers/GraphMeanPooling", module="nacre")
class GraphMeanPooling(GraphPooling):
    """The mean of all node features of each graph; 0 for a graph without nodes.

    Shapes:
        inputs  (batch, nodes, features), alone with its mask, or a dict or tuple as graph layers
                take it
        returns (batch, features)
    Example:
        >>> import numpy as np
        >>> x, mask = np.array([[[1.0], [2.0], [9.0]]]), np.array([[True, True, False]])
        >>> GraphMeanPooling()({"node_features": x, "node_mask": mask}).tolist()
        [[1.5]]
    """

    def _pool(self, nodes: Any, kept: Any) -> Any:
        count = jnp.sum(kept.astype(nodes.dtype), axis=1)
        return super()._pool(nodes, kept) / jnp.maximum(count, 1)


@register("layers/GraphMaxPooling", module="nacre")
class GraphMaxPooling(GraphPooling):
    """The largest value of each feature over the nodes of each graph; 0 without nodes.

    Shapes:
        inputs  (batch, nodes, features), alone with its mask, or a dict or tuple as graph layers
                take it
        returns (batch, features)
    Example:
        >>> import numpy as np
        >>> x, mask = np.array([[[1.0], [2.0], [9.0]]]), np.array([[True, True, False]])
        >>> GraphMaxPooling()({"node_features": x, "node_mask": mask}).tolist()
        [[2.0]]
    """

    def _pool(self, nodes: Any, kept: Any) -> Any:
        lowest = jnp.asarray(jnp.finfo(nodes.dtype).min, nodes.dtype)
        found = largest(jnp.where(kept, nodes, lowest), axis=1)
        return jnp.where(jnp.any(kept, axis=1), found, jnp.zeros((), nodes.dtype))
