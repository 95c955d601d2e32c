"""Activations as layers."""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from nacre import activations, constraints, initializers, ops, regularizers
from nacre.activations.functions import warn_about_one_class
from nacre.core.array_types import Array, Float, Num, Shaped
from nacre.core.axes import axis_numbers, counted_axes
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.registry import register
from nacre.core.shapes import check_broadcasts
from nacre.layers.base.calling import acts_on_steps
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.ops._define import composite


class _Elementwise(Layer):
    """What the layers of this file share: shapes stay, masks pass."""

    def __init__(self, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True


@register("layers/Activation")
class Activation(_Elementwise):
    """Apply an activation function.

    Args:
        activation: Name or function.
    Example:
        >>> import nacre
        >>> nacre.layers.Activation("relu")(nacre.ops.ones((2, 3))).shape
        (2, 3)
    """

    @property
    def is_stepwise(self) -> bool:  # type: ignore[override]
        """Whether the activation sees each step alone."""
        return acts_on_steps(self.activation)

    def __init__(self, activation: Any, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: jax.Array) -> jax.Array:
        """The function's values."""
        return inputs if self.activation is None else self.activation(inputs)


def _not_negative(layer: Layer, **arguments: float | None) -> None:
    for name, value in arguments.items():
        is_number = isinstance(value, int | float | np.number)
        if value is not None and (not is_number or value < 0):
            raise ArgumentError(
                message(layer._who(), f"{name} must be a number, and not negative", repr(value))
            )


@register("layers/ReLU")
class ReLU(_Elementwise):
    """Rectified linear unit, with an optional slope, threshold and largest value.

    Args:
        max_value: Largest output; None for no limit.
        negative_slope: Slope below the threshold.
        threshold: Inputs below it are damped.
    Formula:
        y = max_value where x >= max_value; x where threshold <= x < max_value;
        negative_slope · (x - threshold) below
    Example:
        >>> import nacre
        >>> nacre.layers.ReLU(max_value=6.0)(nacre.ops.ones((2, 3))).shape
        (2, 3)
    """

    is_stepwise = True

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = max_value
        self.negative_slope = 0.0 if negative_slope is None else negative_slope
        self.threshold = 0.0 if threshold is None else threshold
        _not_negative(
            self,
            max_value=max_value,
            negative_slope=self.negative_slope,
            threshold=self.threshold,
        )

    def call(self, inputs: Num[Array, "*shape"]) -> Num[Array, "*shape"]:
        """The rectified inputs."""
        return activations.relu(
            inputs,
            negative_slope=self.negative_slope,
            max_value=self.max_value,
            threshold=self.threshold,
        )


class LeakyReLUKeywords(LayerKeywords, total=False):
    """With tf.keras 2's spelling of `negative_slope`."""

    alpha: Any


@register("layers/LeakyReLU")
class LeakyReLU(_Elementwise):
    """Rectified linear unit with a slope for negative inputs.

    Args:
        negative_slope: The slope.
        alpha: tf.keras 2 spelling of `negative_slope`.
    Formula:
        y = x where x >= 0, negative_slope · x below
    Example:
        >>> import nacre
        >>> nacre.layers.LeakyReLU(alpha=0.1)(nacre.ops.ones((2, 3))).shape
        (2, 3)
    """

    is_stepwise = True

    def __init__(self, negative_slope: float = 0.3, **kwargs: Unpack[LeakyReLUKeywords]) -> None:
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        if negative_slope is None:
            raise ArgumentError(
                message(f"LeakyReLU '{self.name}'", "negative_slope must be a number", "None")
            )
        _not_negative(self, negative_slope=negative_slope)
        self.negative_slope = negative_slope

    def call(self, inputs: Num[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The inputs, negative ones scaled."""
        return activations.leaky_relu(inputs, negative_slope=self.negative_slope)


@register("layers/PReLU")
class PReLU(_Elementwise):
    """Rectified linear unit whose slope for negative inputs is trained.

    Args:
        alpha_initializer: First values of the slopes.
        alpha_regularizer: Penalty on the slopes.
        alpha_constraint: Applied after each update.
        shared_axes: Axes along which one slope is shared, such as (1, 2) for images.
    Shapes:
        inputs (batch, *sizes); alpha (*sizes) with 1 on shared axes
    Formula:
        y = x where x >= 0, alpha · x below
    Source:
        He et al. 2015, arXiv:1502.01852.
    Example:
        >>> import nacre
        >>> nacre.layers.PReLU(shared_axes=[1, 2])(nacre.ops.ones((1, 4, 4, 3))).shape
        (1, 4, 4, 3)
    """

    arguments_of_weights = ("shared_axes", "alpha_initializer")

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        if shared_axes is not None and not isinstance(shared_axes, list | tuple):
            shared_axes = [shared_axes]
        self.shared_axes = None if shared_axes is None else list(shared_axes)

    def build(self, input_shape: Any) -> None:
        """Make the slopes."""
        shared = self._shared_with(len(input_shape))
        sizes = [1 if axis in shared else n for axis, n in enumerate(input_shape) if axis > 0]
        if None in sizes:
            raise ShapeError(
                message(
                    self._who(),
                    "every size that has its own slope must be known",
                    f"input of shape {tuple(input_shape)}",
                    "Name the other axes in shared_axes.",
                )
            )
        self.alpha = self.add_weight(
            name="alpha",
            shape=tuple(sizes),
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        axes = {}
        if self.shared_axes:
            axes = {i: input_shape[i] for i in range(1, len(input_shape)) if i not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)

    def _shared_with(self, rank: int) -> set[int]:
        """The shared axes of inputs with `rank` axes, none of them negative."""
        axes = axis_numbers(self._who(), self.shared_axes or (), "shared_axes", 0)
        if any(not (-rank < a < rank) or a == 0 for a in axes):
            raise ArgumentError(
                message(
                    self._who(),
                    f"shared_axes must be among 1 … {rank - 1}, the axes after the batch",
                    repr(self.shared_axes),
                )
            )
        return {axis % rank for axis in axes}

    def call(self, inputs: Num[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The inputs, negative ones scaled by their slope."""
        return _prelu(inputs, self.alpha)


@composite("inputs", "alpha", name="prelu")
def _prelu(inputs: Any, alpha: Any) -> Any:
    return ops.subtract(ops.relu(inputs), ops.multiply(alpha, ops.relu(ops.negative(inputs))))


@register("layers/ELU")
class ELU(_Elementwise):
    """Exponential linear unit.

    Args:
        alpha: Scale of the negative part.
    Formula:
        y = x where x > 0, alpha · (exp(x) - 1) below
    Source:
        Clevert et al. 2015, arXiv:1511.07289.
    Example:
        >>> import nacre
        >>> nacre.layers.ELU()(nacre.ops.ones((2, 3))).shape
        (2, 3)
    """

    is_stepwise = True

    def __init__(self, alpha: float = 1.0, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Num[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The inputs, negative ones bent towards -alpha."""
        return activations.elu(inputs, alpha=self.alpha)


@register("layers/Softmax")
class Softmax(_Elementwise):
    """Positive values that sum to 1 along an axis.

    Args:
        axis: The axis, or several that are normalized together.
    Shapes:
        inputs (*any); mask the same shape, or that of the leading axes (batch, time); False where
               the output is to be 0
    Formula:
        y = exp(x) / sum(exp(x)), over the positions that are not masked
    Example:
        >>> import nacre
        >>> nacre.layers.Softmax()(nacre.ops.ones((1, 4))).tolist()
        [[0.25, 0.25, 0.25, 0.25]]
    """

    @property
    def is_stepwise(self) -> bool:  # type: ignore[override]
        """Whether no step sees another one: where it goes over the features alone."""
        return self.axis in (-1, [-1], 2, [2])

    def __init__(self, axis: Any = -1, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        axes = axis_numbers(self._who(), axis)
        self.axis = list(axes) if isinstance(axis, list | tuple) else axes[0]

    def _check_axes(self, shape: Any) -> None:
        of = f"for inputs of shape {tuple(shape)}"
        counted_axes(self._who(), self.axis, len(shape), of=of, error=ShapeError)

    def call(self, inputs: Num[Array, "*shape"], mask: Any = None) -> Float[Array, "*shape"]:
        """The normalized exponentials."""
        self._check_axes(inputs.shape)
        warn_about_one_class(inputs, self.axis)
        if mask is None:
            return self._softmax(inputs)
        if not jnp.issubdtype(inputs.dtype, jnp.floating):
            inputs = ops.cast(inputs, self.compute_dtype)
        mask = jnp.asarray(mask).astype(bool)
        if mask.ndim < inputs.ndim and mask.shape == inputs.shape[: mask.ndim]:
            # A mask of steps, as inputs have it: all features of a step share it.
            mask = mask.reshape((*mask.shape, *(1,) * (inputs.ndim - mask.ndim)))
        check_broadcasts(self._who(), "mask", mask.shape, inputs.shape)
        # Half of the most negative number: finite, so a row without any position stays finite.
        low = jnp.asarray(jnp.finfo(inputs.dtype).min / 2, inputs.dtype)
        outputs = self._softmax(jnp.where(mask, inputs, low))
        return jnp.where(mask, outputs, jnp.zeros((), outputs.dtype))

    def _softmax(self, inputs: Any) -> Any:
        if not isinstance(self.axis, list):
            return ops.softmax(inputs, axis=self.axis)
        if len(self.axis) == 1:
            return ops.softmax(inputs, axis=self.axis[0])
        return ops.softmax(inputs, axis=tuple(self.axis))


@register("layers/ThresholdedReLU")
class ThresholdedReLU(_Elementwise):
    """Inputs above a threshold, 0 elsewhere (a tf.keras 2 layer).

    Args:
        theta: The threshold.
    Formula:
        y = x where x > theta, else 0
    Example:
        >>> import nacre
        >>> nacre.layers.ThresholdedReLU(2.0)(nacre.ops.ones((1, 2))).tolist()
        [[0.0, 0.0]]
    """

    def __init__(self, theta: float = 1.0, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        _not_negative(self, theta=theta)
        self.theta = theta

    def call(self, inputs: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        """The inputs above the threshold."""
        return ops.multiply(inputs, ops.cast(ops.greater(inputs, self.theta), inputs.dtype))
