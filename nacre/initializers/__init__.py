"""First values of variables: NumPy arrays drawn or filled on the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.core.lookup import Lookup, named
from nacre.core.registry import plain_config
from nacre.core.variable import Variable
from nacre.initializers.constant import STFT as STFT
from nacre.initializers.constant import Constant as Constant
from nacre.initializers.constant import Identity as Identity
from nacre.initializers.constant import Ones as Ones
from nacre.initializers.constant import Zeros as Zeros
from nacre.initializers.initializer import Initializer as Initializer
from nacre.initializers.initializer import numpy_dtype
from nacre.initializers.random import Orthogonal as Orthogonal
from nacre.initializers.random import RandomNormal as RandomNormal
from nacre.initializers.random import RandomUniform as RandomUniform
from nacre.initializers.random import TruncatedNormal as TruncatedNormal
from nacre.initializers.variance_scaling import GlorotNormal as GlorotNormal
from nacre.initializers.variance_scaling import GlorotUniform as GlorotUniform
from nacre.initializers.variance_scaling import HeNormal as HeNormal
from nacre.initializers.variance_scaling import HeUniform as HeUniform
from nacre.initializers.variance_scaling import LecunNormal as LecunNormal
from nacre.initializers.variance_scaling import LecunUniform as LecunUniform
from nacre.initializers.variance_scaling import VarianceScaling as VarianceScaling
from nacre.initializers.variance_scaling import compute_fans as compute_fans

IdentityInitializer = identity = Identity
OrthogonalInitializer = orthogonal = Orthogonal
STFTInitializer = stft = STFT
constant, zeros, ones = Constant, Zeros, Ones
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling = VarianceScaling
glorot_normal, glorot_uniform = GlorotNormal, GlorotUniform
he_normal, he_uniform = HeNormal, HeUniform
lecun_normal, lecun_uniform = LecunNormal, LecunUniform

__all__ = [
    "Initializer", "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform",
    "Identity", "IdentityInitializer", "LecunNormal", "LecunUniform", "Ones", "Orthogonal",
    "OrthogonalInitializer", "RandomNormal", "RandomUniform", "STFT", "STFTInitializer",
    "TruncatedNormal", "VarianceScaling", "Zeros",
    "constant", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity",
    "lecun_normal", "lecun_uniform", "ones", "orthogonal", "random_normal", "random_uniform",
    "stft", "truncated_normal", "variance_scaling", "zeros",
    "get", "serialize", "deserialize",
]  # fmt: skip

# Older spellings, found in strings and in old files.
LEGACY_NAMES = {
    "zero": "Zeros",
    "one": "Ones",
    "normal": "RandomNormal",
    "uniform": "RandomUniform",
    "lecun_uniform_v2": "LecunUniform",
    "ZerosV2": "Zeros",
    "OnesV2": "Ones",
    "ConstantV2": "Constant",
    "GlorotUniformV2": "GlorotUniform",
    "GlorotNormalV2": "GlorotNormal",
    "HeUniformV2": "HeUniform",
    "HeNormalV2": "HeNormal",
    "LecunUniformV2": "LecunUniform",
    "LecunNormalV2": "LecunNormal",
    "RandomNormalV2": "RandomNormal",
    "RandomUniformV2": "RandomUniform",
    "TruncatedNormalV2": "TruncatedNormal",
    "VarianceScalingV2": "VarianceScaling",
    "OrthogonalV2": "Orthogonal",
    "IdentityV2": "Identity",
    "initializer": "Initializer",
}

_LOOKUP = Lookup(
    "initializers",
    "an initializer",
    named(globals(), __all__, ()),
    LEGACY_NAMES,
    'Pass for example "glorot_uniform", or nacre.initializers.Constant(0.1).',
    roles="initializer",
)


def serialize(initializer: Any) -> Any:
    """The config of an initializer.

    Args:
        initializer: An initializer, or a registered function.

    Example:
        >>> serialize(Zeros())["class_name"]
        'Zeros'
    """
    return plain_config(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The initializer a config describes.

    Args:
        config: What `serialize` gave, or a name.
        custom_objects: name -> class or function, for names that are not built in.

    Example:
        >>> deserialize({"class_name": "Constant", "config": {"value": 2.0}})((1,))
        array([2.], dtype=float32)
    """
    return _LOOKUP.deserialize(config, custom_objects)


@overload
def get(identifier: None) -> None: ...
@overload
def get(identifier: Any) -> Callable[..., Any]: ...
def get(identifier: Any) -> Callable[..., Any] | None:
    """The initializer for a name, a config, an array, a class or a callable.

    Args:
        identifier: Such as "glorot_uniform", a dict config, an array (its values are used), an
            initializer, or any callable `(shape, dtype) -> array`. None gives None.

    Raises:
        UnknownNameError: A string that names no initializer.
        ArgumentError: Something that cannot be one.
    Example:
        >>> type(get("he_normal")).__name__
        'HeNormal'
    """
    if hasattr(identifier, "__array__") and not isinstance(identifier, type):
        return _from_array(identifier)
    return _LOOKUP.get(identifier)


def _from_array(array: Any) -> Callable[..., Any]:
    def initialize(shape: Any, dtype: Any = None) -> np.ndarray:
        value = array.numpy() if isinstance(array, Variable) else np.asarray(array)
        if tuple(value.shape) != tuple(shape):
            raise ArgumentError(
                message(
                    "initializer from an array",
                    f"the array must have the variable's shape {tuple(shape)}",
                    f"shape {tuple(value.shape)}",
                )
            )
        return value.astype(numpy_dtype(dtype))

    return initialize


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
