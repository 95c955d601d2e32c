"""How a layer is quantized: which quantizers, which sizes."""

from __future__ import annotations

from typing import Any, Self

from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import deserialize_keras_object, plain_config, register
from nacre.core.safety import reads_config
from nacre.quantizers.quantizer import AbsMaxQuantizer

_DEFAULT = "default"


class QuantizationConfig:
    """What all configs share.

    Args:
        weight_quantizer: Quantizer of the weights; the layer's own choice by default.
        activation_quantizer: Quantizer of the layer's inputs; None leaves them floats.
    """

    _config_module = "keras.quantizers"
    _config_role = "quantizer"
    _config_class_name = "QuantizationConfig"

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = None) -> None:
        self.weight_quantizer = weight_quantizer
        self.activation_quantizer = activation_quantizer

    @property
    def mode(self) -> str:
        """Name of the mode; each kind of config has its own."""
        raise ArgumentError(
            message(
                "QuantizationConfig",
                "a mode belongs to one of its kinds",
                "QuantizationConfig itself",
                "Use Int8QuantizationConfig, Int4QuantizationConfig or Float8QuantizationConfig.",
            )
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {
            "weight_quantizer": plain_config(self.weight_quantizer),
            "activation_quantizer": plain_config(self.activation_quantizer),
        }

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the config that plain data describes."""
        return cls(**deserialize_keras_object(dict(config)))

    @staticmethod
    def weight_quantizer_or_default(config: Any, default: Any) -> Any:
        """The weight quantizer of a config, `default` where it names none."""
        found = None if config is None else config.weight_quantizer
        return default if found is None else found

    @staticmethod
    def activation_quantizer_or_default(config: Any, default: Any) -> Any:
        """The activation quantizer of a config; `default` where there is no config."""
        return default if config is None else config.activation_quantizer

    def _check_dtypes(self) -> None:
        for name in ("weight_quantizer", "activation_quantizer"):
            dtype = getattr(getattr(self, name), "output_dtype", "int8")
            if dtype != "int8":
                raise ArgumentError(
                    message(
                        type(self).__name__,
                        f"{name} must give int8 numbers",
                        f"output_dtype={dtype!r}",
                        "Pass output_dtype='int8' to the quantizer.",
                    )
                )


@register("quantizers/Int8QuantizationConfig")
class Int8QuantizationConfig(QuantizationConfig):
    """Weights, and by default inputs, as 8-bit whole numbers.

    Args:
        weight_quantizer: Quantizer of the weights; one scale for each output by default.
        activation_quantizer: Quantizer of the layer's inputs; 'default' takes one scale for each
            row; None leaves them floats.
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = _DEFAULT) -> None:
        if activation_quantizer == _DEFAULT:
            activation_quantizer = AbsMaxQuantizer()
        super().__init__(weight_quantizer, activation_quantizer)
        self._check_dtypes()

    @property
    def mode(self) -> str:
        """'int8'."""
        return "int8"


@register("quantizers/Int4QuantizationConfig")
class Int4QuantizationConfig(QuantizationConfig):
    """Weights as 4-bit whole numbers, two in a byte; inputs stay floats unless told otherwise.

    Args:
        weight_quantizer: Quantizer of the weights, without blocks only.
        activation_quantizer: Quantizer of the layer's inputs, without blocks only.
        block_size: Number of inputs that share a scale and a zero point; None or -1 for one scale
            over all inputs.

    Raises:
        ArgumentError: A block size below 1, or a quantizer together with blocks.
    """

    def __init__(
        self,
        weight_quantizer: Any = None,
        activation_quantizer: Any = _DEFAULT,
        block_size: int | None = 128,
    ) -> None:
        if activation_quantizer == _DEFAULT:
            activation_quantizer = None
        super().__init__(weight_quantizer, activation_quantizer)
        who = type(self).__name__
        if block_size is not None and block_size != -1:
            block_size = whole_number(who, "block_size", block_size, or_else=", -1 or None")
        self.block_size = block_size
        if self.has_blocks and (weight_quantizer is not None or activation_quantizer is not None):
            raise ArgumentError(
                message(
                    who,
                    "with blocks the quantizers are fixed",
                    f"a quantizer and block_size={block_size}",
                    "Pass block_size=-1, or leave the quantizers out.",
                )
            )
        self._check_dtypes()

    @property
    def mode(self) -> str:
        """'int4'."""
        return "int4"

    @property
    def has_blocks(self) -> bool:
        """Whether inputs are divided into blocks."""
        return self.block_size not in (None, -1)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {**super().get_config(), "block_size": self.block_size}


@register("quantizers/Float8QuantizationConfig")
class Float8QuantizationConfig(QuantizationConfig):
    """Training with products of 8-bit floats. It has no settings."""

    def __init__(self) -> None:
        super().__init__(None, None)

    @property
    def mode(self) -> str:
        """'float8'."""
        return "float8"

    def get_config(self) -> dict[str, Any]:
        """No arguments."""
        return {}
