"""Shapes changed, parts taken, arrays made."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np

from nacre.export.graph.ir import Node, Value
from nacre.export.graph.sizes import Size, same_size
from nacre.export.targets.onnx.body import Body, Placed, dtype_of, rank_of, value_of
from nacre.export.targets.onnx.forms._form import (
    NUMBERS,
    Kernel,
    cast_back,
    cast_in,
    chosen_order,
    form,
    placed,
    tensors,
)

_FARTHEST = (1 << 63) - 1  # of int64: until the end, whatever the size
_PADDED = Kernel(NUMBERS.dtypes | {"int8", "uint8", "uint32", "uint64", "bool"})
_RESIZED = Kernel(frozenset({"float32"}))


@form("constant")
def _constant(make: Body, node: Node) -> str:
    return ""  # stored when a node reads it


@form("size")
def _size(make: Body, node: Node) -> str:
    return make.scalar(node.attributes["size"], node.attributes["dtype"])


def _a_line(node: Node) -> str | None:
    is_line = len(node.attributes["shape"]) == 1 and node.attributes["dtype"] == "int32"
    return None if is_line else ""


@form("iota", limit=_a_line)
def _iota(make: Body, node: Node) -> str:
    ends = [make.scalar(0), make.scalar(node.attributes["shape"][0]), make.scalar(1)]
    return make.cast(make.add("Range", ends), "int32")


@form("reshape")
def _reshape(make: Body, node: Node) -> str:
    x = value_of(node)
    return make.reshape(make.tensor(x), node.attributes["shape"], x.shape)


@form("broadcast_to")
def _broadcast_to(make: Body, node: Node) -> str:
    x, shape = value_of(node), node.attributes["shape"]
    missing = len(shape) - len(x.shape)
    # 1 leaves a size as it is: only those that change have to be known.
    wanted = [
        1 if i >= missing and x.shape[i - missing] == size else size for i, size in enumerate(shape)
    ]
    return make.add("Expand", [make.tensor(x), make.sizes(wanted)])


@form("transpose")
def _transpose(make: Body, node: Node) -> Sequence[str]:
    """Nothing is moved: the result lies in another order in the same tensor."""
    x, permutation = value_of(node), node.attributes["permutation"]
    if make.data(x) is not None and not make.orders(x):
        make.tensor(x)
    for order, name in make.orders(x).items():
        make.bind(node.outputs[0], name, tuple(permutation.index(axis) for axis in order))
    return [""]


def _alike(make: Body, node: Node, values: Sequence[Value]) -> tuple[tuple[int, ...], list[str]]:
    """The order of axes that all of these are taken in, and their tensors."""
    order = chosen_order(make, values, len(values[0].shape))
    return order, [make.ordered(value, order) for value in values]


@form("concat")
def _concat(make: Body, node: Node) -> str | Placed:
    values = [v for v in node.inputs if v is not None]
    order, inputs = _alike(make, node, values)
    axis = node.attributes["axis"] % len(order)
    return placed(make, make.add("Concat", inputs, axis=order.index(axis)), order)


@form("slice")
def _slice(make: Body, node: Node) -> str | Placed:
    x, attributes = value_of(node), node.attributes
    order, (tensor,) = _alike(make, node, [x])
    taken = [
        (order.index(axis), start, stop, stride)
        for axis, (start, stop, stride) in enumerate(
            zip(attributes["starts"], attributes["stops"], attributes["strides"])
        )
        if not (start == 0 and stride == 1 and same_size(stop, x.shape[axis]))
    ]
    if not taken:
        return placed(make, make.add("Identity", [tensor]), order)
    axes, starts, stops, strides = zip(*taken)
    ends = [
        _FARTHEST if same_size(stop, x.shape[order[a]]) else stop for a, stop in zip(axes, stops)
    ]
    found = [make.sizes(starts), make.sizes(ends), make.ints(*axes)]
    if any(stride != 1 for stride in strides):
        found.append(make.ints(*strides))
    return placed(make, make.add("Slice", [tensor, *found]), order)


@form("split")
def _split(make: Body, node: Node) -> Sequence[str]:
    sizes = node.attributes["sizes"]
    (tensor,) = tensors(make, node)
    axis = node.attributes["axis"] % rank_of(node)
    return make.add_all("Split", [tensor, make.sizes(sizes)], len(sizes), axis=axis)


def _outside_only(node: Node) -> str | None:
    return "" if any(node.attributes["interior"]) else None


@form("pad", limit=_outside_only)
def _pad(make: Body, node: Node) -> str | Placed:
    x, filler = value_of(node), value_of(node, 1)
    order, (tensor,) = _alike(make, node, [x])
    low, high = node.attributes["low"], node.attributes["high"]
    pads = make.sizes([*(low[axis] for axis in order), *(high[axis] for axis in order)])
    given = [cast_in(make, v, x.dtype, _PADDED) for v in (tensor, make.tensor(filler))]
    found = make.add("Pad", [given[0], pads, given[1]], mode="constant")
    return placed(make, cast_back(make, found, x.dtype, _PADDED), order)


@form("reverse")
def _reverse(make: Body, node: Node) -> str | Placed:
    x = value_of(node)
    order, (tensor,) = _alike(make, node, [x])
    axes = sorted(order.index(axis % len(order)) for axis in node.attributes["axes"])
    return placed(make, reversed_along(make, tensor, axes), order)


def reversed_along(make: Body, tensor: str, axes: Sequence[int]) -> str:
    """A tensor with its axes turned around; one that was turned before is turned back."""
    count = len(axes)
    ends = [make.ints(*[-1] * count), make.ints(*[-_FARTHEST] * count), make.ints(*axes)]
    inputs = [*ends, make.ints(*[-1] * count)]
    made = make.made_by(tensor, "Slice")
    if made is not None and made.inputs[1:] == inputs:
        return made.inputs[0]
    return make.add("Slice", [tensor, *inputs])


def _starts(make: Body, values: Sequence[Value | None], limits: Sequence[Size]) -> list[str]:
    """Where blocks begin so that they lie inside, one vector of one number each."""
    found: list[str] = []
    for value, limit in zip(values, limits):
        assert value is not None
        start = make.add("Reshape", [make.cast(make.tensor(value), "int64"), make.ints(1)])
        start = make.add("Max", [start, make.ints(0)])
        found.append(make.add("Min", [start, make.size(limit)]))
    return found


@form("dynamic_slice")
def _dynamic_slice(make: Body, node: Node) -> str:
    x, sizes = value_of(node), node.attributes["sizes"]
    axes = [axis for axis, size in enumerate(sizes) if not same_size(size, x.shape[axis])]
    if not axes:
        return make.add("Identity", [make.tensor(x)])
    limits = [x.shape[axis] - sizes[axis] for axis in axes]
    begins = _starts(make, [node.inputs[1 + axis] for axis in axes], limits)
    begin = begins[0] if len(axes) == 1 else make.add("Concat", begins, axis=0)
    end = make.add("Add", [begin, make.sizes([sizes[axis] for axis in axes])])
    return make.add("Slice", [make.tensor(x), begin, end, make.ints(*axes)])


@form("dynamic_update_slice")
def _dynamic_update_slice(make: Body, node: Node) -> str:
    x, update = value_of(node), value_of(node, 1)
    axes = [a for a, size in enumerate(update.shape) if not same_size(size, x.shape[a])]
    limits = [x.shape[axis] - update.shape[axis] for axis in axes]
    begins = _starts(make, [node.inputs[2 + axis] for axis in axes], limits)
    ends = [make.add("Add", [b, make.size(update.shape[a])]) for b, a in zip(begins, axes)]

    def put(whole: str, left: int) -> str:
        """The part that the axes before have left, with the update in it: what is before, the same
        for the next axis, what is behind."""
        if left == len(axes):
            return make.tensor(update)
        at, begin, end = make.ints(axes[left]), begins[left], ends[left]
        before = make.add("Slice", [whole, make.ints(0), begin, at])
        middle = whole
        if left + 1 < len(axes):
            middle = make.add("Slice", [whole, begin, end, at])
        behind = make.add("Slice", [whole, end, make.ints(_FARTHEST), at])
        return make.add("Concat", [before, put(middle, left + 1), behind], axis=axes[left])

    if not axes:
        return make.add("Identity", [make.tensor(update)])
    return put(make.tensor(x), 0)


@form("mirror_pad", limit=lambda node: None if node.attributes["mode"] == "reflect" else "")
def _mirror_pad(make: Body, node: Node) -> str:
    x = value_of(node)
    pads = make.ints(*node.attributes["low"], *node.attributes["high"])
    given = cast_in(make, make.tensor(x), x.dtype, NUMBERS)
    found = make.add("Pad", [given, pads], mode="reflect")
    return cast_back(make, found, x.dtype, NUMBERS)


def _image_order(make: Body, x: Value) -> tuple[tuple[int, ...], str]:
    """Channels first, where it is so already; else as it is."""
    order = chosen_order(make, [x], len(x.shape))
    return order, make.ordered(x, order)


def _images(node: Node) -> str | None:
    return None if "float" in dtype_of(node) else ""


@form("up_sampling", limit=_images)
def _up_sampling(make: Body, node: Node) -> str | Placed:
    x = value_of(node)
    order, tensor = _image_order(make, x)
    first, sizes = node.attributes["first_axis"], node.attributes["sizes"]
    times = [1.0] * len(x.shape)
    for axis, size in enumerate(sizes, start=first):
        times[order.index(axis)] = float(size)
    scales = make.constant(np.asarray(times, "float32"))
    given = cast_in(make, tensor, x.dtype, _RESIZED)
    # Pixel i is that of i // size: rounded down, corners counted from 0.
    found = make.add(
        "Resize",
        [given, "", scales],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    return placed(make, cast_back(make, found, x.dtype, _RESIZED), order)


def _smooth(node: Node) -> str | None:
    """Runtimes find places by the quotient of the sizes in 32 bits: where it is no sum of a few
    powers of two they miss what lies just between two pixels. Nearest pixels they miss anyway."""
    sizes = zip(value_of(node).shape[1:3], node.attributes["size"])
    is_exact = all(
        isinstance(old, int) and isinstance(new, int) and _has_few_bits(old // gcd(old, new))
        for old, new in sizes
    )
    is_smooth = node.attributes["method"] == "bilinear" and "float" in dtype_of(node)
    return None if is_smooth and is_exact else ""


def _has_few_bits(divisor: int) -> bool:
    return divisor & (divisor - 1) == 0


@form("resize", limit=_smooth)
def _resize(make: Body, node: Node) -> str | Placed:
    x = value_of(node)
    order = (0, 3, 1, 2)  # runtimes do it in channels first
    given = cast_in(make, make.ordered(x, order), x.dtype, _RESIZED)
    found = make.add(
        "Resize",
        [given, "", *_measures(make, x.shape, node.attributes["size"])],
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )
    return placed(make, cast_back(make, found, x.dtype, _RESIZED), order)


def _measures(make: Body, shape: Sequence[Size], size: Sequence[Size]) -> list[str]:
    """How large it gets: by quotients where floats hold them, for which ONNX Runtime keeps the
    layout of the convolutions around it and takes two thirds of the time; else by sizes."""
    pairs = list(zip(shape[1:3], size, strict=True))
    known = [(old, new) for old, new in pairs if isinstance(old, int) and isinstance(new, int)]
    if len(known) == 2 and all(_is_power_of_two(old // gcd(old, new)) for old, new in known):
        scales = [1.0, 1.0, *(new / old for old, new in known)]
        return [make.constant(np.asarray(scales, "float32"))]
    return ["", make.sizes([shape[0], shape[3], *size])]


def _is_power_of_two(count: int) -> bool:
    return count & (count - 1) == 0
