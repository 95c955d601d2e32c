"""Recurrences over whole sequences, where their activations are ops of the graph."""

from __future__ import annotations

from typing import Any

from nacre.export.capture.lower import Call, Lowering, composite
from nacre.export.graph.ops.recurrent import is_activation

# nacre's name of an activation -> the graph's.
_RENAMED = {"swish": "silu", "exponential": "exp", "hard_swish": "hard_silu"}


@composite("lstm", "gru", "simple_rnn")
def _recurrence(low: Lowering, call: Call) -> Any:
    states = ("h0", "c0") if call.op == "lstm" else ("h0",)
    values = call.given("x", *states, "kernel", "recurrent_kernel", "bias", "mask")
    dtypes = {value.dtype for value in values[:-1] if value is not None}
    if len(dtypes) > 1:
        return None
    if values[-1] is not None and values[-1].dtype != "bool":
        values[-1] = low.add("cast", values[-1], dtype="bool")
    attributes = dict(call.attributes)
    for name in ("activation", "recurrent_activation"):
        if name in attributes:
            chosen = _RENAMED.get(attributes[name], attributes[name]) or "linear"
            attributes[name] = chosen
            if not is_activation(chosen):
                return None
    return low.add_all(call.op, *values, **attributes)
