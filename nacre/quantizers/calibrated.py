"""Settings of GPTQ and AWQ, as Keras's files hold them: read, checked and written, never run."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields
from typing import Any

from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.quantizers.settings import QuantizationConfig


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
