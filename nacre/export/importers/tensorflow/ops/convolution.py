"""Convolutions and pooling, in both layouts and all kinds of padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.export.importers.tensorflow.ops.linalg import FUSED
from nacre.export.importers.tensorflow.registry import Node, op
from nacre.export.importers.tensorflow.values import GraphError, dtype, ints
from nacre.ops.kernels import convolution as kernels
from nacre.ops.kernels import pooling

Pads = str | list[tuple[int, int]]


def _layout(node: Node, rank: int) -> tuple[bool, list[int]]:
    """Whether channels come first, and the axes of space."""
    text = node.get("data_format")
    first = bool(text) and bytes(text).startswith(b"NC")
    return first, list(range(2, rank) if first else range(1, rank - 1))


def _pads(node: Node, space: list[int]) -> Pads:
    text = node.text("padding")
    if text != "EXPLICIT":
        return text
    numbers = node["explicit_paddings"]
    return [(int(numbers[2 * axis]), int(numbers[2 * axis + 1])) for axis in space]


def _of(node: Node, name: str, space: list[int]) -> list[int]:
    values = node.get(name) or []
    return [int(values[axis]) for axis in space] if values else [1] * len(space)


def _convolution(node: Node, x_rank: int, groups: Callable[[Any, Any], int]) -> Callable[..., Any]:
    """The convolution of a node: inputs and a kernel [*window, in, out]."""
    first, space = _layout(node, x_rank)
    strides, dilations = _of(node, "strides", space), _of(node, "dilations", space)
    pads = _pads(node, space)

    def compute(x: Any, kernel: Any) -> Any:
        inputs = jnp.moveaxis(x, 1, -1) if first else x
        found = kernels.convolution(
            inputs,
            kernel,
            strides=strides,
            padding=pads.lower() if isinstance(pads, str) else pads,
            dilation=dilations,
            groups=groups(x, kernel),
        )
        return jnp.moveaxis(found, -1, 1) if first else found

    return compute


def _channels(node: Node, x: Any) -> int:
    return int(x.shape[1] if _layout(node, len(x.shape))[0] else x.shape[-1])


def _grouped(node: Node) -> Callable[[Any, Any], int]:
    return lambda x, kernel: _channels(node, x) // kernel.shape[-2]


@op("Conv2D", "Conv3D")
def _conv(node: Node, x: Any, kernel: Any) -> Any:
    return _convolution(node, x.ndim, _grouped(node))(jnp.asarray(x), jnp.asarray(kernel))


def _depthwise(node: Node, x_rank: int) -> Callable[..., Any]:
    inner = _convolution(node, x_rank, lambda x, kernel: _channels(node, x))

    def compute(x: Any, kernel: Any) -> Any:  # kernel: [height, width, channels, times]
        return inner(x, kernel.reshape(*kernel.shape[:2], 1, -1))

    return compute


@op("DepthwiseConv2dNative")
def _depthwise_conv(node: Node, x: Any, kernel: Any) -> Any:
    return _depthwise(node, 4)(jnp.asarray(x), jnp.asarray(kernel))


@op("_FusedConv2D", "_FusedDepthwiseConv2dNative")
def _fused_conv(node: Node, x: Any, kernel: Any, *more: Any) -> Any:
    """A convolution with a bias and an activation, as TensorFlow and TF.js fuse them."""
    found = (_depthwise_conv if "Depth" in node.op else _conv)(node, x, kernel)
    names = [bytes(name) for name in node.get("fused_ops", [])]
    for name in names:
        if name == b"Prelu":
            found = jnp.where(found > 0, found, found * more[-1])
        elif name == b"LeakyRelu":
            slope = node.get("leakyrelu_alpha")
            found = jnp.where(found > 0, found, found * (0.2 if slope is None else slope))
        elif name in FUSED:
            found = FUSED[name](found, *more)
        else:
            raise GraphError(f"a convolution fused with {names}")
    return found


@op("Conv2DBackpropInput", "Conv3DBackpropInputV2", "DepthwiseConv2dNativeBackpropInput")
def _transposed(node: Node, sizes: Any, kernel: Any, y: Any) -> Any:
    """The convolution's transpose, which is what transposed convolutions compute."""
    y, kernel = jnp.asarray(y), jnp.asarray(kernel)
    made = _depthwise(node, 4) if "Depth" in node.op else _convolution(node, y.ndim, _grouped(node))
    full = ints(sizes)
    if len(full) < y.ndim:  # sizes of space alone
        full = (y.shape[0], *full, kernel.shape[-2])
    return jax.vjp(lambda x: made(x, kernel), jnp.zeros(full, y.dtype))[1](y)[0]


@op("Conv2DBackpropFilter", "Conv3DBackpropFilterV2", "DepthwiseConv2dNativeBackpropFilter")
def _kernel_gradient(node: Node, x: Any, sizes: Any, y: Any) -> Any:
    x, y = jnp.asarray(x), jnp.asarray(y)
    made = _depthwise(node, 4) if "Depth" in node.op else _convolution(node, y.ndim, _grouped(node))
    return jax.vjp(lambda kernel: made(x, kernel), jnp.zeros(ints(sizes), y.dtype))[1](y)[0]


