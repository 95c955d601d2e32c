"""Ops that work element by element, and activations."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nacre.export.graph.ir import Node
from nacre.export.graph.rules import is_float
from nacre.export.targets.graphdef.body import Body, Kind
from nacre.export.targets.graphdef.rules._rule import (
    cast_numbers,
    dtype_of,
    kind_of,
    rank_of,
    reduce,
    rule,
    value,
)

_UNARY = {
    "abs": "Abs", "neg": "Neg", "sign": "Sign", "floor": "Floor", "ceil": "Ceil", "round": "Round",
    "square": "Square", "sqrt": "Sqrt", "rsqrt": "Rsqrt", "exp": "Exp", "expm1": "Expm1",
    "log": "Log", "log1p": "Log1p", "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin",
    "acos": "Acos", "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh",
    "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh", "erf": "Erf", "erfc": "Erfc",
    "erf_inv": "Erfinv", "lgamma": "Lgamma", "digamma": "Digamma", "sigmoid": "Sigmoid",
    "is_finite": "IsFinite", "relu": "Relu", "relu6": "Relu6", "selu": "Selu",
    "softplus": "Softplus", "softsign": "Softsign",
}  # fmt: skip
_BINARY = {
    "add": "AddV2", "sub": "Sub", "mul": "Mul", "pow": "Pow", "max": "Maximum", "min": "Minimum",
    "atan2": "Atan2", "equal": "Equal", "not_equal": "NotEqual", "less": "Less",
    "less_equal": "LessEqual", "greater": "Greater", "greater_equal": "GreaterEqual",
    "shift_left": "LeftShift",
}  # fmt: skip


@rule(*_UNARY)
def _unary(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return make.add(_UNARY[node.op], inputs, T=kind_of(node))


@rule(*_BINARY)
def _binary(make: Body, node: Node, inputs: Sequence[str]) -> str:
    dtype = dtype_of(node)
    if dtype == "bool" and node.op in _OF_BOOLS:
        return make.add(_OF_BOOLS[node.op], inputs)
    if node.op in ("equal", "not_equal"):
        return make.add(_BINARY[node.op], inputs, T=Kind(dtype), incompatible_shape_error=True)
    return make.add(_BINARY[node.op], inputs, T=Kind(dtype))


_OF_BOOLS = {"max": "LogicalOr", "min": "LogicalAnd", "add": "LogicalOr", "mul": "LogicalAnd"}


def _two(make: Body, op: str, left: str, right: str, dtype: str) -> str:
    return make.add(op, [left, right], T=Kind(dtype))


@rule("div")
def _div(make: Body, node: Node, inputs: Sequence[str]) -> str:
    dtype = dtype_of(node)
    op = "RealDiv" if is_float(dtype) or dtype.startswith("complex") else "TruncateDiv"
    return make.add(op, inputs, T=Kind(dtype))


@rule("rem")
def _rem(make: Body, node: Node, inputs: Sequence[str]) -> str:
    dtype = dtype_of(node)
    if is_float(dtype) or dtype in ("int32", "int64"):
        return make.add("TruncateMod", inputs, T=Kind(dtype))
    # Which there is for no others; what is left of the division is the same.
    x, y = inputs
    whole = _two(make, "Mul", make.add("TruncateDiv", inputs, T=Kind(dtype)), y, dtype)
    return _two(make, "Sub", x, whole, dtype)


@rule("cbrt")
def _cbrt(make: Body, node: Node, inputs: Sequence[str]) -> str:
    dtype = dtype_of(node)
    size = make.add("Abs", inputs, T=Kind(dtype))
    root = _two(make, "Pow", size, make.like(1 / 3, dtype), dtype)
    return _two(make, "Mul", make.add("Sign", inputs, T=Kind(dtype)), root, dtype)


@rule("exp2")
def _exp2(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return _two(make, "Pow", make.like(2, dtype_of(node)), inputs[0], dtype_of(node))


@rule("not")
def _not(make: Body, node: Node, inputs: Sequence[str]) -> str:
    if dtype_of(node) == "bool":
        return make.add("LogicalNot", inputs)
    return make.add("Invert", inputs, T=kind_of(node))


_LOGICAL = {
    "and": ("LogicalAnd", "BitwiseAnd"),
    "or": ("LogicalOr", "BitwiseOr"),
    "xor": ("NotEqual", "BitwiseXor"),
}


@rule(*_LOGICAL)
def _logical(make: Body, node: Node, inputs: Sequence[str]) -> str:
    dtype = dtype_of(node)
    op = _LOGICAL[node.op][dtype != "bool"]
    if op.startswith("Logical"):
        return make.add(op, inputs)
    if op == "NotEqual":
        return make.add(op, inputs, T=Kind(dtype), incompatible_shape_error=True)
    return make.add(op, inputs, T=Kind(dtype))


@rule("shift_right", "shift_right_signed")
def _shift_right(make: Body, node: Node, inputs: Sequence[str]) -> str:
    """TensorFlow's shift fills in the sign of signed integers, and zeros of others."""
    dtype = dtype_of(node)
    wanted = dtype.removeprefix("u")
    wanted = wanted if node.op == "shift_right_signed" else f"u{wanted}"
    if wanted == dtype:
        return make.add("RightShift", inputs, T=Kind(dtype))
    other = [make.add("Bitcast", [x], T=Kind(dtype), type=Kind(wanted)) for x in inputs]
    shifted = make.add("RightShift", other, T=Kind(wanted))
    return make.add("Bitcast", [shifted], T=Kind(wanted), type=Kind(dtype))


