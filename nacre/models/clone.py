"""Copies of models with fresh variables."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from nacre.core import safety, tree
from nacre.core.errors import ArgumentError, message
from nacre.core.registry import deserialize_keras_object
from nacre.core.symbolic import KerasTensor
from nacre.layers.base.layer import Layer
from nacre.layers.core.input_layer import InputLayer
from nacre.models import doors
from nacre.models.functional import Functional
from nacre.models.model import Model
from nacre.models.sequential import Sequential
from nacre.ops._define import OpCall


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Model:
    """A model of the same structure with variables of its own, newly initialized.

    Args:
        model: What to copy.
        input_tensors: Symbolic tensors to build the copy on.
        clone_function: layer -> layer for the copy; by default a layer made from its config.
        call_function: (layer, *args, **kwargs) -> outputs, in place of calling the layer.
        recursive: Whether models within are cloned with these functions too.

    Example:
        >>> import nacre
        >>> a = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
        >>> b = nacre.models.clone_model(a)
        >>> b.count_params(), b.layers[0] is a.layers[0]
        (8, False)
    """

    def copy(layer: Any) -> Any:
        if recursive and isinstance(layer, Model) and layer._graph is not None:
            return clone_model(layer, None, clone_function, call_function, True)
        if isinstance(layer, InputLayer) or clone_function is None:
            return _from_own_config(layer)
        return clone_function(layer)

    if isinstance(model, Sequential) and input_tensors is None:
        layers = [copy(layer) for layer in model._layers]
        return (
            type(model)(layers, name=model.name)
            if type(model) is Sequential
            else Sequential(layers, name=model.name)
        )
    if model._graph is None:
        if clone_function is not None or input_tensors is not None:
            raise ArgumentError(
                message(
                    "clone_model",
                    "a subclassed model can only be cloned from its config",
                    "clone_function or input_tensors",
                )
            )
        return _from_own_config(model)
    return _clone_graph(model, input_tensors, copy, call_function)


def _from_own_config(layer: Layer) -> Any:
    twin: Any = type(layer).from_config(layer.get_config())
    for one, other in zip(twin._flatten_layers(), layer._flatten_layers(), strict=False):
        if hasattr(one, "take_vocabulary") and type(one) is type(other):
            one.take_vocabulary(other)  # a graph cannot be made without it
    return twin


def _clone_graph(model: Model, input_tensors: Any, copy: Any, call_function: Any) -> Model:
    graph = model._graph
    copies: dict[int, Any] = {}
    known: dict[int, Any] = {}

    def copy_of(operation: Any) -> Any:
        if id(operation) not in copies:
            if isinstance(operation, OpCall):
                copies[id(operation)] = OpCall(operation.op, operation.name, operation.attributes)
            else:
                copies[id(operation)] = copy(operation)
        return copies[id(operation)]

    given = tree.flatten(input_tensors) if input_tensors is not None else None
    for index, tensor in enumerate(graph.inputs):
        if given is not None:
            known[id(tensor)] = given[index]
        else:
            known[id(tensor)] = (
                copy_of(tensor._keras_history.operation)._inbound_nodes[0].outputs[0]
            )

    def fill(leaf: Any) -> Any:
        return known[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

    for node in graph.nodes:
        operation = copy_of(node.operation)
        args = tuple(tree.map_structure(fill, a) for a in node.args)
        kwargs = {k: tree.map_structure(fill, v) for k, v in node.kwargs.items()}
        if call_function is not None and isinstance(operation, Layer):
            results = call_function(operation, *args, **kwargs)
        else:
            results = operation(*args, **kwargs)
        for old, new in zip(node.outputs, tree.flatten(results), strict=True):
            known[id(old)] = new
    inputs = tree.map_structure(fill, model._nested_inputs)
    outputs = tree.map_structure(fill, model._nested_outputs)
    clone = Functional(inputs, outputs, name=model.name)
    if graph.losses:
        clone.add_loss([known[id(loss)] for loss in graph.losses])
    return clone


def model_from_config(config: dict[str, Any], custom_objects: Any = None) -> Model:
    """The model a config describes, Keras 1's and 2's included."""
    with safety.reading(True, config):
        return deserialize_keras_object(doors.migrated(config), custom_objects)


def model_from_json(json_string: str, custom_objects: Any = None) -> Model:
    """The model a JSON text describes; `model.to_json()` made it.

    Example:
        >>> import nacre
        >>> text = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)]).to_json()
        >>> model_from_json(text).output_shape
        (None, 2)
    """
    return model_from_config(json.loads(json_string), custom_objects)


__all__ = ["clone_model", "model_from_config", "model_from_json"]
