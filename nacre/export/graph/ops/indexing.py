"""Elements picked and put by index.

An index outside of its axis, negative ones included, is what `outside` says: 'clip' takes the
nearest one inside. Where elements are picked, 'fill' gives NaN, of integers the smallest signed or
the largest unsigned number, of booleans True; where they are put, 'drop' leaves them out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.export.graph.opset import Array, Int, Str, Type, op
from nacre.export.graph.rules import axis_in, require, same_shape


def default_filler(dtype: np.dtype) -> Any:
    """What stands in the place of an element that is not there."""
    if dtype.kind == "b":
        return True
    if np.issubdtype(dtype, np.unsignedinteger):
        return np.iinfo(dtype).max
    return np.iinfo(dtype).min if np.issubdtype(dtype, np.integer) else np.nan


def _whole(indices: Type) -> None:
    require("int" in indices.dtype, f"indices must be integers, not {indices.dtype}")


def _says(attributes: Any, *known: str) -> None:
    require(attributes["outside"] in known, f"outside must be one of {', '.join(known)}")


def _gathered(types: Any, attributes: Any) -> Type:
    x, indices = types
    _whole(indices)
    _says(attributes, "clip", "fill")
    axis = axis_in(attributes["axis"], len(x.shape))
    return Type(x.dtype, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


@op(shapes=_gathered)
def gather(x: Array, indices: Array, *, axis: Int, outside: Str) -> Array:
    """The elements at `indices` along `axis`, which the axes of the indices take the place of."""
    size = x.shape[axis]
    places = indices.astype("int64")
    picked = np.take(x, np.clip(places, 0, size - 1), axis)
    if outside == "fill":
        inside = (places >= 0) & (places < size)
        inside = inside.reshape(*inside.shape, *[1] * (x.ndim - 1 - axis))
        picked = np.where(inside, picked, np.asarray(default_filler(x.dtype), x.dtype))
    return picked


def _gathered_nd(types: Any, attributes: Any) -> Type:
    x, indices = types
    _whole(indices)
    _says(attributes, "clip", "fill")
    count = indices.shape[-1] if indices.shape else None
    fits = isinstance(count, int) and count <= len(x.shape)
    require(fits, f"the last axis of {indices} must count axes of {x}")
    return Type(x.dtype, (*indices.shape[:-1], *x.shape[count:]))


def _inside(x: Array, indices: Array) -> tuple[tuple[Array, ...], Array]:
    """The indices of each axis, clipped, and which ones are inside."""
    places = np.moveaxis(indices.astype("int64"), -1, 0)
    sizes = x.shape[: len(places)]
    clipped = tuple(np.clip(p, 0, n - 1) for p, n in zip(places, sizes))
    inside = np.ones(indices.shape[:-1], bool)
    for place, size in zip(places, sizes):
        inside &= (place >= 0) & (place < size)
    return clipped, inside


@op(shapes=_gathered_nd)
def gather_nd(x: Array, indices: Array, *, outside: Str) -> Array:
    """The element, or part, of x at each index: the last axis of `indices` holds one index for each
    of the first axes of x."""
    places, inside = _inside(x, indices)
    picked = x[places] if places else np.broadcast_to(x, (*indices.shape[:-1], *x.shape))
    if outside == "fill":
        inside = inside.reshape(*inside.shape, *[1] * (picked.ndim - inside.ndim))
        picked = np.where(inside, picked, np.asarray(default_filler(x.dtype), x.dtype))
    return picked


_COMBINE: dict[str, Any] = {
    "add": np.add,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}


def _scattered(types: Any, attributes: Any) -> Type:
    x, indices, updates = types
    _whole(indices)
    _says(attributes, "clip", "drop")
    require(attributes["combine"] in (*_COMBINE, "set"), "combine must be known")
    count = indices.shape[-1] if indices.shape else None
    fits = isinstance(count, int) and count <= len(x.shape)
    require(fits, f"the last axis of {indices} must count axes of {x}")
    wanted = (*indices.shape[:-1], *x.shape[count:])
    fits = same_shape(updates.shape, wanted) and updates.dtype == x.dtype
    require(fits, f"updates must be {Type(x.dtype, wanted)}, not {updates}")
    return x


@op(shapes=_scattered)
def scatter_nd(x: Array, indices: Array, updates: Array, *, combine: Str, outside: Str) -> Array:
    """x, with updates put at indices as in `gather_nd`: 'set', or by 'add', 'mul', 'max', 'min'
    joined to what is there. Of several set at one place any one stays."""
    result = x.copy()
    places, inside = _inside(x, indices)
    if outside == "drop":
        places, updates = tuple(p[inside] for p in places), updates[inside]
    if combine == "set":
        result[places] = updates
    else:
        _COMBINE[combine].at(result, places, updates)
    return result


def _segments(types: Any, attributes: Any) -> Type:
    data, ids = types
    _whole(ids)
    fits = same_shape(data.shape[: len(ids.shape)], ids.shape)
    require(fits, f"{ids} must have the first axes of {data}")
    return Type(data.dtype, (attributes["num_segments"], *data.shape[len(ids.shape) :]))


def _by_segment(data: Array, ids: Array, count: int, ufunc: Any, start: Any) -> Array:
    result = np.full((count, *data.shape[ids.ndim :]), start, data.dtype)
    inside = (ids >= 0) & (ids < count)
    ufunc.at(result, ids[inside], data[inside])
    return result


def _limit(dtype: np.dtype, lowest: bool) -> Any:
    if np.issubdtype(dtype, np.integer):
        return np.iinfo(dtype).min if lowest else np.iinfo(dtype).max
    return -np.inf if lowest else np.inf


@op(shapes=_segments)
def segment_sum(data: Array, ids: Array, *, num_segments: Int) -> Array:
    """The sum of the parts of data with each id; 0 where none has it. Other ids are left out."""
    return _by_segment(data, ids, num_segments, np.add, 0)


@op(shapes=_segments)
def segment_prod(data: Array, ids: Array, *, num_segments: Int) -> Array:
    """As `segment_sum`, the product; 1 where none has the id."""
    return _by_segment(data, ids, num_segments, np.multiply, 1)


@op(shapes=_segments)
def segment_max(data: Array, ids: Array, *, num_segments: Int) -> Array:
    """As `segment_sum`, the largest one; -inf, or the smallest integer, where none has the id."""
    return _by_segment(data, ids, num_segments, np.maximum, _limit(data.dtype, True))


@op(shapes=_segments)
def segment_min(data: Array, ids: Array, *, num_segments: Int) -> Array:
    """As `segment_sum`, the smallest one; inf, or the largest integer, where none has the id."""
    return _by_segment(data, ids, num_segments, np.minimum, _limit(data.dtype, False))
