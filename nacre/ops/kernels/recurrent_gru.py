"""The formulas of the gated recurrent unit, with the reset gate after and before the product."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from nacre.ops.kernels.recurrent_loops import (
    Cell,
    dot,
    input_gradients,
    outer,
    project,
    rows,
    sigmoid,
)

# --- GRU, reset gate after the product ------------------------------------------------------------


Function = Callable[[Array], Array]


def _bias_rows(bias: Array | None) -> tuple[Array | None, Array | None]:
    return (None, None) if bias is None else (bias[0], bias[1])


def _after_project(x, weights):
    kernel, recurrent_kernel, bias = weights
    input_bias, recurrent_bias = _bias_rows(bias)
    return project(x, kernel, input_bias), (recurrent_kernel, recurrent_bias)


def _after_parts(loop_weights, h, projected):
    """Return gate inputs (2 units), the candidate's input part and its recurrent part."""
    recurrent_kernel, recurrent_bias = loop_weights
    inner = dot(h, recurrent_kernel)
    if recurrent_bias is not None:
        inner = inner + recurrent_bias.astype(inner.dtype)
    split = 2 * h.shape[-1]
    return projected[:, :split] + inner[:, :split], projected[:, split:], inner[:, split:]


def _after_step(loop_weights, states, projected):
    (h,) = states
    gates, outside, inside = _after_parts(loop_weights, h, projected)
    gates = sigmoid(gates)
    z, r = jnp.split(gates, 2, -1)
    candidate = jnp.tanh(outside + r * inside)
    return (candidate + z * (h - candidate),), (gates, candidate, inside)


def _after_unstep(transposed, d_states, saved, states, previous):
    (d_h,) = d_states
    gates, candidate, inside = saved
    z, r = jnp.split(gates, 2, -1)
    d_candidate = d_h * (1 - z) * (1 - candidate * candidate)
    d_z = d_h * (previous[0] - candidate) * z * (1 - z)
    d_r = d_candidate * inside * r * (1 - r)
    d_inner = jnp.concatenate([d_z, d_r, d_candidate * r], -1)
    return (d_h * z + dot(d_inner, transposed),), (d_inner, d_candidate)


def _after_collect(x, previous_h, saved, d_steps, weights):
    kernel, _, bias = weights
    d_inner, d_candidate = d_steps
    split = 2 * d_candidate.shape[-1]
    d_projected = jnp.concatenate([d_inner[..., :split], d_candidate], -1)
    d_x, d_kernel, d_bias = input_gradients(
        x, d_projected, kernel, None if bias is None else bias[0]
    )
    if d_bias is not None:
        d_bias = jnp.stack([d_bias, rows(d_inner).sum(0)])
    return d_x, (d_kernel, outer(previous_h, d_inner), d_bias)


GRU_AFTER_CELL = Cell(
    _after_project,
    _after_step,
    lambda weights: weights[1].T,
    _after_unstep,
    _after_collect,
)


@functools.lru_cache(maxsize=64)
def plain_gru_after(activation: Function, recurrent_activation: Function) -> Cell:
    """The same with other activations, by autodiff."""

    def step(loop_weights, states, projected):
        (h,) = states
        gates, outside, inside = _after_parts(loop_weights, h, projected)
        z, r = jnp.split(recurrent_activation(gates), 2, -1)
        return (z * h + (1 - z) * activation(outside + r * inside),), None

    return Cell(_after_project, step)


# --- GRU, reset gate before the product -----------------------------------------------------------


def _before_project(x, weights):
    kernel, recurrent_kernel, bias = weights
    return project(x, kernel, bias), _before_kernels(recurrent_kernel)


def _before_kernels(recurrent_kernel):
    split = 2 * recurrent_kernel.shape[0]
    return recurrent_kernel[:, :split], recurrent_kernel[:, split:]


def _before_step(loop_weights, states, projected):
    (h,) = states
    gate_kernel, candidate_kernel = loop_weights
    split = 2 * h.shape[-1]
    gates = sigmoid(projected[:, :split] + dot(h, gate_kernel))
    z, r = jnp.split(gates, 2, -1)
    candidate = jnp.tanh(projected[:, split:] + dot(r * h, candidate_kernel))
    return (candidate + z * (h - candidate),), (gates, candidate)


def _before_transpose(weights):
    return tuple(part.T for part in _before_kernels(weights[1]))


def _before_unstep(transposed, d_states, saved, states, previous):
    (d_h,), (h,) = d_states, previous
    gates, candidate = saved
    z, r = jnp.split(gates, 2, -1)
    d_candidate = d_h * (1 - z) * (1 - candidate * candidate)
    d_reset_h = dot(d_candidate, transposed[1])
    d_gates = jnp.concatenate(
        [d_h * (h - candidate) * z * (1 - z), d_reset_h * h * r * (1 - r)], -1
    )
    d_previous = d_h * z + d_reset_h * r + dot(d_gates, transposed[0])
    return (d_previous,), jnp.concatenate([d_gates, d_candidate], -1)


def _before_collect(x, previous_h, saved, d_projected, weights):
    kernel, _, bias = weights
    d_x, d_kernel, d_bias = input_gradients(x, d_projected, kernel, bias)
    units = previous_h.shape[-1]
    reset = saved[0][..., units:]
    d_gate_kernel = outer(previous_h, d_projected[..., : 2 * units])
    d_candidate_kernel = outer(reset * previous_h, d_projected[..., 2 * units :])
    return d_x, (d_kernel, jnp.concatenate([d_gate_kernel, d_candidate_kernel], -1), d_bias)


GRU_BEFORE_CELL = Cell(
    _before_project,
    _before_step,
    _before_transpose,
    _before_unstep,
    _before_collect,
)


@functools.lru_cache(maxsize=64)
def plain_gru_before(activation: Function, recurrent_activation: Function) -> Cell:
    """The same with other activations, by autodiff."""

    def step(loop_weights, states, projected):
        (h,) = states
        gate_kernel, candidate_kernel = loop_weights
        split = 2 * h.shape[-1]
        z, r = jnp.split(recurrent_activation(projected[:, :split] + dot(h, gate_kernel)), 2, -1)
        candidate = activation(projected[:, split:] + dot(r * h, candidate_kernel))
        return (z * h + (1 - z) * candidate,), None

    return Cell(_before_project, step)
