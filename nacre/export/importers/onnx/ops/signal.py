"""Fourier transforms, windows, mel filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.export.importers.onnx.ops.math import name_of
from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.values import (
    GraphError,
    axis_of,
    checked_shape,
    dtype_of,
    integer,
    known,
)


@op("DFT", kept=(1, 2))
def _dft(node: Node, x: Any, length: Any = None, axis: Any = None) -> Any:
    """The last axis holds real and imaginary parts."""
    rank = len(x.shape)
    at = node.number("axis", 1) if axis is None and node.version < 20 else (
        -2 if axis is None else integer(axis)
    )  # fmt: skip
    at = axis_of(at, rank)
    count = x.shape[at] if length is None else integer(length)
    inverse, is_half = node.number("inverse", 0), node.number("onesided", 0)
    if inverse and is_half:
        full = x[..., 0] + 1j * x[..., 1]
        y = jnp.fft.irfft(full, count if length is not None else None, axis=at)
        return jnp.expand_dims(y, -1).astype(x.dtype)
    values = x[..., 0] if x.shape[-1] == 1 else x[..., 0] + 1j * x[..., 1]
    if is_half:
        if x.shape[-1] != 1:
            raise GraphError("a one-sided transform of complex numbers")
        found = jnp.fft.rfft(values, count, axis=at)
    else:
        found = (jnp.fft.ifft if inverse else jnp.fft.fft)(values, count, axis=at)
    return jnp.stack([found.real, found.imag], -1).astype(x.dtype)


@op("STFT", kept=(1, 3))
def _stft(node: Node, x: Any, step: Any, window: Any = None, length: Any = None) -> Any:
    size = window.shape[0] if length is None else int(integer(length))
    hop = int(integer(step))
    if hop < 1 or size < 1:
        raise GraphError(f"frames of {size} in steps of {hop}")
    count = (x.shape[1] - size) // hop + 1
    places = np.arange(count)[:, None] * hop + np.arange(size)[None, :]
    values = x if len(x.shape) == 2 else (
        x[..., 0] if x.shape[-1] == 1 else x[..., 0] + 1j * x[..., 1]
    )  # fmt: skip
    frames = values[:, places]
    if window is not None:
        frames = frames * window
    is_real = not jnp.iscomplexobj(frames)
    if node.number("onesided", 1):
        if not is_real:
            raise GraphError("a one-sided transform of complex numbers")
        found = jnp.fft.rfft(frames, axis=-1)
    else:
        found = jnp.fft.fft(frames, axis=-1)
    return jnp.stack([found.real, found.imag], -1).astype(x.dtype)


def _window(shares: tuple[float, ...]) -> Callable[..., Any]:
    def computed(node: Node, size: Any) -> Any:
        count = int(integer(size))
        checked_shape([count], 8)
        whole = count if node.number("periodic", 1) else count - 1
        turn = 2 * np.pi * np.arange(count) / max(whole, 1)
        y = sum(share * np.cos(i * turn) for i, share in enumerate(shares))
        return np.asarray(y).astype(dtype_of(name_of(node.number("output_datatype", 1))))

    return computed


op("HannWindow", kept=(-1,))(_window((0.5, -0.5)))
op("HammingWindow", kept=(-1,))(_window((25 / 46, -21 / 46)))
op("BlackmanWindow", kept=(-1,))(_window((0.42, -0.5, 0.08)))


@op("MelWeightMatrix", kept=(-1,))
def _mel_weight_matrix(node: Node, bins: Any, length: Any, rate: Any, low: Any, high: Any) -> Any:
    count, size = int(integer(bins)), int(integer(length))
    checked_shape([size // 2 + 1, count], 8)
    ends = [2595 * np.log10(1 + float(known(f).reshape(())) / 700) for f in (low, high)]
    step = (ends[1] - ends[0]) / (count + 2)
    mels = np.arange(count + 2) * step + ends[0]
    hertz = 700 * (10 ** (mels / 2595) - 1)
    places = ((size + 1) * hertz // float(known(rate).reshape(()))).astype(int)
    y = np.zeros((size // 2 + 1, count))
    for i in range(count):
        lower, middle, upper = places[i : i + 3]
        if middle == lower:
            y[middle, i] = 1
        else:
            rise = np.arange(lower, middle + 1)
            y[rise, i] = (rise - lower) / (middle - lower)
        if upper > middle:
            fall = np.arange(middle, upper)
            y[fall, i] = (upper - fall) / (upper - middle)
    return y.astype(dtype_of(name_of(node.number("output_datatype", 1))))


__all__: list[str] = []
