"""Matrices: decompositions, inverses, solvers, norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.linalg

from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.ops import _roots
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Axis, Tensor, array, axes_of, floating, together
from nacre.ops._define import Family

op = Family("linalg", masks=masks.ON_MATRICES)


def _square(who: str, x: jax.Array) -> jax.Array:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(
            message(who, "the last two axes must make square matrices", f"shape {tuple(x.shape)}")
        )
    return x


@op
def cholesky(x: Tensor, upper: bool = False) -> jax.Array:
    """The triangular factor of symmetric positive definite matrices."""
    return jnp.linalg.cholesky(_square("cholesky", floating(x)), upper=upper)


@op
def cholesky_inverse(x: Tensor, upper: bool = False) -> jax.Array:
    """The inverse of the matrix whose Cholesky factor is `x`."""
    x = _square("cholesky_inverse", floating(x))
    identity = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
    half = jax.scipy.linalg.solve_triangular(x, identity, lower=not upper)
    turned = jnp.swapaxes(half, -1, -2)
    return half @ turned if upper else turned @ half


@op
def det(x: Tensor) -> jax.Array:
    """The determinant."""
    return jnp.linalg.det(_square("det", floating(x)))


@op(keras="numpy")
def slogdet(x: Tensor) -> tuple[jax.Array, jax.Array]:
    """The sign of the determinant and the logarithm of its absolute value."""
    return tuple(jnp.linalg.slogdet(_square("slogdet", floating(x))))  # type: ignore[return-value]


@op(keras="math")
def logdet(x: Tensor) -> jax.Array:
    """The logarithm of the determinant of symmetric positive definite matrices."""
    return jnp.linalg.slogdet(_square("logdet", floating(x)))[1]


@op
def inv(x: Tensor) -> jax.Array:
    """The inverse."""
    return jnp.linalg.inv(_square("inv", floating(x)))


@op
def pinv(x: Tensor, rcond: float | None = None) -> jax.Array:
    """The pseudo-inverse; singular values below `rcond` times the largest count as zero."""
    return jnp.linalg.pinv(floating(x), rtol=rcond)


@op
def eig(x: Tensor) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues and eigenvectors of square matrices, complex. On the CPU only."""
    return tuple(jnp.linalg.eig(_square("eig", floating(x))))  # type: ignore[return-value]


@op
def eigh(x: Tensor) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues, rising, and eigenvectors of symmetric matrices."""
    return tuple(jnp.linalg.eigh(_square("eigh", floating(x))))  # type: ignore[return-value]


@op
def lu_factor(x: Tensor) -> tuple[jax.Array, jax.Array]:
    """The LU decomposition in one matrix, and the row each row was exchanged with."""
    return tuple(jax.scipy.linalg.lu_factor(floating(x)))  # type: ignore[return-value]


@op
def qr(x: Tensor, mode: str = "reduced") -> tuple[jax.Array, jax.Array]:
    """An orthonormal and a triangular factor; `mode` is 'reduced' or 'complete'."""
    if mode not in ("reduced", "complete"):
        raise ArgumentError(message("qr", "mode must be 'reduced' or 'complete'", repr(mode)))
    return tuple(jnp.linalg.qr(floating(x), mode=mode))  # type: ignore[return-value]


@op(class_name="SVD")
def svd(x: Tensor, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Singular values, falling, with both orthonormal factors unless `compute_uv` is False."""
    result = jnp.linalg.svd(floating(x), full_matrices, compute_uv)
    return tuple(result) if compute_uv else result


@op
def solve(a: Tensor, b: Tensor) -> jax.Array:
    """The x of a · x = b."""
    a, b = together(floating(a), floating(b))
    return (
        jnp.linalg.solve(a, b[..., None])[..., 0]
        if b.ndim == a.ndim - 1
        else jnp.linalg.solve(a, b)
    )


@op
def solve_triangular(a: Tensor, b: Tensor, lower: bool = False) -> jax.Array:
    """The x of a · x = b for a triangular matrix `a`."""
    a, b = together(floating(a), floating(b))
    if b.ndim == a.ndim - 1:
        return jax.scipy.linalg.solve_triangular(a, b[..., None], lower=lower)[..., 0]
    return jax.scipy.linalg.solve_triangular(a, b, lower=lower)


@op
def lstsq(a: Tensor, b: Tensor, rcond: float | None = None) -> jax.Array:
    """The x with the least |a · x - b|."""
    a, b = together(floating(a), floating(b))
    return jnp.linalg.lstsq(a, b, rcond=rcond)[0]


@op(masks=masks.reduction)
def norm(x: Tensor, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The norm of vectors or matrices; without `ord` the root of the sum of squares.

    The gradient at a vector of zeros is zero, as in PyTorch.
    """
    return _roots.norm(floating(x), ord, axes_of(axis), keepdims)


@op
def matrix_rank(x: Tensor, tol: float | None = None) -> jax.Array:
    """How many singular values are above `tol`."""
    x = floating(x)
    values = jnp.linalg.svd(x, compute_uv=False)
    if tol is None:
        largest = jnp.max(values, axis=-1, keepdims=True)
        limit = largest * max(x.shape[-2:]) * jnp.finfo(x.dtype).eps
    else:
        limit = jnp.asarray(tol, x.dtype)
    return jnp.sum(values > limit, axis=-1).astype("int32")


@op(tensors=("primals", "tangents"), class_name="JVP", masks=masks.RUNS_A_FUNCTION)
def jvp(
    fun: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False
) -> tuple[Any, ...]:
    """The value of `fun` and its derivative in the direction `tangents`."""
    primals = tuple(array(p) for p in primals)
    tangents = tuple(array(t) for t in tangents)
    return jax.jvp(fun, primals, tangents, has_aux=has_aux)


@op(class_name="CDist", keras="math")
def cdist(x: Tensor, y: Tensor) -> jax.Array:
    """The Euclidean distance of every row of `x` to every row of `y`."""
    x, y = together(floating(x), floating(y))
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ShapeError(
            message("cdist", "x and y must be matrices with rows of one length",
                    f"shapes {tuple(x.shape)} and {tuple(y.shape)}")
        )  # fmt: skip
    return _roots.norm(x[..., :, None, :] - y[..., None, :, :], 2, -1)


__all__, __dir__ = op.shown()
