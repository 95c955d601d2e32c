"""Graph attention: each node decides how much each neighbour counts."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp
from jax import lax

from nacre import ops
from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import whole_number
from nacre.core.random import SeedGenerator, draw_key
from nacre.core.registry import register
from nacre.core.tensors import WholeNumber
from nacre.layers.base.keywords import GraphKeywords
from nacre.layers.graph import structure
from nacre.layers.graph.message_passing import GraphConvolution
from nacre.layers.graph.structure import Graph
from nacre.layers.regularization.dropout import checked_rate, drop


@register("layers/GATConv", module="nacre")
class GATConv(GraphConvolution):
    """Average the neighbours' projections with weights made from both ends of each edge.

    Choose it over `GCNConv` where some neighbours matter more than others.

    Args:
        units: Size of the new features of each head.
        num_heads: Number of heads.
        concat: True joins the heads to `num_heads * units` features, False averages them.
        dropout: Share of the attention weights set to zero in training.
        negative_slope: Slope of the leaky relu of the scores.
        activation: Name or function; None leaves the sums as they are.
        use_bias: Whether a bias is added.
        add_self_loops: Whether each node is its own neighbour.
        seed: For the dropout.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer: Penalties on the weights.
        kernel_constraint, bias_constraint: Applied after each update.
    Shapes:
        inputs                     see `MessagePassing`; without edge weights
        kernel                     (features, num_heads, units)
        source, target attention   (num_heads, units)
        returns                    (batch, nodes, num_heads * units), or (batch, nodes, units)
    Formula:
        h = x · kernel;  s_ab = leaky_relu(source · h_a + target · h_b);
        y_b = sum over edges (a, b) of softmax_a(s_ab) · h_a
    Raises:
        ArgumentError: Edge weights are given, which this layer would have to ignore.
    Source:
        Veličković et al. 2018, arXiv:1710.10903, equations 1 to 6. Differs: features are not
        dropped, only attention weights; put a `Dropout` before the layer for that.
    Example:
        >>> import nacre, numpy as np
        >>> x, edges = np.ones((1, 3, 4)), np.array([[[0, 1], [1, 0]]])
        >>> nacre.layers.GATConv(2, num_heads=3)((x, edges)).shape
        (1, 3, 6)
    """

    def __init__(
        self,
        units: WholeNumber,
        num_heads: int = 1,
        concat: bool = True,
        dropout: float = 0.0,
        negative_slope: float = 0.2,
        activation: Any = None,
        use_bias: bool = True,
        add_self_loops: bool = True,
        seed: int | None = None,
        **kwargs: Unpack[GraphKeywords],
    ) -> None:
        super().__init__(units, activation=activation, use_bias=use_bias, **kwargs)
        self.num_heads = whole_number(self._who(), "num_heads", num_heads)
        self.concat = concat
        self.dropout = checked_rate(self, dropout, "dropout")
        self.negative_slope = negative_slope
        self.add_self_loops = add_self_loops
        self.seed = seed
        self.seed_generator = SeedGenerator(seed) if dropout > 0 else None

    def build(self, input_shape: Any) -> None:
        """Make the kernel, the attention vectors and the bias."""
        shape = (self._features(input_shape), self.num_heads, self.units)
        self.kernel = self._kernel("kernel", shape)
        self.source_attention = self._kernel("source_attention", shape[1:])
        self.target_attention = self._kernel("target_attention", shape[1:])
        self.bias = self._bias(self.units * (self.num_heads if self.concat else 1))

    def _on_graph(self, graph: Graph, training: bool | None) -> Any:
        if graph.edge_weight is not None:
            raise ArgumentError(
                message(
                    self._who(),
                    "edges must have no weights, as attention gives each edge its own",
                    "edge_weight",
                    "Leave edge_weight out, or use GCNConv.",
                )
            )
        graph = structure.with_self_loops(graph) if self.add_self_loops else graph
        projected = ops.einsum("bnf,fhu->bnhu", graph.nodes, self.kernel)
        weights = self._weights(graph, projected)  # (batch, edges, heads)
        if training and self.dropout:
            weights = drop(weights, self.dropout, draw_key(self.seed_generator))
        messages = structure.gather(projected, graph.sources) * weights[..., None]
        outputs = structure.sum_at(messages, graph.targets, projected.shape[1])
        if self.concat:
            outputs = outputs.reshape((*outputs.shape[:2], self.num_heads * self.units))
        else:
            outputs = jnp.mean(outputs, axis=2)
        return self._finished(outputs)

    def _weights(self, graph: Graph, projected: Any) -> Any:
        """Softmax of the scores over the edges that end in one node."""
        count = projected.shape[1]
        from_source = ops.einsum("bnhu,hu->bnh", projected, self.source_attention)
        from_target = ops.einsum("bnhu,hu->bnh", projected, self.target_attention)
        scores = structure.gather(from_source, graph.sources)
        scores = scores + structure.gather(from_target, graph.targets)
        scores = ops.leaky_relu(scores, negative_slope=self.negative_slope)
        largest = lax.stop_gradient(structure.max_at(scores, graph.targets, count))
        shifted = scores - structure.gather(largest, graph.targets)
        # Padded edges must not overflow, even though what they give falls out of the sums.
        valid = graph.valid[..., None]
        exponentials = jnp.where(valid, jnp.exp(jnp.where(valid, shifted, 0)), 0)
        total = structure.sum_at(exponentials, graph.targets, count)
        return exponentials / jnp.where(valid, structure.gather(total, graph.targets), 1)
