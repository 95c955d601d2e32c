"""Bounding boxes as a detector predicts them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.ops.boxes.formats import CENTERED, convert_format


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
        image_shape: (height, width, channels), where one format is relative and the other not.
    Formula:
        ((centre - anchor's centre) / anchor's size, log(size / anchor's size)) / variance
    Example:
        >>> encode_box_to_deltas([[0, 0, 4, 4]], [[2, 0, 6, 4]], "xyxy", "xyxy").tolist()
        [[0.0, 0.5, 0.0, 0.0]]
    """
    variance = _checked_coding("encode_box_to_deltas", "encoding_format", encoding_format, variance)
    anchor_format, box_format = _without_size(anchor_format, box_format)
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
        image_shape: (height, width, channels), where one format is relative and the other not.
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
    anchor_format, box_format = _without_size(anchor_format, box_format)
    height, width = (None, None) if image_shape is None else image_shape[:2]
    anchors = convert_format(anchors, anchor_format, encoded_format, height, width)
    deltas = jnp.asarray(boxes_delta).astype("float32") * factors
    centers = deltas[..., :2] * anchors[..., 2:] + anchors[..., :2]
    boxes = jnp.concatenate([centers, jnp.exp(deltas[..., 2:]) * anchors[..., 2:]], -1)
    return convert_format(boxes, encoded_format, box_format, height, width)


def _without_size(*names: str) -> tuple[str, ...]:
    """Formats without 'rel_' where all have it: deltas are shares of the anchor, in any unit."""
    lower = [str(name).lower() for name in names]
    if all(name.startswith("rel_") for name in lower):
        return tuple(name.removeprefix("rel_") for name in lower)
    return names


def _checked_coding(who: str, argument: str, name: Any, variance: Any) -> jax.Array:
    """The variance as an array, ones by default."""
    if name not in CENTERED:
        raise ArgumentError(
            message(who, f"{argument} must be 'center_yxhw' or 'center_xywh'", repr(name))
        )
    if variance is None:
        return jnp.ones(4, "float32")
    if len(variance) != 4:
        raise ArgumentError(message(who, "variance must be four numbers", repr(variance)))
    return jnp.asarray(variance, "float32")
