"""Of many boxes around one thing, the best."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.ops.boxes.formats import convert_format, known_format
from nacre.ops.boxes.overlap import area, intersection, ratio


def non_max_suppression(
    boxes: Any,
    scores: Any,
    bounding_box_format: str,
    max_detections: int = 100,
    iou_threshold: float = 0.5,
    score_threshold: float = 0.05,
) -> dict[str, Any]:
    """The boxes with the best scores, without those that overlap a better one of their class.

    The best score is taken, every box of the same class that overlaps its box by more than
    `iou_threshold` is dropped, and so on. Boxes of different classes do not drop each other, and a
    box may be found for several classes. The result has one shape whatever is found, so it compiles
    and goes to `nacre.visualization.draw_bounding_boxes` and `nacre.metrics.MeanAveragePrecision`
    as it is.

    Args:
        boxes: (boxes, 4) or (batch, boxes, 4).
        scores: One for each box, (..., boxes), or for each box and class, (..., boxes, classes), as
            probabilities. A score that is NaN counts as none.
        bounding_box_format: See `convert_format`.
        max_detections: Most boxes of an image.
        iou_threshold: Intersection over union up to which two boxes of a class both stay.
        score_threshold: Scores must be above it.
    Shapes:
        returns   'boxes' (..., max_detections, 4), 'labels' (..., max_detections), int32,
            'confidences' (..., max_detections), best first; after the last one found boxes are
            zeros, labels -1 and confidences 0
    Raises:
        ArgumentError: A limit is out of range.
        ShapeError: Boxes and scores do not fit.
    Example:
        >>> boxes = [[0, 0, 4, 4], [0, 0, 4, 3], [8, 8, 9, 9]]
        >>> found = non_max_suppression(boxes, [0.6, 0.9, 0.7], "xyxy", max_detections=3)
        >>> found["boxes"].tolist()
        [[0.0, 0.0, 4.0, 3.0], [8.0, 8.0, 9.0, 9.0], [0.0, 0.0, 0.0, 0.0]]
        >>> found["labels"].tolist()
        [0, 0, -1]
    """
    who = "non_max_suppression"
    name = known_format(who, bounding_box_format)
    if max_detections < 1 or not 0 <= iou_threshold <= 1:
        rule = "max_detections must be 1 or more and iou_threshold from 0 to 1"
        got = f"max_detections={max_detections}, iou_threshold={iou_threshold}"
        raise ArgumentError(message(who, rule, got))
    boxes, scores = jnp.asarray(boxes, "float32"), jnp.asarray(scores, "float32")
    if scores.shape == boxes.shape[:-1]:
        scores = scores[..., None]
    if scores.shape[:-1] != boxes.shape[:-1] or boxes.ndim not in (2, 3):
        rule = "boxes must have shape (boxes, 4) or (batch, boxes, 4), and scores one for each box"
        raise ShapeError(message(who, rule, f"shapes {boxes.shape} and {scores.shape}"))
    plain = "rel_xyxy" if name.startswith("rel_") else "xyxy"
    edges = convert_format(boxes, name, plain)

    def one_image(edges: Any, scores: Any) -> tuple[Any, Any, Any]:
        return _best(edges, scores, max_detections, iou_threshold, score_threshold)

    find = one_image if boxes.ndim == 2 else jax.vmap(one_image)
    places, labels, confidences = find(edges, scores)
    is_found = labels >= 0
    chosen = jnp.take_along_axis(boxes, places[..., None], axis=-2)
    return {
        "boxes": jnp.where(is_found[..., None], chosen, 0.0),
        "labels": labels,
        "confidences": jnp.where(is_found, confidences, 0.0),
    }


def _best(edges: Any, scores: Any, most: int, iou_limit: float, score_limit: float) -> Any:
    """Places, labels and scores of one image's boxes; labels are -1 after the last one found."""
    count, classes = scores.shape
    areas = area(edges)
    open_scores = jnp.where(scores > score_limit, scores, -jnp.inf)

    def turn(open_scores: Any, _: Any) -> tuple[Any, tuple[Any, Any, Any]]:
        at = jnp.argmax(open_scores)
        place, label = at // classes, at % classes
        score = open_scores[place, label]
        shared = intersection(edges[place], edges)
        overlaps = ratio(shared, areas[place] + areas - shared) > iou_limit
        dropped = overlaps | (jnp.arange(count) == place)
        column = jnp.where(dropped, -jnp.inf, open_scores[:, label])
        label = jnp.where(score > -jnp.inf, label, -1).astype("int32")
        return open_scores.at[:, at % classes].set(column), (place, label, score)

    if not count or not classes:
        nothing = jnp.zeros((most,), "int32")
        return nothing, nothing - 1, jnp.zeros((most,), open_scores.dtype)
    return jax.lax.scan(turn, open_scores, None, length=most)[1]


__all__ = ["non_max_suppression"]
