"""Configs of Keras 1 and 2 in the form nacre reads.

The older dialects differ in three ways: objects are `{"class_name", "config"}` without a module,
some arguments have other names or are gone, and graphs are lists instead of calls. Everything here
works on plain data; objects are made later, by the registry.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from nacre.core.registry import builtin, get_registered_object
from nacre.models.graph_calls import MASKS_END_AT_OPS
from nacre.saving.migrate_keras1 import from_keras1, is_keras1
from nacre.saving.old_arguments import OLD_KEYS, known_arguments, settle_arguments
from nacre.saving.old_functions import OLD_HARD_SIGMOID

_CLASSES = {
    "Model": "Functional",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "LSTMV1": "LSTM",
    "GRUV1": "GRU",
    "LayerNormalizationV2": "LayerNormalization",
    "GroupedQueryAttention": "GroupQueryAttention",
    "LossScaleOptimizerV3": "LossScaleOptimizer",
}
# Parts of module names that tf.keras 2 has and nobody else.
_OLD_PARTS = re.compile(r"\.(experimental|legacy)\b")
_MODELS = frozenset(("Functional", "Model", "Sequential"))


def migrate_config(config: Any, keras_version: str = "") -> Any:
    """A model's config in today's dialect.

    Args:
        config: `{"class_name", "config", ...}` by any Keras.
        keras_version: Version that wrote it; empty for Keras 1's first files.

    Raises:
        SerializationError: It has something no layer here can do.
    Example:
        >>> old = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 3]}}
        >>> migrate_config(old, "2.4.0")["config"]
        {'batch_shape': [None, 3]}
    """
    if is_keras1(config, keras_version):
        config = from_keras1(config)
    if _major(keras_version) >= 3:
        migrated = _mark_operations(config)
    else:
        migrated = migrate_object(config, keras_version)
    return settle_arguments(migrated, keras_version)


def _major(version: str) -> int:
    first = str(version).split(".")[0]
    return int(first) if first.isdigit() else 0


# -------------------------------------------------------------------- objects


def migrate_object(data: Any, version: str = "") -> Any:
    """Migrate everything within, innermost first; `version` of Keras wrote it."""
    if isinstance(data, list):
        return [migrate_object(item, version) for item in data]
    if not isinstance(data, dict):
        return data
    if "class_name" not in data or "config" not in data:
        return {key: migrate_object(value, version) for key, value in data.items()}
    if _is_custom(data):
        return {**data, "config": migrate_object(data["config"], version)}
    name = _CLASSES.get(str(data["class_name"]), str(data["class_name"]))
    name = name.removeprefix("Custom>")
    result = {**data, "class_name": name}
    if data["class_name"] != name:
        result.pop("registered_name", None)
    if name in ("Policy", "PolicyV1", "DTypePolicy"):
        inner = data["config"]
        return inner.get("name") if isinstance(inner, dict) else inner
    inner = data["config"]
    if name == "Sequential" and isinstance(inner, list):
        inner = {"layers": inner}
    if not isinstance(inner, dict):
        return result
    raw_lambda = name == "Lambda"
    inner = {k: v if raw_lambda else migrate_object(v, version) for k, v in inner.items()}
    if name in _MODELS or ("layers" in inner and "output_layers" in inner):
        inner = _model(name, inner)
    change = _BY_CLASS.get(name)
    if change is not None:
        inner = change(inner)
    if isinstance(inner.get("dtype"), str) and inner["dtype"] in ("infer", "_infer"):
        del inner["dtype"]
    if _is_layer(name) and "name" in inner:  # an initializer may be called `Identity`, too
        inner = _old_activations(known_arguments(name, inner, version))
    elif inner.get("fn") is not None and builtin("keras.losses", name) is not None:
        del inner["fn"]  # which function a loss or metric stands for
    result["config"] = inner
    if isinstance(result.get("module"), str):
        result["module"] = _OLD_PARTS.sub("", result["module"])
    if _is_layer(name) and "build_config" in result:
        # It holds one shape, which is not what all layers are built from; a call builds them.
        del result["build_config"]
    return result


def _is_custom(data: dict[str, Any]) -> bool:
    """Whether a class is the user's, even under a built-in one's name: its arguments are its own.

    Within the scope of `custom_objects` only, as names alone do not tell.
    """
    names = (data.get("registered_name"), data["class_name"])
    return any(isinstance(n, str) and get_registered_object(n) is not None for n in names)


def _is_layer(name: str) -> bool:
    return builtin("keras.layers", name) is not None


# -------------------------------------------------------------------- models


def _model(name: str, config: dict[str, Any]) -> dict[str, Any]:
    if name == "Sequential" and "input_layers" not in config:
        return config
    config = {**config}
    _take_added_losses(config)
    layers = config.get("layers", [])
    shifted = {
        str(layer.get("name"))
        for layer in layers
        if _is_model(layer) and _counts_from_one(layer, config)
    }

    def renumber(address: Any) -> Any:
        if (
            isinstance(address, list)
            and len(address) >= 3
            and isinstance(address[0], str)
            and isinstance(address[1], int)
            and address[0] in shifted
        ):
            return [address[0], address[1] - 1, *[renumber(p) for p in address[2:]]]
        if isinstance(address, list):
            return [renumber(p) for p in address]
        if isinstance(address, dict):
            return {k: renumber(v) for k, v in address.items()}
        return address

    layers_renumbered = [
        {**layer, "inbound_nodes": renumber(layer.get("inbound_nodes", []))} for layer in layers
    ]
    config = {
        **config,
        "layers": layers_renumbered,
        "input_layers": renumber(config.get("input_layers")),
        "output_layers": renumber(config.get("output_layers")),
        **({"added_losses": renumber(config["added_losses"])} if "added_losses" in config else {}),
    }
    return count_outputs_from_one(config)


def count_outputs_from_one(config: dict[str, Any]) -> dict[str, Any]:
    """A graph's config whose `output_layers` count calls of functional models within from 1.

    That is Keras 3's way; in `inbound_nodes` calls are counted from 0.
    """
    nested = {layer.get("name") for layer in config.get("layers", []) if _is_functional(layer)}

    def renumber(addresses: Any) -> Any:
        if isinstance(addresses, dict):
            return {name: renumber(address) for name, address in addresses.items()}
        if isinstance(addresses, list) and addresses and isinstance(addresses[0], str):
            return [addresses[0], addresses[1] + (addresses[0] in nested), *addresses[2:]]
        return (
            [renumber(address) for address in addresses]
            if isinstance(addresses, list)
            else addresses
        )

    return {**config, "output_layers": renumber(config.get("output_layers"))}


def _is_functional(layer: dict[str, Any]) -> bool:
    inner = layer.get("config")
    return isinstance(inner, dict) and "output_layers" in inner


def from_first_nacre(data: Any) -> Any:
    """A config by nacre's first files as it is written today, at every depth.

    They counted the calls of nested models from 0 everywhere, and sent masks through ops without
    saying so.
    """
    if isinstance(data, list):
        return [from_first_nacre(item) for item in data]
    if not isinstance(data, dict):
        return data
    data = {key: from_first_nacre(value) for key, value in data.items()}
    if "output_layers" in data and "input_layers" in data and MASKS_END_AT_OPS not in data:
        return {**count_outputs_from_one(data), MASKS_END_AT_OPS: False}
    if data.get("class_name") == "Sequential" and isinstance(data.get("config"), dict):
        return {**data, "config": {MASKS_END_AT_OPS: False, **data["config"]}}
    return data


def is_first_nacre(data: dict[str, Any]) -> bool:
    """Whether nacre wrote a model's config before configs said so.

    Keras names its class `Functional` as a registered one; the first configs of nacre did not.
    """
    inner = data.get("config")
    return (
        "module" in data
        and data.get("registered_name") is None
        and isinstance(inner, dict)
        and "output_layers" in inner
        and MASKS_END_AT_OPS not in inner
    )


def _take_added_losses(config: dict[str, Any]) -> None:
    """`add_loss` and `add_metric` on a graph, which tf.keras 2 writes as layers nobody reads.

    Losses become the config's own; metrics of a graph have no place here.
    """
    addresses: list[Any] = []
    remaining: list[Any] = []
    for layer in config.get("layers", []):
        if layer.get("class_name") not in ("AddLoss", "AddMetric"):
            remaining.append(layer)
        elif layer["class_name"] == "AddLoss":
            for node in layer.get("inbound_nodes", []):
                entry = node[0] if node and isinstance(node[0], list) else node
                addresses.append(entry[:3])
    if len(remaining) < len(config.get("layers", [])):
        config["layers"] = remaining
    if addresses:
        config["added_losses"] = [*config.get("added_losses", []), *addresses]


def _is_model(layer: dict[str, Any]) -> bool:
    inner = layer.get("config")
    return layer.get("class_name") in _MODELS or (
        isinstance(inner, dict) and "output_layers" in inner
    )


def _counts_from_one(layer: dict[str, Any], config: dict[str, Any]) -> bool:
    """Whether calls of a model within are counted from 1, as its own making was call 0.

    Keras 2 counts so; the files themselves tell, as the highest call that is referred to is then
    the number of calls.
    """
    name, calls = layer.get("name"), []

    def collect(address: Any) -> None:
        if isinstance(address, list):
            if len(address) >= 3 and address[0] == name and isinstance(address[1], int):
                calls.append(address[1])
            for item in address:
                collect(item)
        elif isinstance(address, dict):
            for item in address.values():
                collect(item)

    collect([other.get("inbound_nodes") for other in config.get("layers", [])])
    collect(config.get("output_layers"))
    return bool(calls) and min(calls) >= 1


def _mark_operations(data: Any) -> Any:
    """Keras 3 writes ops in `.h5` without their module, under the name of a layer (`Add`).

    They are known by their configs: every layer but an input has `trainable` in it. Some ops have
    a `dtype`, as inputs do.
    """
    if isinstance(data, list):
        return [_mark_operations(item) for item in data]
    if not isinstance(data, dict):
        return data
    data = {key: _mark_operations(value) for key, value in data.items()}
    if data.get("class_name") == "GroupedQueryAttention":
        data["class_name"] = "GroupQueryAttention"
    inner = data.get("config")
    if "inbound_nodes" in data and "module" not in data and isinstance(inner, dict):
        if "trainable" not in inner and "layers" not in inner and not _is_input(inner):
            data["module"] = "keras.src.ops.numpy"
            data.setdefault("registered_name", data["class_name"])
    return data


def _is_input(config: dict[str, Any]) -> bool:
    return "batch_shape" in config or "batch_input_shape" in config


# -------------------------------------------------------------------- arguments by class


def _input_layer(config: dict[str, Any]) -> dict[str, Any]:
    config = dict(config)
    if "batch_input_shape" in config:
        config["batch_shape"] = config.pop("batch_input_shape")
    config.pop("input_tensor", None)
    return config


def _single_axis(config: dict[str, Any]) -> dict[str, Any]:
    axis = config.get("axis")
    return {**config, "axis": axis[0]} if isinstance(axis, list) and len(axis) == 1 else config


def _old_activations(config: dict[str, Any]) -> dict[str, Any]:
    """Keras 2's `hard_sigmoid` has the slope 0.2, today's 1/6, in whatever layer it is."""
    changed = dict(config)
    for key in ("activation", "recurrent_activation"):
        if config.get(key) == "hard_sigmoid":
            changed[key] = OLD_HARD_SIGMOID
    return changed


def _gru(config: dict[str, Any]) -> dict[str, Any]:
    # Files from before the argument existed hold the form it calls reset_after=False.
    return {"reset_after": False, **config}


def _initializer(config: dict[str, Any]) -> dict[str, Any]:
    config = {k: v for k, v in config.items() if k != "dtype"}
    if config.get("distribution") == "normal":
        config["distribution"] = "truncated_normal"
    return config


def _rate(config: dict[str, Any]) -> dict[str, Any]:
    config = dict(config)
    if "p" in config:
        config["rate"] = config.pop("p")
    if config.get("noise_shape", 0) is None:
        del config["noise_shape"]
    return config


def _slope(config: dict[str, Any]) -> dict[str, Any]:
    return {"negative_slope" if key == "alpha" else key: v for key, v in config.items()}


def _lambda(config: dict[str, Any]) -> dict[str, Any]:
    """A function of Keras 2's Lambda as an object: a name, or code that safe mode refuses."""
    config = dict(config)
    function, kind = config.get("function"), config.pop("function_type", None)
    for key in ("module", "output_shape_type", "output_shape_module", "function_module",
                "mask_type", "mask_module"):  # fmt: skip
        config.pop(key, None)
    if kind == "lambda" and isinstance(function, list | tuple):
        code, defaults, closure = (*function, None, None)[:3]
        config["function"] = {
            "class_name": "__lambda__",
            "config": {"code": code, "defaults": defaults, "closure": closure},
        }
    elif isinstance(function, str):
        config["function"] = {
            "class_name": "function", "config": function, "registered_name": function,
            "module": None,
        }  # fmt: skip
    return config


