"""The formulas of the long short-term memory, forward and backward."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from nacre.ops.kernels.recurrent_loops import Cell, dot, input_gradients, outer, project

Function = Callable[[Array], Array]


def _scales(units: int, dtype: Any) -> Array:
    """0.5 for the sigmoid gates, 1 for the candidate: sigmoid(z) = 0.5 tanh(0.5 z) + 0.5."""
    return jnp.repeat(jnp.array([0.5, 0.5, 1.0, 0.5], dtype), units)


def _project(x, weights):
    kernel, recurrent_kernel, bias = weights
    # Exact: the scales are powers of two.
    scale = lambda w: w * _scales(recurrent_kernel.shape[0], w.dtype)
    return project(x, scale(kernel), None if bias is None else scale(bias)), scale(recurrent_kernel)


def _step(recurrent_kernel, states, projected):
    h, c = states
    scales = _scales(h.shape[-1], projected.dtype)
    gates = jnp.tanh(projected + dot(h, recurrent_kernel)) * scales + (1 - scales)
    i, f, g, o = jnp.split(gates, 4, -1)
    c = f * c + i * g
    return (o * jnp.tanh(c), c), gates


def _unstep(transposed, d_states, gates, states, previous):
    d_h, d_c = d_states
    i, f, g, o = jnp.split(gates, 4, -1)
    c_tanh = jnp.tanh(states[1])
    d_c = d_c + d_h * o * (1 - c_tanh * c_tanh)
    d_gates = jnp.concatenate(
        [
            d_c * g * i * (1 - i),
            d_c * previous[1] * f * (1 - f),
            d_c * i * (1 - g * g),
            d_h * c_tanh * o * (1 - o),
        ],
        -1,
    )
    return (dot(d_gates, transposed), d_c * f), d_gates


def _collect(x, previous_h, saved, d_gates, weights):
    kernel, _, bias = weights
    d_x, d_kernel, d_bias = input_gradients(x, d_gates, kernel, bias)
    return d_x, (d_kernel, outer(previous_h, d_gates), d_bias)


LSTM_CELL = Cell(_project, _step, lambda weights: weights[1].T, _unstep, _collect)


@functools.lru_cache(maxsize=64)
def plain_lstm(activation: Function, recurrent_activation: Function) -> Cell:
    """The same with other activations, by autodiff."""

    def step(recurrent_kernel, states, projected):
        h, c = states
        i, f, g, o = jnp.split(projected + dot(h, recurrent_kernel), 4, -1)
        c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)
        return (recurrent_activation(o) * activation(c), c), None

    return Cell(lambda x, weights: (project(x, weights[0], weights[2]), weights[1]), step)
