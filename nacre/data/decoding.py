"""The pixels of image files as arrays of bytes, as the data sets of folders take them.

JPEG files are decoded by simplejpeg where it is installed, in half the time Pillow takes; both
stand on libjpeg-turbo, and the pixels are the same. What simplejpeg does not take as it is (a
damaged file, colors for printing) and all other kinds are read by Pillow.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from nacre.core.errors import MissingPackageError
from nacre.core.interop import optional_import
from nacre.data.images import image_of, read_file

Array = np.ndarray[Any, Any]

# As tf.keras names them, and as Pillow and simplejpeg do.
COLOR_MODES = {"grayscale": ("L", "GRAY"), "rgb": ("RGB", "RGB"), "rgba": ("RGBA", "RGBA")}
_JPEG = b"\xff\xd8\xff"  # ITU T.81, B.1.1.3: the marker SOI, and the beginning of the next
_PLAIN_COLORS = ("YCbCr", "Gray")  # of JPEG files; others are not converted alike


def decoded(path: str, color_mode: str, who: str) -> Array:
    """The pixels of a file, uint8: (height, width, channels).

    Grey of 16 bits keeps its upper 8. The grey of a JPEG file in colors is the brightness that
    stands in it.

    Args:
        path: The file.
        color_mode: 'rgb', 'rgba' or 'grayscale'.
        who: Who asks, for messages.

    Raises:
        PictureFileError: It is no picture; the file is named.
        MissingDataFileError: There is no file.
        MissingPackageError: Pillow is not installed.
    """
    pil_image = optional_import("PIL.Image", extra="plot", who=who)
    mode, colors = COLOR_MODES[color_mode]
    data = read_file(path, who)
    if data.startswith(_JPEG):
        pixels = _decoded_jpeg(data, colors, pil_image.MAX_IMAGE_PIXELS)
        if pixels is not None:
            return pixels
    image = image_of(data, repr(path), pil_image, who, prefers_grey=mode == "L")
    if image.mode.startswith("I"):
        image = pil_image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:  # else Pillow warns
        image = image.convert("RGBA")
    if image.mode != mode:
        image = image.convert(mode)
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _decoded_jpeg(data: bytes, colors: str, most_pixels: int | None) -> Array | None:
    """The pixels of a JPEG file, or None where Pillow is to read it.

    Args:
        colors: What simplejpeg calls those that are asked for.
        most_pixels: Pillow has something to say of larger pictures.
    """
    simplejpeg = _simplejpeg()
    if simplejpeg is None:
        return None
    try:
        height, width, own_colors, _ = simplejpeg.decode_jpeg_header(data)
        if own_colors not in _PLAIN_COLORS or (most_pixels and height * width > most_pixels):
            return None
        # As Pillow asks libjpeg to decode: whole numbers exactly, colors between pixels smoothed.
        return simplejpeg.decode_jpeg(data, colors, fastdct=False, fastupsample=False, strict=True)
    except ValueError:  # Pillow knows better what, and whether it can be read all the same
        return None


@cache
def _simplejpeg() -> Any:
    try:
        return optional_import("simplejpeg", extra="jpeg", who="nacre.data")
    except MissingPackageError:
        return None


__all__ = ["COLOR_MODES", "decoded"]
