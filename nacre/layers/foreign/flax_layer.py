"""A module of Flax as a layer."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, Unpack

import numpy as np

from nacre.core.errors import ArgumentError, SerializationError, message
from nacre.core.interop import optional_import
from nacre.core.registry import get_registered_name, get_registered_object, register
from nacre.core.safety import reads_config
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.core.configs import explicit_config, without
from nacre.layers.foreign.jax_layer import JaxLayer

_FLAX = "flax.linen"


class FlaxLayerKeywords(LayerKeywords, total=False):
    """With what `JaxLayer` takes besides."""

    seed: Any
    native_serialization_platforms: Any


@register("layers/FlaxLayer")
class FlaxLayer(JaxLayer):
    """Call a module of Flax (`flax.linen.Module`), with its variables as the layer's weights.

    The method called takes `inputs`, and `training` when it behaves differently in training. All
    collections of variables but 'params' are state that is not trained.

    Args:
        module: The module.
        method: Name of its method, or a function whose first argument is the module; by default
            `__call__`.
        variables: What `module.init` gave: the first weights; by default `init` is called at build.
    Shapes:
        as the module takes and gives them
    Raises:
        MissingPackageError: Flax is not installed.
        ArgumentError: It is no such module, or the method takes other arguments.
    Source:
        Interface: Keras 3.15. Differs: a config holds the module's fields, never code: classes that
        are not Flax's own must be registered or passed as custom_objects when a file is read.
    Example:
        >>> import flax.linen, nacre                                     # doctest: +SKIP
        >>> layer = nacre.layers.FlaxLayer(flax.linen.Dense(3))          # doctest: +SKIP
        >>> layer(nacre.ops.ones((2, 4))).shape                          # doctest: +SKIP
        (2, 3)
    """

    def __init__(
        self,
        module: Any,
        method: Any = None,
        variables: Any = None,
        **kwargs: Unpack[FlaxLayerKeywords],
    ) -> None:
        linen = optional_import(_FLAX, extra="flax", who="FlaxLayer")
        if not isinstance(module, linen.Module):
            raise ArgumentError(
                message("FlaxLayer", "module must be a flax.linen.Module", repr(module)[:100])
            )
        parts = {"module": module, "method": method}
        params, state = _split(variables)
        super().__init__(
            call_fn=_call_function(parts),
            init_fn=_init_function(parts),
            params=params,
            state=state,
            **kwargs,
        )
        self.module = module
        self.method = method

    def get_config(self) -> dict[str, Any]:
        """The module's class and fields, as plain data."""
        config = explicit_config(
            self,
            module=_described(self.module, self._who()),
            method=self.method,
            seed=self.seed,
        )
        return without(config, "seed")

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make the layer a config describes."""
        return super().from_config({**config, "module": _from_description(config["module"])})


def _split(variables: Any) -> tuple[Any, Any]:
    """params, and all other collections."""
    if variables is None:
        return None, None
    state = {name: values for name, values in variables.items() if name != "params"}
    return variables.get("params", {}), state


def _arguments_of(parts: dict[str, Any]) -> tuple[str, ...]:
    """Which of `inputs` and `training` the method takes, after the module."""
    module, method = parts["module"], parts["method"]
    function = method if callable(method) else getattr(type(module), method or "__call__")
    names = tuple(inspect.signature(function).parameters)[1:]
    if "inputs" not in names or set(names) - {"inputs", "training"}:
        raise ArgumentError(
            message(
                f"FlaxLayer of {type(module).__name__}",
                "the method must take 'inputs', may take 'training', and nothing else",
                f"arguments {', '.join(names) or 'none'}",
                "Pass method=lambda module, inputs, training: module(...).",
            )
        )
    return names


def _call_function(parts: dict[str, Any]) -> Any:
    """`call_fn` for `JaxLayer`. State is changed in training and outside, as the module likes."""
    names = _arguments_of(parts)

    def call(params: Any, state: Any, rng: Any, inputs: Any, training: Any) -> Any:
        arguments = {"inputs": inputs, "training": training}
        outputs, changed = parts["module"].apply(
            {"params": params or {}, **(state or {})},
            **{name: arguments[name] for name in names},
            rngs=rng,
            method=parts["method"],
            mutable=_all_but_params(),
        )
        # What `sow` collects besides the state is not kept from call to call.
        return outputs, {name: changed.get(name, value) for name, value in (state or {}).items()}

    return call


def _init_function(parts: dict[str, Any]) -> Any:
    names = _arguments_of(parts)

    def init(rng: Any, inputs: Any, training: Any) -> Any:
        arguments = {"inputs": inputs, "training": training}
        given = {name: arguments[name] for name in names}
        return _split(dict(parts["module"].init(rng, method=parts["method"], **given)))

    return init


def _all_but_params() -> Any:
    return optional_import("flax.core", extra="flax", who="FlaxLayer").DenyList(("params",))


# --------------------------------------------------------------------------------- configs


def _described(value: Any, who: str) -> Any:
    """A module as {"module", "class_name", "config": fields}; plain data as it is."""
    linen = optional_import(_FLAX, extra="flax", who="FlaxLayer")
    if isinstance(value, linen.Module):
        fields = [f.name for f in dataclasses.fields(value) if f.name not in ("parent", "name")]
        cls = type(value)
        is_own = getattr(linen, cls.__name__, None) is cls
        defaults = {f.name: f.default for f in dataclasses.fields(value)}
        return {
            "module": _FLAX if is_own else cls.__module__,
            "flax_class": cls.__name__ if is_own else get_registered_name(cls),
            "config": {
                name: _described(getattr(value, name), who)
                for name in fields
                if getattr(value, name) is not defaults[name]
            },
        }
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_described(item, who) for item in value]
    if isinstance(value, dict):
        return {str(key): _described(item, who) for key, item in value.items()}
    if (isinstance(value, type) and issubclass(value, np.generic)) or hasattr(value, "dtype"):
        return np.dtype(getattr(value, "dtype", value)).name
    function = getattr(value, "__name__", None)
    if function is not None and getattr(linen, function, None) is value:
        return {"flax_function": function}
    raise SerializationError(
        message(
            f"{who}.get_config",
            "a module's fields must be plain data, modules, or functions of flax.linen",
            repr(value)[:100],
            "Subclass the module with that field fixed, or write get_config().",
        )
    )


def _from_description(value: Any) -> Any:
    """The module `_described` tells. Classes and functions are looked up, nothing is imported."""
    if isinstance(value, list):
        return tuple(_from_description(item) for item in value)
    if not isinstance(value, dict):
        return value
    linen = optional_import(_FLAX, extra="flax", who="FlaxLayer")
    if "flax_function" in value:
        return _function_named(linen, value["flax_function"])
    if "flax_class" not in value:
        return {key: _from_description(item) for key, item in value.items()}
    name = value["flax_class"]
    found = get_registered_object(name)
    if found is None and value.get("module") == _FLAX:
        found = getattr(linen, name, None)
    if not (isinstance(found, type) and issubclass(found, linen.Module)):
        raise SerializationError(
            message(
                "FlaxLayer.from_config",
                "the module's class must be flax.linen's, registered or passed in",
                repr(name),
                f"Pass custom_objects={{{name!r}: ...}}.",
            )
        )
    return found(**_from_description(value["config"]))


def _function_named(linen: Any, name: Any) -> Any:
    found = getattr(linen, name, None) if isinstance(name, str) and name[:1] != "_" else None
    if not callable(found) or isinstance(found, type):
        rule = "a field that is a function must be one of flax.linen's"
        raise SerializationError(message("FlaxLayer.from_config", rule, repr(name)[:100]))
    return found
