"""Convolutions and pools. Kernels take two spatial axes, convolutions three as well; one axis is
written as two, the first of size 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.graph.sizes import Size
from nacre.export.targets.litert.body import Body, Tensor
from nacre.export.targets.litert.rules._rule import only, rule
from nacre.export.targets.litert.rules.elementwise import binary
from nacre.export.targets.litert.rules.shaping import padded

_FLOAT = only("float32")
Pairs = Sequence[tuple[int, int]]


def _rank(node: Node) -> int:
    value = node.inputs[0]
    assert value is not None
    return len(value.shape) - 2


def _two(values: Sequence[int]) -> tuple[int, ...]:
    """Numbers of one axis as those of two."""
    return (1, *values) if len(values) == 1 else tuple(values)


def _pads(padding: Any, window: Sequence[int], dilation: Sequence[int]) -> Pairs | None:
    """What is put before and behind each axis; None where the kernel does it."""
    if padding in ("same", "valid"):
        return None
    if padding == "causal":
        return [((k - 1) * d, 0) for k, d in zip(window, dilation, strict=True)]
    return padding


def _arranged(
    make: Body, x: Tensor, padding: Any, window: Sequence[int], dilation: Sequence[int], fill: Any
) -> tuple[Tensor, str]:
    """x with what is put around it, and the padding that is left to the kernel."""
    pairs = _pads(padding, window, dilation)
    if pairs is None:
        return x, padding.upper()
    for axis, (low, high) in enumerate(pairs, start=1):  # a negative pad cuts
        if low < 0 or high < 0:
            x = make.part(x, axis, max(-low, 0), x.shape[axis] - max(-high, 0))
    pads = [(0, 0), *((max(a, 0), max(b, 0)) for a, b in pairs), (0, 0)]
    return padded(make, x, make.constant(fill, x.dtype), pads), "VALID"


def _as_two(make: Body, x: Tensor, work: Callable[[Tensor], Tensor], rank: int) -> Tensor:
    """Work on two spatial axes done for one."""
    return make.squeeze(work(make.expand(x, 1)), 1) if rank == 1 else work(x)


def _zeros(make: Body, count: Size) -> Tensor:
    """The bias of a convolution that has none: kernels and delegates want one."""
    assert isinstance(count, int)
    return make.constant(np.zeros(count, "float32"))


@rule("conv", limit=_FLOAT)
def _conv(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    x, kernel = inputs
    strides, dilation = node.attributes["strides"], node.attributes["dilation_rate"]
    groups, window = node.attributes["groups"], [int(n) for n in kernel.shape[:-2]]  # type: ignore[arg-type]
    x, padding = _arranged(make, x, node.attributes["padding"], window, dilation, 0)
    if groups > 1:
        return _of_groups(make, node, x, kernel, padding)
    return _convolved(make, x, kernel, strides, dilation, padding, node.outputs[0].shape)


def _convolved(
    make: Body,
    x: Tensor,
    kernel: Tensor,
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: str,
    shape: Sequence[Size],
) -> Tensor:
    """A convolution of one group; kernels of two axes are written (filters, height, width, in)."""
    bias = _zeros(make, kernel.shape[-1])
    if len(strides) == 3:
        options = _options(("d", "h", "w"), strides, dilation)
        inner = [x, kernel, bias]
        return make.add("CONV_3D", inner, x.dtype, shape, padding=padding, **options)
    if len(strides) == 1:
        kernel = make.reshape(kernel, (1, *kernel.shape))
        shape = (shape[0], 1, *shape[1:])
    weights = make.transpose(kernel, (3, 0, 1, 2))
    options = _options(("h", "w"), _two(strides), _two(dilation))

    def work(x: Tensor) -> Tensor:
        inner = [x, weights, bias]
        return make.add("CONV_2D", inner, x.dtype, shape, padding=padding, **options)

    return _as_two(make, x, work, len(strides))


def _options(names: Sequence[str], strides: Sequence[int], dilation: Sequence[int]) -> Any:
    steps = {f"stride_{name}": n for name, n in zip(names, strides, strict=True)}
    gaps = {f"dilation_{name}_factor": n for name, n in zip(names, dilation, strict=True)}
    return {**steps, **gaps}


def _of_groups(make: Body, node: Node, x: Tensor, kernel: Tensor, padding: str) -> Tensor:
    """One group a channel is a depthwise convolution; others are taken one by one."""
    groups, shape = node.attributes["groups"], node.outputs[0].shape
    strides, dilation = node.attributes["strides"], node.attributes["dilation_rate"]
    channels, filters = x.shape[-1], kernel.shape[-1]
    assert isinstance(channels, int)
    assert isinstance(filters, int)
    if groups == channels and len(strides) < 3:
        return _depthwise_of(make, x, kernel, strides, dilation, padding, shape)
    take, give = channels // groups, filters // groups
    last = kernel.ndim - 1
    parts: list[Tensor] = []
    for group in range(groups):
        seen = make.part(x, x.ndim - 1, group * take, (group + 1) * take)
        if kernel.data is not None:
            own = make.constant(kernel.data[..., group * give : (group + 1) * give])
        else:
            own = make.part(kernel, last, group * give, (group + 1) * give)
        part = (*shape[:-1], give)
        parts.append(_convolved(make, seen, own, strides, dilation, padding, part))
    return make.add("CONCATENATION", parts, x.dtype, shape, axis=len(shape) - 1)


def _flat(node: Node) -> str | None:
    return _FLOAT(node) if _rank(node) < 3 else "Take one or two spatial axes."


@rule("depthwise_conv", limit=_flat)
def _depthwise(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    x, kernel = inputs
    strides, dilation = node.attributes["strides"], node.attributes["dilation_rate"]
    *window, channels, multiplier = (int(n) for n in kernel.shape)  # type: ignore[arg-type]
    x, padding = _arranged(make, x, node.attributes["padding"], window, dilation, 0)
    joined = make.reshape(kernel, (*window, 1, channels * multiplier))
    shape = node.outputs[0].shape
    return _depthwise_of(make, x, joined, strides, dilation, padding, shape)


def _depthwise_of(
    make: Body,
    x: Tensor,
    kernel: Tensor,
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: str,
    shape: Sequence[Size],
) -> Tensor:
    """The kernel is (*window, 1, channels · multiplier), written (1, height, width, channels)."""
    *window, _, filters = (int(n) for n in kernel.shape)  # type: ignore[arg-type]
    channels = x.shape[-1]
    assert isinstance(channels, int)
    weights = make.reshape(kernel, (1, *_two(window), filters))
    options = _options(("h", "w"), _two(strides), _two(dilation))
    if len(strides) == 1:
        shape = (shape[0], 1, *shape[1:])

    def work(x: Tensor) -> Tensor:
        inner = [x, weights, _zeros(make, filters)]
        times = filters // channels
        return make.add(
            "DEPTHWISE_CONV_2D",
            inner,
            x.dtype,
            shape,
            padding=padding,
            depth_multiplier=times,
            **options,
        )

    return _as_two(make, x, work, len(strides))


def _plain(node: Node) -> str | None:
    if any(n != 1 for n in node.attributes["dilation_rate"]):
        return "Take dilation_rate=1."
    return _flat(node)


@rule("conv_transpose", limit=_plain)
def _conv_transpose(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """The whole of it, of which `crop` is cut off; kernels are written (filters, h, w, in)."""
    x, kernel = inputs
    rank, strides, crop = _rank(node), node.attributes["strides"], node.attributes["crop"]
    window = [int(n) for n in kernel.shape[:-2]]  # type: ignore[arg-type]
    whole = [(n - 1) * s + k for n, s, k in zip(x.shape[1:-1], strides, window, strict=True)]
    # As TensorFlow cuts what has `same` padding.
    is_same = all(
        k >= s and (a, b) == ((k - s) // 2, k - s - (k - s) // 2)
        for k, s, (a, b) in zip(window, strides, crop, strict=True)
    )
    size = node.outputs[0].shape[1:-1] if is_same else whole
    filters = kernel.shape[-2]
    if rank == 1:
        kernel, size = make.reshape(kernel, (1, *kernel.shape)), [1, *size]
    weights = make.transpose(kernel, (2, 0, 1, 3))
    shape = (x.shape[0], *size, filters)
    height, width = _two(strides)

    def work(x: Tensor) -> Tensor:
        inner = [make.sizes(shape), weights, x]
        padding = "SAME" if is_same else "VALID"
        options = {"padding": padding, "stride_h": height, "stride_w": width}
        return make.add("TRANSPOSE_CONV", inner, x.dtype, shape, **options)

    found = _as_two(make, x, work, rank)
    if is_same:
        return found
    for axis, (low, high) in enumerate(crop, start=1):
        if low > 0 or high > 0:
            found = make.part(found, axis, max(low, 0), found.shape[axis] - max(high, 0))
    pads = [(0, 0), *((max(-a, 0), max(-b, 0)) for a, b in crop), (0, 0)]
    return padded(make, found, make.constant(0, "float32"), pads)


# --- pools ----------------------------------------------------------------------------------------


@rule("max_pool", limit=only("float32"))
def _max_pool(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    (x,) = inputs
    window, strides = node.attributes["pool_size"], node.attributes["strides"]
    ones = (1,) * len(window)
    x, padding = _arranged(make, x, node.attributes["padding"], window, ones, -np.inf)
    return _pooled(make, "MAX_POOL_2D", x, window, strides, padding, node.outputs[0].shape)


@rule("average_pool", limit=only("float32"))
def _average_pool(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    (x,) = inputs
    window, strides = node.attributes["pool_size"], node.attributes["strides"]
    shape, ones = node.outputs[0].shape, (1,) * len(window)
    x, padding = _arranged(make, x, node.attributes["padding"], window, ones, 0)
    mean = _pooled(make, "AVERAGE_POOL_2D", x, window, strides, padding, shape)
    if x is inputs[0]:
        return mean
    # Of the elements that are really there: the share of them in each window.
    real = make.full((1, *inputs[0].shape[1:-1], 1), 1, "float32")
    real, padding = _arranged(make, real, node.attributes["padding"], window, ones, 0)
    counted = (1, *shape[1:-1], 1)
    share = _pooled(make, "AVERAGE_POOL_2D", real, window, strides, padding, counted)
    return binary(make, "DIV", mean, share)


def _pooled(
    make: Body,
    op: str,
    x: Tensor,
    window: Sequence[int],
    strides: Sequence[int],
    padding: str,
    shape: Sequence[Size],
) -> Tensor:
    """A pool; of three axes one of the last two, then one of the first, of which the first two and
    the last two are taken together: extremes and means of windows are those of their lines."""
    if len(window) == 3:
        batch, depth, height, width, channels = x.shape
        _, new_depth, new_height, new_width, _ = shape
        x = make.reshape(x, (batch * depth, height, width, channels))
        inner = (batch * depth, new_height, new_width, channels)
        x = _pooled(make, op, x, window[1:], strides[1:], padding, inner)
        x = make.reshape(x, (batch, depth, new_height * new_width, channels))
        inner = (batch, new_depth, new_height * new_width, channels)
        x = _pooled(make, op, x, (window[0], 1), (strides[0], 1), padding, inner)
        return make.reshape(x, shape)
    (high, wide), (down, across) = _two(window), _two(strides)
    rank = len(window)
    shape = (shape[0], 1, *shape[1:]) if rank == 1 else tuple(shape)

    def work(x: Tensor) -> Tensor:
        sizes = {"filter_height": high, "filter_width": wide, "stride_h": down, "stride_w": across}
        return make.add(op, [x], x.dtype, shape, padding=padding, **sizes)

    return _as_two(make, x, work, rank)
