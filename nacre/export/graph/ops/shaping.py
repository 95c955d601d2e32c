"""Shapes changed, parts taken, arrays made."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.export.graph.opset import Array, Data, DType, Int, Ints, OneSize, Sizes, Str, Type, op
from nacre.export.graph.rules import (
    axis_in,
    broadcast_shapes,
    common_dtype,
    require,
    same_shape,
    shape_text,
)
from nacre.export.graph.sizes import (
    Size,
    floor_divided,
    larger,
    product_of,
    same_size,
)


@op(
    shapes=lambda types, a: Type(
        a["value"].dtype.name.replace("object", "string"), a["value"].shape
    )
)
def constant(*, value: Data) -> Array:
    """An array that is part of the graph. Texts are in an array of dtype object."""
    return value


@op(shapes=lambda types, attributes: Type(attributes["dtype"], ()))
def size(*, size: OneSize, dtype: DType) -> Array:
    """A symbolic size as a number."""
    return np.asarray(size, dtype)


def _iota_type(types: Any, attributes: Any) -> Type:
    axis_in(attributes["axis"], len(attributes["shape"]))
    return Type(attributes["dtype"], tuple(attributes["shape"]))


@op(shapes=_iota_type)
def iota(*, shape: Sizes, axis: Int, dtype: DType) -> Array:
    """0, 1, 2 ... along `axis`, the same along all others."""
    sizes = [1] * len(shape)
    sizes[axis] = -1
    return np.broadcast_to(np.arange(shape[axis]).astype(dtype).reshape(sizes), shape)


def _reshaped(types: Any, attributes: Any) -> Type:
    x, shape = types[0], tuple(attributes["shape"])
    fits = same_size(product_of(x.shape), product_of(shape))
    require(fits, f"{shape_text(x.shape)} has another number of elements than {shape_text(shape)}")
    return Type(x.dtype, shape)


@op(shapes=_reshaped)
def reshape(x: Array, *, shape: Sizes) -> Array:
    """The same elements, in order, in another shape."""
    return x.reshape(shape)


def _broadcast_type(types: Any, attributes: Any) -> Type:
    x, shape = types[0], tuple(attributes["shape"])
    fits = same_shape(broadcast_shapes(x.shape, shape), shape)
    require(fits, f"{shape_text(x.shape)} does not broadcast to {shape_text(shape)}")
    return Type(x.dtype, shape)


@op(shapes=_broadcast_type)
def broadcast_to(x: Array, *, shape: Sizes) -> Array:
    """Axes put in front, and those of size 1 repeated, as NumPy broadcasts."""
    return np.broadcast_to(x, shape)


def _transposed(types: Any, attributes: Any) -> Type:
    x, order = types[0], attributes["permutation"]
    fits = sorted(order) == list(range(len(x.shape)))
    require(fits, f"permutation {order} must name each of {len(x.shape)} axes once")
    return Type(x.dtype, tuple(x.shape[axis] for axis in order))


@op(shapes=_transposed)
def transpose(x: Array, *, permutation: Ints) -> Array:
    """Axis i of the result is axis permutation[i] of x."""
    return x.transpose(permutation)


def _joined(types: Any, attributes: Any) -> Type:
    first = types[0]
    axis = axis_in(attributes["axis"], len(first.shape))
    for other in types[1:]:
        pair = [list(first.shape), list(other.shape)]
        for shape in pair:
            del shape[axis : axis + 1]
        fits = len(first.shape) == len(other.shape) and same_shape(*pair)
        require(fits, f"{first} and {other} differ in other axes than {axis}")
    total: Size = 0
    for x in types:
        total = total + x.shape[axis]
    return Type(common_dtype(types), (*first.shape[:axis], total, *first.shape[axis + 1 :]))


@op(shapes=_joined)
def concat(*xs: Array, axis: Int) -> Array:
    """Arrays one behind the other along `axis`."""
    return np.concatenate(xs, axis)


def _sliced(types: Any, attributes: Any) -> Type:
    x = types[0]
    starts, stops, strides = (attributes[name] for name in ("starts", "stops", "strides"))
    fits = len(starts) == len(stops) == len(strides) == len(x.shape)
    require(fits, f"starts, stops and strides must be those of {len(x.shape)} axes")
    require(all(s > 0 for s in strides), f"strides must be positive, not {strides}")
    sizes = [-floor_divided((b - a) * -1, s) for a, b, s in zip(starts, stops, strides)]
    return Type(x.dtype, tuple(sizes))


@op(shapes=_sliced)
def slice_(x: Array, *, starts: Sizes, stops: Sizes, strides: Ints) -> Array:
    """Every stride-th element from start until before stop, for each axis; none negative."""
    return x[tuple(map(slice, starts, stops, strides))]


def _parts(types: Any, attributes: Any) -> Any:
    x, sizes = types[0], attributes["sizes"]
    axis = axis_in(attributes["axis"], len(x.shape))
    total: Size = 0
    for part in sizes:
        total = total + part
    require(same_size(total, x.shape[axis]), f"sizes {sizes} must sum to {x.shape[axis]}")
    return tuple(Type(x.dtype, (*x.shape[:axis], n, *x.shape[axis + 1 :])) for n in sizes)


@op(shapes=_parts)
def split(x: Array, *, sizes: Sizes, axis: Int) -> Any:
    """The parts of x of these sizes, in order, along `axis`."""
    return tuple(np.split(x, np.cumsum(sizes)[:-1], axis))


def _padded(types: Any, attributes: Any) -> Type:
    x, value = types
    names = ("low", "high", "interior")
    low, high, interior = (attributes[name] for name in names)
    require(value.shape == () and value.dtype == x.dtype, "the value must be a scalar of x's dtype")
    for name in names:
        require(len(attributes[name]) == len(x.shape), f"{name} must have {len(x.shape)} sizes")
    inner = [n + larger(n - 1, 0) * i if i else n for n, i in zip(x.shape, interior)]
    return Type(x.dtype, tuple(n + a + b for n, a, b in zip(inner, low, high)))


@op(shapes=_padded)
def pad(x: Array, value: Array, *, low: Sizes, high: Sizes, interior: Ints) -> Array:
    """x with `low` elements of `value` before, `high` behind and `interior` between each two,
    for each axis; none negative."""
    inner = [max(n - 1, 0) * i + n for n, i in zip(x.shape, interior)]
    result = np.full([n + a + b for n, a, b in zip(inner, low, high)], value, x.dtype)
    places = (slice(a, a + n, i + 1) for a, n, i in zip(low, inner, interior))
    result[tuple(places)] = x
    return result


def _mirrored(types: Any, attributes: Any) -> Type:
    x, low, high = types[0], attributes["low"], attributes["high"]
    require(attributes["mode"] in ("reflect", "symmetric"), "mode is 'reflect' or 'symmetric'")
    require(len(low) == len(high) == len(x.shape), f"low and high must have {len(x.shape)} sizes")
    return Type(x.dtype, tuple(n + a + b for n, a, b in zip(x.shape, low, high)))


@op(shapes=_mirrored)
def mirror_pad(x: Array, *, low: Ints, high: Ints, mode: Str) -> Array:
    """x continued by its mirror image, without its edge ('reflect') or with it ('symmetric')."""
    return np.pad(x, tuple(zip(low, high)), mode)  # type: ignore[call-overload]


def _reversed(types: Any, attributes: Any) -> Type:
    for axis in attributes["axes"]:
        axis_in(axis, len(types[0].shape))
    return types[0]


@op(shapes=_reversed)
def reverse(x: Array, *, axes: Ints) -> Array:
    """The elements of `axes` in opposite order."""
    return np.flip(x, axes)


def _block(types: Any, attributes: Any) -> Type:
    x, *starts = types
    require(len(starts) == len(x.shape), f"there must be {len(x.shape)} starts")
    require(all(s.shape == () for s in starts), "starts must be scalars")
    require(len(attributes["sizes"]) == len(x.shape), f"there must be {len(x.shape)} sizes")
    return Type(x.dtype, tuple(attributes["sizes"]))


def _inside(starts: Any, shape: Any, sizes: Any) -> tuple[slice, ...]:
    """The block, moved so that it lies inside."""
    firsts = [int(np.clip(s, 0, n - m)) for s, n, m in zip(starts, shape, sizes)]
    return tuple(slice(a, a + n) for a, n in zip(firsts, sizes))


@op(shapes=_block)
def dynamic_slice(x: Array, *starts: Array, sizes: Sizes) -> Array:
    """The block of these sizes at starts that are values, one scalar an axis. A block that would
    reach outside is moved inside."""
    return x[_inside(starts, x.shape, sizes)]


def _updated(types: Any, _: Any) -> Type:
    x, update, *starts = types
    require(len(update.shape) == len(x.shape) == len(starts), "there must be a start an axis")
    require(update.dtype == x.dtype, f"the update must be of {x.dtype}, not {update.dtype}")
    return x


@op(shapes=_updated)
def dynamic_update_slice(x: Array, update: Array, *starts: Array) -> Array:
    """x with the block at these starts replaced; a block that would reach outside is moved in."""
    result = x.copy()
    result[_inside(starts, x.shape, update.shape)] = update
    return result


def _enlarged(types: Any, attributes: Any) -> Type:
    x, sizes, first = types[0], attributes["sizes"], attributes["first_axis"]
    axis_in(first + len(sizes) - 1, len(x.shape))
    times = [1] * first + [*sizes] + [1] * (len(x.shape) - first - len(sizes))
    return Type(x.dtype, tuple(n * t for n, t in zip(x.shape, times)))


@op(shapes=_enlarged)
def up_sampling(x: Array, *, sizes: Ints, first_axis: Int) -> Array:
    """Each element repeated sizes[i] times along axis first_axis + i."""
    for axis, times in enumerate(sizes, start=first_axis):
        x = np.repeat(x, times, axis)
    return x


def _resized(types: Any, attributes: Any) -> Type:
    x, method = types[0], attributes["method"]
    require(len(x.shape) == 4, f"images have 4 axes, not {len(x.shape)}")
    require(method in ("nearest", "bilinear"), "method must be 'nearest' or 'bilinear'")
    return Type(x.dtype, (x.shape[0], *attributes["size"], x.shape[3]))


@op(shapes=_resized)
def resize(x: Array, *, size: Sizes, method: Str) -> Array:
    """Images (batch, height, width, channels) in another size, 'nearest' or 'bilinear', without
    antialiasing. The centre of pixel i lies at i + 1/2, in both sizes; nearest takes the pixel
    that the centre lies in."""
    for axis, new in enumerate(size, start=1):
        old = x.shape[axis]
        places = (np.arange(new, dtype="float64") + 0.5) * old / new
        if method == "nearest":
            x = np.take(x, np.minimum(places.astype(int), old - 1), axis)
            continue
        places = np.clip(places - 0.5, 0, old - 1)
        low = places.astype(int)
        high = np.minimum(low + 1, old - 1)
        share = (places - low).astype(x.dtype).reshape(-1, *[1] * (3 - axis))
        x = np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share
    return x


def _one_hot_type(types: Any, attributes: Any) -> Type:
    shape = list(types[0].shape)
    axis = axis_in(attributes["axis"], len(shape) + 1)
    shape.insert(axis, attributes["num_classes"])
    return Type(attributes["dtype"], tuple(shape))


@op(shapes=_one_hot_type)
def one_hot(x: Array, *, num_classes: Int, axis: Int, dtype: DType) -> Array:
    """1 at the class that x says, along a new axis of `num_classes`; none for other classes."""
    classes = np.arange(num_classes)
    return np.moveaxis(x[..., None] == classes, -1, axis).astype(dtype)
