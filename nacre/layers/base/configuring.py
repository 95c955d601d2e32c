"""The config of a layer, read from its constructor's signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nacre.core.constructor import (
    accepted,
    given_arguments,
    object_from,
    own_arguments,
    parameters_of,
)
from nacre.core.errors import NacreError
from nacre.core.registry import deserialize_keras_object, is_builtin, plain_config
from nacre.core.weak_cache import weak_cache
from nacre.layers.base.adapting import policy_of_parts

if TYPE_CHECKING:
    from nacre.layers.base.layer import Layer

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
    given = given_arguments(type(layer), layer._init_arguments)
    own: dict[str, Any] = {}
    if not is_builtin(type(layer)):
        own = own_arguments(type(layer), layer._init_arguments, layer._who())
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
    add_activity_regularizer(layer, config)
    if not layer.autocast and "autocast" in layer._init_arguments[1]:
        config["autocast"] = False  # a class that chooses it itself would be handed it twice
    return config


def add_activity_regularizer(layer: Layer, config: dict[str, Any]) -> None:
    """The penalty on outputs, of which a constructor may know by its `**kwargs` alone.

    A class of the user's may also choose one itself, and would be handed it twice.
    """
    name = "activity_regularizer"
    found = getattr(layer, name, None)
    if found is None or name in config:
        return
    if is_builtin(type(layer)) or name in layer._init_arguments[1]:
        config[name] = plain_config(found)


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
    config = {key: object_from(value) for key, value in config.items()}
    return cls(**accepted(cls, config, BASE_KEYS))


@weak_cache
def constructor_names(cls: type) -> tuple[str, ...]:
    """Constructor arguments of a class, and of its bases as long as they go through **kwargs."""
    names: list[str] = []
    for base in cls.__mro__:
        if base is object or "_is_layer" in vars(base):  # the base class of all layers
            break
        if "__init__" not in vars(base):
            continue
        parameters = parameters_of(base)
        names += [
            p.name
            for p in parameters
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name not in names
        ]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return tuple(names)
