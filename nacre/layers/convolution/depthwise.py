"""Depthwise convolution: every input channel has filters of its own."""

from __future__ import annotations

from typing import Any, ClassVar, Unpack

from nacre import constraints, initializers, ops, regularizers
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.layers.base.keywords import WithoutRegularizer
from nacre.layers.convolution.sliding import SlidingLayer


class DepthwiseConvolution(SlidingLayer):
    """A kernel that sees one input channel at a time.

    Args:
        depth_multiplier: Number of output channels for each input channel.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: For the kernel.
    """

    arguments_of_weights = (
        "depth_multiplier",
        "kernel_size",
        "use_bias",
        "bias_initializer",
        "depthwise_initializer",
    )

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
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
        self.depth_multiplier = whole_number(self._who(), "depth_multiplier", depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)

    names_in_tf_keras: ClassVar[dict[str, str]] = {"kernel": "depthwise_kernel"}

    def _build_kernels(self, channels: int) -> int:
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, channels, self.depth_multiplier),
            initializer=self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        return channels * self.depth_multiplier

    @property
    def depthwise_kernel(self) -> Any:
        """The kernel under its tf.keras 2 name."""
        return self.kernel

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Slide `kernel` over each channel of `inputs`."""
        return ops.depthwise_conv(
            inputs,
            kernel,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )


@register("layers/DepthwiseConv1D")
class DepthwiseConv1D(DepthwiseConvolution):
    """Slide filters over each channel of a sequence on its own.

    Choose it over `Conv1D` to filter in space without joining channels, at a fraction of the work.

    Args:
        kernel_size: Size of the window, one number or one for each spatial axis.
        strides: Step of the window.
        padding: 'valid', 'same', or 'causal' (tf.keras 2 has it, Keras 3 does not).
        depth_multiplier: Number of output channels for each input channel.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        dilation_rate: Distance of neighbouring taps of the window.
        activation: Applied last; none by default.
        use_bias: Whether to add a bias for each output channel.
        depthwise_initializer, bias_initializer: First values.
        depthwise_regularizer, bias_regularizer, activity_regularizer: Penalties.
        depthwise_constraint, bias_constraint: Applied after each update.
    Shapes:
        inputs   (batch, steps, channels)
        kernel   (*kernel_size, channels, depth_multiplier)
        bias     (channels * depth_multiplier,)
        returns  (batch, new_steps, channels * depth_multiplier)
    Raises:
        ShapeError: Wrong number of axes or of channels, or a window larger than the input.
    Source:
        Chollet 2017, arXiv:1610.02357, section 3; order of output channels as in Keras 3.
    Example:
        >>> import nacre
        >>> DepthwiseConv1D(3, depth_multiplier=2)(nacre.ops.ones((2, 10, 4))).shape
        (2, 8, 8)
    """

    rank = 1
    paddings = ("valid", "same", "causal")

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[WithoutRegularizer],
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            depth_multiplier=depth_multiplier,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            depthwise_initializer=depthwise_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            depthwise_constraint=depthwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )


@register("layers/DepthwiseConv2D")
class DepthwiseConv2D(DepthwiseConvolution):
    """Slide filters over each channel of an image on its own.

    Choose it over `Conv2D` to filter in space without joining channels, at a fraction of the work.

    Args:
        kernel_size: Size of the window, one number or one for each spatial axis.
        strides: Step of the window.
        padding: 'valid' or 'same'.
        depth_multiplier: Number of output channels for each input channel.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        dilation_rate: Distance of neighbouring taps of the window.
        activation: Applied last; none by default.
        use_bias: Whether to add a bias for each output channel.
        depthwise_initializer, bias_initializer: First values.
        depthwise_regularizer, bias_regularizer, activity_regularizer: Penalties.
        depthwise_constraint, bias_constraint: Applied after each update.
    Shapes:
        inputs   (batch, height, width, channels)
        kernel   (*kernel_size, channels, depth_multiplier)
        bias     (channels * depth_multiplier,)
        returns  (batch, new_height, new_width, channels * depth_multiplier)
    Raises:
        ShapeError: Wrong number of axes or of channels, or a window larger than the input.
    Source:
        Chollet 2017, arXiv:1610.02357, section 3; order of output channels as in Keras 3.
    Example:
        >>> import nacre
        >>> DepthwiseConv2D(3, depth_multiplier=2)(nacre.ops.ones((2, 10, 10, 4))).shape
        (2, 8, 8, 8)
    """

    rank = 2

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[WithoutRegularizer],
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            depth_multiplier=depth_multiplier,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            depthwise_initializer=depthwise_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            depthwise_constraint=depthwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
