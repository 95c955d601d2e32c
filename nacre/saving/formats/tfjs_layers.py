"""Layers models of TF.js: topology in the JSON of Keras 2 or 3, weights by names beside it.

They are read as the `.h5` file of the same content would be, by its reader.

Source: @tensorflow/tfjs-layers 4.22.0, `Model.save` and `loadLayersModel`; tensorflowjs_converter
4.22, whose names of weights are those of Keras's HDF5 files.
"""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from nacre.core.errors import FileFormatError, message
from nacre.core.regions import as_bytes
from nacre.export.importers.tfjs.read import Content
from nacre.saving import hdf5
from nacre.saving.formats import h5

# Of files that TF.js itself wrote, whose configs are those of tf.keras 2.
_KERAS_2 = "2.15.0"


def load(content: Content, who: str, custom_objects: dict[str, Any] | None, compile: bool) -> Any:
    """The model of layers.

    Raises:
        FileFormatError: Weights fit no layer.
    """
    topology = content.json["modelTopology"]
    config = topology.get("model_config", topology)
    if not isinstance(config, dict) or "class_name" not in config:
        rule = "modelTopology must hold the config of a model"
        raise FileFormatError(message(who, rule, ", ".join(map(str, list(topology)[:8]))))
    config = _of_keras(config)
    groups = _grouped(config, content.arrays, who)
    version = str(topology.get("keras_version") or "")
    version = _KERAS_2 if not version[:1].isdigit() else version

    def fill(region: Any) -> None:
        with hdf5.Writer(region, checksums=False) as root:
            root.attrs["keras_version"] = version
            root.attrs["backend"] = "tensorflow"
            hdf5.write_text(root, "model_config", json.dumps(config))
            weights = root.create_group("model_weights")
            hdf5.write_names(weights, "layer_names", [name for name, _ in groups])
            weights.attrs["keras_version"] = version
            for name, arrays in groups:
                group = weights.require_group(name)
                hdf5.write_names(group, "weight_names", list(arrays))
                for own, array in arrays.items():
                    hdf5.write_array(group, own, array)
            training = topology.get("training_config") or content.json.get("trainingConfig")
            if isinstance(training, dict):
                hdf5.write_text(root, "training_config", json.dumps(training))

    return h5.load(io.BytesIO(as_bytes(fill)), who, custom_objects, compile)


# Names that TF.js has for classes of Keras.
_CLASSES = {"LeCunNormal": "LecunNormal", "LeCunUniform": "LecunUniform"}


def _of_keras(value: Any) -> Any:
    """A config with Keras's names."""
    if isinstance(value, list):
        return [_of_keras(v) for v in value]
    if not isinstance(value, dict):
        return value
    found = {key: _of_keras(v) for key, v in value.items()}
    name = found.get("class_name")
    if isinstance(name, str):
        found["class_name"] = _CLASSES.get(name, name)
    return found


def _grouped(
    config: dict[str, Any], arrays: dict[str, np.ndarray], who: str
) -> list[tuple[str, dict[str, np.ndarray]]]:
    """The weights of each layer of the model, by the names of the layers."""
    layers = _layers(config)
    groups: dict[str, dict[str, np.ndarray]] = {}
    owners: dict[str, str] = {}
    for layer in layers:
        name = _name(layer)
        groups[name] = {}
        for inner in _names_within(layer):
            owners.setdefault(inner, name)
    lost = []
    for name, array in arrays.items():
        owner = _owner(name, owners)
        if owner is None:
            lost.append(name)
        else:
            groups[owner][name] = array
    if lost:
        rule = "the names of weights must begin with those of layers"
        got = ", ".join(lost[:8])
        raise FileFormatError(message(who, rule, got, f"The layers are {', '.join(groups)[:300]}."))
    return list(groups.items())


def _owner(name: str, owners: dict[str, str]) -> str | None:
    """The layer whose weight has a name; names of layers may hold '/' themselves."""
    parts = name.split("/")
    for start in range(len(parts)):
        for end in range(len(parts) - 1, start, -1):
            found = owners.get("/".join(parts[start:end]))
            if found is not None:
                return found
    return None


def _layers(config: dict[str, Any]) -> list[dict[str, Any]]:
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else inner
    if not isinstance(layers, list):  # which making the model tells of
        return []
    return [layer for layer in layers if isinstance(layer, dict)]


def _name(layer: dict[str, Any]) -> str:
    inner = layer.get("config")
    own = inner.get("name") if isinstance(inner, dict) else None
    return str(own or layer.get("name") or layer.get("class_name"))


def _names_within(layer: dict[str, Any]) -> list[str]:
    """A layer's name, and those of layers within it."""
    found = [_name(layer)]
    inner = layer.get("config")
    for part in _layers(layer) if isinstance(inner, dict | list) else []:
        found += _names_within(part)
    if isinstance(inner, dict) and isinstance(inner.get("layer"), dict):
        found += _names_within(inner["layer"])
    return found


__all__ = ["load"]
