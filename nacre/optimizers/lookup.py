"""Optimizers by name, config or instance."""

# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false

from __future__ import annotations

import importlib
import inspect
from typing import Any

from nacre.core.errors import ArgumentError, SerializationError, message, unknown_name
from nacre.core.kinds import is_dict
from nacre.core.registry import (
    deserialize_keras_object,
    get_registered_object,
    plain_config,
)
from nacre.optimizers.optax_optimizer import as_optimizer
from nacre.optimizers.optimizer import Optimizer

# name in lower case -> module:Class
BUILT_IN = {
    "adadelta": "adadelta:Adadelta",
    "adafactor": "adafactor:Adafactor",
    "adagrad": "adagrad:Adagrad",
    "adam": "adam:Adam",
    "adamax": "adamax:Adamax",
    "adamw": "adam:AdamW",
    "ftrl": "ftrl:Ftrl",
    "lamb": "lamb:Lamb",
    "lion": "lion:Lion",
    "lossscaleoptimizer": "loss_scale:LossScaleOptimizer",
    "multioptimizer": "multi:MultiOptimizer",
    "muon": "muon:Muon",
    "nadam": "nadam:Nadam",
    "optaxoptimizer": "optax_optimizer:OptaxOptimizer",
    "optimizer": "optimizer:Optimizer",
    "rmsprop": "rmsprop:RMSprop",
    "schedulefreeadamw": "schedule_free_adamw:ScheduleFreeAdamW",
    "sgd": "sgd:SGD",
}


def _needs_arguments(cls: type[Optimizer]) -> bool:
    parameters = inspect.signature(cls).parameters.values()
    return any(
        p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters
    )


def _class_named(name: str) -> type[Optimizer] | None:
    place = BUILT_IN.get(name.lower().replace("_", ""))
    if place is None:
        return None
    file, class_name = place.split(":")
    return getattr(importlib.import_module(f"nacre.optimizers.{file}"), class_name)


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The config of an optimizer.

    Example:
        >>> serialize(get("sgd"))["class_name"]
        'SGD'
    """
    return plain_config(optimizer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The optimizer a config describes; class names may be in any case.

    Raises:
        UnknownNameError: The class is neither built in nor registered.
        SerializationError: The class is no optimizer.
    """
    if not isinstance(config, dict):
        rule = "a config must be a dict with class_name and config"
        raise ArgumentError(message("optimizers.deserialize", rule, repr(config)[:100]))
    name = config.get("class_name", "")
    is_custom = config.get("registered_name") or get_registered_object(name, custom_objects)
    found = None if is_custom else _class_named(name)
    if found is not None:
        return found.from_config(config.get("config", {}), custom_objects=custom_objects)
    if config.get("module") is None and not is_custom:
        raise unknown_name("optimizer", "class_name", name, BUILT_IN)
    made = deserialize_keras_object(config, custom_objects=custom_objects)
    return _checked(made, "optimizers.deserialize", config)


def _checked(made: Any, who: str, given: Any) -> Any:
    """What a config or a name described, where it is an optimizer."""
    made = as_optimizer(made)
    if isinstance(made, Optimizer):
        return made
    rule = "what a config describes must be an optimizer"
    raise SerializationError(message(who, rule, f"{type(made).__name__}, from {given!r:.80}"))


def _is_optimizer_class(identifier: object) -> bool:
    return isinstance(identifier, type) and issubclass(identifier, Optimizer)


def get(identifier: Any) -> Any:
    """The optimizer for a name, a config, a class or an optimizer; None stays None.

    Args:
        identifier: Such as 'adam', a config, or an optimizer, which is given back as it is. A
            transformation of optax becomes an `OptaxOptimizer`.

    Raises:
        UnknownNameError: A name that names nothing.
    Example:
        >>> get("adam").name[:4]
        'adam'
    """
    identifier = as_optimizer(identifier)
    if identifier is None or isinstance(identifier, Optimizer):
        return identifier
    if is_dict(identifier):
        return deserialize(identifier)
    if isinstance(identifier, str):
        found: Any = _class_named(identifier) or get_registered_object(identifier)
        if found is None or found is Optimizer:
            raise unknown_name("optimizer", "the name", identifier, set(BUILT_IN) - {"optimizer"})
        if _needs_arguments(found):
            rule = "an optimizer named by a string must need no arguments"
            fix = f"Pass an object: nacre.optimizers.{found.__name__}(...)."
            raise ArgumentError(message("optimizers.get", rule, repr(identifier), fix))
        return _checked(found(), "optimizers.get", identifier)
    if _is_optimizer_class(identifier):
        return identifier()
    raise ArgumentError(
        message(
            "optimizers.get",
            "an optimizer must be given by name, config or instance",
            f"{type(identifier).__name__} {identifier!r}"[:200],
            f"Call it: {identifier.__name__}(...)."
            if inspect.isfunction(identifier)
            else "Pass optimizer='adam', or an object of nacre.optimizers.",
        )
    )
