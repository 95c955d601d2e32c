"""A function as a layer."""

from __future__ import annotations

import inspect
from typing import Any, Unpack

import numpy as np

from nacre.core import safety, tree
from nacre.core.errors import ArgumentError, message
from nacre.core.registry import (
    deserialize_keras_object,
    refuse_classes,
    register,
    serialize_keras_object,
)
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.core.configs import explicit_config, without


@register("layers/Lambda")
class Lambda(Layer):
    """Apply a function to the inputs.

    Choose it for a few operations without weights. A named, registered function or a class of your
    own is saved more safely: a lambda has no name, so a file holds its compiled code, which another
    process opens only with `safe_mode=False`.

    Args:
        function: Called as `function(inputs, **arguments)`; gets `mask` and `training` too when it
            takes them.
        output_shape: Shape of the output without batch axis, or a function of the input's shape.
            Not needed: the shape is found by tracing.
        mask: Mask of the output, or a function `(inputs, mask) -> mask`. Without it a mask of the
            inputs stops here, with a warning.
        arguments: Further keyword arguments of the function.
    Example:
        >>> import nacre
        >>> nacre.layers.Lambda(lambda x: 2 * x)(nacre.ops.ones((2, 3))).shape
        (2, 3)
    """

    def __init__(
        self,
        function: Any,
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise ArgumentError(message(self._who(), "function must be callable", repr(function)))
        self.function = function
        self.arguments = arguments or {}
        self._given_output_shape = output_shape
        self.mask = mask
        self.supports_masking = mask is not None
        parameters = inspect.signature(function).parameters
        self._extra = [name for name in ("mask", "training") if name in parameters]

    def _bare_functions(self) -> tuple[Any, ...]:
        return (self.function,)

    _mask_fix = "Pass Lambda(function, mask=lambda x, mask: mask) if each step stays what it is."

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """What the function returns."""
        extra = {"mask": mask, "training": training}
        given = {name: extra[name] for name in self._extra if name not in self.arguments}
        return self.function(inputs, **given, **self.arguments)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask argument: itself, or what it returns."""
        if self.mask is None and any(one is not None for one in tree.flatten(mask)):
            self._warn_mask_lost()
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def _passes_masks_itself(self) -> bool:
        return "mask" in self._extra  # the function reads it

    traces_shapes = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for the shape of the input."""
        given = self._given_output_shape
        if given is None:
            return super().compute_output_shape(input_shape)
        if callable(given):
            return given(input_shape)
        first = input_shape
        while isinstance(first, list | tuple | dict) and tree.is_nested(_first(first)):
            first = _first(first)
        return (first[0], *given)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = explicit_config(
            self,
            function=serialize_keras_object(self.function),
            arguments=self.arguments,
            output_shape=_described(self._given_output_shape),
            mask=_described(self.mask),
        )
        return without(config, "output_shape", "mask")

    @classmethod
    def from_config(
        cls,
        config: dict[str, Any],
        custom_objects: dict[str, Any] | None = None,
        safe_mode: bool | None = None,
    ) -> Lambda:
        """Make the layer a config describes; code in it is refused unless safe_mode is False.

        Raises:
            SerializationError: There is code, or a class in the place of a function: it would be
                called with the file's arguments.
        """
        with safety.reading(safe_mode, config):
            config = {
                key: deserialize_keras_object(value, custom_objects)
                if isinstance(value, dict) and "class_name" in value
                else value
                for key, value in config.items()
            }
            if isinstance(config.get("function"), str):  # of an op its name alone, once
                named = {"class_name": "function", "config": config["function"]}
                config["function"] = deserialize_keras_object(named, custom_objects)
            refuse_classes(f"Lambda '{config.get('name', '')}'", config.get("function"))
            if isinstance(config.get("arguments"), dict):
                config["arguments"] = {
                    name: _argument(value, custom_objects)
                    for name, value in config["arguments"].items()
                }
            if isinstance(config.get("output_shape"), list):
                config["output_shape"] = tuple(config["output_shape"])
            return cls(**config)


def _argument(value: Any, custom_objects: dict[str, Any] | None) -> Any:
    """An argument of the function as it was: an array, an object, or plain data."""
    if isinstance(value, dict) and set(value) == {"type", "value"} and value["type"] == "ndarray":
        return np.asarray(value["value"])  # of Keras 2.1 to 2.15
    return deserialize_keras_object(value, custom_objects)


def _described(value: Any) -> Any:
    return serialize_keras_object(value) if callable(value) else value


def _first(structure: Any) -> Any:
    return next(iter(structure.values() if isinstance(structure, dict) else structure), None)
