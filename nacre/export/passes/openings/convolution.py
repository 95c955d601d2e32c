"""Windows."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np

from nacre.export.graph.sizes import Size, floor_divided, larger
from nacre.export.passes.openings._term import Maker, Term, opening

_JOINED = {"sum": "add", "max": "max", "min": "min"}


@opening
def reduce_window(
    make: Maker,
    x: Term,
    *,
    reducer: str,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Any,
    dilation_rate: tuple[int, ...],
) -> Term:
    """Axis by axis: the places of the window, each a slice, joined to one another."""
    counts = make.node.outputs[0].shape
    for axis, (taps, stride, gap) in enumerate(zip(window, strides, dilation_rate)):
        if taps == stride == 1 and isinstance(padding, str):
            continue
        reach = (taps - 1) * gap + 1
        x = _with_ends(make, x, axis, _pair(padding, axis, x, counts, stride, reach), reducer)
        if taps == stride == 1:
            continue
        parts = [_tap(x, axis, tap * gap, counts[axis], stride) for tap in range(taps)]
        x = reduce(lambda one, other: one.op(_JOINED[reducer], other), parts)
    return x


def _pair(
    padding: Any, axis: int, x: Term, counts: tuple[Size, ...], stride: int, reach: int
) -> tuple[Size, Size]:
    """What is put before and behind an axis."""
    if not isinstance(padding, str):
        return padding[axis]
    if padding == "valid":
        return 0, 0
    if padding == "causal":
        return reach - 1, 0
    total = larger((counts[axis] - 1) * stride + reach - x.shape[axis], 0)
    low = floor_divided(total, 2)
    return low, total - low


def _with_ends(make: Maker, x: Term, axis: int, pair: tuple[Size, Size], reducer: str) -> Term:
    """An axis with its ends: cut where negative, else filled with what changes no result."""
    low, high = (larger(n, 0) for n in pair)
    first, last = (larger(n * -1, 0) for n in pair)
    if first != 0 or last != 0:
        x = x.part(axis, first, x.shape[axis] - last)
    if low == 0 and high == 0:
        return x
    zeros = (0,) * x.ndim
    at = lambda size: (*zeros[:axis], size, *zeros[axis + 1 :])
    fill = make.constant(_filler(reducer, x.dtype), x.dtype)
    return x.op("pad", fill, low=at(low), high=at(high), interior=zeros)


def _filler(reducer: str, dtype: str) -> float:
    if reducer == "sum":
        return 0
    if "float" in dtype:
        return -math.inf if reducer == "max" else math.inf
    limits = np.iinfo(dtype)
    return limits.min if reducer == "max" else limits.max


def _tap(x: Term, axis: int, start: int, count: Size, stride: int) -> Term:
    """What one place of all windows sees."""
    starts, stops, strides = [0] * x.ndim, list(x.shape), [1] * x.ndim
    starts[axis], strides[axis] = start, stride
    stops[axis] = (count - 1) * stride + 1 + start
    return x.op("slice", starts=tuple(starts), stops=tuple(stops), strides=tuple(strides))
