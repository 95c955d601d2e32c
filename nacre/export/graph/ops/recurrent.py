"""Recurrences over whole sequences.

In all of them x is (batch, time, features), states are (batch, units), and the mask (batch, time)
of bool says which steps count: one that does not keeps the states and repeats the last output,
zeros before the first that counts, or gives zeros with `zero_output_for_mask`. `reverse` starts at
the last step, and gives outputs in the order of the work, last step first. Outputs are those of all
steps, (batch, time, units), with `return_sequences`, else the last one. Activations are names of
ops with one input, or 'linear'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.export.graph.opset import OPSET, Array, Bool, Str, Type, op
from nacre.export.graph.rules import common_dtype, require, same_size

Step = Callable[..., tuple[Array, ...]]


def is_activation(name: str) -> bool:
    """Whether a recurrence may use it: an op of one input, without attributes, or 'linear'."""
    spec = OPSET.get(name)
    plain = spec is not None and len(spec.inputs) == 1 and not spec.attributes and not spec.variadic
    return name == "linear" or plain


def _activation(name: str) -> Callable[[Array], Array]:
    return (lambda x: x) if name == "linear" else OPSET[name].formula


def _rule(gates: int, states: int, biases: int) -> Callable[[Any, Any], tuple[Type, ...]]:
    """The rule of a recurrence with so many gates and states, and such a bias."""

    def rule(types: Any, attributes: Any) -> tuple[Type, ...]:
        x, (kernel, recurrent, bias, mask) = types[0], types[1 + states :]
        require(len(x.shape) == 3, f"(batch, time, features) is needed, not {x}")
        dtype = common_dtype((*types[: 3 + states], bias))
        units = recurrent.shape[0]
        require(recurrent.shape == (units, gates * units), f"recurrent kernel {recurrent}")
        fits = len(kernel.shape) == 2 and kernel.shape[1] == gates * units
        require(fits and same_size(kernel.shape[0], x.shape[2]), f"kernel {kernel} for {x}")
        if bias is not None:
            both = biases == 2 and attributes["reset_after"]
            wanted = (2, gates * units) if both else (gates * units,)
            require(bias.shape == wanted, f"the bias must be {wanted}, not {bias}")
        require(mask is None or (mask.dtype == "bool" and len(mask.shape) == 2), f"mask {mask}")
        for name in ("activation", "recurrent_activation"):
            chosen = attributes.get(name, "linear")
            require(is_activation(chosen), f"{name} {chosen!r} is no op of one input")
        state = Type(dtype, (x.shape[0], units))
        time = (x.shape[1],) if attributes["return_sequences"] else ()
        return (Type(dtype, (x.shape[0], *time, units)), *[state] * states)

    return rule


def _run(
    step: Step, x: Array, states: tuple[Array, ...], mask: Array | None, attributes: Any
) -> tuple[Array, ...]:
    """The outputs and last states; the first state is the output."""
    dtype = x.dtype
    states = tuple(s.astype(np.promote_types(dtype, "float32")) for s in states)
    output, outputs = np.zeros_like(states[0]), []
    times = range(x.shape[1])
    for t in reversed(times) if attributes["reverse"] else times:
        new = step(x[:, t], *states)
        counts = np.ones((len(x), 1), bool) if mask is None else mask[:, t, None]
        states = tuple(np.where(counts, n, s) for n, s in zip(new, states))
        skipped = np.zeros_like(output) if attributes["zero_output_for_mask"] else output
        output = np.where(counts, new[0], skipped)
        outputs.append(output)
    if not attributes["return_sequences"]:
        kept = output
    else:
        kept = np.stack(outputs, 1) if outputs else np.zeros((len(x), 0, states[0].shape[1]))
    return tuple(v.astype(dtype) for v in (kept, *states))


@op(shapes=_rule(4, 2, 1))
def lstm(
    x: Array,
    h0: Array,
    c0: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None = None,
    mask: Array | None = None,
    *,
    activation: Str,
    recurrent_activation: Str,
    reverse: Bool,
    return_sequences: Bool,
    zero_output_for_mask: Bool,
) -> Any:
    """A long short-term memory: outputs, last hidden and last cell state. Kernels (features,
    4 units) and (units, 4 units), bias (4 units,): gates input, forget, candidate, output.
    c' = f · c + i · activation(g); h' = o · activation(c')."""
    inner, gate = _activation(activation), _activation(recurrent_activation)
    added = 0 if bias is None else bias

    def step(x: Array, h: Array, c: Array) -> tuple[Array, ...]:
        i, f, g, o = np.split(x @ kernel + h @ recurrent_kernel + added, 4, -1)
        c = gate(f) * c + gate(i) * inner(g)
        return gate(o) * inner(c), c

    attributes = {
        "reverse": reverse,
        "return_sequences": return_sequences,
        "zero_output_for_mask": zero_output_for_mask,
    }
    return _run(step, x, (h0, c0), mask, attributes)


@op(shapes=_rule(3, 1, 2))
def gru(
    x: Array,
    h0: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None = None,
    mask: Array | None = None,
    *,
    activation: Str,
    recurrent_activation: Str,
    reset_after: Bool,
    reverse: Bool,
    return_sequences: Bool,
    zero_output_for_mask: Bool,
) -> Any:
    """A gated recurrent unit: outputs and last state. Kernels (features, 3 units) and (units,
    3 units): gates update, reset, candidate. With `reset_after` the bias is (2, 3 units), of the
    inputs and of the recurrence, and the reset gate is applied to the candidate's part of the
    recurrent product and bias; without it the bias is (3 units,), and the gate is applied to h
    before the product. h' = z · h + (1 - z) · activation(candidate)."""
    inner, gate = _activation(activation), _activation(recurrent_activation)
    units = recurrent_kernel.shape[0]
    outside, inside = (0, 0) if bias is None else tuple(bias) if reset_after else (bias, 0)

    def step(x: Array, h: Array) -> tuple[Array, ...]:
        given = x @ kernel + outside
        if reset_after:
            recurrent = h @ recurrent_kernel + inside
            z, r = np.split(gate((given + recurrent)[:, : 2 * units]), 2, -1)
            candidate = given[:, 2 * units :] + r * recurrent[:, 2 * units :]
        else:
            both = given[:, : 2 * units] + h @ recurrent_kernel[:, : 2 * units]
            z, r = np.split(gate(both), 2, -1)
            candidate = given[:, 2 * units :] + (r * h) @ recurrent_kernel[:, 2 * units :]
        return (z * h + (1 - z) * inner(candidate),)

    attributes = {
        "reverse": reverse,
        "return_sequences": return_sequences,
        "zero_output_for_mask": zero_output_for_mask,
    }
    return _run(step, x, (h0,), mask, attributes)


@op(shapes=_rule(1, 1, 1))
def simple_rnn(
    x: Array,
    h0: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None = None,
    mask: Array | None = None,
    *,
    activation: Str,
    reverse: Bool,
    return_sequences: Bool,
    zero_output_for_mask: Bool,
) -> Any:
    """A fully connected recurrence: outputs and last state.
    h' = activation(x · kernel + h · recurrent_kernel + bias)."""
    inner, added = _activation(activation), 0 if bias is None else bias

    def step(x: Array, h: Array) -> tuple[Array, ...]:
        return (inner(x @ kernel + h @ recurrent_kernel + added),)

    attributes = {
        "reverse": reverse,
        "return_sequences": return_sequences,
        "zero_output_for_mask": zero_output_for_mask,
    }
    return _run(step, x, (h0,), mask, attributes)
