"""Transposed convolution, in one, two and three dimensions."""

from __future__ import annotations

from typing import Any, Unpack

from nacre import constraints, initializers, ops, regularizers
from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.core.tensors import WholeNumber
from nacre.layers.base.keywords import WithoutRegularizer
from nacre.layers.convolution.sliding import SlidingLayer, per_axis


class TransposedConvolution(SlidingLayer):
    """Each input value is multiplied by the whole kernel and added to its window of the output.

    Args:
        filters: Number of output channels.
        output_padding: Extra size at the end of each axis; None lets `padding` decide.
        kernel_initializer, kernel_regularizer, kernel_constraint: For the kernel.
    """

    arguments_of_weights = (
        "filters",
        "kernel_size",
        "use_bias",
        "bias_initializer",
        "kernel_initializer",
    )

    def __init__(
        self,
        filters: WholeNumber,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
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
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = per_axis(self, "output_padding", output_padding, lowest=0)
            self._check_output_padding(self.output_padding)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)

    def _check_output_padding(self, output_padding: tuple[int, ...]) -> None:
        pairs = zip(output_padding, self.strides, strict=True)
        if any(extra >= stride for extra, stride in pairs):
            raise ArgumentError(
                message(
                    self._who(),
                    "output_padding must be below the stride on every axis",
                    f"output_padding={self.output_padding}, strides={self.strides}",
                )
            )

    def _build_kernels(self, channels: int) -> int:
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, self.filters, channels),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        return self.filters

    def _check_fit(self, shape: Any) -> None:
        """Any window fits: the output grows."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Spread `inputs` by `kernel`."""
        return ops.conv_transpose(
            inputs,
            kernel,
            strides=self.strides,
            padding=self.padding,
            output_padding=self.output_padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )


@register("layers/Conv1DTranspose")
class Conv1DTranspose(TransposedConvolution):
    """Spread each value of a sequence over a window: the way back of a convolution.

    Choose it to make a sequence larger with learnt filters.

    Args:
        filters: Number of output channels.
        kernel_size: Size of the window, one number or one for each spatial axis.
        strides: How far apart neighbouring input values land in the output.
        padding: 'valid' or 'same' (output size is input size times stride).
        output_padding: Extra size at the end of each axis, below the stride; None lets `padding`
            decide the size.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        dilation_rate: Distance of neighbouring taps of the window.
        activation: Applied last; none by default.
        use_bias: Whether to add a bias for each filter.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalties.
        kernel_constraint, bias_constraint: Applied after each update.
    Shapes:
        inputs   (batch, steps, channels)
        kernel   (*kernel_size, filters, channels)
        bias     (filters,)
        returns  (batch, new_steps, filters)
    Raises:
        ArgumentError: An output padding is not below its stride.
        ShapeError: Wrong number of axes or of channels.
    Source:
        The gradient of a convolution for its input; sizes as in Keras 3.
    Example:
        >>> import nacre
        >>> Conv1DTranspose(6, 3, strides=2, padding="same")(nacre.ops.ones((2, 10, 4))).shape
        (2, 20, 6)
    """

    rank = 1

    def __init__(
        self,
        filters: WholeNumber,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[WithoutRegularizer],
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            output_padding=output_padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )


@register("layers/Conv2DTranspose")
class Conv2DTranspose(TransposedConvolution):
    """Spread each value of an image over a window: the way back of a convolution.

    Choose it to make an image larger with learnt filters.

    Args:
        filters: Number of output channels.
        kernel_size: Size of the window, one number or one for each spatial axis.
        strides: How far apart neighbouring input values land in the output.
        padding: 'valid' or 'same' (output size is input size times stride).
        output_padding: Extra size at the end of each axis, below the stride; None lets `padding`
            decide the size.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        dilation_rate: Distance of neighbouring taps of the window.
        activation: Applied last; none by default.
        use_bias: Whether to add a bias for each filter.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalties.
        kernel_constraint, bias_constraint: Applied after each update.
    Shapes:
        inputs   (batch, height, width, channels)
        kernel   (*kernel_size, filters, channels)
        bias     (filters,)
        returns  (batch, new_height, new_width, filters)
    Raises:
        ArgumentError: An output padding is not below its stride.
        ShapeError: Wrong number of axes or of channels.
    Source:
        The gradient of a convolution for its input; sizes as in Keras 3.
    Example:
        >>> import nacre
        >>> Conv2DTranspose(6, 3, strides=2, padding="same")(nacre.ops.ones((2, 10, 10, 4))).shape
        (2, 20, 20, 6)
    """

    rank = 2

    def __init__(
        self,
        filters: WholeNumber,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[WithoutRegularizer],
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            output_padding=output_padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )


@register("layers/Conv3DTranspose")
class Conv3DTranspose(TransposedConvolution):
    """Spread each value of a volume over a window: the way back of a convolution.

    Choose it to make a volume larger with learnt filters.

    Args:
        filters: Number of output channels.
        kernel_size: Size of the window, one number or one for each spatial axis.
        strides: How far apart neighbouring input values land in the output.
        padding: 'valid' or 'same' (output size is input size times stride).
        output_padding: Extra size at the end of each axis, below the stride; None lets `padding`
            decide the size.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        dilation_rate: Distance of neighbouring taps of the window.
        activation: Applied last; none by default.
        use_bias: Whether to add a bias for each filter.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalties.
        kernel_constraint, bias_constraint: Applied after each update.
    Shapes:
        inputs   (batch, depth, height, width, channels)
        kernel   (*kernel_size, filters, channels)
        bias     (filters,)
        returns  (batch, new_depth, new_height, new_width, filters)
    Raises:
        ArgumentError: An output padding is not below its stride.
        ShapeError: Wrong number of axes or of channels.
    Source:
        The gradient of a convolution for its input; sizes as in Keras 3.
    Example:
        >>> import nacre
        >>> Conv3DTranspose(6, 3, strides=2, padding="same")(nacre.ops.ones((1, 5, 5, 5, 2))).shape
        (1, 10, 10, 10, 6)
    """

    rank = 3

    def __init__(
        self,
        filters: WholeNumber,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: Any = None,
        dilation_rate: Any = (1, 1, 1),
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[WithoutRegularizer],
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            output_padding=output_padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
