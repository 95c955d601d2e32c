"""The activation that a model's outputs went through last, for warnings about logits."""

# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import Any, NamedTuple

from nacre.core.symbolic import KerasTensor
from nacre.layers.core.activation import Activation, Softmax
from nacre.layers.core.identity import Identity
from nacre.layers.normalization.spectral_normalization import SpectralNormalization
from nacre.layers.reshaping.shapes import Flatten, Permute, Reshape
from nacre.layers.wrappers.time_distributed import TimeDistributed

_OF_THE_SAME_NUMBERS = (Flatten, Identity, Permute, Reshape)
_OPS = frozenset({"softmax", "sigmoid"})  # of others in a graph nobody knows what they are for


class LastActivation(NamedTuple):
    """An activation and who applies it.

    Attributes:
        name: As 'softmax'; 'linear' for none.
        layer: The name of the layer, or of the op in the graph.
        units: The layer's units, if it has some.
    """

    name: str
    layer: str
    units: int | None = None


def last_activations(model: Any, count: int) -> list[LastActivation | None]:
    """For each of so many outputs; None where it is not known, as behind code of the user's.

    Layers that only move numbers are looked through, and so are models within, wrappers, and an
    `Activation("linear")`, which only says a dtype.

    Example:
        >>> import nacre
        >>> parts = [nacre.Input((2,)), nacre.layers.Dense(3), nacre.layers.Softmax()]
        >>> [found.name for found in last_activations(nacre.Sequential(parts), 1)]
        ['softmax']
    """
    graph = model._graph
    if graph is None or len(graph.outputs) != count:
        return [None] * count
    return [_of_tensor(tensor) for tensor in graph.outputs]


def _of_tensor(tensor: KerasTensor) -> LastActivation | None:
    history = tensor._keras_history
    if history is None:
        return None
    last, node_index, tensor_index = history
    inputs = last._inbound_nodes[node_index].inputs
    if isinstance(last, _OF_THE_SAME_NUMBERS) and len(inputs) == 1:
        return _of_tensor(inputs[0])
    if isinstance(last, Activation) and _name_of(last) == "linear":
        return _of_tensor(inputs[0])
    graph = getattr(last, "_graph", None)
    if graph is not None:
        return _of_tensor(graph.outputs[tensor_index])
    return _of_operation(last)


def _of_operation(last: Any) -> LastActivation | None:
    if isinstance(last, TimeDistributed | SpectralNormalization):
        return _of_operation(last.layer)
    op = getattr(getattr(last, "op", None), "name", None)
    if isinstance(last, Softmax) or op in _OPS:
        return LastActivation(op or "softmax", last.name)
    if not hasattr(last, "activation"):
        return None
    return LastActivation(_name_of(last), last.name, getattr(last, "units", None))


def _name_of(layer: Any) -> str:
    activation = layer.activation
    return "softmax" if isinstance(activation, Softmax) else getattr(activation, "__name__", "")


__all__ = ["LastActivation", "last_activations"]
