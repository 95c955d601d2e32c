"""Recurrences as the LSTM, GRU and RNN of ONNX: time first, gates in another order.

Gates here are input, forget, candidate, output (LSTM) and update, reset, candidate (GRU); those of
ONNX are input, output, forget, candidate and update, reset, candidate. What they lack, masks and
some activations, runs as a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nacre.export.graph.ir import Node, Value
from nacre.export.targets.onnx.body import Array, Body, value_of
from nacre.export.targets.onnx.forms._form import SINGLE, cast_back, cast_in, form
from nacre.export.targets.onnx.forms.shaping import reversed_along

_ACTIVATIONS = {
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "relu": "Relu",
    "softsign": "Softsign",
    "softplus": "Softplus",
}
_ORDERS = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2), "simple_rnn": (0,)}
_OPS = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "RNN"}


def _whole(node: Node) -> str | None:
    """Masks, and other activations, make it a loop."""
    names = (node.attributes.get(n, "tanh") for n in ("activation", "recurrent_activation"))
    return None if node.inputs[-1] is None and all(n in _ACTIVATIONS for n in names) else ""


def _blocks(data: Array, order: Sequence[int]) -> Array:
    """The last axis, in as many blocks as the order has, put in it."""
    return np.concatenate([np.split(data, len(order), -1)[i] for i in order], -1)


def _rearranged(
    make: Body, value: Value, order: Sequence[int], finish: Callable[[Array], Array], key: str
) -> str:
    """A kernel (features, gates · units) as (1, gates · units, features); worked out where it is a
    weight."""
    if make.data(value) is not None:
        return make.weight([value], lambda x: finish(_blocks(x, order)), (key, tuple(order)))
    units: Any = value.shape[-1]
    sizes = make.ints(*[units // len(order)] * len(order))
    tensor = make.tensor(value)
    if len(order) > 1:
        parts = make.add_all("Split", [tensor, sizes], len(order), axis=-1)
        tensor = make.add("Concat", [parts[i] for i in order], axis=-1)
    tensor = make.add("Transpose", [tensor], perm=(1, 0))
    return make.add("Unsqueeze", [tensor, make.ints(0)])


def _turned(data: Array) -> Array:
    return data.T[None]


def _bias(make: Body, node: Node, value: Value, order: Sequence[int]) -> str:
    """Both biases, of the inputs and of the recurrence: (1, 2 · gates · units)."""
    both = len(value.shape) == 2

    def joined(data: Array) -> Array:
        rows = data if both else np.stack([data, np.zeros_like(data)])
        return _blocks(rows, order).reshape(1, -1)

    if make.data(value) is not None:
        return make.weight([value], joined, ("bias", tuple(order)))
    tensor = make.tensor(value)
    units: Any = value.shape[-1]
    if len(order) > 1:
        sizes = make.ints(*[units // len(order)] * len(order))
        parts = make.add_all("Split", [tensor, sizes], len(order), axis=-1)
        tensor = make.add("Concat", [parts[i] for i in order], axis=-1)
    tensor = make.reshape(tensor, (1, 2 * units if both else units))
    if both:
        return tensor
    return make.add("Concat", [tensor, make.constant(np.zeros((1, units), value.dtype))], axis=1)


def _state(make: Body, state: Value) -> str:
    """A first state; left out where it is 0, as runtimes take it then."""
    if make.is_zero(state):
        return ""
    return make.add("Unsqueeze", [make.tensor(state), make.ints(0)])


@form("lstm", "gru", "simple_rnn", limit=_whole)
def _recurrence(make: Body, node: Node) -> Sequence[str]:
    attributes, order = node.attributes, _ORDERS[node.op]
    count = 2 if node.op == "lstm" else 1
    x, states = value_of(node), [value_of(node, 1 + i) for i in range(count)]
    kernel, recurrent, bias = (node.inputs[1 + count + i] for i in range(3))
    assert kernel is not None
    assert recurrent is not None
    units: Any = recurrent.shape[0]
    wide = lambda tensor: cast_in(make, tensor, x.dtype, SINGLE) if tensor else ""
    inputs = [
        make.ordered(x, (1, 0, 2)),
        _rearranged(make, kernel, order, _turned, "gates"),
        _rearranged(make, recurrent, order, _turned, "gates"),
        _bias(make, node, bias, order) if bias is not None else "",
        "",
        *(_state(make, state) for state in states),
    ]
    inputs = [wide(tensor) for tensor in inputs]
    inner = _ACTIVATIONS[attributes["activation"]]
    names = [inner]
    if node.op != "simple_rnn":
        gate = _ACTIVATIONS[attributes["recurrent_activation"]]
        names = [gate, inner, inner] if node.op == "lstm" else [gate, inner]
    further: dict[str, Any] = {"activations": tuple(names), "hidden_size": units}
    if attributes["reverse"]:
        further["direction"] = "reverse"
    if node.op == "gru":
        further["linear_before_reset"] = int(attributes["reset_after"])
    found = make.add_all(_OPS[node.op], inputs, 1 + count, **further)
    found = [cast_back(make, tensor, x.dtype, SINGLE) for tensor in found]
    ends = [make.add("Squeeze", [tensor, make.ints(0)]) for tensor in found[1:]]
    if not attributes["return_sequences"]:
        return [ends[0], *ends]
    steps = make.add("Squeeze", [found[0], make.ints(1)])
    if attributes["reverse"]:  # theirs are in the order of the inputs
        steps = reversed_along(make, steps, [0])
    make.bind(node.outputs[0], steps, (1, 0, 2))
    return ["", *ends]
