"""Graph layers whose neighbours count alike: GCN, GraphSAGE and GIN."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp
from jax import lax

from nacre import initializers, ops
from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.core.tensors import WholeNumber
from nacre.layers.base.keywords import GraphKeywords
from nacre.layers.graph import structure
from nacre.layers.graph.message_passing import GraphConvolution
from nacre.layers.graph.structure import Graph


@register("layers/GCNConv", module="nacre")
class GCNConv(GraphConvolution):
    """Average each node with its neighbours, weighted by their degrees, then project.

    Choose it as a first baseline on graphs whose neighbours tend to be alike.

    Args:
        units: Size of the new features.
        activation: Name or function; None leaves the sums as they are.
        use_bias: Whether a bias is added.
        add_self_loops: Whether each node is its own neighbour with weight 1.
        normalize: Whether sums are divided by the degrees.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer: Penalties on the weights.
        kernel_constraint, bias_constraint: Applied after each update.
    Shapes:
        inputs  see `MessagePassing`
        kernel  (features, units)
        returns (batch, nodes, units)
    Formula:
        Y = activation(D^(-1/2) (A + I) D^(-1/2) X · kernel + bias), with A[b, a] the weight of
        edge (a, b) and D the diagonal matrix of the row sums of A + I
    Source:
        Kipf & Welling 2017, arXiv:1609.02907, equation 2. Differs: a directed graph is normalised
        at both ends by the weights that arrive.
    Example:
        >>> import nacre, numpy as np
        >>> x, edges = np.ones((1, 3, 4)), np.array([[[0, 1], [1, 0]]])
        >>> nacre.layers.GCNConv(2)((x, edges)).shape
        (1, 3, 2)
    """

    def __init__(
        self,
        units: WholeNumber,
        activation: Any = None,
        use_bias: bool = True,
        add_self_loops: bool = True,
        normalize: bool = True,
        **kwargs: Unpack[GraphKeywords],
    ) -> None:
        super().__init__(units, activation=activation, use_bias=use_bias, **kwargs)
        self.add_self_loops = add_self_loops
        self.normalize = normalize

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias."""
        self.kernel = self._kernel("kernel", (self._features(input_shape), self.units))
        self.bias = self._bias(self.units)

    def _on_graph(self, graph: Graph, training: bool | None) -> Any:
        features = ops.matmul(graph.nodes, self.kernel)
        # D^(-1/2) acts before and after the sum over edges, so no edge needs a factor of its own.
        scale = self._scale(graph)[..., None] if self.normalize else 1
        scaled = features * scale
        summed = self.propagate(graph, scaled)
        if self.add_self_loops:
            summed = summed + scaled
        return self._finished(summed * scale)

    def _scale(self, graph: Graph) -> Any:
        """1 / sqrt(degree) of each node, 0 where nothing arrives."""
        dtype = graph.nodes.dtype
        weight = graph.edge_weight
        weight = jnp.ones(graph.targets.shape, dtype) if weight is None else weight
        degree = structure.sum_at(weight, graph.targets, graph.nodes.shape[1])
        degree = degree + 1 if self.add_self_loops else degree
        return jnp.where(degree > 0, lax.rsqrt(jnp.where(degree > 0, degree, 1)), 0)


