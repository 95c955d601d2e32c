"""How bounding boxes move when the pixels of their image do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.ops.boxes.formats import CENTERED, convert_format, image_sides, known_format


def _absolute(who: str, boxes: Any, name: str, change: Callable[[Any], Any]) -> Any:
    """Change the edges of boxes in an absolute format; ints stay ints."""
    name = known_format(who, name)
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
    return changed.astype(boxes.dtype) if name not in CENTERED else changed


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
        lambda edges: jnp.clip(edges - start, 0, image_sides("crop", height, width)),
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
        >>> moved.round().tolist()
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