def _nadam(config: dict[str, Any]) -> dict[str, Any]:
    """Its `decay` was that of the momentum; Keras 2.11 and later have no such number."""
    decay = config.get("schedule_decay", config.get("decay"))
    names = ("decay", "schedule_decay")
    config = _optimizer({k: v for k, v in config.items() if k not in names})
    return config if decay is None else {**config, "schedule_decay": decay}


def _optimizer(config: dict[str, Any]) -> dict[str, Any]:
    config = {k: v for k, v in config.items() if k not in OLD_KEYS}
    for old, new in (("lr", "learning_rate"), ("beta1", "beta_1"), ("beta2", "beta_2")):
        if old in config:
            config[new] = config.pop(old)
    decay = config.pop("decay", 0.0)
    config.pop("schedule_decay", None)
    if config.get("epsilon", 1.0) is None:
        config["epsilon"] = 1e-7
    if decay:
        # lr / (1 + decay · step), what `decay` meant.
        config["learning_rate"] = {
            "module": "keras.optimizers.schedules",
            "class_name": "InverseTimeDecay",
            "config": {
                "initial_learning_rate": config.get("learning_rate", 0.001),
                "decay_steps": 1, "decay_rate": decay, "staircase": False,
                "name": "InverseTimeDecay",
            },
            "registered_name": None,
        }  # fmt: skip
    schedule = config.get("learning_rate")
    if isinstance(schedule, dict) and schedule.get("config", {}).get("name", "") is None:
        schedule["config"]["name"] = schedule["class_name"]
    return config


_Change = Callable[[dict[str, Any]], dict[str, Any]]
_BY_CLASS: dict[str, _Change] = {
    "InputLayer": _input_layer,
    "BatchNormalization": _single_axis,
    "Dropout": _rate,
    "LeakyReLU": _slope,
    **dict.fromkeys(("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"), _rate),
    "Lambda": _lambda,
    "GRU": _gru,
    "GRUCell": _gru,
    **dict.fromkeys(
        ("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal",
         "VarianceScaling", "RandomNormal", "RandomUniform", "TruncatedNormal", "Orthogonal",
         "Zeros", "Ones", "Constant", "Identity"),
        _initializer,
    ),
    **dict.fromkeys(
        ("Adam", "SGD", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Ftrl", "AdamW", "Adafactor",
         "Lion"),
        _optimizer,
    ),
    "LossScaleOptimizer": lambda config: {k: v for k, v in config.items() if k != "dynamic"},
    "Nadam": _nadam,
}  # fmt: skip


__all__ = ["migrate_config", "migrate_object"]
