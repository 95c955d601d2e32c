"""The three classic cells: simple recurrence, long short-term memory, gated recurrent unit."""

from __future__ import annotations

from typing import Any, Unpack

from nacre import activations, ops
from nacre.core.array_types import Float, Num
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.core.tensors import WholeNumber
from nacre.layers.base.keywords import CellKeywords
from nacre.layers.recurrent.recurrent_cell import (
    RecurrentCell,
    with_open_forget_gate,
)


@register("layers/SimpleRNNCell")
class SimpleRNNCell(RecurrentCell):
    """One step of a fully connected recurrence.

    Args:
        units: Size of the state.
        activation: Of the new state.
        use_bias: Whether to add a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: First values.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: Applied after each update.
        dropout: Share of the inputs set to zero in training, the same for all steps.
        recurrent_dropout: Share of the state set to zero in training, the same for all steps.
        seed: For the dropout masks.
    Shapes:
        sequence          (batch, features)
        states            a list of (batch, units)
        kernel            (features, units)
        recurrent_kernel  (units, units)
        bias              (units,)
        returns           (batch, units) and the list of new states
    Formula:
        h' = activation(x · kernel + bias + h · recurrent_kernel)
    Example:
        >>> import nacre
        >>> cell = SimpleRNNCell(4)
        >>> output, states = cell(nacre.ops.ones((2, 3)), cell.get_initial_state(2))
        >>> output.shape
        (2, 4)
    """

    def __init__(
        self,
        units: WholeNumber,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Unpack[CellKeywords],
    ) -> None:
        super().__init__(
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            **kwargs,
        )
        self.units = whole_number(self._who(), "units", units)
        self.state_size = self.units
        self.output_size = self.units

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape."""
        units = self.units
        self._make_weights((input_shape[-1], units), (units, units), (units,))

    def call(
        self, sequence: Num[Any, "*batch features"], states: Any, training: Any = False
    ) -> tuple[Float[Any, "*batch units={self.units}"], Any]:
        """One step: the new state, as output and as state."""
        (state,) = self.states_for(sequence, states)
        x, h = self.dropped(sequence, state, training)
        projected = ops.matmul(x, self.kernel)
        if self.bias is not None:
            projected = projected + self.bias
        output = projected + ops.matmul(h, self.recurrent_kernel)
        if self.activation is not None:
            output = self.activation(output)
        return output, [output] if isinstance(states, list | tuple) else output


@register("layers/LSTMCell")
class LSTMCell(RecurrentCell):
    """One step of a long short-term memory.

    Args:
        units: Size of each of the two states.
        activation: Of the candidate and of the cell state on its way out.
        recurrent_activation: Of the three gates.
        use_bias: Whether to add a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: First values.
        unit_forget_bias: Whether the forget gate's bias begins at one.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: Applied after each update.
        dropout: Share of the inputs set to zero in training, the same for all steps and gates.
        recurrent_dropout: Share of the hidden state set to zero in training, likewise.
        seed: For the dropout masks.
    Shapes:
        inputs            (batch, features)
        states            [h, c], each (batch, units)
        kernel            (features, 4 units)    gates in the order input, forget, candidate, output
        recurrent_kernel  (units, 4 units)
        bias              (4 units,)
        returns           (batch, units) and [h', c']
    Formula:
        c' = f · c + i · activation(g);  h' = o · activation(c')
    Source:
        Hochreiter & Schmidhuber 1997; forget bias of one: Jozefowicz et al. 2015, section 2.2.
    Example:
        >>> import nacre
        >>> cell = LSTMCell(4)
        >>> output, states = cell(nacre.ops.ones((2, 3)), cell.get_initial_state(2))
        >>> output.shape, len(states)
        ((2, 4), 2)
    """

    def __init__(
        self,
        units: WholeNumber,
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
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Unpack[CellKeywords],
    ) -> None:
        super().__init__(
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            **kwargs,
        )
        self.units = whole_number(self._who(), "units", units)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]
        self.output_size = self.units

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape."""
        units = self.units
        bias = None
        if self.unit_forget_bias:
            bias = with_open_forget_gate(self.bias_initializer, units)
        gates = 4 * units
        self._make_weights((input_shape[-1], gates), (units, gates), (gates,), bias)

    def call(
        self, inputs: Num[Any, "*batch features"], states: Any, training: Any = False
    ) -> tuple[
        Float[Any, "*batch units={self.units}"], list[Float[Any, "*batch units={self.units}"]]
    ]:
        """One step: the new hidden state, and both new states."""
        h, c = self.states_for(inputs, states)
        x, h = self.dropped(inputs, h, training)
        z = ops.matmul(x, self.kernel) + ops.matmul(h, self.recurrent_kernel)
        if self.bias is not None:
            z = z + self.bias
        i, f, g, o = ops.split(z, 4, axis=-1)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(g)
        h = self.recurrent_activation(o) * self.activation(c)
        return h, [h, c]


@register("layers/GRUCell")
class GRUCell(RecurrentCell):
    """One step of a gated recurrent unit.

    Args:
        units: Size of the state.
        activation: Of the candidate.
        recurrent_activation: Of the two gates.
        use_bias: Whether to add a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: First values.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: Applied after each update.
        dropout: Share of the inputs set to zero in training, the same for all steps and gates.
        recurrent_dropout: Share of the state set to zero in training, likewise.
        reset_after: Whether the reset gate acts after the recurrent product (with a second bias)
            or before it.
        seed: For the dropout masks.
    Shapes:
        inputs            (batch, features)
        states            a list of (batch, units)
        kernel            (features, 3 units)    gates in the order update, reset, candidate
        recurrent_kernel  (units, 3 units)
        bias              (2, 3 units) with reset_after, else (3 units,)
        returns           (batch, units) and the list of new states
    Formula:
        h' = z · h + (1 - z) · activation(candidate)
    Source:
        Cho et al. 2014, arXiv:1406.1078: version 1 for reset_after=True, version 3 for False.
    Example:
        >>> import nacre
        >>> cell = GRUCell(4)
        >>> output, states = cell(nacre.ops.ones((2, 3)), cell.get_initial_state(2))
        >>> output.shape
        (2, 4)
    """

    def __init__(
        self,
        units: WholeNumber,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Unpack[CellKeywords],
    ) -> None:
        super().__init__(
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            **kwargs,
        )
        self.units = whole_number(self._who(), "units", units)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after
        self.state_size = self.units
        self.output_size = self.units

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape."""
        gates = 3 * self.units
        bias = (2, gates) if self.reset_after else (gates,)
        self._make_weights((input_shape[-1], gates), (self.units, gates), bias)

    def call(
        self, inputs: Num[Any, "*batch features"], states: Any, training: Any = False
    ) -> tuple[Float[Any, "*batch units={self.units}"], Any]:
        """One step: the new state, as output and as state."""
        (before,) = self.states_for(inputs, states)
        x, h = self.dropped(inputs, before, training)
        projected = ops.matmul(x, self.kernel)
        if self.bias is not None:
            projected = projected + (self.bias.value[0] if self.reset_after else self.bias)
        x_update, x_reset, x_candidate = ops.split(projected, 3, axis=-1)
        if self.reset_after:
            inner = ops.matmul(h, self.recurrent_kernel)
            if self.bias is not None:
                inner = inner + self.bias.value[1]
            h_update, h_reset, h_candidate = ops.split(inner, 3, axis=-1)
            reset = self.recurrent_activation(x_reset + h_reset)
            candidate = x_candidate + reset * h_candidate
        else:
            recurrent = self.recurrent_kernel.value
            inner = ops.matmul(h, recurrent[:, : 2 * self.units])
            h_update, h_reset = ops.split(inner, 2, axis=-1)
            reset = self.recurrent_activation(x_reset + h_reset)
            candidate = x_candidate + ops.matmul(reset * h, recurrent[:, 2 * self.units :])
        update = self.recurrent_activation(x_update + h_update)
        output = update * before + (1 - update) * self.activation(candidate)
        return output, [output] if isinstance(states, list | tuple) else output
