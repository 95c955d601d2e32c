"""Pictures: sizes, crops, colors, files, boxes."""

from __future__ import annotations

import io
import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.interop import optional_import
from nacre.export.importers.tensorflow.registry import Node, op
from nacre.export.importers.tensorflow.values import (
    GraphError,
    dtype,
    ints,
    known,
    of_bytes,
    strings,
)
from nacre.ops import pixels
from nacre.ops.kernels.resampling import Kernel, cubic, gaussian, lanczos

_MOST_PIXELS = 1 << 28


# --- sizes ----------------------------------------------------------------------------------------


def _scale(old: int, new: int, aligns: bool) -> float:
    return (old - 1) / (new - 1) if aligns and new > 1 else old / new


def _sources(old: int, new: int, node: Node) -> np.ndarray[Any, Any]:
    """Where each new pixel lies among the old ones, float32 as there."""
    aligns, is_half = bool(node.get("align_corners")), bool(node.get("half_pixel_centers"))
    scale = np.float32(_scale(old, new, aligns))
    places = np.arange(new, dtype=np.float32)
    return (places + np.float32(0.5)) * scale - np.float32(0.5) if is_half else places * scale


@op("ResizeBilinear")
def _bilinear(node: Node, x: Any, size: Any) -> Any:
    x = jnp.asarray(x).astype(jnp.float32)
    for axis, new in zip((1, 2), ints(size), strict=True):
        old = x.shape[axis]
        at = _sources(old, new, node)
        low = np.clip(np.floor(at).astype(np.int64), 0, old - 1)
        high = np.minimum(np.floor(at).astype(np.int64) + 1, old - 1).clip(0)
        share = (at - np.floor(at)).astype(np.float32)
        share = share.reshape((-1,) + (1,) * (3 - axis))
        lower, upper = jnp.take(x, low, axis), jnp.take(x, high, axis)
        x = lower + (upper - lower) * share
    return x


@op("ResizeNearestNeighbor")
def _nearest(node: Node, x: Any, size: Any) -> Any:
    x = jnp.asarray(x)
    for axis, new in zip((1, 2), ints(size), strict=True):
        old = x.shape[axis]
        aligns, is_half = bool(node.get("align_corners")), bool(node.get("half_pixel_centers"))
        scale = np.float32(_scale(old, new, aligns))
        places = np.arange(new, dtype=np.float32)
        at = (places + np.float32(0.5)) * scale if is_half else places * scale
        # Half away from zero, as `roundf` does.
        at = np.floor(at + np.float32(0.5)) if aligns else np.floor(at)
        x = jnp.take(x, np.clip(at.astype(np.int64), 0, old - 1), axis)
    return x


@op("ResizeBicubic")
def _bicubic(node: Node, x: Any, size: Any) -> Any:
    """Weights come from a table of 1024 steps, as there."""
    x = jnp.asarray(x).astype(jnp.float32)
    is_half = bool(node.get("half_pixel_centers"))
    kernel = cubic(0.0, 0.5 if is_half else 0.75)
    for axis, new in zip((1, 2), ints(size), strict=True):
        old = x.shape[axis]
        at = _sources(old, new, node).astype(np.float64)
        base = np.floor(at)
        share = np.rint((at - base) * 1024) / 1024
        weights = np.zeros((new, old))
        total = np.zeros(new)
        rows = np.arange(new)
        for offset in (-1, 0, 1, 2):
            places = (base + offset).astype(np.int64)
            weight = kernel(np.abs(share - offset))
            if is_half:  # what is outside counts nothing
                weight = np.where((places >= 0) & (places < old), weight, 0)
            np.add.at(weights, (rows, np.clip(places, 0, old - 1)), weight)
            total += weight
        if is_half:
            weights /= np.where(np.abs(total) < 1e-10, 1, total)[:, None]
        x = jnp.moveaxis(jnp.tensordot(weights.astype(np.float32), x, (1, axis)), 0, axis)
    return x


@op("ResizeArea")
def _area(node: Node, x: Any, size: Any) -> Any:
    """The mean of what a new pixel covers."""
    x = jnp.asarray(x).astype(jnp.float32)
    for axis, new in zip((1, 2), ints(size), strict=True):
        old = x.shape[axis]
        scale = _scale(old, new, bool(node.get("align_corners")))
        weights = np.zeros((new, old))
        for row in range(new):
            begin, end = row * scale, (row + 1) * scale
            for place in range(math.floor(begin), math.ceil(end)):
                cover = min(place + 1, end) - max(place, begin)
                weights[row, min(max(place, 0), old - 1)] += cover / scale
        x = jnp.moveaxis(jnp.tensordot(weights.astype(np.float32), x, (1, axis)), 0, axis)
    return x


