"""Whole models in one HDF5 file, the format of Keras 1 and 2 that Keras 3 still reads and writes.

Layout: attributes `model_config`, `training_config`, `keras_version`, `backend`; group
`model_weights` in the older layout of weights; group `optimizer_weights` with `weight_names`.

Keras 3 restores no optimizer from these files: where that group is there, it builds the optimizer
for no variables, and training fails with "Unknown variable" (3.15.1, in its own files too). In
files for Keras 3 the state has a group of nacre's own, and Keras trains on with a fresh optimizer.
Of an optimizer that Keras does not know by its name there, the arguments of compile have an
attribute of nacre's own, and Keras opens the file uncompiled: else it would not open it at all.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import h5py

from nacre.core import identity
from nacre.core.errors import FileFormatError, listed, message
from nacre.core.file_errors import naming, read_json
from nacre.core.kinds import is_dict
from nacre.core.regions import Content, Region
from nacre.core.registry import (
    CustomObjectScope,
    deserialize_keras_object,
    hides_builtin,
    plain_config,
)
from nacre.core.warning import warn
from nacre.layers import Dense
from nacre.models import mask_flow
from nacre.models.sequential import is_within
from nacre.optimizers import Optimizer
from nacre.saving import archive, assets, hdf5, legacy_layout, trainable_flags, weights
from nacre.saving.formats.native import (
    KERAS_VERSION,
    build_fitting,
    compile_model,
    config_text,
    nacre_version,
    require_model,
)
from nacre.saving.lambdas import take_out_code
from nacre.saving.layout import INNER_NAMES
from nacre.saving.migrate import from_first_nacre, migrate_config
from nacre.saving.migrate_training import migrate_training
from nacre.saving.old_arguments import settle_compile
from nacre.saving.reloading import refuse_what_cannot_come_back

_STATE = "optimizer_weights"
_OWN_STATE = "nacre_optimizer_weights"
_TRAINING = "training_config"
_OWN_TRAINING = "nacre_training_config"
# Groups and attributes of a model.
PARTS = (
    *("model_config", "model_weights", "keras_version", "backend", "nacre_version"),
    *(_STATE, _OWN_STATE, _TRAINING, _OWN_TRAINING, trainable_flags.KEY, hdf5.CHECKSUMS),
)
# What Keras 3.15.1 finds by a class's name: Lamb is not in its list, nor do its own files open.
_KNOWN_TO_KERAS = frozenset(
    "adadelta adafactor adagrad adam adamax adamw ftrl lion lossscaleoptimizer multioptimizer muon "
    "nadam rmsprop schedulefreeadamw sgd".split()
)


def to_content(model: Any, include_optimizer: bool = True) -> tuple[Content, list[Any]]:
    """An `.h5` file of a model, and the arrays in it."""
    weights.require_built(model, f"model.save, {type(model).__name__} '{model.name}'")
    config = _older_form(plain_config(model))
    left = assets.fill_vocabularies(config, model)
    if left:
        warn(
            message(
                f"model '{model.name}', saved as .h5",
                "this format holds what adapt() found only for layers that the model's graph calls",
                f"layers within others: {listed(left)}",
                "Save it as .keras, or call adapt() again after loading.",
            )
        )
    _warn_of_metrics(model)
    text = config_text(config, f"model '{model.name}'")
    arguments = training = None
    if include_optimizer and model.compiled:
        arguments = training_config(model.get_compile_config())
        training = config_text(arguments, f"model '{model.name}'")
    refuse_what_cannot_come_back(model, config, arguments)
    state = None if training is None else _optimizer_state(getattr(model, "optimizer", None))
    kind = type(getattr(model, "optimizer", None))
    is_known = not kind.__module__.startswith("nacre.") or kind.__name__.lower() in _KNOWN_TO_KERAS
    key = _TRAINING if is_known else _OWN_TRAINING
    return layout(model, text, training, state, (KERAS_VERSION, "jax"), key)


def _warn_of_metrics(model: Any) -> None:
    """Say what of metrics, that are attributes of layers, this format has no place for."""
    own = {id(value) for value in vars(model).values()}  # which fit() begins anew
    metrics = [metric for metric in weights.metrics_of(model) if id(metric) not in own]
    counted = [m for m in metrics if any(v.numpy().any() for v in m.variables)]
    if counted:
        warn(
            message(
                f"model '{model.name}', saved as .h5",
                "this format holds nothing of what metrics counted that are attributes of layers",
                listed([metric.name for metric in counted]),
                "Save it as .keras, or reset_state() them.",
            )
        )


def layout(
    model: Any,
    config: str,
    training: str | None,
    optimizer: tuple[list[str], list[Any]] | None,
    keras: tuple[str, str],
    training_key: str = _TRAINING,
) -> tuple[Content, list[Any]]:
    """A file of these parts, and the arrays in it.

    Args:
        model: Whose weights it holds.
        config: JSON of the model.
        training: JSON of what compile was given, None for a file that opens uncompiled.
        optimizer: Names and arrays of its state, None where it has none.
        keras: Version and backend of the Keras whose file it is.
        training_key: Name of the attribute for `training`.
    """
    names, groups = legacy_layout.collect(model)
    version, backend = keras
    flags = json.dumps(trainable_flags.flags_of(model))

    def fill(region: Region) -> None:
        with hdf5.Writer(region) as root:
            root.attrs["keras_version"] = version
            root.attrs["backend"] = backend
            root.attrs["nacre_version"] = nacre_version()
            hdf5.write_text(root, "model_config", config)
            hdf5.write_text(root, trainable_flags.KEY, flags)
            legacy_layout.write(root.create_group("model_weights"), names, groups, version)
            if training is not None:
                hdf5.write_text(root, training_key, training)
            if optimizer is not None:
                name = _STATE if version.startswith("2.") else _OWN_STATE
                legacy_layout.write_list(root.create_group(name), *optimizer)

    return fill, groups


def _optimizer_state(optimizer: Any) -> tuple[list[str], list[Any]] | None:
    if not isinstance(optimizer, Optimizer) or not optimizer.variables:
        return None
    unique = legacy_layout.LegacyGroup("", optimizer.variables)
    return unique.names, unique.arrays


def _older_form(data: dict[str, Any]) -> dict[str, Any]:
    """`{"class_name", "config"}` for the model and its layers; parts of layers stay as they are."""
    config = data["config"]
    if isinstance(config, dict) and isinstance(config.get("layers"), list):
        layers = []
        for layer in config["layers"]:
            graph = {k: layer[k] for k in ("name", "inbound_nodes") if k in layer}
            layers.append({**_older_form(layer), **graph})
        config = {**config, "layers": layers}
    name = data["class_name"]
    registered = data.get("registered_name")
    if registered and ">" in registered:
        name = registered
    if data.get("module") == "keras.layers":
        name = INNER_NAMES.get(name, name)
    result = {"class_name": name, "config": config}
    is_own = not str(data.get("module")).startswith("keras")
    is_stack = is_dict(config) and "layers" in config
    build = data.get("build_config")
    if build is not None and (is_within(build) if is_stack else is_own and is_dict(config)):
        # Layers that a class of the user's makes in build() are there once it has these shapes,
        # and a stack that another layer has built has its variables below that one's path.
        result["build_config"] = build
    if identity.KEY in data:
        result[identity.KEY] = data[identity.KEY]
    if "keras.src.ops" in str(data.get("module")):
        result["module"] = data["module"]  # tells `Add`, the op, from the layer
    return result | _told_apart(data)


def _told_apart(data: dict[str, Any]) -> dict[str, Any]:
    """The module of a class that must not be opened as the built-in one of its name."""
    if not hides_builtin(data):
        return {}
    return {"module": data["module"], "registered_name": data.get("registered_name")}


def training_config(config: dict[str, Any]) -> dict[str, Any]:
    config = {key: _short(value) for key, value in config.items()}
    config["loss"] = _long_losses(config.get("loss"))
    for key in ("metrics", "weighted_metrics"):
        config[key] = _long_metrics(config.get(key))
    config["optimizer_config"] = config.pop("optimizer", None)
    return config


# Short names that Keras 3 writes into `.h5` files and then cannot read there.
_LONG = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
}


def _long_losses(spec: Any) -> Any:
    if isinstance(spec, dict) and "class_name" not in spec:
        return {k: _long_losses(v) for k, v in spec.items()}
    if isinstance(spec, list):
        return [_long_losses(v) for v in spec]
    return _LONG.get(spec.lower(), spec) if isinstance(spec, str) else spec


def _long_metrics(spec: Any) -> Any:
    """Metrics as objects that keep the short name for logs."""
    if isinstance(spec, dict) and "class_name" not in spec:
        return {k: _long_metrics(v) for k, v in spec.items()}
    if isinstance(spec, list):
        return [_long_metrics(v) for v in spec]
    if not isinstance(spec, str) or spec.lower() not in _LONG:
        return spec
    words = _LONG[spec.lower()].split("_")
    class_name = "".join(word.capitalize() for word in words)
    return {"class_name": class_name, "config": {"name": spec, "dtype": "float32"}}


def _short(value: Any) -> Any:
    """Objects as `{"class_name", "config"}`."""
    if isinstance(value, dict) and "class_name" in value and "config" in value:
        registered = value.get("registered_name")
        name = registered if registered and ">" in registered else value["class_name"]
        if name == "function":
            return value
        return {"class_name": name, "config": value["config"]} | _told_apart(value)
    if isinstance(value, dict):
        return {k: _short(v) for k, v in value.items()}
    return [_short(v) for v in value] if isinstance(value, list) else value


def check(source: Any, groups: list[Any], who: str) -> None:
    """Raise unless a written file opens and holds exactly these arrays."""
    with hdf5.open_file(source, who, verify=False) as file:
        archive.read_json((hdf5.text_attribute(file, "model_config") or "").encode(), "config", who)
        root = hdf5.subgroup(file, "model_weights", who)
        legacy_layout.compare(root if root is not None else file, groups, who)


def load(
    source: Any,
    who: str,
    custom_objects: dict[str, Any] | None,
    compile: bool,
) -> Any:
    """The model in an `.h5` file by any Keras."""
    with hdf5.open_file(source, who) as file:
        config = archive.read_json(
            (hdf5.text_attribute(file, "model_config") or "").encode(), "model_config", who
        )
        root = _weights_of(file, who)
        version = hdf5.text_attribute(file, "keras_version") or ""
        if not version:
            version = hdf5.text_attribute(root, "keras_version") or ""
        # A damaged name of that attribute must not change what masks mean.
        text = hdf5.text_attribute(file, trainable_flags.KEY)
        flags = None if text is None else read_json(text, trainable_flags.KEY, who)
        is_by_nacre = bool(hdf5.text_attribute(file, "nacre_version"))
        is_by_nacre = is_by_nacre or hdf5.has_attribute(file, hdf5.CHECKSUMS)
        is_by_nacre = is_by_nacre and not version.startswith("2.")  # written for tf.keras 2.15
        with naming(who, "model_config"):
            # A class of the user's may have a built-in one's name.
            with CustomObjectScope(custom_objects):
                config = migrate_config(config, version)
            if is_by_nacre:
                config = from_first_nacre(config)
            config, functions = take_out_code(config, who)
        with CustomObjectScope({**functions, **(custom_objects or {})}):

            def build(config: Any) -> Any:
                with naming(who, "model_config"):
                    model = deserialize_keras_object(config)
                    require_model(model)
                with naming(who, "model_weights"):
                    _build_from_weights(model, root, who)
                    trainable_flags.restore(model, flags, who)  # their order goes by these
                    legacy_layout.restore(model, root, who, keras_version=version, is_new=True)
                return model

            model = build_fitting(build, config, is_by_nacre)
            training = hdf5.text_attribute(file, _TRAINING)
            training = training or hdf5.text_attribute(file, _OWN_TRAINING)
            if compile and training:
                arguments = archive.read_json(training.encode(), "training_config", who)
                with naming(who, "training_config"):
                    arguments = migrate_training(arguments, model)
                    if not is_by_nacre:
                        arguments = settle_compile(arguments, version)
                compile_model(model, arguments, who)
                with naming(who, _STATE):
                    _restore_optimizer(model, file, who)
        if not is_by_nacre:
            mask_flow.set_end_at_ops(model, True)
    return model


def _weights_of(file: h5py.File, who: str) -> h5py.Group:
    root = hdf5.subgroup(file, "model_weights", who)
    if root is None:
        raise FileFormatError(
            message(
                who,
                "an .h5 model must hold a group 'model_weights'",
                f"only {', '.join(hdf5.member_names(file)) or 'a config'}",
                "It is damaged: fetch it again. For the structure alone: "
                "model_from_json(h5py.File(path).attrs['model_config']).",
            )
        )
    return root


def _build_from_weights(model: Any, root: h5py.Group, who: str) -> None:
    """Old Sequential files may not tell the input's shape; the first kernel does."""
    names = hdf5.names_attribute(root, "layer_names") or []
    if model.built or not names or not hasattr(model, "layers") or not model.layers:
        return
    first = model.layers[0]
    group = hdf5.subgroup(root, names[0], who)
    weights_names = [] if group is None else hdf5.names_attribute(group, "weight_names") or []
    if type(first) is Dense and weights_names and group is not None:
        model.build((None, hdf5.Arrays(group, who).shape(weights_names[0])[0]))
    else:
        weights.require_built(model, who)


def _restore_optimizer(model: Any, file: h5py.File, who: str) -> None:
    name = _OWN_STATE if hdf5.subgroup(file, _OWN_STATE, who) is not None else _STATE
    found = weights.optimizer_and_state(model, file, name, who)
    if found is None:
        if any(hdf5.had_group(file, name) for name in (_OWN_STATE, _STATE)):
            warn(
                message(
                    who,
                    "the optimizer's state that was saved in it is gone, so training starts with a "
                    "fresh one",
                    "no group of it",
                )
            )
        return
    optimizer, group = found
    names = hdf5.names_attribute(group, "weight_names") or []
    if names:
        arrays = hdf5.Arrays(group, who)
        steps = weights.optimizer_steps(optimizer, arrays, names, who, names)
        weights.run_steps(steps, settle=partial(hdf5.settle, file))


__all__ = ["PARTS", "check", "load", "to_content"]
