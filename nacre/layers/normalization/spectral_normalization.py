"""A wrapper that keeps the largest singular value of a kernel at 1."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp
from jax import lax

from nacre.core import safety
from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.wrappers.wrapper import Wrapper


@register("layers/SpectralNormalization")
class SpectralNormalization(Wrapper):
    """Divide the wrapped layer's kernel by its largest singular value at each training step.

    Choose it to keep a discriminator's slope bounded.

    Args:
        layer: A layer with a kernel (Dense, convolutions) or embeddings.
        power_iterations: Steps of the power iteration a training step makes.
    Formula:
        v = u Wᵀ / |u Wᵀ|; u = v W / |v W|, repeated; σ = v W uᵀ; W becomes W / σ
    Source:
        Miyato et al. 2018, arXiv:1802.05957.
    Example:
        >>> import nacre
        >>> layer = nacre.layers.SpectralNormalization(nacre.layers.Dense(3))
        >>> layer(nacre.ops.ones((2, 4)), training=True).shape
        (2, 3)
    """

    def __init__(
        self, layer: Any, power_iterations: int = 1, **kwargs: Unpack[LayerKeywords]
    ) -> None:
        super().__init__(layer, **kwargs)
        self.power_iterations = whole_number(self._who(), "power_iterations", power_iterations)

    def build(self, input_shape: Any) -> None:
        """Build the wrapped layer and make the vector of the power iteration."""
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        kernel = getattr(self.layer, "kernel", None)
        kernel = getattr(self.layer, "embeddings", None) if kernel is None else kernel
        if kernel is None:
            raise ArgumentError(
                message(
                    self._who(),
                    "the wrapped layer must have a kernel or embeddings",
                    f"a {type(self.layer).__name__}",
                )
            )
        self.kernel = kernel
        self.vector_u = self.add_weight(
            name="vector_u",
            shape=(1, kernel.shape[-1]),
            initializer="truncated_normal",
            trainable=False,
            dtype=kernel.dtype,
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """What the wrapped layer gives, with its kernel normalized in training."""
        if training:
            self._normalize()
        return self.layer(inputs).astype(self.compute_dtype)

    def _normalize(self) -> None:
        kernel = self.kernel.raw_value
        matrix = kernel.reshape((-1, kernel.shape[-1]))  # (inputs, outputs)
        fixed = lax.stop_gradient(matrix)
        u = self.vector_u.raw_value
        safety.reserve_steps(self.power_iterations, self._who())
        for _ in range(self.power_iterations):
            v = _unit(u @ fixed.T)  # (1, inputs)
            u = _unit(v @ fixed)  # (1, outputs)
        sigma = (v @ matrix @ u.T)[0, 0]
        # A kernel of zeros has no direction; it stays as it is.
        is_zero = jnp.all(fixed == 0)
        self.vector_u.assign(jnp.where(is_zero, self.vector_u.raw_value, u))
        self.kernel.assign(kernel / jnp.where(is_zero, jnp.ones_like(sigma), sigma))


def _unit(vector: Any) -> Any:
    return vector * lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(vector)), 1e-12))
