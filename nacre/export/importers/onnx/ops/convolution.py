"""Convolutions and pooling: images are (batch, channels, sizes ...)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.values import GraphError, cast, ints


def letters(rank: int) -> tuple[str, str, str]:
    """How the axes of images and kernels of so many sizes lie, for JAX."""
    sizes = "DHW"[-rank:] if rank <= 3 else "DHWXYZ"[:rank]
    return f"NC{sizes}", f"OI{sizes}", f"NC{sizes}"


def pads_of(
    node: Node, sizes: Sequence[Any], kernel: Sequence[int], strides: Sequence[int],
    dilations: Sequence[int],
) -> list[tuple[Any, Any]]:  # fmt: skip
    """Rows that are added before and behind, by `auto_pad` or `pads`."""
    rank, mode = len(kernel), node.text("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        pads: list[tuple[Any, Any]] = []
        for n, k, s, d in zip(sizes, kernel, strides, dilations, strict=True):
            reach = (k - 1) * d + 1
            if s == 1:
                total: Any = reach - 1
            elif isinstance(n, int):
                total = max(0, (-(-n // s) - 1) * s + reach - n)
            else:
                raise GraphError(f"{mode} in steps of {s} for a size that is not known")
            small = total // 2
            pads.append((small, total - small) if mode == "SAME_UPPER" else (total - small, small))
        return pads
    found = node.numbers("pads", [0] * 2 * rank) if mode != "VALID" else [0] * 2 * rank
    if len(found) != 2 * rank:
        raise GraphError(f"{len(found)} pads for {rank} sizes")
    return list(zip(found[:rank], found[rank:], strict=True))


def _many(node: Node, name: str, rank: int) -> list[int]:
    found = node.numbers(name, [1] * rank)
    if len(found) != rank or any(n < 1 for n in found):
        raise GraphError(f"{name} are {found} for {rank} sizes")
    return found


def convolved(node: Node, x: Any, kernel: Any, preferred: Any = None) -> Any:
    """The convolution of a node, without its offset."""
    rank = len(x.shape) - 2
    strides, dilations = _many(node, "strides", rank), _many(node, "dilations", rank)
    pads = pads_of(node, x.shape[2:], kernel.shape[2:], strides, dilations)
    return lax.conv_general_dilated(
        x, kernel, strides, pads, rhs_dilation=dilations, dimension_numbers=letters(rank),
        feature_group_count=node.number("group", 1), preferred_element_type=preferred,
    )  # fmt: skip


def _with_offset(y: Any, offset: Any) -> Any:
    return y if offset is None else y + offset.reshape((1, -1) + (1,) * (len(y.shape) - 2))


@op("Conv")
def _conv(node: Node, x: Any, kernel: Any, offset: Any = None) -> Any:
    return _with_offset(convolved(node, x, kernel.astype(x.dtype)), offset)


@op("ConvTranspose")
def _conv_transpose(node: Node, x: Any, kernel: Any, offset: Any = None) -> Any:
    rank, groups = len(x.shape) - 2, node.number("group", 1)
    strides, dilations = _many(node, "strides", rank), _many(node, "dilations", rank)
    extra = node.numbers("output_padding", [0] * rank)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True)]
    whole = [
        (n - 1) * s + e + r for n, s, e, r in zip(x.shape[2:], strides, extra, reach, strict=True)
    ]
    wanted, mode = node.numbers("output_shape"), node.text("auto_pad", "NOTSET")
    if wanted is not None or mode in ("SAME_UPPER", "SAME_LOWER"):
        if wanted is None:
            wanted = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
        totals = [_not_below_0(w - n) for w, n in zip(whole, wanted[-rank:], strict=True)]
        # What is wanted beyond the whole is added at the end.
        extra = [
            e + _not_below_0(n - w) for e, w, n in zip(extra, whole, wanted[-rank:], strict=True)
        ]
        pads = [
            (t - t // 2, t // 2) if mode != "SAME_UPPER" else (t // 2, t - t // 2) for t in totals
        ]
    else:
        pads = pads_of(node, x.shape[2:], kernel.shape[2:], strides, dilations)
    around = [
        (r - 1 - before, r - 1 - after + e)
        for r, (before, after), e in zip(reach, pads, extra, strict=True)
    ]
    # (in, out / groups, sizes) -> (out, in / groups, sizes), turned round.
    parts = kernel.reshape((groups, kernel.shape[0] // groups, *kernel.shape[1:]))
    turned = jnp.flip(jnp.swapaxes(parts, 1, 2), tuple(range(3, 3 + rank)))
    turned = turned.reshape((kernel.shape[1] * groups, -1, *kernel.shape[2:]))
    y = lax.conv_general_dilated(
        x, turned, [1] * rank, around, lhs_dilation=strides, rhs_dilation=dilations,
        dimension_numbers=letters(rank), feature_group_count=groups,
    )  # fmt: skip
    return _with_offset(y, offset)


def _not_below_0(size: Any) -> Any:
    return max(0, size) if isinstance(size, int) else size


@op("DeformConv")
def _deform_conv(
    node: Node, x: Any, kernel: Any, offsets: Any, bias: Any = None, mask: Any = None
) -> Any:
    """Each number of the kernel takes its number at a place that is moved, between pixels."""
    n, c, h, w = x.shape
    out, each, kh, kw = kernel.shape
    groups, moved = node.number("group", 1), node.number("offset_group", 1)
    strides, dilations = _many(node, "strides", 2), _many(node, "dilations", 2)
    pads = pads_of(node, (h, w), (kh, kw), strides, dilations)
    oh, ow = offsets.shape[2:]
    shifts = offsets.reshape((n, moved, kh * kw, 2, oh, ow))
    ky, kx = (v.reshape(-1) for v in np.meshgrid(np.arange(kh), np.arange(kw), indexing="ij"))
    rows = (np.arange(oh) * strides[0] - pads[0][0])[None, :, None] + (ky * dilations[0])[
        :, None, None
    ]
    columns = (np.arange(ow) * strides[1] - pads[1][0])[None, None, :] + (kx * dilations[1])[
        :, None, None
    ]
    ys, xs = shifts[:, :, :, 0] + rows, shifts[:, :, :, 1] + columns
    images = x.reshape((n, moved, c // moved, h, w))
    taken = _between(images, ys, xs)  # (n, moved, c / moved, k, oh, ow)
    if mask is not None:
        taken = taken * mask.reshape((n, moved, 1, kh * kw, oh, ow))
    taken = taken.reshape((n, groups, each, kh * kw, oh, ow))
    weights = kernel.reshape((groups, out // groups, each, kh * kw))
    y = jnp.einsum("ngckhw,gock->ngohw", taken, weights).reshape((n, out, oh, ow))
    return _with_offset(y, bias).astype(x.dtype)


def _between(images: Any, ys: Any, xs: Any) -> Any:
    """Numbers between pixels, by the four around; 0 outside."""
    h, w = images.shape[-2:]
    y0, x0 = jnp.floor(ys), jnp.floor(xs)
    total: Any = 0
    for dy in (0, 1):
        for dx in (0, 1):
            y, x = y0 + dy, x0 + dx
            share = (1 - jnp.abs(ys - y)) * (1 - jnp.abs(xs - x))
            inside = (y >= 0) & (y < h) & (x >= 0) & (x < w)
            at = jnp.clip(y, 0, h - 1).astype(int) * w + jnp.clip(x, 0, w - 1).astype(int)
            flat = images.reshape((*images.shape[:3], h * w))
            places = at.reshape((*at.shape[:2], 1, -1))
            found = jnp.take_along_axis(flat, places, -1)
            found = found.reshape((*images.shape[:3], *at.shape[2:]))
            total = total + found * jnp.where(inside, share, 0)[:, :, None]
    return total


# --- pooling --------------------------------------------------------------------------------------


class _Windows:
    """Where the windows of a pooling node lie."""

    def __init__(self, node: Node, x: Any) -> None:
        self.kernel = node.numbers("kernel_shape", [])
        rank = len(x.shape) - 2
        if len(self.kernel) != rank or any(k < 1 for k in self.kernel):
            raise GraphError(f"a kernel of shape {self.kernel} for {rank} sizes")
        self.strides = _many(node, "strides", rank)
        self.dilations = _many(node, "dilations", rank)
        self.pads = pads_of(node, x.shape[2:], self.kernel, self.strides, self.dilations)
        self.sizes = x.shape[2:]
        self.extra = [0] * rank
        if node.number("ceil_mode", 0):
            self.extra = [
                self._extra(*each)
                for each in zip(
                    self.sizes, self.kernel, self.strides, self.dilations, self.pads, strict=True
                )
            ]

    @staticmethod
    def _extra(n: Any, k: int, s: int, d: int, pads: tuple[Any, Any]) -> Any:
        """What is missing for a last window that begins within, or in what is added before."""
        if not isinstance(n, int):
            if s == 1:
                return 0
            raise GraphError("ceil_mode for a size that is not known")
        whole = n + pads[0] + pads[1] - ((k - 1) * d + 1)
        count = -(-whole // s) + 1
        if (count - 1) * s >= n + pads[0]:
            count -= 1
        return max(0, (count - 1) * s - whole)

    def reduced(self, x: Any, start: Any, function: Any) -> Any:
        """What a function makes of each window."""
        pads = [(a, b + e) for (a, b), e in zip(self.pads, self.extra, strict=True)]
        return lax.reduce_window(
            x, start, function, (1, 1, *self.kernel), (1, 1, *self.strides),
            [(0, 0), (0, 0), *pads], None, (1, 1, *self.dilations),
        )  # fmt: skip

    def counts(self, x: Any, counts_pads: bool) -> Any:
        """How many numbers each window has; what `ceil_mode` adds never counts."""
        ones = jnp.ones((1, 1, *self.sizes), x.dtype)
        if counts_pads:
            ones = lax.pad(
                ones,
                jnp.ones((), x.dtype),
                [(0, 0, 0), (0, 0, 0), *((a, b, 0) for a, b in self.pads)],
            )
            pads = [(0, e) for e in self.extra]
        else:
            pads = [(a, b + e) for (a, b), e in zip(self.pads, self.extra, strict=True)]
        return lax.reduce_window(
            ones, np.zeros((), x.dtype), lax.add, (1, 1, *self.kernel), (1, 1, *self.strides),
            [(0, 0), (0, 0), *pads], None, (1, 1, *self.dilations),
        )  # fmt: skip


@op("AveragePool")
def _average_pool(node: Node, x: Any) -> Any:
    windows = _Windows(node, x)
    total = windows.reduced(x, np.zeros((), x.dtype), lax.add)
    return total / windows.counts(x, bool(node.number("count_include_pad", 0)))


@op("LpPool")
def _lp_pool(node: Node, x: Any) -> Any:
    p = node.number("p", 2)
    total = _Windows(node, x).reduced(jnp.abs(x) ** p, np.zeros((), x.dtype), lax.add)
    return (total ** (1 / p)).astype(x.dtype)


@op("MaxPool")
def _max_pool(node: Node, x: Any) -> Any:
    windows = _Windows(node, x)
    lowest: Any = -np.inf if x.dtype.kind not in "iu" else np.iinfo(x.dtype).min
    y = windows.reduced(x, np.asarray(lowest, x.dtype), lax.max)
    return (y, _places_of_largest(node, windows, x)) if node.wants(1) else y


def _places_of_largest(node: Node, windows: _Windows, x: Any) -> Any:
    """Where the largest number of each window stands in the whole array, flat."""
    rank = len(windows.kernel)
    pads = [(a, b + e, 0) for (a, b), e in zip(windows.pads, windows.extra, strict=True)]
    lowest: Any = -np.inf if x.dtype.kind not in "iu" else np.iinfo(x.dtype).min
    places = jnp.arange(math.prod(windows.sizes)).reshape((1, 1, *windows.sizes))
    padded = lax.pad(x, jnp.asarray(lowest, x.dtype), [(0, 0, 0), (0, 0, 0), *pads])
    places = lax.pad(places, jnp.asarray(-1, places.dtype), [(0, 0, 0), (0, 0, 0), *pads])
    best: Any = None
    for offset in np.ndindex(*windows.kernel):
        begin = [o * d for o, d in zip(offset, windows.dilations, strict=True)]
        counts = [
            (p - ((k - 1) * d + 1)) // s + 1
            for p, k, d, s in zip(
                padded.shape[2:], windows.kernel, windows.dilations, windows.strides, strict=True
            )
        ]
        parts: list[Any] = []
        for array in (padded, places):
            part = array
            for i in range(rank):
                end = begin[i] + (counts[i] - 1) * windows.strides[i] + 1
                part = lax.slice_in_dim(part, begin[i], end, windows.strides[i], 2 + i)
            parts.append(part)
        value, at = parts[0], jnp.broadcast_to(parts[1], parts[0].shape)
        if best is None:
            best = value, at
        else:
            is_better = (value > best[0]) | ((best[1] < 0) & (at >= 0))
            best = jnp.where(is_better, value, best[0]), jnp.where(is_better, at, best[1])
    found = best[1]
    if node.number("storage_order", 0):  # the first of the sizes is the fastest
        index = jnp.unravel_index(found, windows.sizes)
        found = jnp.ravel_multi_index(index[::-1], windows.sizes[::-1], mode="clip")
    lead = jnp.arange(x.shape[0] * x.shape[1]).reshape((x.shape[0], x.shape[1], *[1] * rank))
    return cast(found + lead * math.prod(windows.sizes), np.int64)


@op("MaxUnpool", kept=(2,))
def _max_unpool(node: Node, x: Any, places: Any, shape: Any = None) -> Any:
    kernel = node.numbers("kernel_shape", [])
    rank = len(kernel)
    strides = _many(node, "strides", rank)
    pads = node.numbers("pads", [0] * 2 * rank)
    own = [
        (n - 1) * s - pads[i] - pads[i + rank] + k
        for i, (n, s, k) in enumerate(zip(x.shape[2:], strides, kernel, strict=True))
    ]
    inner = (*x.shape[:2], *own)
    found = jnp.zeros(math.prod(inner), x.dtype)
    if shape is None:
        return found.at[places.reshape(-1)].set(x.reshape(-1), mode="drop").reshape(inner)
    outer = ints(shape)  # places count in the array's own shape, which is filled up behind
    found = found.at[places.reshape(-1)].set(x.reshape(-1), mode="drop").reshape(inner)
    pads = [(0, n - own_size, 0) for n, own_size in zip(outer, inner, strict=True)]
    return lax.pad(found, jnp.zeros((), x.dtype), pads)


def _global(function: Any) -> Any:
    return lambda node, x: function(x, tuple(range(2, len(x.shape)))).astype(x.dtype)


op("GlobalAveragePool")(_global(lambda x, axes: jnp.mean(x, axes, keepdims=True)))
op("GlobalMaxPool")(_global(lambda x, axes: jnp.max(x, axes, keepdims=True)))


@op("GlobalLpPool")
def _global_lp_pool(node: Node, x: Any) -> Any:
    p, axes = node.number("p", 2), tuple(range(2, len(x.shape)))
    return (jnp.sum(jnp.abs(x) ** p, axes, keepdims=True) ** (1 / p)).astype(x.dtype)


@op("Col2Im", kept=(1, 2))
def _col2im(node: Node, x: Any, image: Any, block: Any) -> Any:
    """Blocks, each a column, added up at their places in an image."""
    sizes, kernel = ints(image), ints(block)
    rank = len(kernel)
    strides, dilations = _many(node, "strides", rank), _many(node, "dilations", rank)
    pads = node.numbers("pads", [0] * 2 * rank)
    padded = [n + pads[i] + pads[i + rank] for i, n in enumerate(sizes)]
    counts = [
        (n - ((k - 1) * d + 1)) // s + 1
        for n, k, d, s in zip(padded, kernel, dilations, strides, strict=True)
    ]
    many = x.shape[1] // math.prod(kernel)
    columns = x.reshape((x.shape[0], many, math.prod(kernel), *counts))
    found = jnp.zeros((x.shape[0], many, *padded), x.dtype)
    for at, offset in enumerate(np.ndindex(*kernel)):
        index = tuple(
            slice(o * d, o * d + (c - 1) * s + 1, s)
            for o, d, c, s in zip(offset, dilations, counts, strides, strict=True)
        )
        found = found.at[(slice(None), slice(None), *index)].add(columns[:, :, at])
    inner = tuple(slice(pads[i], pads[i] + n) for i, n in enumerate(sizes))
    return found[(slice(None), slice(None), *inner)]


__all__ = ["convolved", "letters", "pads_of"]
