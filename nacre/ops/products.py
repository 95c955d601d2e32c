"""Products of vectors, matrices and tensors: sums over axes that both have."""

from __future__ import annotations

import math
import re
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.linalg

from nacre.core.symbolic import any_symbolic
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Tensor, array, arrays, floating, together
from nacre.ops._define import Family, composite
from nacre.ops.kernels.native.table import WhenUsed
from nacre.ops.kernels.placement import may_be_compiled
from nacre.ops.kernels.products import dense_product, when_compiled, when_shapes_compiled
from nacre.ops.math import add

op = Family("numpy", masks=masks.ON_MATRICES)


@op(masks=masks.matrix_product)
def matmul(x1: Tensor, x2: Tensor) -> jax.Array:
    """The matrix product over the last two axes; int8 by int8 gives int32."""
    x1, x2 = arrays(x1, x2)
    compiled = when_compiled(x1, x2)
    if compiled != "never":
        return dense_product(x1, x2, None, compiled)
    is_int8 = x1.dtype == x2.dtype == jnp.int8
    return jnp.matmul(x1, x2, preferred_element_type=jnp.int32 if is_int8 else None)


def dense(x: Tensor, kernel: Tensor, bias: Tensor = None) -> jax.Array:
    """`x` · `kernel` + `bias` over the last axis of `x`, for the layer of that name.

    Shapes:
        x        (*batch, features)
        kernel   (features, units)
        bias     (units,)
        returns  (*batch, units)
    """
    x, kernel, bias = array(x), array(kernel), None if bias is None else array(bias)
    return _dense(x, kernel, bias, compiled=when_compiled(x, kernel, bias))


@composite("x", "kernel", "bias", name="dense", lowering=("compiled",))
def _dense(x: Tensor, kernel: Tensor, bias: Tensor, compiled: WhenUsed) -> jax.Array:
    x, kernel, bias = array(x), array(kernel), None if bias is None else array(bias)
    if compiled != "never":
        return dense_product(x, kernel, bias, compiled)
    outputs = dense_product(x, kernel)
    return outputs if bias is None else add(outputs, bias)


@op(masks=masks.matrix_product)
def dot(x1: Tensor, x2: Tensor) -> jax.Array:
    """The sum of products over the last axis of `x1` and the last but one of `x2`."""
    return jnp.dot(*arrays(x1, x2))


@op(masks=masks.contraction(masks.uncontracted_axes))
def tensordot(x1: Tensor, x2: Tensor, axes: Any = 2) -> jax.Array:
    """The sum of products over the axes given for each."""
    return jnp.tensordot(*arrays(x1, x2), axes=axes)


@op(masks=masks.matrix_product)
def inner(x1: Tensor, x2: Tensor) -> jax.Array:
    """The sum of products over the last axes."""
    return jnp.inner(*arrays(x1, x2))


@op
def outer(x1: Tensor, x2: Tensor) -> jax.Array:
    """The product of every element with every element."""
    x1, x2 = arrays(x1, x2)
    return jnp.outer(x1, x2)


@op
def vdot(x1: Tensor, x2: Tensor) -> jax.Array:
    """The sum of products of all elements, the first conjugated."""
    return jnp.vdot(*arrays(x1, x2))


@op
def kron(x1: Tensor, x2: Tensor) -> jax.Array:
    """The Kronecker product."""
    return jnp.kron(*arrays(x1, x2))


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
    x1, x2 = arrays(x1, x2)
    return jnp.cross(x1, x2, axisa, axisb, axisc, axis)


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
        x, y = map(array, operands)
        compiled = "never" if kwargs else _when_einsum_compiled(subscripts, x, y)
        return _einsum_of_two(x, y, subscripts=subscripts, compiled=compiled, **kwargs)
    return _einsum(*operands, subscripts=subscripts, **kwargs)


def _when_einsum_compiled(subscripts: str, x: jax.Array, y: jax.Array) -> WhenUsed:
    if not may_be_compiled(x, y):
        return "never"
    axes = matrix_axes(subscripts, x.ndim, y.ndim)
    if axes is None or x.shape[x.ndim - axes :] != y.shape[:axes]:
        return "never"
    shapes = _matrix_shapes(x, y, axes)
    return when_shapes_compiled(
        *(jax.ShapeDtypeStruct(s, a.dtype) for s, a in zip(shapes, (x, y), strict=True))
    )


