"""Comparisons, tests for special values, logic and bits."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Axis, Tensor, array, axes_of, operand
from nacre.ops._define import Family

op = Family("numpy", masks=masks.elementwise)


@op
def equal(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where x1 = x2."""
    return jnp.equal(operand(x1), operand(x2))


@op
def not_equal(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where x1 ≠ x2."""
    return jnp.not_equal(operand(x1), operand(x2))


@op
def greater(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where x1 > x2."""
    return jnp.greater(operand(x1), operand(x2))


@op
def greater_equal(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where x1 ≥ x2."""
    return jnp.greater_equal(operand(x1), operand(x2))


@op
def less(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where x1 < x2."""
    return jnp.less(operand(x1), operand(x2))


@op
def less_equal(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where x1 ≤ x2."""
    return jnp.less_equal(operand(x1), operand(x2))


@op
def logical_and(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where both are."""
    return jnp.logical_and(operand(x1), operand(x2))


@op
def logical_or(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where one is."""
    return jnp.logical_or(operand(x1), operand(x2))


@op
def logical_xor(x1: Tensor, x2: Tensor) -> jax.Array:
    """True where exactly one is."""
    return jnp.logical_xor(operand(x1), operand(x2))


@op
def logical_not(x: Tensor) -> jax.Array:
    """True where x is not."""
    return jnp.logical_not(array(x))


@op
def isfinite(x: Tensor) -> jax.Array:
    """True where x is neither NaN nor infinite."""
    return jnp.isfinite(array(x))


@op
def isinf(x: Tensor) -> jax.Array:
    """True where x is infinite."""
    return jnp.isinf(array(x))


@op
def isnan(x: Tensor) -> jax.Array:
    """True where x is NaN."""
    return jnp.isnan(array(x))


@op
def isneginf(x: Tensor) -> jax.Array:
    """True where x is -infinity."""
    return jnp.isneginf(array(x))


@op
def isposinf(x: Tensor) -> jax.Array:
    """True where x is +infinity."""
    return jnp.isposinf(array(x))


@op
def isreal(x: Tensor) -> jax.Array:
    """True where x is real (no imaginary part)."""
    return jnp.isreal(array(x))


@op
def signbit(x: Tensor) -> jax.Array:
    """True where x is negative (the sign bit is set, as in -0.0)."""
    return jnp.signbit(array(x))


@op
def bitwise_and(x: Tensor, y: Tensor) -> jax.Array:
    """Bits set in both."""
    return jnp.bitwise_and(operand(x), operand(y))


@op
def bitwise_or(x: Tensor, y: Tensor) -> jax.Array:
    """Bits set in one or both."""
    return jnp.bitwise_or(operand(x), operand(y))


@op
def bitwise_xor(x: Tensor, y: Tensor) -> jax.Array:
    """Bits set in exactly one."""
    return jnp.bitwise_xor(operand(x), operand(y))


@op
def bitwise_left_shift(x: Tensor, y: Tensor) -> jax.Array:
    """Bits moved y places up."""
    return jnp.left_shift(operand(x), operand(y))


@op
def left_shift(x: Tensor, y: Tensor) -> jax.Array:
    """Bits moved y places up."""
    return jnp.left_shift(operand(x), operand(y))


@op
def bitwise_right_shift(x: Tensor, y: Tensor) -> jax.Array:
    """Bits moved y places down."""
    return jnp.right_shift(operand(x), operand(y))


@op
def right_shift(x: Tensor, y: Tensor) -> jax.Array:
    """Bits moved y places down."""
    return jnp.right_shift(operand(x), operand(y))


@op
def bitwise_invert(x: Tensor) -> jax.Array:
    """All bits turned over."""
    return jnp.invert(array(x))


@op
def bitwise_not(x: Tensor) -> jax.Array:
    """All bits turned over."""
    return jnp.invert(array(x))


@op(tensors=("x1", "x2", "rtol", "atol"))  # in Keras's files rtol and atol are no attributes
def isclose(
    x1: Tensor, x2: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> jax.Array:
    """True where |x1 - x2| ≤ atol + rtol · |x2|."""
    return jnp.isclose(operand(x1), operand(x2), rtol, atol, equal_nan)


@op(class_name="AllClose", masks=masks.FLATTENS)
def allclose(
    x1: Tensor, x2: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> jax.Array:
    """True when all elements are close."""
    return jnp.all(jnp.isclose(operand(x1), operand(x2), rtol, atol, equal_nan))


@op(class_name="IsIn", masks=masks.of("x1"))
def isin(x1: Tensor, x2: Tensor, assume_unique: bool = False, invert: bool = False) -> jax.Array:
    """True where an element of x1 is among those of x2."""
    return jnp.isin(array(x1), array(x2), assume_unique=assume_unique, invert=invert)


@op(masks=masks.reduction)
def all(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """True where all elements along `axis` are."""
    return jnp.all(array(x), axis=axes_of(axis), keepdims=keepdims)


@op(masks=masks.reduction)
def any(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """True where some element along `axis` is."""
    return jnp.any(array(x), axis=axes_of(axis), keepdims=keepdims)


__all__, __dir__ = op.shown()
