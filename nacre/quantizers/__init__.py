"""Quantizers: floats as numbers of 8 or 4 bits, and back.

How this floor works: `rounding` and `float8` are pure functions on arrays, `packing` puts two
4-bit numbers into a byte, `quantizer` wraps a function with its settings so that a config can name
it, and `settings` says how a whole layer is quantized. The layers' side is in
`nacre.layers.adapters`.
"""

from __future__ import annotations

from typing import Any

from nacre.core.errors import message, unknown_name
from nacre.core.lookup import of_role
from nacre.core.registry import deserialize_keras_object, plain_config
from nacre.quantizers.calibrated import AWQConfig as AWQConfig
from nacre.quantizers.calibrated import GPTQConfig as GPTQConfig
from nacre.quantizers.float8 import compute_float8_amax_history as compute_float8_amax_history
from nacre.quantizers.float8 import compute_float8_scale as compute_float8_scale
from nacre.quantizers.float8 import quantize_and_dequantize as quantize_and_dequantize
from nacre.quantizers.packing import pack_int4 as pack_int4
from nacre.quantizers.packing import unpack_int4 as unpack_int4
from nacre.quantizers.quantizer import AbsMaxQuantizer as AbsMaxQuantizer
from nacre.quantizers.quantizer import Quantizer as Quantizer
from nacre.quantizers.rounding import abs_max_quantize as abs_max_quantize
from nacre.quantizers.rounding import (
    abs_max_quantize_grouped_with_zero_point as abs_max_quantize_grouped_with_zero_point,
)
from nacre.quantizers.rounding import fake_quant_with_min_max_vars as fake_quant_with_min_max_vars
from nacre.quantizers.settings import Float8QuantizationConfig as Float8QuantizationConfig
from nacre.quantizers.settings import Int4QuantizationConfig as Int4QuantizationConfig
from nacre.quantizers.settings import Int8QuantizationConfig as Int8QuantizationConfig
from nacre.quantizers.settings import QuantizationConfig as QuantizationConfig

_BY_NAME = {
    "AbsMaxQuantizer": AbsMaxQuantizer,
    "Quantizer": Quantizer,
    "abs_max_quantizer": AbsMaxQuantizer,
    "quantizer": Quantizer,
}


def get(identifier: Any, **kwargs: Any) -> Any:
    """The quantizer for a name, a config, a class or a quantizer; None for None.

    Args:
        identifier: Such as 'abs_max_quantizer'.
        **kwargs: Arguments of the class a name stands for.

    Raises:
        UnknownNameError: The name is no quantizer's.
    Example:
        >>> get("abs_max_quantizer", axis=0).axis
        (0,)
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        if identifier not in _BY_NAME:
            raise unknown_name("quantizers.get", "quantizer", identifier, _BY_NAME)
        return _BY_NAME[identifier](**kwargs)
    if isinstance(identifier, type):
        return identifier(**kwargs)
    if callable(identifier):
        return identifier
    raise TypeError(
        message("quantizers.get", "a quantizer must be a name, config or object", repr(identifier))
    )


def serialize(initializer: Any) -> dict[str, Any]:
    """A quantizer as plain data (the argument's name is Keras's)."""
    return plain_config(initializer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The quantizer a config describes.

    Args:
        config: What `serialize` gave.
        custom_objects: name -> class, for quantizers that are not built in.

    Raises:
        SerializationError: It describes something else.
    """
    if "module" not in config and config.get("class_name") in _BY_NAME:
        config = {**config, "module": "keras.quantizers"}
    found = deserialize_keras_object(config, custom_objects)
    return of_role(found, "quantizer", "quantizers.deserialize", "a quantizer", config)


__all__ = [
    "AWQConfig",
    "AbsMaxQuantizer",
    "Float8QuantizationConfig",
    "GPTQConfig",
    "Int4QuantizationConfig",
    "Int8QuantizationConfig",
    "QuantizationConfig",
    "Quantizer",
    "abs_max_quantize",
    "abs_max_quantize_grouped_with_zero_point",
    "compute_float8_amax_history",
    "compute_float8_scale",
    "deserialize",
    "fake_quant_with_min_max_vars",
    "get",
    "pack_int4",
    "quantize_and_dequantize",
    "serialize",
    "unpack_int4",
]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
