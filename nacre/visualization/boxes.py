"""Bounding boxes on images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.interop import optional_import
from nacre.ops.boxes import convert_format
from nacre.visualization.pixels import Pixels, array_of, color_of, in_layout, pixels_of

_LETTERS = 11.0  # height of letters in pixels at font_scale=1


def draw_bounding_boxes(
    images: Any,
    bounding_boxes: Mapping[str, Any],
    bounding_box_format: str,
    class_mapping: Mapping[int, str] | None = None,
    color: Any = (128, 128, 128),
    line_thickness: int = 2,
    text_thickness: int = 1,
    font_scale: float = 1.0,
    data_format: str | None = None,
) -> Any:
    """Images with their boxes drawn on them.

    Args:
        images: Numbers from 0 to 255. Fractions between 0 and 1 alone are taken for shares of full
            colour, with a warning.
        bounding_boxes: A dict of 'boxes', and where they have them 'labels' and 'confidences'.
            Boxes with the label -1 are padding and not drawn.
        bounding_box_format: 'xyxy' and the others of `nacre.utils.bounding_boxes.convert_format`.
        class_mapping: Label -> name. With it each box shows its name (its label where there is
            none) and its confidence; without it no text is drawn.
        color: Red, green, blue from 0 to 255.
        line_thickness: Of boxes, in pixels.
        text_thickness: Of letters, in pixels.
        font_scale: Size of letters; at 1 they are 11 pixels high.
        data_format: 'channels_last' or 'channels_first'; None for `image_data_format()`.

    Shapes:
        images    (images, height, width, channels), 1, 3 or 4 channels
        boxes     (images, boxes, 4)
        labels, confidences    (images, boxes)
        returns   (images, height, width, 3)    uint8, NumPy; in the layout of the images
    Raises:
        ArgumentError: An argument breaks its rule.
        MissingPackageError: Pillow is not installed.
        ShapeError: Images and boxes do not fit.
    Source:
        Keras 3.15, which draws with OpenCV. Differs: drawn with Pillow; fractions are not black.
    Example:
        >>> import numpy as np
        >>> boxes = {"boxes": [[[2.0, 2.0, 6.0, 6.0]]], "labels": [[0]]}
        >>> images, red = np.zeros((1, 8, 8, 3)), (255, 0, 0)
        >>> drawn = draw_bounding_boxes(images, boxes, "xyxy", color=red, line_thickness=1)
        >>> drawn[0, 2, 4].tolist(), drawn[0, 4, 4].tolist()
        ([255, 0, 0], [0, 0, 0])
    """
    who = "draw_bounding_boxes"
    pixels = pixels_of(images, who, data_format)
    drawn = drawn_boxes(
        pixels, bounding_boxes, bounding_box_format, class_mapping, color, line_thickness,
        text_thickness, font_scale, who,
    )  # fmt: skip
    return in_layout(drawn, data_format, who)


def drawn_boxes(
    pixels: Pixels,
    bounding_boxes: Mapping[str, Any],
    bounding_box_format: str,
    class_mapping: Mapping[int, str] | None,
    color: Any,
    line_thickness: int,
    text_thickness: int,
    font_scale: float,
    who: str,
    is_below: bool = False,
) -> Pixels:
    """The same on pixels, of which a copy is made; `is_below` says where names stand."""
    found, labels, confidences = _checked(pixels, bounding_boxes, bounding_box_format, who)
    paint = color_of(color, who)
    _check_size(line_thickness, "line_thickness", who)
    _check_size(text_thickness, "text_thickness", who)
    _check_size(font_scale, "font_scale", who)
    images = optional_import("PIL.Image", extra="plot", who=who)
    drawing = optional_import("PIL.ImageDraw", extra="plot", who=who)
    fonts = optional_import("PIL.ImageFont", extra="plot", who=who)
    font = fonts.load_default(_LETTERS * font_scale * 1.35) if class_mapping is not None else None
    drawn = np.array(pixels)
    for number, image in enumerate(pixels):
        picture = images.fromarray(np.ascontiguousarray(image))
        pen = drawing.Draw(picture)
        texts: list[tuple[float, float, str]] = []
        for place, box in enumerate(found[number]):
            label = None if labels is None else int(labels[number, place])
            if label == -1 or not np.all(np.isfinite(box)):
                continue
            left, top, right, bottom = (float(edge) for edge in box)
            # The box's edges are between pixels: its last column is the one before its right edge.
            corners = (round(left), round(top), round(right) - 1, round(bottom) - 1)
            if corners[2] >= corners[0] and corners[3] >= corners[1]:
                pen.rectangle(corners, outline=paint, width=int(line_thickness))
            if class_mapping is not None:
                text = _name(class_mapping, label)
                if confidences is not None:
                    text = f"{text} {float(confidences[number, place]):.2f}".strip()
                texts.append((left, bottom if is_below else top, text))
        for left, edge, text in texts:  # after all boxes, or their lines would cross them
            _write(pen, picture, left, edge, is_below, text, paint, font, int(text_thickness) - 1)
        drawn[number] = np.asarray(picture)
    return drawn


def _name(class_mapping: Mapping[int, str], label: int | None) -> str:
    return "" if label is None else str(class_mapping.get(label, label))


def _write(
    pen: Any,
    picture: Any,
    left: float,
    edge: float,
    is_below: bool,
    text: str,
    paint: Any,
    font: Any,
    stroke: int,
) -> None:
    """A label beyond an edge of its box, on its colour; within the image."""
    if not text:
        return
    _, _, width, height = pen.textbbox((0, 0), text, font=font, stroke_width=stroke)
    x = min(max(round(left), 0), max(picture.width - width - 4, 0))
    y = round(edge) if is_below else round(edge) - height - 4
    y = min(max(y, 0), max(picture.height - height - 4, 0))
    pen.rectangle((x, y, x + width + 3, y + height + 3), fill=paint)
    is_bright = 0.299 * paint[0] + 0.587 * paint[1] + 0.114 * paint[2] > 140
    ink = (0, 0, 0) if is_bright else (255, 255, 255)
    pen.text((x + 2, y + 1), text, fill=ink, font=font, stroke_width=stroke)


def _checked(
    pixels: Pixels, bounding_boxes: Mapping[str, Any], bounding_box_format: str, who: str
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Boxes in pixels as (left, top, right, bottom), labels and confidences."""
    if not isinstance(bounding_boxes, Mapping) or "boxes" not in bounding_boxes:
        rule = "bounding_boxes must be a dict with 'boxes' and 'labels'"
        got = list(bounding_boxes) if isinstance(bounding_boxes, Mapping) else bounding_boxes
        fix = "Pass {'boxes': boxes, 'labels': labels}."
        raise ArgumentError(message(who, rule, f"{got!r:.80}", fix))
    given = array_of(bounding_boxes["boxes"], who).astype("float32")
    if given.ndim != 3 or given.shape[0] != len(pixels) or given.shape[-1] != 4:
        rule = f"boxes must have shape ({len(pixels)}, boxes, 4), the first axis that of the images"
        raise ShapeError(message(who, rule, f"shape {given.shape}"))
    height, width = pixels.shape[1:3]
    found = np.asarray(convert_format(given, bounding_box_format, "xyxy", height, width))
    others: list[np.ndarray | None] = []
    for name in ("labels", "confidences"):
        value = bounding_boxes.get(name)
        array = None if value is None else array_of(value, who)
        if array is not None and array.shape != given.shape[:2]:
            rule = f"{name} must have shape {given.shape[:2]}, one for each box"
            raise ShapeError(message(who, rule, f"shape {array.shape}"))
        others.append(array)
    return found, others[0], others[1]


def _check_size(value: Any, name: str, who: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ArgumentError(message(who, f"{name} must be a number over 0", repr(value)))


__all__ = ["draw_bounding_boxes", "drawn_boxes"]
