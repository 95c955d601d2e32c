"""Configs for the few layers whose arguments are not attributes of the same name."""

from __future__ import annotations

from typing import Any

from nacre.core.errors import SerializationError, message
from nacre.core.registry import deserialize_keras_object, plain_config
from nacre.layers.base.configuring import add_activity_regularizer, policy_for_config
from nacre.layers.base.layer import Layer


def explicit_config(layer: Layer, **arguments: Any) -> dict[str, Any]:
    """Name, trainable and dtype of a layer, and the given arguments, as plain data."""
    policy = policy_for_config(layer)
    base = {"name": layer.name, "trainable": layer.trainable, "dtype": policy}
    config = {key: plain_config(value) for key, value in {**base, **arguments}.items()}
    add_activity_regularizer(layer, config)
    return config


def without(config: dict[str, Any], *absent_when_none: str) -> dict[str, Any]:
    """A config without the given keys where they are None, as Keras leaves them out."""
    return {k: v for k, v in config.items() if v is not None or k not in absent_when_none}


def serialize(layer: Layer) -> dict[str, Any]:
    """A layer's config with its class name, as plain data.

    Example:
        >>> import nacre
        >>> serialize(nacre.layers.Dense(3))["class_name"]
        'Dense'
    """
    return plain_config(layer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Layer:
    """The layer a config describes.

    Args:
        config: What `serialize` gave.
        custom_objects: name -> class or function, for names that are not built in.

    Raises:
        SerializationError: It names something unknown, or no layer.
    """
    layer = deserialize_keras_object(config, custom_objects)
    if not isinstance(layer, Layer):
        raise SerializationError(
            message("layers.deserialize", "the config must describe a layer", repr(config)[:100])
        )
    return layer
