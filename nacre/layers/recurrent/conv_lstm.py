"""Long short-term memory whose products are convolutions: for images and volumes over time."""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from nacre import activations, ops
from nacre.core.config import standardize_data_format
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.core.tensors import WholeNumber
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import ConvolutionalRecurrentKeywords
from nacre.layers.convolution.sliding import known_channels, known_padding, per_axis
from nacre.layers.recurrent.classic import ClassicRNN, of_cell
from nacre.layers.recurrent.recurrent_cell import RecurrentCell, with_open_forget_gate


@register("layers/ConvLSTMCell")
class ConvLSTMCell(RecurrentCell):
    """One step of a convolutional long short-term memory.

    Args:
        rank: Number of spatial axes.
        filters: Number of channels of each state.
        kernel_size, strides, padding, data_format, dilation_rate: Of the convolution of the
            inputs; that of the state has padding 'same' and stride 1.
        activation, recurrent_activation: Of candidate and output, of the gates.
        unit_forget_bias: Whether the forget gate's bias begins at one.
    Shapes:
        inputs            (batch, *spatial, channels)
        states            [h, c], each (batch, *new_spatial, filters)
        kernel            (*kernel_size, channels, 4 filters)
        recurrent_kernel  (*kernel_size, filters, 4 filters)
        bias              (4 filters,)
    """

    def __init__(
        self,
        rank: int,
        filters: WholeNumber,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(activation=activation, **kwargs)
        self.rank = rank
        self.filters = whole_number(self._who(), "filters", filters)
        self.kernel_size = per_axis(self, "kernel_size", kernel_size)
        self.strides = per_axis(self, "strides", strides)
        self.padding = known_padding(self, padding, ("valid", "same"))
        self.data_format = standardize_data_format(data_format)
        self.dilation_rate = per_axis(self, "dilation_rate", dilation_rate)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.filters, self.filters]
        self.output_size = self.filters

    @property
    def channel_axis(self) -> int:
        """The axis of the channels in one step: -1 or 1."""
        return -1 if self.data_format == "channels_last" else 1

    def build(self, input_shape: Any) -> None:
        """Make the weights for one step of this shape."""
        channels = known_channels(self, input_shape)
        gates = 4 * self.filters
        bias = None
        if self.unit_forget_bias:
            bias = with_open_forget_gate(self.bias_initializer, self.filters)
        self._make_weights(
            (*self.kernel_size, channels, gates),
            (*self.kernel_size, self.filters, gates),
            (gates,),
            bias,
        )

    def convolved_inputs(self, inputs: Any) -> Any:
        """The inputs' share of all four gates."""
        z = ops.conv(
            inputs,
            self.kernel,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )
        if self.bias is not None:
            shape = [1] * (self.rank + 2)
            shape[self.channel_axis] = -1
            z = z + ops.reshape(self.bias, shape)
        return z

    def state_shape(self, input_shape: Any, dtype: Any) -> tuple[Any, ...]:
        """The shape of each state for one step of this shape."""
        step = jax.ShapeDtypeStruct(tuple(input_shape), jnp.dtype(dtype))
        shape = list(jax.eval_shape(self.convolved_inputs, step).shape)
        shape[self.channel_axis] = self.filters
        return tuple(shape)

    def call(self, inputs: Any, states: Any, training: Any = False) -> tuple[Any, list[Any]]:
        """One step: the new hidden state, and both new states."""
        h, c = states
        x, h = self.dropped(inputs, h, training)
        z = self.convolved_inputs(x) + ops.conv(
            h, self.recurrent_kernel, padding="same", data_format=self.data_format
        )
        i, f, g, o = ops.split(z, 4, axis=self.channel_axis)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(g)
        h = self.recurrent_activation(o) * self.activation(c)
        return h, [h, c]


