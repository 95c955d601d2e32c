"""Convolutions and pools of one to three spatial axes, channels last.

TensorFlow's kernels for the CPU have no groups in three axes, no dilation in gradients, no explicit
padding in pools: groups are convolved one by one, dilation is taken to the batch (SpaceToBatchND),
padding is put there first. One spatial axis is two, the first of size 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.graph.rules import is_float
from nacre.export.graph.sizes import Size, floor_divided, larger
from nacre.export.targets.graphdef.body import Attribute, Body, Kind
from nacre.export.targets.graphdef.rules._rule import (
    dtype_of,
    rank_of,
    reshape,
    rule,
    transpose,
    value,
)
from nacre.export.targets.graphdef.rules.shaping import padded, spread


def _pairs(node: Node, window: Sequence[int], dilation: Sequence[int]) -> list[tuple[Size, Size]]:
    """What is put before and behind each spatial axis."""
    padding, strides = node.attributes["padding"], node.attributes["strides"]
    if not isinstance(padding, str):
        return list(padding)
    found: list[tuple[Size, Size]] = []
    sizes = value(node).shape[1:-1]
    for size, taps, stride, step in zip(sizes, window, strides, dilation, strict=True):
        reach = (taps - 1) * step + 1
        if padding == "causal":
            found.append((reach - 1, 0))
        elif padding == "valid":
            found.append((0, 0))
        else:
            count = floor_divided(size + (stride - 1), stride)
            total = larger((count - 1) * stride + reach - size, 0) if reach > 1 else 0
            found.append((floor_divided(total, 2), total - floor_divided(total, 2)))
    return found


def _with_padding(
    make: Body, x: str, fill: str, pairs: list[tuple[Size, Size]], node: Node
) -> tuple[str, list[Size]]:
    """x with its spatial axes padded, or cut where negative; and their sizes."""
    dtype, shape = dtype_of(node), list(value(node).shape)
    cut = [
        (-a if isinstance(a, int) and a < 0 else 0, -b if isinstance(b, int) and b < 0 else 0)
        for a, b in pairs
    ]
    if any(a or b for a, b in cut):
        begin = make.ints(0, *(a for a, _ in cut), 0)
        for axis, (a, b) in enumerate(cut, start=1):
            shape[axis] = shape[axis] - a - b
        x = make.add("Slice", [x, begin, make.sizes(shape)], T=Kind(dtype), Index=Kind("int32"))
        pairs = [(0 if c else a, 0 if d else b) for (a, b), (c, d) in zip(pairs, cut, strict=True)]
    for axis, (a, b) in enumerate(pairs, start=1):
        shape[axis] = shape[axis] + a + b
    if any(size != 0 for pair in pairs for size in pair):
        x = padded(make, x, fill, [(0, 0), *pairs, (0, 0)], dtype)
    return x, shape[1:-1]


def _only_floats(node: Node) -> str | None:
    return None if is_float(dtype_of(node)) else "Cast the inputs to float32 first."


def _windowed(node: Node, window: Sequence[int]) -> str:
    """'SAME' or 'VALID' where TensorFlow pads, '' where the padding is put there first."""
    padding = node.attributes["padding"]
    if padding in ("same", "valid"):
        return padding.upper()
    return "VALID" if all(a == b == 0 for a, b in _pairs(node, window, [1] * len(window))) else ""


def _plane(make: Body, tensor: str, dtype: str) -> str:
    """One spatial axis as two."""
    return make.add(
        "ExpandDims", [tensor, make.constant(1, "int32")], T=Kind(dtype), Tdim=Kind("int32")
    )


def _kernel_plane(make: Body, kernel: str, dtype: str) -> str:
    return make.add(
        "ExpandDims", [kernel, make.constant(0, "int32")], T=Kind(dtype), Tdim=Kind("int32")
    )


def _line(make: Body, tensor: str, dtype: str) -> str:
    return make.add("Squeeze", [tensor], T=Kind(dtype), squeeze_dims=(1,))


def _spread_kernel(
    make: Body, kernel: str, shape: Sequence[Size], dilation: Sequence[int], dtype: str
) -> str:
    """A kernel with zeros between its taps."""
    zero, sizes = make.like(0, dtype), list(shape)
    for axis, step in enumerate(dilation):
        if step > 1:
            kernel, sizes = spread(make, kernel, zero, sizes, axis, step - 1, dtype)
    return kernel


@rule("conv", limit=_only_floats)
def _conv(make: Body, node: Node, inputs: Sequence[str]) -> str:
    groups = node.attributes["groups"]
    return _convolved(make, node, inputs, "Conv", groups)


@rule("depthwise_conv", limit=_only_floats)
def _depthwise(make: Body, node: Node, inputs: Sequence[str]) -> str:
    if rank_of(node) == 5:  # TensorFlow has none of three axes
        x, kernel = inputs
        *window, channels, multiplier = value(node, 1).shape
        assert isinstance(channels, int) and isinstance(multiplier, int)
        flat = make.sizes((*window, 1, channels * multiplier))
        kernel = reshape(make, kernel, flat, dtype_of(node, 1))
        return _convolved(make, node, [x, kernel], "Conv", channels)
    return _convolved(make, node, inputs, "Depthwise", 1)


def _convolved(make: Body, node: Node, inputs: Sequence[str], kind: str, groups: int) -> str:
    x, kernel = inputs
    dtype, spatial = dtype_of(node), rank_of(node) - 2
    window = [size for size in value(node, 1).shape[:-2] if isinstance(size, int)]
    strides, dilation = list(node.attributes["strides"]), list(node.attributes["dilation_rate"])
    pads = _windowed(node, window)
    if max(strides) > 1 and max(dilation) > 1:
        kernel = _spread_kernel(make, kernel, value(node, 1).shape, dilation, dtype)
        pads, dilated = "", dilation
        pairs = _pairs(node, window, dilated)
        dilation = [1] * spatial
    else:
        pairs = _pairs(node, window, dilation)
    thin = kind == "Depthwise" and len(set(strides)) > 1
    if max(dilation) > 1:
        return _dilated(make, node, x, kernel, pairs, dilation, kind, groups)
    if not pads or thin:
        x, _ = _with_padding(make, x, make.like(0, dtype), pairs, node)
        pads = "VALID"
    if thin:
        whole = _plain(make, x, kernel, [1] * spatial, pads, dtype, kind, groups)
        return _every(make, whole, strides, dtype)
    return _plain(make, x, kernel, strides, pads, dtype, kind, groups)


def _every(make: Body, x: str, strides: Sequence[int], dtype: str) -> str:
    """Every stride-th element of each spatial axis."""
    zeros = make.ints(*[0] * (len(strides) + 2))
    mask = (1 << len(strides) + 2) - 1
    return make.add(
        "StridedSlice",
        [x, zeros, zeros, make.ints(1, *strides, 1)],
        T=Kind(dtype),
        Index=Kind("int32"),
        begin_mask=mask,
        end_mask=mask,
        ellipsis_mask=0,
        new_axis_mask=0,
        shrink_axis_mask=0,
    )


def _dilated(
    make: Body,
    node: Node,
    x: str,
    kernel: str,
    pairs: list[tuple[Size, Size]],
    dilation: Sequence[int],
    kind: str,
    groups: int,
) -> str:
    dtype, spatial = dtype_of(node), len(dilation)
    sizes = value(node).shape[1:-1]
    negative = any(isinstance(n, int) and n < 0 for pair in pairs for n in pair)
    if negative:
        x, sizes = _with_padding(make, x, make.like(0, dtype), pairs, node)
        pairs = [(0, 0)] * spatial
    flat: list[Size] = []
    crops: list[Size] = []
    for size, (low, high), step in zip(sizes, pairs, dilation, strict=True):
        total = size + low + high
        extra = floor_divided(total + (step - 1), step) * step - total
        flat += [low, high + extra]
        crops += [0, extra]
    block = make.ints(*dilation)
    two = make.ints(spatial, 2)
    x = make.add(
        "SpaceToBatchND",
        [x, block, reshape(make, make.sizes(flat), two, "int32")],
        T=Kind(dtype),
        Tblock_shape=Kind("int32"),
        Tpaddings=Kind("int32"),
    )
    x = _plain(make, x, kernel, [1] * spatial, "VALID", dtype, kind, groups)
    return make.add(
        "BatchToSpaceND",
        [x, block, reshape(make, make.sizes(crops), two, "int32")],
        T=Kind(dtype),
        Tblock_shape=Kind("int32"),
        Tcrops=Kind("int32"),
    )


def _plain(
    make: Body,
    x: str,
    kernel: str,
    strides: Sequence[int],
    padding: str,
    dtype: str,
    kind: str,
    groups: int,
) -> str:
    """A convolution without dilation, of inputs that are padded, or as TensorFlow pads."""
    if groups > 1:
        axis = make.constant(len(strides) + 1, "int32")
        axis_of_kernel = axis
        parts = make.add_all("Split", [axis, x], groups, T=Kind(dtype), num_split=groups)
        kernels = make.add_all(
            "Split", [axis_of_kernel, kernel], groups, T=Kind(dtype), num_split=groups
        )
        results = [
            _plain(make, part, own, strides, padding, dtype, kind, 1)
            for part, own in zip(parts, kernels, strict=True)
        ]
        return make.add("ConcatV2", [*results, axis], N=groups, T=Kind(dtype), Tidx=Kind("int32"))
    if len(strides) == 1:
        x, kernel = _plane(make, x, dtype), _kernel_plane(make, kernel, dtype)
        strides = [strides[0]] * 2  # equal ones, which depthwise convolutions need
        result = _plain(make, x, kernel, strides, padding, dtype, kind, 1)
        return _line(make, result, dtype)
    ones = (1,) * (len(strides) + 2)
    steps = (1, *strides, 1)
    if len(strides) == 3:
        return make.add(
            "Conv3D", [x, kernel], T=Kind(dtype), strides=steps, padding=padding,
            data_format="NDHWC", dilations=ones,
        )  # fmt: skip
    if kind == "Depthwise":
        return make.add(
            "DepthwiseConv2dNative", [x, kernel], T=Kind(dtype), strides=steps, padding=padding,
            data_format="NHWC", dilations=ones,
        )  # fmt: skip
    return make.add(
        "Conv2D", [x, kernel], T=Kind(dtype), strides=steps, padding=padding,
        data_format="NHWC", dilations=ones, use_cudnn_on_gpu=True,
    )  # fmt: skip


@rule("conv_transpose", limit=_only_floats)
def _conv_transpose(make: Body, node: Node, inputs: Sequence[str]) -> str:
    """The gradient of a convolution with respect to its input, and what is to be cut off it."""
    x, kernel = inputs
    dtype, shape = dtype_of(node), value(node).shape
    *window, filters, _ = value(node, 1).shape
    strides, dilation = list(node.attributes["strides"]), node.attributes["dilation_rate"]
    kernel = _spread_kernel(make, kernel, value(node, 1).shape, dilation, dtype)
    reach = [(taps - 1) * step + 1 for taps, step in zip(window, dilation, strict=True)]
    whole: list[Size] = [
        (size - 1) * stride + width
        for size, stride, width in zip(shape[1:-1], strides, reach, strict=True)
    ]
    given = whole
    if len(strides) == 1:
        x, kernel = _plane(make, x, dtype), _kernel_plane(make, kernel, dtype)
        strides, given = [1, *strides], [1, *whole]
    three = len(strides) == 3
    attributes: dict[str, Attribute] = {"data_format": "NDHWC"} if three else {
        "data_format": "NHWC", "use_cudnn_on_gpu": True, "explicit_paddings": (),
    }  # fmt: skip
    if three:
        attributes["Tshape"] = Kind("int32")
    result = make.add(
        "Conv3DBackpropInputV2" if three else "Conv2DBackpropInput",
        [make.sizes((shape[0], *given, filters)), kernel, x],
        T=Kind(dtype),
        strides=(1, *strides, 1),
        padding="VALID",
        dilations=(1,) * (len(strides) + 2),
        **attributes,
    )
    if len(node.attributes["strides"]) == 1:
        result = _line(make, result, dtype)
    return _cropped(make, result, node, whole, dtype)


def _cropped(make: Body, result: str, node: Node, whole: Sequence[Size], dtype: str) -> str:
    crop, shape = node.attributes["crop"], node.outputs[0].shape
    if any(a > 0 or b > 0 for a, b in crop):
        begin = make.ints(0, *(max(a, 0) for a, _ in crop), 0)
        sizes: list[Size] = [
            size - max(a, 0) - max(b, 0) for size, (a, b) in zip(whole, crop, strict=True)
        ]
        size = make.sizes((shape[0], *sizes, shape[-1]))
        result = make.add("Slice", [result, begin, size], T=Kind(dtype), Index=Kind("int32"))
    if any(a < 0 or b < 0 for a, b in crop):
        pads: list[tuple[Size, Size]] = [(max(-a, 0), max(-b, 0)) for a, b in crop]
        result = padded(make, result, make.like(0, dtype), [(0, 0), *pads, (0, 0)], dtype)
    return result


# --- pools ----------------------------------------------------------------------------------------


def _lowest(make: Body, dtype: str) -> str:
    if is_float(dtype):
        return make.like(float("-inf"), dtype)
    return make.constant(np.iinfo(dtype).min, dtype)


def _pooled(
    make: Body, x: str, op: str, window: Sequence[int], strides: Sequence[int], padding: str,
    dtype: str,
) -> str:  # fmt: skip
    if len(window) == 1:
        x = _plane(make, x, dtype)
        pooled = _pooled(make, x, op, [1, *window], [1, *strides], padding, dtype)
        return _line(make, pooled, dtype)
    three = len(window) == 3
    attributes: dict[str, Attribute] = {
        "data_format": "NDHWC" if three else "NHWC",
        "T": Kind(dtype),
    }
    if op == "MaxPool" and not three:
        attributes["explicit_paddings"] = ()
    return make.add(
        f"{op}3D" if three else op,
        [x],
        ksize=(1, *window, 1),
        strides=(1, *strides, 1),
        padding=padding,
        **attributes,
    )


@rule("max_pool", limit=_only_floats)
def _max_pool(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, dtype = inputs[0], dtype_of(node)
    window, strides = node.attributes["pool_size"], node.attributes["strides"]
    padding = _windowed(node, window)
    if not padding:
        pairs = _pairs(node, window, [1] * len(window))
        x, _ = _with_padding(make, x, _lowest(make, dtype), pairs, node)
        padding = "VALID"
    return _pooled(make, x, "MaxPool", window, strides, padding, dtype)


@rule("average_pool", limit=_only_floats)
def _average_pool(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, dtype = inputs[0], dtype_of(node)
    window, strides = node.attributes["pool_size"], node.attributes["strides"]
    padding = _windowed(node, window)
    if padding:
        return _pooled(make, x, "AvgPool", window, strides, padding, dtype)
    ones = make.add("OnesLike", [x], T=Kind(dtype))
    pairs = _pairs(node, window, [1] * len(window))
    found: list[str] = []
    for tensor in (x, ones):
        tensor, _ = _with_padding(make, tensor, make.like(0, dtype), pairs, node)
        found.append(_pooled(make, tensor, "AvgPool", window, strides, "VALID", dtype))
    return make.add("RealDiv", found, T=Kind(dtype))


def _few_windows(node: Node) -> str | None:
    if not is_float(dtype_of(node)):
        return "Cast the inputs to float32 first."
    if any(step != 1 for step in node.attributes["dilation_rate"]):
        return "Take windows without dilation."
    if sum(1 for axis in _windowed_axes(node)) > 3:
        return "Take windows over at most three axes."
    return None


def _windowed_axes(node: Node) -> list[int]:
    window, strides, padding = (node.attributes[name] for name in ("window", "strides", "padding"))
    explicit = [] if isinstance(padding, str) else padding
    return [
        axis
        for axis in range(len(window))
        if window[axis] > 1 or strides[axis] > 1 or (explicit and explicit[axis] != (0, 0))
    ]


@rule("reduce_window", limit=_few_windows)
def _reduce_window(make: Body, node: Node, inputs: Sequence[str]) -> str:
    """A pool over the axes that have windows; all others are its batch."""
    x, dtype, shape = inputs[0], dtype_of(node), value(node).shape
    axes = _windowed_axes(node)
    if not axes:
        return x
    reducer, padding = node.attributes["reducer"], node.attributes["padding"]
    window = [node.attributes["window"][axis] for axis in axes]
    strides = [node.attributes["strides"][axis] for axis in axes]
    order = [axis for axis in range(len(shape)) if axis not in axes] + axes

    if reducer == "min":
        x = make.add("Neg", [x], T=Kind(dtype))
    x = transpose(make, x, order, dtype)
    wide = make.sizes((-1, *(shape[axis] for axis in axes), 1))
    x = reshape(make, x, wide, dtype)
    fill = make.like(0, dtype) if reducer == "sum" else _lowest(make, dtype)
    name = padding.upper() if isinstance(padding, str) else "VALID"
    pairs: list[tuple[Size, Size]] = []
    if not isinstance(padding, str):
        pairs = [padding[axis] for axis in axes]
    elif padding == "same" and reducer == "sum":
        for axis, taps, stride in zip(axes, window, strides, strict=True):
            size = shape[axis]
            count = floor_divided(size + (stride - 1), stride)
            total = larger((count - 1) * stride + taps - size, 0)
            pairs.append((floor_divided(total, 2), total - floor_divided(total, 2)))
        name = "VALID"
    if any(n != 0 for pair in pairs for n in pair):
        x = padded(make, x, fill, [(0, 0), *pairs, (0, 0)], dtype)
    op = "AvgPool" if reducer == "sum" else "MaxPool"
    x = _pooled(make, x, op, window, strides, name, dtype)
    if reducer == "sum":
        total_taps = make.like(float(np.prod(window)), dtype)
        x = make.add("Mul", [x, total_taps], T=Kind(dtype))
    elif reducer == "min":
        x = make.add("Neg", [x], T=Kind(dtype))
    result = node.outputs[0].shape
    x = reshape(make, x, make.sizes([result[axis] for axis in order]), dtype)
    back = [order.index(axis) for axis in range(len(shape))]
    return transpose(make, x, back, dtype)
