"""Making arrays from nothing but a shape or a range."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import config
from nacre.core.dtypes import result_type
from nacre.core.indices import check_width
from nacre.core.symbolic import KerasTensor
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import DType, Shape, Tensor, arrays, dtype_of
from nacre.ops._arrays import array as to_array
from nacre.ops._define import Family
from nacre.ops._explain import explains

op = Family("numpy", masks=masks.NEW_VALUES)


def _float_dtype(dtype: DType) -> Any:
    return dtype_of(dtype if dtype is not None else config.floatx())


@op.function
@explains
def zeros(shape: Shape, dtype: DType = None) -> jax.Array:
    """Zeros of a shape, floatx by default."""
    return jnp.zeros(shape, _float_dtype(dtype))


@op.function
@explains
def ones(shape: Shape, dtype: DType = None) -> jax.Array:
    """Ones of a shape, floatx by default."""
    return jnp.ones(shape, _float_dtype(dtype))


@op.function
@explains
def empty(shape: Shape, dtype: DType = None) -> jax.Array:
    """An array of a shape whose values do not matter (zeros)."""
    return jnp.zeros(shape, _float_dtype(dtype))


@op
def full(shape: Shape, fill_value: Tensor, dtype: DType = None) -> jax.Array:
    """One value in every place."""
    if dtype is None and not hasattr(fill_value, "dtype"):
        dtype = config.floatx()
    return jnp.full(shape, to_array(fill_value), dtype_of(dtype))


@op
def zeros_like(x: Tensor, dtype: DType = None) -> jax.Array:
    """Zeros in the shape of `x`."""
    return jnp.zeros_like(to_array(x), dtype=dtype_of(dtype))


@op
def ones_like(x: Tensor, dtype: DType = None) -> jax.Array:
    """Ones in the shape of `x`."""
    return jnp.ones_like(to_array(x), dtype=dtype_of(dtype))


@op
def empty_like(x: Tensor, dtype: DType = None) -> jax.Array:
    """An array in the shape of `x` whose values do not matter (zeros)."""
    return jnp.zeros_like(to_array(x), dtype=dtype_of(dtype))


@op
def full_like(x: Tensor, fill_value: Tensor, dtype: DType = None) -> jax.Array:
    """One value in the shape of `x`."""
    return jnp.full_like(to_array(x), to_array(fill_value), dtype=dtype_of(dtype))


@op.function
@explains
def arange(start: Any, stop: Any = None, step: Any = None, dtype: DType = None) -> jax.Array:
    """Numbers from `start` up to, not with, `stop` (from 0 to `start` when alone)."""
    if dtype is None:
        dtype = result_type(*(_kind(n) for n in (start, stop, step) if n is not None))
    dtype = dtype_of(dtype)
    for number in (start, stop):
        if type(number) is int:
            check_width("arange", np.asarray(number), dtype)
    return jnp.arange(start, stop, step, dtype=dtype)


def _kind(number: Any) -> Any:
    """What decides the dtype; a size that is not known yet, `x.shape[1]`, is a whole number."""
    return int if jax.export.is_symbolic_dim(number) else getattr(number, "dtype", type(number))


@op
def linspace(
    start: Tensor,
    stop: Tensor,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DType = None,
    axis: int = 0,
) -> Any:
    """`num` numbers in equal steps from `start` to `stop`."""
    start, stop = _ends(start, stop)
    return jnp.linspace(start, stop, num, endpoint, retstep, _ends_dtype(dtype, start), axis)


@op
def logspace(
    start: Tensor,
    stop: Tensor,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: DType = None,
    axis: int = 0,
) -> jax.Array:
    """`num` powers of `base` whose exponents go in equal steps."""
    start, stop = _ends(start, stop)
    return jnp.logspace(start, stop, num, endpoint, base, _ends_dtype(dtype, start), axis)


@op
def geomspace(
    start: Tensor,
    stop: Tensor,
    num: int = 50,
    endpoint: bool = True,
    dtype: DType = None,
    axis: int = 0,
) -> jax.Array:
    """`num` numbers from `start` to `stop` in equal ratios."""
    start, stop = _ends(start, stop)
    return jnp.geomspace(start, stop, num, endpoint, _ends_dtype(dtype, start), axis)


def _ends(start: Tensor, stop: Tensor) -> tuple[jax.Array, jax.Array]:
    """Both ends in the float dtype they promote to; Python numbers alone give floatx."""
    start, stop = arrays(start, stop)
    dtype = jnp.result_type(start, stop)
    if (start.weak_type and stop.weak_type) or not jnp.issubdtype(dtype, jnp.inexact):
        dtype = config.floatx()
    return start.astype(dtype), stop.astype(dtype)


def _ends_dtype(dtype: DType, start: jax.Array) -> Any:
    return start.dtype if dtype is None else dtype_of(dtype)


@op.function
@explains
def eye(N: int, M: int | None = None, k: int = 0, dtype: DType = None) -> jax.Array:
    """Ones on the k-th diagonal, zeros elsewhere."""
    return jnp.eye(N, M, k, dtype=_float_dtype(dtype))


@op.function
@explains
def identity(n: int, dtype: DType = None) -> jax.Array:
    """The identity matrix."""
    return jnp.eye(n, dtype=_float_dtype(dtype))


@op.function
@explains
def tri(N: int, M: int | None = None, k: int = 0, dtype: DType = None) -> jax.Array:
    """Ones on and below the k-th diagonal."""
    return jnp.tri(N, M, k, dtype=_float_dtype(dtype))


@op(name="meshgrid", masks=masks.FLATTENS)
def _meshgrid(*x: Tensor, indexing: str = "xy") -> list[jax.Array]:
    return jnp.meshgrid(*(to_array(item) for item in x), indexing=indexing)


@op.function
def meshgrid(*x: Tensor, indexing: str = "xy") -> list[jax.Array]:
    """Coordinate matrices from coordinate vectors."""
    return _meshgrid(*x, indexing=indexing)


@op(masks=masks.ON_MATRICES)
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> jax.Array:
    """The matrix of powers of `x`."""
    return jnp.vander(to_array(x), N, increasing)


@op.function
@explains
def array(x: Tensor, dtype: DType = None) -> jax.Array:
    """An array of numbers, lists or a tensor."""
    if isinstance(x, KerasTensor):
        return x  # type: ignore[return-value]
    if isinstance(x, float):
        dtype = dtype or config.floatx()
    if isinstance(x, int) and dtype is not None:
        return jnp.asarray(np.asarray(x, dtype_of(dtype)))  # 2**40 is a float32, but no int32
    return jnp.array(to_array(x), dtype=dtype_of(dtype))


def _window(function: Any, x: Tensor, *args: Any) -> jax.Array:
    """A window function's values; its length must be a plain number."""
    return function(int(to_array(x)), *args).astype(config.floatx())


@op
def bartlett(x: Tensor) -> jax.Array:
    """A triangular window of `x` points."""
    return _window(jnp.bartlett, x)


@op
def blackman(x: Tensor) -> jax.Array:
    """A Blackman window of `x` points."""
    return _window(jnp.blackman, x)


@op
def hamming(x: Tensor) -> jax.Array:
    """A Hamming window of `x` points."""
    return _window(jnp.hamming, x)


@op
def hanning(x: Tensor) -> jax.Array:
    """A Hann window of `x` points."""
    return _window(jnp.hanning, x)


@op
def kaiser(x: Tensor, beta: float) -> jax.Array:
    """A Kaiser window of `x` points with shape `beta`."""
    return _window(jnp.kaiser, x, beta)


__all__, __dir__ = op.shown()