class ConvLSTM(ClassicRNN):
    """The loop over a `ConvLSTMCell`; subclasses fix the number of spatial axes."""

    rank = 2

    def __init__(
        self,
        filters: WholeNumber,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Unpack[ConvolutionalRecurrentKeywords],
    ) -> None:
        cell = ConvLSTMCell(
            rank=self.rank,
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            name="conv_lstm_cell",
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=self.rank + 3)

    filters = of_cell("filters")
    kernel_size = of_cell("kernel_size")
    strides = of_cell("strides")
    padding = of_cell("padding")
    data_format = of_cell("data_format")
    dilation_rate = of_cell("dilation_rate")
    recurrent_activation = of_cell("recurrent_activation", may_change=True)
    unit_forget_bias = of_cell("unit_forget_bias")

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build the cell, and fix the number of channels."""
        super().build(sequences_shape, initial_state_shape)
        axis = -1 if self.data_format == "channels_last" else 2
        self.input_spec = InputSpec(ndim=self.rank + 3, axes={axis: sequences_shape[axis]})

    def _zero_states(self, sequences: Any) -> Any:
        shape = (sequences.shape[0], *sequences.shape[2:])
        return self._zeros(self.cell.state_shape(shape, sequences.dtype))

    def _zero_states_for_shape(self, shape: tuple[int | None, ...]) -> Any:
        return self._zeros(self.cell.state_shape((shape[0], *shape[2:]), self.compute_dtype))

    def _zeros(self, shape: Any) -> list[Any]:
        return [jnp.zeros(shape, self.compute_dtype) for _ in range(2)]


@register("layers/ConvLSTM1D")
class ConvLSTM1D(ConvLSTM):
    """Run a long short-term memory through sequences of sequences: its products are convolutions.

    Choose it over `TimeDistributed(Conv1D)` when what was seen before must be remembered.

    Args:
        filters: Number of channels of each state.
        kernel_size: Size of the window, one number or one for each spatial axis.
        strides, padding, dilation_rate: Of the convolution of the inputs; that of the state has
            padding 'same' and stride 1.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        activation: Of the candidate and of the cell state on its way out.
        recurrent_activation: Of the three gates.
        use_bias: Whether to add a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: First values.
        unit_forget_bias: Whether the forget gate's bias begins at one.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer:
            Penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: Applied after each update.
        dropout: Share of the inputs set to zero in training, the same for all steps.
        recurrent_dropout: Share of the hidden state set to zero in training, likewise.
        seed: For the dropout masks.
        return_sequences: Whether to return the outputs of all steps instead of the last one.
        return_state: Whether to return the last states too.
        go_backwards: Whether to begin with the last step; outputs come in the order of the work.
        stateful: Whether a batch begins with the states the batch before it ended with.
    Shapes:
        sequences         (batch, time, steps, channels)
        kernel            (*kernel_size, channels, 4 filters), gates i, f, candidate, o
        recurrent_kernel  (*kernel_size, filters, 4 filters)
        bias              (4 filters,)
        returns           (batch, new_steps, filters), with a time axis before space
                          for return_sequences; with return_state a tuple of that and h and c
    Source:
        Shi et al. 2015, arXiv:1506.04214, without its peephole weights, as in Keras.
    Example:
        >>> import nacre
        >>> ConvLSTM1D(4, 3, padding="same")(nacre.ops.ones((2, 3, 6, 2))).shape
        (2, 6, 4)
    """

    rank = 1

    def __init__(
        self,
        filters: WholeNumber,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Unpack[ConvolutionalRecurrentKeywords],
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            **kwargs,
        )


@register("layers/ConvLSTM2D")
class ConvLSTM2D(ConvLSTM):
    """Run a long short-term memory through sequences of images: its products are convolutions.

    Choose it over `TimeDistributed(Conv2D)` when what was seen before must be remembered.

    Args:
        filters: Number of channels of each state.
        kernel_size: Size of the window, one number or one for each spatial axis.
        strides, padding, dilation_rate: Of the convolution of the inputs; that of the state has
            padding 'same' and stride 1.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        activation: Of the candidate and of the cell state on its way out.
        recurrent_activation: Of the three gates.
        use_bias: Whether to add a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: First values.
        unit_forget_bias: Whether the forget gate's bias begins at one.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer:
            Penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: Applied after each update.
        dropout: Share of the inputs set to zero in training, the same for all steps.
        recurrent_dropout: Share of the hidden state set to zero in training, likewise.
        seed: For the dropout masks.
        return_sequences: Whether to return the outputs of all steps instead of the last one.
        return_state: Whether to return the last states too.
        go_backwards: Whether to begin with the last step; outputs come in the order of the work.
        stateful: Whether a batch begins with the states the batch before it ended with.
    Shapes:
        sequences         (batch, time, height, width, channels)
        kernel            (*kernel_size, channels, 4 filters), gates i, f, candidate, o
        recurrent_kernel  (*kernel_size, filters, 4 filters)
        bias              (4 filters,)
        returns           (batch, new_height, new_width, filters), with a time axis before space
                          for return_sequences; with return_state a tuple of that and h and c
    Source:
        Shi et al. 2015, arXiv:1506.04214, without its peephole weights, as in Keras.
    Example:
        >>> import nacre
        >>> ConvLSTM2D(4, 3, padding="same")(nacre.ops.ones((2, 3, 6, 6, 2))).shape
        (2, 6, 6, 4)
    """

    rank = 2

    def __init__(
        self,
        filters: WholeNumber,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Unpack[ConvolutionalRecurrentKeywords],
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            **kwargs,
        )


@register("layers/ConvLSTM3D")
class ConvLSTM3D(ConvLSTM):
    """Run a long short-term memory through sequences of volumes: its products are convolutions.

    Choose it over `TimeDistributed(Conv3D)` when what was seen before must be remembered.

    Args:
        filters: Number of channels of each state.
        kernel_size: Size of the window, one number or one for each spatial axis.
        strides, padding, dilation_rate: Of the convolution of the inputs; that of the state has
            padding 'same' and stride 1.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        activation: Of the candidate and of the cell state on its way out.
        recurrent_activation: Of the three gates.
        use_bias: Whether to add a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: First values.
        unit_forget_bias: Whether the forget gate's bias begins at one.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer:
            Penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: Applied after each update.
        dropout: Share of the inputs set to zero in training, the same for all steps.
        recurrent_dropout: Share of the hidden state set to zero in training, likewise.
        seed: For the dropout masks.
        return_sequences: Whether to return the outputs of all steps instead of the last one.
        return_state: Whether to return the last states too.
        go_backwards: Whether to begin with the last step; outputs come in the order of the work.
        stateful: Whether a batch begins with the states the batch before it ended with.
    Shapes:
        sequences         (batch, time, depth, height, width, channels)
        kernel            (*kernel_size, channels, 4 filters), gates i, f, candidate, o
        recurrent_kernel  (*kernel_size, filters, 4 filters)
        bias              (4 filters,)
        returns           (batch, *new_spatial, filters), with a time axis before space
                          for return_sequences; with return_state a tuple of that and h and c
    Source:
        Shi et al. 2015, arXiv:1506.04214, without its peephole weights, as in Keras.
    Example:
        >>> import nacre
        >>> ConvLSTM3D(4, 3, padding="same")(nacre.ops.ones((1, 2, 4, 4, 4, 2))).shape
        (1, 4, 4, 4, 4)
    """

    rank = 3

    def __init__(
        self,
        filters: WholeNumber,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Unpack[ConvolutionalRecurrentKeywords],
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            **kwargs,
        )
