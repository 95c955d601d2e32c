"""Formats of bounding boxes.

Coordinates are edges: a box around the pixel in column 0 and row 0 is (0, 0, 1, 1) in 'xyxy'.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

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
CENTERED = ("center_xywh", "center_yxhw")


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
    source, target = (known_format("convert_format", name) for name in (source, target))
    boxes = jnp.asarray(boxes).astype(dtype)
    if not boxes.ndim or boxes.shape[-1] != 4:
        raise ShapeError(
            message("convert_format", "boxes must have shape (..., 4)", f"shape {boxes.shape}")
        )
    if source == target:
        return boxes
    edges = jnp.stack(to_edges(boxes, source.removeprefix("rel_")), axis=-1)
    if source.startswith("rel_") != target.startswith("rel_"):
        scale = image_sides("convert_format", height, width).astype(edges.dtype)
        edges = edges * scale if source.startswith("rel_") else edges / scale
    return jnp.stack(_from_edges(edges, target.removeprefix("rel_")), axis=-1)


def known_format(who: str, name: str) -> str:
    """A format's name in small letters.

    Raises:
        ArgumentError: There is no such format.
    """
    if str(name).lower() not in FORMATS:
        raise ArgumentError(
            message(who, f"a format must be one of {', '.join(FORMATS)}", repr(name))
        )
    return str(name).lower()


def image_sides(who: str, height: Any, width: Any) -> Any:
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


def to_edges(boxes: Any, layout: str) -> tuple[Any, ...]:
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
    name = known_format("clip_to_image_size", bounding_box_format)
    if name.startswith("rel_"):
        plain, height, width = "rel_xyxy", 1, 1
        limits = jnp.ones(4, "float32")
    else:
        plain, limits = "xyxy", image_sides("clip_to_image_size", height, width)
    edges = jnp.clip(convert_format(bounding_boxes["boxes"], name, plain), 0, limits)
    is_left = (edges[..., 2] > edges[..., 0]) & (edges[..., 3] > edges[..., 1])
    labels = jnp.asarray(bounding_boxes["labels"])
    return {
        **bounding_boxes,
        "boxes": convert_format(edges, plain, name),
        "labels": jnp.where(is_left, labels, jnp.asarray(-1, labels.dtype)),
    }
