"""Shapes changed, parts taken, arrays made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.graph.sizes import Size
from nacre.export.targets.litert.body import Body, Shape, Tensor
from nacre.export.targets.litert.rules._rule import dtype_of, only, rule, widened
from nacre.export.targets.litert.rules.elementwise import binary, broadcast

# Of 8 and 16 bits, those that kernels move about as they are.
_MOVED = frozenset("int8 uint8 int16 bool".split())
_MOVED_ALL = _MOVED | {"uint16", "uint32"}


@rule("constant", limit=lambda node: "Split texts off." if _is_text(node) else None)
def _constant(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return make.constant(node.attributes["value"])


def _is_text(node: Node) -> bool:
    return node.outputs[0].dtype == "string"


@rule("size")
def _size(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return make.cast(make.size(node.attributes["size"]), node.attributes["dtype"])


def _one_line(node: Node) -> str | None:
    is_plain = len(node.attributes["shape"]) == 1 and node.attributes["dtype"] == "int32"
    return None if is_plain else "Take numbers of int32 along one axis."


@rule("iota", limit=_one_line)
def _iota(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    (length,) = node.attributes["shape"]
    return numbers_to(make, length)


def numbers_to(make: Body, length: Size) -> Tensor:
    """0, 1, 2 ... before a length."""
    if isinstance(length, int):
        return make.constant(np.arange(length, dtype="int32"))
    zero, one = make.constant(0, "int32"), make.constant(1, "int32")
    return make.add("RANGE", [zero, make.size(length), one], "int32", (length,))


@rule("reshape")
def _reshape(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return make.reshape(inputs[0], node.attributes["shape"])


@rule("broadcast_to")
def _broadcast_to(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    (x,) = inputs
    if not x.ndim and x.data is not None:
        return make.full(node.attributes["shape"], x.data, x.dtype)
    return broadcast(make, x, node.attributes["shape"])


def _few_axes(node: Node) -> str | None:
    return None if len(node.outputs[0].shape) <= 6 else "It is taken of up to 6 axes."


@rule("transpose", limit=_few_axes)
def _transpose(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return make.transpose(inputs[0], node.attributes["permutation"])


@rule("concat")
def _concat(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    if len(inputs) == 1:
        return inputs[0]
    shape = node.outputs[0].shape
    axis = node.attributes["axis"] % len(shape)
    return widened(
        make,
        inputs,
        lambda xs: make.add("CONCATENATION", xs, xs[0].dtype, shape, axis=axis),
        _MOVED_ALL - {"uint16"},
    )


@rule("slice", limit=_few_axes)
def _slice(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    (x,) = inputs
    starts, stops, strides = (node.attributes[name] for name in ("starts", "stops", "strides"))
    shape = node.outputs[0].shape
    if all(stride == 1 for stride in strides):
        counts = [
            -1 if stop == n else stop - start
            for start, stop, n in zip(starts, stops, x.shape, strict=True)
        ]
        return make.add("SLICE", [x, make.sizes(starts), make.sizes(counts)], x.dtype, shape)
    to_end = sum(1 << axis for axis, stop in enumerate(stops) if stop == x.shape[axis])
    ends = [0 if to_end >> axis & 1 else stop for axis, stop in enumerate(stops)]
    places = [make.sizes(starts), make.sizes(ends), make.ints(*strides)]
    return make.add("STRIDED_SLICE", [x, *places], x.dtype, shape, end_mask=to_end)


@rule("split")
def _split(make: Body, node: Node, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    sizes, axis = node.attributes["sizes"], node.attributes["axis"] % x.ndim
    if len(set(sizes)) == 1 and x.dtype in ("float32", "int32"):
        shape = (*x.shape[:axis], sizes[0], *x.shape[axis + 1 :])
        results = [(x.dtype, shape)] * len(sizes)
        inner = [make.constant(axis, "int32"), x]
        return make.add_all("SPLIT", inner, results, num_splits=len(sizes))
    parts: list[Tensor] = []
    start: Size = 0
    for size in sizes:
        parts.append(make.part(x, axis, start, start + size))
        start = start + size
    return parts


def _without_gaps(node: Node) -> str | None:
    if any(node.attributes["interior"]):
        return "Put nothing between elements."
    padded_axes = sum(pair != (0, 0) for pair in _pairs(node))
    # Neighbours without padding are taken together.
    return None if padded_axes <= 2 or len(_pairs(node)) <= 5 else "Pad up to two axes at once."


def _pairs(node: Node) -> list[tuple[Size, Size]]:
    return list(zip(node.attributes["low"], node.attributes["high"], strict=True))


@rule("pad", limit=_without_gaps)
def _pad(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    x, fill = inputs
    return padded(make, x, fill, _pairs(node))


def padded(make: Body, x: Tensor, fill: Tensor, pairs: Sequence[tuple[Size, Size]]) -> Tensor:
    """A tensor with a number put before and behind each axis."""
    if all(size == 0 for pair in pairs for size in pair):
        return x
    if len(pairs) > 5:
        return _padded_together(make, x, fill, pairs)
    flat = make.sizes([size for pair in pairs for size in pair])
    paddings = make.reshape(flat, (len(pairs), 2))
    shape = [n + low + high for n, (low, high) in zip(x.shape, pairs, strict=True)]

    def work(xs: list[Tensor]) -> Tensor:
        is_zero = xs[1].data is not None and not xs[1].numbers.any()
        inner = [xs[0], paddings] if is_zero else [xs[0], paddings, xs[1]]
        return make.add("PAD" if is_zero else "PADV2", inner, xs[0].dtype, shape)

    return widened(make, [x, fill], work)


def _padded_together(
    make: Body, x: Tensor, fill: Tensor, pairs: Sequence[tuple[Size, Size]]
) -> Tensor:
    """The kernel takes five axes: neighbours that nothing is put around are one."""
    sizes: list[Size] = []
    kept: list[tuple[Size, Size]] = []
    for size, pair in zip(x.shape, pairs, strict=True):
        if kept and pair == kept[-1] == (0, 0):
            sizes[-1] = sizes[-1] * size
        else:
            sizes.append(size)
            kept.append(pair)
    shape = [n + low + high for n, (low, high) in zip(x.shape, pairs, strict=True)]
    return make.reshape(padded(make, make.reshape(x, sizes), fill, kept), shape)


@rule("mirror_pad")
def _mirror_pad(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    (x,) = inputs
    pairs = _pairs(node)
    mode = ("reflect", "symmetric").index(node.attributes["mode"])
    inner = [x, make.constant(np.asarray(pairs, "int32"))]
    return make.add("MIRROR_PAD", inner, x.dtype, node.outputs[0].shape, mode=mode)


@rule("reverse")
def _reverse(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    def work(xs: list[Tensor]) -> Tensor:
        (x,) = xs
        for axis in node.attributes["axes"]:  # one at a time: the kernel takes neighbours only
            x = make.add("REVERSE_V2", [x, make.ints(axis % x.ndim)], x.dtype, x.shape)
        return x

    return widened(make, inputs, work, _MOVED)


# --- blocks at places that are values -------------------------------------------------------------


def _starts(make: Body, starts: Sequence[Tensor], shape: Shape, sizes: Shape) -> Tensor:
    """Starts as one vector, moved so that the block lies inside."""
    parts = [make.cast(start, "int32") for start in starts]
    count = len(parts)
    begin = make.add("PACK", parts, "int32", (count,), values_count=count, axis=0)
    most = make.sizes([n - m for n, m in zip(shape, sizes, strict=True)])
    begin = binary(make, "MINIMUM", begin, most)
    return binary(make, "MAXIMUM", begin, make.constant(0, "int32"))


@rule("dynamic_slice", limit=_few_axes)
def _dynamic_slice(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    x, *starts = inputs
    if not starts:
        return x
    sizes = node.attributes["sizes"]
    begin = _starts(make, starts, x.shape, sizes)
    return make.add("SLICE", [x, begin, make.sizes(sizes)], x.dtype, sizes)


@rule("dynamic_update_slice")
def _dynamic_update_slice(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    x, update, *starts = inputs
    if not starts:
        return update
    begin = _starts(make, starts, x.shape, update.shape)
    return make.add("DYNAMIC_UPDATE_SLICE", [x, update, begin], x.dtype, x.shape)


# --- images ---------------------------------------------------------------------------------------


def _of_images(node: Node) -> str | None:
    value = node.inputs[0]
    assert value is not None
    is_image = len(value.shape) == 4 and node.attributes["first_axis"] == 1
    fits = is_image and len(node.attributes["sizes"]) == 2 and value.dtype == "float32"
    return None if fits else "Take float32 images."


@rule("up_sampling", limit=_of_images)
def _up_sampling(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """Centres of the pixels of whole multiples are never near an edge of the old ones."""
    (x,) = inputs
    shape = node.outputs[0].shape
    inner = [x, make.sizes(shape[1:3])]
    return make.add("RESIZE_NEAREST_NEIGHBOR", inner, x.dtype, shape, half_pixel_centers=True)


def _of_lines(node: Node) -> str | None:
    is_fine = node.attributes["method"] == "bilinear" and dtype_of(node) == "float32"
    return None if is_fine else "Take bilinear pictures of float32."


@rule("resize", limit=_of_lines)
def _resize(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """The nearest pixel is left to whole numbers: the kernel's floats miss edges by a rounding."""
    (x,) = inputs
    inner = [x, make.sizes(node.attributes["size"])]
    shape = node.outputs[0].shape
    return make.add("RESIZE_BILINEAR", inner, x.dtype, shape, half_pixel_centers=True)


@rule("one_hot", limit=only("int32", "int64", "int8", "uint8", "int16", "uint16", "uint32"))
def _one_hot(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    (x,) = inputs
    shape, wanted = node.outputs[0].shape, node.attributes["dtype"]
    dtype = wanted if wanted in ("float32", "int32", "int64", "bool") else "int32"
    x = make.cast(x, "int64" if x.dtype in ("int64", "uint32") else "int32")
    axis = node.attributes["axis"] % len(shape)
    depth = make.constant(node.attributes["num_classes"], "int32")
    inner = [x, depth, make.constant(1, dtype), make.constant(0, dtype)]
    found = make.add("ONE_HOT", inner, dtype, shape, axis=-1 if axis == len(shape) - 1 else axis)
    return make.cast(found, wanted)