def einsum_dense(subscripts: str, x: Tensor, kernel: Tensor, bias: Tensor = None) -> jax.Array:
    """`einsum(subscripts, x, kernel)` + `bias`, for the layer of that name."""
    if bias is None:
        return einsum(subscripts, x, kernel)
    x, kernel, bias = array(x), array(kernel), array(bias)
    axes = matrix_axes(subscripts, x.ndim, kernel.ndim)
    if axes is not None and bias.shape == kernel.shape[axes:] and bias.dtype == x.dtype:
        compiled = _when_einsum_compiled(subscripts, x, kernel)
        if compiled != "never":
            return _einsum_dense(x, kernel, bias, subscripts=subscripts, compiled=compiled)
    return add(einsum(subscripts, x, kernel), bias)


@composite("x", "kernel", "bias", name="einsum_dense", lowering=("compiled",))
def _einsum_dense(
    x: Tensor, kernel: Tensor, bias: Tensor, subscripts: str, compiled: WhenUsed
) -> jax.Array:
    return _matrix_einsum(subscripts, array(x), array(kernel), array(bias), compiled)


@composite("x", "y", name="einsum", lowering=("compiled",))
def _einsum_of_two(
    x: Tensor, y: Tensor, subscripts: str, compiled: WhenUsed, **kwargs: Any
) -> jax.Array:
    x, y = array(x), array(y)
    if compiled == "never":
        return _summed_products(subscripts, [x, y], **kwargs)
    return _matrix_einsum(subscripts, x, y, None, compiled)


def _matrix_einsum(
    subscripts: str, x: jax.Array, y: jax.Array, bias: jax.Array | None, compiled: WhenUsed
) -> jax.Array:
    axes = matrix_axes(subscripts, x.ndim, y.ndim)
    assert axes is not None  # `_when_einsum_compiled` has asked
    shapes = _matrix_shapes(x, y, axes)
    rows, matrix = jnp.reshape(x, shapes[0]), jnp.reshape(y, shapes[1])
    bias = None if bias is None else jnp.reshape(bias, (-1,))
    outputs = dense_product(rows, matrix, bias, compiled)
    return jnp.reshape(outputs, (*x.shape[: x.ndim - axes], *y.shape[axes:]))


def matrix_axes(subscripts: str, x_ndim: int, y_ndim: int) -> int | None:
    """How many axes, the last of x and the first of y, an einsum sums over; None for any other.

    Example:
        >>> matrix_axes("abc,cde->abde", 3, 3), matrix_axes("...x,xy->...y", 4, 2)
        (1, 1)
        >>> matrix_axes("abcd,cde->abe", 4, 3), matrix_axes("bc,cb->b", 2, 2)
        (2, None)
    """
    found = _MATRIX_PRODUCT.fullmatch(subscripts.replace(" ", ""))
    if found is None:
        return None
    dots, x_labels, y_labels, result_dots, result = found.groups()
    has_letters = len(x_labels) <= x_ndim if dots else len(x_labels) == x_ndim
    if bool(dots) != bool(result_dots) or not has_letters or len(y_labels) != y_ndim:
        return None
    if any(len(set(labels)) < len(labels) for labels in (x_labels, y_labels)):
        return None
    axes = sum(label in x_labels for label in y_labels)
    is_product = axes > 0 and x_labels.endswith(y_labels[:axes])
    expected = x_labels[: len(x_labels) - axes] + y_labels[axes:]
    return axes if is_product and result == expected else None


_MATRIX_PRODUCT = re.compile(r"(\.\.\.)?([a-zA-Z]+),([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]*)")


def _matrix_shapes(
    x: jax.Array, y: jax.Array, axes: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shapes of `x` with its last `axes` axes as one, and of `y` with its first, and its others."""
    depth = math.prod(y.shape[:axes])
    return (*x.shape[: x.ndim - axes], depth), (depth, math.prod(y.shape[axes:]))


def _summed_products(subscripts: str, arrays: list[jax.Array], **kwargs: Any) -> jax.Array:
    """`jnp.einsum`; products of int8 are summed in int32, as in `matmul`."""
    if len(arrays) > 1 and all(x.dtype == jnp.int8 for x in arrays):
        kwargs = {"preferred_element_type": jnp.int32, **kwargs}
    return jnp.einsum(subscripts, *arrays, **kwargs)


__all__, __dir__ = op.shown()
