"""Products of vectors, matrices and tensors: sums over axes that both have."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.linalg

from nacre.core.symbolic import any_symbolic
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Tensor, array, floating, together
from nacre.ops._define import Family, composite
from nacre.ops.kernels.products import dense_product
from nacre.ops.math import add

op = Family("numpy", masks=masks.ON_MATRICES)


@op(masks=masks.matrix_product)
def matmul(x1: Tensor, x2: Tensor) -> jax.Array:
    """The matrix product over the last two axes; int8 by int8 gives int32."""
    x1, x2 = array(x1), array(x2)
    if x1.dtype == x2.dtype == jnp.int8:
        return jnp.matmul(x1, x2, preferred_element_type=jnp.int32)
    return jnp.matmul(x1, x2)


@composite("x", "kernel", "bias")
def dense(x: Tensor, kernel: Tensor, bias: Tensor = None) -> jax.Array:
    """`x` · `kernel` + `bias` over the last axis of `x`, for the layer of that name.

    Shapes:
        x        (*batch, features)
        kernel   (features, units)
        bias     (units,)
        returns  (*batch, units)
    """
    outputs = dense_product(array(x), array(kernel))
    return outputs if bias is None else add(outputs, bias)


@op(masks=masks.matrix_product)
def dot(x1: Tensor, x2: Tensor) -> jax.Array:
    """The sum of products over the last axis of `x1` and the last but one of `x2`."""
    return jnp.dot(array(x1), array(x2))


@op(masks=masks.contraction(masks.uncontracted_axes))
def tensordot(x1: Tensor, x2: Tensor, axes: Any = 2) -> jax.Array:
    """The sum of products over the axes given for each."""
    return jnp.tensordot(array(x1), array(x2), axes=axes)


@op(masks=masks.matrix_product)
def inner(x1: Tensor, x2: Tensor) -> jax.Array:
    """The sum of products over the last axes."""
    return jnp.inner(array(x1), array(x2))


@op
def outer(x1: Tensor, x2: Tensor) -> jax.Array:
    """The product of every element with every element."""
    return jnp.outer(array(x1), array(x2))


@op
def vdot(x1: Tensor, x2: Tensor) -> jax.Array:
    """The sum of products of all elements, the first conjugated."""
    return jnp.vdot(array(x1), array(x2))


@op
def kron(x1: Tensor, x2: Tensor) -> jax.Array:
    """The Kronecker product."""
    return jnp.kron(array(x1), array(x2))


@op
def cross(
    x1: Tensor,
    x2: Tensor,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> jax.Array:
    """The cross product of vectors with two or three elements."""
    return jnp.cross(array(x1), array(x2), axisa, axisb, axisc, axis)


@op
def trace(x: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array:
    """The sum along the diagonals."""
    x = array(x)
    dtype = "int32" if x.dtype in (jnp.bool_, jnp.int8, jnp.int16) else None
    if x.dtype in (jnp.uint8, jnp.uint16):
        dtype = "uint32"
    return jnp.trace(x, offset, axis1, axis2, dtype=dtype)


@op(masks=masks.POSITIONS_CHANGE)
def correlate(x1: Tensor, x2: Tensor, mode: str = "valid") -> jax.Array:
    """The cross-correlation of two vectors."""
    x1, x2 = together(x1, x2)
    return jnp.correlate(floating(x1), floating(x2), mode=mode)


@op(name="einsum", masks=masks.einsum)
def _einsum(*operands: Tensor, subscripts: str, **kwargs: Any) -> jax.Array:
    return _summed_products(subscripts, [array(x) for x in operands], **kwargs)


@op.function
def einsum(subscripts: str, *operands: Tensor, **kwargs: Any) -> jax.Array:
    """Sums of products written with one letter an axis.

    Example:
        >>> einsum("ij,j->i", [[1, 2], [3, 4]], [1, 1]).tolist()
        [3, 7]
    """
    if len(operands) == 2 and not any_symbolic(operands):
        return _einsum_of_two(*operands, subscripts=subscripts, **kwargs)
    return _einsum(*operands, subscripts=subscripts, **kwargs)


@composite("x", "y", name="einsum")
def _einsum_of_two(x: Tensor, y: Tensor, subscripts: str, **kwargs: Any) -> jax.Array:
    return _summed_products(subscripts, [array(x), array(y)], **kwargs)


def _summed_products(subscripts: str, arrays: list[jax.Array], **kwargs: Any) -> jax.Array:
    """`jnp.einsum`; products of int8 are summed in int32, as in `matmul`."""
    if len(arrays) > 1 and all(x.dtype == jnp.int8 for x in arrays):
        kwargs = {"preferred_element_type": jnp.int32, **kwargs}
    return jnp.einsum(subscripts, *arrays, **kwargs)


__all__, __dir__ = op.shown()
