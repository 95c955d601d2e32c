"""Normalization by the statistics of the batch."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from nacre import initializers, ops
from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.normalization.affine import AffineNormalization
from nacre.layers.normalization.statistics import at_least_float32, moments, normalize_batch


@register("layers/BatchNormalization")
class BatchNormalization(AffineNormalization):
    """Give each channel mean 0 and variance 1 over the batch, then scale and shift it.

    In training the batch's own statistics are used and moving averages of them are kept; in
    inference, and when the layer is frozen (`trainable=False`), the moving averages are used.
    Choose `LayerNormalization` or `GroupNormalization` for small batches and for sequences.

    Args:
        axis: The channels axis.
        momentum: Share of the old moving average that stays at each step.
        epsilon: Added to the variance, inside the root.
        center: Whether to add beta.
        scale: Whether to multiply by gamma.
        beta_initializer, gamma_initializer: First values.
        moving_mean_initializer, moving_variance_initializer: First values of the averages.
        beta_regularizer, gamma_regularizer: Penalties.
        beta_constraint, gamma_constraint: Applied after each update.
        renorm, renorm_clipping, renorm_momentum: Batch renormalization; accepted as False only.
        synchronized: Accepted. A batch spread over devices is one batch here, so its statistics
            are always those of the whole.
    Shapes:
        inputs any with channels on `axis`; gamma, beta, moving_mean, moving_variance (channels,)
    Formula:
        y = gamma · (x - mean) / sqrt(variance + epsilon) + beta
        moving = momentum · moving + (1 - momentum) · batch  (variance without Bessel's correction)
    Precision:
        Statistics are taken in float32 for 16-bit inputs; the result is cast back. Masked
        positions do not count.
    Source:
        Ioffe & Szegedy 2015, arXiv:1502.03167.
    Example:
        >>> import nacre
        >>> nacre.layers.BatchNormalization()(nacre.ops.ones((4, 3)), training=True).shape
        (4, 3)
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("fused", None)
        super().__init__(
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        # Keras files of version 2 hold the axis as a list with one entry.
        self.axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
        self.momentum = momentum
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm = renorm
        self.renorm_clipping = renorm_clipping
        self.renorm_momentum = renorm_momentum
        self.synchronized = synchronized
        if renorm:
            raise ArgumentError(
                message(
                    self._who(),
                    "renorm must be False, as batch renormalization is not available",
                    "renorm=True",
                    "Use LayerNormalization or GroupNormalization for small batches.",
                )
            )
        if not isinstance(self.axis, int):
            raise ArgumentError(message(self._who(), "axis must be an int", repr(axis)))

    def build(self, input_shape: Any) -> None:
        """Make gamma, beta and the moving averages."""
        axis = self._checked_axis(self.axis, input_shape)
        channels = self._known(axis, input_shape)
        self._add_affine((channels,), self.scale, self.center)
        self.moving_mean = self.add_weight(
            name="moving_mean",
            shape=(channels,),
            initializer=self.moving_mean_initializer,
            trainable=False,
            autocast=False,
        )
        self.moving_variance = self.add_weight(
            name="moving_variance",
            shape=(channels,),
            initializer=self.moving_variance_initializer,
            trainable=False,
            autocast=False,
        )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})
        self._axis = axis

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The normalized inputs."""
        x = at_least_float32(inputs)
        if not (training and self.trainable):
            outputs = ops.batch_normalization(
                x,
                self.moving_mean,
                self.moving_variance,
                axis=self._axis,
                offset=self.beta,
                scale=self.gamma,
                epsilon=self.epsilon,
            )
            return outputs.astype(self.compute_dtype)
        axes = tuple(a for a in range(len(x.shape)) if a != self._axis)
        if mask is None:
            mean, variance = moments(lax.stop_gradient(x), axes)
            outputs = normalize_batch(
                x, mean, variance, self._wide(self.gamma, 1.0), self._wide(self.beta, 0.0), axes,
                self.epsilon,
            )  # fmt: skip
        else:
            weights = jnp.asarray(mask).reshape((*mask.shape, *(1,) * (len(x.shape) - mask.ndim)))
            mean, variance = moments(x, axes, weights)
            scale = lax.rsqrt(variance + self.epsilon) * self._wide(self.gamma, 1.0)
            outputs = (x - mean) * scale + self._wide(self.beta, 0.0)
        self._update(self.moving_mean, mean)
        self._update(self.moving_variance, variance)
        return outputs.astype(self.compute_dtype)

    def _wide(self, variable: Any, otherwise: float) -> Any:
        """gamma or beta with size 1 on all axes but the channels."""
        if variable is None:
            return jnp.full(self._wide_shape(self.moving_mean.shape[0]), otherwise, "float32")
        return variable.value.reshape(self._wide_shape(variable.shape[0]))

    def _wide_shape(self, channels: int) -> tuple[int, ...]:
        return tuple(channels if a == self._axis else 1 for a in range(self.input_spec.ndim))

    def _update(self, moving: Any, batch: Any) -> None:
        new = lax.stop_gradient(batch).reshape(moving.shape).astype(moving.dtype)
        moving.assign(moving.value * self.momentum + new * (1.0 - self.momentum))
