"""Arithmetic, powers, logarithms, trigonometry and rounding, element by element."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special

from nacre.core import config
from nacre.core.errors import ShapeError, message
from nacre.ops import kinks
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Tensor, array, arrays, floating, is_inexact, operands
from nacre.ops._define import Family

op = Family("numpy", masks=masks.elementwise)


def _result_float(x1: Tensor, x2: Tensor) -> tuple[jax.Array, jax.Array]:
    """Both operands in the float dtype they promote to.

    Each is cast once: by way of an unsigned integer dtype, the number -1 would become a large one.
    """
    x1, x2 = arrays(x1, x2)
    dtype = jnp.result_type(x1, x2)
    if not jnp.issubdtype(dtype, jnp.inexact):
        dtype = config.floatx()
    return x1.astype(dtype), x2.astype(dtype)


@op
def add(x1: Tensor, x2: Tensor) -> jax.Array:
    """x1 + x2, with broadcasting."""
    return jnp.add(*operands(x1, x2))


@op
def subtract(x1: Tensor, x2: Tensor) -> jax.Array:
    """x1 - x2, with broadcasting."""
    return jnp.subtract(*operands(x1, x2))


@op
def multiply(x1: Tensor, x2: Tensor) -> jax.Array:
    """x1 · x2, with broadcasting."""
    return jnp.multiply(*operands(x1, x2))


@op
def divide(x1: Tensor, x2: Tensor) -> jax.Array:
    """x1 / x2, a float also for integers."""
    x1, x2 = operands(x1, x2)
    return jnp.true_divide(*_result_float(x1, x2)) if _both_exact(x1, x2) else jnp.divide(x1, x2)


@op
def true_divide(x1: Tensor, x2: Tensor) -> jax.Array:
    """The same as `divide`."""
    return divide(x1, x2)


def _both_exact(x1: Any, x2: Any) -> bool:
    return all(
        isinstance(x, int) or (not isinstance(x, float) and not is_inexact(x)) for x in (x1, x2)
    )


@op
def divide_no_nan(x1: Tensor, x2: Tensor) -> jax.Array:
    """x1 / x2, and 0 where x2 is 0; gradients stay finite there."""
    x1, x2 = _result_float(x1, x2)
    is_zero = x2 == 0
    return jnp.where(is_zero, 0, x1 / jnp.where(is_zero, 1, x2))


@op
def floor_divide(x1: Tensor, x2: Tensor) -> jax.Array:
    """The largest whole number not above x1 / x2."""
    return jnp.floor_divide(*operands(x1, x2))


@op
def mod(x1: Tensor, x2: Tensor) -> jax.Array:
    """The remainder of x1 / x2, with the sign of x2."""
    return jnp.mod(*operands(x1, x2))


@op
def fmod(x1: Tensor, x2: Tensor) -> jax.Array:
    """The remainder of x1 / x2, with the sign of x1."""
    return jnp.fmod(*operands(x1, x2))


@op
def power(x1: Tensor, x2: Tensor) -> jax.Array:
    """x1 to the power x2."""
    return jnp.power(*operands(x1, x2))


@op
def maximum(x1: Tensor, x2: Tensor) -> jax.Array:
    """The larger of two values; NaN wins."""
    return kinks.larger(*operands(x1, x2))


@op
def minimum(x1: Tensor, x2: Tensor) -> jax.Array:
    """The smaller of two values; NaN wins."""
    return kinks.smaller(*operands(x1, x2))


@op
def fmax(x1: Tensor, x2: Tensor) -> jax.Array:
    """The larger of two values; a NaN loses."""
    return jnp.fmax(*operands(x1, x2))


@op
def fmin(x1: Tensor, x2: Tensor) -> jax.Array:
    """The smaller of two values; a NaN loses."""
    return jnp.fmin(*operands(x1, x2))


@op
def arctan2(x1: Tensor, x2: Tensor) -> jax.Array:
    """The angle of the point (x2, x1), from -π to π."""
    return jnp.arctan2(*_result_float(x1, x2))


@op
def hypot(x1: Tensor, x2: Tensor) -> jax.Array:
    """sqrt(x1² + x2²), without overflow on the way."""
    return jnp.hypot(*_result_float(x1, x2))


@op
def logaddexp(x1: Tensor, x2: Tensor) -> jax.Array:
    """log(exp(x1) + exp(x2)), without overflow."""
    return jnp.logaddexp(*_result_float(x1, x2))


@op
def logaddexp2(x1: Tensor, x2: Tensor) -> jax.Array:
    """log2(2^x1 + 2^x2), without overflow."""
    return jnp.logaddexp2(*_result_float(x1, x2))


@op
def nextafter(x1: Tensor, x2: Tensor) -> jax.Array:
    """The next float after x1 on the way to x2."""
    return jnp.nextafter(*_result_float(x1, x2))


@op
def heaviside(x1: Tensor, x2: Tensor) -> jax.Array:
    """0 for x1 < 0, x2 for x1 = 0, 1 for x1 > 0."""
    return jnp.heaviside(*_result_float(x1, x2))


@op
def gcd(x1: Tensor, x2: Tensor) -> jax.Array:
    """The greatest common divisor."""
    return jnp.gcd(*operands(x1, x2))


@op
def lcm(x1: Tensor, x2: Tensor) -> jax.Array:
    """The least common multiple."""
    return jnp.lcm(*operands(x1, x2))


@op
def ldexp(x1: Tensor, x2: Tensor) -> jax.Array:
    """x1 · 2^x2, for whole x2."""
    return jnp.ldexp(floating(x1), array(x2))


@op
def negative(x: Tensor) -> jax.Array:
    """-x."""
    return jnp.negative(array(x))


@op
def absolute(x: Tensor) -> jax.Array:
    """The distance from zero."""
    return kinks.absolute(array(x))


@op
def abs(x: Tensor) -> jax.Array:
    """The same as `absolute`."""
    return kinks.absolute(array(x))


@op
def fabs(x: Tensor) -> jax.Array:
    """The distance from zero, always a float."""
    return kinks.absolute(floating(x))


@op
def sign(x: Tensor) -> jax.Array:
    """-1, 0 or 1."""
    return jnp.sign(array(x))


@op
def square(x: Tensor) -> jax.Array:
    """x²."""
    return jnp.square(array(x))


@op
def sqrt(x: Tensor) -> jax.Array:
    """The square root."""
    return jnp.sqrt(floating(x))


@op(keras="math")
def rsqrt(x: Tensor) -> jax.Array:
    """1 / sqrt(x)."""
    return jax.lax.rsqrt(floating(x))


@op
def cbrt(x: Tensor) -> jax.Array:
    """The cube root, negative for negative x."""
    return jnp.cbrt(floating(x))


@op
def reciprocal(x: Tensor) -> jax.Array:
    """1 / x."""
    return jnp.reciprocal(floating(x))


@op
def exp(x: Tensor) -> jax.Array:
    """e to the power x."""
    return jnp.exp(floating(x))


@op
def exp2(x: Tensor) -> jax.Array:
    """2 to the power x."""
    return jnp.exp2(floating(x))


@op
def expm1(x: Tensor) -> jax.Array:
    """exp(x) - 1, exact for small x."""
    return jnp.expm1(floating(x))


@op
def log(x: Tensor) -> jax.Array:
    """The natural logarithm."""
    return jnp.log(floating(x))


@op
def log10(x: Tensor) -> jax.Array:
    """The logarithm to base 10."""
    return jnp.log10(floating(x))


@op
def log1p(x: Tensor) -> jax.Array:
    """log(1 + x), exact for small x."""
    return jnp.log1p(floating(x))


@op
def log2(x: Tensor) -> jax.Array:
    """The logarithm to base 2."""
    return jnp.log2(floating(x))


@op
def sin(x: Tensor) -> jax.Array:
    """The sine of x in radians."""
    return jnp.sin(floating(x))


@op
def cos(x: Tensor) -> jax.Array:
    """The cosine of x in radians."""
    return jnp.cos(floating(x))


@op
def tan(x: Tensor) -> jax.Array:
    """The tangent of x in radians."""
    return jnp.tan(floating(x))


@op
def sinh(x: Tensor) -> jax.Array:
    """The hyperbolic sine."""
    return jnp.sinh(floating(x))


@op
def cosh(x: Tensor) -> jax.Array:
    """The hyperbolic cosine."""
    return jnp.cosh(floating(x))


@op
def tanh(x: Tensor) -> jax.Array:
    """The hyperbolic tangent."""
    return jnp.tanh(floating(x))


@op
def arcsin(x: Tensor) -> jax.Array:
    """The inverse of the sine."""
    return jnp.arcsin(floating(x))


@op
def arccos(x: Tensor) -> jax.Array:
    """The inverse of the cosine."""
    return jnp.arccos(floating(x))


@op
def arctan(x: Tensor) -> jax.Array:
    """The inverse of the tangent."""
    return jnp.arctan(floating(x))


@op
def arcsinh(x: Tensor) -> jax.Array:
    """The inverse of the hyperbolic sine."""
    return jnp.arcsinh(floating(x))


@op
def arccosh(x: Tensor) -> jax.Array:
    """The inverse of the hyperbolic cosine."""
    return jnp.arccosh(floating(x))


@op
def arctanh(x: Tensor) -> jax.Array:
    """The inverse of the hyperbolic tangent."""
    return jnp.arctanh(floating(x))


@op
def deg2rad(x: Tensor) -> jax.Array:
    """Degrees in radians."""
    return jnp.deg2rad(floating(x))


@op
def rad2deg(x: Tensor) -> jax.Array:
    """Radians in degrees."""
    return jnp.rad2deg(floating(x))


@op
def sinc(x: Tensor) -> jax.Array:
    """sin(πx) / (πx), and 1 at 0."""
    x = floating(x)
    # Near 0 the quotient's slope is a difference of large numbers.
    is_small = jnp.abs(x) < float(jnp.finfo(x.dtype).eps) ** 0.25
    series = 1 - jnp.square(math.pi * jnp.where(is_small, x, 0)) / 6
    return jnp.where(is_small, series, jnp.sinc(jnp.where(is_small, 1, x)))


@op
def i0(x: Tensor) -> jax.Array:
    """The modified Bessel function of the first kind, order 0."""
    return jnp.i0(floating(x))


@op
def ceil(x: Tensor) -> jax.Array:
    """The smallest whole number not below x."""
    return jnp.ceil(floating(x))


@op
def floor(x: Tensor) -> jax.Array:
    """The largest whole number not above x."""
    return jnp.floor(floating(x))


@op
def trunc(x: Tensor) -> jax.Array:
    """x without its fraction."""
    return jnp.trunc(array(x))


@op
def real(x: Tensor) -> jax.Array:
    """The real part."""
    return jnp.real(array(x))


@op
def imag(x: Tensor) -> jax.Array:
    """The imaginary part."""
    return jnp.imag(array(x))


@op
def conj(x: Tensor) -> jax.Array:
    """The complex conjugate."""
    return jnp.conjugate(array(x))


@op
def conjugate(x: Tensor) -> jax.Array:
    """The complex conjugate."""
    return jnp.conjugate(array(x))


@op
def angle(x: Tensor) -> jax.Array:
    """The angle of a complex number."""
    return jnp.angle(floating(x))


@op(keras="math")
def erf(x: Tensor) -> jax.Array:
    """The error function."""
    return jax.lax.erf(floating(x))


@op(keras="math")
def erfc(x: Tensor) -> jax.Array:
    """1 - erf(x), exact for large x."""
    return jax.lax.erfc(floating(x))


@op(keras="math")
def erfinv(x: Tensor) -> jax.Array:
    """The inverse of the error function."""
    return jax.lax.erf_inv(floating(x))


@op
def round(x: Tensor, decimals: int = 0) -> jax.Array:
    """Round to `decimals` places, to tens for -1; halves go to the even neighbour."""
    x = array(x)
    if decimals < 0 and jnp.issubdtype(x.dtype, jnp.integer):
        return _whole_tens(x, 10**-decimals)
    return jnp.round(x, decimals)


def _whole_tens(x: jax.Array, step: int) -> jax.Array:
    """Integers rounded to multiples of `step`."""
    if step > jnp.iinfo(x.dtype).max:
        return jnp.zeros_like(x)
    below = x // step
    rest = x - below * step
    missing = step - rest
    goes_up = (rest > missing) | ((rest == missing) & (below % 2 == 1))
    return (below + goes_up) * step


@op(tensors=("x",))
def clip(x: Tensor, x_min: Tensor, x_max: Tensor) -> jax.Array:
    """Limit values to the range from `x_min` to `x_max`; None leaves a side open."""
    x = array(x)
    if x.dtype == bool:
        x = x.astype("int32")
    x, *given = operands(x, *(limit for limit in (x_min, x_max) if limit is not None))
    low = None if x_min is None else given[0]
    return kinks.limited(x, low, None if x_max is None else given[-1])


@op
def nan_to_num(
    x: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> jax.Array:
    """Replace NaN and infinities by numbers."""
    return jnp.nan_to_num(array(x), nan=nan, posinf=posinf, neginf=neginf)


def _complex(real: jax.Array, imaginary: jax.Array) -> jax.Array:
    """Complex numbers; of 64 bits for floats of 16, which have none of their own."""
    if real.dtype in (jnp.float16, jnp.bfloat16):
        real, imaginary = real.astype("float32"), imaginary.astype("float32")
    return jax.lax.complex(real, imaginary)


@op(keras="math", masks=masks.last_axis)
def view_as_complex(x: Tensor) -> jax.Array:
    """Complex numbers from pairs (real, imaginary) on the last axis."""
    x = floating(x)
    if x.ndim < 1 or (isinstance(x.shape[-1], int) and x.shape[-1] != 2):
        raise ShapeError(
            message("view_as_complex", "the last axis must have size 2", f"shape {tuple(x.shape)}")
        )
    return _complex(x[..., 0], x[..., 1])


@op(keras="math", masks=masks.of("x"))
def view_as_real(x: Tensor) -> jax.Array:
    """Pairs (real, imaginary) on a new last axis from complex numbers."""
    x = array(x)
    return jnp.stack([jnp.real(x), jnp.imag(x)], axis=-1)


@op(keras="nn")
def polar(abs_: Tensor, angle: Tensor) -> jax.Array:
    """Complex numbers from lengths and angles."""
    length, angle = _result_float(abs_, angle)
    return _complex(length * jnp.cos(angle), length * jnp.sin(angle))


__all__, __dir__ = op.shown()
