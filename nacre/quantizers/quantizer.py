"""Quantizers as objects: a function with its settings, which configs can name."""

from __future__ import annotations

from typing import Any, Self

from nacre.core.registry import register
from nacre.core.safety import reads_config
from nacre.quantizers.rounding import abs_max_quantize


@register("quantizers/Quantizer")
class Quantizer:
    """What turns floats into whole numbers and a scale. Subclass it and write `__call__`.

    Args:
        output_dtype: Dtype of the whole numbers.
    """

    _config_role = "quantizer"

    def __init__(self, output_dtype: str = "int8") -> None:
        self.output_dtype = output_dtype

    def __call__(self, x: Any) -> Any:
        """`x` as it is; subclasses return (whole numbers, scale)."""
        return x

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"output_dtype": self.output_dtype}

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the quantizer a config describes."""
        return cls(**config)


@register("quantizers/AbsMaxQuantizer")
class AbsMaxQuantizer(Quantizer):
    """`abs_max_quantize` with its settings.

    Args:
        axis: Axis or axes that share a scale; None leaves the choice to the layer (all axes when
            it is called without one).
        value_range: Lowest and highest whole number.
        epsilon: Added to the largest |x|.
        output_dtype: Dtype of the whole numbers.

    Example:
        >>> import nacre
        >>> q, scale = AbsMaxQuantizer(axis=-1)(nacre.ops.array([[1.0, -4.0]]))
        >>> q.tolist()
        [[32, -127]]
    """

    def __init__(
        self,
        axis: Any = None,
        value_range: tuple[int, int] = (-127, 127),
        epsilon: float = 1e-7,
        output_dtype: str = "int8",
    ) -> None:
        super().__init__(output_dtype)
        self.axis = (axis,) if isinstance(axis, int) else axis and tuple(axis)
        self.value_range = tuple(value_range)
        self.epsilon = epsilon

    def __call__(self, x: Any, axis: Any = None, to_numpy: bool = False) -> tuple[Any, Any]:
        """Whole numbers and scale of `x`.

        Args:
            x: Floats.
            axis: Axis or axes that share a scale, instead of the quantizer's own.
            to_numpy: Compute on the host.
        """
        return abs_max_quantize(
            x,
            self.axis if axis is None else axis,
            self.value_range,  # type: ignore[arg-type]
            self.output_dtype,
            self.epsilon,
            to_numpy,
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config: dict[str, Any] = {
            "value_range": self.value_range,
            "epsilon": self.epsilon,
            "output_dtype": self.output_dtype,
        }
        return config if self.axis is None else {**config, "axis": self.axis}
