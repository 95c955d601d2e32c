"""Ops that work element by element. Two or more inputs have one dtype and broadcast as in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.export.graph.opset import Array, DType, Type, op
from nacre.export.graph.rules import (
    booleans,
    broadcast,
    broadcast_shapes,
    compared,
    floats,
    require,
    same,
)


def _unary(name: str, doc: str, formula: Callable[[Any], Any], shapes: Any = floats) -> None:
    def apply(x: Array) -> Array:
        return np.asarray(formula(x), x.dtype)

    apply.__doc__ = doc
    op(shapes=shapes, name=name, is_elementwise=True)(apply)


def _binary(name: str, doc: str, formula: Callable[[Any, Any], Any], shapes: Any) -> None:
    def apply(x: Array, y: Array) -> Array:
        return np.asarray(formula(x, y))

    apply.__doc__ = doc
    op(shapes=shapes, name=name)(apply)


def _each(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A function of Python numbers, for arrays."""
    return lambda x: np.vectorize(function, otypes=["float64"])(x.astype("float64"))


def _log_gamma(x: float) -> float:
    return math.inf if x <= 0 and x == math.floor(x) else math.lgamma(x)


def _digamma(x: float) -> float:
    """By the recurrence up to 6, then the asymptotic series (Abramowitz & Stegun 6.3.18)."""
    if x <= 0:
        if x == math.floor(x):
            return math.nan
        return _digamma(1 - x) - math.pi / math.tan(math.pi * x)
    total = 0.0
    while x < 6:
        total, x = total - 1 / x, x + 1
    y = 1 / (x * x)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y / 132))))
    return total + math.log(x) - 0.5 / x - series


def _erf_inverse(y: float) -> float:
    """By Winitzki's approximation, then four steps of Newton."""
    if not -1 < y < 1:
        return math.copysign(math.inf, y) if abs(y) == 1 else math.nan
    log = math.log1p(-y * y)
    middle = 2 / (math.pi * 0.147) + log / 2
    x = math.copysign(math.sqrt(math.sqrt(middle * middle - log / 0.147) - middle), y)
    for _ in range(4):
        if abs(y) < 0.5:
            fault = math.erf(x) - y
        else:  # near 1 only the complement keeps its digits
            fault = math.copysign(1, y) * (1 - abs(y) - math.erfc(abs(x)))
        x -= fault * math.sqrt(math.pi) / 2 * math.exp(x * x)
    return x


_unary("abs", "|x|.", np.abs, same)
_unary("neg", "-x.", np.negative, same)
_unary("sign", "-1, 0 or 1; NaN for NaN.", np.sign, same)
_unary("floor", "The largest whole number that is not above x.", np.floor)
_unary("ceil", "The smallest whole number that is not below x.", np.ceil)
_unary("round", "The nearest whole number; of two as near, the even one.", np.round)
_unary("square", "x · x.", np.square, same)
_unary("sqrt", "The square root.", np.sqrt)
_unary("rsqrt", "1 / sqrt(x).", lambda x: 1 / np.sqrt(x))
_unary("cbrt", "The cube root.", np.cbrt)
_unary("exp", "e to the x.", np.exp)
_unary("exp2", "2 to the x.", np.exp2)
_unary("expm1", "exp(x) - 1, exact for small x.", np.expm1)
_unary("log", "The natural logarithm.", np.log)
_unary("log1p", "log(1 + x), exact for small x.", np.log1p)
_unary("sin", "The sine.", np.sin)
_unary("cos", "The cosine.", np.cos)
_unary("tan", "The tangent.", np.tan)
_unary("asin", "The angle whose sine is x.", np.arcsin)
_unary("acos", "The angle whose cosine is x.", np.arccos)
_unary("atan", "The angle whose tangent is x.", np.arctan)
_unary("sinh", "The hyperbolic sine.", np.sinh)
_unary("cosh", "The hyperbolic cosine.", np.cosh)
_unary("tanh", "The hyperbolic tangent.", np.tanh)
_unary("asinh", "The inverse of sinh.", np.arcsinh)
_unary("acosh", "The inverse of cosh.", np.arccosh)
_unary("atanh", "The inverse of tanh.", np.arctanh)
_unary("erf", "The error function.", _each(math.erf))
_unary("erfc", "1 - erf(x), exact for large x.", _each(math.erfc))
_unary("erf_inv", "The inverse of erf.", _each(_erf_inverse))
_unary("lgamma", "log |Γ(x)|.", _each(_log_gamma))
_unary("digamma", "The derivative of lgamma.", _each(_digamma))
_unary("not", "Of booleans whether one is false; of integers all bits turned.", np.invert, same)


@op(shapes=floats, is_elementwise=True)
def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(x.dtype)


@op(shapes=booleans, is_elementwise=True)
def is_finite(x: Array) -> Array:
    """Whether each element is neither NaN nor infinite."""
    return np.isfinite(x)


