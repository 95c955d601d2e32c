"""Shapes changed, parts taken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ops.indexing import default_filler
from nacre.export.graph.sizes import Size, product_of, same_size
from nacre.export.passes.openings._term import Maker, Term, opening


@opening
def split(x: Term, *, sizes: tuple[Size, ...], axis: int) -> tuple[Term, ...]:
    found, start = [], 0
    for size in sizes:
        found.append(x.part(axis % x.ndim, start, start + size))
        start = start + size  # type: ignore[assignment]
    return tuple(found)


@opening
def reverse(make: Maker, x: Term, *, axes: tuple[int, ...]) -> Term:
    for axis in (axis % x.ndim for axis in axes):
        size = x.shape[axis]
        places = make.size(size, "int32") - 1 - make.iota((size,), 0)
        x = x.op("gather", places, axis=axis, outside="clip")
    return x


@opening
def mirror_pad(
    make: Maker, x: Term, *, low: tuple[int, ...], high: tuple[int, ...], mode: str
) -> Term:
    for axis, (before, behind) in enumerate(zip(low, high)):
        if not before and not behind:
            continue
        size = x.shape[axis]
        last = make.size(size, "int32") - 1
        places = make.iota((size + before + behind,), 0) - before
        if mode == "reflect":
            places = abs(places)
            places = last - abs(last - places)
        else:
            places = places.most(-1 - places)
            places = places.least(last * 2 + 1 - places)
        x = x.op("gather", places, axis=axis, outside="clip")
    return x


_MOST_AXES = 5  # that all formats have


@opening
def up_sampling(x: Term, *, sizes: tuple[int, ...], first_axis: int) -> Term:
    for axis, times in enumerate(sizes, start=first_axis):
        front, size, rest = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
        # One axis after the other, and of volumes those around it as one: formats have few axes.
        few = x.ndim < _MOST_AXES
        before = front if few else (*front[:1], *_joined(front[1:]))
        behind = rest if few else _joined(rest)
        x = x.reshape(*before, size, 1, *behind).broadcast(*before, size, times, *behind)
        x = x.reshape(*front, size * times, *rest)
    return x


def _joined(sizes: tuple[Size, ...]) -> tuple[Size, ...]:
    """Several axes as one; none as none."""
    return (product_of(sizes),) if sizes else ()


@opening
def one_hot(make: Maker, x: Term, *, num_classes: int, axis: int, dtype: str) -> Term:
    axis = axis % (x.ndim + 1)
    classes = make.constant(np.arange(num_classes), x.dtype).along(axis, x.ndim + 1)
    return x.expanded(axis).equals(classes).cast(dtype)


@opening
def pad(
    make: Maker,
    x: Term,
    value: Term,
    *,
    low: tuple[Size, ...],
    high: tuple[Size, ...],
    interior: tuple[int, ...],
) -> Term | None:
    """Without `interior`: an axis more behind each, which is padded, and what is too much cut."""
    if not any(interior):
        return None
    for axis, between in enumerate(interior):
        if not between:
            continue
        size, shape = x.shape[axis], x.shape
        zeros = (0,) * (x.ndim + 1)
        behind = tuple(between if a == axis + 1 else 0 for a in range(x.ndim + 1))
        x = x.expanded(axis + 1).op("pad", value, low=zeros, high=behind, interior=zeros)
        x = x.reshape(*shape[:axis], size * (between + 1), *shape[axis + 1 :])
        x = x.part(axis, 0, size * (between + 1) - between)
    if all(isinstance(n, int) and n == 0 for n in (*low, *high)):
        return x
    return x.op("pad", value, low=low, high=high, interior=(0,) * x.ndim)


@opening
def gather(make: Maker, x: Term, indices: Term, *, axis: int, outside: str) -> Term | None:
    """Of indices outside, 'fill': the nearest element is taken, then what stands for none."""
    if outside != "fill":
        return None
    picked = x.op("gather", indices, axis=axis, outside="clip")
    last = make.size(x.shape[axis], indices.dtype)
    inside = (indices >= 0).op("and", indices < last)
    inside = inside.reshape(*inside.shape, *[1] * (x.ndim - 1 - axis))
    return inside.where(picked, make.constant(default_filler(np.dtype(x.dtype)), x.dtype))


@opening
def gather_nd(make: Maker, x: Term, indices: Term, *, outside: str) -> Term | None:
    if outside != "fill":
        return None
    picked = x.op("gather_nd", indices, outside="clip")
    count = indices.shape[-1]
    if not isinstance(count, int) or not count:
        return None
    inside = _are_inside(make, indices, x.shape[:count])
    inside = inside.reshape(*inside.shape, *[1] * (picked.ndim - inside.ndim))
    return inside.where(picked, make.constant(default_filler(np.dtype(x.dtype)), x.dtype))


@opening
def scatter_nd(
    make: Maker, x: Term, indices: Term, updates: Term, *, combine: str, outside: str
) -> Term | None:
    """Of indices outside, 'drop': they are put into a row behind the others, which is cut off."""
    count = indices.shape[-1] if indices.ndim else 0
    if outside != "drop" or not isinstance(count, int) or not count:
        return None
    inside = _are_inside(make, indices, x.shape[:count])
    size, last = x.shape[0], indices.ndim - 1
    first = indices.part(last, 0, 1)
    behind = inside.expanded(last).where(first, make.size(size, indices.dtype))
    places = [behind] if count == 1 else [behind, indices.part(last, 1, count)]
    places = places[0] if count == 1 else make.add("concat", *places, axis=last)
    zeros = (0,) * x.ndim
    more = x.op("pad", 0, low=zeros, high=(1, *zeros[1:]), interior=zeros)
    done = more.op("scatter_nd", places, updates, combine=combine, outside="clip")
    return done.part(0, 0, size)


def _are_inside(make: Maker, indices: Term, shape: Sequence[Size]) -> Term:
    """Which indices, along the last axis one for each axis of a shape, are inside it."""
    sizes = [make.size(size, indices.dtype).reshape(1) for size in shape]
    limits = make.add("concat", *sizes, axis=0) if len(sizes) > 1 else sizes[0]
    inside = indices < limits
    if "uint" not in indices.dtype:
        inside = (indices >= 0).op("and", inside)
    return inside.op("reduce_all", axes=(indices.ndim - 1,), keepdims=False)


def _first(make: Maker, start: Term, size: Size, whole: Size) -> Term:
    """Where a block of a size begins that lies inside."""
    return start.most(0).least(make.size(whole - size, start.dtype))


@opening
def dynamic_slice(make: Maker, x: Term, *starts: Term, sizes: tuple[Size, ...]) -> Term:
    for axis, (start, size) in enumerate(zip(starts, sizes)):
        if same_size(size, x.shape[axis]):
            continue
        places = _first(make, start, size, x.shape[axis]) + make.iota((size,), 0, start.dtype)
        x = x.op("gather", places, axis=axis, outside="clip")
    return x


@opening
def dynamic_update_slice(make: Maker, x: Term, update: Term, *starts: Term) -> Term:
    """For each axis the update's elements where they belong, then chosen where they are meant."""
    shape, is_meant = x.shape, None
    for axis, start in enumerate(starts):
        size, whole = update.shape[axis], shape[axis]
        if same_size(size, whole):
            continue
        line = make.iota((whole,), 0, start.dtype) - _first(make, start, size, whole)
        here = (line >= 0).op("and", line < make.size(size, start.dtype)).along(axis, x.ndim)
        is_meant = here if is_meant is None else is_meant.op("and", here)
        last = make.size(size, start.dtype) - 1
        update = update.op("gather", line.most(0).least(last), axis=axis, outside="clip")
    return update if is_meant is None else is_meant.where(update, x)


