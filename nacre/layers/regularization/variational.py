"""The two pieces a variational autoencoder adds: a random code, and a penalty on where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from nacre.core.array_types import Array, Shaped
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.random import SeedGenerator, draw_key
from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer


class _GaussianPair(Layer):
    """A layer of two tensors, the means and the logarithms of the variances."""

    _build_only_checks = True

    def build(self, input_shape: Any) -> None:
        """Check that there are two tensors of one shape."""
        shapes = input_shape if isinstance(input_shape, list | tuple) else [input_shape]
        if len(shapes) != 2 or not all(isinstance(shape, list | tuple) for shape in shapes):
            raise ArgumentError(
                message(
                    self._who(),
                    "it must be called on two tensors, means and logarithms of variances",
                    f"input shape {input_shape}",
                    "Call layer([mean, log_variance]).",
                )
            )
        if tuple(shapes[0]) != tuple(shapes[1]):
            raise ShapeError(
                message(
                    self._who(),
                    "means and logarithms of variances must have one shape",
                    f"{tuple(shapes[0])} and {tuple(shapes[1])}",
                )
            )


@register("layers/Sampling", module="nacre")
class Sampling(_GaussianPair):
    """Draw from normal distributions in a way that lets gradients through.

    Args:
        seed: Int, for repeatable draws.
        is_random_in_inference: Whether it draws outside of training too; False gives the means
            there.
    Shapes:
        inputs  [mean, log_variance], both (batch, *axes)
        returns (batch, *axes)
    Formula:
        z = mean + exp(log_variance / 2) · ε, ε normal with mean 0 and variance 1
    Source:
        Kingma & Welling 2014, arXiv:1312.6114, section 2.4.
    Example:
        >>> import nacre
        >>> mean = nacre.ops.ones((1, 2))
        >>> nacre.layers.Sampling()([mean, mean * -1000.0]).tolist()
        [[1.0, 1.0]]
    """

    arguments_of_making = ("seed",)

    def __init__(
        self,
        seed: int | None = None,
        is_random_in_inference: bool = True,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.is_random_in_inference = is_random_in_inference
        self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(
        self, inputs: Sequence[Shaped[Array, "*shape"]], training: bool = False
    ) -> Shaped[Array, "*shape"]:
        """One draw for each mean and variance."""
        mean, log_variance = inputs
        if not training and not self.is_random_in_inference:
            return mean
        noise = jax.random.normal(draw_key(self.seed_generator), mean.shape, mean.dtype)
        return mean + jnp.exp(0.5 * log_variance) * noise

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the means."""
        return mask[0] if isinstance(mask, list | tuple) else None


@register("layers/KLDivergenceRegularization", module="nacre")
class KLDivergenceRegularization(_GaussianPair):
    """Add to the loss how far normal distributions are from the standard one; pass them on.

    Args:
        weight: Factor of the penalty: 1 for the variational bound, more for a β-VAE.
    Shapes:
        inputs  [mean, log_variance], both (batch, *axes)
        returns the same two
    Formula:
        weight · mean over the batch of Σ (mean² + variance - 1 - log variance) / 2
    Source:
        Kingma & Welling 2014, arXiv:1312.6114, appendix B; weight: Higgins et al. 2017, "beta-VAE".
    Example:
        >>> import nacre
        >>> layer = nacre.layers.KLDivergenceRegularization()
        >>> _ = layer([nacre.ops.ones((2, 4)), nacre.ops.zeros((2, 4))])
        >>> [float(loss) for loss in layer.losses]
        [2.0]
    """

    def __init__(self, weight: float = 1.0, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
            raise ArgumentError(
                message(self._who(), "weight must be a number of at least 0", repr(weight))
            )
        self.weight = weight
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """The inputs; steps a mask leaves out do not count in the penalty."""
        mean, log_variance = inputs
        each = jnp.square(mean) + jnp.exp(log_variance) - 1 - log_variance
        for one in mask or ():
            if one is not None:
                each = jnp.where(one.reshape((*one.shape, *(1,) * (each.ndim - one.ndim))), each, 0)
        self.add_loss(self.weight * jnp.sum(each) / (2 * mean.shape[0]))
        return [mean, log_variance]
