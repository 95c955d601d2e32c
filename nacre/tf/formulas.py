"""Numbers computed of tensors: sums over axes, norms, products of matrices and the like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core.errors import ArgumentError, message
from nacre.core.tracing import is_tracer
from nacre.tf.arguments import axes, listed, t
from nacre.tf.arranging import reshape, stacked, transpose
from nacre.tf.dtypes import dtype_of
from nacre.tf.making import cast, filled
from nacre.tf.nodes import node
from nacre.tf.sizes import plain
from nacre.tf.values import are_wide, landed, means_tensorflow, same


def ordered(x: Any, strictly: bool) -> Any:
    """Whether each number is at least, or more than, the one before."""
    flat = reshape(x, [-1])
    before, after = flat[:-1], flat[1:]
    return reduced("All", node("Less" if strictly else "LessEqual")(before, after), None, False)


def magnitude(x: Any) -> Any:
    """The absolute value."""
    return node("ComplexAbs" if dtype_of(x).is_complex else "Abs")(x)


def quotient(x: Any, y: Any) -> Any:
    """x / y: of whole numbers a float, of 64 bits where they have more than 16."""
    if dtype_of(x).is_integer and dtype_of(x).size < 4:
        x, y = cast(x, "float32"), cast(y, "float32")
    elif dtype_of(x).is_integer and means_tensorflow():
        x, y = cast(x, "float64"), cast(y, "float64")
    return node("RealDiv")(x, y)


def reduced(name: str, x: Any, axis: Any, keepdims: bool | None) -> Any:
    """A sum or the like over axes."""
    return node(name)(x, axes(x, axis), keep_dims=bool(keepdims))


def count_nonzero(x: Any, axis: Any, keepdims: Any, dtype: Any) -> Any:
    """How many are not zero."""
    return reduced("Sum", cast(node("NotEqual")(x, _nothing_like(x)), dtype), axis, keepdims)


def _nothing_like(x: Any) -> Any:
    """Zero, False or the empty text, as a tensor has it."""
    kind = dtype_of(x)
    return t(b"" if kind == "string" else False if kind == "bool" else 0, x)


def zero_fraction(x: Any) -> Any:
    """The share of zeros."""
    zeros = node("Equal")(x, _nothing_like(x))
    return reduced("Mean", cast(zeros, "float32"), None, False)


def l2_normalize(x: Any, axis: Any, epsilon: float) -> Any:
    """x / sqrt(max(sum(x²), epsilon))."""
    total = reduced("Sum", node("Square")(x), axis, True)
    return x * node("Rsqrt")(node("Maximum")(*same(total, epsilon)))


def polyval(coefficients: Sequence[Any], x: Any) -> Any:
    """Horner's rule, the coefficient of the highest power first."""
    if not isinstance(coefficients, list):
        raise ArgumentError(
            message("tf.math.polyval", "coeffs must be a list", type(coefficients).__name__)
        )
    total = t(0, x)
    for coefficient in coefficients:
        total = coefficient + total * x
    return total


def confusion_matrix(labels: Any, predictions: Any, classes: Any, weights: Any, dtype: Any) -> Any:
    """How often a label (row) was taken for a prediction (column)."""
    rows, columns = (cast(t(v), "int32") for v in (labels, predictions))
    if classes is None:
        classes = int(max(np.max(np.asarray(rows)), np.max(np.asarray(columns)))) + 1
    n = plain(classes)
    for name, found in (("labels", rows), ("predictions", columns)):
        if not is_tracer(found) and found.size and not 0 <= int(np.max(np.asarray(found))) < n:
            rule = f"{name} must be from 0 to {n - 1}"
            raise ArgumentError(
                message("tf.math.confusion_matrix", rule, f"{int(np.max(np.asarray(found)))}")
            )
    counts = filled(rows.shape, 1, dtype) if weights is None else cast(weights, dtype)
    places = stacked([rows, columns], 1)
    return node("ScatterNd")(places, counts, np.asarray([n, n], np.int32))


def clip_by_value(x: Any, low: Any, high: Any) -> Any:
    """Numbers within limits."""
    x, low, high = same(x, low, high)
    return node("Minimum")(node("Maximum")(x, low), high)


def clip_by_norm(x: Any, limit: Any, over: Any) -> Any:
    """The tensor, made shorter where its norm is above the limit."""
    limit = t(limit, x)
    norm = node("Sqrt")(reduced("Sum", node("Square")(x), over, True))
    return x * limit / node("Maximum")(norm, limit)


