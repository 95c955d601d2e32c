"""The base of graph layers: a message along each edge, gathered at each node."""

from __future__ import annotations

from typing import Any, Unpack

from nacre import activations, constraints, initializers, regularizers
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.core.tensors import WholeNumber
from nacre.layers.base.calling import float_dtype
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.graph import structure
from nacre.layers.graph.structure import Graph

AGGREGATIONS = {"sum": structure.sum_at, "mean": structure.mean_at, "max": structure.max_at}


@register("layers/MessagePassing", module="nacre")
class MessagePassing(Layer):
    """Send each node's features along its edges, gather what arrives, make new features.

    Use it as it is to sum (or average, or maximise) over neighbours. For a layer of your own
    override one of three hooks: `message` (one value per edge), `aggregate` (edges to nodes) and
    `update` (what a node makes of it). An edge (a, b) carries a message from a to b; an undirected
    graph has each edge in both directions.

    Args:
        aggregation: 'sum', 'mean' or 'max' of the messages; a node without any gets 0.
    Shapes:
        node_features (batch, nodes, features)
        edge_index    (batch, edges, 2)   int; an edge with an end outside 0..nodes-1, such as -1,
                      is padding
        edge_weight   (batch, edges)      optional; messages are multiplied by it
        node_mask     (batch, nodes)      optional; False for padding. Without it the mask that
                      of the features is used
        returns       (batch, nodes, features)   zeros at padded nodes
    Formula:
        y_b = update(aggregate over edges (a, b) of message(x_a, x_b, w_ab), x_b)
    Raises:
        ArgumentError: The inputs are no dict or tuple of these, or `aggregation` is unknown.
        ShapeError: Features or edges do not have three axes.
    Source:
        Gilmer et al. 2017, arXiv:1704.01212, section 2.
    Example:
        >>> import numpy as np
        >>> x, edges = np.array([[[1.0], [2.0], [4.0]]]), np.array([[[0, 2], [1, 2], [-1, -1]]])
        >>> MessagePassing()((x, edges)).tolist()
        [[[0.0], [0.0], [3.0]]]
    """

    casts_inputs = False  # `read_graph` casts the features; numbers of nodes keep their value

    def __init__(self, aggregation: str = "sum", **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        if aggregation not in AGGREGATIONS:
            raise ArgumentError(
                message(
                    self._who(),
                    f"aggregation must be one of {', '.join(AGGREGATIONS)}",
                    repr(aggregation),
                )
            )
        self.aggregation = aggregation
        self.supports_masking = True

    def message(self, sources: Any, targets: Any, edge_weight: Any = None) -> Any:
        """One message for each edge.

        Args:
            sources: Features where the edges begin, (batch, edges, features).
            targets: Features where they end, (batch, edges, features).
            edge_weight: (batch, edges, 1), or None.
        """
        return sources if edge_weight is None else sources * edge_weight

    def aggregate(self, messages: Any, targets: Any, num_nodes: Any) -> Any:
        """Messages (batch, edges, ...) gathered to (batch, nodes, ...).

        Args:
            messages: One for each edge.
            targets: (batch, edges), the node each edge ends in; `num_nodes` for padding.
            num_nodes: How many nodes there are.
        """
        return AGGREGATIONS[self.aggregation](messages, targets, num_nodes)

    def update(self, aggregated: Any, nodes: Any) -> Any:
        """New features of the nodes.

        Args:
            aggregated: What `aggregate` gave.
            nodes: The features before.
        """
        return aggregated

    def propagate(self, graph: Graph, features: Any = None) -> Any:
        """What arrives at the nodes; `features` stand for the node features when given."""
        features = graph.nodes if features is None else features
        weight = None if graph.edge_weight is None else graph.edge_weight[..., None]
        messages = self.message(
            structure.gather(features, graph.sources),
            structure.gather(features, graph.targets),
            weight,
        )
        return self.aggregate(messages, graph.targets, features.shape[1])

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """New node features (batch, nodes, ...)."""
        dtype = float_dtype(self.compute_dtype) if self.autocast else None
        graph = structure.read_graph(self._who(), inputs, mask, dtype)
        outputs = self._on_graph(graph, training)
        return structure.without_padding(outputs, graph.node_mask)

    def _on_graph(self, graph: Graph, training: bool | None) -> Any:
        return self.update(self.propagate(graph), graph.nodes)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the nodes."""
        return structure.node_mask_of(structure.named_parts(self._who(), inputs), mask)


class GraphConvolution(MessagePassing):
    """What the layers with kernels share: arguments, weights, bias and activation.

    Args:
        units: Size of the new features.
        activation: Name or function; None leaves the sums as they are.
        use_bias: Whether a bias is added.
        aggregation: How messages are gathered.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer: Penalties on the weights.
        kernel_constraint, bias_constraint: Applied after each update.
    """

    def __init__(
        self,
        units: WholeNumber,
        activation: Any = None,
        use_bias: bool = True,
        aggregation: str = "sum",
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(aggregation=aggregation, **kwargs)
        self.units = whole_number(self._who(), "units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def _features(self, input_shape: Any) -> int:
        """The size of the node features in the shapes of the inputs."""
        shape = structure.named_parts(self._who(), input_shape)["node_features"]
        if shape[-1] is None:
            raise ShapeError(
                message(
                    self._who(),
                    "the number of node features must be known",
                    f"node_features of shape {tuple(shape)}",
                    "Give the model's Input a number on the last axis.",
                )
            )
        return shape[-1]

    def _kernel(self, name: str, shape: tuple[int, ...]) -> Any:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )

    def _bias(self, size: int, name: str = "bias") -> Any:
        if not self.use_bias:
            return None
        return self.add_weight(
            name=name,
            shape=(size,),
            initializer=self.bias_initializer,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
        )

    def _finished(self, outputs: Any) -> Any:
        """Bias and activation."""
        if self.bias is not None:
            outputs = outputs + self.bias.value
        return outputs if self.activation is None else self.activation(outputs)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data; how messages are gathered is the formula's."""
        config = super().get_config()
        config.pop("aggregation", None)
        return config
