"""What a model's graph shows about generation: whether one token a step is enough, and its parts.

A model of two inputs, [source, tokens], is split where its decoder begins: what depends on the
source alone, the encoder, is computed once.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core import scope
from nacre.core.protocols import speaks_for
from nacre.core.symbolic import KerasTensor, Node
from nacre.layers.transformer.decoder import TransformerDecoder
from nacre.models.graph import Graph
from nacre.models.model import Model
from nacre.ops._calls import OpCall

_STEPWISE_OPS = frozenset("add subtract multiply divide gelu relu silu tanh softmax".split())
# What a decoder may be given besides its own sequence, and still be called on one token.
_DECODER_TENSORS = frozenset(("encoder_sequence", "encoder_padding_mask", "position_bias"))


class Split:
    """The encoder's and the decoder's part of a model with the inputs [source, tokens].

    Attributes:
        boundary: What the decoder's part uses of the encoder's.
    """

    def __init__(self, graph: Graph) -> None:
        source, tokens = graph.inputs
        self.source = source
        from_tokens = {id(tokens)}
        for node in graph.nodes:
            if any(id(t) in from_tokens for t in node.inputs):
                from_tokens.update(id(t) for t in node.outputs)
        self.decoder_nodes = [n for n in graph.nodes if any(id(t) in from_tokens for t in n.inputs)]
        boundary: dict[int, KerasTensor] = {}
        for node in self.decoder_nodes:
            boundary |= {id(t): t for t in node.inputs if id(t) not in from_tokens}
        self.boundary = list(boundary.values())
        self.token_dependent = from_tokens
        self._tokens, self._outputs = tokens, graph.output_structure

    def encode(self, model: Model, source: Any) -> list[tuple[Any, Any]]:
        """(value, mask) for each tensor of the boundary."""
        graph = Graph([self.source], self.boundary)
        with scope.entered_call(scope.CallContext(model, False)):
            values = graph.run([jnp.asarray(source, self.source.dtype)])
            return [(value, scope.get_mask(value)) for value in values]

    def decode(self, model: Model, encoded: list[tuple[Any, Any]], tokens: Any) -> Any:
        """The model's outputs."""
        graph = Graph([*self.boundary, self._tokens], self._outputs)
        with scope.entered_call(scope.CallContext(model, False)):
            for value, mask in encoded:
                if mask is not None:
                    scope.set_mask(value, mask)
            return graph.run([*(value for value, _ in encoded), tokens])


def split_at_decoder(model: Any) -> Split | None:
    """The parts of a model of two inputs whose decoder can be called on one token a step."""
    if not isinstance(model, Model) or model._graph is None or len(model._graph.inputs) != 2:
        return None
    if model._graph.inputs[1].shape[1:] != (None,):
        return None
    split = Split(model._graph)
    fits = all(is_stepwise(node, split.token_dependent) for node in split.decoder_nodes)
    return split if fits and split.boundary else None


def can_cache(model: Any, encoder_inputs: Any) -> bool:
    """Whether the graph shows that calls on one token a step give what one call gives."""
    if encoder_inputs is not None:
        return split_at_decoder(model) is not None
    if not isinstance(model, Model) or model._graph is None:
        return False
    if len(model._graph.inputs) != 1 or model._graph.inputs[0].shape[1:] != (None,):
        return False
    token_dependent = {id(model._graph.inputs[0])}
    token_dependent.update(id(t) for node in model._graph.nodes for t in node.outputs)
    return all(is_stepwise(node, token_dependent) for node in model._graph.nodes)


def is_stepwise(node: Node, token_dependent: set[int]) -> bool:
    """Whether a call treats each step alone; `token_dependent`: ids of tensors made of tokens."""
    operation = node.operation
    if isinstance(operation, TransformerDecoder):
        return is_layer_stepwise(operation) and _decodes_stepwise(node, token_dependent)
    if any(id(t) not in token_dependent for t in node.inputs):
        return False
    if isinstance(operation, OpCall):
        # Arrays among the arguments could belong to certain steps.
        return (
            operation.op.name in _STEPWISE_OPS
            and operation.attributes.get("axis", -1) in (-1, 2)
            and len(node.inputs) >= 1
            and all(
                np.ndim(value) == 0 for value in node.args if not hasattr(value, "_keras_history")
            )
        )
    return is_layer_stepwise(operation)


def is_layer_stepwise(layer: Any) -> bool:
    """Whether a layer says of its own `call` that it treats each step alone."""
    adapter = getattr(layer, "_adapter", None)
    if adapter is not None and vars(layer).get("call") == getattr(adapter, "call", layer):
        # The adapter's in place of the call of a class of nacre's, which has said it.
        return bool(layer.is_stepwise) and adapter.acts_on_steps
    return speaks_for(layer, "is_stepwise", "call") and bool(layer.is_stepwise)


def _decodes_stepwise(node: Node, token_dependent: set[int]) -> bool:
    """A decoder over the tokens' own sequence, and an encoder's that does not grow with them."""
    given = dict(zip(("decoder_sequence", "encoder_sequence"), node.args, strict=False))
    given |= node.kwargs
    tensors = {name: value for name, value in given.items() if isinstance(value, KerasTensor)}
    others = set(given) - set(tensors) - {"training"}
    if len(node.args) > 2 or any(given[name] is not None for name in others):
        return False
    if set(tensors) - _DECODER_TENSORS - {"decoder_sequence"}:
        return False
    from_tokens = {name for name, tensor in tensors.items() if id(tensor) in token_dependent}
    return from_tokens == set(tensors) & {"decoder_sequence", "position_bias"}
