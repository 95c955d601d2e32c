"""Layers that add or multiply noise in training, and penalties on activity."""

from __future__ import annotations

import math
import numbers
from typing import Any, Unpack

import jax

from nacre import regularizers
from nacre.core.array_types import Array, Shaped
from nacre.core.errors import ArgumentError, message
from nacre.core.random import SeedGenerator, draw_key
from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords, WithoutRegularizer
from nacre.layers.base.layer import Layer
from nacre.layers.regularization.dropout import checked_rate
from nacre.ops._arrays import floating


@register("layers/GaussianNoise")
class GaussianNoise(Layer):
    """Add normal noise in training.

    Args:
        stddev: Standard deviation of the noise.
        seed: Int, for repeatable noise.
    Example:
        >>> import nacre
        >>> nacre.layers.GaussianNoise(0.1)(nacre.ops.ones((1, 2))).tolist()
        [[1.0, 1.0]]
    """

    arguments_of_making = ("seed",)

    def __init__(
        self, stddev: float, seed: int | None = None, **kwargs: Unpack[LayerKeywords]
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(stddev, bool) or not isinstance(stddev, numbers.Real) or not 0 <= stddev:
            raise ArgumentError(
                message(self._who(), "stddev must be a number of at least 0", repr(stddev))
            )
        self.stddev = stddev
        self.seed = seed
        self.seed_generator = SeedGenerator(seed) if stddev > 0 else None
        self.supports_masking = True

    def call(
        self, inputs: Shaped[Array, "*shape"], training: bool = False
    ) -> Shaped[Array, "*shape"]:
        """The inputs, with noise in training."""
        if not training or self.stddev == 0:
            return inputs
        inputs = floating(inputs)
        noise = jax.random.normal(draw_key(self.seed_generator), inputs.shape, inputs.dtype)
        return inputs + noise * self.stddev


@register("layers/GaussianDropout")
class GaussianDropout(Layer):
    """Multiply by normal noise around 1 in training.

    Args:
        rate: As in `Dropout`; the noise has the same variance as its mask.
        seed: Int, for repeatable noise.
    Formula:
        y = x · n, n normal with mean 1 and standard deviation sqrt(rate / (1 - rate))
    Example:
        >>> import nacre
        >>> nacre.layers.GaussianDropout(0.5)(nacre.ops.ones((1, 2))).tolist()
        [[1.0, 1.0]]
    """

    arguments_of_making = ("seed",)

    def __init__(
        self, rate: float, seed: int | None = None, **kwargs: Unpack[LayerKeywords]
    ) -> None:
        super().__init__(**kwargs)
        self.rate = checked_rate(self, rate)
        if rate == 1:
            raise ArgumentError(
                message(self._who(), "rate must be below 1, where the noise is infinite", "1")
            )
        self.seed = seed
        self.seed_generator = SeedGenerator(seed) if rate > 0 else None
        self.supports_masking = True

    def call(
        self, inputs: Shaped[Array, "*shape"], training: bool = False
    ) -> Shaped[Array, "*shape"]:
        """The inputs, times noise in training."""
        if not training or self.rate == 0:
            return inputs
        deviation = math.sqrt(self.rate / (1.0 - self.rate))
        inputs = floating(inputs)
        noise = jax.random.normal(draw_key(self.seed_generator), inputs.shape, inputs.dtype)
        return inputs * (1.0 + noise * deviation)


@register("layers/ActivityRegularization")
class ActivityRegularization(Layer):
    """Add a penalty on the inputs to the loss; the inputs pass unchanged.

    Args:
        l1: Factor of the sum of absolute values.
        l2: Factor of the sum of squares.
    Example:
        >>> import nacre
        >>> layer = nacre.layers.ActivityRegularization(l2=0.5)
        >>> _ = layer(nacre.ops.ones((1, 4)))
        >>> [float(loss) for loss in layer.losses]
        [2.0]
    """

    def __init__(
        self, l1: float = 0.0, l2: float = 0.0, **kwargs: Unpack[WithoutRegularizer]
    ) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self._l1, self._l2 = l1, l2
        self.supports_masking = True

    @property
    def l1(self) -> float:
        """Factor of the sum of absolute values."""
        return self._l1

    @l1.setter
    def l1(self, l1: float) -> None:
        self.activity_regularizer, self._l1 = regularizers.L1L2(l1=l1, l2=self._l2), l1

    @property
    def l2(self) -> float:
        """Factor of the sum of squares."""
        return self._l2

    @l2.setter
    def l2(self, l2: float) -> None:
        self.activity_regularizer, self._l2 = regularizers.L1L2(l1=self._l1, l2=l2), l2

    def call(self, inputs: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        """The inputs."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = super().get_config()
        return {k: v for k, v in config.items() if k != "activity_regularizer"}
