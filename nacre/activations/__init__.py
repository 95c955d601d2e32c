"""Activation functions, and the names that layers know them by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nacre.activations import functions as _functions
from nacre.activations.functions import (
    celu as celu,
)
from nacre.activations.functions import (
    elu as elu,
)
from nacre.activations.functions import (
    exponential as exponential,
)
from nacre.activations.functions import (
    gelu as gelu,
)
from nacre.activations.functions import (
    glu as glu,
)
from nacre.activations.functions import (
    hard_shrink as hard_shrink,
)
from nacre.activations.functions import (
    hard_sigmoid as hard_sigmoid,
)
from nacre.activations.functions import (
    hard_silu as hard_silu,
)
from nacre.activations.functions import (
    hard_swish as hard_swish,
)
from nacre.activations.functions import (
    hard_tanh as hard_tanh,
)
from nacre.activations.functions import (
    leaky_relu as leaky_relu,
)
from nacre.activations.functions import (
    linear as linear,
)
from nacre.activations.functions import (
    log_sigmoid as log_sigmoid,
)
from nacre.activations.functions import (
    log_softmax as log_softmax,
)
from nacre.activations.functions import (
    mish as mish,
)
from nacre.activations.functions import (
    relu as relu,
)
from nacre.activations.functions import (
    relu6 as relu6,
)
from nacre.activations.functions import (
    selu as selu,
)
from nacre.activations.functions import (
    sigmoid as sigmoid,
)
from nacre.activations.functions import (
    silu as silu,
)
from nacre.activations.functions import (
    soft_shrink as soft_shrink,
)
from nacre.activations.functions import (
    softmax as softmax,
)
from nacre.activations.functions import (
    softplus as softplus,
)
from nacre.activations.functions import (
    softsign as softsign,
)
from nacre.activations.functions import (
    sparse_plus as sparse_plus,
)
from nacre.activations.functions import (
    sparse_sigmoid as sparse_sigmoid,
)
from nacre.activations.functions import (
    sparsemax as sparsemax,
)
from nacre.activations.functions import (
    squareplus as squareplus,
)
from nacre.activations.functions import (
    swish as swish,
)
from nacre.activations.functions import (
    tanh as tanh,
)
from nacre.activations.functions import (
    tanh_shrink as tanh_shrink,
)
from nacre.activations.functions import (
    threshold as threshold,
)
from nacre.core.errors import ArgumentError, message, unknown_name
from nacre.core.lookup import of_role
from nacre.core.registry import (
    deserialize_keras_object,
    get_registered_object,
    plain_config,
)

_NAMES = (
    "celu",
    "elu",
    "exponential",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
)
__all__ = [*_NAMES, "deserialize", "get", "serialize"]

# tf.keras 2 wrote this name into some configs.
LEGACY_NAMES = {"softmax_v2": "softmax"}
# What a config may name besides classes.
CONFIG_FUNCTIONS = frozenset(_NAMES)


def get(identifier: Any) -> Callable[..., Any]:
    """The activation for a name, a config, a callable, or None (linear).

    Raises:
        UnknownNameError: The name is no activation's.
        ArgumentError: `identifier` is none of these.
    Example:
        >>> get("relu").__name__, get(None).__name__
        ('relu', 'linear')
    """
    if identifier is None:
        return linear
    if isinstance(identifier, dict):
        identifier = deserialize(identifier)
    if isinstance(identifier, str):
        name = LEGACY_NAMES.get(identifier, identifier)
        if name in _NAMES:
            return getattr(_functions, name)
        found = get_registered_object(identifier)
        if found is None:
            raise unknown_name("activations.get", "an activation", identifier, _NAMES)
        found = found() if isinstance(found, type) else found
        return _checked(found, "activations.get", identifier)
    if callable(identifier):
        return identifier
    raise ArgumentError(
        message(
            "activations.get",
            "an activation must be a name, a function, a layer, a config or None",
            f"{identifier!r} ({type(identifier).__name__})",
        )
    )


def serialize(activation: Any) -> Any:
    """The name of a built-in activation; a config of any other.

    Example:
        >>> serialize(softmax), serialize(swish)
        ('softmax', 'silu')
    """
    return plain_config(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The activation a name or config describes.

    Raises:
        UnknownNameError: The name is no activation's.
        SerializationError: It describes something else.
    """
    if isinstance(config, dict) and config.get("class_name") == "function":
        name = config.get("config")
        if isinstance(name, str) and name in _NAMES and not (custom_objects or {}).get(name):
            return getattr(_functions, name)
    if isinstance(config, str):
        if custom_objects and config in custom_objects:
            return _checked(custom_objects[config], "activations.deserialize", config)
        return get(config)
    found = deserialize_keras_object(config, custom_objects=custom_objects)
    return _checked(found, "activations.deserialize", config)


def _checked(found: Any, who: str, given: Any) -> Any:
    return of_role(found, "layer", who, "an activation", given)


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
