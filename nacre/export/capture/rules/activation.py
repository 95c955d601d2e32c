"""Activations that the graph has whole; the others are made of primitives."""

from __future__ import annotations

from nacre.export.capture.lower import Call, Lowering, composite
from nacre.export.graph.ir import Value


def _is_float(x: Value) -> bool:
    return x.dtype.startswith(("float", "bfloat"))


@composite(
    "relu", "relu6", "selu", "silu", "mish", "softplus", "softsign", "log_sigmoid", "hard_sigmoid",
    "hard_silu",
)  # fmt: skip
def _plain(low: Lowering, call: Call) -> Value | None:
    x = call.inputs["x"]
    return low.add(call.op, x) if _is_float(x) else None


@composite("leaky_relu", "elu", "celu")
def _with_number(low: Lowering, call: Call) -> Value | None:
    x = call.inputs["x"]
    numbers = {name: float(value) for name, value in call.attributes.items()}
    return low.add(call.op, x, **numbers) if _is_float(x) else None


@composite("gelu")
def _gelu(low: Lowering, call: Call) -> Value | None:
    x = call.inputs["x"]
    return low.add("gelu", x, approximate=bool(call["approximate"])) if _is_float(x) else None


@composite("prelu")
def _prelu(low: Lowering, call: Call) -> Value | None:
    x, alpha = call.inputs["inputs"], call.inputs["alpha"]
    fits = _is_float(x) and x.dtype == alpha.dtype and len(alpha.shape) <= len(x.shape)
    return low.add("prelu", x, alpha) if fits else None


@composite("softmax", "log_softmax")
def _softmax(low: Lowering, call: Call) -> Value | None:
    x, axis = call.inputs["x"], call["axis"]
    if not _is_float(x) or axis is None:
        return None
    axes = tuple(a % len(x.shape) for a in (axis if isinstance(axis, list) else [axis]))
    return low.add(call.op, x, axes=axes)
