"""Operators that work on each number: arithmetic, comparisons, activations, casts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops as nacre_ops
from nacre.export.importers.litert.quantized import dequantized, quantized
from nacre.export.importers.litert.registry import Step, StepError, as_array, jax_dtype, numbers, op

_UNARY: dict[str, Callable[[Any, Any], Any]] = {
    "ABS": lambda m, x: m.abs(x),
    "CEIL": lambda m, x: m.ceil(x),
    "COS": lambda m, x: m.cos(x),
    "EXP": lambda m, x: m.exp(x),
    "FLOOR": lambda m, x: m.floor(x),
    "LOG": lambda m, x: m.log(x),
    "LOGICAL_NOT": lambda m, x: m.logical_not(x),
    "NEG": lambda m, x: -x,
    "ROUND": lambda m, x: m.round(x),
    "SIGN": lambda m, x: m.sign(x),
    "SIN": lambda m, x: m.sin(x),
    "SQRT": lambda m, x: m.sqrt(x),
    "SQUARE": lambda m, x: x * x,
    "TANH": lambda m, x: m.tanh(x),
    "ZEROS_LIKE": lambda m, x: m.zeros_like(x),
    "REAL": lambda m, x: m.real(x),
    "IMAG": lambda m, x: m.imag(x),
    "COMPLEX_ABS": lambda m, x: m.abs(x),
}


def _unary(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda step, x: function(numbers(x), x)


for _name, _function in _UNARY.items():
    op(_name, known=True)(_unary(_function))

_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "RELU": lambda x: jnp.maximum(x, np.zeros((), x.dtype)),
    "RELU6": lambda x: jnp.clip(x, np.zeros((), x.dtype), np.asarray(6, x.dtype)),
    "RELU_N1_TO_1": lambda x: jnp.clip(x, np.asarray(-1, x.dtype), np.asarray(1, x.dtype)),
    "RELU_0_TO_1": lambda x: jnp.clip(x, np.zeros((), x.dtype), np.ones((), x.dtype)),
    "ELU": nacre_ops.elu,
    "LOGISTIC": nacre_ops.sigmoid,
    "RSQRT": nacre_ops.rsqrt,
    "HARD_SWISH": lambda x: x * jnp.clip(x + 3, 0, 6) * np.asarray(1 / 6, x.dtype),
    "LOG_SOFTMAX": nacre_ops.log_softmax,
}


def _activation(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda step, x: function(jnp.asarray(x))


for _name, _whole in _ACTIVATIONS.items():
    op(_name)(_activation(_whole))


@op("GELU")
def _gelu(step: Step, x: Any) -> Any:
    return nacre_ops.gelu(jnp.asarray(x), approximate=bool(step["approximate"]))


@op("LEAKY_RELU")
def _leaky_relu(step: Step, x: Any) -> Any:
    return nacre_ops.leaky_relu(jnp.asarray(x), float(step["alpha"]))


@op("PRELU", weights=[1])
def _prelu(step: Step, x: Any, alpha: Any) -> Any:
    x = jnp.asarray(x)
    return jnp.where(x >= 0, x, x * alpha)


@op("SOFTMAX")
def _softmax(step: Step, x: Any) -> Any:
    beta = float(step["beta"])
    x = jnp.asarray(x)
    return nacre_ops.softmax(x if beta == 1 else x * np.asarray(beta, x.dtype))


@op("L2_NORMALIZATION")
def _l2_normalization(step: Step, x: Any) -> Any:
    x = jnp.asarray(x)
    norm = jnp.sqrt(jnp.maximum(jnp.sum(x * x, -1, keepdims=True), 1e-12))
    return step.activated(x / norm)


@op("LOCAL_RESPONSE_NORMALIZATION")
def _local_response(step: Step, x: Any) -> Any:
    x, radius = jnp.asarray(x), int(step["radius"])
    if not 0 <= radius <= 1 << 16:
        raise StepError(f"a radius of {radius}")
    padded = jnp.pad(x * x, [(0, 0)] * (x.ndim - 1) + [(radius, radius)])
    width = x.shape[-1]
    near = sum(padded[..., i : i + width] for i in range(2 * radius + 1))
    return x / (float(step["bias"]) + float(step["alpha"]) * near) ** float(step["beta"])


# --- two and more ---------------------------------------------------------------------------------


def _divided(m: Any, x: Any, y: Any) -> Any:
    if x.dtype.kind == "O" or y.dtype.kind == "O":  # sizes, of which none is negative
        return x // y
    if np.dtype(x.dtype).kind in "iu":  # towards zero, as C does
        quotient = x // y  # the smallest whole number has no absolute value
        return (quotient + ((quotient < 0) & (quotient * y != x))).astype(x.dtype)
    return x / y


def _shifted_left(m: Any, x: Any, y: Any) -> Any:
    """Nothing is left of a number that moves by its width or more, in NumPy and JAX alike."""
    width = np.dtype(x.dtype).itemsize * 8
    moved = m.left_shift(x, m.clip(y, 0, width - 1))
    return m.where((y >= 0) & (y < width), moved, m.zeros_like(x))


_BINARY: dict[str, Callable[[Any, Any, Any], Any]] = {
    "ADD": lambda m, x, y: x + y,
    "SUB": lambda m, x, y: x - y,
    "MUL": lambda m, x, y: x * y,
    "DIV": _divided,
    "FLOOR_DIV": lambda m, x, y: x // y,
    "FLOOR_MOD": lambda m, x, y: x % y,
    "POW": lambda m, x, y: m.power(x, y),
    "MAXIMUM": lambda m, x, y: m.maximum(x, y),
    "MINIMUM": lambda m, x, y: m.minimum(x, y),
    "SQUARED_DIFFERENCE": lambda m, x, y: (x - y) * (x - y),
    "ATAN2": lambda m, x, y: m.arctan2(x, y),
    "LOGICAL_AND": lambda m, x, y: m.logical_and(x, y),
    "LOGICAL_OR": lambda m, x, y: m.logical_or(x, y),
    "EQUAL": lambda m, x, y: x == y,
    "NOT_EQUAL": lambda m, x, y: x != y,
    "LESS": lambda m, x, y: x < y,
    "LESS_EQUAL": lambda m, x, y: x <= y,
    "GREATER": lambda m, x, y: x > y,
    "GREATER_EQUAL": lambda m, x, y: x >= y,
    "BITWISE_XOR": lambda m, x, y: m.bitwise_xor(x, y),
    "RIGHT_SHIFT": lambda m, x, y: m.right_shift(x, y),
    "STABLEHLO_AND": lambda m, x, y: m.bitwise_and(x, y),
    "STABLEHLO_OR": lambda m, x, y: m.bitwise_or(x, y),
    "STABLEHLO_SHIFT_LEFT": _shifted_left,
}


def _binary(name: str, function: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    def compute(step: Step, x: Any, y: Any) -> Any:
        m = numbers(x, y)
        if m is jnp:
            x, y = as_array(x), as_array(y)
        with np.errstate(all="ignore"):
            found = function(m, x, y)
        has_activation = name in ("ADD", "SUB", "MUL", "DIV")
        return step.activated(found) if has_activation else found

    return compute


for _name, _of_two in _BINARY.items():
    op(_name, known=True)(_binary(_name, _of_two))


@op("ADD_N", known=True)
def _add_n(step: Step, *values: Any) -> Any:
    return sum(values[1:], values[0])


@op("SELECT", "SELECT_V2", known=True)
def _select(step: Step, condition: Any, x: Any, y: Any) -> Any:
    m = numbers(condition, x, y)
    if step.operator.op == "SELECT" and condition.ndim == 1 and x.ndim > 1:
        condition = condition.reshape(-1, *[1] * (x.ndim - 1))  # one a row
    return m.where(condition, x, y)


# --- dtypes ---------------------------------------------------------------------------------------


@op("CAST", known=True)
def _cast(step: Step, x: Any) -> Any:
    own, new = np.dtype(x.dtype), jax_dtype(step.outputs[0].dtype)
    if own.kind == "O":
        return x
    if own.kind == "f" and np.dtype(new).kind in "iu" and numbers(x) is jnp:
        return nacre_ops.cast(x, new)
    with np.errstate(all="ignore"):
        return x.astype(new)


@op("BITCAST")
def _bitcast(step: Step, x: Any) -> Any:
    return jax.lax.bitcast_convert_type(jnp.asarray(x), jax_dtype(step.outputs[0].dtype))


@op("DEQUANTIZE", known=True, scales=True)
def _dequantize(step: Step, x: Any) -> Any:
    tensor = step.inputs[0]
    assert tensor is not None
    return dequantized(x, tensor).astype("float32")


@op("QUANTIZE", known=True, scales=True)
def _quantize(step: Step, x: Any) -> Any:
    tensor, output = step.inputs[0], step.outputs[0]
    assert tensor is not None
    if output.scales is None:
        raise StepError("QUANTIZE into a tensor without a scale")
    return quantized(dequantized(x, tensor), output)


@op("FAKE_QUANT")
def _fake_quant(step: Step, x: Any) -> Any:
    low, high, bits = float(step["min"]), float(step["max"]), int(step["num_bits"])
    if not 2 <= bits <= 16 or not low < high:
        raise StepError(f"FAKE_QUANT with {bits} bits from {low} to {high}")
    least, most = int(bool(step["narrow_range"])), 2**bits - 1
    scale = (high - low) / (most - least)
    zero = float(np.clip(np.round(least - low / scale), least, most))
    x = jnp.asarray(x)
    low, high = (least - zero) * scale, (most - zero) * scale
    clipped = jnp.clip(x, low, high)
    return jnp.floor((clipped - low) / scale + 0.5) * scale + low