def global_norm(values: Iterable[Any]) -> Any:
    """The norm of all the tensors as one vector; None among them counts nothing."""
    squares = [reduced("Sum", node("Square")(t(v)), None, False) for v in values if v is not None]
    return node("Sqrt")(node("AddN")(*squares))


def clip_by_global_norm(values: Iterable[Any], limit: Any, norm: Any) -> tuple[list[Any], Any]:
    """The tensors, made shorter together, and their norm before that."""
    values = [None if v is None else t(v) for v in values]
    norm = global_norm(values) if norm is None else t(norm)
    scale = t(limit, norm) / node("Maximum")(*same(norm, limit))
    scale = jnp.where(jnp.isfinite(norm), scale, jnp.nan)
    return [None if v is None else v * scale.astype(v.dtype) for v in values], norm


def matmul(
    a: Any, b: Any, turn_a: bool, turn_b: bool, adjoint_a: bool, adjoint_b: bool, kind: Any
) -> Any:
    """Products of matrices, batches of them by the leading axes."""
    a = transpose(a, None, adjoint_a, True) if turn_a or adjoint_a else a
    b = transpose(b, None, adjoint_b, True) if turn_b or adjoint_b else b
    is_host = are_wide(a, b)
    found = landed(np.matmul(np.asarray(a), np.asarray(b))) if is_host else ops.matmul(a, b)
    return found if kind is None else cast(found, kind)


def matvec(a: Any, b: Any, turn: bool, adjoint: bool) -> Any:
    """A matrix times a vector."""
    return matmul(a, b[..., None], turn, False, adjoint, False, None)[..., 0]


def einsum(equation: str, inputs: Any, options: dict[str, Any]) -> Any:
    """Products and sums by the letters of axes."""
    unknown = sorted(set(options) - {"name", "optimize"})
    if unknown:
        raise TypeError(f"tf.einsum() got an unexpected argument {unknown[0]!r}")
    tensors = same(*inputs)
    if are_wide(*tensors):
        return landed(np.asarray(np.einsum(equation, *map(np.asarray, tensors))))
    return ops.einsum(equation, *tensors)


def tensordot(a: Any, b: Any, axes: Any) -> Any:
    """Sums of products over the last axes of one and the first of the other, or those named."""
    a, b = same(a, b)
    if are_wide(a, b):
        return landed(np.asarray(np.tensordot(np.asarray(a), np.asarray(b), axes)))
    return ops.tensordot(a, b, axes=axes)


def trace(x: Any) -> Any:
    """The sum of the diagonal of each matrix."""
    if are_wide(x):
        return landed(np.asarray(np.trace(np.asarray(x), axis1=-2, axis2=-1)))
    return ops.trace(x, axis1=-2, axis2=-1)


def norm(x: Any, order: Any, axis: Any, keepdims: Any) -> Any:
    """The norm of all numbers, of vectors along an axis, or of matrices along two."""
    order = None if order in ("euclidean", "fro") and axis is None else order
    at = None if axis is None else tuple(listed(axis))
    if at is not None and len(at) == 1:
        order, at = 2 if order in ("euclidean", "fro") else order, at[0]
    elif order == "euclidean":
        order = "fro"
    if at is None:
        found = ops.norm(reshape(x, [-1]), 2 if order is None else order)
        return reshape(found, (1,) * x.ndim) if keepdims else found
    return ops.norm(x, order, at, bool(keepdims))


def svd(x: Any, full: bool, vectors: bool) -> Any:
    """Singular values, then the left and right vectors as columns."""
    found = node("Svd")(x, full_matrices=full, compute_uv=vectors)
    return tuple(found) if vectors else found[0]


def expm(x: Any) -> Any:
    """The exponential of matrices."""
    return jax.scipy.linalg.expm(jnp.asarray(x))


def lstsq(a: Any, b: Any, regularizer: float) -> Any:
    """The x for which |ax - b|² + regularizer |x|² is least."""
    turned = transpose(a, None, True, True)
    gram = ops.matmul(turned, a) + regularizer * jnp.eye(a.shape[-1], dtype=a.dtype)
    return ops.solve(gram, ops.matmul(turned, b))


def moments(x: Any, over: Any, keepdims: bool) -> tuple[Any, Any]:
    """Mean and variance."""
    return ops.moments(x, tuple(listed(over)), keepdims=keepdims)
