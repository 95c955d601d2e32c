"""Separable convolution: a depthwise one in space, then a pointwise one over channels."""

from __future__ import annotations

from typing import Any, Unpack

from nacre import constraints, initializers, ops, regularizers
from nacre.core.array_types import Array, Float, Num
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.core.tensors import WholeNumber
from nacre.layers.base.keywords import WithoutRegularizer
from nacre.layers.convolution.sliding import SlidingLayer


class SeparableConvolution(SlidingLayer):
    """Filters in space for each channel, then a weighted sum over channels at each place.

    Args:
        filters: Number of output channels.
        depth_multiplier: Number of intermediate channels for each input channel.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: For the first kernel.
        pointwise_initializer, pointwise_regularizer, pointwise_constraint: For the second kernel.
    """

    arguments_of_weights = (
        "filters",
        "depth_multiplier",
        "kernel_size",
        "use_bias",
        "bias_initializer",
        "depthwise_initializer",
        "pointwise_initializer",
    )

    def __init__(
        self,
        filters: WholeNumber,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[WithoutRegularizer],
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            bias_initializer=bias_initializer,
            bias_regularizer=bias_regularizer,
            bias_constraint=bias_constraint,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.filters = whole_number(self._who(), "filters", filters)
        self.depth_multiplier = whole_number(self._who(), "depth_multiplier", depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.pointwise_constraint = constraints.get(pointwise_constraint)

    def _build_kernels(self, channels: int) -> int:
        self.depthwise_kernel = self.add_weight(
            name="depthwise_kernel",
            shape=(*self.kernel_size, channels, self.depth_multiplier),
            initializer=self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        self.pointwise_kernel = self.add_weight(
            name="pointwise_kernel",
            shape=(*(1,) * self.rank, channels * self.depth_multiplier, self.filters),
            initializer=self.pointwise_initializer,
            regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
        )
        return self.filters

    def call(self, inputs: Num[Array, "batch ..."]) -> Float[Array, "batch ..."]:
        """Filter each channel, join the channels, add the bias, apply the activation."""
        self._check_fit(inputs.shape)
        outputs = ops.separable_conv(
            inputs,
            self.depthwise_kernel,
            self.pointwise_kernel,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )
        return self._finish(outputs)


@register("layers/SeparableConv1D")
class SeparableConv1D(SeparableConvolution):
    """Convolve a sequence in two cheap steps: each channel in time, then over channels.

    Choose it over `Conv1D` for nearly the same quality with far fewer multiplications.

    Args:
        filters: Number of output channels.
        kernel_size: Size of the window, one number or one for each spatial axis.
        strides: Step of the window.
        padding: 'valid', 'same', or 'causal' (tf.keras 2 has it, Keras 3 does not).
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        dilation_rate: Distance of neighbouring taps of the window.
        depth_multiplier: Number of intermediate channels for each input channel.
        activation: Applied last; none by default.
        use_bias: Whether to add a bias for each filter.
        depthwise_initializer, pointwise_initializer, bias_initializer: First values.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer:
            Penalties.
        depthwise_constraint, pointwise_constraint, bias_constraint: Applied after each update.
    Shapes:
        inputs            (batch, steps, channels)
        depthwise_kernel  (*kernel_size, channels, depth_multiplier)
        pointwise_kernel  (*ones, channels * depth_multiplier, filters)
        bias              (filters,)
        returns           (batch, new_steps, filters)
    Raises:
        ShapeError: Wrong number of axes or of channels, or a window larger than the input.
    Source:
        Chollet 2017, arXiv:1610.02357, section 3; no activation between the two steps, as in Keras.
    Example:
        >>> import nacre
        >>> SeparableConv1D(6, 3)(nacre.ops.ones((2, 10, 4))).shape
        (2, 8, 6)
    """

    rank = 1
    paddings = ("valid", "same", "causal")

    def __init__(
        self,
        filters: WholeNumber,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[WithoutRegularizer],
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            depth_multiplier=depth_multiplier,
            activation=activation,
            use_bias=use_bias,
            depthwise_initializer=depthwise_initializer,
            pointwise_initializer=pointwise_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            pointwise_regularizer=pointwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            depthwise_constraint=depthwise_constraint,
            pointwise_constraint=pointwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )


@register("layers/SeparableConv2D")
class SeparableConv2D(SeparableConvolution):
    """Convolve an image in two cheap steps: each channel in space, then over channels.

    Choose it over `Conv2D` for nearly the same quality with far fewer multiplications.

    Args:
        filters: Number of output channels.
        kernel_size: Size of the window, one number or one for each spatial axis.
        strides: Step of the window.
        padding: 'valid' or 'same'.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        dilation_rate: Distance of neighbouring taps of the window.
        depth_multiplier: Number of intermediate channels for each input channel.
        activation: Applied last; none by default.
        use_bias: Whether to add a bias for each filter.
        depthwise_initializer, pointwise_initializer, bias_initializer: First values.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer:
            Penalties.
        depthwise_constraint, pointwise_constraint, bias_constraint: Applied after each update.
    Shapes:
        inputs            (batch, height, width, channels)
        depthwise_kernel  (*kernel_size, channels, depth_multiplier)
        pointwise_kernel  (*ones, channels * depth_multiplier, filters)
        bias              (filters,)
        returns           (batch, new_height, new_width, filters)
    Raises:
        ShapeError: Wrong number of axes or of channels, or a window larger than the input.
    Source:
        Chollet 2017, arXiv:1610.02357, section 3; no activation between the two steps, as in Keras.
    Example:
        >>> import nacre
        >>> SeparableConv2D(6, 3)(nacre.ops.ones((2, 10, 10, 4))).shape
        (2, 8, 8, 6)
    """

    rank = 2

    def __init__(
        self,
        filters: WholeNumber,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[WithoutRegularizer],
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            depth_multiplier=depth_multiplier,
            activation=activation,
            use_bias=use_bias,
            depthwise_initializer=depthwise_initializer,
            pointwise_initializer=pointwise_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            pointwise_regularizer=pointwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            depthwise_constraint=depthwise_constraint,
            pointwise_constraint=pointwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
