"""Recurrent layers as one operator: LSTM, and plain ones, over a sequence or one step.

What is kept from step to step begins with zeros in each call of a model. LiteRT keeps it from call
to call, as `tf.lite.Interpreter` does here.

Source: lite/kernels/unidirectional_sequence_lstm.cc and its kin, for the order of inputs; Sak et
al. 2014, arXiv:1402.1128, for peepholes and projection; Ba et al. 2016, arXiv:1607.06450, for the
normalization of gates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.wire.tflite import ACTIVATIONS
from nacre.export.importers.litert.quantized import dequantized, quantized
from nacre.export.importers.litert.read import Tensor
from nacre.export.importers.litert.registry import Step, StepError, activation, op


def _state(value: Any, batch: Any, units: int) -> Any:
    """What is kept: zeros for another size of the batch than the file was made for."""
    if value is not None and tuple(value.shape) == (batch, units):
        return jnp.asarray(value)
    return jnp.zeros((batch, units), "float32")


def _taken(gate: Any, x: Any, h: Any, weights: Any, recurrent: Any) -> Any:
    found = jnp.matmul(x, jnp.transpose(weights)) + jnp.matmul(h, jnp.transpose(recurrent))
    return found if gate is None else found + gate


@dataclass
class _Lstm:
    """Weights of one direction, by gate: input, forget, cell, output."""

    weights: Sequence[Any]
    recurrent: Sequence[Any]
    peepholes: Sequence[Any]  # of input, forget, output
    biases: Sequence[Any]
    projection: Sequence[Any]  # weights and bias
    scales: Sequence[Any]  # of the normalization
    which: str
    cell_clip: float
    projection_clip: float
    kept: Sequence[Tensor | None] = (None, None)  # the tensors of the output and of the cell

    @property
    def units(self) -> int:
        return int(self.weights[1].shape[0])

    @property
    def outputs(self) -> int:
        kernel = self.projection[0]
        return self.units if kernel is None else int(kernel.shape[0])

    def _gate(self, i: int, x: Any, h: Any, cell: Any) -> Any:
        found = _taken(None, x, h, self.weights[i], self.recurrent[i])
        peephole = {0: 0, 1: 1, 3: 2}.get(i)
        if peephole is not None and self.peepholes[peephole] is not None:
            found = found + cell * self.peepholes[peephole]
        if self.scales[i] is not None:
            mean = jnp.mean(found, -1, keepdims=True)
            variance = jnp.mean((found - mean) ** 2, -1, keepdims=True)
            found = (found - mean) / jnp.sqrt(variance + 1e-8) * self.scales[i]
        return found if self.biases[i] is None else found + self.biases[i]

    def step(self, x: Any, h: Any, cell: Any) -> tuple[Any, Any]:
        """The output and the cell after one step."""
        forget = jax.nn.sigmoid(self._gate(1, x, h, cell))
        if self.weights[0] is None:  # the two are one gate
            enter = 1 - forget
        else:
            enter = jax.nn.sigmoid(self._gate(0, x, h, cell))
        new = activation(self.which, self._gate(2, x, h, cell))
        cell = forget * cell + enter * new
        if self.cell_clip > 0:
            cell = jnp.clip(cell, -self.cell_clip, self.cell_clip)
        cell = _as_kept(cell, self.kept[1])
        out = jax.nn.sigmoid(self._gate(3, x, h, cell)) * activation(self.which, cell)
        kernel, bias = self.projection
        if kernel is not None:
            out = jnp.matmul(out, jnp.transpose(kernel))
            out = out if bias is None else out + bias
            if self.projection_clip > 0:
                out = jnp.clip(out, -self.projection_clip, self.projection_clip)
        return _as_kept(out, self.kept[0]), cell


def _as_kept(value: Any, tensor: Tensor | None) -> Any:
    """Floats as whole numbers keep them, which end somewhere."""
    if tensor is None or tensor.scales is None:
        return value
    return dequantized(quantized(value, tensor), tensor)


def _lstm_of(step: Step, values: Sequence[Any], scales: Sequence[Any]) -> _Lstm:
    """From the 17 inputs that all forms have in this order."""
    which = step["fused_activation_function"]
    if not 0 <= which < len(ACTIVATIONS):
        raise StepError(f"activation {which}")
    return _Lstm(
        values[0:4], values[4:8], values[8:11], values[11:15], values[15:17], scales,
        ACTIVATIONS[which], float(step["cell_clip"]), float(step["proj_clip"]),
    )  # fmt: skip


def _over_time(cell: Any, x: Any, state: Any, is_backward: bool) -> tuple[Any, Any]:
    """All steps; x: [time, batch, features]."""

    def advance(state: Any, now: Any) -> Any:
        new = cell(now, *state)
        return new, new[0]

    last, outputs = jax.lax.scan(advance, tuple(state), x, reverse=is_backward)
    return outputs, last


def _padded(values: Sequence[Any], count: int) -> list[Any]:
    return [*values, *[None] * (count - len(values))]


@op("UNIDIRECTIONAL_SEQUENCE_LSTM", weights=range(1, 18))
def _sequence_lstm(step: Step, x: Any, *values: Any) -> Any:
    values = tuple(_padded(values, 23))
    lstm, time_major = _lstm_of(step, values, values[19:23]), bool(step["time_major"])
    lstm.kept = step.inputs[18:20]
    x = jnp.asarray(x) if time_major else jnp.swapaxes(jnp.asarray(x), 0, 1)
    batch = x.shape[1]
    state = _state(values[17], batch, lstm.outputs), _state(values[18], batch, lstm.units)
    found, last = _over_time(lstm.step, x, state, False)
    for place, value in zip(step.operator.inputs[18:20], last, strict=False):
        step.run.keep(place, value)
    return found if time_major else jnp.swapaxes(found, 0, 1)


@op("BIDIRECTIONAL_SEQUENCE_LSTM", weights=range(1, 35))
def _both_lstm(step: Step, x: Any, *values: Any) -> list[Any]:
    values = tuple(_padded(values, 47))
    if any(v is not None for v in values[38:47]):
        raise StepError("an auxiliary input")
    time_major = bool(step.operator.options.get("time_major", True))
    x = jnp.asarray(x) if time_major else jnp.swapaxes(jnp.asarray(x), 0, 1)
    found = []
    for start, at, is_backward in ((0, 34, False), (17, 36, True)):
        lstm = _lstm_of(step, values[start : start + 17], [None] * 4)
        state = (
            _state(values[at], x.shape[1], lstm.outputs),
            _state(values[at + 1], x.shape[1], lstm.units),
        )
        outputs, last = _over_time(lstm.step, x, state, is_backward)
        for place, value in zip(step.operator.inputs[at + 1 : at + 3], last, strict=False):
            step.run.keep(place, value)
        found.append(outputs if time_major else jnp.swapaxes(outputs, 0, 1))
    return [jnp.concatenate(found, -1)] if step["merge_outputs"] else found


@op("LSTM", weights=range(1, 18))
def _lstm(step: Step, x: Any, *values: Any) -> list[Any]:
    x = jnp.asarray(x)
    if int(step["kernel_type"]) == 1 or len(values) == 4:  # the basic one: all in one product
        h, kernel, bias, cell = values
        gates = jnp.matmul(jnp.concatenate([x, h], -1), jnp.transpose(kernel)) + bias
        enter, new, forget, out = jnp.split(gates, 4, -1)
        cell = jax.nn.sigmoid(enter) * jnp.tanh(new) + jax.nn.sigmoid(forget) * cell
        h = jax.nn.sigmoid(out) * jnp.tanh(cell)
        return [h, cell, jnp.concatenate([x, values[0]], -1), gates][: len(step.outputs)]
    values = tuple(_padded(values, 23))
    lstm, batch = _lstm_of(step, values, values[19:23]), x.shape[0]
    last = lstm.step(
        x, _state(values[17], batch, lstm.outputs), _state(values[18], batch, lstm.units)
    )
    for place, value in zip(step.operator.inputs[18:20], last, strict=False):
        step.run.keep(place, value)
    return [last[0]]


# --- plain ones -----------------------------------------------------------------------------------


def _plain(step: Step, weights: Any, recurrent: Any, bias: Any) -> Any:
    def cell(x: Any, h: Any) -> tuple[Any]:
        return (step.activated(_taken(bias, x, h, weights, recurrent)),)

    return cell


@op("RNN", weights=[1, 2, 3])
def _rnn(step: Step, x: Any, weights: Any, recurrent: Any, bias: Any, state: Any) -> Any:
    x = jnp.asarray(x)
    kept = _state(state, x.shape[0], int(weights.shape[0]))
    (found,) = _plain(step, weights, recurrent, bias)(x, kept)
    step.run.keep(step.operator.inputs[4], found)
    return found


@op("UNIDIRECTIONAL_SEQUENCE_RNN", weights=[1, 2, 3])
def _sequence_rnn(step: Step, x: Any, weights: Any, recurrent: Any, bias: Any, state: Any) -> Any:
    time_major = bool(step["time_major"])
    x = jnp.asarray(x) if time_major else jnp.swapaxes(jnp.asarray(x), 0, 1)
    kept = _state(state, x.shape[1], int(weights.shape[0]))
    found, (last,) = _over_time(_plain(step, weights, recurrent, bias), x, [kept], False)
    step.run.keep(step.operator.inputs[4], last)
    return found if time_major else jnp.swapaxes(found, 0, 1)


@op("BIDIRECTIONAL_SEQUENCE_RNN", weights=[1, 2, 3, 5, 6, 7])
def _both_rnn(step: Step, x: Any, *values: Any) -> list[Any]:
    if any(v is not None for v in values[8:]):
        raise StepError("an auxiliary input")
    time_major = bool(step["time_major"])
    x = jnp.asarray(x) if time_major else jnp.swapaxes(jnp.asarray(x), 0, 1)
    found = []
    for start, is_backward in ((0, False), (4, True)):
        weights, recurrent, bias, state = values[start : start + 4]
        kept = _state(state, x.shape[1], int(weights.shape[0]))
        cell = _plain(step, weights, recurrent, bias)
        outputs, (last,) = _over_time(cell, x, [kept], is_backward)
        step.run.keep(step.operator.inputs[start + 4], last)
        found.append(outputs if time_major else jnp.swapaxes(outputs, 0, 1))
    return [jnp.concatenate(found, -1)] if step["merge_outputs"] else found