_KERNELS: dict[str, tuple[float, Kernel]] = {
    **{f"lanczos{radius}": (radius, lanczos(radius)) for radius in (1, 3, 5)},
    "gaussian": (1.5, gaussian),
    "box": (1, lambda x: np.where(x < 0.5, 1.0, np.where(x == 0.5, 0.5, 0.0))),
    "triangle": (1, lambda x: np.clip(1 - x, 0, None)),
    "keyscubic": (2, cubic(0.0, 0.5)),
    "mitchellcubic": (2, cubic(1 / 3, 1 / 3)),
}


@op("ScaleAndTranslate")
def _scale_and_translate(node: Node, x: Any, size: Any, scales: Any, moves: Any) -> Any:
    """Resizing with a kernel that is widened for smaller pictures: `antialias=True`."""
    x = jnp.asarray(x).astype(jnp.float32)
    radius, kernel = _KERNELS[node.text("kernel_type")]
    smooths = bool(node.get("antialias", True))
    given = zip((1, 2), ints(size), known(scales).tolist(), known(moves).tolist(), strict=True)
    for axis, new, scale, move in given:
        old = x.shape[axis]
        wide = max(1 / scale, 1.0) if smooths else 1.0
        at = (np.arange(new) + 0.5) / scale - move / scale
        weights = kernel(np.abs(np.arange(old)[None] + 0.5 - at[:, None]) / wide)
        first = np.maximum(0, np.ceil(at - radius * wide - 0.5))[:, None]
        last = np.minimum(old - 1, np.floor(at + radius * wide - 0.5))[:, None]
        weights = np.where((np.arange(old) >= first) & (np.arange(old) <= last), weights, 0)
        total = weights.sum(1, keepdims=True)
        inside = (at >= 0) & (at <= old)
        weights = np.where(inside[:, None], weights / np.where(total == 0, 1, total), 0)
        x = jnp.moveaxis(jnp.tensordot(weights.astype(np.float32), x, (1, axis)), 0, axis)
    return x


@op("CropAndResize")
def _crop_and_resize(node: Node, x: Any, boxes: Any, of: Any, size: Any) -> Any:
    x, boxes = jnp.asarray(x).astype(jnp.float32), jnp.asarray(boxes)
    outside = jnp.asarray(node.get("extrapolation_value", 0.0), jnp.float32)
    method = node.text("method")
    pictures = jnp.take(x, jnp.asarray(of), axis=0)

    def places(low: Any, high: Any, old: int, new: int) -> Any:  # [boxes, new]
        if new > 1:
            step = (high - low) * (old - 1) / (new - 1)
            return low[:, None] * (old - 1) + jnp.arange(new) * step[:, None]
        return (0.5 * (low + high) * (old - 1))[:, None]

    rows = places(boxes[:, 0], boxes[:, 2], x.shape[1], ints(size)[0])
    columns = places(boxes[:, 1], boxes[:, 3], x.shape[2], ints(size)[1])

    def picked(i: Any, j: Any) -> Any:
        which = jnp.arange(len(boxes))[:, None, None]
        return pictures[which, i[:, :, None], j[:, None, :]]

    high, wide = x.shape[1] - 1, x.shape[2] - 1
    if method == "nearest":
        i = jnp.clip(_round_away(rows), 0, high).astype(int)
        j = jnp.clip(_round_away(columns), 0, wide).astype(int)
        found = picked(i, j)
    else:
        top, left = jnp.floor(rows), jnp.floor(columns)
        down, right = (rows - top)[:, :, None, None], (columns - left)[:, None, :, None]
        i0, i1 = (jnp.clip(v, 0, high).astype(int) for v in (top, jnp.ceil(rows)))
        j0, j1 = (jnp.clip(v, 0, wide).astype(int) for v in (left, jnp.ceil(columns)))
        upper = picked(i0, j0) + (picked(i0, j1) - picked(i0, j0)) * right
        lower = picked(i1, j0) + (picked(i1, j1) - picked(i1, j0)) * right
        found = upper + (lower - upper) * down
    inside = ((rows >= 0) & (rows <= high))[:, :, None] & ((columns >= 0) & (columns <= wide))[
        :, None
    ]
    return jnp.where(inside[..., None], found, outside)


