"""Numbers one by one: arithmetic, comparisons, functions, casts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import special

from nacre.export.importers.tensorflow.registry import Node, op, stops
from nacre.export.importers.tensorflow.values import GraphError, dtype, is_known, numbers

# --- two inputs -----------------------------------------------------------------------------------

_SAME_NAMES = {
    "Maximum": "maximum", "Minimum": "minimum", "Pow": "power",
    "Less": "less", "LessEqual": "less_equal", "Greater": "greater",
    "GreaterEqual": "greater_equal", "LogicalAnd": "logical_and", "LogicalOr": "logical_or",
    "BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or", "BitwiseXor": "bitwise_xor",
    "FloorMod": "mod", "Sub": "subtract", "Mul": "multiply", "Atan2": "arctan2",
    "NextAfter": "nextafter",
}  # fmt: skip


def _named(name: str) -> Callable[..., Any]:
    def compute(node: Node, x: Any, y: Any) -> Any:
        found = getattr(numbers(x, y), name)(x, y)
        return (
            found.astype(bool)
            if getattr(getattr(found, "dtype", None), "kind", "") == "O"
            else found
        )

    return compute


for _op, _name in _SAME_NAMES.items():
    op(_op, known=True)(_named(_name))


@stops(
    "FloorDiv", "FloorMod", "Div", "TruncateDiv", "TruncateMod", "Mod",
    at="a whole number is divided by 0",
)  # fmt: skip
def _stops_division(node: Node, x: Any, y: Any) -> Any:
    if np.dtype(y.dtype).kind not in "iu":
        return None
    return numbers(y).any(numbers(y).equal(y, 0)) if np.size(x) else None


@stops("Pow", at="a whole number is raised to a power below 0")
def _stops_power(node: Node, x: Any, y: Any) -> Any:
    return numbers(y).any(numbers(y).less(y, 0)) if np.dtype(y.dtype).kind == "i" else None


@op("Add", "AddV2", known=True)
def _add(node: Node, x: Any, y: Any) -> Any:
    return numbers(x, y).add(x, y)  # of strings too


@op("Equal", known=True)
def _equal(node: Node, x: Any, y: Any) -> Any:
    return _compared(node, x, y, True)


@op("NotEqual", known=True)
def _not_equal(node: Node, x: Any, y: Any) -> Any:
    return _compared(node, x, y, False)


def _compared(node: Node, x: Any, y: Any, is_equal: bool) -> Any:
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        if node.get("incompatible_shape_error", True):
            raise
        return np.asarray(not is_equal)
    found = numbers(x, y).equal(x, y) if is_equal else numbers(x, y).not_equal(x, y)
    return np.asarray(found, bool) if is_known(found) else found


@op("RealDiv", known=True)
def _real_divide(node: Node, x: Any, y: Any) -> Any:
    found = numbers(x, y).true_divide(x, y)
    return found if np.dtype(x.dtype).kind in "iub" else found.astype(x.dtype)


@op("FloorDiv", known=True)
def _floor_divide(node: Node, x: Any, y: Any) -> Any:
    """Of floats the quotient, rounded down: infinite where that is, which NumPy takes for NaN."""
    module = numbers(x, y)
    if np.dtype(x.dtype).kind in "iub":
        return module.floor_divide(x, y)
    return module.floor(module.true_divide(x, y)).astype(x.dtype)


@op("LeftShift", "RightShift", known=True)
def _shift(node: Node, x: Any, y: Any) -> Any:
    """By 0 to all bits but one, the nearest of these."""
    module = numbers(x, y)
    bits = np.asarray(np.dtype(x.dtype).itemsize * 8 - 1, y.dtype)
    by = module.clip(y, np.asarray(0, y.dtype), bits)
    return (module.left_shift if node.op == "LeftShift" else module.right_shift)(x, by)


@op("Div", known=True)
def _divide(node: Node, x: Any, y: Any) -> Any:
    if np.dtype(x.dtype).kind not in "iu":
        return _real_divide(node, x, y)
    return _truncated(x, y)[0]


@op("TruncateDiv", known=True)
def _truncate_divide(node: Node, x: Any, y: Any) -> Any:
    return _truncated(x, y)[0]


@op("TruncateMod", "Mod", known=True)
def _truncate_mod(node: Node, x: Any, y: Any) -> Any:
    return _truncated(x, y)[1]


def _truncated(x: Any, y: Any) -> tuple[Any, Any]:
    """Quotient towards zero, and the rest with the sign of `x`."""
    module = numbers(x, y)
    rest = module.fmod(x, y)
    if np.dtype(x.dtype).kind in "iu":
        return module.floor_divide(module.subtract(x, rest), y), rest
    return module.trunc(module.true_divide(x, y)), rest


@op("SquaredDifference", known=True)
def _squared_difference(node: Node, x: Any, y: Any) -> Any:
    difference = numbers(x, y).subtract(x, y)
    return difference * (difference.conj() if difference.dtype.kind == "c" else difference)


@op("DivNoNan", "Xdivy")
def _divide_no_nan(node: Node, x: Any, y: Any) -> Any:
    tested = y if node.op == "DivNoNan" else x
    is_zero = jnp.equal(tested, 0)
    return jnp.where(is_zero, 0, jnp.divide(x, jnp.where(jnp.equal(y, 0) & is_zero, 1, y)))


@op("MulNoNan")
def _multiply_no_nan(node: Node, x: Any, y: Any) -> Any:
    return jnp.where(jnp.equal(y, 0), jnp.zeros((), x.dtype), jnp.multiply(x, y))


@op("Xlogy", "Xlog1py")
def _times_log(node: Node, x: Any, y: Any) -> Any:
    """0 where `x` is, whatever `y` is: NaN too."""
    function = special.xlogy if node.op == "Xlogy" else special.xlog1py
    is_zero = jnp.equal(x, 0)
    return jnp.where(is_zero, jnp.zeros((), x.dtype), function(x, jnp.where(is_zero, 1, y)))


@op("ApproximateEqual")
def _approximate_equal(node: Node, x: Any, y: Any) -> Any:
    return jnp.abs(jnp.subtract(x, y)) < node["tolerance"]


@op("Complex")
def _complex(node: Node, real: Any, imaginary: Any) -> Any:
    return lax.complex(jnp.asarray(real), jnp.asarray(imaginary))


@op("Igamma")
def _igamma(node: Node, a: Any, x: Any) -> Any:
    return special.gammainc(a, x)


@op("Igammac")
def _igammac(node: Node, a: Any, x: Any) -> Any:
    return special.gammaincc(a, x)


@op("Betainc")
def _betainc(node: Node, a: Any, b: Any, x: Any) -> Any:
    return special.betainc(a, b, x)


@op("Zeta")
def _zeta(node: Node, x: Any, q: Any) -> Any:
    return special.zeta(x, q)


@op("Polygamma")
def _polygamma(node: Node, a: Any, x: Any) -> Any:
    order = jnp.asarray(a)
    is_whole = (order == jnp.floor(order)) & (order >= 0)
    whole = jnp.where(is_whole, order, 1).astype(jnp.int32)
    return jnp.where(is_whole, special.polygamma(whole, x), jnp.nan).astype(order.dtype)


# --- one input ------------------------------------------------------------------------------------


# Functions that NumPy and JAX have by the same name: they stay known.
_UNARY_KNOWN = {
    "Neg": "negative", "Abs": "abs", "Square": "square", "Floor": "floor", "Ceil": "ceil",
    "Rint": "rint", "Round": "round", "LogicalNot": "logical_not", "Invert": "invert",
    "Sqrt": "sqrt", "Exp": "exp", "Log": "log", "IsNan": "isnan", "IsInf": "isinf",
    "IsFinite": "isfinite", "Sign": "sign", "Conj": "conj", "ComplexAbs": "abs",
}  # fmt: skip

_UNARY: dict[str, Callable[[Any], Any]] = {
    "Expm1": jnp.expm1, "Log1p": jnp.log1p, "Sin": jnp.sin, "Cos": jnp.cos, "Tan": jnp.tan,
    "Asin": jnp.arcsin, "Acos": jnp.arccos, "Atan": jnp.arctan, "Sinh": jnp.sinh,
    "Cosh": jnp.cosh, "Tanh": jnp.tanh, "Asinh": jnp.arcsinh, "Acosh": jnp.arccosh,
    "Atanh": jnp.arctanh, "Rsqrt": lax.rsqrt, "Erf": lax.erf, "Erfc": lax.erfc,
    "Erfinv": lax.erf_inv, "Lgamma": lax.lgamma, "Digamma": lax.digamma, "Ndtri": special.ndtri,
    "Sigmoid": jax.nn.sigmoid, "BesselI0e": special.i0e, "BesselI1e": special.i1e,
    "BesselI0": special.i0, "BesselI1": special.i1,
    "Reciprocal": lambda x: 1 / x, "Inv": lambda x: 1 / x,
}  # fmt: skip


def _unary_known(name: str) -> Callable[..., Any]:
    def compute(node: Node, x: Any) -> Any:
        found = getattr(numbers(x), name)(x)
        return found if found.dtype.kind in "bc" or name == "abs" else found.astype(x.dtype)

    return compute


def _unary(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda node, x: function(jnp.asarray(x))


for _op, _name in _UNARY_KNOWN.items():
    op(_op, known=True)(_unary_known(_name))
for _op, _function in _UNARY.items():
    op(_op)(_unary(_function))


@op("Real")
def _real(node: Node, x: Any) -> Any:
    return jnp.real(x)


@op("Imag")
def _imag(node: Node, x: Any) -> Any:
    return jnp.imag(x)


@op("Angle")
def _angle(node: Node, x: Any) -> Any:
    return jnp.angle(x)


@op("ClipByValue", known=True)
def _clip(node: Node, x: Any, low: Any, high: Any) -> Any:
    """A limit that is NaN is none; NaN stays."""
    module = numbers(x, low, high)
    above = module.where(module.less(x, low), low, x)
    return module.where(module.greater(above, high), high, above).astype(x.dtype)


@op("AddN", "AccumulateNV2", known=True)
def _add_n(node: Node, *values: Any) -> Any:
    total = values[0]
    for value in values[1:]:
        total = numbers(total, value).add(total, value)
    return total


@op("Bitcast")
def _bitcast(node: Node, x: Any) -> Any:
    return lax.bitcast_convert_type(jnp.asarray(x), dtype(node["type"]))


@op("Bucketize")
def _bucketize(node: Node, x: Any) -> Any:
    limits = jnp.asarray(np.asarray(node["boundaries"], np.float32))
    return jnp.searchsorted(limits, jnp.asarray(x), side="right").astype(jnp.int32)


# --- casts ----------------------------------------------------------------------------------------


def cast(x: Any, target: np.dtype[Any]) -> Any:
    """Numbers in another dtype, as the processor's own casts give them.

    A float outside a whole number's range, or NaN, gives what x86 gives for 32 and 64 bits, the
    smallest of them, where XLA would give the nearest. In narrower numbers and in uint32 TensorFlow
    itself gives several answers: 32768.0 is 127 as an int8 where it is computed eight at a time,
    and 0 where it is left over behind them. Here such a number is cut from its 32 or 64 bits.
    """
    source = np.dtype(x.dtype)
    if source.kind == "c" and target.kind != "c":
        x = numbers(x).real(x)
        source = np.dtype(x.dtype)
    if target.kind == "b":
        return numbers(x).not_equal(x, 0)
    if source.kind not in "iubc" and target.kind in "iu":
        return _float_to_whole(x, target)
    if is_known(x):
        return np.asarray(x).astype(target)
    return jnp.asarray(x).astype(jax.dtypes.canonicalize_dtype(target))


def _float_to_whole(x: Any, target: np.dtype[Any]) -> Any:
    is_long = target.itemsize == 8 or target == np.uint32
    through = np.dtype(np.int64 if is_long else np.int32)
    if is_known(x):
        module: Any = np
    else:
        module = jnp
        through = jax.dtypes.canonicalize_dtype(through)
        target = jax.dtypes.canonicalize_dtype(target)
    limits = np.iinfo(through)
    wide = x if np.dtype(x.dtype).itemsize >= 4 else x.astype(np.float32)
    edge = np.asarray(2.0 ** (through.itemsize * 8 - 1), wide.dtype)
    fits = (wide >= -edge) & (wide < edge)
    whole = module.where(fits, wide, 0).astype(through)
    whole = module.where(fits, whole, np.asarray(limits.min, through))
    if target.kind == "u" and target.itemsize == through.itemsize:
        # Numbers of the upper half have their own way; in programs of 32 bits those of uint32 too.
        upper = (wide >= edge) & (wide < 2 * edge)
        high = module.where(upper, wide - edge, 0).astype(target) + np.asarray(
            1 << (target.itemsize * 8 - 1), target
        )
        return module.where(upper, high, whole.astype(target))
    return whole.astype(target)


@op("Cast", known=True)
def _cast(node: Node, x: Any) -> Any:
    if not hasattr(x, "dtype") or np.dtype(x.dtype) == object:
        raise GraphError("strings have no numbers")
    return cast(x, dtype(node["DstT"]))
