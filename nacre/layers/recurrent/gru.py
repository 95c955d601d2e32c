"""GRU over whole sequences."""

from __future__ import annotations

from typing import Any, Unpack

from nacre.core.registry import register
from nacre.core.tensors import WholeNumber
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import RecurrentKeywords
from nacre.layers.recurrent.cells import GRUCell
from nacre.layers.recurrent.classic import ClassicRNN, of_cell


@register("layers/GRU")
class GRU(ClassicRNN):
    """Run a gated recurrent unit through sequences.

    Choose it over `LSTM` for nearly the same memory with a quarter less work.

    Args:
        units: Size of the state.
        activation: Of the candidate.
        recurrent_activation: Of the two gates.
        use_bias: Whether to add a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: First values.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer:
            Penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: Applied after each update.
        dropout: Share of the inputs set to zero in training, the same for all steps.
        recurrent_dropout: Share of the hidden state set to zero in training, the same for all
            steps; the loop is slower with it.
        seed: For the dropout masks.
        return_sequences: Whether to return the outputs of all steps instead of the last one.
        return_state: Whether to return the last states too.
        go_backwards: Whether to begin with the last step; outputs come in the order of the work.
        stateful: Whether a batch begins with the states the batch before it ended with.
        unroll: Accepted; a loop on the device is as fast and compiles in less time.
        reset_after: Whether the reset gate acts after the recurrent product (with a second bias)
            or before it.
        use_cudnn: Accepted; the loop is chosen by the platform.
    Shapes:
        sequences         (batch, time, features)
        initial_state     one state, (batch, units)
        mask              (batch, time), True where a step counts
        kernel            (features, 3 units)    gates in the order update, reset, candidate
        recurrent_kernel  (units, 3 units)
        bias              (2, 3 units) with reset_after, else (3 units,)
        returns           (batch, units), or (batch, time, units) with return_sequences; with
                          return_state a tuple of that and h
    Formula:
        h' = z · h + (1 - z) · activation(candidate)
    Source:
        Cho et al. 2014, arXiv:1406.1078: version 1 for reset_after=True, version 3 for False.
    Example:
        >>> import nacre
        >>> GRU(4, return_sequences=True)(nacre.ops.ones((2, 5, 3))).shape
        (2, 5, 4)
    """

    _absent_from_config = ("cell", "use_cudnn")

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
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **kwargs: Unpack[RecurrentKeywords],
    ) -> None:
        cell = GRUCell(
            units=units,
            activation=activation,
            recurrent_activation=recurrent_activation,
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
            reset_after=reset_after,
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="gru_cell",
            implementation=kwargs.pop("implementation", 2),
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=3)
        self.use_cudnn = use_cudnn

    recurrent_activation = of_cell("recurrent_activation", may_change=True)
    reset_after = of_cell("reset_after")
