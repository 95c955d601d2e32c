"""Arguments in configs that no constructor here takes: those of other versions of Keras.

What is gone and had no effect is left out; what had one is an error that names the object, the
argument and the version that wrote the file. The same goes for versions that come after this one:
an argument that nobody here knows is left out only where it holds nothing.
"""

from __future__ import annotations

import inspect
from typing import Any

from nacre.core.errors import SerializationError, message, nearest
from nacre.core.registry import builtin, builtin_anywhere, get_registered_object, short_module
from nacre.core.weak_cache import weak_cache
from nacre.layers.base.layer import Layer
from nacre.models.model import Model

# Keys of tf.keras 2 that no constructor here takes, with what they must hold; `_ANY` where they say
# how it computed, or what the class is anyway. Found by comparing `get_config()` of every class of
# tf.keras 2.15 with the constructors here; the rest comes from files of older versions.
_ANY = object()
OLD_KEYS: dict[str, Any] = {
    **dict.fromkeys(
        "implementation dynamic fused jit_compile is_legacy_optimizer experimental_autocast "
        "autocast _expects_mask_arg _expects_training_arg input_length build_input_shape "
        "max_batch_size vocabulary_size query_shape key_shape value_shape renorm_clipping "
        "renorm_momentum".split(),
        _ANY,
    ),
    "groups": 1,  # of transposed, depthwise and separable convolution, where it did nothing
    "time_major": False,
    "renorm": False,
    "virtual_batch_size": None,
    "ragged": False,
    "sparse": False,
    "causal": False,
}
# What every layer takes beside the arguments of its class.
_OF_LAYERS = frozenset(
    "name trainable dtype batch_input_shape input_shape input_dim weights activity_regularizer "
    "batch_shape batch_size dtype_policy".split()
)
# What a model's config and its compile arguments may hold, in any version.
_MODELS = ("Functional", "Model", "Sequential")
_OF_MODELS = frozenset(
    "name trainable dtype layers input_layers output_layers build_input_shape added_losses "
    "masks_end_at_ops".split()
)
_OF_COMPILE = frozenset(
    "optimizer loss loss_weights metrics weighted_metrics run_eagerly steps_per_execution "
    "jit_compile auto_scale_loss optimizer_config sample_weight_mode".split()
)


@weak_cache
def arguments_of(cls: type) -> frozenset[str]:
    """Names that a built-in class's constructor takes, those of its base classes among them."""
    names: set[str] = set(_OF_LAYERS) if issubclass(cls, Layer) else set()
    for base in cls.__mro__:
        if base in (Layer, object):
            break
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        names |= {p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return frozenset(names - {"self"})


def known_arguments(name: str, config: dict[str, Any], version: str) -> dict[str, Any]:
    """The config of a layer of Keras 1 or 2 without arguments that are gone.

    Args:
        name: The class.
        config: The layer's config.
        version: Version of Keras that wrote it.

    Raises:
        SerializationError: One of them mattered.
    """
    cls = builtin("keras.layers", name)
    if not isinstance(cls, type):
        return config
    known = arguments_of(cls)
    remaining: dict[str, Any] = {}
    for key, value in config.items():
        if key in known and (
            key not in ("ragged", "sparse") or name not in ("InputLayer", "Input")
        ):
            remaining[key] = value
        elif _is_without_effect(name, key):
            continue
        elif key in OLD_KEYS:
            wanted = OLD_KEYS[key]
            if wanted is not _ANY and value != wanted and not (not wanted and not value):
                raise SerializationError(
                    message(
                        f"{name} '{config.get('name')}', from a file of Keras {version or '1'}",
                        f"a layer from an older file must have {key}={wanted}",
                        f"{key}={value!r}",
                    )
                )
        elif not _holds_nothing(value):
            raise _unknown(f"{name} '{config.get('name')}'", name, key, value, version, known)
    return remaining


def _is_without_effect(name: str, key: str) -> bool:
    """Arguments of the base class that tf.keras 2 wrote for layers they do nothing in."""
    return name.startswith(("Depthwise", "Separable")) and (
        key.startswith("kernel_") or key == "filters"
    )


def _holds_nothing(value: Any) -> bool:
    return value is None or value is False or value == [] or value == {}


def _unknown(
    who: str, class_name: str, key: str, value: Any, version: str, known: frozenset[str]
) -> SerializationError:
    near = nearest(key, known)
    return SerializationError(
        message(
            f"{who}, from a file of Keras {version or '1 or 2'}",
            "every argument in a config must be one that is known here, or hold nothing",
            f"{key}={value!r}"[:200] + (f", nearest: {near!r}" if near else ""),
            f"If {class_name} is a class of your own: custom_objects={{{class_name!r}: ...}}.",
        )
    )


def settle_arguments(data: Any, version: str, owner: str = "") -> Any:
    """A config of any Keras without unknown arguments that hold nothing, at every depth.

    Args:
        data: A config, within the scope of `custom_objects`.
        version: Version of Keras that wrote it.
        owner: The layer around it, for errors.

    Raises:
        SerializationError: An unknown argument of a built-in class holds something.
    """
    if isinstance(data, list):
        return [settle_arguments(item, version, owner) for item in data]
    if not isinstance(data, dict):
        return data
    name, config = data.get("class_name"), data.get("config")
    if not isinstance(name, str) or not isinstance(config, dict):
        return {key: settle_arguments(value, version, owner) for key, value in data.items()}
    cls = _class_of(data, name)
    if cls is not None and issubclass(cls, Layer):
        owner = f"{name} '{config.get('name')}'"
    config = {key: settle_arguments(value, version, owner) for key, value in config.items()}
    if cls is not None:
        known = _OF_MODELS if _is_a_model(cls, name) else arguments_of(cls)
        who = owner if issubclass(cls, Layer) or not owner else f"{owner}, {name}"
        config = _without_unknown(config, known, who or name, name, version)
    rest = ("build_config", "compile_config", "inbound_nodes")
    kept = {k: settle_arguments(v, version) if k in rest else v for k, v in data.items()}
    return {**kept, "config": config}


def settle_compile(config: dict[str, Any], version: str) -> dict[str, Any]:
    """The same for what `compile` was given."""
    config = settle_arguments(config, version)
    return _without_unknown(config, _OF_COMPILE, "compile", "Model", version)


def _without_unknown(
    config: dict[str, Any], known: frozenset[str], who: str, name: str, version: str
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in config.items():
        if key in known or OLD_KEYS.get(key) is _ANY:
            kept[key] = value
        elif not _holds_nothing(value):
            raise _unknown(who, name, key, value, version, known)
    return kept


def _is_a_model(cls: type, name: str) -> bool:
    """Whether it is made from a graph of layers, which its constructor does not take."""
    return name in _MODELS or (issubclass(cls, Model) and cls.__init__ is Model.__init__)


def _class_of(data: dict[str, Any], name: str) -> type | None:
    """The built-in class that an entry names; None for functions, and for classes of the user's."""
    registered = data.get("registered_name")
    texts = [n for n in (registered, name) if isinstance(n, str)]
    if any(get_registered_object(text) is not None for text in texts):
        return None
    module = data.get("module")
    if isinstance(module, str):
        found = builtin(short_module(module), name, "class")
    elif "name" not in data["config"] and builtin("keras.initializers", name, "class") is not None:
        found = builtin("keras.initializers", name, "class")  # a layer is called `Identity`, too
    else:
        found = builtin_anywhere(name, "class")
    return found if isinstance(found, type) else None


__all__ = ["OLD_KEYS", "arguments_of", "known_arguments", "settle_arguments", "settle_compile"]
