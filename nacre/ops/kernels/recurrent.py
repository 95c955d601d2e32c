"""LSTM, GRU and simple RNN over a whole sequence, with one big product per weight gradient.

Three ways to run them, chosen where a program is traced: a kernel in C++ that does the whole
sequence in one call (CPU, when there is a compiler), scans with a gradient of their own, and scans
with autodiff (activations other than tanh and sigmoid, and `NACRE_KERNELS=xla`).
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from nacre.ops.kernels import placement as places
from nacre.ops.kernels import recurrent_native as native
from nacre.ops.kernels.recurrent_gru import (
    GRU_AFTER_CELL,
    GRU_BEFORE_CELL,
    plain_gru_after,
    plain_gru_before,
)
from nacre.ops.kernels.recurrent_loops import run
from nacre.ops.kernels.recurrent_lstm import LSTM_CELL, plain_lstm
from nacre.ops.kernels.recurrent_simple import SIMPLE_CELL, plain_simple

Activation = str | Callable[[Array], Array]


def lstm(
    x: Array,
    h0: Array,
    c0: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None,
    *,
    activation: Activation = "tanh",
    recurrent_activation: Activation = "sigmoid",
    mask: Array | None = None,
    reverse: bool = False,
    return_sequences: bool = False,
    zero_output_for_mask: bool = False,
    placement: places.Placement = "plain",
) -> tuple[Array, Array, Array]:
    """Run a long short-term memory over a sequence.

    Args:
        bias: None for no bias.
        activation: `'tanh'` (or `jax.numpy.tanh`) takes the fast gradient; any callable works.
        recurrent_activation: `'sigmoid'` (or `jax.nn.sigmoid`) likewise, for the three gates.
        mask: True where a step counts. A step that does not count keeps the states and repeats the
            last output (zeros before the first step that counts).
        reverse: Start at the last step. Outputs come in the order of the work, last step first.
        zero_output_for_mask: Put zeros, not the last output, where the mask is False.
        placement: Not `'plain'` in a program of nacre's own, which runs on this machine: results
            without gradients may then come from the compiled kernel too. Others may be exported.
    Shapes:
        x                 (batch, time, features)
        h0, c0            (batch, units)
        kernel            (features, 4 units)     order: input, forget, candidate, output
        recurrent_kernel  (units, 4 units)
        bias              (4 units,)
        mask              (batch, time)           bool
        returns           outputs (batch, time, units) or (batch, units); h, c (batch, units)
    Formula:
        c' = f · c + i · activation(g);  h' = o · activation(c')
    Precision:
        States and gates are float32 for 16-bit inputs; results are cast back.
    Source:
        Hochreiter & Schmidhuber 1997; gate order and mask rule as in Keras 3.
    """
    weights, options = (kernel, recurrent_kernel, bias), (return_sequences, zero_output_for_mask)
    classic = _is_fast(activation, recurrent_activation)
    cell = LSTM_CELL
    if not classic:
        cell = plain_lstm(_callable(activation), _callable(recurrent_activation))
    kernel_of = native.kernel("lstm", cell, x, weights, placement, classic)
    outputs, (h, c) = run(cell, kernel_of, x, (h0, c0), weights, mask, reverse, *options)
    return outputs, h, c


def gru(
    x: Array,
    h0: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None,
    *,
    activation: Activation = "tanh",
    recurrent_activation: Activation = "sigmoid",
    reset_after: bool = True,
    mask: Array | None = None,
    reverse: bool = False,
    return_sequences: bool = False,
    zero_output_for_mask: bool = False,
    placement: places.Placement = "plain",
) -> tuple[Array, Array]:
    """Run a gated recurrent unit over a sequence.

    Args:
        reset_after: True applies the reset gate after the recurrent product (one product a step,
            and a second row of bias); False before it (two products a step).
        activation, recurrent_activation, mask, reverse: As in `lstm`.
        zero_output_for_mask, placement: As in `lstm`.
    Shapes:
        x                 (batch, time, features)
        h0                (batch, units)
        kernel            (features, 3 units)     gates in the order update, reset, candidate
        recurrent_kernel  (units, 3 units)
        bias              (2, 3 units) with reset_after, else (3 units,)
        returns           outputs (batch, time, units) or (batch, units), h (batch, units)
    Formula:
        h' = z · h + (1 - z) · activation(candidate)
    Source:
        Cho et al. 2014, arXiv:1406.1078 (v1 for reset_after=True); gate order as in Keras 3.
    """
    weights, options = (kernel, recurrent_kernel, bias), (return_sequences, zero_output_for_mask)
    classic = _is_fast(activation, recurrent_activation)
    if classic:
        cell = GRU_AFTER_CELL if reset_after else GRU_BEFORE_CELL
    else:
        plain = plain_gru_after if reset_after else plain_gru_before
        cell = plain(_callable(activation), _callable(recurrent_activation))
    kernel_of = native.kernel("gru", cell, x, weights, placement, classic and reset_after)
    outputs, (h,) = run(cell, kernel_of, x, (h0,), weights, mask, reverse, *options)
    return outputs, h


def simple_rnn(
    x: Array,
    h0: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None,
    *,
    activation: Activation = "tanh",
    mask: Array | None = None,
    reverse: bool = False,
    return_sequences: bool = False,
    zero_output_for_mask: bool = False,
    placement: places.Placement = "plain",
) -> tuple[Array, Array]:
    """Run a fully connected recurrence, h' = activation(x · kernel + h · recurrent_kernel + bias).

    Args:
        activation, mask, reverse, zero_output_for_mask, placement: As in `lstm`.
    Shapes:
        x                 (batch, time, features)
        h0                (batch, units)
        kernel            (features, units)
        recurrent_kernel  (units, units)
        bias              (units,)
        returns           outputs (batch, time, units) or (batch, units), h (batch, units)
    """
    weights, options = (kernel, recurrent_kernel, bias), (return_sequences, zero_output_for_mask)
    classic = _is_fast(activation)
    cell = SIMPLE_CELL if classic else plain_simple(_callable(activation))
    kernel_of = native.kernel("simple", cell, x, weights, placement, classic)
    outputs, (h,) = run(cell, kernel_of, x, (h0,), weights, mask, reverse, *options)
    return outputs, h


def _is_fast(activation: Activation, recurrent_activation: Activation = "sigmoid") -> bool:
    """Tell whether the cell is the classic one, for which there are gradients by hand."""
    classic = _is_tanh(activation) and _is_sigmoid(recurrent_activation)
    return classic and not places.uses_plain_xla()


def _is_tanh(activation: Activation) -> bool:
    return activation == "tanh" or activation is jnp.tanh or activation is lax.tanh


def _is_sigmoid(activation: Activation) -> bool:
    return activation == "sigmoid" or activation is jax.nn.sigmoid or activation is lax.logistic


def _callable(activation: Activation) -> Callable[[Array], Array]:
    if callable(activation):
        return activation
    names = {
        "tanh": jnp.tanh,
        "sigmoid": jax.nn.sigmoid,
        "linear": lambda x: x,
        "relu": jax.nn.relu,
    }
    if activation not in names:
        raise ValueError(
            f"recurrent kernel: activation must be callable or one of {sorted(names)}. "
            f"Got {activation!r}. Pass the function itself."
        )
    return names[activation]