@op("ImageProjectiveTransformV2", "ImageProjectiveTransformV3")
def _projective(node: Node, x: Any, transforms: Any, size: Any, fill: Any = 0.0) -> Any:
    x, t = jnp.asarray(x), jnp.asarray(transforms)
    high, wide = ints(size)
    rows, columns = jnp.meshgrid(jnp.arange(high), jnp.arange(wide), indexing="ij")
    t = t[:, :, None, None]
    scale = t[:, 6] * columns + t[:, 7] * rows + 1
    u = (t[:, 0] * columns + t[:, 1] * rows + t[:, 2]) / scale
    v = (t[:, 3] * columns + t[:, 4] * rows + t[:, 5]) / scale
    mode = bytes(node.get("fill_mode") or b"CONSTANT").decode()
    u, v = _wrapped(u, x.shape[2], mode), _wrapped(v, x.shape[1], mode)
    which = jnp.arange(max(x.shape[0], t.shape[0]))[:, None, None]
    x = jnp.broadcast_to(x, (len(which), *x.shape[1:]))

    def read(row: Any, column: Any) -> Any:
        inside = (row >= 0) & (row < x.shape[1]) & (column >= 0) & (column < x.shape[2])
        i = jnp.clip(row, 0, x.shape[1] - 1).astype(int)
        j = jnp.clip(column, 0, x.shape[2] - 1).astype(int)
        return jnp.where(inside[..., None], x[which, i, j], jnp.asarray(fill, x.dtype))

    if node.text("interpolation") == "NEAREST":
        return read(_round_away(v), _round_away(u))
    top, left = jnp.floor(v), jnp.floor(u)
    down, right = (v - top)[..., None], (u - left)[..., None]
    upper = read(top, left) * (1 - right) + read(top, left + 1) * right
    lower = read(top + 1, left) * (1 - right) + read(top + 1, left + 1) * right
    return (upper * (1 - down) + lower * down).astype(x.dtype)


def _round_away(x: Any) -> Any:
    return jnp.sign(x) * jnp.floor(jnp.abs(x) + 0.5)


def _wrapped(at: Any, size: int, mode: str) -> Any:
    """Places outside a picture, as the mode maps them into it."""
    if mode == "CONSTANT":
        return at
    if mode == "NEAREST":
        return jnp.clip(at, 0, size - 1)
    if mode == "WRAP":
        if size <= 1:
            return jnp.zeros_like(at)
        below = at + size * (jnp.trunc(-at / (size - 1)) + 1)
        above = at - size * jnp.trunc(at / (size - 1))
        return jnp.clip(jnp.where(at < 0, below, jnp.where(at > size - 1, above, at)), 0, size - 1)
    if size <= 1:
        return jnp.zeros_like(at)
    folded = jnp.mod(at, 2 * size)  # REFLECT: the edge stands twice
    return jnp.clip(jnp.where(folded >= size, 2 * size - folded - 1, folded), 0, size - 1)


# --- colors ---------------------------------------------------------------------------------------


@op("AdjustContrastv2")
def _contrast(node: Node, x: Any, factor: Any) -> Any:
    mean = jnp.mean(x, axis=(-3, -2), keepdims=True)
    return (jnp.asarray(x) - mean) * factor + mean


@op("RGBToHSV")
def _to_hsv(node: Node, x: Any) -> Any:
    return pixels.hsv_of(jnp.asarray(x), -1)


@op("HSVToRGB")
def _to_rgb(node: Node, x: Any) -> Any:
    return pixels.rgb_of(jnp.asarray(x), -1)


@op("AdjustHue")
def _hue(node: Node, x: Any, delta: Any) -> Any:
    hsv = _to_hsv(node, jnp.asarray(x))
    turned = jnp.mod(hsv[..., :1] + delta, 1.0)
    return _to_rgb(node, jnp.concatenate([turned, hsv[..., 1:]], -1))


@op("AdjustSaturation")
def _saturation(node: Node, x: Any, factor: Any) -> Any:
    hsv = _to_hsv(node, jnp.asarray(x))
    strong = jnp.clip(hsv[..., 1:2] * factor, 0, 1)
    return _to_rgb(node, jnp.concatenate([hsv[..., :1], strong, hsv[..., 2:]], -1))


