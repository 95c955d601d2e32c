"""Masks of segmentation on images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DTypeError, ShapeError, message
from nacre.visualization.pixels import (
    Pixels,
    array_of,
    color_of,
    in_layout,
    is_channels_first,
    pixels_of,
)


def draw_segmentation_masks(
    images: Any,
    segmentation_masks: Any,
    num_classes: int | None = None,
    color_mapping: Mapping[int, Any] | None = None,
    alpha: float = 0.8,
    blend: bool = True,
    ignore_index: int = -1,
    data_format: str | None = None,
) -> Any:
    """Images with the classes of their pixels in colours.

    Args:
        images: Numbers from 0 to 255. Fractions between 0 and 1 alone are taken for shares of full
            colour, with a warning.
        segmentation_masks: The class of each pixel, a whole number.
        num_classes: Classes from 0 to below it are drawn; None for all in the masks.
        color_mapping: Class -> (red, green, blue); other classes are not drawn then. By default
            class 0 is black and the others have colours far from each other.
        alpha: How opaque the colours are, from 0 to 1.
        blend: Whether the image shines through; else the colours are opaque.
        ignore_index: A class that is not drawn.
        data_format: 'channels_last' or 'channels_first'; None for `image_data_format()`.

    Shapes:
        images                (images, height, width, channels), 1, 3 or 4 channels
        segmentation_masks    (images, height, width), or with an axis of size 1 for the channel
        returns               (images, height, width, 3)    uint8, NumPy; in the images' layout
    Raises:
        ArgumentError: An argument breaks its rule.
        DTypeError: Masks hold no whole numbers.
        ShapeError: Images and masks do not fit.
    Source:
        Keras 3.15, with its colours. Differs: all classes of `color_mapping` are drawn without
        `num_classes` too; results are uint8 without `blend` too; fractions are not black.
    Example:
        >>> import numpy as np
        >>> masks = np.array([[[0, 1], [-1, 0]]])
        >>> drawn = draw_segmentation_masks(np.full((1, 2, 2, 3), 100), masks, alpha=0.5)
        >>> drawn[0].tolist()
        [[[50, 50, 50], [50, 113, 65]], [[100, 100, 100], [50, 50, 50]]]
    """
    who = "draw_segmentation_masks"
    pixels = pixels_of(images, who, data_format)
    masks = masks_of(segmentation_masks, pixels, data_format, who)
    drawn = drawn_masks(pixels, masks, num_classes, color_mapping, alpha, blend, ignore_index, who)
    return in_layout(drawn, data_format, who)


def masks_of(masks: Any, pixels: Pixels, data_format: str | None, who: str) -> np.ndarray:
    """Masks (images, height, width).

    Raises:
        DTypeError: They hold no whole numbers.
        ShapeError: They have not the images' sizes.
    """
    array = array_of(masks, who)
    wanted = pixels.shape[:3]
    if array.dtype.kind not in "biu":
        fix = "Take the class of each pixel first: masks.argmax(-1)."
        rule = "segmentation_masks must hold whole numbers, the class of each pixel"
        raise DTypeError(message(who, rule, f"dtype {array.dtype}, shape {array.shape}", fix))
    if array.ndim == 4 and array.shape != (*wanted, 1) and is_channels_first(data_format, who):
        array = np.moveaxis(array, 1, -1)
    if array.shape == (*wanted, 1):
        array = array[..., 0]
    if array.shape != wanted:
        rule = f"segmentation_masks must have shape {wanted} or {(*wanted, 1)}, as the images have"
        raise ShapeError(message(who, rule, f"shape {array.shape}"))
    return array


def drawn_masks(
    pixels: Pixels,
    masks: np.ndarray,
    num_classes: int | None,
    color_mapping: Mapping[int, Any] | None,
    alpha: float,
    blend: bool,
    ignore_index: int,
    who: str,
) -> Pixels:
    """Pixels with masks in colours; a copy."""
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 <= alpha <= 1:
        raise ArgumentError(message(who, "alpha must be from 0 to 1", repr(alpha)))
    if num_classes is not None and (isinstance(num_classes, bool) or num_classes < 1):
        raise ArgumentError(message(who, "num_classes must be at least 1", repr(num_classes)))
    share = float(alpha) if blend else 1.0
    drawn = np.array(pixels)
    for label in np.unique(masks):
        number = int(label)
        if number == ignore_index:
            continue
        if color_mapping is not None:
            if number not in color_mapping:
                continue
            color = color_of(color_mapping[number], who, f"color_mapping[{number}]")
        elif number < 0 or (num_classes is not None and number >= num_classes):
            continue
        else:
            color = _color(number)
        where = masks == label
        mixed = np.asarray(color) * share + drawn[where] * (1 - share)
        drawn[where] = (mixed + 1e-6).astype(np.uint8)
    return drawn


def _color(label: int) -> tuple[int, int, int]:
    """Multiples of 2^25 - 1, 2^15 - 1 and 2^21 - 1 modulo 255, as Keras's colours are."""
    red, green, blue = (label * (2**power - 1) % 255 for power in (25, 15, 21))
    return red, green, blue


__all__ = ["draw_segmentation_masks", "drawn_masks", "masks_of"]
