"""RNN, LSTM, GRU: all directions, with lengths, peepholes, clipping, every activation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.values import GraphError

Function = Callable[[Any], Any]

# Name -> function of x, alpha, beta, and their defaults.
_ACTIVATIONS: dict[str, tuple[Callable[[Any, float, float], Any], float, float]] = {
    "affine": (lambda x, a, b: a * x + b, 1.0, 0.0),
    "elu": (lambda x, a, b: jnp.where(x > 0, x, a * jnp.expm1(x)), 1.0, 0.0),
    "hardsigmoid": (lambda x, a, b: jnp.clip(a * x + b, 0, 1), 0.2, 0.5),
    "leakyrelu": (lambda x, a, b: jnp.where(x >= 0, x, a * x), 0.01, 0.0),
    "relu": (lambda x, a, b: jnp.maximum(x, 0), 0.0, 0.0),
    "scaledtanh": (lambda x, a, b: a * jnp.tanh(b * x), 1.0, 1.0),
    "sigmoid": (lambda x, a, b: jax.nn.sigmoid(x), 0.0, 0.0),
    "softplus": (lambda x, a, b: jax.nn.softplus(x), 0.0, 0.0),
    "softsign": (lambda x, a, b: jax.nn.soft_sign(x), 0.0, 0.0),
    "tanh": (lambda x, a, b: jnp.tanh(x), 0.0, 0.0),
    "thresholdedrelu": (lambda x, a, b: jnp.where(x > a, x, 0), 1.0, 0.0),
}
_TAKES_ALPHA = ("affine", "elu", "hardsigmoid", "leakyrelu", "scaledtanh", "thresholdedrelu")
_TAKES_BETA = ("affine", "hardsigmoid", "scaledtanh")


def _activations(node: Node, default: Sequence[str], directions: int) -> list[list[Function]]:
    """For each direction its functions; alphas and betas go to those that take them, in order."""
    names = node.get("activations") or list(default) * directions
    if len(names) != len(default) * directions:
        raise GraphError(f"{len(names)} activations for {directions} directions")
    alphas, betas = iter(node.get("activation_alpha", [])), iter(node.get("activation_beta", []))
    made: list[Function] = []
    for name in names:
        key = str(name).lower()
        if key not in _ACTIVATIONS:
            raise GraphError(f"the activation '{name}'")
        function, alpha, beta = _ACTIVATIONS[key]
        alpha = next(alphas, alpha) if key in _TAKES_ALPHA else alpha
        beta = next(betas, beta) if key in _TAKES_BETA else beta
        made.append(_with(function, alpha, beta))
    each = len(default)
    return [made[i * each : (i + 1) * each] for i in range(directions)]


def _with(function: Any, alpha: float, beta: float) -> Function:
    return lambda x: function(x, alpha, beta).astype(x.dtype)


class _Recurrent:
    """One node: its directions, lengths and layouts."""

    def __init__(self, node: Node, x: Any, lengths: Any, default: Sequence[str]) -> None:
        direction = node.text("direction", "forward")
        if direction not in ("forward", "reverse", "bidirectional"):
            raise GraphError(f"the direction '{direction}'")
        self.backward = {"forward": [False], "reverse": [True]}.get(direction, [False, True])
        self.is_batch_first = bool(node.number("layout", 0))
        self.x = jnp.swapaxes(x, 0, 1) if self.is_batch_first else x
        self.lengths = lengths
        self.activations = _activations(node, default, len(self.backward))
        limit = node.get("clip")
        self.clip: Function = (
            (lambda v: v) if limit is None else (lambda v: jnp.clip(v, -limit, limit))
        )

    def state(self, given: Any, at: int, units: int) -> Any:
        """The state that a direction begins with."""
        if given is None:
            return jnp.zeros((self.x.shape[1], units), self.x.dtype)
        return given[:, at] if self.is_batch_first else given[at]

    def run(self, at: int, states: tuple[Any, ...], projected: Any, step: Any) -> Any:
        """All steps of a direction: the outputs, and the states after the last."""
        is_backward = self.backward[at]
        lengths, steps = self.lengths, jnp.arange(self.x.shape[0])

        def one(states: tuple[Any, ...], given: tuple[Any, Any]) -> Any:
            part, time = given
            new = step(states, part)
            y = new[0]
            if lengths is not None:  # padded steps leave the states, and give 0
                is_there = (time < lengths)[:, None]
                y = jnp.where(is_there, y, 0)
                new = tuple(jnp.where(is_there, a, b) for a, b in zip(new, states, strict=True))
            return new, y

        last, outputs = lax.scan(one, states, (projected, steps), reverse=is_backward)
        return outputs, last

    def joined(self, outputs: list[Any], states: list[Any]) -> tuple[Any, ...]:
        """(time, directions, batch, units), and the states, (directions, batch, units)."""
        y = jnp.stack(outputs, 1)
        ends = [jnp.stack(list(each), 0) for each in zip(*states, strict=True)]
        if self.is_batch_first:
            y = jnp.transpose(y, (2, 0, 1, 3))
            ends = [jnp.swapaxes(end, 0, 1) for end in ends]
        return (y, *ends)


@op("RNN")
def _rnn(
    node: Node, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h0: Any = None
) -> Any:
    run = _Recurrent(node, x, lengths, ("Tanh",))
    outputs, states = [], []
    for at in range(len(run.backward)):
        units = r.shape[-1]
        (f,) = run.activations[at]
        projected = run.x @ w[at].T
        if b is not None:
            projected = projected + b[at, :units] + b[at, units:]
        within = r[at].T

        def step(states: Any, part: Any, f: Any = f, within: Any = within) -> Any:
            return (f(run.clip(part + states[0] @ within)),)

        y, last = run.run(at, (run.state(h0, at, units),), projected, step)
        outputs.append(y)
        states.append(last)
    return run.joined(outputs, states)


@op("GRU")
def _gru(
    node: Node, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h0: Any = None
) -> Any:
    """Gates stand as update, reset, hidden."""
    run = _Recurrent(node, x, lengths, ("Sigmoid", "Tanh"))
    is_linear_first = bool(node.number("linear_before_reset", 0))
    outputs, states = [], []
    for at in range(len(run.backward)):
        units = r.shape[-1]
        f, g = run.activations[at]
        zeros = jnp.zeros((6 * units,), x.dtype)
        offsets = zeros if b is None else b[at]
        projected = run.x @ w[at].T + offsets[: 3 * units]
        inner = offsets[3 * units :]
        gates, hidden = r[at, : 2 * units].T, r[at, 2 * units :].T

        def step(
            states: Any, part: Any, f: Any = f, g: Any = g, gates: Any = gates,
            hidden: Any = hidden, inner: Any = inner, units: int = units,
        ) -> Any:  # fmt: skip
            (h,) = states
            both = part[:, : 2 * units] + h @ gates + inner[: 2 * units]
            update, reset = jnp.split(f(run.clip(both)), 2, axis=-1)
            if is_linear_first:
                proposed = part[:, 2 * units :] + reset * (h @ hidden + inner[2 * units :])
            else:
                proposed = part[:, 2 * units :] + (reset * h) @ hidden + inner[2 * units :]
            return ((1 - update) * g(run.clip(proposed)) + update * h,)

        y, last = run.run(at, (run.state(h0, at, units),), projected, step)
        outputs.append(y)
        states.append(last)
    return run.joined(outputs, states)


@op("LSTM")
def _lstm(
    node: Node, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h0: Any = None,
    c0: Any = None, peepholes: Any = None,
) -> Any:  # fmt: skip
    """Gates stand as input, output, forget, cell."""
    run = _Recurrent(node, x, lengths, ("Sigmoid", "Tanh", "Tanh"))
    is_coupled = bool(node.number("input_forget", 0))
    outputs, states = [], []
    for at in range(len(run.backward)):
        units = r.shape[-1]
        f, g, last_one = run.activations[at]
        projected = run.x @ w[at].T
        if b is not None:
            projected = projected + b[at, : 4 * units] + b[at, 4 * units :]
        within = r[at].T
        p = jnp.zeros((3 * units,), x.dtype) if peepholes is None else peepholes[at]

        def step(
            states: Any, part: Any, f: Any = f, g: Any = g, within: Any = within, p: Any = p,
            last_one: Any = last_one, units: int = units,
        ) -> Any:  # fmt: skip
            h, c = states
            i, o, forget, cell = jnp.split(part + h @ within, 4, axis=-1)
            i = f(run.clip(i + p[:units] * c))
            forget = 1 - i if is_coupled else f(run.clip(forget + p[2 * units :] * c))
            new = forget * c + i * g(run.clip(cell))
            o = f(run.clip(o + p[units : 2 * units] * new))
            return o * last_one(new), new

        begin = run.state(h0, at, units), run.state(c0, at, units)
        y, last = run.run(at, begin, projected, step)
        outputs.append(y)
        states.append(last)
    return run.joined(outputs, states)


__all__: list[str] = []
