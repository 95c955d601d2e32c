"""Images made brighter, and their channels shifted."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.core.errors import DataError, message
from nacre.core.interop import optional_import
from nacre.data.image_generators.affine import pair
from nacre.data.images import array_to_img, img_to_array

Array = np.ndarray[Any, Any]


def apply_channel_shift(x: Array, intensity: float, channel_axis: int = 0) -> Array:
    """A number added to all channels, within the range of colors that the image has.

    Args:
        x: The image.
        intensity: The number.
        channel_axis: Which axis the channels are; the same number goes to each.

    Example:
        >>> import numpy as np
        >>> apply_channel_shift(np.array([[[0.0, 5.0, 9.0]]]), 6.0).tolist()
        [[[6.0, 9.0, 9.0]]]
    """
    del channel_axis  # of tf.keras's signature
    image = np.asarray(x)
    return np.clip(image + intensity, image.min(), image.max())


def random_channel_shift(x: Array, intensity_range: float, channel_axis: int = 0) -> Array:
    """`apply_channel_shift` by a number drawn from -intensity_range to intensity_range.

    Args:
        x, channel_axis: See `apply_channel_shift`.
        intensity_range: The largest number.
    """
    intensity = np.random.uniform(-intensity_range, intensity_range)
    return apply_channel_shift(x, intensity, channel_axis)


def apply_brightness_shift(
    x: Array, brightness: float, scale: bool = True, *, data_format: str | None = None
) -> Array:
    """An image whose colors are multiplied by a number, as whole numbers from 0 to 255.

    Args:
        x: The image.
        brightness: The number: 0 is black, 1 the image itself.
        scale: Whether colors are stretched to 0 to 255 before. Else they must be such.
        data_format: Whether channels are the last axis of `x`, or the first;
            `nacre.config.image_data_format()` by default.

    Shapes:
        returns  the shape of `x`, floatx, whole numbers from 0 to 255

    Raises:
        DataError: Without `scale`, colors that are not from 0 to 255, such as those divided by
            255: tf.keras makes black images of them.

    Example:
        >>> import numpy as np
        >>> apply_brightness_shift(np.full((1, 1, 3), 100.0), 1.2, scale=False).tolist()
        [[[120.0, 120.0, 120.0]]]
    """
    who = "apply_brightness_shift"
    enhance: Any = optional_import("PIL.ImageEnhance", extra="plot", who=who)
    image = np.asarray(x)
    if not scale:
        _require_colors(who, image)
        image = np.clip(image, 0, 255)  # splines overshoot
    picture = array_to_img(image, data_format=data_format, scale=scale)
    return img_to_array(enhance.Brightness(picture).enhance(brightness), data_format=data_format)


def random_brightness(x: Array, brightness_range: Any, scale: bool = True) -> Array:
    """`apply_brightness_shift` by a number drawn from a range.

    Args:
        x, scale: See `apply_brightness_shift`.
        brightness_range: (least, most), such as (0.5, 1.5).

    Raises:
        ArgumentError: `brightness_range` is no pair.
    """
    least, most = pair("random_brightness", "brightness_range", brightness_range, "(0.5, 1.5)")
    return apply_brightness_shift(x, np.random.uniform(least, most), scale)


def _require_colors(who: str, image: Array) -> None:
    if not image.size:
        return
    least, most = float(image.min()), float(image.max())
    are_shares = most <= 1 and bool((np.abs(image - np.rint(image)) > 1e-3).any())
    if are_shares or -least > max(0.5, most / 4):
        rule = "brightness needs colors from 0 to 255"
        fix = (
            "Divide by 255 afterwards: ImageDataGenerator(rescale=1/255) does so to images that "
            "have been changed."
        )
        raise DataError(message(who, rule, f"{least:g} to {most:g}", fix))


__all__ = [
    "apply_brightness_shift",
    "apply_channel_shift",
    "random_brightness",
    "random_channel_shift",
]
