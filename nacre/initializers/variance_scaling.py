"""Initializers that keep the variance of signals from layer to layer: Glorot, He, LeCun."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.core.random import SeedGenerator
from nacre.core.registry import register
from nacre.initializers.initializer import numpy_dtype, sizes_of
from nacre.initializers.random import RandomInitializer, drawing_dtype, truncated_normal

# Standard deviation of a standard normal cut at two deviations: sqrt(1 - 4φ(2)/(2Φ(2) - 1)).
_CUT_NORMAL_STDDEV = 0.87962566103423978
_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")

Axes = int | Sequence[int] | None


def _product(shape: Sequence[int], axes: int | Sequence[int]) -> float:
    chosen = (axes,) if isinstance(axes, int) else axes
    return float(math.prod(shape[axis] for axis in chosen))


def compute_fans(
    shape: Sequence[int], input_axes: Axes = None, output_axes: Axes = None
) -> tuple[float, float]:
    """How many inputs feed one output, and how many outputs one input feeds.

    Args:
        shape: Shape of a kernel; spatial axes first, then inputs, then outputs, as Keras keeps it.
        input_axes: Axes of inputs. As in Keras it counts only together with `output_axes`, and
            then no other axis is looked at.
        output_axes: Axes of outputs, together with `input_axes`.

    Example:
        >>> compute_fans((3, 3, 16, 32)), compute_fans((16, 4, 8), (0,), (1, 2))
        ((144.0, 288.0), (16.0, 32.0))
    """
    shape = sizes_of(shape)
    if input_axes is not None and output_axes is not None:
        return _product(shape, input_axes), _product(shape, output_axes)
    if len(shape) < 2:
        only = float(shape[0]) if shape else 1.0
        return only, only
    field = math.prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


@register("initializers/VarianceScaling")
class VarianceScaling(RandomInitializer):
    """Draw so that the variance is `scale / n`, n being a count of inputs or outputs.

    Args:
        scale: Factor, positive.
        mode: n is 'fan_in' (inputs), 'fan_out' (outputs) or 'fan_avg' (their mean).
        distribution: 'truncated_normal', 'untruncated_normal' or 'uniform'. tf.keras 2's 'normal'
            is 'truncated_normal'.
        seed: int, `SeedGenerator` or None (fresh numbers).
        input_axes: Axes of the kernel that are inputs, see `compute_fans`.
        output_axes: Axes of the kernel that are outputs, see `compute_fans`.

    Raises:
        ArgumentError: `scale` is not positive, `mode` or `distribution` is unknown.
    Example:
        >>> VarianceScaling(seed=0)((2, 3)).shape
        (2, 3)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | SeedGenerator | None = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
    ) -> None:
        who = type(self).__name__
        if scale <= 0:
            raise ArgumentError(message(who, "scale must be positive", repr(scale)))
        if mode not in _MODES:
            raise ArgumentError(message(who, f"mode must be one of {_MODES}", repr(mode)))
        distribution = distribution.lower()
        if distribution == "normal":
            distribution = "truncated_normal"
        if distribution not in _DISTRIBUTIONS:
            raise ArgumentError(
                message(who, f"distribution must be one of {_DISTRIBUTIONS}", repr(distribution))
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes
        super().__init__(seed)

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Random numbers of `shape`."""
        shape = sizes_of(shape)
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = math.sqrt(self.scale / max(1.0, fan))
        generator, draw = self.generator(), drawing_dtype(dtype)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0) * stddev
            numbers = generator.random(shape, dtype=draw)
            numbers *= 2.0 * limit  # in place, as these may be many
            numbers -= limit
        elif self.distribution == "untruncated_normal":
            numbers = generator.standard_normal(shape, dtype=draw)
            numbers *= stddev
        else:
            # Cutting makes the deviation smaller; the quotient makes up for it.
            numbers = truncated_normal(generator, shape, draw)
            numbers *= stddev / _CUT_NORMAL_STDDEV
        return np.asarray(numbers).astype(numpy_dtype(dtype), copy=False)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _Preset(VarianceScaling):
    """A `VarianceScaling` whose scale, mode and distribution are fixed."""

    _preset: tuple[float, str, str]

    def __init__(
        self,
        seed: int | SeedGenerator | None = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
    ) -> None:
        super().__init__(*self._preset, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = super().get_config()
        return {key: config[key] for key in ("seed", "input_axes", "output_axes")}


@register("initializers/GlorotUniform")
class GlorotUniform(_Preset):
    """Uniform with limit sqrt(6 / (inputs + outputs)). The default of most layers.

    Args:
        seed: int, `SeedGenerator` or None (fresh numbers).
        input_axes: Axes of the kernel that are inputs, see `compute_fans`.
        output_axes: Axes of the kernel that are outputs, see `compute_fans`.

    Source:
        Glorot & Bengio 2010, AISTATS, section 4.2.1.
    Example:
        >>> GlorotUniform(seed=0)((2, 3)).dtype
        dtype('float32')
    """

    _preset = (1.0, "fan_avg", "uniform")


@register("initializers/GlorotNormal")
class GlorotNormal(_Preset):
    """Truncated normal with deviation sqrt(2 / (inputs + outputs)).

    Args:
        seed: int, `SeedGenerator` or None (fresh numbers).
        input_axes: Axes of the kernel that are inputs, see `compute_fans`.
        output_axes: Axes of the kernel that are outputs, see `compute_fans`.

    Source:
        Glorot & Bengio 2010, AISTATS. Differs: the normal is cut at two deviations, as in Keras.
    """

    _preset = (1.0, "fan_avg", "truncated_normal")


@register("initializers/HeUniform")
class HeUniform(_Preset):
    """Uniform with limit sqrt(6 / inputs). For layers followed by a ReLU.

    Args:
        seed: int, `SeedGenerator` or None (fresh numbers).
        input_axes: Axes of the kernel that are inputs, see `compute_fans`.
        output_axes: Axes of the kernel that are outputs, see `compute_fans`.

    Source:
        He et al. 2015, arXiv:1502.01852, section 2.2.
    """

    _preset = (2.0, "fan_in", "uniform")


@register("initializers/HeNormal")
class HeNormal(_Preset):
    """Truncated normal with deviation sqrt(2 / inputs). For layers followed by a ReLU.

    Args:
        seed: int, `SeedGenerator` or None (fresh numbers).
        input_axes: Axes of the kernel that are inputs, see `compute_fans`.
        output_axes: Axes of the kernel that are outputs, see `compute_fans`.

    Source:
        He et al. 2015, arXiv:1502.01852. Differs: the normal is cut at two deviations, as in Keras.
    """

    _preset = (2.0, "fan_in", "truncated_normal")


@register("initializers/LecunUniform")
class LecunUniform(_Preset):
    """Uniform with limit sqrt(3 / inputs).

    Args:
        seed: int, `SeedGenerator` or None (fresh numbers).
        input_axes: Axes of the kernel that are inputs, see `compute_fans`.
        output_axes: Axes of the kernel that are outputs, see `compute_fans`.

    Source:
        LeCun et al. 1998, Efficient BackProp, section 4.6.
    """

    _preset = (1.0, "fan_in", "uniform")


@register("initializers/LecunNormal")
class LecunNormal(_Preset):
    """Truncated normal with deviation sqrt(1 / inputs). For layers followed by a SELU.

    Args:
        seed: int, `SeedGenerator` or None (fresh numbers).
        input_axes: Axes of the kernel that are inputs, see `compute_fans`.
        output_axes: Axes of the kernel that are outputs, see `compute_fans`.

    Source:
        LeCun et al. 1998, Efficient BackProp; Klambauer et al. 2017, arXiv:1706.02515.
    """

    _preset = (1.0, "fan_in", "truncated_normal")
