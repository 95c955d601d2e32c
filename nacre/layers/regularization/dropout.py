"""Layers that switch off random parts of their input in training."""

from __future__ import annotations

import numbers
from typing import Any, Unpack

import jax.numpy as jnp

from nacre.core.array_types import Array, Shaped
from nacre.core.config import standardize_data_format
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.random import SeedGenerator, draw_key
from nacre.core.registry import register
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import LayerKeywords, WithoutNameAndDtype
from nacre.layers.base.layer import Layer
from nacre.layers.regularization.random_bits import keep_mask
from nacre.ops._arrays import floating


def checked_rate(layer: Layer, rate: Any, name: str = "rate") -> Any:
    """`rate`, the argument `name`, when it is a number from 0 to 1.

    Raises:
        ArgumentError: It is not.
    """
    if isinstance(rate, bool) or not isinstance(rate, numbers.Real) or not 0 <= rate <= 1:
        raise ArgumentError(
            message(
                f"{type(layer).__name__} '{layer.name}'",
                f"{name} must be a number from 0 to 1, the share that is switched off",
                repr(rate),
                f"Pass {name}=0.5 to switch off one half."
                if not isinstance(rate, Variable)
                else f"Pass a number, and to change it later set the attribute: "
                f"layer.{name} = 0.5.",
            )
        )
    return rate


def drop(inputs: Any, rate: float, key: Any, noise_shape: Any = None) -> Any:
    """`inputs` with a random share `rate` set to 0 and the rest scaled by 1 / (1 - rate)."""
    if rate >= 1:
        return jnp.zeros_like(inputs)
    mask = keep_mask(key, 1.0 - rate, filled_shape(noise_shape, inputs.shape))
    scaled = inputs * jnp.asarray(1.0 / (1.0 - rate), inputs.dtype)
    return jnp.where(mask, scaled, jnp.zeros((), inputs.dtype))


def filled_shape(noise_shape: Any, shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """A noise shape with the input's sizes where it has None.

    Raises:
        ShapeError: It does not fit the input.
    """
    if noise_shape is None:
        return tuple(shape)
    pairs = list(zip(noise_shape, shape, strict=False))
    misfits = [m for m, n in pairs if m not in (None, 1) and isinstance(n, int) and m != n]
    if len(noise_shape) != len(shape) or misfits:
        raise ShapeError(
            message(
                "Dropout",
                "noise_shape must have a 1, a None or the input's size for each axis of the input",
                f"noise_shape={tuple(noise_shape)} for an input of shape {tuple(shape)}",
            )
        )
    return tuple(n if m is None else m for m, n in pairs)


@register("layers/Dropout")
class Dropout(Layer):
    """Set a random share of the inputs to 0 in training; scale up the rest.

    Args:
        rate: The share that is set to 0.
        noise_shape: Shape of the mask; 1 where one decision holds for a whole axis, None where the
            size is the input's.
        seed: Int, for repeatable masks.
    Formula:
        y = x · m / (1 - rate), m = 1 with probability 1 - rate, else 0; in inference y = x
    Precision:
        The probability is exact to 2⁻³².
    Source:
        Srivastava et al. 2014, JMLR 15. Differs from Keras in the random bits only.
    Example:
        >>> import nacre
        >>> nacre.layers.Dropout(0.5)(nacre.ops.ones((1, 3))).tolist()
        [[1.0, 1.0, 1.0]]
    """

    is_stepwise = True

    arguments_of_making = ("seed",)

    def __init__(
        self,
        rate: float,
        noise_shape: Any = None,
        seed: int | None = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.rate = checked_rate(self, rate)
        self.seed = seed
        self.noise_shape = self._checked_noise_shape(noise_shape)
        # Without one, where the rate is raised later, masks are drawn from the global generator.
        self.seed_generator = SeedGenerator(seed) if rate > 0 else None
        self.supports_masking = True

    def _checked_noise_shape(self, noise_shape: Any) -> tuple[int | None, ...] | None:
        if noise_shape is None:
            return None
        good = isinstance(noise_shape, list | tuple) and all(
            n is None or (isinstance(n, int) and n > 0) for n in noise_shape
        )
        if not good:
            raise ArgumentError(
                message(
                    self._who(),
                    "noise_shape must be a tuple of positive ints and None",
                    repr(noise_shape),
                )
            )
        return tuple(noise_shape)

    def call(
        self, inputs: Shaped[Array, "*shape"], training: bool = False
    ) -> Shaped[Array, "*shape"]:
        """The inputs, some of them 0 in training."""
        if not training or self.rate == 0:
            return inputs
        inputs, key = floating(inputs), draw_key(self.seed_generator)
        return drop(inputs, self.rate, key, self._mask_shape(inputs))

    def _mask_shape(self, inputs: Any) -> Any:
        return self.noise_shape

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Any:
        """The symbolic output: of the input's shape."""
        if self.noise_shape is None or not kwargs.get("training"):
            return super().compute_output_spec(inputs, **kwargs)
        # A noise shape may fix the batch size, which tracing does not know.
        return KerasTensor(inputs.shape, self.compute_dtype)


class _SpatialDropout(Dropout):
    """Dropout of whole channels."""

    _rank = 0
    data_format = "channels_last"

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        if "noise_shape" in kwargs:
            raise ArgumentError(
                message(
                    type(self).__name__,
                    "it takes no noise_shape: one decision holds for a whole channel",
                    f"noise_shape={kwargs['noise_shape']!r}",
                    "Use Dropout for another shape.",
                )
            )
        super().__init__(rate, seed=seed, **kwargs)
        self.input_spec = InputSpec(ndim=self._rank + 2)

    def _mask_shape(self, inputs: Any) -> Any:
        ones = (1,) * self._rank
        return (None, None, *ones) if self.data_format == "channels_first" else (None, *ones, None)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = {**super().get_config(), "dtype": self.dtype}
        return {k: v for k, v in config.items() if k not in ("noise_shape", "trainable")}


@register("layers/SpatialDropout1D")
class SpatialDropout1D(_SpatialDropout):
    """Switch off whole channels of sequences in training.

    Args:
        rate: The share of channels that is switched off.
        seed: Int, for repeatable masks.
    Shapes:
        inputs (batch, steps, channels)
    Source:
        Tompson et al. 2014, arXiv:1411.4280.
    Example:
        >>> import nacre
        >>> nacre.layers.SpatialDropout1D(0.5)(nacre.ops.ones((1, 3, 2))).shape
        (1, 3, 2)
    """

    _rank = 1

    def __init__(
        self,
        rate: float,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Unpack[WithoutNameAndDtype],
    ) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)


@register("layers/SpatialDropout2D")
class SpatialDropout2D(_SpatialDropout):
    """Switch off whole channels of images in training.

    Args:
        rate: The share of channels that is switched off.
        data_format: 'channels_last' or 'channels_first'.
        seed: Int, for repeatable masks.
    Source:
        Tompson et al. 2014, arXiv:1411.4280.
    Example:
        >>> import nacre
        >>> nacre.layers.SpatialDropout2D(0.5)(nacre.ops.ones((1, 3, 3, 2))).shape
        (1, 3, 3, 2)
    """

    _rank = 2

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Unpack[WithoutNameAndDtype],
    ) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.data_format = standardize_data_format(data_format)


