"""Normalization by the statistics of the batch."""

from __future__ import annotations

import math
from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre import initializers, ops
from nacre.core.array_types import Array, Float, Num
from nacre.core.axes import axis_number, counted_axis
from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.core.scope import absent_positions
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.masking import without_absent
from nacre.layers.core.step_masks import fitting_mask
from nacre.layers.normalization.affine import (
    AffineNormalization,
    checked_number,
    known_size,
)
from nacre.layers.normalization.statistics import (
    at_least_float32,
    moments,
    normalize_batch,
    normalize_counted,
    origin,
)


class BatchNormalizationKeywords(LayerKeywords, total=False):
    """With a choice of tf.keras 2 that changes no numbers."""

    fused: Any


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
        renorm: Whether to renormalize: in training too, results are near those of inference, which
            helps where batches are small.
        renorm_clipping: Dict of the limits 'rmax', 'rmin' and 'dmax' of the corrections.
        renorm_momentum: As `momentum`, for the averages the corrections are made with.
        synchronized: Accepted. A batch spread over devices is one batch here, so its statistics
            are always those of the whole.
    Shapes:
        inputs any with channels on `axis`; gamma, beta, moving_mean, moving_variance (channels,)
    Formula:
        y = gamma · (x - mean) / sqrt(variance + epsilon) + beta
        moving = momentum · moving + (1 - momentum) · batch  (variance without Bessel's correction)
        renorm: y = gamma · (r · (x - mean) / s + d) + beta, s = sqrt(variance + epsilon),
        r = clip(s / t, rmin, rmax), d = clip((mean - renorm_mean) / t, -dmax, dmax), both constants
        to the gradient, t = max(renorm_stddev, sqrt(epsilon));
        moving_variance = max(moving_stddev² - epsilon, 0)
    Precision:
        Statistics are taken in float32 for 16-bit inputs; the result is cast back. In training
        numbers far from 0, as around 1e6, are normalized as exactly as they are given. In inference
        they are not: the moving mean is rounded.
    Absent:
        Masked positions and, in training, samples of weight 0 are left out of the statistics (Keras
        leaves out masked ones alone). So are steps of weight 0, where `sample_weight` is
        (batch, time) and these are the first axes of the layer's inputs and of one input of the
        model. Elsewhere, as behind a stride, with two sequences of one length, or for weights of
        pixels, samples all of whose weights are 0 are left out alone. An absent step still reaches
        others through layers that read several steps, such as `Conv1D`: only a mask prevents that.
    Source:
        Ioffe & Szegedy 2015, arXiv:1502.03167; renorm: Ioffe 2017, arXiv:1702.03275, with the
        weights of Keras 3.15.
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
        **kwargs: Unpack[BatchNormalizationKeywords],
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
        axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
        self.axis = axis_number(self._who(), axis)
        self.momentum = checked_number(self, "momentum", momentum)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm = renorm
        self.renorm_clipping = self._checked_limits(renorm_clipping) if renorm else renorm_clipping
        self.renorm_momentum = checked_number(self, "renorm_momentum", renorm_momentum)
        self.synchronized = synchronized

    def _checked_limits(self, limits: Any) -> dict[str, Any]:
        limits = {} if limits is None else limits
        if not isinstance(limits, dict) or set(limits) - {"rmax", "rmin", "dmax"}:
            raise ArgumentError(
                message(
                    self._who(),
                    "renorm_clipping must be a dict with keys among rmax, rmin and dmax",
                    repr(limits),
                )
            )
        lowest, highest = limits.get("rmin"), limits.get("rmax")
        if lowest is not None and highest is not None and lowest > highest:
            raise ArgumentError(
                message(self._who(), "rmin of renorm_clipping must not be above rmax", repr(limits))
            )
        return dict(limits)

    def build(self, input_shape: Any) -> None:
        """Make gamma, beta and the moving averages."""
        axis = counted_axis(self._who(), self.axis, len(input_shape))
        channels = known_size(self, axis, input_shape)
        self._add_affine((channels,), self.scale, self.center)
        self.moving_mean = self._average("moving_mean", channels, self.moving_mean_initializer)
        self.moving_variance = self._average(
            "moving_variance", channels, self.moving_variance_initializer
        )
        if self.renorm:
            variance = self.moving_variance.numpy()
            root = lambda shape, dtype: np.sqrt(variance)
            self.moving_stddev = self._average("moving_stddev", channels, root)
            self.renorm_mean = self._average("renorm_mean", channels, self.moving_mean_initializer)
            self.renorm_stddev = self._average("renorm_stddev", channels, root)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})
        self._axis = axis

    def _average(self, name: str, channels: int, initializer: Any) -> Any:
        return self.add_weight(
            name=name,
            shape=(channels,),
            initializer=initializer,
            trainable=False,
            autocast=False,
        )

    def call(
        self, inputs: Num[Array, "*shape"], training: bool | None = None, mask: Any = None
    ) -> Float[Array, "*shape"]:
        """The normalized inputs."""
        x = without_absent(at_least_float32(inputs), mask)
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
        gamma, beta = self._wide(self.gamma, 1.0), self._wide(self.beta, 0.0)
        mask = self._counting(x, mask)
        weights: Any = None
        counted: Any = None  # whether anything was there to be counted
        if mask is not None:
            weights = mask.reshape((*mask.shape, *(1,) * (x.ndim - mask.ndim))).astype(x.dtype)
            counted = jnp.any(mask)
        start = origin(x, axes, weights)
        x = x - start
        from_start, variance = moments(x, axes, weights)
        mean = start + from_start
        gamma, beta = self._renormalized(mean, variance, gamma, beta)
        statistics = from_start, variance, gamma, beta
        if mask is None:
            outputs = normalize_batch(x, *statistics, axes, self.epsilon)
        else:
            outputs = normalize_counted(x, *statistics, weights, axes, self.epsilon)
        self._update(self.moving_mean, mean, counted)
        if self.renorm:
            self._update_renorm(mean, variance, counted)
        else:
            self._update(self.moving_variance, variance, counted)
        return outputs.astype(self.compute_dtype)

    def _counting(self, x: Any, mask: Any) -> Any:
        """Which positions are valid: neither masked nor of weight 0; None for all."""
        if mask is not None:
            mask = jnp.asarray(fitting_mask(self, mask, x.shape)).astype(bool)
        absent = absent_positions(x.shape[: self._axis])
        if absent is None or mask is None:
            return mask if absent is None else ~absent
        rank = max(mask.ndim, absent.ndim)
        wide = [one.reshape(*one.shape, *(1,) * (rank - one.ndim)) for one in (mask, ~absent)]
        return wide[0] & wide[1]

    def _renormalized(self, mean: Any, variance: Any, gamma: Any, beta: Any) -> tuple[Any, Any]:
        """gamma and beta with the corrections r and d in them; as they are without renorm."""
        if not self.renorm:
            return gamma, beta
        usual_mean, usual_stddev = (
            self._wide(self.renorm_mean, 0),
            self._wide(self.renorm_stddev, 1),
        )
        usual_stddev = jnp.maximum(usual_stddev, math.sqrt(self.epsilon))
        limits = self.renorm_clipping
        r = jnp.sqrt(variance + self.epsilon) / usual_stddev
        d = (mean - usual_mean) / usual_stddev
        r = lax.stop_gradient(jnp.clip(r, limits.get("rmin"), limits.get("rmax")))
        bound = limits.get("dmax")
        d = lax.stop_gradient(d if bound is None else jnp.clip(d, -bound, bound))
        return gamma * r, beta + gamma * d

    def _update_renorm(self, mean: Any, variance: Any, counted: Any) -> None:
        stddev = jnp.sqrt(variance + self.epsilon)
        self._update(self.moving_stddev, stddev, counted)
        self._update(self.renorm_mean, mean, counted, self.renorm_momentum)
        self._update(self.renorm_stddev, stddev, counted, self.renorm_momentum)
        variance = jnp.square(self.moving_stddev.value) - self.epsilon
        self.moving_variance.assign(jnp.maximum(variance, 0))

    def _wide(self, variable: Any, otherwise: float) -> Any:
        """A variable of the channels with size 1 on all axes but the channels."""
        if variable is None:
            return jnp.full(self._wide_shape(self.moving_mean.shape[0]), otherwise, "float32")
        return variable.value.reshape(self._wide_shape(variable.shape[0]))

    def _wide_shape(self, channels: int) -> tuple[int, ...]:
        return tuple(channels if a == self._axis else 1 for a in range(self.input_spec.ndim))

    def _update(self, moving: Any, batch: Any, counted: Any, momentum: float | None = None) -> None:
        momentum = self.momentum if momentum is None else momentum
        new = lax.stop_gradient(batch).reshape(moving.shape).astype(moving.dtype)
        new = moving.value * momentum + new * (1.0 - momentum)
        moving.assign(new if counted is None else jnp.where(counted, new, moving.value))
