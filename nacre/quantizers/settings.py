"""How a layer is quantized: which quantizers, which sizes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields
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


class _AlgorithmConfig(QuantizationConfig):
    """What the settings of GPTQ and AWQ share; each kind is a dataclass of its own fields."""

    _mode: str
    _bits: tuple[int, ...]
    weight_bits: int
    group_size: int

    def __post_init__(self) -> None:
        super().__init__()
        who = type(self).__name__
        if self.weight_bits not in self._bits:
            bits = ", ".join(map(str, self._bits))
            rule = f"weight_bits must be among {bits}"
            raise ArgumentError(message(who, rule, repr(self.weight_bits)))
        for name in ("num_samples", "sequence_length", "num_grid_points"):
            whole_number(who, name, getattr(self, name, 1))
        if self.group_size != -1:
            whole_number(who, "group_size", self.group_size, or_else=" or -1")

    @property
    def mode(self) -> str:
        """Name of the algorithm."""
        return self._mode

    def dtype_policy_string(self) -> str:
        """The mode as dtype policies write it, such as 'gptq/4/128'."""
        return f"{self._mode}/{self.weight_bits}/{self.group_size}"

    def get_config(self) -> dict[str, Any]:
        """The settings, as plain data, without the calibration data."""
        config = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # of each kind
        # Data, tokenizer and structure are needed while quantizing only, and have no config.
        return config | dict.fromkeys(("dataset", "tokenizer", "quantization_layer_structure"))


@register("quantizers/GPTQConfig")
@dataclass(eq=False, repr=False)
class GPTQConfig(_AlgorithmConfig):
    """Settings of GPTQ, which rounds weights one column after the other on calibration data.

    nacre reads and writes the settings, so that configs survive, and does not run the algorithm:
    `quantize` refuses the mode.

    Args:
        dataset: Calibration texts or arrays.
        tokenizer: What makes arrays of texts.
        weight_bits: Bits of a weight: 2, 3, 4 or 8.
        num_samples, sequence_length: Size of the calibration data.
        per_channel: One scale for each output.
        hessian_damping: Added to the Hessian's diagonal, relative to its mean.
        group_size: Number of inputs that share a scale; -1 for all.
        symmetric: Whether ranges are centred on zero.
        activation_order: Whether inputs with large activations are rounded first.
        quantization_layer_structure: Which layers follow which.
    """

    _mode = "gptq"
    _bits = (2, 3, 4, 8)

    dataset: Any
    tokenizer: Any
    _: KW_ONLY
    weight_bits: int = 4
    num_samples: int = 128
    per_channel: bool = True
    sequence_length: int = 512
    hessian_damping: float = 0.01
    group_size: int = 128
    symmetric: bool = False
    activation_order: bool = False
    quantization_layer_structure: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        damping = self.hessian_damping
        if not isinstance(damping, int | float) or not 0 <= damping <= 1:
            raise ArgumentError(
                message("GPTQConfig", "hessian_damping must be in [0, 1]", repr(damping))
            )


@register("quantizers/AWQConfig")
@dataclass(eq=False, repr=False)
class AWQConfig(_AlgorithmConfig):
    """Settings of AWQ, which scales the inputs that matter before weights are rounded.

    nacre reads and writes the settings, so that configs survive, and does not run the algorithm:
    `quantize` refuses the mode.

    Args:
        dataset: Calibration texts or arrays.
        tokenizer: What makes arrays of texts.
        weight_bits: Bits of a weight: 4.
        num_samples, sequence_length: Size of the calibration data.
        group_size: Number of inputs that share a scale; -1 for all.
        num_grid_points: How many scales are tried.
        quantization_layer_structure: Which layers follow which.
    """

    _mode = "awq"
    _bits = (4,)

    dataset: Any
    tokenizer: Any
    _: KW_ONLY
    weight_bits: int = 4
    num_samples: int = 128
    sequence_length: int = 512
    group_size: int = 128
    num_grid_points: int = 20
    quantization_layer_structure: dict[str, Any] | None = None