@register("layers/SpatialDropout3D")
class SpatialDropout3D(_SpatialDropout):
    """Switch off whole channels of volumes in training.

    Args:
        rate: The share of channels that is switched off.
        data_format: 'channels_last' or 'channels_first'.
        seed: Int, for repeatable masks.
    Source:
        Tompson et al. 2014, arXiv:1411.4280.
    Example:
        >>> import nacre
        >>> nacre.layers.SpatialDropout3D(0.5)(nacre.ops.ones((1, 2, 2, 2, 2))).shape
        (1, 2, 2, 2, 2)
    """

    _rank = 3

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Unpack[WithoutNameAndDtype],
    ) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.data_format = standardize_data_format(data_format)


@register("layers/AlphaDropout")
class AlphaDropout(Dropout):
    """Dropout that keeps mean and variance of inputs made by `selu`.

    Args:
        rate: The share that is switched off.
        noise_shape: Shape of the mask, as in `Dropout`.
        seed: Int, for repeatable masks.
    Formula:
        with p = -α·λ of selu: y = a · (x where kept, p elsewhere) + b,
        a = ((1 - rate)(1 + rate · p²))^-1/2, b = -a · p · rate
    Source:
        Klambauer et al. 2017, arXiv:1706.02515.
    Example:
        >>> import nacre
        >>> nacre.layers.AlphaDropout(0.5)(nacre.ops.ones((1, 2))).tolist()
        [[1.0, 1.0]]
    """

    def call(
        self, inputs: Shaped[Array, "*shape"], training: bool = False
    ) -> Shaped[Array, "*shape"]:
        """The inputs, some of them at selu's lowest value in training."""
        if not training or self.rate == 0:
            return inputs
        low = -1.6732632423543772 * 1.0507009873554805  # -alpha · scale of selu
        rate = self.rate
        inputs, key = floating(inputs), draw_key(self.seed_generator)
        kept = keep_mask(key, 1.0 - rate, filled_shape(self.noise_shape, inputs.shape))
        # At rate 1 nothing is kept and the variance is 0: there is no scale to restore.
        variance = (1.0 - rate) * (1.0 + rate * low**2)
        a = variance**-0.5 if variance > 0 else 0.0
        b = -a * low * rate
        x = jnp.where(kept, inputs, jnp.asarray(low, inputs.dtype))
        return (x * a + b).astype(inputs.dtype)
