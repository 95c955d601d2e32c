"""Convolutions, pooling, dense products, and pictures of another size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.export.importers.litert.quantized import (
    dequantized,
    is_float,
    product,
    quantized,
    same_scales,
)
from nacre.export.importers.litert.registry import Step, StepError, op, sizes
from nacre.ops.kernels import convolution as kernels
from nacre.ops.kernels import pooling


def _steps(step: Step, *axes: str) -> list[int]:
    found = [int(step[f"stride_{a}"]) for a in axes]
    if any(n < 1 for n in found):
        raise StepError(f"strides {found}")
    return found


def _dilation(step: Step, *axes: str) -> list[int]:
    found = [int(step.operator.options.get(f"dilation_{a}_factor", 1)) for a in axes]
    if any(n < 1 for n in found):
        raise StepError(f"dilation {found}")
    return found


def _convolved(step: Step, axes: Sequence[str], groups: int) -> Any:
    """The convolution of values and a kernel [*window, in, filters]."""
    strides, dilation = _steps(step, *axes), _dilation(step, *axes)

    def compute(x: Any, kernel: Any) -> Any:
        return kernels.convolution(
            x,
            jnp.asarray(kernel).astype(x.dtype),
            strides=strides,
            padding=step.padding,
            dilation=dilation,
            groups=groups,
        )

    return compute


@op("CONV_2D", scales=True, weights=[1, 2])
def _conv(step: Step, x: Any, kernel: Any, bias: Any = None) -> Any:
    groups = x.shape[-1] // kernel.shape[-1]  # kernel: [filters, height, width, in]
    inner = _convolved(step, "hw", groups)

    def multiply(values: Any, weights: Any) -> Any:
        return inner(values, jnp.transpose(weights, (1, 2, 3, 0)))

    return product(step, jnp.asarray(x), kernel, bias, multiply, 3 if groups == 1 else -1, 0)


@op("DEPTHWISE_CONV_2D", scales=True, weights=[1, 2])
def _depthwise(step: Step, x: Any, kernel: Any, bias: Any = None) -> Any:
    inner = _convolved(step, "hw", x.shape[-1])  # kernel: [1, height, width, channels * times]

    def multiply(values: Any, weights: Any) -> Any:
        return inner(values, jnp.transpose(weights, (1, 2, 0, 3)))

    return product(step, jnp.asarray(x), kernel, bias, multiply, -1, 3)


@op("CONV_3D", weights=[1, 2])
def _conv_3d(step: Step, x: Any, kernel: Any, bias: Any = None) -> Any:
    x = jnp.asarray(x)  # kernel: [depth, height, width, in, filters]
    found = _convolved(step, "dhw", x.shape[-1] // kernel.shape[-2])(x, kernel)
    return step.activated(found if bias is None else found + bias)


def _transposed(step: Step, shape: Any, y: Any, kernel: Any, axes: Sequence[str]) -> Any:
    """The transpose of the convolution that makes y of an array of a shape; kernel: [*window,
    filters, in]."""
    full = (y.shape[0], *sizes(shape, "the shape")[1:-1], kernel.shape[-2])
    strides, dilation, window = _steps(step, *axes), _dilation(step, *axes), kernel.shape[:-2]
    wide = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    pads = []
    for size, out, k, s in zip(full[1:-1], y.shape[1:-1], wide, strides, strict=True):
        if step.padding == "same":
            total = (out - 1) * s + k - size
            total = max(total, 0) if isinstance(total, int) else total
            before = total // 2
        else:
            before = 0
        low = k - 1 - before
        pads.append((low, size + k - 1 - low - ((out - 1) * s + 1)))
    flipped = jnp.flip(jnp.asarray(kernel), tuple(range(len(window))))
    return lax.conv_general_dilated(
        y,
        jnp.swapaxes(flipped, -1, -2).astype(y.dtype),
        [1] * len(window),
        pads,
        lhs_dilation=strides,
        rhs_dilation=dilation,
        dimension_numbers=_numbers(len(window)),
    )


def _numbers(rank: int) -> Any:
    space = "DHW"[-rank:]
    return (f"N{space}C", f"{space}IO", f"N{space}C")


@op("TRANSPOSE_CONV", scales=True, weights=[1, 3])
def _transpose_conv(step: Step, shape: Any, kernel: Any, y: Any, bias: Any = None) -> Any:
    def multiply(values: Any, weights: Any) -> Any:  # [filters, height, width, in]
        return _transposed(step, shape, values, jnp.transpose(weights, (1, 2, 0, 3)), "hw")

    order = [2, 1, 3] if len(step.inputs) > 3 else [2, 1]
    inner = Step(step.operator, [step.inputs[i] for i in order], step.outputs, step.run)
    return product(inner, jnp.asarray(y), kernel, bias, multiply, 3, 0)


@op("CONV_3D_TRANSPOSE", weights=[1, 3])
def _transpose_conv_3d(step: Step, shape: Any, kernel: Any, y: Any, bias: Any = None) -> Any:
    found = _transposed(step, shape, jnp.asarray(y), kernel, "dhw")
    return step.activated(found if bias is None else found + bias)


# --- pooling --------------------------------------------------------------------------------------


def _window(step: Step) -> tuple[list[int], list[int]]:
    window = [int(step["filter_height"]), int(step["filter_width"])]
    if any(n < 1 for n in window):
        raise StepError(f"a window of {window}")
    return window, _steps(step, "h", "w")


@op("AVERAGE_POOL_2D")
def _average_pool(step: Step, x: Any) -> Any:
    window, strides = _window(step)
    x = jnp.asarray(x)
    return step.activated(
        pooling.average_pool(x, window=window, strides=strides, padding=step.padding)
    )


@op("MAX_POOL_2D")
def _max_pool(step: Step, x: Any) -> Any:
    window, strides = _window(step)
    x = jnp.asarray(x)
    return step.activated(pooling.max_pool(x, window=window, strides=strides, padding=step.padding))


@op("L2_POOL_2D")
def _l2_pool(step: Step, x: Any) -> Any:
    window, strides = _window(step)
    x = jnp.asarray(x)
    squares = pooling.average_pool(x * x, window=window, strides=strides, padding=step.padding)
    return step.activated(jnp.sqrt(squares))


# --- products -------------------------------------------------------------------------------------


@op("FULLY_CONNECTED", scales=True, weights=[1, 2])
def _fully_connected(step: Step, x: Any, weights: Any, bias: Any = None) -> Any:
    if int(step["weights_format"]):
        raise StepError("weights that are shuffled")
    x, inner = jnp.asarray(x), weights.shape[-1]  # weights: [filters, in]
    shape = x.shape[:-1]
    if not isinstance(x.shape[-1], int) or x.shape[-1] != inner:
        x = x.reshape(-1, inner)
        shape = x.shape[:-1]
    elif not step["keep_num_dims"]:
        x = x.reshape(-1, inner)

    def multiply(values: Any, kernel: Any) -> Any:
        return jnp.matmul(values, jnp.transpose(kernel))

    found = product(step, x, weights, bias, multiply, 1, 0)
    if step["keep_num_dims"]:
        return found.reshape(*shape, found.shape[-1])
    return found


@op("BATCH_MATMUL", scales=True)
def _batch_matmul(step: Step, x: Any, y: Any) -> Any:
    x, adjoint = jnp.asarray(x), bool(step["adj_y"])
    if step["adj_x"]:
        x = jnp.swapaxes(x, -1, -2)

    def multiply(values: Any, other: Any) -> Any:
        return jnp.matmul(values, jnp.swapaxes(other, -1, -2) if adjoint else other)

    if is_float(x) or y.ndim != 2 or not isinstance(y, np.ndarray):
        if is_float(x) or step.inputs[0].scales is None:  # type: ignore[union-attr]
            other = dequantized(jnp.asarray(y), step.inputs[1])  # type: ignore[arg-type]
            return multiply(x, other.astype(x.dtype))
        return product(step, x, jnp.asarray(y), None, multiply, -1, -1)
    return product(step, x, y, None, multiply, 1 if adjoint else 0, 0 if adjoint else 1)


# --- pictures of another size ---------------------------------------------------------------------


def _places(old: int, new: int, step: Step, nearest: bool) -> np.ndarray:
    """Where each row of the new picture is in the old one."""
    aligns, half = bool(step["align_corners"]), bool(step["half_pixel_centers"])
    scale = np.float32((old - 1) / (new - 1) if aligns and new > 1 else old / new)
    at = np.arange(new, dtype="float32")
    if not nearest:
        return (at + np.float32(0.5)) * scale - np.float32(0.5) if half else at * scale
    found = (at + np.float32(0.5 if half else 0)) * scale
    found = np.floor(found + np.float32(0.5)) if aligns else np.floor(found)
    return np.clip(found, 0, old - 1)


def _new_size(step: Step, x: Any, size: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    new = sizes(size, "the size of a picture")
    old = x.shape[1:3]
    if len(new) != 2 or not all(isinstance(n, int) and n > 0 for n in (*new, *old)):
        raise StepError("the sizes of pictures must be known")
    return tuple(old), (new[0], new[1])  # type: ignore[return-value]


@op("RESIZE_BILINEAR", scales=True)
def _bilinear(step: Step, x: Any, size: Any) -> Any:
    x = jnp.asarray(x)
    old, new = _new_size(step, x, size)
    own, output = step.inputs[0], step.outputs[0]
    if own is None or not own.is_quantized:
        return _between(step, x, old, new)
    if x.dtype == jnp.int16 and same_scales(own, output):
        return _between_in_16_bits(step, x, old, new)
    return quantized(_between(step, dequantized(x, own), old, new), output)


def _between(step: Step, x: Any, old: Sequence[int], new: Sequence[int]) -> Any:
    """Pixels between those of a picture, as floats; of 8 bits as XNNPACK does it."""
    for axis in (0, 1):
        at = _places(old[axis], new[axis], step, False)
        low = np.clip(np.floor(at), 0, old[axis] - 1).astype("int32")
        high = np.minimum(np.floor(at).astype("int32") + 1, old[axis] - 1)
        high = np.maximum(high, 0)
        part = np.clip(at - np.floor(at), 0, 1).astype("float32")
        part = np.where(at < 0, 0, part).astype(x.dtype)
        shape = [1] * x.ndim
        shape[axis + 1] = -1
        part = part.reshape(shape)
        x = jnp.take(x, low, axis + 1) * (1 - part) + jnp.take(x, high, axis + 1) * part
    return x


def _between_in_16_bits(step: Step, x: Any, old: Sequence[int], new: Sequence[int]) -> Any:
    """The same of 16 bits, which LiteRT has a kernel of whole numbers for.

    Places are whole multiples of 1/1024 of a pixel, and so is the step between them: far from the
    first pixel they are off by some tenth of one. Sums are rounded once, half away from 0.

    Source: LiteRT 2.3, the kernel that its files of 16 bits are computed with.
    """
    aligns, half = bool(step["align_corners"]), bool(step["half_pixel_centers"])
    x = x.astype("int32")
    shares: list[Any] = []
    ends: list[tuple[np.ndarray, np.ndarray]] = []
    for axis in (0, 1):
        is_aligned = aligns and new[axis] > 1
        count, length = new[axis] - is_aligned, old[axis] - is_aligned
        scale = (1024 * length + count // 2) // count
        at = np.arange(new[axis]) * scale + (scale // 2 - 512 if half else 0)
        low = np.clip(at // 1024, 0, old[axis] - 1)
        ends.append((low, np.clip((at + 1023) // 1024, 0, old[axis] - 1)))
        shares.append((at - 1024 * low).astype("int32").reshape([-1] + [1] * (2 - axis)))
    rows, columns = shares
    left, right = (jnp.take(x, at, 2) for at in ends[1])
    x = left * (1024 - columns) + right * columns
    # What is added up here has 36 bits: the upper ones, and the 10 lowest, apart.
    above, below = (jnp.take(x, at, 1) for at in ends[0])
    high = (above >> 10) * (1024 - rows) + (below >> 10) * rows
    low_sum = (above & 1023) * (1024 - rows) + (below & 1023) * rows
    high, rest = high + (low_sum >> 10), low_sum & 1023
    is_positive = (high > 0) | ((high == 0) & (rest > 0))
    down = -((512 - high - (rest > 0).astype("int32")) >> 10)
    return jnp.where(is_positive, (high + 512) >> 10, down).astype("int16")


@op("RESIZE_NEAREST_NEIGHBOR", moves=True)
def _nearest(step: Step, x: Any, size: Any) -> Any:
    x = jnp.asarray(x)
    old, new = _new_size(step, x, size)
    for axis in (0, 1):
        at = _places(old[axis], new[axis], step, True).astype("int32")
        x = jnp.take(x, at, axis + 1)
    return x


@op("RFFT2D")
def _rfft2d(step: Step, x: Any, size: Any) -> Any:
    return jnp.fft.rfft2(jnp.asarray(x), sizes(size))


@op("SVDF", weights=[1, 2, 3])
def _svdf(step: Step, x: Any, features: Any, time: Any, bias: Any = None, state: Any = None) -> Any:
    """A product with features, and sums over the last steps of it, which are kept.

    Source: "Compressing Deep Neural Networks using a Rank-Constrained Topology" (2015).
    """
    rank = int(step["rank"])
    batch, (filters, memory) = x.shape[0], time.shape
    kept = jnp.asarray(state).reshape(batch, filters, memory)
    new = jnp.matmul(jnp.asarray(x), jnp.transpose(features))
    kept = jnp.concatenate([kept[:, :, 1:], new[:, :, None]], -1)
    found = jnp.sum(kept * time, -1).reshape(batch, filters // rank, rank).sum(-1)
    if bias is not None:
        found = found + bias
    step.run.keep(step.operator.inputs[4], kept.reshape(batch, filters * memory))
    return step.activated(found)
