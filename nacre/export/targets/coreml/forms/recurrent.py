"""Recurrences that MIL has whole; the others are scans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.targets.coreml.maker import Maker, Var
from nacre.export.targets.coreml.support import FORMS

_ACTIVATIONS = {"tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu", "linear": "linear"}


def _limit(node: Node) -> str | None:
    """MIL's take no mask; weights must be numbers, which is seen when the form is made."""
    names = [
        node.attributes[k] for k in ("activation", "recurrent_activation") if k in node.attributes
    ]
    if node.inputs[-1] is not None or not all(name in _ACTIVATIONS for name in names):
        return "It takes no mask, and tanh, sigmoid, relu or linear."
    if any(v is not None and v.dtype != "float32" for v in node.inputs):
        return "It takes float32."
    return None


def _gates(kernel: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """A kernel (features, gates · units) as MIL has it: (gates · units, features), in its order."""
    parts = np.split(kernel, len(order), -1)
    return np.ascontiguousarray(np.concatenate([parts[i] for i in order], -1).T)


def _time_first(make: Maker, x: Var) -> Var:
    return make.add("transpose", x=x, perm=[1, 0, 2])


def _outputs(make: Maker, node: Node, outputs: Var) -> Var:
    """MIL gives outputs of a reversed run in the order of the steps; the graph in that of work."""
    if not node.attributes["return_sequences"]:
        return make.add("squeeze", x=outputs, axes=[0])
    x = make.add("transpose", x=outputs, perm=[1, 0, 2])
    return make.add("reverse", x=x, axes=[1]) if node.attributes["reverse"] else x


@FORMS.form("lstm", limit=_limit)
def _lstm(make: Maker, node: Node) -> Any:
    order = (0, 1, 3, 2)  # MIL: input, forget, output, candidate
    kernel, recurrent = make.known_input(node, 3), make.known_input(node, 4)
    units = recurrent.shape[0]
    has_bias = node.inputs[5] is not None
    bias = make.known_input(node, 5) if has_bias else np.zeros(4 * units, "float32")
    outputs, hidden, cell = make.add(
        "lstm",
        x=_time_first(make, make.input(node)),
        initial_h=make.input(node, 1),
        initial_c=make.input(node, 2),
        weight_ih=_gates(kernel, order),
        weight_hh=_gates(recurrent, order),
        bias=_gates(bias[None], order)[:, 0],
        direction="reverse" if node.attributes["reverse"] else "forward",
        output_sequence=node.attributes["return_sequences"],
        recurrent_activation=_ACTIVATIONS[node.attributes["recurrent_activation"]],
        cell_activation=_ACTIVATIONS[node.attributes["activation"]],
        activation=_ACTIVATIONS[node.attributes["activation"]],
    )
    return _outputs(make, node, outputs), hidden, cell
