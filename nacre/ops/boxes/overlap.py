"""How much bounding boxes overlap."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ShapeError, message
from nacre.ops.boxes.formats import convert_format, known_format


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
    name = known_format("compute_iou", bounding_box_format)
    plain = "rel_xyxy" if name.startswith("rel_") else "xyxy"
    first, second = (convert_format(boxes, name, plain) for boxes in (boxes1, boxes2))
    same_batch("compute_iou", first, second)
    one, other = first[..., :, None, :], second[..., None, :, :]
    overlap = intersection(one, other)
    iou = ratio(overlap, area(one) + area(other) - overlap)
    if not use_masking:
        return iou
    masked = jnp.all(one < 0, axis=-1) | jnp.all(other < 0, axis=-1)
    return jnp.where(masked, jnp.asarray(mask_val, iou.dtype), iou)


def same_batch(who: str, first: Any, second: Any) -> None:
    """Raise where two sets of boxes, (batch, boxes, 4), have different batch sizes."""
    if first.ndim == second.ndim == 3 and first.shape[0] != second.shape[0]:
        raise ShapeError(
            message(who, "both must have one batch size", f"{first.shape} and {second.shape}")
        )


def intersection(one: Any, other: Any) -> Any:
    """Areas that boxes share, as edges (..., 4); 0 where they do not touch."""
    low = jnp.maximum(one[..., :2], other[..., :2])
    high = jnp.minimum(one[..., 2:], other[..., 2:])
    return jnp.prod(jnp.maximum(high - low, 0), axis=-1)


def area(edges: Any) -> Any:
    """Areas of boxes as edges (..., 4), arrays of JAX or of NumPy."""
    return (edges[..., 2] - edges[..., 0]) * (edges[..., 3] - edges[..., 1])


def ratio(part: Any, whole: Any) -> Any:
    """part / whole, 0 where the whole is empty; gradients are finite there too."""
    is_empty = whole <= 0  # NaN is not and stays
    return jnp.where(is_empty, 0, part / jnp.where(is_empty, 1, whole))


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
    overlap = intersection(one, other)
    iou = ratio(overlap, area(one) + area(other) - overlap)
    middles = (one[..., :2] + one[..., 2:] - other[..., :2] - other[..., 2:]) / 2
    low = jnp.minimum(one[..., :2], other[..., :2])
    high = jnp.maximum(one[..., 2:], other[..., 2:])
    distance = ratio(jnp.sum(middles**2, axis=-1), jnp.sum((high - low) ** 2, axis=-1))
    v = 4 / np.pi**2 * (_angle(one) - _angle(other)) ** 2
    return iou - distance - ratio(v * v, 1 - iou + v)


def _angle(edges: Any) -> Any:
    """arctan(width / height), 0 for a point; gradients are finite there too."""
    width, height = edges[..., 2] - edges[..., 0], edges[..., 3] - edges[..., 1]
    is_point = width * width + height * height == 0  # NaN is none and stays
    return jnp.where(is_point, 0, jnp.arctan2(width, jnp.where(is_point, 1, height)))
