"""Images as pixels: whole numbers from 0 to 255, the channels last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nacre.core import config
from nacre.core.errors import ArgumentError, DTypeError, ShapeError, message
from nacre.core.interop import to_numpy_if_foreign
from nacre.core.warning import warn

Pixels = np.ndarray[Any, np.dtype[np.uint8]]  # (images, height, width, 3)


def pixels_of(
    images: Any, who: str, data_format: str | None, value_range: Sequence[float] = (0, 255)
) -> Pixels:
    """A batch of images as pixels of three colours.

    Args:
        images: (images, height, width, channels), or with 'channels_first' the channels second;
            1 channel is grey, a fourth one (how opaque) is left out.
        who: Who draws, for messages.
        data_format: 'channels_last' or 'channels_first'; None for `image_data_format()`.
        value_range: What is black and what is full colour; values beyond are these. Fractions
            between 0 and 1 alone are taken for shares of full colour where the range is that of
            whole numbers: they would all be black.

    Raises:
        ArgumentError: The range or the format breaks its rule.
        DTypeError: They hold no numbers.
        ShapeError: They are no batch of images.
    """
    array = array_of(images, who)
    if array.dtype.kind not in "biufV":  # V: bfloat16 of ml_dtypes
        raise DTypeError(message(who, "images must hold numbers", f"dtype {array.dtype}"))
    if array.dtype.kind == "V":
        array = array.astype("float32")
    if array.ndim != 4:
        is_grey = array.ndim == 3 and array.shape[-1] not in (1, 3, 4)
        fix = "Pass images[..., None] for grey ones." if is_grey else "Pass images[None] for one."
        rule = "images must be a batch of shape (images, height, width, channels)"
        raise ShapeError(message(who, rule, f"shape {array.shape}", fix))
    if is_channels_first(data_format, who):
        array = np.moveaxis(array, 1, -1)
    channels = array.shape[-1]
    if channels not in (1, 3, 4):
        rule = "images must have 1, 3 or 4 channels"
        raise ShapeError(message(who, rule, f"{channels}", "Check data_format."))
    array = array[..., :3] if channels > 1 else np.repeat(array, 3, axis=-1)
    return _scaled(array, who, value_range)


def array_of(value: Any, who: str) -> np.ndarray:
    """An array of anybody's, or a list of them with one for each image, as NumPy's."""
    if isinstance(value, list | tuple):
        value = [to_numpy_if_foreign(each, who) for each in value]
    return np.asarray(to_numpy_if_foreign(value, who))


def is_channels_first(data_format: str | None, who: str) -> bool:
    """Whether the channels come before height and width.

    Raises:
        ArgumentError: The format is unknown.
    """
    name = config.image_data_format() if data_format is None else data_format
    if name not in ("channels_first", "channels_last"):
        rule = "data_format must be 'channels_last' or 'channels_first'"
        raise ArgumentError(message(who, rule, repr(name)))
    return name == "channels_first"


def _scaled(array: np.ndarray, who: str, value_range: Sequence[float]) -> Pixels:
    low, high = _range(value_range, who)
    if array.dtype.kind == "b":
        low, high = 0.0, 1.0
    elif (low, high) == (0.0, 255.0):
        if array.dtype == np.uint8:
            return array
        if _holds_shares(array):
            warn(
                f"{who}: images hold fractions between 0 and 1, which are taken for shares of full "
                "colour. Pass value_range=(0, 1), or images * 255 where there is no such argument."
            )
            low, high = 0.0, 1.0
    shares = (array.astype("float32") - low) / (high - low)
    # What is not finite has no colour; black is what it looks like elsewhere too.
    return (np.clip(np.nan_to_num(shares, posinf=1.0, neginf=0.0), 0, 1) * 255 + 1e-3).astype(
        np.uint8
    )


def _holds_shares(array: np.ndarray) -> bool:
    if array.dtype.kind != "f" or not array.size:
        return False
    finite = array[np.isfinite(array)]
    is_within = bool(finite.size) and float(finite.min()) >= 0 and float(finite.max()) <= 1
    return is_within and bool(np.any(finite != np.round(finite)))


def _range(value_range: Sequence[float], who: str) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in value_range)
    except (TypeError, ValueError):
        low, high = 0.0, 0.0
    if not low < high:
        rule = "value_range must be (lowest, highest)"
        raise ArgumentError(message(who, rule, repr(value_range), "Pass (0, 255) or (0, 1)."))
    return low, high


def color_of(color: Any, who: str, name: str = "color") -> tuple[int, int, int]:
    """Red, green, blue from 0 to 255.

    Raises:
        ArgumentError: They are not three such numbers.
    """
    try:
        values = tuple(int(part) for part in color)
    except (TypeError, ValueError):
        values = ()
    if len(values) != 3 or not all(0 <= part <= 255 for part in values):
        rule = f"{name} must be (red, green, blue), each from 0 to 255"
        raise ArgumentError(message(who, rule, repr(color)))
    return values[0], values[1], values[2]


def in_layout(pixels: Pixels, data_format: str | None, who: str) -> Pixels:
    """Pixels with their channels where those of the images are."""
    return np.moveaxis(pixels, -1, 1) if is_channels_first(data_format, who) else pixels


__all__ = ["Pixels", "array_of", "color_of", "in_layout", "is_channels_first", "pixels_of"]