@register("layers/GraphSAGEConv", module="nacre")
class GraphSAGEConv(GraphConvolution):
    """Project each node and the aggregate of its neighbours apart, and add.

    Choose it where a node must stay distinguishable from its neighbours, or where new nodes come
    after training.

    Args:
        units: Size of the new features.
        aggregation: 'mean', 'max' or 'sum' of the neighbours' features, or 'pool': the maximum of
            a learned layer of them.
        activation: Name or function; None leaves the sums as they are.
        use_bias: Whether a bias is added.
        normalize: Whether the new features are scaled to length 1.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer: Penalties on the weights.
        kernel_constraint, bias_constraint: Applied after each update.
    Shapes:
        inputs           see `MessagePassing`
        self_kernel      (features, units)
        neighbour_kernel (features, units)
        returns          (batch, nodes, units)
    Formula:
        y_b = activation(x_b · self_kernel + aggregate(x_a) · neighbour_kernel + bias)
    Source:
        Hamilton et al. 2017, arXiv:1706.02216, algorithm 1 and equation 3. Two kernels are the
        paper's one kernel on concatenated features. Differs: no sampling of neighbours; scaling to
        length 1 is off unless asked for.
    Example:
        >>> import nacre, numpy as np
        >>> x, edges = np.ones((1, 3, 4)), np.array([[[0, 1], [1, 0]]])
        >>> nacre.layers.GraphSAGEConv(2, "max")((x, edges)).shape
        (1, 3, 2)
    """

    def __init__(
        self,
        units: WholeNumber,
        aggregation: str = "mean",
        activation: Any = None,
        use_bias: bool = True,
        normalize: bool = False,
        **kwargs: Unpack[GraphKeywords],
    ) -> None:
        plain = "max" if aggregation == "pool" else aggregation
        super().__init__(
            units, activation=activation, use_bias=use_bias, aggregation=plain, **kwargs
        )
        self._pools = aggregation == "pool"
        self.normalize = normalize

    def build(self, input_shape: Any) -> None:
        """Make the kernels and the bias."""
        features = self._features(input_shape)
        self.self_kernel = self._kernel("self_kernel", (features, self.units))
        self.neighbour_kernel = self._kernel("neighbour_kernel", (features, self.units))
        self.bias = self._bias(self.units)
        if self._pools:
            self.pool_kernel = self._kernel("pool_kernel", (features, features))
            self.pool_bias = self._bias(features, "pool_bias")

    def _on_graph(self, graph: Graph, training: bool | None) -> Any:
        sent = graph.nodes
        if self._pools:
            sent = ops.matmul(sent, self.pool_kernel)
            sent = ops.relu(sent if self.pool_bias is None else sent + self.pool_bias.value)
        arrived = self.propagate(graph, sent)
        outputs = ops.matmul(graph.nodes, self.self_kernel)
        outputs = self._finished(outputs + ops.matmul(arrived, self.neighbour_kernel))
        return ops.normalize(outputs, axis=-1) if self.normalize else outputs

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = super().get_config()
        return {**config, "aggregation": "pool" if self._pools else self.aggregation}


@register("layers/GINConv", module="nacre")
class GINConv(GraphConvolution):
    """Add the neighbours' features to the node's own, then apply two dense layers.

    Choose it to tell graphs apart by their structure: sums keep how many neighbours there are.

    Args:
        units: Size of the new features.
        hidden_units: Size between the two dense layers; `units` by default.
        activation: Between the two dense layers.
        use_bias: Whether both have biases.
        epsilon: First value of ε, how much more the node itself counts.
        train_epsilon: Whether ε is learned.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer: Penalties on the weights.
        kernel_constraint, bias_constraint: Applied after each update.
    Shapes:
        inputs        see `MessagePassing`
        hidden_kernel (features, hidden_units)
        kernel        (hidden_units, units)
        returns       (batch, nodes, units)
    Formula:
        y_b = MLP((1 + ε) · x_b + sum of x_a)
    Source:
        Xu et al. 2019, arXiv:1810.00826, equation 4.1. Differs: no batch normalisation within.
    Example:
        >>> import nacre, numpy as np
        >>> x, edges = np.ones((1, 3, 4)), np.array([[[0, 1], [1, 0]]])
        >>> nacre.layers.GINConv(2)((x, edges)).shape
        (1, 3, 2)
    """

    def __init__(
        self,
        units: WholeNumber,
        hidden_units: int | None = None,
        activation: Any = "relu",
        use_bias: bool = True,
        epsilon: float = 0.0,
        train_epsilon: bool = True,
        **kwargs: Unpack[GraphKeywords],
    ) -> None:
        super().__init__(units, activation=activation, use_bias=use_bias, **kwargs)
        self.hidden_units = None
        if hidden_units is not None:
            self.hidden_units = whole_number(self._who(), "hidden_units", hidden_units)
        if not isinstance(epsilon, int | float):
            raise ArgumentError(message(self._who(), "epsilon must be a number", repr(epsilon)))
        self.epsilon = epsilon
        self.train_epsilon = train_epsilon

    def build(self, input_shape: Any) -> None:
        """Make both dense layers, and ε."""
        hidden = self.hidden_units or self.units
        self.hidden_kernel = self._kernel("hidden_kernel", (self._features(input_shape), hidden))
        self.hidden_bias = self._bias(hidden, "hidden_bias")
        self.kernel = self._kernel("kernel", (hidden, self.units))
        self.bias = self._bias(self.units)
        if self.train_epsilon:
            self.learned_epsilon = self.add_weight(
                name="epsilon", shape=(), initializer=initializers.Constant(self.epsilon)
            )

    def _on_graph(self, graph: Graph, training: bool | None) -> Any:
        epsilon = self.learned_epsilon.value if self.train_epsilon else self.epsilon
        summed = (1 + epsilon) * graph.nodes + self.propagate(graph)
        hidden = ops.matmul(summed, self.hidden_kernel)
        hidden = hidden if self.hidden_bias is None else hidden + self.hidden_bias.value
        outputs = ops.matmul(self.activation(hidden), self.kernel)
        return outputs if self.bias is None else outputs + self.bias.value
