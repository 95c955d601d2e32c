"""Convolutions and pools: ONNX has channels first, and kernels with the filters first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nacre.export.graph.ir import Node, Value
from nacre.export.graph.ops.convolution import pairs_of
from nacre.export.targets.onnx.body import Body, Placed, dtype_of, value_of
from nacre.export.targets.onnx.forms._form import SINGLE, cast_back, cast_in, form, placed


def channels_first(ndim: int) -> tuple[int, ...]:
    """The order (batch, channels, *spatial)."""
    return (0, ndim - 1, *range(1, ndim - 1))


def _windows(
    node: Node, x: Value, window: Sequence[int]
) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """Attributes of a window, and what is put before and behind each spatial axis, negative where
    it is cut; where only a run tells, the attributes say that it is to be found then."""
    attributes, count = node.attributes, len(window)
    strides = attributes["strides"]
    dilation = attributes.get("dilation_rate") or (1,) * count
    padding = attributes["padding"]
    found: dict[str, Any] = {"kernel_shape": tuple(window), "strides": tuple(strides)}
    if any(step != 1 for step in dilation):
        found["dilations"] = tuple(dilation)
    sizes: list[Any] = []
    for size, stride in zip(x.shape[1:-1], strides):
        if not isinstance(size, int):
            if padding == "same" and stride != 1:
                return {**found, "auto_pad": "SAME_UPPER"}, []
            size = 1  # with windows at each place it says nothing
        sizes.append(size)
    return found, pairs_of(padding, sizes, window, strides, dilation)


def _put_around(
    make: Body, tensor: str, pairs: Sequence[tuple[int, int]]
) -> tuple[str, tuple[int, ...]]:
    """The tensor (batch, channels, *spatial) cut where padding is negative, and the padding."""
    cut = [i for i, (low, high) in enumerate(pairs) if low < 0 or high < 0]
    if cut:
        starts = [max(-pairs[i][0], 0) for i in cut]
        ends = [pairs[i][1] if pairs[i][1] < 0 else (1 << 63) - 1 for i in cut]
        axes = [i + 2 for i in cut]
        inputs = [make.ints(*starts), make.ints(*ends), make.ints(*axes)]
        tensor = make.add("Slice", [tensor, *inputs])
    lows, highs = ([max(pair[end], 0) for pair in pairs] for end in (0, 1))
    return tensor, (*lows, *highs)


def _kernel(make: Body, value: Value, depthwise: bool = False) -> str:
    """A kernel (*window, a, b) as (b, a, *window); of depthwise ones (*window, channels,
    multiplier) as (channels · multiplier, 1, *window)."""
    ndim = len(value.shape)
    order = (ndim - 1, ndim - 2, *range(ndim - 2))
    if not depthwise:
        return make.ordered(value, order)
    *window, channels, multiplier = value.shape
    filters: Any = channels * multiplier
    shape = (*window, 1, filters)
    if make.data(value) is not None:
        change = lambda x: x.reshape(shape).transpose(order)
        return make.weight([value], change, ("depthwise", order))
    return make.add("Transpose", [make.reshape(make.tensor(value), shape)], perm=order)


def _convolved(make: Body, node: Node, kernel: str, groups: int) -> Placed | str:
    x, window = value_of(node), value_of(node, 1).shape[: len(value_of(node).shape) - 2]
    order = channels_first(len(x.shape))
    attributes, pairs = _windows(node, x, window)  # type: ignore[arg-type]
    tensor = make.ordered(x, order)
    if pairs:
        tensor, pads = _put_around(make, tensor, pairs)
        if any(pads):
            attributes["pads"] = pads
    if groups != 1:
        attributes["group"] = groups
    inputs = [cast_in(make, v, x.dtype, SINGLE) for v in (tensor, kernel)]
    found = make.add("Conv", inputs, **attributes)
    return placed(make, cast_back(make, found, x.dtype, SINGLE), order)


@form("conv")
def _conv(make: Body, node: Node) -> Placed | str:
    return _convolved(make, node, _kernel(make, value_of(node, 1)), node.attributes["groups"])


@form("depthwise_conv")
def _depthwise_conv(make: Body, node: Node) -> Placed | str:
    kernel = value_of(node, 1)
    groups: Any = kernel.shape[-2]
    return _convolved(make, node, _kernel(make, kernel, True), groups)


@form("conv_transpose")
def _conv_transpose(make: Body, node: Node) -> Placed | str:
    x, kernel, attributes = value_of(node), value_of(node, 1), node.attributes
    order = channels_first(len(x.shape))
    crop = attributes["crop"]
    inputs = [make.ordered(x, order), _kernel(make, kernel)]
    inputs = [cast_in(make, v, x.dtype, SINGLE) for v in inputs]
    found = make.add(
        "ConvTranspose",
        inputs,
        kernel_shape=tuple(kernel.shape[:-2]),
        strides=tuple(attributes["strides"]),
        dilations=tuple(attributes["dilation_rate"]),
        pads=(*(max(a, 0) for a, _ in crop), *(max(b, 0) for _, b in crop)),
    )
    found = cast_back(make, found, x.dtype, SINGLE)
    if any(low < 0 or high < 0 for low, high in crop):
        zeros = [0, 0]
        lows, highs = ([max(-pair[end], 0) for pair in crop] for end in (0, 1))
        zero = make.constant(np.asarray(0, x.dtype))
        found = make.add("Pad", [found, make.ints(*zeros, *lows, *zeros, *highs), zero])
    return placed(make, found, order)


def _few_axes(node: Node) -> str | None:
    return None if 3 <= len(value_of(node).shape) <= 5 else "Pool at most three axes at a time."


@form("max_pool", "average_pool", limit=_few_axes)
def _pool(make: Body, node: Node) -> Placed | str:
    x, window = value_of(node), node.attributes["pool_size"]
    order = channels_first(len(x.shape))
    attributes, pairs = _windows(node, x, window)
    tensor = make.ordered(x, order)
    if pairs:
        tensor, pads = _put_around(make, tensor, pairs)
        if any(pads):
            attributes["pads"] = pads
    op = "MaxPool" if node.op == "max_pool" else "AveragePool"
    found = make.add(op, [cast_in(make, tensor, x.dtype, SINGLE)], **attributes)
    return placed(make, cast_back(make, found, x.dtype, SINGLE), order)


def _windowed(node: Node) -> list[int]:
    attributes = node.attributes
    plain = lambda pair: pair in ("valid", "same", "causal") or tuple(pair) == (0, 0)
    pads = attributes["padding"]
    pads = [pads] * len(attributes["window"]) if isinstance(pads, str) else pads
    return [
        axis
        for axis, (taps, stride, pair) in enumerate(
            zip(attributes["window"], attributes["strides"], pads)
        )
        if taps != 1 or stride != 1 or not plain(pair)
    ]


def _one_to_three(node: Node) -> str | None:
    if "float" not in dtype_of(node):
        return "Cast to float32 before, and back."
    return None if len(_windowed(node)) <= 3 else "Window at most three axes at a time."


@form("reduce_window", limit=_one_to_three)
def _reduce_window(make: Body, node: Node) -> str:
    """As a pool of one channel over the axes that are windowed, all others a batch of pictures."""
    x, attributes = value_of(node), node.attributes
    chosen = _windowed(node)
    others = [axis for axis in range(len(x.shape)) if axis not in chosen]
    order = (*others, *chosen)
    if not chosen:
        return make.add("Identity", [make.tensor(x)])
    tensor = make.ordered(x, order)
    outer = make.sizes([x.shape[axis] for axis in others])
    spatial = [x.shape[axis] for axis in chosen]
    flat = make.sizes([-1, 1, *spatial])
    tensor = make.add("Reshape", [tensor, flat])
    pick = lambda name: tuple(attributes[name][axis] for axis in chosen)
    padding = attributes["padding"]
    inner = Node(
        "max_pool",
        (Value("", x.dtype, (1, *spatial, 1)),),
        (),
        {
            "strides": pick("strides"),
            "dilation_rate": pick("dilation_rate"),
            "padding": padding if isinstance(padding, str) else pick("padding"),
        },
    )
    found, pairs = _windows(inner, value_of(inner), pick("window"))
    if pairs:
        tensor, pads = _put_around(make, tensor, pairs)
        found["pads"] = pads
    tensor = cast_in(make, tensor, x.dtype, SINGLE)
    reducer = attributes["reducer"]
    if reducer == "sum":
        ones = make.constant(np.ones((1, 1, *pick("window")), SINGLE.computing(x.dtype)))
        pooled = make.add("Conv", [tensor, ones], **found)
    elif reducer == "max":
        pooled = make.add("MaxPool", [tensor], **found)
    else:
        pooled = make.add("Neg", [make.add("MaxPool", [make.add("Neg", [tensor])], **found)])
    pooled = cast_back(make, pooled, x.dtype, SINGLE)
    new = make.sizes([node.outputs[0].shape[axis] for axis in chosen])
    shape = make.add("Concat", [outer, new], axis=0) if others else new
    result = make.add("Reshape", [pooled, shape])
    make.bind(node.outputs[0], result, order)
    return ""
