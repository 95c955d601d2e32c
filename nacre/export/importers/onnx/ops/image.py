"""Images: resized, sampled by grids, regions of them; boxes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.values import (
    GraphError,
    axis_of,
    checked_shape,
    ints,
    known,
    numbers,
)

# --- resize ---------------------------------------------------------------------------------------


class _Axis:
    """How one axis is resized.

    Attributes:
        before, after: Its sizes.
        scale: From the one to the other, as the node says it.
        roi: Its region, in shares of the size before.
    Precision:
        float32, in which runtimes compute it and files keep scales: a place that is whole in
        32 bits, 3 / 0.6, is none in 64, and another number would be the nearest.
    Source:
        ONNX's operator Resize, its reference and node tests. Differs from ONNX Runtime in
        align_corners where scale · before is no whole number: there the last place is divided by
        scale · before - 1, as ONNX's tests have it, in ONNX Runtime by after - 1.
    """

    def __init__(self, before: int, after: int, scale: float, roi: tuple[float, float]) -> None:
        self.before, self.after, self.scale = before, after, np.float32(scale)
        self.roi = np.float32(roi[0]), np.float32(roi[1])

    def coordinates(self, mode: str) -> np.ndarray[Any, Any]:
        """Where each new number lies among the old ones."""
        x = np.arange(self.after, dtype=np.float32)
        match mode:
            case "asymmetric":
                return x / self.scale
            case "align_corners":
                if self.after == 1:
                    return np.zeros(1, np.float32)
                return x * (self.before - 1) / (self.scale * self.before - 1)
            case "pytorch_half_pixel":
                length = self.scale * self.before
                return (x + 0.5) / self.scale - 0.5 if length > 1 else np.zeros_like(x)
            case "tf_half_pixel_for_nn":
                return (x + 0.5) / self.scale
            case "tf_crop_and_resize":
                start, end = self.roi
                length = self.scale * self.before
                if length <= 1:
                    return np.full_like(x, 0.5 * (start + end) * (self.before - 1))
                step = (end - start) * (self.before - 1) / (length - 1)
                return start * (self.before - 1) + x * step
            case "half_pixel_symmetric":
                share = self.after / (self.scale * self.before)
                offset = self.before / 2 * (1 - share)
                return offset + (x + 0.5) / self.scale - 0.5
            case "half_pixel":
                return (x + 0.5) / self.scale - 0.5
        raise GraphError(f"the coordinates '{mode}'")


def _nearest(x: np.ndarray[Any, Any], mode: str) -> np.ndarray[Any, Any]:
    match mode:
        case "floor":
            return np.floor(x)
        case "ceil":
            return np.ceil(x)
        case "round_prefer_ceil":
            return np.floor(x + 0.5)
        case "round_prefer_floor":
            return np.ceil(x - 0.5)
    raise GraphError(f"the rounding '{mode}'")


def _linear(distance: np.ndarray[Any, Any], a: float) -> np.ndarray[Any, Any]:
    return np.maximum(0, 1 - np.abs(distance))


def _cubic(distance: np.ndarray[Any, Any], a: float) -> np.ndarray[Any, Any]:
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def _matrix(axis: _Axis, node: Node, mode: str) -> np.ndarray[Any, Any]:
    """(after, before): how much of each old number a new one has."""
    x = axis.coordinates(node.text("coordinate_transformation_mode", "half_pixel"))
    reach, kernel = (1, _linear) if mode == "linear" else (2, _cubic)
    a = node.number("cubic_coeff_a", -0.75)
    is_smooth = bool(node.number("antialias", 0)) and axis.scale < 1
    stretch = axis.scale if is_smooth else 1.0
    width = math.ceil(reach / stretch)
    places = np.floor(x)[:, None] + np.arange(-width, width + 2)
    shares = kernel((places - x[:, None]) * stretch, a)
    is_outside = (places < 0) | (places > axis.before - 1)
    if node.number("exclude_outside", 0):
        shares = np.where(is_outside, 0, shares)
    if is_smooth or node.number("exclude_outside", 0):
        total = shares.sum(1, keepdims=True)
        shares = shares / np.where(total == 0, 1, total)
    held = np.zeros((axis.after, axis.before))
    places = np.clip(places, 0, axis.before - 1).astype(int)
    np.add.at(held, (np.arange(axis.after)[:, None], places), shares)
    return held


def _resized(node: Node, x: Any, axis: int, how: _Axis, mode: str, fill: float | None) -> Any:
    module = numbers(x)
    crops = node.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize"
    if mode == "nearest":
        at = how.coordinates(node.text("coordinate_transformation_mode", "half_pixel"))
        places = _nearest(at, node.text("nearest_mode", "round_prefer_floor"))
        y = module.take(x, np.clip(places, 0, how.before - 1).astype(int), axis=axis)
    else:
        matrix = _matrix(how, node, mode)
        kind = x.dtype if x.dtype.kind not in "iu" else np.dtype(np.float32)
        moved = module.tensordot(x.astype(kind), matrix.astype(kind), axes=([axis], [1]))
        y = module.moveaxis(moved, -1, axis)
        y = y.astype(x.dtype)
    if crops:
        at = how.coordinates("tf_crop_and_resize")
        is_outside = (at < 0) | (at > how.before - 1)
        shape = [-1 if i == axis else 1 for i in range(len(x.shape))]
        y = module.where(is_outside.reshape(shape), module.asarray(fill, y.dtype), y)
    return y


def _open_size(x: Any, axis: int, scale: float, node: Node, mode: str) -> Any:
    """An axis of a size that is not known, by a whole factor, each number repeated."""
    coordinates = node.text("coordinate_transformation_mode", "half_pixel")
    rounding = node.text("nearest_mode", "round_prefer_floor")
    repeats = (coordinates, rounding) in (("asymmetric", "floor"),) or coordinates.startswith(
        ("half_pixel", "pytorch_half_pixel")
    )
    if scale == 1:
        return x
    if mode != "nearest" or scale != int(scale) or scale < 1 or not repeats:
        raise GraphError("a size that is not known is resized by whole factors, nearest, alone")
    return jnp.repeat(x, int(scale), axis=axis)


@op("Resize", kept=(1, 2, 3))
def _resize(node: Node, x: Any, roi: Any = None, scales: Any = None, sizes: Any = None) -> Any:
    rank = len(x.shape)
    if node.version < 11:
        return _resize_10(node, x, roi)
    axes = [axis_of(a, rank) for a in node.numbers("axes", list(range(rank)))]
    mode = node.text("mode", "nearest")
    if mode not in ("nearest", "linear", "cubic"):
        raise GraphError(f"resizing of the mode '{mode}'")
    factors = None if scales is None or not scales.size else _floats(scales)
    wanted = None if sizes is None or not sizes.size else list(ints(sizes))
    corners = [0.0] * len(axes) + [1.0] * len(axes)
    if roi is not None and roi.size:
        corners = _floats(roi)
    if wanted is not None:
        wanted, factors = _by_policy(node, x, axes, wanted)
    if factors is None:
        raise GraphError("neither scales nor sizes are told")
    fill = node.number("extrapolation_value", 0.0)
    for i, axis in enumerate(axes):
        before = x.shape[axis]
        if not isinstance(before, int):
            x = _open_size(x, axis, factors[i], node, mode)
            continue
        after = wanted[i] if wanted is not None else math.floor(before * factors[i])
        checked_shape([n if a != axis else after for a, n in enumerate(x.shape)])
        how = _Axis(before, after, factors[i], (corners[i], corners[i + len(axes)]))
        if before != after or factors[i] != 1 or corners[i] != 0 or corners[i + len(axes)] != 1:
            x = _resized(node, x, axis, how, mode, fill)
    return x


def _floats(value: Any) -> list[float]:
    return [float(v) for v in known(value).ravel().tolist()]


def _by_policy(
    node: Node, x: Any, axes: list[int], wanted: list[Any]
) -> tuple[list[Any], list[float]]:
    """Sizes and scales, where the proportions may be kept."""
    own = [x.shape[axis] for axis in axes]
    if any(a is not b and not isinstance(a, int) for a, b in zip(own, wanted, strict=True)):
        raise GraphError("sizes that are not known are resized by scales alone")
    ratios = [1.0 if w is n else w / n for w, n in zip(wanted, own, strict=True)]
    policy = node.text("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return wanted, ratios
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    return [math.floor(scale * n + 0.5) for n in own], [scale] * len(own)


def _resize_10(node: Node, x: Any, scales: Any) -> Any:
    """Operator set 10, and `Upsample`: asymmetric, cut down."""
    factors = _floats(scales)
    mode = node.text("mode", "nearest")
    plain = Node(
        node.op, node.domain, node.name, node.version,
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, [], [],
    )  # fmt: skip
    for axis, factor in enumerate(factors):
        before = x.shape[axis]
        if factor == 1:
            continue
        if not isinstance(before, int):
            x = _open_size(x, axis, factor, plain, mode)
            continue
        after = math.floor(before * factor)
        checked_shape([n if a != axis else after for a, n in enumerate(x.shape)])
        how = _Axis(before, after, factor, (0.0, 1.0))
        x = _resized(
            plain, x, axis, how, "linear" if mode in ("linear", "bilinear") else mode, None
        )
    return x


@op("Upsample", kept=(1,))
def _upsample(node: Node, x: Any, scales: Any = None) -> Any:
    found = np.asarray(node.numbers("scales", [])) if scales is None else scales
    return _resize_10(node, x, found)


# --- grids ----------------------------------------------------------------------------------------


@op("AffineGrid", kept=(1,))
def _affine_grid(node: Node, theta: Any, size: Any) -> Any:
    sizes = ints(size)[2:]
    is_aligned = node.number("align_corners", 0)
    lines: list[Any] = []
    for n in sizes:
        if is_aligned:
            lines.append(np.linspace(-1, 1, n) if n > 1 else np.zeros(1))
        else:
            lines.append((2 * np.arange(n) + 1) / n - 1)
    grids = np.meshgrid(*lines, indexing="ij")
    points = np.stack([*grids[::-1], np.ones_like(grids[0])], -1).astype(theta.dtype)
    flat = points.reshape((-1, len(sizes) + 1))
    found = jnp.einsum("pk,nik->npi", flat, theta)
    return found.reshape((theta.shape[0], *sizes, len(sizes)))


@op("GridSample")
def _grid_sample(node: Node, x: Any, grid: Any) -> Any:
    sizes = x.shape[2:]
    is_aligned = bool(node.number("align_corners", 0))
    padding = node.text("padding_mode", "zeros")
    mode = node.text("mode", "linear")
    at: list[Any] = []
    for i, n in enumerate(sizes):
        place = grid[..., len(sizes) - 1 - i]
        place = (place + 1) / 2 * (n - 1) if is_aligned else ((place + 1) * n - 1) / 2
        at.append(place)

    def bounded(place: Any, n: int) -> Any:
        if padding == "border":
            return jnp.clip(place, 0, n - 1)
        if padding == "reflection":
            low, high = (0.0, n - 1.0) if is_aligned else (-0.5, n - 0.5)
            return jnp.clip(_reflected(place, low, high), 0, n - 1)
        return place

    if mode == "nearest":
        offsets, shares = [jnp.round(bounded(p, n)) for p, n in zip(at, sizes, strict=True)], None
        return _picked(x, [o[None] for o in offsets], shares, sizes, lambda p, n: p)[0]
    if mode in ("linear", "bilinear"):
        at = [bounded(p, n) for p, n in zip(at, sizes, strict=True)]
        reach, kernel = range(2), lambda d: jnp.maximum(0, 1 - jnp.abs(d))
    elif mode in ("cubic", "bicubic"):
        reach, kernel = range(-1, 3), _jnp_cubic
    else:
        raise GraphError(f"sampling of the mode '{mode}'")
    places = [jnp.stack([jnp.floor(p) + k for k in reach]) for p in at]
    shares = [kernel(q - p[None]) for q, p in zip(places, at, strict=True)]
    inner: Callable[[Any, int], Any] = bounded if "cubic" in mode else (lambda p, n: p)
    return sum(_picked(x, places, shares, sizes, inner))


def _jnp_cubic(distance: Any) -> Any:
    a, d = -0.75, jnp.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return jnp.where(d <= 1, near, jnp.where(d < 2, far, 0))


def _reflected(place: Any, low: float, high: float) -> Any:
    span = high - low
    if span <= 0:
        return jnp.zeros_like(place)
    moved = jnp.mod(jnp.abs(place - low), 2 * span)
    return jnp.where(moved > span, 2 * span - moved, moved) + low


def _picked(
    x: Any, places: list[Any], shares: list[Any] | None, sizes: Any, inner: Any
) -> list[Any]:
    """What each combination of places adds; outside there is 0."""
    n, c = x.shape[:2]
    flat = x.reshape((n, c, math.prod(sizes)))
    found: list[Any] = []
    for index in np.ndindex(*(len(p) for p in places)):
        at: Any = 0
        is_inside: Any = True
        share: Any = 1
        for i, (place, size) in enumerate(zip(places, sizes, strict=True)):
            p = inner(place[index[i]], size)
            is_inside = is_inside & (p >= 0) & (p <= size - 1)
            at = at * size + jnp.clip(jnp.nan_to_num(p), 0, size - 1).astype(int)
            if shares is not None:
                share = share * shares[i][index[i]]
        taken = jnp.take_along_axis(flat, at.reshape((n, 1, -1)), -1)
        taken = taken.reshape((n, c, *at.shape[1:]))
        share = jnp.where(is_inside, share, 0)
        found.append((taken * jnp.expand_dims(share, 1)).astype(x.dtype))
    return found


# --- regions --------------------------------------------------------------------------------------


@op("RoiAlign")
def _roi_align(node: Node, x: Any, rois: Any, batches: Any) -> Any:
    default = "half_pixel" if node.version >= 16 else "output_half_pixel"
    mode = node.text("coordinate_transformation_mode", default)
    offset = 0.5 if mode == "half_pixel" else 0.0
    oh, ow = node.number("output_height", 1), node.number("output_width", 1)
    corners = rois * node.number("spatial_scale", 1.0) - offset
    x1, y1, x2, y2 = (corners[:, i] for i in range(4))
    width, height = x2 - x1, y2 - y1
    if mode != "half_pixel":
        width, height = jnp.maximum(width, 1), jnp.maximum(height, 1)
    ratio = node.number("sampling_ratio", 0)
    if ratio > 0:
        counts = ratio, ratio
        return _aligned(node, x, batches, x1, y1, width, height, oh, ow, counts)
    # The number of samples is that of pixels in a cell, of each region its own.
    ys, xs = (
        np.maximum(1, np.ceil(known(v) / n)).astype(int) for v, n in ((height, oh), (width, ow))
    )
    parts = [
        _aligned(node, x, batches[i : i + 1], x1[i : i + 1], y1[i : i + 1], width[i : i + 1],
                 height[i : i + 1], oh, ow, (int(ys[i]), int(xs[i])))
        for i in range(rois.shape[0])
    ]  # fmt: skip
    return jnp.concatenate(parts) if parts else jnp.zeros((0, x.shape[1], oh, ow), x.dtype)


def _aligned(
    node: Node, x: Any, batches: Any, x1: Any, y1: Any, width: Any, height: Any, oh: int, ow: int,
    counts: tuple[int, int],
) -> Any:  # fmt: skip
    h, w = x.shape[2:]
    sy = (np.arange(oh * counts[0]) + 0.5) / counts[0]
    sx = (np.arange(ow * counts[1]) + 0.5) / counts[1]
    ys = y1[:, None] + jnp.asarray(sy, x.dtype) * (height / oh)[:, None]
    xs = x1[:, None] + jnp.asarray(sx, x.dtype) * (width / ow)[:, None]
    iy, fy, in_y = _cells(ys, h)
    ix, fx, in_x = _cells(xs, w)
    images = jnp.take(x, batches, axis=0)
    r = jnp.arange(images.shape[0])[:, None, None]
    terms: list[Any] = []
    for dy in (0, 1):
        for dx in (0, 1):
            py = jnp.minimum(iy + dy, h - 1)[:, :, None]
            px = jnp.minimum(ix + dx, w - 1)[:, None, :]
            taken = jnp.moveaxis(images, 1, -1)[r, py, px]  # (r, ys, xs, c)
            sy_ = (fy if dy else 1 - fy)[:, :, None, None]
            sx_ = (fx if dx else 1 - fx)[:, None, :, None]
            terms.append(taken * sy_ * sx_)
    inside = (in_y[:, :, None] & in_x[:, None, :])[..., None]
    is_max = node.text("mode", "avg") == "max"
    values = [jnp.where(inside, t, 0) for t in terms]
    # `max` takes the largest of the four parts of samples, not of samples.
    found = reduce(jnp.maximum, values) if is_max else sum(values)
    split = found.reshape((found.shape[0], oh, counts[0], ow, counts[1], found.shape[-1]))
    pooled = split.max((2, 4)) if is_max else split.mean((2, 4))
    return jnp.moveaxis(pooled, -1, 1).astype(x.dtype)


def _cells(at: Any, size: int) -> tuple[Any, Any, Any]:
    """The pixel before a place, how far behind it that is, and whether it is in the image."""
    is_inside = (at >= -1) & (at <= size)
    bounded = jnp.clip(at, 0, size - 1)
    low = jnp.floor(bounded).astype(int)
    return low, bounded - low, is_inside


@op("MaxRoiPool")
def _max_roi_pool(node: Node, x: Any, rois: Any) -> Any:
    ph, pw = node.numbers("pooled_shape", [1, 1])
    h, w = x.shape[2:]
    scaled = rois[:, 1:] * node.number("spatial_scale", 1.0)
    corners = jnp.floor(scaled + 0.5)  # halves away from 0, of numbers that are not below
    x1, y1, x2, y2 = (corners[:, i] for i in range(4))
    rows = _in_bins(y1, jnp.maximum(y2 - y1 + 1, 1), ph, h)
    columns = _in_bins(x1, jnp.maximum(x2 - x1 + 1, 1), pw, w)
    images = jnp.take(x, rois[:, 0].astype(int), axis=0)
    lowest = jnp.asarray(-np.inf, x.dtype)
    by_rows = jnp.where(rows[:, None, :, :, None], images[:, :, None], lowest).max(3)
    found = jnp.where(columns[:, None, None], by_rows[:, :, :, None], lowest).max(-1)
    return jnp.where(jnp.isneginf(found), 0, found)


def _in_bins(start: Any, length: Any, count: int, size: int) -> Any:
    """(regions, bins, places): whether a place is in a bin."""
    bins, at = jnp.arange(count), jnp.arange(size)
    low = jnp.clip(jnp.floor(bins * (length / count)[:, None]) + start[:, None], 0, size)
    high = jnp.clip(jnp.ceil((bins + 1) * (length / count)[:, None]) + start[:, None], 0, size)
    return (at >= low[..., None]) & (at < high[..., None])


@op("NonMaxSuppression", kept=(-1,))
def _non_max_suppression(
    node: Node, boxes: Any, scores: Any, most: Any = None, overlap: Any = None, least: Any = None
) -> Any:
    """How many boxes stay is only known when it runs."""
    boxes, scores = known(boxes), known(scores)
    count = 0 if most is None else int(known(most).reshape(()))
    limit = 0.0 if overlap is None else float(known(overlap).reshape(()))
    low, high = boxes[..., :2], boxes[..., 2:]
    if node.number("center_point_box", 0):  # x, y, width, height
        low, high = low - high / 2, low + high / 2
    low, high = np.minimum(low, high), np.maximum(low, high)
    chosen: list[tuple[int, int, int]] = []
    for batch in range(scores.shape[0]):
        for group in range(scores.shape[1]):
            own = scores[batch, group]
            order = np.argsort(-own, kind="stable")
            if least is not None:
                order = order[own[order] > float(known(least).reshape(()))]
            kept: list[int] = []
            for at in order:
                if len(kept) == count:
                    break
                if not any(_overlap(low[batch], high[batch], at, k) > limit for k in kept):
                    kept.append(int(at))
            chosen += [(batch, group, at) for at in kept]
    return np.asarray(chosen, np.int64).reshape((-1, 3))


def _overlap(low: Any, high: Any, a: int, b: int) -> float:
    sides = np.minimum(high[a], high[b]) - np.maximum(low[a], low[b])
    if (sides <= 0).any():
        return 0.0
    areas = [float(np.prod(high[i] - low[i])) for i in (a, b)]
    shared = float(np.prod(sides))
    whole = areas[0] + areas[1] - shared
    return shared / whole if whole > 0 else 0.0


__all__: list[str] = []
