"""Shapes, axes, parts of arrays."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.export.importers.onnx.ops.math import name_of
from nacre.export.importers.onnx.ops.reductions import axes_of
from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.values import (
    GraphError,
    axis_of,
    checked_shape,
    computed,
    dtype_of,
    integer,
    ints,
    known,
    lifted,
    numbers,
    numbers_of_sizes,
    sizes_array,
)


@op("Constant")
def _constant(node: Node) -> Any:
    for name in ("value", "sparse_value"):
        if node.get(name) is not None:
            return np.asarray(node.get(name))
    kinds = {"value_float": np.float32, "value_int": np.int64, "value_floats": np.float32,
             "value_ints": np.int64, "value_string": object, "value_strings": object}  # fmt: skip
    for name, kind in kinds.items():
        if name in node.attributes:
            return np.asarray(node.get(name), kind)
    raise GraphError("a constant without a value")


@op("Identity", kept=(-1,))
def _identity(node: Node, x: Any) -> Any:
    return x


@op("Shape", kept=(-1,))
def _shape(node: Node, x: Any) -> Any:
    rank = len(x.shape)
    start, end = node.number("start", 0), node.number("end", rank)
    start = max(0, min(rank, start + rank if start < 0 else start))
    end = max(0, min(rank, end + rank if end < 0 else end))
    return sizes_array(x.shape[start:end])


@op("Size", kept=(-1,))
def _size(node: Node, x: Any) -> Any:
    return sizes_array([math.prod(x.shape)]).reshape(())


@op("Reshape", knows=True, kept=(1,))
def _reshape(node: Node, x: Any, shape: Any = None) -> Any:
    wanted = list(ints(shape)) if shape is not None else node.numbers("shape", [])
    if not node.number("allowzero", 0):
        for at, size in enumerate(wanted):
            if isinstance(size, int) and size == 0:
                if at >= len(x.shape):
                    raise GraphError(f"size {at} is to be kept of the shape {x.shape}")
                wanted[at] = x.shape[at]
    return x.reshape(_with_symbols(tuple(wanted), x.shape))


def _with_symbols(wanted: tuple[Any, ...], shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """The shape with its -1 worked out where sizes are symbols."""
    is_open = [i for i, size in enumerate(wanted) if isinstance(size, int) and size == -1]
    if len(is_open) != 1 or all(isinstance(n, int) for n in (*wanted, *shape)):
        return wanted
    rest = math.prod([size for i, size in enumerate(wanted) if i != is_open[0]])
    total = math.prod(shape)
    left = list(wanted)
    left[is_open[0]] = total // rest
    return tuple(left)


@op("Flatten", knows=True)
def _flatten(node: Node, x: Any) -> Any:
    axis = node.number("axis", 1)
    axis = axis + len(x.shape) if axis < 0 else axis
    if not 0 <= axis <= len(x.shape):
        raise GraphError(f"there is no axis {axis} in the shape {x.shape}")
    return x.reshape((math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


@op("Transpose", knows=True)
def _transpose(node: Node, x: Any) -> Any:
    return numbers(x).transpose(x, node.numbers("perm"))


@op("Squeeze", knows=True, kept=(1,))
def _squeeze(node: Node, x: Any, axes: Any = None) -> Any:
    ones = tuple(i for i, n in enumerate(x.shape) if isinstance(n, int) and n == 1)
    return numbers(x).squeeze(x, axes_of(node, len(x.shape), axes, ones))


@op("Unsqueeze", knows=True, kept=(1,))
def _unsqueeze(node: Node, x: Any, axes: Any = None) -> Any:
    found = node.numbers("axes", []) if axes is None else ints(axes)
    return numbers(x).expand_dims(x, tuple(found))


@op("Concat", knows=True)
def _concat(node: Node, *arrays: Any) -> Any:
    axis = axis_of(node.number("axis", 1), len(arrays[0].shape))
    return numbers(*arrays).concatenate(arrays, axis)


@op("Split", knows=True, kept=(1,))
def _split(node: Node, x: Any, sizes: Any = None) -> Any:
    axis = axis_of(node.number("axis", 0), len(x.shape))
    found = node.numbers("split") if sizes is None else list(ints(sizes))
    if not found:
        count = node.number("num_outputs", len(node.outputs))
        each = -(-x.shape[axis] // count)
        found = [each] * (count - 1) + [x.shape[axis] - each * (count - 1)]
    return tuple(split(x, found, axis))


def split(x: Any, sizes: list[Any], axis: int) -> list[Any]:
    """Parts of the given sizes along an axis.

    Raises:
        GraphError: They are not all of it.
    """
    total = sum(sizes[1:], sizes[0]) if sizes else 0
    if any(isinstance(size, int) and size < 0 for size in sizes) or total != x.shape[axis]:
        raise GraphError(f"{x.shape[axis]} are not split into {sizes}")
    parts: list[Any] = []
    at: Any = 0
    for size in sizes:
        parts.append(_part(x, at, at + size, 1, axis))
        at = at + size
    return parts


def _part(x: Any, start: Any, end: Any, step: int, axis: int) -> Any:
    if numbers_of_sizes([start, end], x) is np:
        return x[(slice(None),) * axis + (slice(start, end, step),)]
    return lax.slice_in_dim(lifted(x), start, end, step, axis)


@op("Slice", knows=True, kept=(1, 2, 3, 4))
def _slice(
    node: Node, x: Any, starts: Any = None, ends: Any = None, axes: Any = None, steps: Any = None
) -> Any:
    first = node.numbers("starts", []) if starts is None else ints(starts)
    last = node.numbers("ends", []) if ends is None else ints(ends)
    where = node.numbers("axes") if axes is None else list(ints(axes))
    by = [1] * len(first) if steps is None else ints(steps)
    where = list(range(len(first))) if where is None else where
    if not len(first) == len(last) == len(where) == len(by):
        raise GraphError(f"{len(first)} starts, {len(last)} ends, {len(where)} axes")
    for start, end, axis, step in zip(first, last, where, by, strict=True):
        if not isinstance(step, int) or step == 0:
            raise GraphError(f"a slice in steps of {step}")
        at = axis_of(axis, len(x.shape))
        x = _sliced(x, start, end, step, at)
    return x


def _sliced(x: Any, start: Any, end: Any, step: int, axis: int) -> Any:
    size = x.shape[axis]
    if step > 0:
        start, end = _within(start, size, 0), _within(end, size, 0)
        if isinstance(start, int) and isinstance(end, int) and end < start:
            end = start
        return _part(x, start, end, step, axis)
    if not isinstance(size, int):  # backwards: the whole turned round, then forwards
        is_all = isinstance(end, int) and end < -(1 << 30)
        from_end = isinstance(start, int) and (start == -1 or start > 1 << 30)
        if not (is_all and from_end):
            raise GraphError("a slice backwards of a size that is not known")
        return _part(jnp.flip(x, axis), 0, size, -step, axis)
    begin = max(-1, min(size - 1, start + size if start < 0 else start))
    stop = max(-1, min(size - 1, end + size if end < 0 else end))
    places = np.arange(begin, stop, step)
    return numbers(x).take(x, places, axis=axis)


def _within(at: Any, size: Any, least: int) -> Any:
    """A place of a slice, between 0 and the size."""
    if isinstance(size, int) and isinstance(at, int):
        return max(least, min(size, at + size if at < 0 else at))
    if isinstance(at, int):
        if at >= 1 << 30:
            return size
        if at < -(1 << 30):
            return 0
        if at < 0:
            return jax.core.max_dim(size + at, 0)
        return jax.core.min_dim(at, size)
    return at if at is size else jax.core.min_dim(at, size)


@op("Expand", knows=True, kept=(1,))
def _expand(node: Node, x: Any, shape: Any) -> Any:
    wanted = ints(shape)
    rank = max(len(wanted), len(x.shape))
    own = (1,) * (rank - len(x.shape)) + tuple(x.shape)
    other = (1,) * (rank - len(wanted)) + wanted
    sizes = [b if isinstance(a, int) and a == 1 else a for a, b in zip(own, other, strict=True)]
    for size, b in zip(sizes, other, strict=True):
        if isinstance(b, int) and b != 1 and isinstance(size, int) and size != b:
            raise GraphError(f"the shape {x.shape} is not one of {wanted}")
    module = numbers_of_sizes(sizes, x)
    return module.broadcast_to(x if module is np else lifted(x), checked_shape(sizes))


@op("Tile", knows=True, kept=(1, 2))
def _tile(node: Node, x: Any, repeats: Any, axis: Any = None) -> Any:
    counts = ints(repeats)
    checked_shape([n * c for n, c in zip(x.shape, counts, strict=True)])
    module = numbers(x)
    for at, count in enumerate(counts):
        if not (isinstance(count, int) and count == 1):
            if isinstance(count, int):
                x = (
                    module.concatenate([x] * count, at)
                    if 0 < count <= 8
                    else module.tile(x, [count if i == at else 1 for i in range(x.ndim)])
                )
            else:
                spread = jnp.broadcast_to(x[None], (count, *x.shape))
                moved = jnp.moveaxis(spread, 0, at)
                x = moved.reshape((*x.shape[:at], count * x.shape[at], *x.shape[at + 1 :]))
    return x


@op("ConstantOfShape", kept=(-1,))
def _constant_of_shape(node: Node, shape: Any) -> Any:
    value = node.get("value")
    value = np.zeros(1, np.float32) if value is None else np.asarray(value)
    sizes = checked_shape(ints(shape), value.dtype.itemsize)
    if not all(isinstance(size, int) for size in sizes):
        return jnp.broadcast_to(lifted(value.reshape(())), sizes)
    return np.broadcast_to(value.reshape(()), sizes)


@op("EyeLike", kept=(-1,))
def _eye_like(node: Node, x: Any) -> Any:
    if len(x.shape) != 2:
        raise GraphError(f"a matrix is needed, not the shape {x.shape}")
    dtype = dtype_of(name_of(node.get("dtype"))) if node.get("dtype") is not None else x.dtype
    return jnp.eye(*x.shape, k=node.number("k", 0), dtype=computed(dtype))


@op("Range", kept=(-1,))
def _range(node: Node, start: Any, limit: Any, delta: Any) -> Any:
    parts = [known(v).reshape(()) for v in (start, limit, delta)]
    if any(part.dtype == object for part in parts):
        first, last, step = (part.item() for part in parts)
        if not isinstance(step, int) or step != 1:
            raise GraphError("a range in steps up to a size that is not known")
        return jnp.arange(last - first, dtype=computed(np.int64)) + first
    if not parts[2]:
        raise GraphError("a range in steps of 0")
    count = max(0, math.ceil(float(parts[1] - parts[0]) / float(parts[2])))
    checked_shape([count])
    return (np.arange(count) * parts[2] + parts[0]).astype(parts[0].dtype)


@op("Pad", knows=True, kept=(1, 3))
def _pad(node: Node, x: Any, pads: Any = None, value: Any = None, axes: Any = None) -> Any:
    rank = len(x.shape)
    found = node.numbers("pads", []) if pads is None else list(ints(pads))
    where = list(range(rank)) if axes is None else [axis_of(a, rank) for a in ints(axes)]
    if len(found) != 2 * len(where):
        raise GraphError(f"{len(found)} pads for {len(where)} axes")
    both = [[0, 0] for _ in range(rank)]
    for i, axis in enumerate(where):
        both[axis] = [found[i], found[i + len(where)]]
    mode = node.text("mode", "constant")
    for axis, (before, after) in enumerate(both):  # a negative number of them takes away
        if any(isinstance(n, int) and n < 0 for n in (before, after)):
            x = _part(x, max(0, -before), x.shape[axis] - max(0, -after), 1, axis)
            both[axis] = [max(0, before), max(0, after)]
    checked_shape([n + sum(b) for n, b in zip(x.shape, both, strict=True)])
    module = numbers_of_sizes([n for pair in both for n in pair], x, value)
    if mode == "constant":
        if value is None:
            fill = module.asarray(node.number("value", 0.0)).astype(x.dtype)
        else:
            fill = value.reshape(())
        if module is np:
            return np.pad(x, both, constant_values=fill)
        x, fill = lifted(x), lifted(fill)
        return lax.pad(x, fill.astype(x.dtype), [(a, b, 0) for a, b in both])
    modes = {"edge": "edge", "reflect": "reflect", "wrap": "wrap"}
    if mode not in modes:
        raise GraphError(f"padding of the mode '{mode}'")
    return module.pad(x, both, mode=modes[mode])


@op("CenterCropPad", kept=(1,))
def _center_crop_pad(node: Node, x: Any, shape: Any) -> Any:
    rank = len(x.shape)
    where = [axis_of(a, rank) for a in node.numbers("axes", list(range(rank)))]
    for axis, size in zip(where, ints(shape), strict=True):
        own = x.shape[axis]
        if own > size:
            begin = (own - size) // 2
            x = _part(x, begin, begin + size, 1, axis)
        elif own < size:
            before = (size - own) // 2
            pads = [(0, 0, 0)] * rank
            pads[axis] = (before, size - own - before, 0)
            x = lax.pad(x, jnp.zeros((), x.dtype), pads)
    return x


@op("Trilu", kept=(1,))
def _trilu(node: Node, x: Any, k: Any = None) -> Any:
    offset = 0 if k is None else integer(k)
    offset = max(-(1 << 30), min(1 << 30, offset))
    rows = jnp.arange(x.shape[-2])[:, None]
    columns = jnp.arange(x.shape[-1])[None, :]
    is_kept = columns - rows >= offset if node.number("upper", 1) else columns - rows <= offset
    return jnp.where(is_kept, x, jnp.zeros((), x.dtype))


@op("DepthToSpace")
def _depth_to_space(node: Node, x: Any) -> Any:
    n, c, h, w = x.shape
    b = node.number("blocksize", 1)
    if node.text("mode", "DCR") == "DCR":
        parts = x.reshape((n, b, b, c // (b * b), h, w))
        moved = jnp.transpose(parts, (0, 3, 4, 1, 5, 2))
    else:
        parts = x.reshape((n, c // (b * b), b, b, h, w))
        moved = jnp.transpose(parts, (0, 1, 4, 2, 5, 3))
    return moved.reshape((n, c // (b * b), h * b, w * b))


@op("SpaceToDepth")
def _space_to_depth(node: Node, x: Any) -> Any:
    n, c, h, w = x.shape
    b = node.number("blocksize", 1)
    parts = x.reshape((n, c, h // b, b, w // b, b))
    order = (0, 3, 5, 1, 2, 4) if node.text("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    return jnp.transpose(parts, order).reshape((n, c * b * b, h // b, w // b))


@op("ReverseSequence")
def _reverse_sequence(node: Node, x: Any, lengths: Any) -> Any:
    batch, time = node.number("batch_axis", 1), node.number("time_axis", 0)
    steps = jnp.arange(x.shape[time])[None, :]
    places = jnp.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    moved = jnp.moveaxis(x, (batch, time), (0, 1))
    places = places.reshape(places.shape + (1,) * (moved.ndim - 2))
    return jnp.moveaxis(jnp.take_along_axis(moved, places, 1), (0, 1), (batch, time))


@op("OneHot", kept=(1,))
def _one_hot(node: Node, indices: Any, depth: Any, values: Any) -> Any:
    count = int(integer(depth))
    axis = node.number("axis", -1)
    axis = axis + len(indices.shape) + 1 if axis < 0 else axis
    places = jnp.expand_dims(jnp.where(indices < 0, indices + count, indices), axis)
    steps = jnp.arange(count).reshape((count,) + (1,) * (len(indices.shape) - axis))
    return jnp.where(places == steps, values[1], values[0])


@op("NonZero", kept=(-1,))
def _non_zero(node: Node, x: Any) -> Any:
    found = np.nonzero(np.atleast_1d(known(x)))
    return np.stack(found).astype(np.int64) if x.ndim else np.zeros((0, int(bool(x))), np.int64)


@op("Compress", kept=(1,))
def _compress(node: Node, x: Any, condition: Any) -> Any:
    axis = node.get("axis")
    flat = x if axis is not None else x.reshape(-1)
    at = axis_of(axis or 0, len(flat.shape))
    places = np.flatnonzero(known(condition))
    return numbers(flat).take(flat, places, axis=at)


@op("Unique", kept=(-1,))
def _unique(node: Node, x: Any) -> Any:
    axis = node.get("axis")
    values = known(x)
    found, first, inverse, counts = np.unique(
        values, return_index=True, return_inverse=True, return_counts=True, axis=axis
    )
    if not node.number("sorted", 1):
        order = np.argsort(first)
        found = np.take(found, order, axis=axis or 0)
        ranks = np.empty_like(order)
        ranks[order] = np.arange(len(order))
        first, inverse, counts = first[order], ranks[inverse.reshape(-1)], counts[order]
    return found, *(part.reshape(-1).astype(np.int64) for part in (first, inverse, counts))


__all__ = ["split"]
