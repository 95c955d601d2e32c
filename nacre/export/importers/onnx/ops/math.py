"""Arithmetic, comparisons, logic, bits: element by element."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.core.wire.onnx import NAMES
from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.values import (
    GraphError,
    cast,
    dtype_of,
    has_symbols,
    is_known,
    is_text,
    lifted,
    numbers,
)

# --- of one array ---------------------------------------------------------------------------------

_ONE: dict[str, Callable[[Any], Any]] = {
    "Acos": jnp.arccos, "Acosh": jnp.arccosh, "Asin": jnp.arcsin, "Asinh": jnp.arcsinh,
    "Atan": jnp.arctan, "Atanh": jnp.arctanh, "Cos": jnp.cos, "Cosh": jnp.cosh, "Erf": lax.erf,
    "Exp": jnp.exp, "IsNaN": jnp.isnan, "Log": jnp.log, "Reciprocal": lambda x: 1 / x,
    "Sigmoid": jax.nn.sigmoid, "Sin": jnp.sin, "Sinh": jnp.sinh, "Sqrt": jnp.sqrt, "Tan": jnp.tan,
    "Tanh": jnp.tanh, "Softplus": jax.nn.softplus, "Softsign": jax.nn.soft_sign,
    "Mish": lambda x: x * jnp.tanh(jax.nn.softplus(x)),
    "HardSwish": lambda x: x * jnp.clip(x / 6 + 0.5, 0, 1),
    "Sign": jnp.sign, "Round": jnp.round,  # halves to even
}  # fmt: skip


def _of_one(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda node, x: function(x).astype(_result(function, x))


def _result(function: Callable[[Any], Any], x: Any) -> Any:
    return bool if function is jnp.isnan else x.dtype


for _name, _function in _ONE.items():
    op(_name)(_of_one(_function))

_ONE_KNOWN: dict[str, str] = {
    "Abs": "abs", "Ceil": "ceil", "Floor": "floor", "Neg": "negative", "Not": "logical_not",
    "BitwiseNot": "invert",
}  # fmt: skip


def _of_one_known(name: str) -> Callable[..., Any]:
    def computed(node: Node, x: Any) -> Any:
        if has_symbols(x) and name in ("ceil", "floor"):
            return x
        return getattr(numbers(x), name)(x)

    return computed


for _name, _known_name in _ONE_KNOWN.items():
    op(_name, knows=True)(_of_one_known(_known_name))


@op("Relu")
def _relu(node: Node, x: Any) -> Any:
    return jnp.maximum(x, jnp.zeros((), x.dtype))


@op("LeakyRelu")
def _leaky_relu(node: Node, x: Any) -> Any:
    return jnp.where(x >= 0, x, x * jnp.asarray(node.number("alpha", 0.01), x.dtype))


@op("PRelu")
def _prelu(node: Node, x: Any, slope: Any) -> Any:
    return jnp.where(x >= 0, x, (x * slope).astype(x.dtype))


@op("Elu")
def _elu(node: Node, x: Any) -> Any:
    return jax.nn.elu(x, node.number("alpha", 1.0)).astype(x.dtype)


@op("Celu")
def _celu(node: Node, x: Any) -> Any:
    return jax.nn.celu(x, node.number("alpha", 1.0)).astype(x.dtype)


@op("Selu")
def _selu(node: Node, x: Any) -> Any:
    alpha = node.number("alpha", 1.6732631921768188)
    gamma = node.number("gamma", 1.0507010221481323)
    return (gamma * jax.nn.elu(x, alpha)).astype(x.dtype)


@op("Gelu")
def _gelu(node: Node, x: Any) -> Any:
    return jax.nn.gelu(x, approximate=node.text("approximate", "none") == "tanh").astype(x.dtype)


@op("Swish")
def _swish(node: Node, x: Any) -> Any:
    return (x * jax.nn.sigmoid(node.number("alpha", 1.0) * x)).astype(x.dtype)


@op("HardSigmoid")
def _hard_sigmoid(node: Node, x: Any) -> Any:
    alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
    return jnp.clip(alpha * x + beta, 0, 1).astype(x.dtype)


@op("ThresholdedRelu")
def _thresholded_relu(node: Node, x: Any) -> Any:
    return jnp.where(x > node.number("alpha", 1.0), x, jnp.zeros((), x.dtype))


@op("Shrink")
def _shrink(node: Node, x: Any) -> Any:
    limit, bias = node.number("lambd", 0.5), node.number("bias", 0.0)
    return jnp.where(x < -limit, x + bias, jnp.where(x > limit, x - bias, 0)).astype(x.dtype)


@op("IsInf")
def _is_inf(node: Node, x: Any) -> Any:
    found = jnp.isinf(x)
    if not node.number("detect_negative", 1):
        found &= x > 0
    if not node.number("detect_positive", 1):
        found &= x < 0
    return found


@op("Clip", knows=True)
def _clip(node: Node, x: Any, low: Any = None, high: Any = None) -> Any:
    module = numbers(x, low, high)
    low = node.get("min") if low is None else low
    high = node.get("max") if high is None else high
    if low is not None:  # a lower limit above the upper one gives the upper one
        x = module.maximum(x, module.asarray(low, x.dtype))
    if high is not None:
        x = module.minimum(x, module.asarray(high, x.dtype))
    return x


# --- of two ---------------------------------------------------------------------------------------

_TWO: dict[str, str] = {
    "Add": "add", "Sub": "subtract", "Mul": "multiply", "Equal": "equal", "Greater": "greater",
    "GreaterOrEqual": "greater_equal", "Less": "less", "LessOrEqual": "less_equal",
    "And": "logical_and", "Or": "logical_or", "Xor": "logical_xor", "BitwiseAnd": "bitwise_and",
    "BitwiseOr": "bitwise_or", "BitwiseXor": "bitwise_xor",
}  # fmt: skip


def _of_two(name: str) -> Callable[..., Any]:
    def computed(node: Node, a: Any, b: Any) -> Any:
        if has_symbols(a) or has_symbols(b):
            found = getattr(np, name)(a, b)
            return found if name in ("add", "subtract", "multiply") else np.asarray(found, bool)
        if is_text(a) or is_text(b):
            if name != "equal":
                raise GraphError("strings are compared for equality alone")
            return np.asarray(a == b, bool)
        found = getattr(numbers(a, b), name)(a, b)
        if name in ("add", "subtract", "multiply"):
            return found.astype(a.dtype)
        return found

    return computed


for _name, _known_name in _TWO.items():
    op(_name, knows=True)(_of_two(_known_name))


@op("Div", knows=True)
def _div(node: Node, a: Any, b: Any) -> Any:
    """Whole numbers are cut towards 0."""
    if has_symbols(a) or has_symbols(b):
        return np.floor_divide(a, b)
    if a.dtype.kind not in "iu":
        return (a / b).astype(a.dtype)
    if not (is_known(a) and is_known(b)):
        a, b = jnp.broadcast_arrays(a, b)
        return lax.div(a, b)
    if a.dtype.kind == "u":
        return a // b
    quotient = np.floor_divide(a, b)
    is_cut = (quotient < 0) & (quotient * b != a)
    return (quotient + is_cut).astype(a.dtype)


@op("Mod", knows=True)
def _mod(node: Node, a: Any, b: Any) -> Any:
    """With `fmod` the sign is that of the dividend, as in C."""
    module = numbers(a, b)
    if has_symbols(a) or has_symbols(b):
        return np.remainder(a, b)
    return (module.fmod if node.number("fmod", 0) else module.remainder)(a, b).astype(a.dtype)


@op("Pow")
def _pow(node: Node, base: Any, exponent: Any) -> Any:
    if base.dtype.kind in "iu" and exponent.dtype.kind in "iu":
        wide = exponent.astype(base.dtype)
        return jnp.where(
            exponent >= 0, jnp.power(base, jnp.maximum(wide, 0)), _of_negative(base, wide)
        )
    if exponent.dtype.kind in "iu":
        exponent = exponent.astype(base.dtype)
    if base.dtype.kind in "iu":
        return jnp.power(base.astype(exponent.dtype), exponent).astype(base.dtype)
    return jnp.power(base, exponent.astype(base.dtype))


def _of_negative(base: Any, exponent: Any) -> Any:
    """A whole number to a negative power, cut towards 0: 1 and -1 alone leave something."""
    sign = jnp.where(exponent % 2 == 0, jnp.ones((), base.dtype), base)
    return jnp.where(jnp.abs(base.astype(jnp.int32)) == 1, sign, jnp.zeros((), base.dtype))


@op("BitShift")
def _bit_shift(node: Node, x: Any, count: Any) -> Any:
    x, count = jnp.broadcast_arrays(x, count)
    if node.text("direction") == "LEFT":
        return lax.shift_left(x, count)
    if x.dtype.kind == "i":  # the sign stays
        return lax.shift_right_arithmetic(x, count)
    return lax.shift_right_logical(x, count)


# --- of many --------------------------------------------------------------------------------------


def _of_many(name: str) -> Callable[..., Any]:
    def computed(node: Node, *arrays: Any) -> Any:
        return reduce(getattr(numbers(*arrays), name), arrays)

    return computed


for _name, _known_name in (("Max", "maximum"), ("Min", "minimum"), ("Sum", "add")):
    op(_name, knows=True)(_of_many(_known_name))


@op("Mean")
def _mean(node: Node, *arrays: Any) -> Any:
    return (reduce(jnp.add, arrays) / len(arrays)).astype(arrays[0].dtype)


@op("Where", knows=True)
def _where(node: Node, condition: Any, x: Any, y: Any) -> Any:
    return numbers(condition, x, y).where(condition, x, y)


# --- dtypes ---------------------------------------------------------------------------------------


def to_dtype(x: Any, target: np.dtype[Any], saturates: bool = True) -> Any:
    """`Cast`: floats are cut towards 0; into formats of 8 bits they end at the largest number."""
    name = target.name
    if target.kind == "O":
        return _texts_of(x)
    if is_text(x):
        return _of_texts(x, target)
    if has_symbols(x):
        if target.kind in "iu":
            return x
        x = lifted(x)
    if target.kind == "b":
        return x != 0
    module = numbers(x)
    if name.startswith(("float8", "float4")):
        return _to_float8(x, target, saturates, module)
    if name in ("int4", "uint4", "int2", "uint2"):
        wide = x if x.dtype.kind in "iu" else module.trunc(x.astype(np.float32))
        bits = int(name[-1])
        wide = wide.astype(np.int32) & ((1 << bits) - 1)
        if name[0] == "i":
            wide = (wide ^ (1 << bits - 1)) - (1 << bits - 1)
        return wide.astype(np.int8 if name[0] == "i" else np.uint8).astype(target)
    if x.dtype.name.startswith(("float8", "float4", "int4", "uint4", "int2", "uint2")):
        x = x.astype(np.float32)
    if module is np and x.dtype.kind not in "iub" and target.kind in "iu":
        return np.asarray(lifted(x).astype(target)) if x.size else x.astype(target)
    return cast(x, target)


def _to_float8(x: Any, target: Any, saturates: bool, module: Any) -> Any:
    if target.name == "float8_e8m0fnu":
        return x.astype(np.float32).astype(target)
    largest = np.float32(jnp.finfo(target).max)
    x = x.astype(np.float32) if x.dtype.itemsize < 4 or x.dtype.kind in "iub" else x
    if saturates or target.name.startswith("float4"):
        limited = module.clip(x, -largest, largest)
        return limited.astype(target)
    found = x.astype(target)
    if target.name.endswith("fnuz") or target.name == "float8_e4m3fn":
        nan = module.asarray(np.nan, np.float32).astype(target)
        over = module.abs(x) > largest * (1 + 1 / 32)
        return module.where(over, nan, found)
    return found


def _texts_of(x: Any) -> Any:
    if not is_known(x):
        x = np.asarray(x)
    if x.dtype == object:
        return x
    found = np.empty(x.shape, object)
    flat = [_text_of(item, x.dtype) for item in x.ravel().tolist()]
    found.reshape(-1)[:] = flat
    return found


def _text_of(item: Any, dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return "1" if item else "0"
    if isinstance(item, float):
        if item != item:
            return "NaN"
        if item in (float("inf"), float("-inf")):
            return "INF" if item > 0 else "-INF"
        digits = {2: 5, 4: 8, 8: 17}[dtype.itemsize]
        return f"{item:.{digits}g}"
    return str(item)


def _of_texts(x: Any, target: np.dtype[Any]) -> Any:
    parse: Any = int if target.kind in "iu" else float
    try:
        values = [parse(item) for item in x.ravel().tolist()]
    except ValueError as error:
        raise GraphError(f"a string that is no number: {error}") from None
    return np.asarray(values).reshape(x.shape).astype(target)


@op("Cast", kept=(-1,))
def _cast(node: Node, x: Any) -> Any:
    target = dtype_of(name_of(node.number("to", 0)))
    return to_dtype(_shown(x, target), target, bool(node.number("saturate", 1)))


@op("CastLike", kept=(-1,))
def _cast_like(node: Node, x: Any, like: Any) -> Any:
    target = like.dtype if not has_symbols(like) else np.dtype(np.int64)
    return to_dtype(_shown(x, target), target, bool(node.number("saturate", 1)))


def _shown(x: Any, target: np.dtype[Any]) -> Any:
    """Strings are made on the host."""
    return np.asarray(x) if target.kind == "O" and not is_known(x) else x


def name_of(number: Any) -> str:
    """The dtype of ONNX's number.

    Raises:
        GraphError: There is none.
    """
    if number not in NAMES:
        raise GraphError(f"there is no dtype {number}")
    return NAMES[number]


@op("BitCast")
def _bit_cast(node: Node, x: Any) -> Any:
    target = dtype_of(name_of(node.number("to", 0)))
    x = x.astype(jnp.uint8) if x.dtype.kind == "b" else x
    return x != 0 if target.kind == "b" else lax.bitcast_convert_type(x, target)


__all__ = ["name_of", "to_dtype"]
