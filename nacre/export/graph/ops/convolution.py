"""Convolutions and pools of one to three spatial axes, channels last."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from nacre.export.graph.opset import Array, Int, Ints, Padding, Str, Type, op
from nacre.export.graph.rules import common_dtype, require, window_shape


def pairs_of(padding: Any, sizes: Any, window: Any, strides: Any, dilation: Any) -> list[Any]:
    """How much is put before and behind each axis. 'same' leaves ceil(size / stride) windows, the
    odd one behind; 'causal' lets no window reach beyond its own place."""
    if not isinstance(padding, str):
        return list(padding)
    found: list[tuple[int, int]] = []
    for size, taps, stride, step in zip(sizes, window, strides, dilation):
        reach = (taps - 1) * step + 1
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        same = (total // 2, total - total // 2)
        found.append({"valid": (0, 0), "same": same, "causal": (reach - 1, 0)}[padding])
    return found


def _taps(
    x: Array, window: Any, strides: Any, dilation: Any, padding: Any, filler: Any
) -> Iterator[tuple[tuple[int, ...], Array]]:
    """For each place in the window, what it sees: (batch, *new_spatial, channels)."""
    pairs = pairs_of(padding, x.shape[1:-1], window, strides, dilation)
    # A negative pad cuts.
    cut = [slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(pairs, x.shape[1:-1])]
    x = x[(slice(None), *cut)]
    pads = [(0, 0), *((max(a, 0), max(b, 0)) for a, b in pairs), (0, 0)]
    x = np.pad(x, pads, constant_values=filler)
    counts = [
        max((n - (k - 1) * d - 1) // s + 1, 0)
        for n, k, s, d in zip(x.shape[1:-1], window, strides, dilation)
    ]
    for tap in itertools.product(*map(range, window)):
        places = (
            slice(t * d, t * d + (c - 1) * s + 1 if c else t * d, s)
            for t, d, c, s in zip(tap, dilation, counts, strides)
        )
        yield tap, x[(slice(None), *places)]


def _conv_type(types: Any, attributes: Any) -> Type:
    x, kernel = types
    groups = attributes["groups"]
    require(len(x.shape) == len(kernel.shape) >= 3, f"{x} and {kernel} have not the same axes")
    fits = x.shape[-1] == kernel.shape[-2] * groups and kernel.shape[-1] % groups == 0
    require(fits, f"{groups} groups of {kernel} do not fit {x}")
    spatial = window_shape(x.shape, attributes, kernel.shape[:-2])
    return Type(common_dtype(types), (x.shape[0], *spatial, kernel.shape[-1]))


@op(shapes=_conv_type)
def conv(
    x: Array, kernel: Array, *, strides: Ints, padding: Padding, dilation_rate: Ints, groups: Int
) -> Array:
    """A convolution: x (batch, *spatial, channels), kernel (*window, channels / groups, filters).
    Padding is zeros."""
    x, kernel = (v.astype("float32") if v.dtype.itemsize == 2 else v for v in (x, kernel))
    result: Any = 0
    for tap, seen in _taps(x, kernel.shape[:-2], strides, dilation_rate, padding, 0):
        parts = zip(np.split(seen, groups, -1), np.split(kernel[tap], groups, -1))
        result = result + np.concatenate([a @ b for a, b in parts], -1)
    return result


def _depthwise_type(types: Any, attributes: Any) -> Type:
    x, kernel = types
    require(len(x.shape) == len(kernel.shape) >= 3, f"{x} and {kernel} have not the same axes")
    require(x.shape[-1] == kernel.shape[-2], f"{kernel} has not the channels of {x}")
    spatial = window_shape(x.shape, attributes, kernel.shape[:-2])
    channels = kernel.shape[-2] * kernel.shape[-1]
    return Type(common_dtype(types), (x.shape[0], *spatial, channels))


@op(shapes=_depthwise_type)
def depthwise_conv(
    x: Array, kernel: Array, *, strides: Ints, padding: Padding, dilation_rate: Ints
) -> Array:
    """Each channel convolved with its own kernels: kernel (*window, channels, multiplier), channels
    of the result counted (channel, multiplier)."""
    result: Any = 0
    for tap, seen in _taps(x, kernel.shape[:-2], strides, dilation_rate, padding, 0):
        result = result + seen[..., None] * kernel[tap]
    return result.reshape(*result.shape[:-2], -1)


def _transposed_type(types: Any, attributes: Any) -> Type:
    x, kernel = types
    require(len(x.shape) == len(kernel.shape) >= 3, f"{x} and {kernel} have not the same axes")
    require(x.shape[-1] == kernel.shape[-1], f"{kernel} has not the channels of {x}")
    window = kernel.shape[:-2]
    steps = zip(attributes["strides"], attributes["dilation_rate"], attributes["crop"])
    spatial = [
        (size - 1) * stride + (taps - 1) * dilation + 1 - low - high
        for size, taps, (stride, dilation, (low, high)) in zip(x.shape[1:-1], window, steps)
    ]
    return Type(common_dtype(types), (x.shape[0], *spatial, kernel.shape[-2]))


@op(shapes=_transposed_type)
def conv_transpose(
    x: Array, kernel: Array, *, strides: Ints, crop: Padding, dilation_rate: Ints
) -> Array:
    """The transpose of a convolution: kernel (*window, filters, channels). Each element is spread
    over a window, windows begin `strides` apart; of the whole, (size - 1) · stride + reach of the
    window, `crop` pairs are cut off before and behind, or zeros put there where negative."""
    window = kernel.shape[:-2]
    reach = [(k - 1) * d + 1 for k, d in zip(window, dilation_rate)]
    full = [(n - 1) * s + r for n, s, r in zip(x.shape[1:-1], strides, reach)]
    result = np.zeros((x.shape[0], *full, kernel.shape[-2]), x.dtype)
    for tap in itertools.product(*map(range, window)):
        starts = [t * d for t, d in zip(tap, dilation_rate)]
        places = (
            slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(starts, x.shape[1:-1], strides)
        )
        result[(slice(None), *places)] += x @ kernel[tap].T
    cut = (slice(max(a, 0), n - max(b, 0)) for (a, b), n in zip(crop, full))
    pads = [(0, 0), *((max(-a, 0), max(-b, 0)) for a, b in crop), (0, 0)]
    return np.pad(result[(slice(None), *cut)], pads)


def _pool_type(types: Any, attributes: Any) -> Type:
    x = types[0]
    require(len(x.shape) >= 3, f"(batch, *spatial, channels) is needed, not {x}")
    spatial = window_shape(x.shape, attributes, attributes["pool_size"])
    return Type(x.dtype, (x.shape[0], *spatial, x.shape[-1]))


def _lowest(dtype: np.dtype) -> Any:
    return np.iinfo(dtype).min if np.issubdtype(dtype, np.integer) else -np.inf


@op(shapes=_pool_type)
def max_pool(x: Array, *, pool_size: Ints, strides: Ints, padding: Padding) -> Array:
    """The largest element of each window; padding never wins."""
    ones = (1,) * len(pool_size)
    taps = _taps(x, pool_size, strides, ones, padding, _lowest(x.dtype))
    return np.max(np.stack([seen for _, seen in taps]), 0)


@op(shapes=_pool_type)
def average_pool(x: Array, *, pool_size: Ints, strides: Ints, padding: Padding) -> Array:
    """The mean of each window, over the elements that are really there."""
    ones = (1,) * len(pool_size)
    total = lambda v: sum(seen for _, seen in _taps(v, pool_size, strides, ones, padding, 0))
    wide = x.astype("float32") if x.dtype.itemsize < 4 else x
    return (total(wide) / total(np.ones_like(wide))).astype(x.dtype)


_REDUCERS: dict[str, Any] = {"sum": np.add, "max": np.maximum, "min": np.minimum}


def _reduce_window_type(types: Any, attributes: Any) -> Type:
    x, window = types[0], attributes["window"]
    require(attributes["reducer"] in _REDUCERS, f"reducer must be one of {', '.join(_REDUCERS)}")
    # All axes are windowed: those of a batch of one in front and of one channel behind are not.
    return Type(x.dtype, window_shape((1, *x.shape, 1), attributes, window))


@op(shapes=_reduce_window_type)
def reduce_window(
    x: Array, *, reducer: Str, window: Ints, strides: Ints, padding: Padding, dilation_rate: Ints
) -> Array:
    """'sum', 'max' or 'min' of each window over all axes of x; padding is 0, or never wins."""
    highest = np.iinfo(x.dtype).max if np.issubdtype(x.dtype, np.integer) else np.inf
    filler = {"sum": 0, "max": _lowest(x.dtype), "min": highest}[reducer]
    taps = _taps(x[None, ..., None], window, strides, dilation_rate, padding, filler)
    seen = np.stack([part for _, part in taps])[:, 0, ..., 0]
    return _REDUCERS[reducer].reduce(seen, 0, dtype=x.dtype)
