"""LSTM, GRU and simple recurrence over whole sequences, for the layers of those names.

The loops and their gradients are in `kernels/recurrent.py`; here they become named ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Tensor, array, floating
from nacre.ops._define import Family
from nacre.ops.kernels import recurrent
from nacre.ops.kernels.placement import Placement

op = Family("numpy", masks=masks.HAS_AN_ARGUMENT, is_listed=False)

Activation = str | Callable[[Any], Any]


def _arrays(*values: Tensor) -> list[Any]:
    return [None if value is None else floating(value) for value in values]


def _mask(mask: Tensor) -> Any:
    return None if mask is None else array(mask).astype(bool)


@op(composite=True, lowering=("placement",))
def lstm(
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor = None,
    mask: Tensor = None,
    activation: Activation = "tanh",
    recurrent_activation: Activation = "sigmoid",
    reverse: bool = False,
    return_sequences: bool = False,
    zero_output_for_mask: bool = False,
    placement: Placement = "plain",
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A long short-term memory over a sequence: outputs, last hidden and last cell state.

    Shapes:
        x                 (batch, time, features)
        h0, c0            (batch, units)
        kernel            (features, 4 units), gates input, forget, candidate, output
        recurrent_kernel  (units, 4 units)
        bias              (4 units,)
        mask              (batch, time), True where a step counts
    """
    return recurrent.lstm(
        *_arrays(x, h0, c0, kernel, recurrent_kernel, bias),
        activation=activation,
        recurrent_activation=recurrent_activation,
        mask=_mask(mask),
        reverse=reverse,
        return_sequences=return_sequences,
        zero_output_for_mask=zero_output_for_mask,
        placement=placement,
    )


@op(composite=True, lowering=("placement",))
def gru(
    x: Tensor,
    h0: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor = None,
    mask: Tensor = None,
    activation: Activation = "tanh",
    recurrent_activation: Activation = "sigmoid",
    reset_after: bool = True,
    reverse: bool = False,
    return_sequences: bool = False,
    zero_output_for_mask: bool = False,
    placement: Placement = "plain",
) -> tuple[jax.Array, jax.Array]:
    """A gated recurrent unit over a sequence: outputs and last state.

    Shapes:
        x                 (batch, time, features)
        h0                (batch, units)
        kernel            (features, 3 units), gates update, reset, candidate
        recurrent_kernel  (units, 3 units)
        bias              (2, 3 units) with reset_after, else (3 units,)
        mask              (batch, time), True where a step counts
    """
    return recurrent.gru(
        *_arrays(x, h0, kernel, recurrent_kernel, bias),
        activation=activation,
        recurrent_activation=recurrent_activation,
        reset_after=reset_after,
        mask=_mask(mask),
        reverse=reverse,
        return_sequences=return_sequences,
        zero_output_for_mask=zero_output_for_mask,
        placement=placement,
    )


@op(composite=True, lowering=("placement",))
def simple_rnn(
    x: Tensor,
    h0: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor = None,
    mask: Tensor = None,
    activation: Activation = "tanh",
    reverse: bool = False,
    return_sequences: bool = False,
    zero_output_for_mask: bool = False,
    placement: Placement = "plain",
) -> tuple[jax.Array, jax.Array]:
    """A fully connected recurrence over a sequence: outputs and last state.

    Shapes:
        x                 (batch, time, features)
        h0                (batch, units)
        kernel            (features, units)
        recurrent_kernel  (units, units)
        bias              (units,)
        mask              (batch, time), True where a step counts
    """
    return recurrent.simple_rnn(
        *_arrays(x, h0, kernel, recurrent_kernel, bias),
        activation=activation,
        mask=_mask(mask),
        reverse=reverse,
        return_sequences=return_sequences,
        zero_output_for_mask=zero_output_for_mask,
        placement=placement,
    )


__all__, __dir__ = op.shown()
