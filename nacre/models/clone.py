"""Copies of models with fresh variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nacre.core import identity, safety, scope, tree
from nacre.core.errors import ArgumentError, FileFormatError, message
from nacre.core.file_errors import naming, read_json
from nacre.core.held import Held
from nacre.core.plain_yaml import read_yaml
from nacre.core.registry import CustomObjectScope, deserialize_keras_object
from nacre.core.symbolic import KerasTensor
from nacre.layers.base.layer import Layer
from nacre.layers.core.input_layer import InputLayer
from nacre.models import doors
from nacre.models.functional import Functional, from_graph, has_own_constructor
from nacre.models.model import Model
from nacre.models.sequential import Sequential
from nacre.ops._calls import OpCall
from nacre.ops.operation import Operation


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Model:
    """A model of the same structure with variables of its own, newly initialized.

    What `adapt` found (vocabularies, boundaries, mean and variance) no training made:
    the copy has it too. In Keras copies of `Normalization` lose theirs and change nothing.
    Programs of other formats (`load_model("m.onnx")`) keep their weights: nothing makes new ones.

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

    return _Cloner(clone_function, call_function, recursive).clone(model, input_tensors)


class _Cloner:
    """The copies made so far: a layer that stands in several models is copied once.

    Layers are numbered as in a file. A nested model is copied through its config, which holds the
    numbers of its layers, and those that have a copy already are not made again.
    """

    def __init__(
        self,
        clone_function: Callable[[Layer], Layer] | None,
        call_function: Callable[..., Any] | None,
        recursive: bool,
    ) -> None:
        self.clone_function = clone_function
        self.call_function = call_function
        self.recursive = recursive
        self._numbers = identity.Numbers(Held({}, writes_code=False))
        self._objects = identity.Objects()
        self._made: dict[int, Any] = {}

    def clone(self, model: Model, input_tensors: Any) -> Model:
        """A copy of a whole model."""
        with identity.writing(self._numbers), identity.reading(self._objects):
            clone = self._clone_model(model, input_tensors)
        clone._masks_end_at_ops = model._masks_end_at_ops
        return clone

    def _clone_model(self, model: Model, input_tensors: Any) -> Model:
        if isinstance(model, Sequential) and input_tensors is None:
            self._prepare(model._layers)
            return Sequential([self._clone(layer) for layer in model._layers], name=model.name)
        if model._graph is not None:
            self._prepare(model._graph.operations)
            return self._clone_graph(model, input_tensors)
        if isinstance(model, Sequential):  # not built: the tensors say for what the copy is
            unbuilt = self._clone_model(model, None)
            outputs = unbuilt(tree.flatten(input_tensors)[0])
            return Functional(input_tensors, outputs, name=model.name)
        if self.clone_function is not None or input_tensors is not None:
            raise ArgumentError(
                message(
                    "clone_model",
                    "a subclassed model can only be cloned from its config",
                    "clone_function or input_tensors",
                )
            )
        return _from_own_config(model)

    def _prepare(self, operations: Sequence[Any]) -> None:
        """Copy the plain layers first, so that models among them find their copies."""
        for operation in operations:
            if not isinstance(operation, Model):
                self._clone(operation)

    def _clone(self, operation: Any) -> Any:
        if id(operation) not in self._made:
            self._made[id(operation)] = self._make_clone(operation)
        return self._made[id(operation)]

    def _make_clone(self, operation: Any) -> Any:
        if isinstance(operation, OpCall):
            return OpCall(operation.op, operation.name, operation.attributes)
        if not isinstance(operation, Layer):
            return _operation_from_own_config(operation)
        number = self._numbers.of(operation)
        known = self._objects.find(number, operation.name)
        if known is not None:
            return known
        copy = self._clone_layer(operation)
        build = operation.get_build_config() if isinstance(operation, Sequential) else None
        if build and isinstance(copy, Sequential) and copy is not operation and copy.built:
            copy.build_apart(build)  # paths begin with those of the model around it
        self._objects.add(number, operation.name, copy)
        return copy

    def _clone_layer(self, layer: Layer) -> Layer:
        if self.recursive and isinstance(layer, Model) and layer._graph is not None:
            return self.clone(layer, None)
        if isinstance(layer, InputLayer) or self.clone_function is None:
            return _from_own_config(layer)
        copy = self.clone_function(layer)
        if copy is not layer and isinstance(copy, Layer):
            _copy_adapted(copy, layer)
        return copy

    def _clone_graph(self, model: Model, input_tensors: Any) -> Model:
        graph = model._graph
        assert graph is not None
        given = tree.flatten(input_tensors) if input_tensors is not None else None
        known: dict[int, Any] = {}
        for index, (tensor, entry) in enumerate(zip(graph.inputs, graph.entries, strict=True)):
            known[id(tensor)] = (
                given[index]
                if given is not None
                else self._clone(entry)._inbound_nodes[0].outputs[0]
            )

        def cloned(leaf: Any) -> Any:
            return known[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

        with scope.masks_ending_at_ops(model._masks_end_at_ops):
            for node in graph.nodes:
                operation = self._clone(node.operation)
                args = tuple(tree.map_structure(cloned, a) for a in node.args)
                kwargs = {k: tree.map_structure(cloned, v) for k, v in node.kwargs.items()}
                if self.call_function is not None and isinstance(operation, Layer):
                    results = self.call_function(operation, *args, **kwargs)
                else:
                    results = operation(*args, **kwargs)
                for old, new in zip(node.outputs, tree.flatten(results), strict=True):
                    known.setdefault(id(old), new)
        inputs = tree.map_structure(cloned, model._nested_inputs)
        outputs = tree.map_structure(cloned, model._nested_outputs)
        clone = _of_kind(model, inputs, outputs)
        if graph.losses:
            clone.add_loss([known[id(loss)] for loss in graph.losses])
        return clone


def _of_kind(model: Model, inputs: Any, outputs: Any) -> Model:
    """A model of another graph: of the user's class, with its methods, where that takes a graph."""
    cls = type(model)
    if isinstance(model, Sequential) or not model._is_made_from_graph():
        return Functional(inputs, outputs, name=model.name)
    own = model.get_config() if has_own_constructor(cls) else {}
    return from_graph(cls, inputs, outputs, {**own, "name": model.name})


def _from_own_config(layer: Layer) -> Any:
    config, held = layer.get_config(), identity.held()
    with CustomObjectScope(None if held is None else dict(held.things)):
        twin: Any = type(layer).from_config(config)
    _copy_adapted(twin, layer)
    return twin


def _operation_from_own_config(operation: Operation) -> Operation:
    twin = type(operation).from_config(operation.get_config())
    twin.name = operation.name  # which not each constructor takes
    return twin


def _copy_adapted(copy: Layer, layer: Layer) -> None:
    """Give a copy what `adapt` found; graphs cannot be made without vocabularies."""
    for one, other in zip(copy._flatten_layers(), layer._flatten_layers(), strict=False):
        if type(one) is type(other):
            one._take_adapted(other)


def model_from_config(config: dict[str, Any], custom_objects: Any = None) -> Model:
    """The model a config describes, Keras 1's and 2's included."""
    with safety.reading(True, config):
        model = deserialize_keras_object(doors.migrated(config), custom_objects)
    if not isinstance(model, Model):
        rule = "the config must describe a model"
        raise ArgumentError(message("model_from_config", rule, type(model).__name__))
    return model


def model_from_json(json_string: str, custom_objects: Any = None) -> Model:
    """The model a JSON text describes; `model.to_json()` made it.

    Example:
        >>> import nacre
        >>> text = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)]).to_json()
        >>> model_from_json(text).output_shape
        (None, 2)
    """
    who = "model_from_json"
    config = read_json(json_string, "the text", who)
    with naming(who, "the text"):
        return model_from_config(config, custom_objects)


def model_from_yaml(yaml_string: str, custom_objects: Any = None) -> Model:
    """The model a YAML text describes, which `to_yaml` of Keras up to 2.5 wrote.

    For texts that exist; `to_json` and `model_from_json` take its place. Only plain values are
    read, and tuples, as lists; any other tag of Python's is refused, as Keras ran code to load it.
    Needs PyYAML.

    Args:
        yaml_string: The text.
        custom_objects: name -> class or function for names that are not built in.

    Raises:
        FileFormatError: It is no YAML, or holds more than plain values.
        MissingPackageError: PyYAML is not installed.
    Example:
        >>> layer = "{class_name: Dense, config: {units: 2, batch_input_shape: [null, 3]}}"
        >>> text = f"{{class_name: Sequential, config: [{layer}], keras_version: 2.1.0}}"
        >>> model_from_yaml(text).output_shape
        (None, 2)
    """
    who = "model_from_yaml"
    config = read_yaml(yaml_string, "the text", who)
    if not isinstance(config, dict):
        rule = "the text must describe a model"
        raise FileFormatError(message(who, rule, type(config).__name__))
    with naming(who, "the text"):
        return model_from_config(config, custom_objects)


__all__ = ["clone_model", "model_from_config", "model_from_json", "model_from_yaml"]
