"""What `compile` was given, in the dialects of Keras 1 and 2, in the form nacre reads."""

from __future__ import annotations

from typing import Any

from nacre.core.registry import builtin
from nacre.saving.migrate import migrate_object


def migrate_training(config: dict[str, Any], model: Any) -> dict[str, Any]:
    """`training_config` of an `.h5` file of any Keras as a compile config.

    Args:
        config: The attribute's content.
        model: The model it belongs to; its outputs' names are needed for metrics.
    """
    config = dict(config)
    optimizer = config.pop("optimizer_config", None)
    config.pop("sample_weight_mode", None)
    config["optimizer"] = (
        migrate_object(optimizer) if optimizer else config.get("optimizer", "rmsprop")
    )
    return migrate_compile(config, model)


def migrate_compile(config: dict[str, Any], model: Any) -> dict[str, Any]:
    """A compile config of Keras 2 in today's dialect."""
    config = dict(config)
    if isinstance(config.get("optimizer"), dict):
        config["optimizer"] = migrate_object(config["optimizer"])
    names = list(getattr(model, "output_names", None) or [])
    config["loss"] = _loss(config.get("loss"))
    for key in ("metrics", "weighted_metrics"):
        config[key] = _metrics(config.get(key), names, model)
    for key in ("run_eagerly", "steps_per_execution", "jit_compile"):
        if config.get(key) is None:
            config.pop(key, None)
    return config


def _loss(spec: Any) -> Any:
    if isinstance(spec, list):
        return [_loss(item) for item in spec]
    if isinstance(spec, dict) and "class_name" in spec:
        if not isinstance(spec.get("config"), dict):  # a function of the user's
            return spec
        inner = {k: v for k, v in spec["config"].items() if k != "fn"}
        if spec["class_name"] == "LossFunctionWrapper":
            return spec["config"].get("fn")
        if inner.get("reduction") == "auto":
            inner["reduction"] = "sum_over_batch_size"
        return _placed({**spec, "config": migrate_object(inner)}, "keras.losses")
    if isinstance(spec, dict):
        return {key: _loss(value) for key, value in spec.items()}
    return spec


def _metrics(spec: Any, names: list[str], model: Any) -> Any:
    """Metrics in the structure of the outputs; Keras 2 lists them by output, names prefixed."""
    if spec is None:
        return None
    is_by_output = isinstance(spec, list) and any(isinstance(item, list) for item in spec)
    if not is_by_output:
        return _in_structure(spec, names)
    groups = [[_metric(m, names) for m in _listed(item)] for item in spec]
    if len(groups) == 1:
        return groups[0]
    if isinstance(getattr(model, "_nested_outputs", None), dict):
        # tf.keras 2 keeps outputs in a dict sorted by key.
        return dict(zip(sorted(names), groups, strict=False))
    return groups


def _in_structure(spec: Any, names: list[str]) -> Any:
    if isinstance(spec, dict) and "class_name" not in spec:
        return {key: _in_structure(part, [key]) for key, part in spec.items()}
    if isinstance(spec, list):
        return [_in_structure(part, names) for part in spec]
    return None if spec is None else _metric(spec, names)


def _placed(data: dict[str, Any], module: str) -> dict[str, Any]:
    """With its module: losses and metrics share names (`MeanSquaredError`)."""
    known = "module" not in data and builtin(module, str(data["class_name"])) is not None
    return {**data, "module": module, "registered_name": None} if known else data


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _metric(spec: Any, outputs: list[str]) -> Any:
    if not (isinstance(spec, dict) and spec.get("class_name") == "MeanMetricWrapper"):
        if isinstance(spec, dict) and isinstance(spec.get("config"), dict):
            inner = {k: v for k, v in spec["config"].items() if k != "fn"}
            inner["name"] = _without_prefix(str(inner.get("name")), outputs)
            return _placed({**spec, "config": migrate_object(inner)}, "keras.metrics")
        return spec
    inner = spec["config"]
    name = _without_prefix(str(inner.get("name")), outputs)
    function = inner.get("fn")
    if name in ("accuracy", "acc", "crossentropy", "ce"):
        return name
    if isinstance(function, str):
        same = builtin("keras.metrics", name) is builtin("keras.metrics", function)
        return name if same and builtin("keras.metrics", name) is not None else function
    return name


def _without_prefix(name: str, outputs: list[str]) -> str:
    for output in outputs:
        if len(outputs) > 1 and name.startswith(f"{output}_"):
            return name[len(output) + 1 :]
    return name


__all__ = ["migrate_compile", "migrate_training"]
