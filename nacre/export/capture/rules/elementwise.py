"""Primitives that work element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nacre.export.capture.jaxpr import Equation, dtype_name, size_of, type_of
from nacre.export.capture.lower import Lowering, NoForm, primitive
from nacre.export.graph.ir import Value

_SAME = {
    "abs": "abs", "acos": "acos", "acosh": "acosh", "add": "add", "add_any": "add", "and": "and",
    "asin": "asin", "asinh": "asinh", "atan": "atan", "atan2": "atan2", "atanh": "atanh",
    "cbrt": "cbrt", "ceil": "ceil", "cos": "cos", "cosh": "cosh", "digamma": "digamma",
    "div": "div", "eq": "equal", "erf": "erf", "erf_inv": "erf_inv", "erfc": "erfc", "exp": "exp",
    "exp2": "exp2", "expm1": "expm1", "floor": "floor", "gt": "greater",
    "is_finite": "is_finite", "le": "less_equal", "lgamma": "lgamma", "log": "log",
    "log1p": "log1p", "logistic": "sigmoid", "max": "max", "min": "min",
    "mul": "mul", "ne": "not_equal", "neg": "neg", "not": "not", "or": "or",
    "pow": "pow", "rem": "rem", "rsqrt": "rsqrt", "shift_left": "shift_left",
    "shift_right_arithmetic": "shift_right_signed", "shift_right_logical": "shift_right",
    "sign": "sign", "sin": "sin", "sinh": "sinh", "sqrt": "sqrt", "square": "square",
    "sub": "sub", "tan": "tan", "tanh": "tanh", "xor": "xor",
}  # fmt: skip


@primitive(*_SAME)
def _same(low: Lowering, equation: Equation, *values: Value) -> Value:
    values = _of_one_dtype(low, values)
    if equation.primitive == "abs" and values[0].dtype.startswith("complex"):
        parts = [low.add("square", low.add(part, values[0])) for part in ("real", "imag")]
        return low.add("sqrt", low.add("add", *parts))
    return low.add(_SAME[equation.primitive], *values)


def _of_one_dtype(low: Lowering, values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Inputs of one dtype: an exponent may be an integer."""
    dtype = values[0].dtype
    return tuple(v if v.dtype == dtype else low.add("cast", v, dtype=dtype) for v in values)


@primitive("ge", "lt")
def _compared(low: Lowering, equation: Equation, x: Value, y: Value) -> Value:
    """Random bits below a number or not: a random float below a share or not."""
    op = {"ge": "greater_equal", "lt": "less"}[equation.primitive]
    maker, limit = low.maker(x), low.known(y)
    if maker is not None and maker.op == "random_bits" and limit is not None and limit.ndim == 0:
        zero, one = low.constant(0, "float32"), low.constant(1, "float32")
        share = low.constant(int(limit) / 2 ** (8 * limit.dtype.itemsize), "float32")
        shape = maker.attributes["shape"]
        drawn = low.add("random_uniform", zero, one, shape=shape, dtype="float32")
        return low.add(op, drawn, share)
    return low.add(op, x, y)


@primitive("round")
def _round(low: Lowering, equation: Equation, x: Value) -> Value:
    if int(equation.params["rounding_method"]) == 1:  # to the even one
        return low.add("round", x)
    half = low.add("add", low.add("abs", x), low.number(0.5, x))
    return low.add("mul", low.add("sign", x), low.add("floor", half))


@primitive("le_to", "lt_to", "eq_to")
def _in_order(low: Lowering, equation: Equation, x: Value, y: Value) -> Value:
    """Comparisons in which NaN has a place, behind all numbers; integers have none."""
    if "int" in x.dtype:
        op = {"le_to": "less_equal", "lt_to": "less", "eq_to": "equal"}[equation.primitive]
        return low.add(op, x, y)
    both = low.add("and", low.add("not_equal", x, x), low.add("not_equal", y, y))
    if equation.primitive == "eq_to":
        return low.add("or", low.add("equal", x, y), both)
    if equation.primitive == "lt_to":
        return _before(low, x, y)
    return low.add("not", _before(low, y, x))