# --- files ----------------------------------------------------------------------------------------

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@op("DecodeJpeg", "DecodePng", "DecodeBmp", "DecodeImage", "DecodeGif", host=True)
def _decode(node: Node, contents: Any) -> Any:
    data = strings(contents).item()
    channels = int(node.get("channels", 0) or 0)
    pictures = optional_import("PIL.Image", extra="plot", who="TensorFlow graph")
    try:
        with pictures.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise GraphError(f"a picture of {picture.width} x {picture.height}")
            if int(node.get("ratio", 1) or 1) != 1:
                raise GraphError("a picture decoded to a part of its size")
            frames = _frames(picture, channels, node)
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, GraphError):
            raise
        raise GraphError(f"bytes that are no picture: {error}") from None
    is_film = node.op == "DecodeGif" or (
        node.op == "DecodeImage" and node.get("expand_animations", True) and data[:3] == b"GIF"
    )
    found = np.stack(frames) if is_film else frames[0]
    return _as_dtype(found, node)


def _frames(picture: Any, channels: int, node: Node) -> list[np.ndarray[Any, Any]]:
    found: list[np.ndarray[Any, Any]] = []
    for index in range(
        getattr(picture, "n_frames", 1) if node.op in ("DecodeGif", "DecodeImage") else 1
    ):
        if index:
            picture.seek(index)
        frame = picture
        wide = frame.mode.startswith("I")
        if wide:
            values = np.asarray(frame)
            values = (
                values.astype(np.uint16)
                if dtype(int(node.get("dtype") or 4)) == np.uint16
                else values >> 8
            )
            found.append(
                values[..., None].astype(np.uint16 if values.dtype == np.uint16 else np.uint8)
            )
            continue
        own = 3 if frame.mode in ("P", "CMYK", "YCbCr") else len(frame.getbands())
        has_alpha = frame.mode == "P" and "transparency" in frame.info
        mode = _MODES.get(
            channels
            or (
                4 if has_alpha else 1 if own <= 1 else 4 if own == 4 and frame.mode == "RGBA" else 3
            )
        )
        if mode is None:
            raise GraphError(f"a picture of {channels} channels")
        pixels = np.asarray(frame if frame.mode == mode else frame.convert(mode), np.uint8)
        found.append(pixels[..., None] if pixels.ndim == 2 else pixels)
    return found


def _as_dtype(pixels: np.ndarray[Any, Any], node: Node) -> np.ndarray[Any, Any]:
    kind = dtype(int(node.get("dtype") or 4))
    if kind == pixels.dtype:
        return pixels
    if kind == np.uint16:
        return pixels.astype(np.uint16) * 257
    if kind == np.float32:
        return pixels.astype(np.float32) / np.float32(255)
    raise GraphError(f"pixels as {kind}")


@op("EncodePng", "EncodeJpeg", host=True)
def _encode(node: Node, image: Any) -> Any:
    pictures = optional_import("PIL.Image", extra="plot", who="TensorFlow graph")
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3:
        raise GraphError("a picture of [height, width, channels] of uint8 is needed")
    buffer = io.BytesIO()
    picture = pictures.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
    if node.op == "EncodePng":
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=int(node.get("quality", 95)))
    return of_bytes([buffer.getvalue()], ())


@op("ExtractJpegShape", host=True)
def _jpeg_shape(node: Node, contents: Any) -> Any:
    found = _decode(Node("DecodeJpeg", node.name), contents)
    return np.asarray(found.shape, dtype(node.get("output_type") or 3))


