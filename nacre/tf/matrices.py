"""More of `tf.linalg`: factors, roots, bands, and eigenvalues of what is not symmetric."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg as matrices
import numpy as np

from nacre import ops
from nacre.core.errors import ArgumentError, message
from nacre.tf.sizes import plain
from nacre.tf.values import same, tensor


def eig(x: Any) -> tuple[Any, Any]:
    """Eigenvalues and eigenvectors, complex ones."""
    values, vectors = ops.eig(tensor(x))
    return values.astype(jnp.complex64), vectors.astype(jnp.complex64)


def cholesky_solve(factor: Any, right: Any) -> Any:
    """x of L Lᴴ x = right."""
    lower, right = same(factor, right)
    return jax.scipy.linalg.cho_solve((lower, True), right)


class LU(NamedTuple):
    """L and U in one matrix, and the rows in their order."""

    lu: Any
    p: Any


def lu(x: Any, output_type: Any) -> LU:
    """P L U = x."""
    found, _, order = jax.lax.linalg.lu(jnp.asarray(x))
    return LU(found, order.astype("int32"))


def lu_reconstruct(lower_upper: Any, order: Any) -> Any:
    """The matrix that `lu` was of."""
    n = lower_upper.shape[-1]
    lower = jnp.tril(lower_upper, -1) + jnp.eye(n, dtype=lower_upper.dtype)
    product = lower @ jnp.triu(lower_upper)
    return jnp.take_along_axis(product, jnp.argsort(jnp.asarray(order))[..., None], -2)


def lu_solve(lower_upper: Any, order: Any, right: Any) -> Any:
    """x of P L U x = right."""
    lower_upper, right = same(lower_upper, right)
    rows = jnp.take_along_axis(right, jnp.asarray(order)[..., None], -2)
    inner = jax.lax.linalg.triangular_solve(
        lower_upper, rows, left_side=True, lower=True, unit_diagonal=True
    )
    return jax.lax.linalg.triangular_solve(lower_upper, inner, left_side=True, lower=False)


def lu_matrix_inverse(lower_upper: Any, order: Any) -> Any:
    """The inverse of the matrix that `lu` was of."""
    one = jnp.broadcast_to(
        jnp.eye(lower_upper.shape[-1], dtype=lower_upper.dtype), lower_upper.shape
    )
    return lu_solve(lower_upper, order, one)


def square_root(x: Any) -> Any:
    """The matrix whose square is x."""
    found = _of_each(matrices.sqrtm, jnp.asarray(x))
    return found if jnp.iscomplexobj(x) else found.real


def logarithm(x: Any) -> Any:
    """The matrix whose exponential is x, a complex one."""
    if not jnp.iscomplexobj(x):
        rule, fix = "matrices must be complex", "Convert it: tf.cast(x, tf.complex64)."
        raise ArgumentError(message("tf.linalg.logm", rule, str(x.dtype), fix))
    values, vectors = jnp.linalg.eig(jnp.asarray(x))
    scaled = vectors * jnp.log(values)[..., None, :]
    return jnp.linalg.solve(jnp.swapaxes(vectors, -1, -2), jnp.swapaxes(scaled, -1, -2)).swapaxes(
        -1, -2
    )


def _of_each(function: Any, x: Any) -> Any:
    for _ in range(x.ndim - 2):
        function = jax.vmap(function)
    return function(x)


def normalize(x: Any, order: Any, axis: Any) -> tuple[Any, Any]:
    """The tensor divided by its norm, and the norm."""
    from nacre.tf.formulas import norm

    length = norm(x, order, axis, True)
    return x / length, length


# --- bands ----------------------------------------------------------------------------------------


def _bands(diagonals: Any, form: str, who: str) -> tuple[Any, Any, Any]:
    """The diagonals above, at and below the middle, each (..., size)."""
    if form == "sequence":
        above, middle, below = (jnp.asarray(tensor(v)) for v in diagonals)
        return above, middle, below
    full = jnp.asarray(tensor(diagonals))
    if form == "compact":
        return full[..., 0, :], full[..., 1, :], full[..., 2, :]
    if form != "matrix":
        rule = "diagonals_format must be 'compact', 'matrix' or 'sequence'"
        raise ArgumentError(message(who, rule, repr(form)))
    edge = [(0, 0)] * (full.ndim - 2)
    above = jnp.pad(jnp.diagonal(full, 1, -2, -1), [*edge, (0, 1)])
    below = jnp.pad(jnp.diagonal(full, -1, -2, -1), [*edge, (1, 0)])
    return above, jnp.diagonal(full, 0, -2, -1), below


def tridiagonal_matmul(diagonals: Any, right: Any, form: str) -> Any:
    """A matrix of three diagonals, times another."""
    above, middle, below = _bands(diagonals, form, "tf.linalg.tridiagonal_matmul")
    right = jnp.asarray(right)
    edge = [(0, 0)] * (right.ndim - 2)
    after = jnp.pad(right[..., 1:, :], [*edge, (0, 1), (0, 0)])
    before = jnp.pad(right[..., :-1, :], [*edge, (1, 0), (0, 0)])
    return above[..., None] * after + middle[..., None] * right + below[..., None] * before


def tridiagonal_solve(
    diagonals: Any, right: Any, form: str, transposes: bool, conjugates: bool
) -> Any:
    """x of (three diagonals) x = right."""
    above, middle, below = _bands(diagonals, form, "tf.linalg.tridiagonal_solve")
    right = jnp.asarray(tensor(right))
    is_vector = right.ndim == middle.ndim
    right = right[..., None] if is_vector else right
    right = jnp.swapaxes(right, -1, -2) if transposes and not is_vector else right
    if conjugates and jnp.iscomplexobj(right):
        right = jnp.conj(right)
    found = jax.lax.linalg.tridiagonal_solve(
        below.at[..., 0].set(0), middle, above.at[..., -1].set(0), right
    )
    return found[..., 0] if is_vector else found


def eigh_tridiagonal(alpha: Any, beta: Any, values_only: bool, select: str, limits: Any) -> Any:
    """Eigenvalues of the symmetric matrix of two diagonals, and its eigenvectors."""
    alpha, beta = (np.asarray(tensor(v)) for v in (alpha, beta))
    full = np.diag(alpha) + np.diag(beta, -1) + np.diag(np.conj(beta), 1)
    values, vectors = jnp.linalg.eigh(jnp.asarray(full))
    if select == "i":
        first, last = plain(limits)
        values, vectors = values[first : last + 1], vectors[:, first : last + 1]
    elif select == "v":
        at = np.flatnonzero((np.asarray(values) > limits[0]) & (np.asarray(values) <= limits[1]))
        values, vectors = values[at], vectors[:, at]
    return values if values_only else (values, vectors)


__all__ = [
    "cholesky_solve", "eig", "eigh_tridiagonal", "logarithm", "lu", "lu_matrix_inverse",
    "lu_reconstruct", "lu_solve", "normalize", "square_root", "tridiagonal_matmul",
    "tridiagonal_solve",
]  # fmt: skip