@op("Dilation2D")
def _dilation(node: Node, x: Any, kernel: Any) -> Any:
    """The largest of inputs plus kernel in each window."""
    high, wide, _ = kernel.shape
    strides, rates = node["strides"][1:3], node["rates"][1:3]
    pads = lax.padtype_to_pads(
        x.shape[1:3],
        [(high - 1) * rates[0] + 1, (wide - 1) * rates[1] + 1],
        strides,
        node.text("padding"),
    )
    low = jnp.asarray(
        jnp.finfo(x.dtype).min if x.dtype.kind == "f" else np.iinfo(x.dtype).min, x.dtype
    )
    padded = jnp.pad(x, [(0, 0), *pads, (0, 0)], constant_values=low)
    out = [
        (padded.shape[1 + i] - ((high, wide)[i] - 1) * rates[i] - 1) // strides[i] + 1
        for i in (0, 1)
    ]
    found: Any = None
    for i in range(high):
        for j in range(wide):
            top, left = i * rates[0], j * rates[1]
            part = padded[
                :,
                top : top + (out[0] - 1) * strides[0] + 1 : strides[0],
                left : left + (out[1] - 1) * strides[1] + 1 : strides[1],
            ]
            found = (
                part + kernel[i, j] if found is None else jnp.maximum(found, part + kernel[i, j])
            )
    return found


# --- pooling --------------------------------------------------------------------------------------


def _window(
    node: Node, x: Any, ksize: Any = None, strides: Any = None
) -> tuple[list[int], list[int], Any]:
    size = [int(n) for n in (node["ksize"] if ksize is None else ints(ksize))]
    step = [int(n) for n in (node["strides"] if strides is None else ints(strides))]
    space = list(range(x.ndim))
    pads = _pads(node, space)
    return size, step, pads


def _is_plain(x: Any, size: list[int], step: list[int], pads: Any) -> bool:
    """Whether windows lie in space alone, channels last, as nacre's own pooling takes them."""
    ends = size[0] == size[-1] == step[0] == step[-1] == 1
    return ends and isinstance(pads, str) and jnp.issubdtype(x.dtype, jnp.floating)


@op("MaxPool", "MaxPool3D", "MaxPoolV2")
def _max_pool(node: Node, x: Any, ksize: Any = None, strides: Any = None) -> Any:
    x = jnp.asarray(x)
    size, step, pads = _window(node, x, ksize, strides)
    if _is_plain(x, size, step, pads):
        windows, steps = size[1:-1], step[1:-1]
        return pooling.max_pool(x, window=windows, strides=steps, padding=pads.lower())
    low: Any = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else np.iinfo(x.dtype).min
    return lax.reduce_window(x, np.asarray(low, x.dtype)[()], lax.max, size, step, pads)


@op("AvgPool", "AvgPool3D")
def _average_pool(node: Node, x: Any) -> Any:
    x = jnp.asarray(x)
    size, step, pads = _window(node, x)
    if _is_plain(x, size, step, pads):
        windows, steps = size[1:-1], step[1:-1]
        return pooling.average_pool(x, window=windows, strides=steps, padding=pads.lower())
    zero = np.zeros((), x.dtype)[()]  # known, so that JAX sees a sum, which has a gradient
    total = lax.reduce_window(x, zero, lax.add, size, step, pads)
    if pads == "VALID":
        return total / jnp.asarray(np.prod(size), x.dtype)
    ones = jnp.ones(
        [1 if size[i] == 1 and step[i] == 1 else n for i, n in enumerate(x.shape)], x.dtype
    )
    return total / lax.reduce_window(ones, zero, lax.add, size, step, pads)


@op("MaxPoolWithArgmax")
def _max_pool_argmax(node: Node, x: Any) -> Any:
    """The largest, and where they stand: counted over a picture, or over the batch."""
    x = jnp.asarray(x)
    size, step, pads = _window(node, x)
    sizes = x.shape if node.get("include_batch_in_index") else (1, *x.shape[1:])
    places = jnp.broadcast_to(jnp.arange(int(np.prod(sizes))).reshape(sizes), x.shape)

    def larger(a: Any, b: Any) -> Any:
        first = (a[0] > b[0]) | ((a[0] == b[0]) & (a[1] <= b[1]))
        return jnp.where(first, a[0], b[0]), jnp.where(first, a[1], b[1])

    start = (jnp.asarray(-jnp.inf, x.dtype), jnp.asarray(np.iinfo(places.dtype).max, places.dtype))
    _, at = lax.reduce_window((lax.stop_gradient(x), places), start, larger, size, step, pads)
    return _max_pool(node, x), at.astype(
        jax.dtypes.canonicalize_dtype(dtype(node.get("Targmax") or 9))
    )


@op("MaxPoolGrad")
def _max_pool_grad(node: Node, x: Any, y: Any, gradient: Any) -> Any:
    return jax.vjp(lambda v: _max_pool(node, v), jnp.asarray(x))[1](jnp.asarray(gradient))[0]


@op("AvgPoolGrad")
def _average_pool_grad(node: Node, sizes: Any, gradient: Any) -> Any:
    zeros = jnp.zeros(ints(sizes), gradient.dtype)
    return jax.vjp(lambda v: _average_pool(node, v), zeros)[1](jnp.asarray(gradient))[0]