def _quotient(x: Array, y: Array) -> Array:
    if not np.issubdtype(x.dtype, np.integer):
        return x / y
    by = np.where(y == 0, np.ones((), y.dtype), y)
    floor = x // by
    towards_zero = floor + ((floor < 0) & (floor * by != x))
    # By zero: all bits, as XLA gives it.
    return np.where(y == 0, np.asarray(-1).astype(x.dtype), towards_zero).astype(x.dtype)


def _rest(x: Array, y: Array) -> Array:
    if not np.issubdtype(x.dtype, np.integer):
        return np.fmod(x, y)
    # By zero: x, as XLA gives it.
    return np.where(y == 0, x, np.fmod(x, np.where(y == 0, np.ones((), y.dtype), y)))


def _power(x: Array, y: Array) -> Array:
    return np.power(x, y) if not np.issubdtype(x.dtype, np.integer) else x**y


def _bitwise(shift: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A shift, which by the width of the dtype or more leaves nothing."""

    def apply(x: Array, y: Array) -> Array:
        wide = np.asarray(y).astype("int64") >= x.dtype.itemsize * 8
        return np.where(wide, np.zeros((), x.dtype), shift(x, np.where(wide, 0, y).astype(x.dtype)))

    return apply


def _logical_shift(x: Array, y: Array) -> Array:
    unsigned = np.dtype(f"uint{x.dtype.itemsize * 8}")
    return (x.view(unsigned) >> y.astype(unsigned)).view(x.dtype)


_binary("add", "x + y.", np.add, broadcast)
_binary("sub", "x - y.", np.subtract, broadcast)
_binary("mul", "x · y.", np.multiply, broadcast)
_binary("div", "x / y; of integers the quotient towards zero.", _quotient, broadcast)
_binary("rem", "What is left of x / y towards zero; it has the sign of x.", _rest, broadcast)
_binary("pow", "x to the y.", _power, broadcast)
_binary("max", "The larger one; NaN where one is NaN.", np.maximum, broadcast)
_binary("min", "The smaller one; NaN where one is NaN.", np.minimum, broadcast)
_binary("atan2", "The angle of the point (y, x).", np.arctan2, broadcast)
_binary("and", "Of booleans whether both hold; of integers bit by bit.", np.bitwise_and, broadcast)
_binary("or", "Of booleans whether one holds; of integers bit by bit.", np.bitwise_or, broadcast)
_binary(
    "xor", "Of booleans whether just one holds; of integers bit by bit.", np.bitwise_xor, broadcast
)
_binary("shift_left", "Bits moved up by y.", _bitwise(np.left_shift), broadcast)
_binary("shift_right", "Bits moved down by y, zeros put in.", _bitwise(_logical_shift), broadcast)
_binary("shift_right_signed", "Bits moved down by y, the sign put in.", np.right_shift, broadcast)
_binary("equal", "Whether x = y. Texts too.", np.equal, compared)
_binary("not_equal", "Whether x ≠ y. Texts too.", np.not_equal, compared)
_binary("less", "Whether x < y.", np.less, compared)
_binary("less_equal", "Whether x ≤ y.", np.less_equal, compared)
_binary("greater", "Whether x > y.", np.greater, compared)
_binary("greater_equal", "Whether x ≥ y.", np.greater_equal, compared)


def _selected(types: Any, _: Any) -> Type:
    condition, *choices = types
    require(condition.dtype == "bool", f"the condition must be of bool, not {condition.dtype}")
    chosen = broadcast(tuple(choices), _)
    return Type(chosen.dtype, broadcast_shapes(condition.shape, chosen.shape))


@op(shapes=_selected)
def select(condition: Array, on_true: Array, on_false: Array) -> Array:
    """`on_true` where the condition holds, else `on_false`."""
    return np.where(condition, on_true, on_false)


@op(shapes=broadcast)
def clamp(x: Array, low: Array, high: Array) -> Array:
    """min(max(x, low), high)."""
    return np.minimum(np.maximum(x, low), high)


def _of_dtype(types: Any, attributes: Any) -> Type:
    return Type(attributes["dtype"], types[0].shape)


@op(shapes=_of_dtype, is_elementwise=True)
def cast(x: Array, *, dtype: DType) -> Array:
    """x as another dtype: floats to integers towards zero, to bool whether not 0."""
    return x.astype(dtype)


def _same_width(types: Any, attributes: Any) -> Type:
    x, dtype = types[0], np.dtype(attributes["dtype"])
    require(np.dtype(x.dtype).itemsize == dtype.itemsize, f"{dtype} must be as wide as {x.dtype}")
    return Type(dtype.name, x.shape)


@op(shapes=_same_width, is_elementwise=True)
def bitcast(x: Array, *, dtype: DType) -> Array:
    """The bits of x read as another dtype of the same width."""
    return np.ascontiguousarray(x).view(dtype)