@rule("select")
def _select(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return make.add("SelectV2", inputs, T=kind_of(node, 1))


@rule("clamp")
def _clamp(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, low, high = inputs
    dtype = dtype_of(node)
    return _two(make, "Minimum", _two(make, "Maximum", x, low, dtype), high, dtype)


@rule("cast")
def _cast(make: Body, node: Node, inputs: Sequence[str]) -> str:
    source, target = dtype_of(node), node.attributes["dtype"]
    if target == "bool" and is_float(source):  # a cast would take the whole part of 0.5
        return make.add(
            "NotEqual", [inputs[0], make.like(0, source)], T=Kind(source),
            incompatible_shape_error=True,
        )  # fmt: skip
    return cast_numbers(make, inputs[0], source, target)


@rule("bitcast")
def _bitcast(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return make.add("Bitcast", inputs, T=kind_of(node), type=Kind(node.attributes["dtype"]))


# --- activations ----------------------------------------------------------------------------------


def _below(make: Body, x: str, dtype: str) -> str:
    """min(x, 0)."""
    return _two(make, "Minimum", x, make.like(0, dtype), dtype)


@rule("leaky_relu")
def _leaky_relu(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return make.add("LeakyRelu", inputs, T=kind_of(node), alpha=node.attributes["negative_slope"])


@rule("prelu")
def _prelu(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, alpha = inputs
    dtype = dtype_of(node)
    negative = make.add("Relu", [make.add("Neg", [x], T=Kind(dtype))], T=Kind(dtype))
    scaled = _two(make, "Mul", alpha, negative, dtype)
    return _two(make, "Sub", make.add("Relu", [x], T=Kind(dtype)), scaled, dtype)


@rule("elu", "celu")
def _elu(make: Body, node: Node, inputs: Sequence[str]) -> str:
    (x,), dtype, alpha = inputs, dtype_of(node), node.attributes["alpha"]
    if alpha == 1:
        return make.add("Elu", [x], T=Kind(dtype))
    below = _below(make, x, dtype)
    if node.op == "celu":
        below = _two(make, "RealDiv", below, make.like(alpha, dtype), dtype)
    below = make.add("Expm1", [below], T=Kind(dtype))
    scaled = _two(make, "Mul", below, make.like(alpha, dtype), dtype)
    return _two(make, "AddV2", make.add("Relu", [x], T=Kind(dtype)), scaled, dtype)


@rule("gelu")
def _gelu(make: Body, node: Node, inputs: Sequence[str]) -> str:
    (x,), dtype = inputs, dtype_of(node)
    if node.attributes["approximate"]:
        cubed = _two(make, "Mul", _two(make, "Mul", x, x, dtype), x, dtype)
        inner = _two(make, "Mul", cubed, make.like(0.044715, dtype), dtype)
        inner = _two(make, "AddV2", x, inner, dtype)
        inner = _two(make, "Mul", inner, make.like(math.sqrt(2 / math.pi), dtype), dtype)
        part = make.add("Tanh", [inner], T=Kind(dtype))
        part = _two(make, "AddV2", part, make.like(1, dtype), dtype)
    else:
        scaled = _two(make, "Mul", x, make.like(-math.sqrt(0.5), dtype), dtype)
        part = make.add("Erfc", [scaled], T=Kind(dtype))
    half = _two(make, "Mul", x, make.like(0.5, dtype), dtype)
    return _two(make, "Mul", half, part, dtype)


@rule("silu")
def _silu(make: Body, node: Node, inputs: Sequence[str]) -> str:
    dtype = dtype_of(node)
    return _two(make, "Mul", inputs[0], make.add("Sigmoid", inputs, T=Kind(dtype)), dtype)


@rule("mish")
def _mish(make: Body, node: Node, inputs: Sequence[str]) -> str:
    dtype = dtype_of(node)
    inner = make.add("Tanh", [make.add("Softplus", inputs, T=Kind(dtype))], T=Kind(dtype))
    return _two(make, "Mul", inputs[0], inner, dtype)


@rule("log_sigmoid")
def _log_sigmoid(make: Body, node: Node, inputs: Sequence[str]) -> str:
    kind = kind_of(node)
    negative = make.add("Neg", inputs, T=kind)
    return make.add("Neg", [make.add("Softplus", [negative], T=kind)], T=kind)


@rule("hard_sigmoid", "hard_silu")
def _hard_sigmoid(make: Body, node: Node, inputs: Sequence[str]) -> str:
    (x,), dtype = inputs, dtype_of(node)
    moved = _two(make, "AddV2", x, make.like(3, dtype), dtype)
    part = make.add("Relu6", [moved], T=Kind(dtype))
    part = _two(make, "Mul", part, make.like(1 / 6, dtype), dtype)
    return part if node.op == "hard_sigmoid" else _two(make, "Mul", x, part, dtype)


@rule("softmax", "log_softmax")
def _softmax(make: Body, node: Node, inputs: Sequence[str]) -> str:
    (x,), dtype, rank = inputs, dtype_of(node), rank_of(node)
    axes = sorted(axis % rank for axis in node.attributes["axes"])
    is_log = node.op == "log_softmax"
    if axes == [rank - 1] and is_float(value(node).dtype):
        return make.add("LogSoftmax" if is_log else "Softmax", [x], T=Kind(dtype))
    shifted = _two(make, "Sub", x, reduce(make, "Max", x, axes, dtype, True), dtype)
    parts = make.add("Exp", [shifted], T=Kind(dtype))
    total = reduce(make, "Sum", parts, axes, dtype, True)
    if is_log:
        return _two(make, "Sub", shifted, make.add("Log", [total], T=Kind(dtype)), dtype)
    return _two(make, "RealDiv", parts, total, dtype)
