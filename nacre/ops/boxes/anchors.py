"""Anchors: the boxes that a detector starts from, and which true box each of them is to find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.tracing import is_tracer
from nacre.ops.boxes.coding import encode_box_to_deltas
from nacre.ops.boxes.formats import convert_format, known_format, to_edges
from nacre.ops.boxes.overlap import compute_iou

_BACKGROUND, _BETWEEN = -1, -2


def generate_anchors(
    image_shape: Sequence[int],
    strides: int | Sequence[int],
    sizes: float | Sequence[float],
    aspect_ratios: Sequence[float] = (1.0,),
    scales: Sequence[float] = (1.0,),
    bounding_box_format: str = "xyxy",
) -> Any:
    """Boxes of chosen sizes and shapes around the middle of each cell of one or more grids.

    Args:
        image_shape: (height, width) of the image, or (height, width, channels).
        strides: Pixels between the cells of each grid: the image's size over that of the features.
            A grid has `ceil(size / stride)` cells a side, as convolutions and pooling with
            `padding="same"` leave.
        sizes: Side of the square anchor of each grid, in pixels; one for each stride.
        aspect_ratios: Width over height. The area stays that of the square.
        scales: Factors for both sides; each is combined with each ratio.
        bounding_box_format: See `convert_format`.
    Shapes:
        returns   (anchors, 4), float32: grid by grid, then row by row, cell by cell; the anchors of
            one cell are next to each other, all scales of the first ratio first. So features
            (batch, rows, columns, anchors of a cell · n), reshaped to (batch, -1, n), fit them.
    Raises:
        ArgumentError: Strides and sizes are not of one number, or a number is not positive.
    Source:
        Ren et al. 2015, arXiv:1506.01497, section 3.1; several grids as Lin et al. 2017,
        arXiv:1708.02002. Anchors may reach over the image's borders.
    Example:
        >>> generate_anchors((4, 8), strides=4, sizes=4).tolist()
        [[0.0, 0.0, 4.0, 4.0], [4.0, 0.0, 8.0, 4.0]]
        >>> generate_anchors((64, 64), (8, 16), (12, 24), aspect_ratios=(0.5, 1, 2)).shape
        (240, 4)
    """
    who = "generate_anchors"
    name = known_format(who, bounding_box_format)
    height, width = (int(side) for side in tuple(image_shape)[:2])
    steps = np.atleast_1d(np.asarray(strides))
    sides = np.atleast_1d(np.asarray(sizes, "float32"))
    if steps.shape != sides.shape:
        got = f"{len(steps)} strides and {len(sides)} sizes"
        raise ArgumentError(message(who, "each stride must have one size", got))
    ratios, factors = np.asarray(aspect_ratios, "float32"), np.asarray(scales, "float32")
    for what, numbers in (
        ("image_shape", (height, width)),
        ("strides", steps),
        ("sizes", sides),
        ("aspect_ratios", ratios),
        ("scales", factors),
    ):
        if not np.size(numbers) or not np.all(np.asarray(numbers) > 0):
            got = str(np.asarray(numbers).tolist())
            raise ArgumentError(message(who, f"{what} must be positive numbers", got))
    if not np.all(steps == np.floor(steps)):
        raise ArgumentError(message(who, "strides must be whole numbers", str(steps.tolist())))
    grids = [
        _grid(height, width, int(step), float(side), ratios, factors)
        for step, side in zip(steps, sides, strict=True)
    ]
    return convert_format(np.concatenate(grids), "center_xywh", name, height, width)


def _grid(
    height: int, width: int, stride: int, size: float, ratios: np.ndarray, scales: np.ndarray
) -> np.ndarray:
    """Anchors of one grid, (rows · columns · ratios · scales, 4), as 'center_xywh'."""
    rows, columns = -(-height // stride), -(-width // stride)
    y = (np.arange(rows) + 0.5) * stride
    x = (np.arange(columns) + 0.5) * stride
    widths = (np.sqrt(ratios)[:, None] * scales * size).reshape(-1)
    heights = (scales / np.sqrt(ratios)[:, None] * size).reshape(-1)
    found = np.empty((rows, columns, len(widths), 4), "float32")
    found[..., 0], found[..., 1] = x[None, :, None], y[:, None, None]
    found[..., 2], found[..., 3] = widths, heights
    return found.reshape(-1, 4)


def match_anchors(
    anchors: Any,
    boxes: Any,
    bounding_box_format: str,
    labels: Any = None,
    foreground_iou: float = 0.5,
    background_iou: float = 0.4,
    every_box: bool = True,
) -> Any:
    """Which box each anchor is to find: that with which it overlaps most, if it does enough.

    Args:
        anchors: (anchors, 4).
        boxes: (boxes, 4) or (batch, boxes, 4).
        bounding_box_format: Of both; see `convert_format`.
        labels: (boxes,) or (batch, boxes); a box with a negative label is padding. Without them
            a box without area is.
        foreground_iou: From this intersection over union on an anchor belongs to the box.
        background_iou: Below it with every box, an anchor is background.
        every_box: Whether a box that no anchor overlaps enough gets the free anchor that overlaps
            it most. Where several boxes want one anchor, that which overlaps it most has it and the
            others take their next. A box that touches no free anchor stays without.
    Shapes:
        returns   (anchors,) or (batch, anchors), int32: the index of a box; -1 for background; -2
            for an anchor between the two limits, which training should leave out
    Raises:
        ArgumentError: The limits are not 0 <= background_iou <= foreground_iou <= 1, or a box with
            a label has its right edge before its left one (another format) or is NaN.
    Source:
        Limits: Lin et al. 2017, arXiv:1708.02002, section 4.1; an anchor for each box: Liu et al.
        2016, arXiv:1512.02325, section 2.2.
    Example:
        >>> anchors = [[0, 0, 4, 4], [4, 0, 8, 4], [0, 4, 4, 8]]
        >>> match_anchors(anchors, [[4, 0, 8, 3], [0, 6, 2, 8]], "xyxy").tolist()
        [-1, 0, 1]
    """
    who = "match_anchors"
    if not 0 <= background_iou <= foreground_iou <= 1:
        rule = "limits must be 0 <= background_iou <= foreground_iou <= 1"
        got = f"background_iou={background_iou}, foreground_iou={foreground_iou}"
        raise ArgumentError(message(who, rule, got))
    iou = compute_iou(boxes, anchors, bounding_box_format)  # (..., boxes, anchors)
    if not iou.shape[-2]:
        return jnp.full((*iou.shape[:-2], iou.shape[-1]), _BACKGROUND, "int32")
    if labels is not None:
        labels = jnp.asarray(labels)
        if labels.shape != iou.shape[:-1]:
            rule = f"labels must have shape {iou.shape[:-1]}, one for each box"
            raise ShapeError(message(who, rule, f"shape {labels.shape}"))
        _refuse_no_boxes(who, boxes, labels, bounding_box_format)
        iou = jnp.where(labels[..., None] >= 0, iou, 0.0)
    iou = jax.lax.stop_gradient(jnp.where(iou > 0, iou, 0.0))  # a box of NaN overlaps nothing
    best = jnp.max(iou, axis=-2)
    found = jnp.argmax(iou, axis=-2).astype("int32")
    found = jnp.where(best >= foreground_iou, found, _BETWEEN)
    found = jnp.where((best >= background_iou) & (best > 0), found, _BACKGROUND)
    if not every_box:
        return found
    claimed = _claimed if iou.ndim == 2 else jax.vmap(_claimed)
    owner = claimed(iou, found)
    return jnp.where(owner >= 0, owner, found)


def _refuse_no_boxes(who: str, boxes: Any, labels: Any, bounding_box_format: str) -> None:
    """Boxes read in another format overlap nothing: a detector would learn that nothing is there.

    Within a compiled program values are not known.
    """
    if is_tracer(boxes) or is_tracer(labels):
        return
    given = np.asarray(boxes, "float64")[np.asarray(labels) >= 0]
    left, top, right, bottom = to_edges(given, bounding_box_format.removeprefix("rel_"))
    wrong = ~((right >= left) & (bottom >= top))  # also where one is NaN
    if wrong.any():
        raise ArgumentError(
            message(
                who,
                "right and bottom edges of boxes must not be before left and top ones",
                f"the box {given[wrong][0].tolist()} read as {bounding_box_format!r}",
                "Give the boxes' format as bounding_box_format, and padding the label -1.",
            )
        )


def _claimed(iou: Any, found: Any) -> Any:
    """Anchors of boxes that no anchor found: (anchors,), the box or -1.

    In each turn every box that waits asks for the best of the anchors that nobody claimed, and of
    those that ask for one anchor the box with the largest overlap has it.
    """
    count, anchors = iou.shape
    boxes = jnp.arange(count, dtype="int32")
    own_iou = jnp.where(found[None, :] == boxes[:, None], iou, 0.0)
    has_anchor = jnp.max(own_iou, axis=-1) > 0
    waits = ~has_anchor & (jnp.max(iou, axis=-1) > 0)
    # The best anchor that a box found is not taken from it by another.
    free = jnp.ones((anchors,), iou.dtype).at[jnp.argmax(own_iou, axis=-1)].min(1.0 - has_anchor)

    def turn(state: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        waits, free, owner = state
        open_iou = jnp.where(waits[:, None], iou * free, 0.0)
        wanted = jnp.argmax(open_iou, axis=-1)
        strength = jnp.max(open_iou, axis=-1)
        waits = waits & (strength > 0)
        asks = jnp.where(waits, strength, 0.0)
        table = jnp.zeros((count, anchors), iou.dtype).at[boxes, wanted].set(asks)
        winner = jnp.argmax(table, axis=0).astype("int32")
        is_won = jnp.max(table, axis=0) > 0
        has_won = waits & is_won[wanted] & (winner[wanted] == boxes)
        owner = jnp.where(is_won, winner, owner)
        return waits & ~has_won, jnp.where(is_won, 0.0, free), owner

    start = (waits, free, jnp.full((anchors,), -1, "int32"))
    return jax.lax.while_loop(lambda state: jnp.any(state[0]), turn, start)[2]


def anchor_targets(
    anchors: Any,
    boxes: Any,
    labels: Any,
    bounding_box_format: str,
    foreground_iou: float = 0.5,
    background_iou: float = 0.4,
    variance: Any = None,
    encoding_format: str = "center_yxhw",
) -> dict[str, Any]:
    """What a detector is to predict at each anchor, ready for a loss.

    Args:
        anchors: (anchors, 4).
        boxes: (boxes, 4) or (batch, boxes, 4).
        labels: (boxes,) or (batch, boxes); a box with the label -1 is padding.
        bounding_box_format: Of both; see `convert_format`.
        foreground_iou, background_iou: See `match_anchors`; every box gets an anchor.
        variance, encoding_format: See `encode_box_to_deltas`.
    Shapes:
        returns   'deltas' (..., anchors, 4), float32, zeros where no box is; 'labels'
            (..., anchors), int32: that of the box, -1 for background, -2 for an anchor to leave out
    Example:
        >>> targets = anchor_targets([[0, 0, 4, 4], [4, 0, 8, 4]], [[2, 0, 6, 4]], [7], "xyxy")
        >>> targets["labels"].tolist(), targets["deltas"].tolist()
        ([7, -1], [[0.0, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    """
    boxes, labels = jnp.asarray(boxes), jnp.asarray(labels)
    found = match_anchors(
        anchors, boxes, bounding_box_format, labels, foreground_iou, background_iou
    )
    is_box = found >= 0
    if not boxes.shape[-2]:
        return {"deltas": jnp.zeros((*found.shape, 4), "float32"), "labels": found}
    place = jnp.clip(found, 0)
    chosen = jnp.take_along_axis(boxes, place[..., None], axis=-2)
    # Where no box is stands the anchor itself: padding has no size, and its logarithm no value.
    anchors = jnp.asarray(anchors)
    chosen = jnp.where(is_box[..., None], chosen, anchors)
    deltas = encode_box_to_deltas(
        anchors, chosen, bounding_box_format, bounding_box_format, encoding_format, variance
    )
    names = jnp.take_along_axis(labels.astype("int32"), place, axis=-1)
    return {"deltas": deltas, "labels": jnp.where(is_box, names, found)}


__all__ = ["anchor_targets", "generate_anchors", "match_anchors"]