@op("ExtractImagePatches")
def _patches(node: Node, x: Any) -> Any:
    """[batch, rows, columns, window * channels], the channels fastest."""
    x = jnp.asarray(x)
    (high, wide), (down, right), (rate_y, rate_x) = (
        node[name][1:3] for name in ("ksizes", "strides", "rates")
    )
    span = [(high - 1) * rate_y + 1, (wide - 1) * rate_x + 1]
    if node.text("padding") == "SAME":
        out = [-(-x.shape[1] // down), -(-x.shape[2] // right)]
        pads = [
            max((n - 1) * s + k - old, 0)
            for n, s, k, old in zip(out, (down, right), span, x.shape[1:3], strict=True)
        ]
        x = jnp.pad(x, [(0, 0), *((p // 2, p - p // 2) for p in pads), (0, 0)])
    else:
        out = [(x.shape[1] - span[0]) // down + 1, (x.shape[2] - span[1]) // right + 1]
    parts = [
        x[
            :,
            i * rate_y : i * rate_y + (out[0] - 1) * down + 1 : down,
            j * rate_x : j * rate_x + (out[1] - 1) * right + 1 : right,
        ]
        for i in range(high)
        for j in range(wide)
    ]
    return jnp.concatenate(parts, axis=-1)


# --- boxes ----------------------------------------------------------------------------------------


def _kept(boxes: Any, scores: Any, most: int, overlap: float, least: float) -> list[int]:
    """Boxes (y1, x1, y2, x2) in the order of their scores, less those that overlap a better one."""
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    areas = np.prod(high - low, axis=1)
    found: list[int] = []
    for at in np.argsort(-scores, kind="stable"):
        if len(found) >= most or not scores[at] > least:
            break
        if found:
            sides = np.minimum(high[found], high[at]) - np.maximum(low[found], low[at])
            shared = np.prod(np.clip(sides, 0, None), axis=1)
            union = areas[found] + areas[at] - shared
            share = np.where(
                (areas[found] <= 0) | (areas[at] <= 0), 0, shared / np.where(union == 0, 1, union)
            )
            if (share > overlap).any():
                continue
        found.append(int(at))
    return found


@op(
    "NonMaxSuppression",
    "NonMaxSuppressionV2",
    "NonMaxSuppressionV3",
    "NonMaxSuppressionV4",
    "NonMaxSuppressionV5",
    host=True,
)
def _suppression(
    node: Node,
    boxes: Any,
    scores: Any,
    most: Any,
    overlap: Any = None,
    least: Any = None,
    sigma: Any = None,
) -> Any:
    boxes, scores, count = np.asarray(boxes), np.asarray(scores), int(np.asarray(most))
    if sigma is not None and float(np.asarray(sigma)):
        raise GraphError("soft suppression of boxes")
    limit = node.get("iou_threshold", 0.5) if overlap is None else float(np.asarray(overlap))
    smallest = -np.inf if least is None else float(np.asarray(least))
    kept = np.asarray(_kept(boxes, scores, count, limit, smallest), np.int32)
    size = np.asarray(len(kept), np.int32)
    if node.op not in ("NonMaxSuppressionV4", "NonMaxSuppressionV5"):
        return kept
    pads = count - len(kept) if node.get("pad_to_max_output_size") else 0
    padded = np.pad(kept, (0, pads))
    if node.op == "NonMaxSuppressionV4":
        return padded, size
    return padded, np.pad(scores[kept], (0, pads)), size


@op("CombinedNonMaxSuppression", host=True)
def _combined(
    node: Node, boxes: Any, scores: Any, each: Any, total: Any, overlap: Any, least: Any
) -> Any:
    boxes, scores = np.asarray(boxes), np.asarray(scores)
    most = int(np.asarray(total))
    if node.get("pad_per_class"):
        most = min(most, int(np.asarray(each)) * scores.shape[2])
    rows: list[tuple[Any, ...]] = []
    for batch in range(len(boxes)):
        found: list[tuple[float, int, int]] = []
        for kind in range(scores.shape[2]):
            of = boxes[batch, :, kind if boxes.shape[2] > 1 else 0]
            kept = _kept(
                of,
                scores[batch, :, kind],
                int(np.asarray(each)),
                float(np.asarray(overlap)),
                float(np.asarray(least)),
            )
            found += [(float(scores[batch, at, kind]), kind, at) for at in kept]
        found.sort(key=lambda item: -item[0])
        found = found[:most]
        out = (
            np.zeros((most, 4), boxes.dtype),
            np.zeros(most, scores.dtype),
            np.zeros(most, scores.dtype),
        )
        for place, (score, kind, at) in enumerate(found):
            box = boxes[batch, at, kind if boxes.shape[2] > 1 else 0]
            out[0][place] = np.clip(box, 0, 1) if node.get("clip_boxes", True) else box
            out[1][place], out[2][place] = score, kind
        rows.append((*out, len(found)))
    parts = [np.stack(part) for part in zip(*[row[:3] for row in rows], strict=True)]
    return (*parts, np.asarray([row[3] for row in rows], np.int32))
