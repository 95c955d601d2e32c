"""Products of matrices, decompositions, Fourier transforms."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np
from jax import lax

from nacre.export.importers.tensorflow.registry import Node, op, stops
from nacre.export.importers.tensorflow.values import dtype, ints, numbers


def _turned(x: Any, turns: Any, conjugates: bool = False) -> Any:
    if not turns:
        return x
    return jnp.swapaxes(jnp.conj(x) if conjugates else x, -1, -2)


@op("MatMul", "_FusedMatMul")
def _matmul(node: Node, a: Any, b: Any, *more: Any) -> Any:
    found = jnp.matmul(_turned(a, node.get("transpose_a")), _turned(b, node.get("transpose_b")))
    for name in node.get("fused_ops", []) if node.op[0] == "_" else []:
        found = FUSED[name](found, *more)
    return found.astype(a.dtype)


FUSED: dict[bytes, Any] = {
    b"BiasAdd": lambda x, bias, *_: x + bias,
    b"Relu": lambda x, *_: jnp.maximum(x, 0),
    b"Relu6": lambda x, *_: jnp.clip(x, 0, 6),
    b"Tanh": lambda x, *_: jnp.tanh(x),
    b"Elu": lambda x, *_: jnp.where(x > 0, x, jnp.expm1(x)),
    b"Sigmoid": lambda x, *_: 1 / (1 + jnp.exp(-x)),
}


@op("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def _batch_matmul(node: Node, a: Any, b: Any) -> Any:
    found = jnp.matmul(_turned(a, node.get("adj_x"), True), _turned(b, node.get("adj_y"), True))
    return found.astype(dtype(node.get("Tout"))) if node.op.endswith("V3") else found


@op("Einsum")
def _einsum(node: Node, *values: Any) -> Any:
    return jnp.einsum(node.text("equation"), *values)


@op("Cross")
def _cross(node: Node, a: Any, b: Any) -> Any:
    return jnp.cross(a, b)


@op("Cholesky")
def _cholesky(node: Node, x: Any) -> Any:
    return jnp.linalg.cholesky(x)


@op("MatrixInverse")
def _inverse(node: Node, x: Any) -> Any:
    return jnp.linalg.inv(_turned(x, node.get("adjoint"), True))


_SINGULAR = "a matrix that has no inverse is inverted"


@stops("MatrixInverse", "MatrixSolve", at=_SINGULAR, gives_nan=True)
def _stops_inverse(node: Node, x: Any, *more: Any) -> Any:
    """A pivot of 0 in the LU decomposition, as there; NaN is carried on."""
    factors, _, _ = lax.linalg.lu(jnp.asarray(x))
    return jnp.any(jnp.diagonal(factors, axis1=-2, axis2=-1) == 0)


@op("MatrixDeterminant")
def _determinant(node: Node, x: Any) -> Any:
    return jnp.linalg.det(x)


@op("LogMatrixDeterminant")
def _log_determinant(node: Node, x: Any) -> Any:
    sign, log = jnp.linalg.slogdet(x)
    return sign, log


@op("MatrixSolve")
def _solve(node: Node, a: Any, b: Any) -> Any:
    return jnp.linalg.solve(_turned(a, node.get("adjoint"), True), b)


@op("MatrixTriangularSolve")
def _triangular_solve(node: Node, a: Any, b: Any) -> Any:
    trans = 2 if node.get("adjoint") else 0
    return jax.scipy.linalg.solve_triangular(a, b, trans=trans, lower=node.get("lower", True))


@op("Qr")
def _qr(node: Node, x: Any) -> Any:
    return tuple(jnp.linalg.qr(x, "complete" if node.get("full_matrices") else "reduced"))


@op("Svd")
def _svd(node: Node, x: Any) -> Any:
    if not node.get("compute_uv", True):
        empty = jnp.zeros((), x.dtype)
        return jnp.linalg.svd(x, compute_uv=False), empty, empty
    u, s, v = jnp.linalg.svd(x, full_matrices=bool(node.get("full_matrices")))
    return s, u, jnp.swapaxes(jnp.conj(v), -1, -2)


@op("SelfAdjointEigV2")
def _eigen(node: Node, x: Any) -> Any:
    values, vectors = jnp.linalg.eigh(x)
    return values, vectors if node.get("compute_v", True) else jnp.zeros((), x.dtype)


# --- Fourier transforms ---------------------------------------------------------------------------


@op("FFT", "IFFT", "FFT2D", "IFFT2D", "FFT3D", "IFFT3D")
def _fft(node: Node, x: Any) -> Any:
    axes = ({"D": -1}.get(node.op[-1]) and tuple(range(-int(node.op[-2]), 0))) or (-1,)
    function = jnp.fft.ifftn if node.op[0] == "I" else jnp.fft.fftn
    return function(x, axes=axes).astype(x.dtype)


def _fitted(x: Any, lengths: tuple[int, ...], is_half: bool) -> Any:
    """Cut, or filled up with zeros, to the lengths of the last axes."""
    for at, length in zip(range(-len(lengths), 0), lengths, strict=True):
        size = length // 2 + 1 if is_half and at == -1 else length
        cut = [slice(None)] * x.ndim
        cut[at] = slice(0, size)
        x = x[tuple(cut)]
        pads = [(0, 0)] * x.ndim
        pads[at] = (0, size - x.shape[at])
        x = jnp.pad(x, pads)
    return x


@op("RFFT", "RFFT2D", "RFFT3D")
def _rfft(node: Node, x: Any, length: Any) -> Any:
    sizes = ints(length)
    axes = tuple(range(-len(sizes), 0))
    found = jnp.fft.rfftn(_fitted(jnp.asarray(x), sizes, False), axes=axes)
    return found.astype(np.complex128 if x.dtype == np.float64 else np.complex64)


@op("IRFFT", "IRFFT2D", "IRFFT3D")
def _irfft(node: Node, x: Any, length: Any) -> Any:
    sizes = ints(length)
    axes = tuple(range(-len(sizes), 0))
    found = jnp.fft.irfftn(_fitted(jnp.asarray(x), sizes, True), s=sizes, axes=axes)
    return found.astype(np.float64 if x.dtype == np.complex128 else np.float32)


@op("L2Loss")
def _l2_loss(node: Node, x: Any) -> Any:
    return (numbers(x).sum(x * x) / 2).astype(x.dtype)