@opening
def resize(make: Maker, x: Term, *, size: tuple[Size, ...], method: str) -> Term:
    for axis, new in enumerate(size, start=1):
        old = make.size(x.shape[axis], "int32")
        count = make.size(new, "int32")
        # The centre of pixel i lies at (2 i + 1) · old / (2 · new), in whole numbers as far as can.
        twice = (make.iota((new,), 0) * 2 + 1) * old
        if method == "nearest":
            x = x.op("gather", twice / (count * 2), axis=axis, outside="clip")
            continue
        above = (twice - count).most(0)  # less half a pixel, of 2 · new
        low = (above / (count * 2)).least(old - 1)
        high = (low + 1).least(old - 1)
        share = (above - low * count * 2).cast("float32") / (count * 2).cast("float32")
        share = share.least(1).cast(x.dtype).reshape(new, *[1] * (3 - axis))
        first = x.op("gather", low, axis=axis, outside="clip")
        second = x.op("gather", high, axis=axis, outside="clip")
        x = first * (1 - share) + second * share
    return x


@opening
def iota(make: Maker, *, shape: tuple[Size, ...], axis: int, dtype: str) -> Term | None:
    """Along one axis, of int32, then repeated and of the dtype."""
    axis = axis % len(shape)
    if len(shape) == 1 and dtype == "int32":
        return None
    line = make.iota((shape[axis],), 0).reshape(
        *(n if a == axis else 1 for a, n in enumerate(shape))
    )
    return line.broadcast(*shape).cast(dtype)
