"""Sums, means, extremes, order statistics and running totals along axes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.core.symbolic import KerasTensor
from nacre.ops import _roots
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import (
    Axis,
    DType,
    Tensor,
    array,
    axes_of,
    dtype_of,
    floating,
    is_inexact,
    together,
)
from nacre.ops._define import Family
from nacre.ops.kernels.classes import place_of_highest
from nacre.ops.kernels.extremes import largest, smallest

op = Family("numpy", masks=masks.reduction)


def _summable(x: Tensor) -> jax.Array:
    """Small integers widened to 32 bits, as sums of them overflow."""
    x = array(x)
    if x.dtype in (jnp.int8, jnp.int16, jnp.bool_):
        return x.astype("int32")
    if x.dtype in (jnp.uint8, jnp.uint16):
        return x.astype("uint32")
    return x


@op
def sum(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The sum along `axis`."""
    return jnp.sum(_summable(x), axis=axes_of(axis), keepdims=keepdims)


@op
def prod(x: Tensor, axis: Axis = None, keepdims: bool = False, dtype: DType = None) -> jax.Array:
    """The product along `axis`."""
    return jnp.prod(_summable(x), axis=axes_of(axis), keepdims=keepdims, dtype=dtype_of(dtype))


@op
def mean(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The mean along `axis`; floatx for integers. 16-bit floats are summed in float32."""
    return jnp.mean(floating(x), axis=axes_of(axis), keepdims=keepdims)


@op
def var(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The mean squared distance from the mean along `axis`."""
    return jnp.var(floating(x), axis=axes_of(axis), keepdims=keepdims)


@op
def std(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The square root of the variance along `axis`; where that is 0, its gradient is 0 too."""
    return _roots.root(jnp.var(floating(x), axis=axes_of(axis), keepdims=keepdims))


@op
def max(
    x: Tensor, axis: Axis = None, keepdims: bool = False, initial: float | None = None
) -> jax.Array:
    """The largest element along `axis`, `initial` at least."""
    x, axis = array(x), axes_of(axis)
    if initial is None:
        return largest(x, axis, keepdims)
    if 0 in x.shape:
        return jnp.max(x, axis=axis, keepdims=keepdims, initial=initial)
    return jnp.maximum(largest(x, axis, keepdims), jnp.asarray(initial, x.dtype))


@op
def min(
    x: Tensor, axis: Axis = None, keepdims: bool = False, initial: float | None = None
) -> jax.Array:
    """The smallest element along `axis`, `initial` at most."""
    x, axis = array(x), axes_of(axis)
    if initial is None:
        return smallest(x, axis, keepdims)
    if 0 in x.shape:
        return jnp.min(x, axis=axis, keepdims=keepdims, initial=initial)
    return jnp.minimum(smallest(x, axis, keepdims), jnp.asarray(initial, x.dtype))


@op
def amax(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The largest element along `axis`."""
    return largest(array(x), axes_of(axis), keepdims)


@op
def amin(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The smallest element along `axis`."""
    return smallest(array(x), axes_of(axis), keepdims)


@op
def ptp(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The largest minus the smallest element along `axis`."""
    x, axis = array(x), axes_of(axis)
    return largest(x, axis, keepdims) - smallest(x, axis, keepdims)


@op
def argmax(x: Tensor, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """The index of the largest element along `axis`, the first when several are equal."""
    x = array(x)
    if axis is None:
        return jnp.argmax(x, keepdims=keepdims).astype("int32")
    found = place_of_highest(x, axis)
    return jnp.expand_dims(found, axis) if keepdims else found


@op
def argmin(x: Tensor, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """The index of the smallest element along `axis`, the first when several are equal."""
    return jnp.argmin(array(x), axis=axis, keepdims=keepdims).astype("int32")


@op
def count_nonzero(x: Tensor, axis: Axis = None) -> jax.Array:
    """How many elements along `axis` are not zero."""
    return jnp.count_nonzero(array(x), axis=axes_of(axis)).astype("int32")


@op
def average(x: Tensor, axis: Axis = None, weights: Tensor = None) -> jax.Array:
    """The mean along `axis`, weighted by `weights`."""
    if weights is None:
        return jnp.mean(floating(x), axis=axes_of(axis))
    x, weights = together(x, weights)
    return jnp.average(floating(x), axis=axes_of(axis), weights=floating(weights))


@op
def median(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The middle value along `axis` (the mean of two for an even count)."""
    return jnp.median(floating(x), axis=axes_of(axis), keepdims=keepdims)


@op(masks=masks.quantiles)
def quantile(
    x: Tensor, q: Tensor, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> jax.Array:
    """The values below which fractions `q` (0 to 1) of the elements lie."""
    x = floating(x)
    return jnp.quantile(
        x, array(q).astype(x.dtype), axis=axes_of(axis), method=method, keepdims=keepdims
    )


@op(masks=masks.quantiles)
def percentile(
    x: Tensor, q: Tensor, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> jax.Array:
    """The values below which `q` percent of the elements lie."""
    x = floating(x)
    return jnp.percentile(
        x, array(q).astype(x.dtype), axis=axes_of(axis), method=method, keepdims=keepdims
    )


@op(composite=True, masks=masks.elementwise)
def cumsum(x: Tensor, axis: int | None = None, dtype: DType = None) -> jax.Array:
    """The running sum along `axis` (of all elements in order for None)."""
    x = array(x)
    return jnp.cumsum(_ints_for_bool(x), axis=axis, dtype=dtype_of(dtype) or _running_dtype(x))


@op(composite=True, masks=masks.elementwise)
def cumprod(x: Tensor, axis: int | None = None, dtype: DType = None) -> jax.Array:
    """The running product along `axis` (of all elements in order for None)."""
    x = array(x)
    return jnp.cumprod(_ints_for_bool(x), axis=axis, dtype=dtype_of(dtype) or _running_dtype(x))


def _ints_for_bool(x: jax.Array) -> jax.Array:
    return x.astype("int32") if x.dtype == bool else x


def _running_dtype(x: jax.Array) -> jnp.dtype:
    return jnp.dtype("int32") if x.dtype == bool else x.dtype


@op(composite=True, keras="math")
def logsumexp(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """log(sum(exp(x))) along `axis`, without overflow."""
    return jax.nn.logsumexp(floating(x), axis=axes_of(axis), keepdims=keepdims)


@op
def nansum(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The sum along `axis`, NaN counted as 0."""
    return jnp.nansum(_summable(x), axis=axes_of(axis), keepdims=keepdims)


@op
def nanprod(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The product along `axis`, NaN counted as 1."""
    return jnp.nanprod(_summable(x), axis=axes_of(axis), keepdims=keepdims)


@op
def nanmean(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The mean along `axis` of what is not NaN."""
    return jnp.nanmean(floating(x), axis=axes_of(axis), keepdims=keepdims)


@op
def nanvar(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The variance along `axis` of what is not NaN."""
    return jnp.nanvar(floating(x), axis=axes_of(axis), keepdims=keepdims)


@op
def nanstd(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The standard deviation along `axis` of what is not NaN."""
    return jnp.nanstd(floating(x), axis=axes_of(axis), keepdims=keepdims)


@op
def nanmax(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The largest element along `axis` that is not NaN."""
    return _of_numbers(largest, -jnp.inf, array(x), axes_of(axis), keepdims)


@op
def nanmin(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The smallest element along `axis` that is not NaN."""
    return _of_numbers(smallest, jnp.inf, array(x), axes_of(axis), keepdims)


def _of_numbers(
    extreme: Any, furthest: float, x: jax.Array, axis: Any, keepdims: bool
) -> jax.Array:
    """The extreme of what is not NaN; NaN where all is."""
    if not is_inexact(x):
        return extreme(x, axis, keepdims)
    is_nan = jnp.isnan(x)
    found = extreme(jnp.where(is_nan, jnp.asarray(furthest, x.dtype), x), axis, keepdims)
    is_none = jnp.all(is_nan, axis=axis, keepdims=keepdims)
    return jnp.where(is_none, jnp.asarray(jnp.nan, x.dtype), found)


@op
def nanargmax(x: Tensor, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """The index of the largest element along `axis` that is not NaN; -1 where all are."""
    return jnp.nanargmax(array(x), axis=axis, keepdims=keepdims).astype("int32")


@op
def nanargmin(x: Tensor, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """The index of the smallest element along `axis` that is not NaN; -1 where all are."""
    return jnp.nanargmin(array(x), axis=axis, keepdims=keepdims).astype("int32")


@op
def nanmedian(x: Tensor, axis: Axis = None, keepdims: bool = False) -> jax.Array:
    """The middle value along `axis` of what is not NaN."""
    return jnp.nanmedian(floating(x), axis=axes_of(axis), keepdims=keepdims)


@op(masks=masks.quantiles)
def nanquantile(
    x: Tensor, q: Tensor, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> jax.Array:
    """`quantile` of what is not NaN."""
    x = floating(x)
    return jnp.nanquantile(
        x, array(q).astype(x.dtype), axis=axes_of(axis), method=method, keepdims=keepdims
    )


@op(masks=masks.quantiles)
def nanpercentile(
    x: Tensor, q: Tensor, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> jax.Array:
    """`percentile` of what is not NaN."""
    x = floating(x)
    return jnp.nanpercentile(
        x, array(q).astype(x.dtype), axis=axes_of(axis), method=method, keepdims=keepdims
    )


@op(masks=masks.elementwise)
def nancumsum(x: Tensor, axis: int | None = None, dtype: DType = None) -> jax.Array:
    """The running sum along `axis`, NaN counted as 0."""
    x = array(x)
    return cumsum(jnp.where(jnp.isnan(x), 0, x) if is_inexact(x) else x, axis, dtype)


@op(masks=masks.elementwise)
def nancumprod(x: Tensor, axis: int | None = None, dtype: DType = None) -> jax.Array:
    """The running product along `axis`, NaN counted as 1."""
    x = array(x)
    return cumprod(jnp.where(jnp.isnan(x), 1, x) if is_inexact(x) else x, axis, dtype)


@op(keras="nn", masks=masks.along("axes", "the time axis is reduced"))
def moments(
    x: Tensor, axes: Axis, keepdims: bool = False, synchronized: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Mean and variance along `axes`, found in float32 for 16-bit floats.

    `synchronized` is accepted for Keras's sake: under a sharded batch the mean is always over the
    whole batch.
    """
    x = array(x)
    axes = axes_of(axes)
    wide = x.astype("float32") if x.dtype in (jnp.float16, jnp.bfloat16) else floating(x)
    average_ = jnp.mean(wide, axes, keepdims=True)
    variance = jnp.mean(jnp.square(wide - average_), axes, keepdims=keepdims)
    if not keepdims:
        average_ = average_.reshape(variance.shape)
    if wide.dtype != x.dtype and is_inexact(x):
        limits = jnp.finfo(x.dtype)
        low, high = float(limits.min), float(limits.max)
        average_, variance = (jnp.clip(v, low, high).astype(x.dtype) for v in (average_, variance))
    return average_, variance


@op(tensors=("y",))
def trapezoid(y: Tensor, x: Tensor = None, dx: float = 1.0, axis: int = -1) -> jax.Array:
    """The area under `y` by the trapezoidal rule."""
    return jnp.trapezoid(floating(y), None if x is None else floating(x), dx, axis)


@op(masks=masks.ON_MATRICES)
def corrcoef(x: Tensor) -> jax.Array:
    """Correlation coefficients between the rows of `x`."""
    return jnp.corrcoef(floating(x))


@op(composite=True, masks=masks.of("x"))
def digitize(x: Tensor, bins: Tensor) -> jax.Array:
    """The index of the bin each element falls into; `bins` are rising edges."""
    return jnp.digitize(array(x), array(bins)).astype("int32")


@op(composite=True, class_name="SearchSorted", masks=masks.FLATTENS)
def searchsorted(sorted_sequence: Tensor, values: Tensor, side: str = "left") -> jax.Array:
    """Where `values` would be put in so that the sequence stays sorted."""
    return jnp.searchsorted(array(sorted_sequence), array(values), side=side).astype("int32")


def _bincount_shape(
    x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False
) -> KerasTensor | None:
    """With no `minlength` the length is that of values alone."""
    if minlength:
        return None
    dtype = "int32" if weights is None else getattr(weights, "dtype", None) or array(weights).dtype
    return KerasTensor((*x.shape[:-1], None), dtype)


@op(masks=masks.FLATTENS, shape_rule=_bincount_shape)
def bincount(
    x: Tensor, weights: Tensor = None, minlength: int = 0, sparse: bool = False
) -> jax.Array:
    """How often each whole number from 0 on occurs (or the sum of its weights), row by row.

    The length of the result is `max(x) + 1`, at least `minlength`. Inside a traced function, such
    as a model's `predict`, it cannot depend on values and is `minlength`, which must be given
    there; a row with a number that has no place there is all NaN, of integers all the smallest
    number of their dtype, and not the counts of a part of it.

    Raises:
        ArgumentError: A number is negative.
    """
    x = array(x)
    length = _bincount_length(x, minlength)
    dtype = "int32" if weights is None else array(weights).dtype
    weights = None if weights is None else array(weights)
    rows = x[None] if x.ndim == 1 else x.reshape(-1, x.shape[-1])  # (rows, numbers)
    if weights is None:
        counts = jax.vmap(lambda row: jnp.bincount(row, length=length))(rows)
    else:
        count = lambda row, weight: jnp.bincount(row, weight, length=length)
        counts = jax.vmap(count)(rows, weights.reshape(rows.shape))
    counts = counts.astype(dtype)
    if isinstance(x, jax.core.Tracer):
        outside = jnp.any((rows < 0) | (rows >= length), axis=-1, keepdims=True)
        counts = jnp.where(outside, _no_count(counts.dtype), counts)
    return counts.reshape(*x.shape[:-1], length)


def _no_count(dtype: Any) -> Any:
    """What no count is, as JAX fills what is taken from outside of an array."""
    if jnp.issubdtype(dtype, jnp.integer):
        limits = jnp.iinfo(dtype)
        return jnp.array(limits.min if limits.min else limits.max, dtype)
    return jnp.array(True if dtype == jnp.bool_ else jnp.nan, dtype)


def _bincount_length(x: jax.Array, minlength: int) -> int:
    if x.size == 0 or (minlength and isinstance(x, jax.core.Tracer)):
        return minlength
    largest = int(jnp.max(x)) + 1
    if int(jnp.min(x)) < 0:
        rule = "the numbers counted must not be negative"
        raise ArgumentError(message("bincount", rule, f"{int(jnp.min(x))} among them"))
    return largest if largest > minlength else minlength


@op(masks=masks.FLATTENS)
def histogram(
    x: Tensor, bins: int = 10, range: tuple[float, float] | None = None
) -> tuple[jax.Array, jax.Array]:
    """How many elements fall into each bin, and the edges of the bins."""
    if isinstance(bins, int) and bins < 1:
        raise ArgumentError(message("histogram", "bins must be at least 1", str(bins)))
    if range is not None and (len(range) != 2 or range[0] > range[1]):
        raise ArgumentError(
            message("histogram", "range must be the lowest and the highest value", repr(range))
        )
    counts, edges = jnp.histogram(array(x), bins=bins, range=range)
    return counts, edges


@op(keras="math", masks=masks.FLATTENS)
def in_top_k(targets: Tensor, predictions: Tensor, k: int) -> jax.Array:
    """True where the target class is among the `k` largest predictions of its row.

    Classes as large as the k-th count as among them. A row with a NaN or infinite prediction at
    its target is False.
    """
    targets, predictions = array(targets), array(predictions)
    own = jnp.take_along_axis(predictions, targets[..., None], axis=-1)
    kth = jax.lax.top_k(predictions, k)[0][..., -1:]
    return jnp.squeeze((own >= kth) & jnp.isfinite(own), axis=-1)


__all__, __dir__ = op.shown()
