"""What Keras 2 is told of the objects in a SavedModel: the file `keras_metadata.pb`.

tf.keras 2.15 makes a model anew from its config, and gives it the variables of the objects that it
finds by the paths here. A model that it has no config for is a model all the same, made of its
functions.

Source: SavedModels that tf.keras 2.15.1 wrote, with parts taken away until they did not open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nacre.core.kinds import is_dict, is_list
from nacre.core.registry import plain_config
from nacre.core.wire.tensorflow.graph import VersionDef
from nacre.core.wire.tensorflow.objects import KerasObject, SavedMetadata
from nacre.layers import RNN, InputLayer
from nacre.layers.base.layer import Layer
from nacre.models import Model, Sequential
from nacre.saving.formats import h5
from nacre.saving.keras2_config import NoKeras2Form, calls_of, keras2_config, keras2_training

MODEL = "_tf_keras_model"


class KerasObjects:
    """What tf.keras is to make of a model and its layers.

    Args:
        model: The model.
        include_optimizer: Whether it is told what the model was compiled with.

    Attributes:
        reason: Why the model has no config in Keras 2; None where it has.
    """

    def __init__(self, model: Model, include_optimizer: bool) -> None:
        self._model = model
        self.reason: str | None = None
        self._root: dict[str, Any] | None = None
        try:
            data = plain_config(model)
            if any(hasattr(layer, "get_vocabulary") for layer in model._flatten_layers()):
                raise NoKeras2Form("a table of Keras 2 for a vocabulary")
            self._root = keras2_config(data, calls_of(model))
            json.dumps(self._root)
        except (NoKeras2Form, TypeError, ValueError) as error:
            self.reason = str(error)
        except Exception as error:  # a get_config of somebody's own, which is not needed here
            self.reason = f"{type(error).__name__}: {error}"
        self._training = self._compiled() if include_optimizer else None

    def _compiled(self) -> dict[str, Any] | None:
        config = self._model.get_compile_config() if self._model.compiled else None
        if config is None:
            return None
        try:
            training = keras2_training(h5.training_config(config))
            json.dumps(training)
        except (NoKeras2Form, TypeError, ValueError):
            return None
        return training

    def identifier(self, thing: Any) -> str | None:
        """What tf.keras is to make of an object; None for what is nothing of Keras."""
        if thing is self._model and self._root is None:
            return MODEL
        if isinstance(thing, Sequential):
            return "_tf_keras_sequential"
        if isinstance(thing, Model):
            return MODEL if thing._graph is None else "_tf_keras_network"
        if isinstance(thing, InputLayer):
            return "_tf_keras_input_layer"
        if isinstance(thing, RNN):
            return "_tf_keras_rnn_layer"
        return "_tf_keras_layer" if isinstance(thing, Layer) else None

    def has_config(self, thing: Any) -> bool:
        """Whether tf.keras makes a layer from its config, not from functions."""
        if self.identifier(thing) is None:
            return False
        if thing is self._model:
            return self._root is not None
        return self._made(thing) is not None

    def _made(self, thing: Any) -> dict[str, Any] | None:
        try:
            return keras2_config(plain_config(thing), calls_of(thing))
        except Exception:  # as above: of no use to tf.keras, which then takes the functions
            return None

    def content(self, objects: Sequence[tuple[int, str, Any]], save_spec: Any) -> bytes:
        """The file.

        Args:
            objects: Place, path by attributes, and layer, of each.
            save_spec: Shapes, dtypes and names of the model's inputs, in their structure.
        """
        nodes: list[KerasObject] = []
        for place, path, thing in objects:
            identifier = self.identifier(thing)
            if identifier is None:
                continue
            metadata = self._metadata(thing, save_spec)
            if metadata is None:
                continue
            nodes.append(
                KerasObject(
                    node_id=place,
                    node_path=path,
                    identifier=identifier,
                    metadata=json.dumps(metadata),
                    version=VersionDef(producer=2, min_consumer=1),
                )
            )
        return SavedMetadata(nodes=nodes).write()

    def _metadata(self, thing: Any, save_spec: Any) -> dict[str, Any] | None:
        is_root = thing is self._model
        made = self._root if is_root else self._made(thing)
        if made is None and not is_root:
            return None
        common: dict[str, Any] = {
            "name": thing.name,
            "trainable": bool(thing.trainable),
            "expects_training_arg": True,
            "dtype": str(thing.dtype_policy.variable_dtype or "float32"),
            "batch_input_shape": None,
            "must_restore_from_config": False,
            "preserve_input_structure_in_config": False,
            "autocast": not isinstance(thing, Model),
            "stateful": bool(getattr(thing, "stateful", False)),
        }
        if made is not None:
            common |= made
            common["build_input_shape"] = _built_shape(thing)
        else:
            # A name that tf.keras does not know: it then makes a model of the functions.
            common |= {"class_name": f"Saved{type(thing).__name__}", "config": {}}
        if is_root:
            common["is_graph_network"] = made is not None and thing._graph is not None
            common["save_spec"] = _spec(save_spec)
            common["full_save_spec"] = _tuple([[_spec(save_spec)], {}])
            common |= {"keras_version": "2.15.0", "backend": "tensorflow"}
            if made is not None:
                common["model_config"] = made
            if self._training is not None:
                common["training_config"] = self._training
        return common


def _built_shape(layer: Any) -> Any:
    config = layer.get_build_config() or {}
    # A recurrent layer may have been handed its states too.
    shape = config.get("input_shape", (config.get("shapes_dict") or {}).get("sequences_shape"))
    calls = getattr(layer, "_inbound_nodes", ())
    if shape is None and calls and len(calls[0].inputs) == 1:
        shape = tuple(calls[0].inputs[0].shape)  # tf.keras asks it of layers that draw numbers, too
    return None if shape is None else _shapes(shape)


def _shapes(shape: Any) -> Any:
    if is_dict(shape):
        return {key: _shapes(part) for key, part in shape.items()}
    if is_list(shape) and any(is_list(part) or is_dict(part) for part in shape):
        return [_shapes(part) for part in shape]
    return {"class_name": "TensorShape", "items": list(shape)}


def _tuple(items: list[Any]) -> dict[str, Any]:
    return {"class_name": "__tuple__", "items": items}


def _spec(spec: Any) -> Any:
    """Inputs as Keras 2 writes them."""
    if hasattr(spec, "dtype"):
        shape = {"class_name": "TensorShape", "items": list(spec.shape)}
        return {
            "class_name": "TypeSpec",
            "type_spec": "tf.TensorSpec",
            "serialized": [shape, spec.dtype, spec.name],
        }
    if isinstance(spec, Mapping):
        return {str(key): _spec(part) for key, part in spec.items()}
    if isinstance(spec, tuple):
        return _tuple([_spec(part) for part in spec])
    if is_list(spec):
        return [_spec(part) for part in spec]
    return spec


__all__ = ["KerasObjects"]
