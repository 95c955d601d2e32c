"""Operators that arrange numbers anew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import safety
from nacre.export.importers.litert.registry import (
    Step,
    StepError,
    as_array,
    as_known,
    jax_dtype,
    known,
    numbers,
    op,
    size,
    sizes,
)

_LARGEST = 1 << 33  # bytes


def _count(shape: Sequence[Any]) -> Any:
    return math.prod(shape)


def room(shape: Sequence[Any], dtype: Any, is_taken: bool = True) -> None:
    """Ask for the memory of an array whose size a file tells.

    Args:
        is_taken: Whether the array is made now, and not when a program runs.

    Raises:
        SerializationError: It is more than such a file may ask for.
    """
    if all(isinstance(n, int) for n in shape):
        size_bytes = _count(shape) * np.dtype(dtype).itemsize
        if any(n < 0 for n in shape) or size_bytes > _LARGEST:
            raise StepError(f"sizes {tuple(shape)}"[:200])
        if is_taken:
            safety.reserve(size_bytes, "an array of a TFLite file")


@op("RESHAPE", known=True, moves=True)
def _reshape(step: Step, x: Any, shape: Any = None) -> Any:
    if shape is not None:
        new = sizes(shape, "the shape")
    else:
        option = step.operator.options.get("new_shape")
        new = [] if option is None else [int(n) for n in option]
    if [n for n in new if isinstance(n, int) and n == -1]:
        rest = _count([n for n in new if not (isinstance(n, int) and n == -1)])
        total = _count(x.shape)
        if new.count(-1) > 1 or (isinstance(rest, int) and rest == 0):
            raise StepError(f"a shape of {new}")
        new = [total // rest if isinstance(n, int) and n == -1 else n for n in new]
    return x.reshape(tuple(new))


@op("SQUEEZE", known=True, moves=True)
def _squeeze(step: Step, x: Any) -> Any:
    given = step.operator.options.get("squeeze_dims")
    axes = [] if given is None else [int(a) % max(x.ndim, 1) for a in given]
    if not axes:
        axes = [a for a, n in enumerate(x.shape) if isinstance(n, int) and n == 1]
    return x.reshape(tuple(n for a, n in enumerate(x.shape) if a not in axes))


@op("EXPAND_DIMS", known=True, moves=True)
def _expand_dims(step: Step, x: Any, axis: Any) -> Any:
    return numbers(x).expand_dims(x, size(axis, "the axis"))


@op("TRANSPOSE", known=True, moves=True)
def _transpose(step: Step, x: Any, order: Any) -> Any:
    return numbers(x).transpose(x, sizes(order, "the order"))


@op("PACK", known=True)
def _pack(step: Step, *values: Any) -> Any:
    axis = int(step["axis"])
    if numbers(*values) is np:
        return np.stack(values, axis)
    return jnp.stack([as_array(v) for v in values], axis)


@op("CONCATENATION", known=True)
def _concatenation(step: Step, *values: Any) -> Any:
    axis = int(step["axis"])
    if numbers(*values) is np:
        return step.activated(np.concatenate(values, axis))
    return step.activated(jnp.concatenate([as_array(v) for v in values], axis))


@op("UNPACK", known=True, moves=True)
def _unpack(step: Step, x: Any) -> list[Any]:
    axis = int(step["axis"]) % max(x.ndim, 1)
    count = x.shape[axis]
    if not isinstance(count, int) or count != len(step.outputs):
        raise StepError(f"{len(step.outputs)} outputs of {count} parts")
    return [x[(slice(None),) * axis + (i,)] for i in range(count)]


def _parts(x: Any, axis: int, counts: Sequence[Any]) -> list[Any]:
    found, start = [], 0
    for count in counts:
        found.append(x[(slice(None),) * axis + (slice(start, start + count),)])
        start = start + count
    return found


@op("SPLIT", known=True)
def _split(step: Step, axis: Any, x: Any) -> list[Any]:
    at = size(axis, "the axis") % max(x.ndim, 1)
    parts = len(step.outputs)
    if isinstance(x.shape[at], int) and x.shape[at] % max(parts, 1):
        raise StepError(f"{x.shape[at]} into {parts} parts")
    return _parts(x, at, [x.shape[at] // parts] * parts)


@op("SPLIT_V", known=True, moves=True)
def _split_v(step: Step, x: Any, counts: Any, axis: Any) -> list[Any]:
    at, found = size(axis, "the axis") % max(x.ndim, 1), sizes(counts)
    rest = x.shape[at] - sum(n for n in found if not (isinstance(n, int) and n == -1))
    found = [rest if isinstance(n, int) and n == -1 else n for n in found]
    return _parts(x, at, found)


# --- parts ----------------------------------------------------------------------------------------


@op("SLICE", known=True, moves=True)
def _slice(step: Step, x: Any, begin: Any, count: Any) -> Any:
    counts = sizes(count)
    if not _is_there(begin):
        return _moving_slice(x, begin, counts)
    starts = sizes(begin, "the beginning")
    if len(starts) != x.ndim or len(counts) != x.ndim:
        raise StepError(f"a slice of {len(starts)} axes of {x.ndim}")
    ends = [
        n if isinstance(c, int) and c == -1 else s + c
        for s, c, n in zip(starts, counts, x.shape, strict=True)
    ]
    for s, e, n in zip(starts, ends, x.shape, strict=True):
        if all(isinstance(v, int) for v in (s, e, n)) and not 0 <= s <= e <= n:
            raise StepError(f"a slice from {s} to {e} of {n}")
    return x[tuple(slice(s, e) for s, e in zip(starts, ends, strict=True))]


def _is_there(value: Any) -> bool:
    try:
        known(value, "")
    except StepError:
        return False
    return True


def _moving_slice(x: Any, begin: Any, counts: Sequence[Any]) -> Any:
    """A part that begins where a run tells."""
    if any(isinstance(n, int) and n == -1 for n in counts):
        raise StepError("the sizes of a slice must follow from the shapes of the inputs")
    x, starts = jnp.asarray(x), [begin[i] for i in range(x.ndim)]
    for axis, (start, count) in enumerate(zip(starts, counts, strict=True)):
        x = jnp.take(x, start + jnp.arange(count), axis=axis, mode="clip")
    return x


@op("STRIDED_SLICE", known=True, moves=True)
def _strided_slice(step: Step, x: Any, begin: Any, end: Any, strides: Any) -> Any:
    steps = sizes(strides, "the strides")
    masks = {n: int(step[f"{n}_mask"]) for n in ("begin", "end", "ellipsis", "new_axis")}
    shrink = int(step["shrink_axis_mask"])
    count = len(steps)
    starts, ends = _ends(begin, count), _ends(end, count)
    index: list[Any] = []
    for i in range(count):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            index.append(Ellipsis)
        elif masks["new_axis"] & bit:
            index.append(None)
        elif shrink & bit:
            index.append(starts[i])
        else:
            start = None if masks["begin"] & bit else starts[i]
            stop = None if masks["end"] & bit else _stop(starts[i], ends[i], step)
            index.append(slice(start, stop, steps[i]))
    return x[tuple(index)]


def _ends(value: Any, count: int) -> list[Any]:
    if _is_there(value):
        return sizes(value)
    return [value[i] for i in range(count)]


def _stop(start: Any, end: Any, step: Step) -> Any:
    return start + end if step["offset"] else end


@op("GATHER", known=True, weights=[0])
def _gather(step: Step, x: Any, places: Any) -> Any:
    axis, batch = int(step["axis"]), int(step["batch_dims"])
    axis = axis % max(x.ndim, 1)
    m = numbers(x, places)
    if m is np and not batch:
        return np.take(x, places.astype("int64"), axis)
    x, places = as_array(x), as_array(places)
    if not batch:
        return jnp.take(x, places, axis=axis, mode="fill")

    take = lambda a, i: jnp.take(a, i, axis=axis - batch, mode="fill")
    for _ in range(batch % max(places.ndim + 1, 1)):
        take = jax.vmap(take)
    return take(x, places)


@op("GATHER_ND", known=True, moves=True)
def _gather_nd(step: Step, x: Any, places: Any) -> Any:
    count = places.shape[-1]
    index = tuple(places[..., i] for i in range(count))
    if numbers(x, places) is np:
        return x[index]
    return as_array(x).at[tuple(as_array(i) for i in index)].get(mode="fill")


@op("REVERSE_V2", known=True, moves=True)
def _reverse(step: Step, x: Any, axes: Any) -> Any:
    return numbers(x).flip(x, tuple(sizes(axes, "the axes")))


@op("REVERSE_SEQUENCE", moves=True)
def _reverse_sequence(step: Step, x: Any, lengths: Any) -> Any:
    x, along, batch = jnp.asarray(x), int(step["seq_dim"]), int(step["batch_dim"])
    steps = jnp.arange(x.shape[along]).reshape([-1 if a == along else 1 for a in range(x.ndim)])
    count = jnp.asarray(lengths).reshape([-1 if a == batch else 1 for a in range(x.ndim)])
    places = jnp.where(steps < count, count - 1 - steps, steps)
    return jnp.take_along_axis(x, jnp.broadcast_to(places, x.shape), along)


# --- around and again -----------------------------------------------------------------------------


def _pairs(pads: Any, ndim: int) -> list[tuple[Any, Any]]:
    found = known(pads, "the padding")
    if found.shape != (ndim, 2):
        raise StepError(f"a padding of shape {found.shape} for {ndim} axes")
    flat = sizes(found)
    return list(zip(flat[::2], flat[1::2], strict=True))


@op("PAD")
def _pad(step: Step, x: Any, pads: Any) -> Any:
    return _padded(x, pads, 0)


@op("PADV2")
def _pad_v2(step: Step, x: Any, pads: Any, value: Any) -> Any:
    return _padded(x, pads, jnp.asarray(value).reshape(()))


def _padded(x: Any, pads: Any, value: Any) -> Any:
    pairs, x = _pairs(pads, x.ndim), jnp.asarray(x)
    new = [n + low + high for n, (low, high) in zip(x.shape, pairs, strict=True)]
    room(new, x.dtype, False)
    return jnp.pad(x, pairs, constant_values=jnp.asarray(value).astype(x.dtype))


@op("MIRROR_PAD", moves=True)
def _mirror_pad(step: Step, x: Any, pads: Any) -> Any:
    mode = ("reflect", "symmetric")[int(step["mode"]) & 1]
    return jnp.pad(jnp.asarray(x), _pairs(pads, x.ndim), mode=mode)


@op("TILE", known=True, moves=True)
def _tile(step: Step, x: Any, counts: Any) -> Any:
    times = sizes(counts)
    new = [n * t for n, t in zip(x.shape, times, strict=False)]
    room(new, x.dtype, numbers(x) is np)
    return numbers(x).tile(x, times)


@op("FILL", known=True)
def _fill(step: Step, shape: Any, value: Any) -> Any:
    new = sizes(shape, "the shape")
    is_made = numbers(value) is np and all(isinstance(n, int) for n in new)
    room(new, jax_dtype(step.outputs[0].dtype), is_made)
    if is_made:
        return np.full(new, value)
    return jnp.broadcast_to(jnp.asarray(value).reshape(()), tuple(new))


@op("BROADCAST_TO", known=True, moves=True)
def _broadcast_to(step: Step, x: Any, shape: Any) -> Any:
    new = sizes(shape, "the shape")
    room(new, x.dtype, False)
    return numbers(x).broadcast_to(x, tuple(new))


@op("BROADCAST_ARGS", known=True)
def _broadcast_args(step: Step, a: Any, b: Any) -> Any:
    return as_known(np.broadcast_shapes(tuple(sizes(a)), tuple(sizes(b))))


@op("RANGE", known=True)
def _range(step: Step, start: Any, limit: Any, delta: Any) -> Any:
    ends: list[Any] = [known(v, "the ends").reshape(())[()] for v in (start, limit, delta)]
    first, end, by = ends
    if all(isinstance(v, int | float | np.number) for v in (first, end, by)):
        count = max(0, math.ceil((float(end) - float(first)) / float(by))) if by else -1
        room([count], "float64")
        return np.arange(first, end, by).astype(jax_dtype(step.outputs[0].dtype))
    count = -((first - end) // by)  # the last step may be a part of one
    return (first + by * jnp.arange(count)).astype(jax_dtype(step.outputs[0].dtype))


@op("SHAPE", known=True, scales=True)
def _shape(step: Step, x: Any) -> Any:
    return as_known(x.shape)


@op("RANK", known=True, scales=True)
def _rank(step: Step, x: Any) -> Any:
    return np.asarray(x.ndim, "int32")


# --- blocks ---------------------------------------------------------------------------------------


@op("SPACE_TO_DEPTH", moves=True)
def _space_to_depth(step: Step, x: Any) -> Any:
    block, (batch, high, wide, channels) = int(step["block_size"]), x.shape
    x = x.reshape(batch, high // block, block, wide // block, block, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(
        batch, high // block, wide // block, block * block * channels
    )


@op("DEPTH_TO_SPACE", moves=True)
def _depth_to_space(step: Step, x: Any) -> Any:
    block, (batch, high, wide, channels) = int(step["block_size"]), x.shape
    rest = channels // (block * block)
    x = x.reshape(batch, high, wide, block, block, rest).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, high * block, wide * block, rest)


@op("SPACE_TO_BATCH_ND")
def _space_to_batch(step: Step, x: Any, block: Any, pads: Any) -> Any:
    blocks, pairs = sizes(block, "the blocks"), known(pads, "the padding").reshape(-1, 2)
    count = len(blocks)
    around = [(0, 0), *((int(a), int(b)) for a, b in pairs), *[(0, 0)] * (x.ndim - 1 - count)]
    x = jnp.pad(jnp.asarray(x), around)
    cut = [x.shape[0]]
    for size_of, b in zip(x.shape[1 : 1 + count], blocks, strict=True):
        cut += [size_of // b, b]
    rest = list(x.shape[1 + count :])
    inner = x.reshape(*cut, *rest)
    order = [2 * i + 2 for i in range(count)] + [0] + [2 * i + 1 for i in range(count)]
    order += list(range(2 * count + 1, inner.ndim))
    times = _count(blocks)
    return inner.transpose(order).reshape(x.shape[0] * times, *cut[1::2], *rest)


@op("BATCH_TO_SPACE_ND", moves=True)
def _batch_to_space(step: Step, x: Any, block: Any, crops: Any) -> Any:
    blocks, pairs = sizes(block, "the blocks"), known(crops, "the crops").reshape(-1, 2)
    count, rest = len(blocks), list(x.shape[1 + len(blocks) :])
    batch = x.shape[0] // _count(blocks)
    inner = jnp.asarray(x).reshape(*blocks, batch, *x.shape[1:])
    order = [count]
    for i in range(count):
        order += [count + 1 + i, i]
    order += list(range(2 * count + 1, inner.ndim))
    space = [n * b for n, b in zip(x.shape[1 : 1 + count], blocks, strict=True)]
    whole = inner.transpose(order).reshape(batch, *space, *rest)
    cut = [slice(int(a), n - int(b)) for (a, b), n in zip(pairs, space, strict=True)]
    return whole[(slice(None), *cut)]


@op("DYNAMIC_UPDATE_SLICE")
def _dynamic_update_slice(step: Step, x: Any, update: Any, starts: Any) -> Any:
    """Starts are moved until the update fits; JAX would count negative ones from the end."""
    x, begin = jnp.asarray(x), [jnp.maximum(jnp.asarray(s), 0) for s in starts]
    return jax.lax.dynamic_update_slice(x, jnp.asarray(update).astype(x.dtype), begin)


__all__ = ["room"]
