"""The formula of the fully connected recurrence, forward and backward."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from nacre.ops.kernels.recurrent_loops import Cell, dot, input_gradients, outer, project

Function = Callable[[Array], Array]


def _project(x, weights):
    return project(x, weights[0], weights[2]), weights[1]


def _step(recurrent_kernel, states, projected):
    return (jnp.tanh(projected + dot(states[0], recurrent_kernel)),), None


def _unstep(transposed, d_states, saved, states, previous):
    d_inner = d_states[0] * (1 - states[0] * states[0])
    return (dot(d_inner, transposed),), d_inner


def _collect(x, previous_h, saved, d_inner, weights):
    kernel, _, bias = weights
    d_x, d_kernel, d_bias = input_gradients(x, d_inner, kernel, bias)
    return d_x, (d_kernel, outer(previous_h, d_inner), d_bias)


SIMPLE_CELL = Cell(_project, _step, lambda weights: weights[1].T, _unstep, _collect)


@functools.lru_cache(maxsize=64)
def plain_simple(activation: Function) -> Cell:
    """The same with another activation, by autodiff."""

    def step(recurrent_kernel, states, projected):
        return (activation(projected + dot(states[0], recurrent_kernel)),), None

    return Cell(_project, step)
