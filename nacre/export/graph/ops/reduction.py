"""Sums, extremes, running sums, orders."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.export.graph.opset import Array, Bool, DType, Int, Ints, Str, Type, op
from nacre.export.graph.rules import (
    along_axis,
    axis_in,
    floats,
    reduced,
    require,
    same_shape,
    without_axes,
)


@op(shapes=reduced)
def reduce_sum(x: Array, *, axes: Ints, keepdims: Bool) -> Array:
    """The sum along `axes`."""
    return x.sum(axes, dtype=x.dtype, keepdims=keepdims)


@op(shapes=lambda types, attributes: reduced((floats(types, attributes),), attributes))
def reduce_mean(x: Array, *, axes: Ints, keepdims: Bool) -> Array:
    """The mean along `axes`."""
    wide = x.astype("float32") if x.dtype.itemsize < 4 else x
    return wide.mean(axes, keepdims=keepdims).astype(x.dtype)


@op(shapes=reduced)
def reduce_prod(x: Array, *, axes: Ints, keepdims: Bool) -> Array:
    """The product along `axes`."""
    return x.prod(axes, dtype=x.dtype, keepdims=keepdims)


def _lowest(x: Array) -> Any:
    if x.dtype == bool:
        return False
    return np.iinfo(x.dtype).min if np.issubdtype(x.dtype, np.integer) else -np.inf


def _highest(x: Array) -> Any:
    if x.dtype == bool:
        return True
    return np.iinfo(x.dtype).max if np.issubdtype(x.dtype, np.integer) else np.inf


@op(shapes=reduced)
def reduce_max(x: Array, *, axes: Ints, keepdims: Bool) -> Array:
    """The largest element along `axes`; of none the smallest value of the dtype."""
    return np.asarray(x.max(axes, keepdims=keepdims, initial=_lowest(x)), x.dtype)


@op(shapes=reduced)
def reduce_min(x: Array, *, axes: Ints, keepdims: Bool) -> Array:
    """The smallest element along `axes`; of none the largest value of the dtype."""
    return np.asarray(x.min(axes, keepdims=keepdims, initial=_highest(x)), x.dtype)


def _of_bools(types: Any, attributes: Any) -> Type:
    require(types[0].dtype == "bool", f"booleans are needed, not {types[0].dtype}")
    return reduced(types, attributes)


@op(shapes=_of_bools)
def reduce_all(x: Array, *, axes: Ints, keepdims: Bool) -> Array:
    """Whether all hold along `axes`."""
    return np.asarray(x.all(axes, keepdims=keepdims))


@op(shapes=_of_bools)
def reduce_any(x: Array, *, axes: Ints, keepdims: Bool) -> Array:
    """Whether one holds along `axes`."""
    return np.asarray(x.any(axes, keepdims=keepdims))


@op(shapes=lambda types, attributes: reduced((floats(types, attributes),), attributes))
def logsumexp(x: Array, *, axes: Ints, keepdims: Bool) -> Array:
    """log(sum(exp(x))) along `axes`, without overflow."""
    top = x.max(axes, keepdims=True)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    summed = np.log(np.exp(x - top).sum(axes, keepdims=True)) + top
    return summed if keepdims else summed.squeeze(axes)


def _places(types: Any, attributes: Any) -> Type:
    shape = without_axes(types[0].shape, (attributes["axis"],), False)
    return Type(attributes["dtype"], shape)


@op(shapes=_places)
def argmax(x: Array, *, axis: Int, dtype: DType) -> Array:
    """The place of the first largest element along `axis`."""
    return x.argmax(axis).astype(dtype)


@op(shapes=_places)
def argmin(x: Array, *, axis: Int, dtype: DType) -> Array:
    """The place of the first smallest element along `axis`."""
    return x.argmin(axis).astype(dtype)


def _running(ufunc: np.ufunc, x: Array, axis: int, reverse: bool) -> Array:
    x = np.flip(x, axis) if reverse else x
    result = ufunc.accumulate(x, axis, dtype=x.dtype)
    return np.flip(result, axis) if reverse else result


@op(shapes=along_axis)
def cumsum(x: Array, *, axis: Int, reverse: Bool) -> Array:
    """The running sum along `axis`; `reverse` runs from the end."""
    return _running(np.add, x, axis, reverse)


@op(shapes=along_axis)
def cumprod(x: Array, *, axis: Int, reverse: Bool) -> Array:
    """The running product along `axis`; `reverse` runs from the end."""
    return _running(np.multiply, x, axis, reverse)


@op(shapes=along_axis)
def cummax(x: Array, *, axis: Int, reverse: Bool) -> Array:
    """The largest element so far along `axis`; `reverse` runs from the end."""
    return _running(np.maximum, x, axis, reverse)


@op(shapes=along_axis)
def cummin(x: Array, *, axis: Int, reverse: Bool) -> Array:
    """The smallest element so far along `axis`; `reverse` runs from the end."""
    return _running(np.minimum, x, axis, reverse)


@op(shapes=along_axis)
def cumlogsumexp(x: Array, *, axis: Int, reverse: Bool) -> Array:
    """The running log(sum(exp(x))) along `axis`; `reverse` runs from the end."""
    return _running(np.logaddexp, x, axis, reverse)


def _all_alike(types: Any, attributes: Any) -> Any:
    first = types[0]
    axis_in(attributes["axis"], len(first.shape))
    require(all(same_shape(first.shape, t.shape) for t in types), "all must have one shape")
    require(1 <= attributes["num_keys"] <= len(types), "num_keys must be that of some inputs")
    return types


@op(shapes=_all_alike)
def sort(*xs: Array, axis: Int, num_keys: Int) -> Any:
    """All inputs in the order in which the first `num_keys` rise along `axis`, the first one
    before the second one. NaN come last; equal ones keep their order."""
    order = np.argsort(xs[num_keys - 1], axis=axis, kind="stable")
    for key in reversed(xs[: num_keys - 1]):
        again = np.argsort(np.take_along_axis(key, order, axis), axis=axis, kind="stable")
        order = np.take_along_axis(order, again, axis)
    return tuple(np.take_along_axis(x, order, axis) for x in xs)


def _top(types: Any, attributes: Any) -> Any:
    x, k = types[0], attributes["k"]
    axis_in(-1, len(x.shape))
    shape = (*x.shape[:-1], k)
    return Type(x.dtype, shape), Type("int32", shape)


@op(shapes=_top)
def top_k(x: Array, *, k: Int) -> Any:
    """The `k` largest elements of the last axis, largest first, and their places (int32). Of
    equal ones the first comes first; NaN count as the largest."""
    flipped = np.flip(x, -1)
    order = np.flip(x.shape[-1] - 1 - np.argsort(flipped, -1, kind="stable"), -1)[..., :k]
    return np.take_along_axis(x, order, -1), order.astype("int32")


def _found_places(types: Any, attributes: Any) -> Type:
    edges, values = types
    require(len(edges.shape) == 1, "the edges must have one axis")
    require(attributes["side"] in ("left", "right"), "side must be 'left' or 'right'")
    return Type("int32", values.shape)


@op(shapes=_found_places)
def searchsorted(edges: Array, values: Array, *, side: Str) -> Array:
    """How many of the rising `edges` are below each value ('left'), or not above it ('right')."""
    return np.searchsorted(edges, values, side).astype("int32")  # type: ignore[arg-type]
