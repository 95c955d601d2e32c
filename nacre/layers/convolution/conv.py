"""Convolution with a full kernel, in one, two and three dimensions."""

from __future__ import annotations

from typing import Any, Unpack

from nacre import constraints, initializers, ops, regularizers
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.core.tensors import WholeNumber
from nacre.layers.base.adapting import Adaptable
from nacre.layers.base.keywords import ConvolutionKeywords, WithoutRegularizer
from nacre.layers.convolution.sliding import SlidingLayer
from nacre.layers.core.configs import without


class FullConvolution(Adaptable, SlidingLayer):
    """A kernel that joins all input channels (of its group) at each place.

    Args:
        filters: Number of output channels.
        groups: Number of groups the channels are split into; each has its own filters.
        kernel_initializer, kernel_regularizer, kernel_constraint: For the kernel.
        lora_rank: Train a change of the kernel of this rank instead of the kernel.
        lora_alpha: Scale of that change.
    """

    arguments_of_weights = (
        "filters",
        "groups",
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
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
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
        self.groups = whole_number(self._who(), "groups", groups)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.lora_rank = lora_rank
        self.lora_alpha = lora_alpha
        if self.filters % self.groups:
            raise ArgumentError(
                message(
                    self._who(),
                    "filters must be a multiple of groups",
                    f"filters={self.filters}, groups={self.groups}",
                )
            )

    def _build_kernels(self, channels: int) -> int:
        if channels % self.groups:
            raise ShapeError(
                message(
                    self._who(),
                    "the number of input channels must be a multiple of groups",
                    f"{channels} channels, groups={self.groups}",
                )
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, channels // self.groups, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        return self.filters

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data; the adaptation only when there is one."""
        return without(super().get_config(), "lora_rank", "lora_alpha")

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Slide `kernel` over `inputs`."""
        return ops.conv(
            inputs,
            kernel,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )


@register("layers/Conv1D")
class Conv1D(FullConvolution):
    """Slide filters over a sequence: each output channel is a weighted sum of a window.

    Choose it for signals, text and time series.

    Args:
        filters: Number of output channels.
        kernel_size: Size of the window, one number or one for each spatial axis.
        strides: Step of the window.
        padding: 'valid' (no padding), 'same' (output as long as the input, at stride 1) or
            'causal' (padding before only: no output sees a later step).
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        dilation_rate: Distance of neighbouring taps of the window.
        groups: Number of groups the channels are split into; each has its own filters.
        activation: Applied last; none by default.
        use_bias: Whether to add a bias for each filter.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalties.
        kernel_constraint, bias_constraint: Applied after each update.
    Shapes:
        inputs   (batch, steps, channels)
        kernel   (kernel_size, channels / groups, filters)
        bias     (filters,)
        returns  (batch, new_steps, filters)
    Raises:
        ShapeError: Wrong number of axes or of channels, or a window larger than the input.
    Source:
        Cross-correlation, as in Keras 3 (the window is not flipped).
    Example:
        >>> import nacre
        >>> Conv1D(6, 3)(nacre.ops.ones((2, 10, 4))).shape
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
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[ConvolutionKeywords],
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            groups=groups,
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


@register("layers/Conv2D")
class Conv2D(FullConvolution):
    """Slide filters over an image: each output channel is a weighted sum of a window.

    Choose it for images and spectrograms.

    Args:
        filters: Number of output channels.
        kernel_size: Size of the window, one number or one for each spatial axis.
        strides: Step of the window.
        padding: 'valid' (no padding) or 'same' (output as large as the input, at stride 1).
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        dilation_rate: Distance of neighbouring taps of the window.
        groups: Number of groups the channels are split into; each has its own filters.
        activation: Applied last; none by default.
        use_bias: Whether to add a bias for each filter.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalties.
        kernel_constraint, bias_constraint: Applied after each update.
    Shapes:
        inputs   (batch, height, width, channels)
        kernel   (*kernel_size, channels / groups, filters)
        bias     (filters,)
        returns  (batch, new_height, new_width, filters)
    Raises:
        ShapeError: Wrong number of axes or of channels, or a window larger than the input.
    Source:
        Cross-correlation, as in Keras 3 (the window is not flipped).
    Example:
        >>> import nacre
        >>> Conv2D(6, 3)(nacre.ops.ones((2, 10, 10, 4))).shape
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
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[ConvolutionKeywords],
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            groups=groups,
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


@register("layers/Conv3D")
class Conv3D(FullConvolution):
    """Slide filters over a volume: each output channel is a weighted sum of a window.

    Choose it for volumes and video.

    Args:
        filters: Number of output channels.
        kernel_size: Size of the window, one number or one for each spatial axis.
        strides: Step of the window.
        padding: 'valid' (no padding) or 'same' (output as large as the input, at stride 1).
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        dilation_rate: Distance of neighbouring taps of the window.
        groups: Number of groups the channels are split into; each has its own filters.
        activation: Applied last; none by default.
        use_bias: Whether to add a bias for each filter.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalties.
        kernel_constraint, bias_constraint: Applied after each update.
    Shapes:
        inputs   (batch, depth, height, width, channels)
        kernel   (*kernel_size, channels / groups, filters)
        bias     (filters,)
        returns  (batch, new_depth, new_height, new_width, filters)
    Raises:
        ShapeError: Wrong number of axes or of channels, or a window larger than the input.
    Source:
        Cross-correlation, as in Keras 3 (the window is not flipped).
    Example:
        >>> import nacre
        >>> Conv3D(6, 3)(nacre.ops.ones((1, 5, 5, 5, 2))).shape
        (1, 3, 3, 3, 6)
    """

    rank = 3

    def __init__(
        self,
        filters: WholeNumber,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[ConvolutionKeywords],
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            groups=groups,
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
