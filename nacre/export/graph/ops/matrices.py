"""Decompositions and transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.export.graph.opset import Array, Bool, Ints, Str, Type, op
from nacre.export.graph.rules import floats, require
from nacre.export.graph.sizes import same_size


def _square(types: Any, attributes: Any) -> Type:
    x = types[0]
    fits = len(x.shape) >= 2 and same_size(x.shape[-1], x.shape[-2])
    require(fits, f"square matrices are needed, not {x}")
    return floats(types, attributes)


@op(shapes=_square)
def cholesky(x: Array) -> Array:
    """The lower triangular matrix l with l · lᵀ = x, of symmetric positive matrices."""
    return np.linalg.cholesky(x)


def _solved(types: Any, attributes: Any) -> Type:
    _square(types, attributes)
    return types[1]


@op(shapes=_solved)
def triangular_solve(
    a: Array, b: Array, *, lower: Bool, transpose: Bool, unit_diagonal: Bool
) -> Array:
    """x with a · x = b, of a the lower or upper triangle, transposed or not, its diagonal taken as
    ones or not."""
    a = np.tril(a) if lower else np.triu(a)
    if unit_diagonal:
        a = a - a * np.eye(a.shape[-1], dtype=a.dtype) + np.eye(a.shape[-1], dtype=a.dtype)
    return np.linalg.solve(np.swapaxes(a, -1, -2) if transpose else a, b)


_COMPLEX = {"float32": "complex64", "float64": "complex128"}
_REAL = {wide: real for real, wide in _COMPLEX.items()}


def _transformed(types: Any, attributes: Any) -> Type:
    x, kind, lengths = types[0], attributes["kind"], attributes["lengths"]
    require(kind in ("fft", "ifft", "rfft", "irfft"), f"kind {kind!r} must be known")
    shape = x.shape[: len(x.shape) - len(lengths)]
    if kind == "rfft":
        return Type(_COMPLEX[x.dtype], (*shape, *lengths[:-1], lengths[-1] // 2 + 1))
    return Type(_REAL[x.dtype] if kind == "irfft" else x.dtype, (*shape, *lengths))


@op(shapes=_transformed)
def fft(x: Array, *, kind: Str, lengths: Ints) -> Array:
    """Fourier transforms over the last axes, whose lengths outside of the frequencies are
    `lengths`: 'fft', 'ifft', 'rfft', 'irfft'."""
    axes = tuple(range(-len(lengths), 0))
    function = {"fft": np.fft.fftn, "ifft": np.fft.ifftn, "rfft": np.fft.rfftn,
                "irfft": np.fft.irfftn}[kind]  # fmt: skip
    return function(x, lengths, axes)


def _real_of(types: Any, attributes: Any) -> Type:
    x = types[0]
    require(x.dtype in _REAL, f"complex numbers are needed, not {x.dtype}")
    return Type(_REAL[x.dtype], x.shape)


@op(shapes=_real_of)
def real(x: Array) -> Array:
    """The real part."""
    return x.real


@op(shapes=_real_of)
def imag(x: Array) -> Array:
    """The imaginary part."""
    return x.imag


@op(shapes=lambda types, a: Type(_COMPLEX[types[0].dtype], types[0].shape), name="complex")
def complex_(real: Array, imag: Array) -> Array:
    """real + i · imag."""
    return real + 1j * imag