def _before(low: Lowering, x: Value, y: Value) -> Value:
    """Whether x < y, NaN behind all numbers."""
    is_last = low.add("and", low.add("not_equal", y, y), low.add("equal", x, x))
    return low.add("or", low.add("less", x, y), is_last)


@primitive("integer_pow")
def _integer_pow(low: Lowering, equation: Equation, x: Value) -> Value:
    exponent = equation.params["y"]
    if exponent == 2:
        return low.add("square", x)
    if exponent == 3:
        return low.add("mul", low.add("square", x), x)
    if exponent == -1:
        return low.add("div", low.number(1, x), x)
    return low.add("pow", x, low.number(exponent, x))


@primitive("select_n")
def _select(low: Lowering, equation: Equation, which: Value, *cases: Value) -> Value:
    if which.dtype == "bool":
        return low.add("select", which, cases[1], cases[0])
    chosen = cases[-1]
    for index in range(len(cases) - 2, -1, -1):
        matches = low.add("equal", which, low.number(index, which))
        chosen = low.add("select", matches, cases[index], chosen)
    return chosen


@primitive("clamp")
def _clamp(low: Lowering, equation: Equation, least: Value, x: Value, most: Value) -> Value:
    return low.add("clamp", x, least, most)


@primitive("convert_element_type")
def _cast(low: Lowering, equation: Equation, x: Value) -> Value:
    dtype = dtype_name(equation.params["new_dtype"])
    return x if dtype == x.dtype else low.add("cast", x, dtype=dtype)


@primitive("bitcast_convert_type")
def _bitcast(low: Lowering, equation: Equation, x: Value) -> Value:
    dtype = dtype_name(equation.params["new_dtype"])
    if np.dtype(dtype).itemsize != np.dtype(x.dtype).itemsize:
        raise NoForm(f"{x.dtype} read as {dtype}")
    return x if dtype == x.dtype else low.add("bitcast", x, dtype=dtype)


@primitive("reduce_precision")
def _reduce_precision(low: Lowering, equation: Equation, x: Value) -> Value:
    bits = equation.params["exponent_bits"], equation.params["mantissa_bits"]
    narrow = {(8, 7): "bfloat16", (5, 10): "float16", (8, 23): "float32", (11, 52): "float64"}
    if bits not in narrow:
        raise NoForm(f"floats of {bits} bits")
    if narrow[bits] == x.dtype:
        return x
    return low.add("cast", low.add("cast", x, dtype=narrow[bits]), dtype=x.dtype)


@primitive(
    "copy", "copy_p", "stop_gradient", "optimization_barrier", "sharding_constraint", "pvary"
)
def _nothing(low: Lowering, equation: Equation, *values: Value) -> Any:
    return values


@primitive("debug_callback", "debug_print", "shape_assertion")
def _told(low: Lowering, equation: Equation, *_: Value) -> Any:
    """What only tells something to whoever watches."""
    return []


@primitive("log2")
def _log2(low: Lowering, equation: Equation, x: Value) -> Value:
    return low.add("div", low.add("log", x), low.number(math.log(2), x))


@primitive("one_minus_square")
def _one_minus_square(low: Lowering, equation: Equation, x: Value) -> Value:
    return low.add("sub", low.number(1, x), low.add("square", x))


@primitive("aligned")
def _aligned(low: Lowering, equation: Equation, *values: Value) -> Any:
    """Of nacre's gradients: the first values, at one place with the others."""
    return values[: equation.params["count"]]


@primitive("nextafter", "population_count", "clz")
def _bits(low: Lowering, equation: Equation, *values: Value) -> Value:
    raise NoForm("it has no op")


@primitive("dim_as_value")
def _size(low: Lowering, equation: Equation) -> Value:
    dtype = type_of(equation.outputs[0]).dtype
    return low.add("size", size=size_of(equation.params["dim"]), dtype=dtype)
