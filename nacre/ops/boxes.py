"""Bounding boxes: their formats, how they move with pixels, how much they overlap.

Coordinates are edges: a box around the pixel in column 0 and row 0 is (0, 0, 1, 1) in 'xyxy'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, ShapeError, message

FORMATS = (
    "xyxy",
    "yxyx",
    "xywh",
    "center_xywh",
    "center_yxhw",
    "rel_xyxy",
    "rel_yxyx",
    "rel_xywh",
    "rel_center_xywh",
)
_CENTERED = ("center_xywh", "center_yxhw")


def convert_format(
    boxes: Any,
    source: str,
    target: str,
    height: Any = None,
    width: Any = None,
    dtype: str = "float32",
) -> Any:
    """Boxes in another format.

    Args:
        boxes: Boxes (..., 4), or a dict with them under 'boxes'.
        source, target: 'xyxy' (left, top, right, bottom), 'yxyx', 'xywh' (left, top, width,
            height), 'center_xywh', 'center_yxhw', or with 'rel_' before for shares of the image's
            size ('rel_center_yxhw' there is not); upper and lower case are the same.
        height, width: Of the image; needed between relative formats and others.
        dtype: Of the result.

    Raises:
        ArgumentError: A format is unknown, or the image's size is missing.
        ShapeError: The last axis has not the size 4.
    Example:
        >>> convert_format([[1.0, 2.0, 4.0, 6.0]], "xyxy", "xywh").tolist()
        [[1.0, 2.0, 3.0, 4.0]]
    """
    if isinstance(boxes, dict):
        converted = convert_format(boxes["boxes"], source, target, height, width, dtype)
        return {**boxes, "boxes": converted}
    source, target = (_known("convert_format", name) for name in (source, target))
    boxes = jnp.asarray(boxes).astype(dtype)
    if not boxes.ndim or boxes.shape[-1] != 4:
        raise ShapeError(
            message("convert_format", "boxes must have shape (..., 4)", f"shape {boxes.shape}")
        )
    if source == target:
        return boxes
    edges = jnp.stack(_to_edges(boxes, source.removeprefix("rel_")), axis=-1)
    if source.startswith("rel_") != target.startswith("rel_"):
        scale = _sides("convert_format", height, width).astype(edges.dtype)
        edges = edges * scale if source.startswith("rel_") else edges / scale
    return jnp.stack(_from_edges(edges, target.removeprefix("rel_")), axis=-1)


def _known(who: str, name: str) -> str:
    if str(name).lower() not in FORMATS:
        raise ArgumentError(
            message(who, f"a format must be one of {', '.join(FORMATS)}", repr(name))
        )
    return str(name).lower()


def _sides(who: str, height: Any, width: Any) -> Any:
    """(width, height, width, height)."""
    if height is None or width is None:
        raise ArgumentError(
            message(
                who,
                "the image's height and width are needed between relative and absolute formats",
                f"height={height}, width={width}",
            )
        )
    return jnp.stack([jnp.asarray(side) for side in (width, height, width, height)], axis=-1)


def _to_edges(boxes: Any, layout: str) -> tuple[Any, ...]:
    """Left, top, right, bottom."""
    a, b, c, d = (boxes[..., i] for i in range(4))
    if layout == "xyxy":
        return a, b, c, d
    if layout == "yxyx":
        return b, a, d, c
    if layout == "xywh":
        return a, b, a + c, b + d
    if layout == "center_yxhw":
        a, b, c, d = b, a, d, c
    return a - c / 2, b - d / 2, a + c / 2, b + d / 2


def _from_edges(edges: Any, layout: str) -> tuple[Any, ...]:
    left, top, right, bottom = (edges[..., i] for i in range(4))
    width, height = right - left, bottom - top
    return {
        "xyxy": (left, top, right, bottom),
        "yxyx": (top, left, bottom, right),
        "xywh": (left, top, width, height),
        "center_xywh": (left + width / 2, top + height / 2, width, height),
        "center_yxhw": (top + height / 2, left + width / 2, height, width),
    }[layout]


def clip_to_image_size(
    bounding_boxes: dict[str, Any],
    height: Any = None,
    width: Any = None,
    bounding_box_format: str = "xyxy",
) -> dict[str, Any]:
    """Boxes cut at the image's borders; a box of which nothing is left gets the label -1.

    Args:
        bounding_boxes: Dict of 'boxes' (..., boxes, 4) and 'labels' (..., boxes).
        height, width: Of the image; not needed for relative formats.
        bounding_box_format: See `convert_format`.

    Example:
        >>> boxes = {"boxes": [[-1.0, 0.0, 2.0, 2.0], [5.0, 5.0, 6.0, 6.0]], "labels": [1, 2]}
        >>> clipped = clip_to_image_size(boxes, height=4, width=4)
        >>> clipped["boxes"].tolist(), clipped["labels"].tolist()
        ([[0.0, 0.0, 2.0, 2.0], [4.0, 4.0, 4.0, 4.0]], [1, -1])
    """
    name = _known("clip_to_image_size", bounding_box_format)
    if name.startswith("rel_"):
        plain, height, width = "rel_xyxy", 1, 1
        limits = jnp.ones(4)
    else:
        plain, limits = "xyxy", _sides("clip_to_image_size", height, width)
    edges = jnp.clip(convert_format(bounding_boxes["boxes"], name, plain), 0, limits)
    is_left = (edges[..., 2] > edges[..., 0]) & (edges[..., 3] > edges[..., 1])
    labels = jnp.asarray(bounding_boxes["labels"])
    return {
        **bounding_boxes,
        "boxes": convert_format(edges, plain, name),
        "labels": jnp.where(is_left, labels, jnp.asarray(-1, labels.dtype)),
    }


def _absolute(who: str, boxes: Any, name: str, change: Callable[[Any], Any]) -> Any:
    """Change the edges of boxes in an absolute format; ints stay ints."""
    name = _known(who, name)
    if name.startswith("rel_"):
        raise ArgumentError(
            message(
                who,
                "boxes must be in an absolute format, as the whole image's size is not given",
                f"bounding_box_format={name!r}",
                "Convert them with convert_format(boxes, ..., 'xyxy', height, width) first.",
            )
        )
    boxes = jnp.asarray(boxes)
    changed = convert_format(change(convert_format(boxes, name, "xyxy")), "xyxy", name)
    return changed.astype(boxes.dtype) if name not in _CENTERED else changed


def crop(
    boxes: Any, top: Any, left: Any, height: Any, width: Any, bounding_box_format: str = "xyxy"
) -> Any:
    """Boxes of an image of which a part is cut out: moved, and cut at the part's borders.

    Args:
        boxes: Boxes (..., 4).
        top, left: Where the part begins.
        height, width: Size of the part.
        bounding_box_format: An absolute format of `convert_format`.

    Example:
        >>> crop([[1.0, 2.0, 9.0, 5.0]], top=1, left=2, height=4, width=4).tolist()
        [[0.0, 1.0, 4.0, 4.0]]
    """
    start = jnp.stack([jnp.asarray(n, "float32") for n in (left, top, left, top)], axis=-1)
    return _absolute(
        "crop",
        boxes,
        bounding_box_format,
        lambda edges: jnp.clip(edges - start, 0, _sides("crop", height, width)),
    )


def pad(
    boxes: Any,
    top: Any,
    left: Any,
    height: Any = None,
    width: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:
    """Boxes of an image that got margins.

    Args:
        boxes: Boxes (..., 4).
        top, left: Rows above and columns to the left.
        height, width: Kept for compatibility with Keras; not needed.
        bounding_box_format: An absolute format of `convert_format`.

    Example:
        >>> pad([[1.0, 2.0, 9.0, 5.0]], top=1, left=2).tolist()
        [[3.0, 3.0, 11.0, 6.0]]
    """
    start = jnp.stack([jnp.asarray(n, "float32") for n in (left, top, left, top)], axis=-1)
    return _absolute("pad", boxes, bounding_box_format, lambda edges: edges + start)


def affine_transform(
    boxes: Any,
    angle: Any,
    translate_x: Any,
    translate_y: Any,
    scale: Any,
    shear_x: Any,
    shear_y: Any,
    height: Any,
    width: Any,
    center_x: Any = None,
    center_y: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:
    """The boxes around boxes that were moved, sheared, scaled and turned.

    Args:
        boxes: Boxes (boxes, 4) or (batch, boxes, 4); other numbers are one, or (batch,).
        angle: In degrees, against the clock.
        translate_x, translate_y: Shares of `width - 1` and `height - 1`, before all else.
        scale: Factor.
        shear_x, shear_y: Angles in degrees.
        height, width: Of the image.
        center_x, center_y: Shares of `width - 1` and `height - 1`; 0.5 by default.
        bounding_box_format: See `convert_format`.
    Formula:
        p -> c + scale · [1 tan(shear_x); 0 1] · [1 0; tan(shear_y) 1] · [cos sin; -sin cos] ·
        (p - c + translation)
    Source:
        Arguments: Keras 3.15. Differs: there one sign is turned, which shows where shear_x meets
        shear_y or an angle.
    Example:
        >>> moved = affine_transform([[0.0, 0.0, 2.0, 1.0]], 90, 0, 0, 1, 0, 0, height=5, width=5)
        >>> np.round(moved).tolist()
        [[0.0, 2.0, 1.0, 4.0]]
    """
    turn, across, along = (
        jnp.deg2rad(jnp.asarray(n, "float32")) for n in (angle, shear_x, shear_y)
    )
    cos, sin, tx, ty = jnp.cos(turn), jnp.sin(turn), jnp.tan(across), jnp.tan(along)
    row = (ty * cos - sin, ty * sin + cos)
    matrix = [cos + tx * row[0], sin + tx * row[1], *row]
    a, b, c, d = (jnp.asarray(scale, "float32") * entry for entry in matrix)
    middle_x = (0.5 if center_x is None else jnp.asarray(center_x)) * (width - 1)
    middle_y = (0.5 if center_y is None else jnp.asarray(center_y)) * (height - 1)
    move_x = jnp.asarray(translate_x) * (width - 1) - middle_x
    move_y = jnp.asarray(translate_y) * (height - 1) - middle_y
    numbers = jnp.stack(
        jnp.broadcast_arrays(
            a, b, a * move_x + b * move_y + middle_x, c, d, c * move_x + d * move_y + middle_y
        ),
        axis=-1,
    )
    zeros = jnp.zeros((*numbers.shape[:-1], 2), numbers.dtype)
    edges = convert_format(boxes, bounding_box_format, "xyxy", height, width)
    moved = mapped(edges, jnp.concatenate([numbers, zeros], axis=-1))
    return convert_format(moved, "xyxy", bounding_box_format, height, width)


def mapped(edges: Any, numbers: Any) -> Any:
    """The boxes around boxes whose points went through projective maps.

    Formula:
        x' = (m0·x + m1·y + m2) / w, y' = (m3·x + m4·y + m5) / w, w = m6·x + m7·y + 1
    Shapes:
        edges    (boxes, 4) or (batch, boxes, 4), left, top, right, bottom
        numbers  (8,) or (batch, 8)
        returns  (boxes, 4) or (batch, boxes, 4)
    """
    x = edges[..., jnp.array([0, 2, 2, 0])]  # the four corners
    y = edges[..., jnp.array([1, 1, 3, 3])]
    m = [numbers[..., i, None, None] if numbers.ndim > 1 else numbers[i] for i in range(8)]
    depth = m[6] * x + m[7] * y + 1
    new_x = (m[0] * x + m[1] * y + m[2]) / depth
    new_y = (m[3] * x + m[4] * y + m[5]) / depth
    corners = [new_x.min(-1), new_y.min(-1), new_x.max(-1), new_y.max(-1)]
    return jnp.stack(corners, axis=-1)


def compute_iou(
    boxes1: Any,
    boxes2: Any,
    bounding_box_format: str,
    use_masking: bool = False,
    mask_val: float = -1,
    image_shape: Any = None,
) -> Any:
    """How much each box of one set overlaps with each of another.

    Args:
        boxes1: (m, 4) or (batch, m, 4).
        boxes2: (n, 4) or (batch, n, 4).
        bounding_box_format: See `convert_format`.
        use_masking: Whether pairs with a box of negative numbers alone get `mask_val`.
        mask_val: Such as -1.
        image_shape: (height, width, channels); not needed, as shares overlap like pixels.
    Formula:
        area of the intersection / area of the union; 0 where the union is empty
    Example:
        >>> compute_iou([[0.0, 0.0, 2.0, 2.0]], [[0.0, 0.0, 2.0, 1.0]], "xyxy").tolist()
        [[0.5]]
    """
    name = _known("compute_iou", bounding_box_format)
    plain = "rel_xyxy" if name.startswith("rel_") else "xyxy"
    first, second = (convert_format(boxes, name, plain) for boxes in (boxes1, boxes2))
    _same_batch("compute_iou", first, second)
    one, other = first[..., :, None, :], second[..., None, :, :]
    overlap = _overlap(one, other)
    iou = _ratio(overlap, _area(one) + _area(other) - overlap)
    if not use_masking:
        return iou
    masked = jnp.all(one < 0, axis=-1) | jnp.all(other < 0, axis=-1)
    return jnp.where(masked, jnp.asarray(mask_val, iou.dtype), iou)


def _same_batch(who: str, first: Any, second: Any) -> None:
    if first.ndim == second.ndim == 3 and first.shape[0] != second.shape[0]:
        raise ShapeError(
            message(who, "both must have one batch size", f"{first.shape} and {second.shape}")
        )


def _overlap(one: Any, other: Any) -> Any:
    low = jnp.maximum(one[..., :2], other[..., :2])
    high = jnp.minimum(one[..., 2:], other[..., 2:])
    return jnp.prod(jnp.maximum(high - low, 0), axis=-1)


def _area(edges: Any) -> Any:
    return (edges[..., 2] - edges[..., 0]) * (edges[..., 3] - edges[..., 1])


def _ratio(part: Any, whole: Any) -> Any:
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1), 0)


def compute_ciou(
    boxes1: Any, boxes2: Any, bounding_box_format: str, image_shape: Any = None
) -> Any:
    """Overlap of pairs of boxes, less what their centres and proportions differ.

    Args:
        boxes1, boxes2: (..., 4), pair by pair.
        bounding_box_format: See `convert_format`.
        image_shape: (height, width, channels), for relative formats.
    Formula:
        iou - (distance of centres / diagonal of the box around both)² - a·v, with
        v = 4 / π² · (arctan(w1 / h1) - arctan(w2 / h2))² and a = v / (1 - iou + v)
    Source:
        Zheng et al. 2020, arXiv:1911.08287, equations 8 to 11.
    Example:
        >>> compute_ciou([0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0], "xyxy").tolist()
        1.0
    """
    height, width = (None, None) if image_shape is None else image_shape[:2]
    one, other = (
        convert_format(boxes, bounding_box_format, "xyxy", height, width)
        for boxes in (boxes1, boxes2)
    )
    overlap = _overlap(one, other)
    iou = _ratio(overlap, _area(one) + _area(other) - overlap)
    middles = (one[..., :2] + one[..., 2:] - other[..., :2] - other[..., 2:]) / 2
    low = jnp.minimum(one[..., :2], other[..., :2])
    high = jnp.maximum(one[..., 2:], other[..., 2:])
    distance = _ratio(jnp.sum(middles**2, axis=-1), jnp.sum((high - low) ** 2, axis=-1))
    angles = [
        jnp.arctan2(edges[..., 2] - edges[..., 0], edges[..., 3] - edges[..., 1])
        for edges in (one, other)
    ]
    v = 4 / np.pi**2 * (angles[0] - angles[1]) ** 2
    return iou - distance - _ratio(v * v, 1 - iou + v)


def encode_box_to_deltas(
    anchors: Any,
    boxes: Any,
    anchor_format: str,
    box_format: str,
    encoding_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Any = None,
) -> Any:
    """Boxes as a detector predicts them: relative to anchors.

    Args:
        anchors: (boxes, 4).
        boxes: (boxes, 4) or (batch, boxes, 4).
        anchor_format, box_format: See `convert_format`.
        encoding_format: 'center_yxhw' or 'center_xywh'.
        variance: Four numbers that deltas are divided by.
        image_shape: (height, width, channels), for relative formats.
    Formula:
        ((centre - anchor's centre) / anchor's size, log(size / anchor's size)) / variance
    Example:
        >>> encode_box_to_deltas([[0, 0, 4, 4]], [[2, 0, 6, 4]], "xyxy", "xyxy").tolist()
        [[0.0, 0.5, 0.0, 0.0]]
    """
    variance = _checked_coding("encode_box_to_deltas", "encoding_format", encoding_format, variance)
    height, width = (None, None) if image_shape is None else image_shape[:2]
    anchors = convert_format(anchors, anchor_format, encoding_format, height, width)
    boxes = convert_format(boxes, box_format, encoding_format, height, width)
    moves = (boxes[..., :2] - anchors[..., :2]) / anchors[..., 2:]
    return jnp.concatenate([moves, jnp.log(boxes[..., 2:] / anchors[..., 2:])], -1) / variance


def decode_deltas_to_boxes(
    anchors: Any,
    boxes_delta: Any,
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Any = None,
) -> Any:
    """Boxes from what a detector predicts; the inverse of `encode_box_to_deltas`.

    Args:
        anchors: (boxes, 4), or a dict of such.
        boxes_delta: (boxes, 4) or (batch, boxes, 4), or a dict with the keys of `anchors`.
        anchor_format, box_format: See `convert_format`.
        encoded_format: 'center_yxhw' or 'center_xywh'.
        variance: Four numbers that deltas are multiplied by.
        image_shape: (height, width, channels), for relative formats.
    Example:
        >>> decode_deltas_to_boxes([[0, 0, 4, 4]], [[0, 0.5, 0, 0]], "xyxy", "xyxy").tolist()
        [[2.0, 0.0, 6.0, 4.0]]
    """
    if isinstance(anchors, dict):
        rest = (anchor_format, box_format, encoded_format, variance, image_shape)
        return {
            level: decode_deltas_to_boxes(anchors[level], deltas, *rest)
            for level, deltas in boxes_delta.items()
        }
    factors = _checked_coding("decode_deltas_to_boxes", "encoded_format", encoded_format, variance)
    height, width = (None, None) if image_shape is None else image_shape[:2]
    anchors = convert_format(anchors, anchor_format, encoded_format, height, width)
    deltas = jnp.asarray(boxes_delta).astype("float32") * factors
    centers = deltas[..., :2] * anchors[..., 2:] + anchors[..., :2]
    boxes = jnp.concatenate([centers, jnp.exp(deltas[..., 2:]) * anchors[..., 2:]], -1)
    return convert_format(boxes, encoded_format, box_format, height, width)


def _checked_coding(who: str, argument: str, name: Any, variance: Any) -> jax.Array:
    """The variance as an array, ones by default."""
    if name not in _CENTERED:
        raise ArgumentError(
            message(who, f"{argument} must be 'center_yxhw' or 'center_xywh'", repr(name))
        )
    if variance is None:
        return jnp.ones(4)
    if len(variance) != 4:
        raise ArgumentError(message(who, "variance must be four numbers", repr(variance)))
    return jnp.asarray(variance, "float32")


__all__ = [
    "affine_transform",
    "clip_to_image_size",
    "compute_ciou",
    "compute_iou",
    "convert_format",
    "crop",
    "decode_deltas_to_boxes",
    "encode_box_to_deltas",
    "pad",
]
