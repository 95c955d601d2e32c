"""A model as a layers model of TF.js: what `tf.loadLayersModel` opens, changes and trains.

The topology is that of tf.keras 2 (`keras2_config`), with the names that TF.js has; weights lie
under the names its layers give them.

Source: @tensorflow/tfjs-layers 4.22.0: `exports_layers.js` for the layers, `activations.js`,
`initializers.js`, `regularizers.js`, `constraints.js` for what is named in their configs,
`Container.loadWeights` for the names of weights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nacre.core.errors import UnsupportedOpError, listed, message
from nacre.core.kinds import is_dict, is_list
from nacre.core.regions import Content
from nacre.core.registry import plain_config
from nacre.export.graph.opset import OPSET
from nacre.export.importers.tfjs.read import packed
from nacre.export.targets.support import Support
from nacre.export.targets.target import Request, Target
from nacre.export.targets.tfjs.readback import LAYERS
from nacre.export.targets.tfjs.write import files_of, known_files
from nacre.layers import Bidirectional
from nacre.saving.keras2_config import NoKeras2Form, calls_of, keras2_config

NAME = "tfjs_layers"
_LAYERS = frozenset(
    """
    Activation Add AlphaDropout Average AveragePooling1D AveragePooling2D AveragePooling3D
    BatchNormalization Bidirectional Concatenate Conv1D Conv2D
    Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM2D Cropping2D Dense DepthwiseConv2D Dot Dropout
    ELU Embedding Flatten Functional GRU GRUCell GaussianDropout GaussianNoise
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D InputLayer
    LSTM LSTMCell LayerNormalization LeakyReLU Masking MaxPooling1D MaxPooling2D MaxPooling3D
    Maximum Minimum Model Multiply PReLU Permute RNN ReLU RepeatVector Rescaling Reshape
    SeparableConv2D Sequential SimpleRNN SimpleRNNCell Softmax SpatialDropout1D StackedRNNCells
    ThresholdedReLU TimeDistributed UpSampling2D ZeroPadding2D
    """.split()
)
_ACTIVATIONS = frozenset(
    "elu gelu linear mish relu relu6 selu sigmoid softmax softplus softsign swish tanh".split()
)
# Objects within a layer's config, and what TF.js calls them.
_PARTS = {
    **{name: name for name in "Constant GlorotNormal GlorotUniform HeNormal HeUniform Ones "
       "Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros Identity L1L2 "
       "MaxNorm MinMaxNorm NonNeg UnitNorm".split()},
    "IdentityInitializer": "Identity", "LecunNormal": "LeCunNormal", "LecunUniform": "LeCunUniform",
    "L1": "L1L2", "L2": "L1L2",
}  # fmt: skip
# (layer, what its config must say, where it does not): what TF.js has no form for.
_MUST: tuple[tuple[str, str, Any, str], ...] = (
    ("GRU", "reset_after", False, "Make it with reset_after=False"),
    ("GRUCell", "reset_after", False, "Make it with reset_after=False"),
    ("UpSampling2D", "interpolation", "nearest", "Other ones lie elsewhere there"),
    ("ReLU", "negative_slope", 0, "Use LeakyReLU"),
    ("ReLU", "threshold", 0, "Use ThresholdedReLU"),
    ("Conv1D", "padding", ("valid", "same"), "Pad the input itself"),
)
_EQUAL = {"groups": 1, "stateful": False, "data_format": "channels_last"}
# (layer, weight) -> what TF.js calls it.
_WEIGHTS = {("DepthwiseConv2D", "kernel"): "depthwise_kernel"}
_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._/]*")


def target_for(model: Any, who: str) -> Target:
    """The format, for one model.

    Args:
        model: Whose layers are written.
        who: What errors call it.

    Raises:
        UnsupportedOpError: TF.js has not all of its layers; all gaps are told.
    """
    topology = topology_of(model, who)

    def write(request: Request) -> Mapping[str, Content]:
        arrays = {
            name: np.asarray(variable.on_host()).astype("float32")
            for name, variable in weights_of(model).items()
        }
        specs, data = packed(arrays)
        whole = {
            "format": "layers-model",
            "generatedBy": request.metadata.get("producer", "nacre"),
            "convertedBy": None,
            "modelTopology": {
                "keras_version": "2.15.0", "backend": "tensorflow", "model_config": topology,
            },
            "userDefinedMetadata": dict(request.metadata),
        }  # fmt: skip
        return files_of(whole, specs, data)

    return Target(
        name=NAME,
        title="TF.js, layers models",
        suffix="",
        support=Support("TF.js", dict.fromkeys(OPSET, "its layers")),
        write=write,
        runtimes=(LAYERS,),
        known=frozenset(known_files()),
    )


def topology_of(model: Any, who: str) -> dict[str, Any]:
    """The config of a model as TF.js has it.

    Raises:
        UnsupportedOpError: It has not all of the layers; all gaps are told.
    """
    config, gaps = _topology(model)
    if gaps:
        raise UnsupportedOpError(
            message(
                who,
                "each layer must be one that TF.js has",
                f"{len(gaps)} without a form: {listed(gaps, 10, '; ')}",
                "Write a graph model, which runs and does not train: format='tfjs'.",
            )
        )
    return config


def gaps_of(model: Any) -> list[str]:
    """What of a model TF.js has no layers for."""
    return _topology(model)[1]


def _topology(model: Any) -> tuple[dict[str, Any], list[str]]:
    data = plain_config(model)
    gaps = list(dict.fromkeys(_gaps(data, "")))
    if not gaps and getattr(model, "_graph", None) is None:
        gaps = [f"the class {type(model).__name__}, whose call is code"]
    if gaps:
        return {}, gaps
    try:
        config = _renamed(keras2_config(data, calls_of(model)))
        json.dumps(config)
    except NoKeras2Form as error:
        return {}, [str(error)]
    except (TypeError, ValueError) as error:
        return {}, [f"a config that is no JSON: {error}"]
    return config, []


def _gaps(data: Any, path: str) -> Iterator[str]:
    """What of a config TF.js has no form for."""
    name, config = data.get("class_name"), data.get("config")
    if not is_dict(config):
        return
    own = str(config.get("name") or data.get("name") or name)
    place = f"{path}/{own}".strip("/")
    is_op = ".ops" in str(data.get("module"))
    registered = str(data.get("registered_name") or "")
    if is_op or name not in _LAYERS or ">" in registered:
        kind = f"the operation {name}" if is_op else f"{name} '{place}'"
        yield kind
        return
    if not _NAME.fullmatch(own):
        yield f"the name '{place}': it may have letters, digits, '-', '_', '.' and '/'"
    yield from _gaps_of_settings(str(name), config, place)
    for key, value in config.items():
        if key == "layers" and is_list(value):
            for layer in value:
                yield from _gaps(layer, "" if not path else place)
        elif key in ("layer", "backward_layer", "cell") and is_dict(value):
            yield from _gaps(value, place)
        elif key == "cells" and is_list(value):
            for cell in value:
                yield from _gaps(cell, place)
        elif is_dict(value) and "class_name" in value and key not in ("dtype", "layer"):
            inner = value["class_name"]
            if inner not in _PARTS and not _is_policy(value):
                yield f"{key}={inner} of {name} '{place}'"


def _is_policy(value: Mapping[str, Any]) -> bool:
    return "Policy" in str(value.get("class_name"))


def _gaps_of_settings(name: str, config: Mapping[str, Any], place: str) -> Iterator[str]:
    for layer, key, wanted, fix in _MUST:
        allowed = wanted if isinstance(wanted, tuple) else (wanted,)
        if name == layer and config.get(key, allowed[0]) not in allowed:
            yield f"{name} '{place}' with {key}={config[key]!r}: {fix.lower()}"
    for key, plain in _EQUAL.items():
        if config.get(key, plain) not in (plain, None):
            yield f"{name} '{place}' with {key}={config[key]!r}"
    for key in ("activation", "recurrent_activation"):
        value = config.get(key)
        known = isinstance(value, str) and (value in _ACTIVATIONS or value == "silu")
        if value is not None and not known:
            said = value if isinstance(value, str) else value.get("config", value)
            yield f"{name} '{place}' with {key}={said!r}"[:200]
    backward = config.get("backward_layer")
    if name == "Bidirectional" and is_dict(backward):
        if _of_one(config["layer"]) != _of_one(backward):
            yield f"Bidirectional '{place}' of two different layers"
    kind = config.get("dtype")
    policy = kind.get("config", {}).get("name") if is_dict(kind) else kind
    is_whole = name in ("InputLayer", "Embedding") and str(policy).startswith(("int", "bool"))
    if policy not in (None, "float32") and not is_whole:
        yield f"{name} '{place}' of dtype {policy}"


def _of_one(layer: Mapping[str, Any]) -> dict[str, Any]:
    """What the two directions of one layer have in common."""
    kept = {k: v for k, v in layer["config"].items() if k not in ("name", "go_backwards")}
    return {"class_name": layer["class_name"], "config": kept}


def _renamed(value: Any) -> Any:
    """A config of tf.keras 2 with TF.js's names."""
    if is_list(value):
        return [_renamed(v) for v in value]
    if not is_dict(value):
        return value
    found = {key: _renamed(v) for key, v in value.items()}
    for key in ("activation", "recurrent_activation"):
        if found.get(key) == "silu":
            found[key] = "swish"
    name = found.get("class_name")
    if name in _PARTS and is_dict(found.get("config")):
        found["class_name"] = _PARTS[name]
        if name in ("L1", "L2"):
            own = found["config"]
            found["config"] = {"l1": own.get("l1", 0.0), "l2": own.get("l2", 0.0)}
    return found


def weights_of(model: Any, prefix: str = "") -> dict[str, Any]:
    """The variables of a model by the names that TF.js gives its weights."""
    found: dict[str, Any] = {}
    for layer in dict.fromkeys(getattr(model, "layers", ())):
        if getattr(layer, "_is_model", False):
            found |= weights_of(layer)
        elif isinstance(layer, Bidirectional):
            own = layer.forward_layer.name  # after which TF.js names both
            parts = {"forward": layer.forward_layer, "backward": layer.backward_layer}
            for direction, part in parts.items():
                for variable in part.weights:
                    found[f"{layer.name}/{direction}_{own}/{variable.name}"] = variable
        else:
            for variable in layer.weights:
                if variable.dtype == "float32":  # not the seeds of dropout
                    own = _WEIGHTS.get((type(layer).__name__, variable.name), variable.name)
                    found[f"{layer.name}/{own}"] = variable
    return found


__all__ = ["NAME", "gaps_of", "target_for", "topology_of", "weights_of"]
