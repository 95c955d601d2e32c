"""Shapes changed, parts taken, arrays made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.graph.sizes import Size
from nacre.export.targets.graphdef.body import Body, Kind
from nacre.export.targets.graphdef.rules._rule import (
    cast,
    dtype_of,
    kind_of,
    rank_of,
    reshape,
    rule,
    transpose,
    value,
)


@rule("constant")
def _constant(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return make.constant(node.attributes["value"])


@rule("size")
def _size(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return cast(make, make.size(node.attributes["size"]), "int32", node.attributes["dtype"])


def broadcast(make: Body, tensor: str, shape: Sequence[Size], dtype: str) -> str:
    """A tensor broadcast to a shape."""
    return make.add("BroadcastTo", [tensor, make.sizes(shape)], T=Kind(dtype), Tidx=Kind("int32"))


@rule("iota")
def _iota(make: Body, node: Node, inputs: Sequence[str]) -> str:
    shape, axis, dtype = (node.attributes[name] for name in ("shape", "axis", "dtype"))
    zero, one = make.constant(0, "int32"), make.constant(1, "int32")
    numbers = make.add("Range", [zero, make.size(shape[axis]), one], Tidx=Kind("int32"))
    numbers = cast(make, numbers, "int32", dtype)
    if len(shape) == 1:
        return numbers
    sizes = [1] * len(shape)
    sizes[axis] = -1
    return broadcast(make, reshape(make, numbers, make.ints(*sizes), dtype), shape, dtype)


@rule("reshape")
def _reshape(make: Body, node: Node, inputs: Sequence[str]) -> str:
    sizes = make.flexible_sizes(node.attributes["shape"])
    return reshape(make, inputs[0], sizes, dtype_of(node))


@rule("broadcast_to")
def _broadcast_to(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return broadcast(make, inputs[0], node.attributes["shape"], dtype_of(node))


@rule("transpose")
def _transpose(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return transpose(make, inputs[0], node.attributes["permutation"], dtype_of(node))


@rule("concat")
def _concat(make: Body, node: Node, inputs: Sequence[str]) -> str:
    if len(inputs) == 1:
        return inputs[0]
    axis = make.constant(node.attributes["axis"], "int32")
    return make.add("ConcatV2", [*inputs, axis], N=len(inputs), T=kind_of(node), Tidx=Kind("int32"))


@rule("slice")
def _slice(make: Body, node: Node, inputs: Sequence[str]) -> str:
    starts, stops, strides = (node.attributes[name] for name in ("starts", "stops", "strides"))
    shape = value(node).shape
    to_end = sum(1 << axis for axis, stop in enumerate(stops) if stop == shape[axis])
    from_start = sum(1 << axis for axis, start in enumerate(starts) if start == 0)
    ends = [0 if to_end >> axis & 1 else stop for axis, stop in enumerate(stops)]
    return make.add(
        "StridedSlice",
        [inputs[0], make.sizes(starts), make.sizes(ends), make.ints(*strides)],
        T=kind_of(node),
        Index=Kind("int32"),
        begin_mask=from_start,
        end_mask=to_end,
        ellipsis_mask=0,
        new_axis_mask=0,
        shrink_axis_mask=0,
    )


@rule("split")
def _split(make: Body, node: Node, inputs: Sequence[str]) -> Sequence[str]:
    sizes = node.attributes["sizes"]
    axis = make.constant(node.attributes["axis"], "int32")
    return make.add_all(
        "SplitV",
        [inputs[0], make.sizes(sizes), axis],
        len(sizes),
        T=kind_of(node),
        Tlen=Kind("int32"),
        num_split=len(sizes),
    )


@rule("pad")
def _pad(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, fill = inputs
    dtype, shape = dtype_of(node), list(value(node).shape)
    low, high, interior = (node.attributes[name] for name in ("low", "high", "interior"))
    for axis, gap in enumerate(interior):
        if gap:
            x, shape = spread(make, x, fill, shape, axis, gap, dtype)
    if not any(size != 0 for size in (*low, *high)):
        return x
    pairs = [(a, b) for a, b in zip(low, high, strict=True)]
    return padded(make, x, fill, pairs, dtype)


def padded(make: Body, x: str, fill: str, pairs: Sequence[tuple[Size, Size]], dtype: str) -> str:
    flat = [size for pair in pairs for size in pair]
    sizes = make.sizes(flat)
    paddings = reshape(make, sizes, make.ints(len(pairs), 2), "int32")
    if all(isinstance(size, int) for size in flat):
        paddings = make.constant(np.asarray(flat, "int32").reshape(-1, 2))
    return make.add("PadV2", [x, paddings, fill], T=Kind(dtype), Tpaddings=Kind("int32"))


def spread(
    make: Body, x: str, fill: str, shape: list[Size], axis: int, gap: int, dtype: str
) -> tuple[str, list[Size]]:
    """`gap` elements put between each two of an axis: behind all, and the last ones taken away."""
    wide: list[Size] = [*shape[: axis + 1], 1, *shape[axis + 1 :]]
    x = reshape(make, x, make.flexible_sizes(wide), dtype)
    pairs: list[tuple[Size, Size]] = [(0, 0)] * len(wide)
    pairs[axis + 1] = (0, gap)
    x = padded(make, x, fill, pairs, dtype)
    shape = [*shape[:axis], shape[axis] * (gap + 1), *shape[axis + 1 :]]
    x = reshape(make, x, make.flexible_sizes(shape), dtype)
    shape[axis] = shape[axis] - gap
    zeros = [0] * len(shape)
    begin = make.ints(*zeros)
    x = make.add("Slice", [x, begin, make.sizes(shape)], T=Kind(dtype), Index=Kind("int32"))
    return x, shape


@rule("mirror_pad")
def _mirror_pad(make: Body, node: Node, inputs: Sequence[str]) -> str:
    pairs = zip(node.attributes["low"], node.attributes["high"], strict=True)
    paddings = make.constant(np.asarray(list(pairs), "int32"))
    mode = node.attributes["mode"].upper()
    return make.add(
        "MirrorPad", [inputs[0], paddings], T=kind_of(node), Tpaddings=Kind("int32"), mode=mode
    )


@rule("reverse")
def _reverse(make: Body, node: Node, inputs: Sequence[str]) -> str:
    axes = make.ints(*node.attributes["axes"])
    return make.add("ReverseV2", [inputs[0], axes], T=kind_of(node), Tidx=Kind("int32"))


def _starts(
    make: Body, node: Node, starts: Sequence[str], first: int, sizes: Sequence[Size]
) -> str:
    """Starts as one vector, moved so that the block lies inside."""
    x = value(node)
    parts = [
        cast(make, start, dtype_of(node, first + index), "int32")
        for index, start in enumerate(starts)
    ]
    begin = make.add("Pack", parts, N=len(parts), T=Kind("int32"), axis=0)
    most = make.sizes([n - m for n, m in zip(x.shape, sizes, strict=True)])
    begin = make.add("Minimum", [begin, most], T=Kind("int32"))
    return make.add("Maximum", [begin, make.constant(0, "int32")], T=Kind("int32"))


@rule("dynamic_slice")
def _dynamic_slice(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, *starts = inputs
    if not starts:
        return x
    sizes = node.attributes["sizes"]
    begin = _starts(make, node, starts, 1, sizes)
    return make.add("Slice", [x, begin, make.sizes(sizes)], T=kind_of(node), Index=Kind("int32"))


@rule("dynamic_update_slice")
def _dynamic_update_slice(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, update, *starts = inputs
    if not starts:
        return update
    sizes = value(node, 1).shape
    begin = _starts(make, node, starts, 2, sizes)
    end = make.add("AddV2", [begin, make.sizes(sizes)], T=Kind("int32"))
    ones = make.ints(*[1] * len(sizes))
    return make.add(
        "TensorStridedSliceUpdate",
        [x, begin, end, ones, update],
        T=kind_of(node),
        Index=Kind("int32"),
        begin_mask=0,
        end_mask=0,
        ellipsis_mask=0,
        new_axis_mask=0,
        shrink_axis_mask=0,
    )


@rule("up_sampling")
def _up_sampling(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, dtype, shape = inputs[0], dtype_of(node), list(value(node).shape)
    for axis, times in enumerate(node.attributes["sizes"], start=node.attributes["first_axis"]):
        if times == 1:
            continue
        wide: list[Size] = [*shape[: axis + 1], 1, *shape[axis + 1 :]]
        x = reshape(make, x, make.flexible_sizes(wide), dtype)
        counts = [1] * len(wide)
        counts[axis + 1] = times
        x = make.add("Tile", [x, make.ints(*counts)], T=Kind(dtype), Tmultiples=Kind("int32"))
        shape[axis] = shape[axis] * times
        x = reshape(make, x, make.flexible_sizes(shape), dtype)
    return x


@rule("resize")
def _resize(make: Body, node: Node, inputs: Sequence[str]) -> str:
    dtype, is_nearest = dtype_of(node), node.attributes["method"] == "nearest"
    op = "ResizeNearestNeighbor" if is_nearest else "ResizeBilinear"
    resized = make.add(
        op,
        [inputs[0], make.sizes(node.attributes["size"])],
        T=Kind(dtype),
        align_corners=False,
        half_pixel_centers=True,
    )
    return resized if is_nearest else cast(make, resized, "float32", dtype)


@rule("one_hot")
def _one_hot(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, given, wanted = inputs[0], dtype_of(node), node.attributes["dtype"]
    if given not in ("uint8", "int8", "int32", "int64"):
        x, given = cast(make, x, given, "int32"), "int32"
    axis = node.attributes["axis"]
    axis = axis if axis >= 0 else axis + rank_of(node) + 1
    return make.add(
        "OneHot",
        [
            x,
            make.constant(node.attributes["num_classes"], "int32"),
            make.like(1, wanted),
            make.like(0, wanted),
        ],
        T=Kind(wanted),
        TI=Kind(given),
        axis=axis if axis != rank_of(node) else -1,
    )
