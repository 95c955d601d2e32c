"""The classic cells over whole sequences, by the fast named ops."""

from __future__ import annotations

from typing import Any

import jax

from nacre import activations
from nacre.core import scope
from nacre.layers.recurrent.cells import GRUCell, LSTMCell, SimpleRNNCell
from nacre.ops import rnn
from nacre.ops.kernels.placement import current_placement


def fits(cell: Any, training: Any) -> bool:
    """Whether an op does exactly what stepping this cell would do."""
    if type(cell) not in (LSTMCell, GRUCell, SimpleRNNCell):
        return False
    return not (training and cell.recurrent_dropout)


def run(
    cell: Any,
    sequences: Any,
    states: Any,
    mask: Any,
    training: Any,
    return_sequences: bool,
    **options: Any,
) -> tuple[Any, Any, Any]:
    """Last output, all outputs or None, last states: as `stepping.run_cell`.

    All in the cell's own dtypes, which the layer around it need not share.
    """
    sequences = cell.as_floats(sequences)
    if (dtype := cell._input_cast()) is not None:
        sequences, states = jax.tree.map(lambda x: x.astype(dtype), (sequences, states))
    masks = cell._drawn_dropout if training else None
    if masks is not None and masks[0] is not None:
        sequences = sequences * masks[0][:, None]  # one mask for all steps
    with scope.autocast(cell._variable_cast()):
        weights = [
            w if w is None else w.value for w in (cell.kernel, cell.recurrent_kernel, cell.bias)
        ]
    options |= {
        "mask": mask,
        "activation": _plain_activation(cell.activation),
        "return_sequences": return_sequences,
        "placement": current_placement(),
    }
    if isinstance(cell, LSTMCell):
        gates = _plain_activation(cell.recurrent_activation)
        outputs, *after = rnn.lstm(
            sequences, *states, *weights, recurrent_activation=gates, **options
        )
    elif isinstance(cell, GRUCell):
        gates = _plain_activation(cell.recurrent_activation)
        outputs, *after = rnn.gru(
            sequences,
            *states,
            *weights,
            recurrent_activation=gates,
            reset_after=cell.reset_after,
            **options,
        )
    else:
        outputs, *after = rnn.simple_rnn(sequences, *states, *weights, **options)
    if return_sequences:
        return (outputs[:, -1] if outputs.shape[1] != 0 else after[0]), outputs, after
    return outputs, None, after


def _plain_activation(activation: Any) -> Any:
    """'tanh' and 'sigmoid' by name, for which the loops have fast gradients; others as they are."""
    if activation is activations.tanh:
        return "tanh"
    return "sigmoid" if activation is activations.sigmoid else activation
