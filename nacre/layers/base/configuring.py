"""The config of a layer, read from its constructor's signature."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from nacre.core.errors import NacreError, SerializationError, message
from nacre.core.registry import deserialize_keras_object, is_builtin, plain_config
from nacre.layers.base.adapting import policy_of_parts

if TYPE_CHECKING:
    from nacre.layers.base.layer import Layer

Parameter = inspect.Parameter
# Arguments every layer's constructor takes.
BASE_KEYS = ("name", "trainable", "dtype")


def config_of(layer: Layer, is_own_config: bool) -> dict[str, Any]:
    """Name, trainable, dtype and the constructor's arguments of a layer, as plain data.

    Args:
        layer: The layer. A built-in one keeps every argument in the attribute of its name; of a
            user's class what its constructor was called with counts.
        is_own_config: The class writes further keys itself: what cannot be written here is left
            to it.

    Raises:
        SerializationError: An argument has no config, or came through `*args`.
    """
    config: dict[str, Any] = {"name": layer.name, "trainable": layer.trainable}
    config["dtype"] = plain_config(policy_for_config(layer))
    given = _given_arguments(layer)
    own = {} if is_builtin(type(layer)) else _own_arguments(layer)
    for name in constructor_names(type(layer)):
        if name in config:
            continue
        if name == "activity_regularizer" and not is_builtin(type(layer)):
            if layer.activity_regularizer is None:
                continue
        if name in own:
            value = own[name]
        elif name in layer.__dict__ or hasattr(type(layer), name):
            value = getattr(layer, name)
        elif name in given:
            value = given[name]
        else:
            continue
        try:
            config[name] = plain_config(value)
        except NacreError:
            if is_builtin(type(layer)) or not is_own_config:
                raise
    return config


def policy_for_config(layer: Layer) -> Any:
    """The policy of a layer, together with those of parts it makes itself.

    A composite layer hands its policy down to its parts. Where some were quantized, a map by path
    tells them apart, so that they are made quantized again. Parts that came as arguments are in
    the config with policies of their own.
    """
    parts = layer._direct_layers()
    arguments = [layer.__dict__.get(name) for name in constructor_names(type(layer))]
    if not parts or any(part is value for part in parts for value in arguments):
        return layer.dtype_policy
    return policy_of_parts(layer)


def from_config(cls: type, config: dict[str, Any]) -> Any:
    """The object of `cls` that a config describes; configs inside it become objects."""
    config = dict(config)
    if isinstance(config.get("dtype"), dict):
        config["dtype"] = deserialize_keras_object(config["dtype"])
    config = {key: _object_from(value) for key, value in config.items()}
    return cls(**_accepted(cls, config))


@functools.cache
def constructor_names(cls: type) -> tuple[str, ...]:
    """Constructor arguments of a class, and of its bases as long as they go through **kwargs."""
    names: list[str] = []
    for base in cls.__mro__:
        if base is object or "_is_layer" in vars(base):  # the base class of all layers
            break
        if "__init__" not in vars(base):
            continue
        parameters = _parameters(base)
        names += [
            p.name
            for p in parameters
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name not in names
        ]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return tuple(names)


def _parameters(cls: type) -> list[Parameter]:
    """The constructor's parameters after the object itself, whatever that one is called."""
    return list(inspect.signature(cls.__init__).parameters.values())[1:]


def _own_arguments(layer: Layer) -> dict[str, Any]:
    """What the class's own constructor was called with, defaults included."""
    args, kwargs = layer._init_arguments
    parameters = _parameters(type(layer))
    try:
        bound = inspect.Signature(parameters).bind(*args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    if any(bound.arguments[p.name] for p in parameters if p.kind is p.VAR_POSITIONAL):
        raise SerializationError(
            message(
                f"{layer._who()}.get_config",
                "a constructor with *args needs a get_config() of its own",
                f"{type(layer).__name__}{args}",
                "Write get_config(), or give the arguments names.",
            )
        )
    fixed = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return {p.name: bound.arguments[p.name] for p in parameters if p.kind in fixed}


def _given_arguments(layer: Layer) -> dict[str, Any]:
    """What the constructor was called with, arguments through **kwargs among the others."""
    args, kwargs = layer._init_arguments
    parameters = _parameters(type(layer))
    try:
        given = inspect.Signature(parameters).bind_partial(*args, **kwargs).arguments
    except TypeError:
        return dict(kwargs)
    loose = {p.name for p in parameters if p.kind is p.VAR_KEYWORD}
    flat = {name: value for name, value in given.items() if name not in loose}
    for name in loose & set(given):
        flat |= given[name]
    return flat


def _accepted(cls: type, config: dict[str, Any]) -> dict[str, Any]:
    """A config without base keys that a custom constructor does not take."""
    parameters = _parameters(cls)
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return config
    names = {p.name for p in parameters}
    return {k: v for k, v in config.items() if k in names or k not in BASE_KEYS}


def _object_from(value: Any) -> Any:
    """Configs of layers, initializers and the like become objects; all else stays."""
    if isinstance(value, dict) and "class_name" in value and "config" in value:
        return deserialize_keras_object(value)
    if isinstance(value, list):
        return [_object_from(v) for v in value]
    return value
