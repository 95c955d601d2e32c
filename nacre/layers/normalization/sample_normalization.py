"""Normalization within each sample: layer, group, root mean square, unit length."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from nacre import ops
from nacre.core import scope
from nacre.core.array_types import Array, Float, Num
from nacre.core.axes import axis_numbers, counted_axes, counted_axis
from nacre.core.errors import ShapeError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.base.masking import without_absent
from nacre.layers.core.step_masks import fitting_mask
from nacre.layers.normalization.affine import (
    AffineNormalization,
    axes_of_call,
    checked_number,
    known_size,
)
from nacre.layers.normalization.statistics import at_least_float32, moments, standardize
from nacre.ops._arrays import floating
from nacre.ops._define import composite
from nacre.ops.normalization import group_normalization, layer_normalization_is_compiled


def _in_training() -> bool:
    context = scope.call_context()
    return bool(context is not None and context.training)


@register("layers/LayerNormalization")
class LayerNormalization(AffineNormalization):
    """Give each sample mean 0 and variance 1 over its features, then scale and shift it.

    Args:
        axis: The axis or axes of the features.
        epsilon: Added to the variance, inside the root.
        center: Whether to add beta.
        scale: Whether to multiply by gamma.
        beta_initializer, gamma_initializer: First values.
        beta_regularizer, gamma_regularizer: Penalties.
        beta_constraint, gamma_constraint: Applied after each update.
        rms_scaling: Leave the mean in and the offset out, as Keras does under this name; for the
            root of the mean square choose `RMSNormalization`.
    Shapes:
        inputs (batch, *sizes); gamma, beta: the sizes of `axis`
    Formula:
        y = gamma · (x - mean) / sqrt(variance + epsilon) + beta
        rms_scaling: y = gamma · x / sqrt(variance + epsilon)
    Precision:
        Statistics are taken in float32 for 16-bit inputs; the result is cast back.
    Source:
        Ba et al. 2016, arXiv:1607.06450.
    Example:
        >>> import nacre
        >>> nacre.layers.LayerNormalization()(nacre.ops.ones((4, 3))).shape
        (4, 3)
    """

    @property
    def is_stepwise(self) -> bool:  # type: ignore[override]
        """Whether no step sees another one: where it goes over the features alone."""
        return self.axis in (-1, [-1], 2, [2])

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        *,
        rms_scaling: bool = False,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
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
        self.axis = list(axis_numbers(self._who(), axis))
        self.rms_scaling = rms_scaling

    def build(self, input_shape: Any) -> None:
        """Make gamma and beta."""
        axes = counted_axes(self._who(), self.axis, len(input_shape))
        sizes = tuple(known_size(self, axis, input_shape) for axis in axes)
        self._add_affine(
            sizes, self.scale or self.rms_scaling, self.center and not self.rms_scaling
        )
        self._sizes = sizes

    def call(self, inputs: Num[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The normalized inputs."""
        x = at_least_float32(inputs)
        where = axes_of_call(self, self.axis, self._sizes, x.shape)
        axes = {"axis": sorted(where), "epsilon": self.epsilon}
        if self.rms_scaling:
            gamma = self._in_order(self.gamma, where)
            outputs = ops.layer_normalization(x, gamma=gamma, rms_scaling=True, **axes)
        elif self._is_one_op(x, where):
            gamma, beta = self._in_order(self.gamma, where), self._in_order(self.beta, where)
            outputs = ops.layer_normalization(x, gamma=gamma, beta=beta, **axes)
        else:
            outputs = standardize(x, where, self.epsilon)
            if self.gamma is not None:
                outputs = outputs * self._wide(self.gamma, where, x)
            if self.beta is not None:
                outputs = outputs + self._wide(self.beta, where, x)
        return outputs.astype(self.compute_dtype)

    def _is_one_op(self, x: Array, where: tuple[int, ...]) -> bool:
        """Tell whether to leave it to the op: for exporters, and where it is one compiled call.

        Else, in training, the gradient written out is faster than the op's.
        """
        affine = self._in_order(self.gamma, where), self._in_order(self.beta, where)
        axes = sorted(where)
        return not _in_training() or layer_normalization_is_compiled(x, *affine, axes)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the inputs, unless it covers an axis that is normalized over."""
        axes = counted_axes(self._who(), self.axis, len(inputs.shape), error=ShapeError)
        return self._mask_unless_mixed(previous_mask, axes, len(inputs.shape))

    def _in_order(self, variable: Any, where: tuple[int, ...]) -> Any:
        """gamma or beta with its axes in the order they have in the inputs."""
        order = sorted(range(len(where)), key=lambda i: where[i])
        if variable is None or order == list(range(len(order))):
            return variable
        return jnp.transpose(variable.value, order)

    def _wide(self, variable: Any, where: tuple[int, ...], x: Any) -> Any:
        """gamma or beta with size 1 on the axes that are not normalized."""
        sizes = dict(zip(where, variable.shape, strict=True))
        value = jnp.asarray(self._in_order(variable, where))
        return value.reshape([sizes.get(axis, 1) for axis in range(len(x.shape))])


@register("layers/GroupNormalization")
class GroupNormalization(AffineNormalization):
    """Normalize each sample over groups of channels, then scale and shift it.

    Args:
        groups: Number of groups; -1 makes every channel its own (instance normalization).
        axis: The channels axis.
        epsilon: Added to the variance, inside the root.
        center: Whether to add beta.
        scale: Whether to multiply by gamma.
        beta_initializer, gamma_initializer: First values.
        beta_regularizer, gamma_regularizer: Penalties.
        beta_constraint, gamma_constraint: Applied after each update.
    Shapes:
        inputs (batch, *sizes) with channels on `axis`; gamma, beta (channels,)
    Formula:
        y = gamma · (x - mean) / sqrt(variance + epsilon) + beta, statistics of sample and group
    Raises:
        ShapeError: The channels cannot be divided into the groups.
    Source:
        Wu & He 2018, arXiv:1803.08494.
    Example:
        >>> import nacre
        >>> nacre.layers.GroupNormalization(groups=2)(nacre.ops.ones((1, 4, 4, 6))).shape
        (1, 4, 4, 6)
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
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
        if groups != -1:
            groups = whole_number(self._who(), "groups", groups, or_else=" or -1")
        self.groups = groups
        self.axis = axis

    def build(self, input_shape: Any) -> None:
        """Make gamma and beta."""
        axis = counted_axis(self._who(), self.axis, len(input_shape))
        channels = known_size(self, axis, input_shape)
        groups = channels if self.groups == -1 else self.groups
        if axis == 0 or channels % groups:
            raise ShapeError(
                message(
                    self._who(),
                    f"the channels must be divisible into groups={self.groups}",
                    f"{channels} channels on axis {axis}",
                )
            )
        self._axis, self.groups = axis, groups
        self._add_affine((channels,), self.scale, self.center)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, inputs: Num[Array, "*shape"], mask: Any = None) -> Float[Array, "*shape"]:
        """The normalized inputs; steps a mask leaves out do not count in the statistics."""
        x = at_least_float32(inputs)
        shape, axis, groups = x.shape, self._axis, self.groups
        mask = None if mask is None else fitting_mask(self, mask, shape)
        if mask is not None and len(mask.shape) <= axis:
            return self._over_valid(without_absent(x, mask), mask).astype(self.compute_dtype)
        if not _in_training():  # one composite op for exporters
            outputs = group_normalization(
                x, self.gamma, self.beta, groups=groups, axis=axis, epsilon=self.epsilon
            )
            return outputs.astype(self.compute_dtype)
        split = (*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])
        axes = tuple(a for a in range(1, len(split)) if a != axis)
        outputs = standardize(x.reshape(split), axes, self.epsilon).reshape(shape)
        wide = [1] * len(shape)
        wide[axis] = -1
        if self.gamma is not None:
            outputs = outputs * self.gamma.value.reshape(wide)
        if self.beta is not None:
            outputs = outputs + self.beta.value.reshape(wide)
        return outputs.astype(self.compute_dtype)

    def _over_valid(self, x: Any, mask: Any) -> Any:
        shape, axis = x.shape, self._axis
        split = (*shape[:axis], self.groups, shape[axis] // self.groups, *shape[axis + 1 :])
        axes = tuple(a for a in range(1, len(split)) if a != axis)
        weights = jnp.asarray(mask).reshape((*mask.shape, *(1,) * (len(split) - len(mask.shape))))
        x = x.reshape(split)
        around = x - moments(x, axes, weights)[0]
        rest, variance = moments(around, axes, weights)  # what the mean was rounded by
        outputs = ((around - rest) / jnp.sqrt(variance + self.epsilon)).reshape(shape)
        wide = [1] * len(shape)
        wide[axis] = -1
        if self.gamma is not None:
            outputs = outputs * self.gamma.value.reshape(wide)
        return outputs if self.beta is None else outputs + self.beta.value.reshape(wide)


@register("layers/RMSNormalization")
class RMSNormalization(Layer):
    """Divide each sample by the root mean square of its features, then scale it.

    Choose it over `LayerNormalization` when the mean need not be removed.

    Args:
        axis: The axis or axes of the features.
        epsilon: Added to the mean square, inside the root.
    Shapes:
        inputs (batch, *sizes); scale: the sizes of `axis`
    Formula:
        y = scale · x / sqrt(mean(x²) + epsilon)
    Precision:
        The mean is taken in float32 for 16-bit inputs; the result is cast back.
    Source:
        Zhang & Sennrich 2019, arXiv:1910.07467, section 4. Differs: epsilon, which the paper omits.
    Example:
        >>> import nacre
        >>> nacre.layers.RMSNormalization()(nacre.ops.ones((4, 3))).shape
        (4, 3)
    """

    casts_inputs = False  # it computes in float32
    _needs_only_float_range = True

    @property
    def is_stepwise(self) -> bool:  # type: ignore[override]
        """Whether no step sees another one: where it goes over the features alone."""
        return self.axis in (-1, [-1], 2, [2])

    def __init__(
        self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Unpack[LayerKeywords]
    ) -> None:
        super().__init__(**kwargs)
        self.axis = list(axis_numbers(self._who(), axis))
        self.epsilon = checked_number(self, "epsilon", epsilon, lowest=0)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make the scale."""
        axes = counted_axes(self._who(), self.axis, len(input_shape))
        self._sizes = tuple(known_size(self, axis, input_shape) for axis in axes)
        sizes = tuple(size for _, size in sorted(zip(axes, self._sizes, strict=True)))
        self.scale = self.add_weight(name="scale", shape=sizes, initializer="ones", autocast=False)

    def call(self, x: Num[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The normalized inputs."""
        wide = at_least_float32(x)
        axes = tuple(sorted(axes_of_call(self, self.axis, self._sizes, wide.shape)))
        outputs = ops.rms_normalization(wide, scale=self.scale, axis=axes, epsilon=self.epsilon)
        return outputs.astype(self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the inputs, unless it covers an axis that is normalized over."""
        axes = counted_axes(self._who(), self.axis, len(inputs.shape), error=ShapeError)
        return self._mask_unless_mixed(previous_mask, axes, len(inputs.shape))


@register("layers/UnitNormalization")
class UnitNormalization(Layer):
    """Scale each sample to length 1.

    Args:
        axis: The axis or axes the length is taken over.
    Formula:
        y = x / max(norm(x), 1e-12)
    Example:
        >>> import nacre
        >>> nacre.layers.UnitNormalization()(nacre.ops.ones((1, 4))).tolist()
        [[0.5, 0.5, 0.5, 0.5]]
    """

    casts_inputs = False  # it computes in float32
    _needs_only_float_range = True

    def __init__(self, axis: Any = -1, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        axes = axis_numbers(self._who(), axis)
        self.axis = list(axes) if isinstance(axis, list | tuple) else axes[0]
        self.supports_masking = True

    def call(self, inputs: Num[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The inputs, of length 1."""
        axes = counted_axes(self._who(), self.axis, len(inputs.shape))
        return _unit_normalization(inputs, axis=tuple(axes)).astype(self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the inputs, unless it covers an axis that is normalized over."""
        return self._mask_unless_mixed(
            previous_mask, axis_numbers(self._who(), self.axis), len(inputs.shape)
        )


@composite("inputs", name="unit_normalization")
def _unit_normalization(inputs: Any, axis: tuple[int, ...]) -> Any:
    wide = at_least_float32(inputs)  # squares of 16 bits overflow or vanish
    square = jnp.sum(jnp.square(wide), tuple(axis), keepdims=True)
    # At least 1e-12; the floor is put under the square, where gradients stay finite.
    outputs = wide / jnp.maximum(jnp.sqrt(jnp.maximum(square, 1e-24)), 1e-12)
    return outputs.astype(floating(inputs).dtype)
