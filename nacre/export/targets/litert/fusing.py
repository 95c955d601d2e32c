"""Operators that others take into themselves: a bias added behind a product, a relu behind both.

What follows must be the only reader. A squeeze may stand between, as it does for convolutions of
one axis: it changes neither channels nor numbers.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from nacre.export.targets.litert.body import Body, Operator, Tensor

# Operators with a bias, and its place among their inputs.
_BIASED = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "CONV_3D": 2, "FULLY_CONNECTED": 2}
_TAKE_RELU = {
    *_BIASED, "ADD", "SUB", "MUL", "DIV", "AVERAGE_POOL_2D", "MAX_POOL_2D",
}  # fmt: skip
_RELUS = {"RELU": 1, "RELU6": 3}  # numbers of ActivationFunctionType


def fused(body: Body) -> None:
    """Let operators take in those that follow them."""
    readers = Counter(x for op in body.operators for x in op.inputs if x is not None)
    readers.update(body.outputs)
    makers: dict[Tensor, Operator] = {}
    kept: list[Operator] = []
    for operator in body.operators:
        before = _taken(operator, makers, readers)
        if before is None:
            kept.append(operator)
            makers.update(dict.fromkeys(operator.outputs, operator))
        else:  # its result is now that of the one before
            before.outputs = operator.outputs
            makers[operator.outputs[0]] = before
    body.operators = _read(kept, body)


def _read(operators: list[Operator], body: Body) -> list[Operator]:
    """The operators without those whose results nobody reads."""
    read = set(body.outputs)
    kept: list[Operator] = []
    for operator in reversed(operators):
        if not read.isdisjoint(operator.outputs):
            kept.append(operator)
            read.update(x for x in operator.inputs if x is not None)
    return kept[::-1]


def _taken(
    operator: Operator, makers: dict[Tensor, Operator], readers: Counter[Tensor]
) -> Operator | None:
    """The operator whose result this one's becomes; None where this one stays."""
    if operator.op not in (*_RELUS, "ADD") or operator.options.get("fused_activation_function"):
        return None
    x = operator.inputs[0]
    last = makers.get(x) if x is not None and readers[x] == 1 else None
    if x is None or last is None:
        return None
    first: Operator | None = last
    while first is not None and first.op == "SQUEEZE":
        inner = first.inputs[0]
        first = makers.get(inner) if inner is not None and readers[inner] == 1 else None
    if first is None or x.dtype != "float32" or first.options.get("fused_activation_function"):
        return None
    if operator.op == "ADD":
        return last if _take_bias(first, operator, x) else None
    if first.op not in _TAKE_RELU:
        return None
    first.options["fused_activation_function"] = _RELUS[operator.op]
    return last


def _take_bias(first: Operator, add: Operator, x: Tensor) -> bool:
    """Whether an operator has a bias, and now that too."""
    added = add.inputs[1]
    if first.op not in _BIASED or added is None or added.data is None:
        return False
    is_vector = added.data.size == x.shape[-1] and added.shape[-1:] == x.shape[-1:]
    if not is_vector or add.outputs[0].shape != x.shape or added.ndim > x.ndim:
        return False
    place = _BIASED[first.op]
    old = first.inputs[place]
    if old is not None and old.data is None:
        return False
    data = added.data.reshape(-1)
    name = added.name
    if old is not None and old.data is not None and old.data.any():
        data, name = data + old.data, old.name
    first.inputs[place] = Tensor(name, "float32", data.shape, np.ascontiguousarray(data))
    return True


__all__ = ["fused"]
