"""What every convolution shares: windows, strides, padding, the channels axis, bias, activation."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from nacre import activations, constraints, initializers, ops, regularizers
from nacre.core.array_types import Array, Float, Num
from nacre.core.config import standardize_data_format
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.numbers import is_whole
from nacre.layers.base.input_spec import InputSpec, plain_sizes
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer


class SlidingLayer(Layer):
    """A window that slides over the spatial axes; subclasses say what happens inside it.

    `rank` is the number of spatial axes. Subclasses make their kernels in `_build_kernels` and
    apply them in `convolution_op`.

    Args:
        kernel_size, strides, dilation_rate: One number, or one for each spatial axis.
        padding: 'valid', 'same', or 'causal' (one dimension only).
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        activation: Applied last.
        use_bias: Whether to add a bias for each output channel.
        bias_initializer, bias_regularizer, bias_constraint: For the bias.
    """

    rank = 2
    paddings: tuple[str, ...] = ("valid", "same")

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        bias_initializer: Any = "zeros",
        bias_regularizer: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = per_axis(self, "kernel_size", kernel_size)
        self.strides = per_axis(self, "strides", strides)
        self.dilation_rate = per_axis(self, "dilation_rate", dilation_rate)
        self.padding = known_padding(self, padding, self.paddings)
        self.data_format = standardize_data_format(data_format)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.bias_initializer = initializers.get(bias_initializer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.bias_constraint = constraints.get(bias_constraint)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ArgumentError(
                message(
                    self._who(),
                    "strides and dilation_rate must not both be above 1",
                    f"strides={self.strides}, dilation_rate={self.dilation_rate}",
                )
            )
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def channel_axis(self) -> int:
        """The axis of the channels: -1 or 1."""
        return -1 if self.data_format == "channels_last" else 1

    def build(self, input_shape: Any) -> None:
        """Make the kernels and the bias for the number of input channels."""
        channels = known_channels(self, input_shape)
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self.channel_axis: channels})
        filters = self._build_kernels(channels)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def _build_kernels(self, channels: int) -> int:
        """Make the kernels and return the number of output channels."""
        raise NotImplementedError(f"{type(self).__name__} must define _build_kernels")

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Slide `kernel` over `inputs`; override it to change the kernel or the sum."""
        raise NotImplementedError(f"{type(self).__name__} must define convolution_op")

    def call(self, inputs: Num[Array, "batch ..."]) -> Float[Array, "batch ..."]:
        """Slide the kernel, add the bias, apply the activation."""
        self._check_fit(inputs.shape)
        return self._finish(self.convolution_op(inputs, self._kernel_in_use()))

    def _kernel_in_use(self) -> Any:
        return self.kernel

    def _finish(self, outputs: Any) -> Any:
        """Bias and activation."""
        if self.bias is not None:
            shape = [1] * (self.rank + 2)
            shape[self.channel_axis] = -1
            outputs = ops.add(outputs, ops.reshape(self.bias, shape))
        if self.activation is not None:
            outputs = self.activation(outputs)
        return outputs

    def _check_fit(self, shape: Any) -> None:
        """The window must fit in the input when nothing is padded."""
        if self.padding == "valid":
            check_window(self, shape, self.kernel_size, self.dilation_rate, "kernel")


def per_axis(layer: Any, name: str, value: Any, lowest: int = 1) -> tuple[int, ...]:
    """One int for each spatial axis, from one int or a sequence of them."""
    rank = layer.rank
    values = (value,) * rank if is_whole(value, lowest) else value
    rule = f"{name} must be one int or {rank} of them, each at least {lowest}"
    ordered = isinstance(values, list | tuple | np.ndarray)
    if not ordered or len(values) != rank or not all(is_whole(n, lowest) for n in values):
        raise ArgumentError(message(layer._who(), rule, f"{name}={value!r}"))
    return tuple(int(n) for n in values)


def known_padding(layer: Any, padding: Any, allowed: tuple[str, ...]) -> str:
    """The padding word in small letters."""
    text = padding.lower() if isinstance(padding, str) else ""
    if text not in allowed:
        fix = ""
        if text == "causal":
            fix = "Causal padding needs an order in time: use a one-dimensional layer."
        words = " or ".join(map(repr, allowed))
        raise ArgumentError(
            message(layer._who(), f"padding must be {words}", f"padding={padding!r}", fix)
        )
    return text


def known_channels(layer: Any, input_shape: Any) -> int:
    """The number of input channels, which must be known to make a kernel."""
    shape = tuple(input_shape)
    if len(shape) != layer.rank + 2:
        fix = "Add the missing axis: x[..., None] for a channels axis, x[None] for a batch of one."
        raise ShapeError(
            message(
                layer._who(),
                f"the input must have {layer.rank + 2} axes, batch first",
                f"input of shape {shape}",
                fix if len(shape) == layer.rank + 1 else "",
            )
        )
    channels = shape[layer.channel_axis]
    if channels is None:
        raise ShapeError(
            message(
                layer._who(),
                "the number of input channels must be known when it is built",
                f"input of shape {shape}, data_format='{layer.data_format}'",
                "Give the channels a size in Input(shape=...).",
            )
        )
    return int(channels)


def check_window(layer: Any, shape: Any, window: Any, dilation: Any, what: str) -> None:
    """Raise ShapeError when a window is larger than the input it slides over."""
    start = 1 if layer.data_format == "channels_last" else 2
    sizes = tuple(shape)[start : start + layer.rank]
    extents = tuple((n - 1) * d + 1 for n, d in zip(window, dilation, strict=True))
    too_small = [
        isinstance(size, int) and size < extent for size, extent in zip(sizes, extents, strict=True)
    ]
    if any(too_small):
        shown = plain_sizes(shape)
        raise ShapeError(
            message(
                layer._who(),
                f"with padding='valid' the {what}, of extent {extents}, must fit in the input",
                f"input of shape {shown}, data_format='{layer.data_format}'",
                f"Pass padding='same', or use a smaller {what}.",
            )
        )
