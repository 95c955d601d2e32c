"""Pictures in files and as arrays, by Pillow.

A picture is an array of (height, width, channels), or of (channels, height, width) where the data
format says so: 1 channel is grey, 3 are red, green and blue, and the fourth is how opaque it is.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.core.atomic import refuse_non_file, target_path, write_file
from nacre.core.config import floatx, standardize_data_format
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.interop import optional_import
from nacre.core.kinds import is_int
from nacre.core.numbers import is_whole
from nacre.core.warning import warn
from nacre.data.streams import missing

if TYPE_CHECKING:
    from PIL import Image

# As tf.keras names them; Pillow's `Resampling` has the same names in capitals.
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_MODE_OF_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}
_WIDE_GREYS = ("I;16", "I;16B", "I;16L", "I;16N", "I")  # more than 8 bits: kept, as in Keras


class PictureFileError(ArgumentError, OSError):
    """A file holds no whole picture; an OSError too, as Pillow's are, which scripts catch."""


def load_img(
    path: str | os.PathLike[str] | io.BytesIO,
    color_mode: str = "rgb",
    target_size: Sequence[int] | int | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Image.Image:
    """Open a picture as an image of Pillow.

    What a camera wrote about how it was held (EXIF) is not looked at, as in Keras:
    `PIL.ImageOps.exif_transpose` turns such a picture.

    Args:
        path: The file, or its bytes in a `BytesIO`. What Pillow reads: PNG, JPEG, BMP, GIF ...
        color_mode: 'rgb', 'rgba' or 'grayscale'. Grey pictures of 16 bits stay so where grey is
            asked for; for colours values above 255 are cut, as in Keras, which is told.
        target_size: (height, width) to resize to, or one number for both.
        interpolation: 'nearest', 'bilinear', 'bicubic', 'hamming', 'box' or 'lanczos'.
        keep_aspect_ratio: Whether the largest part around the centre that has the shape of
            `target_size` is resized, in place of the whole picture.

    Raises:
        MissingPackageError: Pillow is not installed.
        ArgumentError: An argument is none of these, or the file is no picture: then an OSError
            too, as Pillow's are.
        FileNotFoundError: There is no such file.

    Example:
        >>> import io, numpy as np
        >>> file = io.BytesIO()
        >>> save_img(file, np.zeros((4, 6, 3)), file_format="png")
        >>> load_img(file, target_size=(2, 3)).size  # Pillow's sizes are (width, height)
        (3, 2)
    """
    who = "load_img"
    pil_image = optional_import("PIL.Image", extra="plot", who=who)
    _require(who, "color_mode", color_mode, tuple(_MODES))
    _require(who, "interpolation", interpolation, INTERPOLATIONS)
    size = None if target_size is None else image_size(who, "target_size", target_size)
    if not isinstance(path, str | os.PathLike | io.BytesIO):
        rule = "path must be the name of a file, or a BytesIO"
        raise ArgumentError(message(who, rule, type(path).__name__))
    image = opened(path, pil_image, who)
    if not (color_mode == "grayscale" and image.mode in _WIDE_GREYS):
        _warn_of_cut_values(image, color_mode, who)
        image = _with_mode(image, _MODES[color_mode])
    if size is None or (image.height, image.width) == size:
        return image
    resample = getattr(pil_image.Resampling, interpolation.upper())
    box = _central_box(image.height, image.width, size) if keep_aspect_ratio else None
    return image.resize((size[1], size[0]), resample, box=box)


def opened(path: str | os.PathLike[str] | io.BytesIO, pil_image: Any, who: str) -> Image.Image:
    """A picture as its file has it, read whole.

    Raises:
        PictureFileError: It is no picture; the file is named.
        MissingDataFileError: There is no file.
    """
    if isinstance(path, io.BytesIO):
        return image_of(path.getvalue(), "its bytes", pil_image, who)
    return image_of(read_file(path, who), repr(os.fspath(path)), pil_image, who)


def read_file(path: str | os.PathLike[str], who: str) -> bytes:
    """What stands in a file.

    Raises:
        MissingDataFileError: There is no file.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise missing(os.fspath(path), who) from None


def image_of(
    data: bytes, name: str, pil_image: Any, who: str, *, prefers_grey: bool = False
) -> Image.Image:
    """The picture of bytes, decoded whole.

    Args:
        data: The bytes.
        name: What they are called in an error.
        pil_image: The module `PIL.Image`.
        who: Who asks, for messages.
        prefers_grey: Of a JPEG in colors only the brightness is decoded.

    Raises:
        PictureFileError: They are no picture.
    """
    try:
        image = pil_image.open(io.BytesIO(data))
        if prefers_grey:
            image.draft("L", None)
        image.load()  # now, where the file can be named
    except pil_image.UnidentifiedImageError:  # its words name an object of ours, not the file
        raise PictureFileError(_not_a_picture(who, f"{name}, which is of no such kind")) from None
    except (OSError, SyntaxError, ValueError, pil_image.DecompressionBombError) as error:
        raise PictureFileError(_not_a_picture(who, f"{name}: {error}")) from None
    return image


def _not_a_picture(who: str, got: str) -> str:
    rule = "the file must hold a whole picture of a kind that Pillow reads"
    return message(who, rule, got)


def _warn_of_cut_values(image: Image.Image, color_mode: str, who: str) -> None:
    if image.mode in _WIDE_GREYS and np.asarray(image).max(initial=0) > 255:
        rule = f"values above 255 are cut to 255 for color_mode={color_mode!r}"
        fix = "Take color_mode='grayscale', which keeps them, and repeat its channel where needed."
        warn(message(who, rule, "a grey picture of more than 8 bits with such values", fix))


def _with_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def _central_box(height: int, width: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(left, upper, right, lower) of the largest part in the middle with the shape of `size`."""
    part_height = min(height, (width * size[0]) // size[1]) or 1
    part_width = min(width, (height * size[1]) // size[0]) or 1
    top, left = (height - part_height) // 2, (width - part_width) // 2
    return left, top, left + part_width, top + part_height


def img_to_array(
    img: Any, data_format: str | None = None, dtype: Any = None
) -> np.ndarray[Any, Any]:
    """An image of Pillow as an array.

    Args:
        img: The image, or an array of (height, width) or with channels.
        data_format: 'channels_last' or 'channels_first'; `nacre.config.image_data_format()` by
            default.
        dtype: Of the array, `nacre.config.floatx()` by default.

    Returns:
        (height, width, channels), or channels first; one channel where the image has none.

    Raises:
        ShapeError: It has other axes.

    Example:
        >>> import numpy as np
        >>> img_to_array(array_to_img(np.ones((4, 6, 1)))).shape
        (4, 6, 1)
    """
    who = "img_to_array"
    channels_first = standardize_data_format(data_format) == "channels_first"
    array = np.array(img, dtype=np.dtype(dtype or floatx()))
    if array.ndim == 2:
        return array[None] if channels_first else array[..., None]
    if array.ndim != 3:
        rule = "a picture has (height, width), or these and channels"
        raise ShapeError(message(who, rule, f"shape {array.shape}"))
    # Pillow's have their channels last; an array is taken as it is said to be.
    is_array = not hasattr(img, "mode")
    return array if is_array or not channels_first else np.moveaxis(array, 2, 0)


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Image.Image:
    """An array as an image of Pillow.

    Args:
        x: (height, width, channels) with 1, 3 or 4 channels, or channels first.
        data_format: 'channels_last' or 'channels_first'; `nacre.config.image_data_format()` by
            default.
        scale: Whether numbers are stretched so that the smallest becomes 0 and the largest 255.
            Else they are taken for 0 to 255; of one channel up to 2³¹, as a picture of 32 bits.
        dtype: Numbers are computed with, `nacre.config.floatx()` by default.

    Raises:
        MissingPackageError: Pillow is not installed.
        ShapeError: It has other axes, or another number of channels.
        ArgumentError: There are numbers that no picture holds: NaN, and without `scale` those
            outside of 0 to 255. Keras draws these as other colors.

    Example:
        >>> import numpy as np
        >>> image = array_to_img(np.linspace(0, 1, 24).reshape(2, 4, 3))
        >>> image.size, image.mode, image.getpixel((3, 1))
        ((4, 2), 'RGB', (232, 243, 255))
    """
    who = "array_to_img"
    pil_image = optional_import("PIL.Image", extra="plot", who=who)
    channels_first = standardize_data_format(data_format) == "channels_first"
    array = np.asarray(x, dtype=np.dtype(dtype or floatx()))
    if array.ndim != 3:
        rule = "one picture has the axes (height, width, channels)"
        fix = "Take one of a batch, x[0]; grey pictures need a channel, x[..., None]."
        raise ShapeError(message(who, rule, f"shape {array.shape}", fix))
    if channels_first:
        array = np.moveaxis(array, 0, 2)
    mode = _MODE_OF_CHANNELS.get(array.shape[2])
    if mode is None:
        rule = (
            f"a picture has 1, 3 or 4 channels, on the {'first' if channels_first else 'last'} axis"
        )
        raise ShapeError(message(who, rule, f"{array.shape[2]} of shape {np.shape(x)}"))
    if not np.isfinite(array).all():
        raise ArgumentError(message(who, "colors must be finite numbers", "nan or inf"))
    if scale and array.size:
        array = array - array.min()
        largest = array.max()
        array = array / largest * 255 if largest else array
    is_wide = mode == "L" and array.size > 0 and array.max() > 255
    least, most = (array.min(), array.max()) if array.size else (0, 0)
    # A hair outside comes from rounding.
    if not scale and (least < -0.5 or most >= (2.0**31 if is_wide else 255.5)):
        rule = "without scale=True colors are numbers from 0 to 255"
        fix = "Pass scale=True, or clip them: np.clip(x, 0, 255)."
        raise ArgumentError(message(who, rule, f"{least:g} to {most:g}", fix))
    array = array.astype("int32") if is_wide else np.clip(array, 0, 255).astype("uint8")
    return pil_image.fromarray(array[..., 0] if mode == "L" else array)


def save_img(
    path: str | os.PathLike[str] | io.BytesIO,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array as a picture: the whole file or nothing.

    Args:
        path: The file, whose ending says the format, or a `BytesIO`.
        x, data_format, scale: See `array_to_img`.
        file_format: 'png', 'jpeg' ... where the ending does not say it.
        kwargs: What Pillow's `Image.save` takes, such as `quality=90`.

    Raises:
        ArgumentError: Neither the ending nor `file_format` names a format that Pillow writes, or
            the folder is not there.

    Example:
        >>> import io, numpy as np
        >>> file = io.BytesIO()
        >>> save_img(file, np.zeros((4, 6, 3)), file_format="png")
        >>> file.getvalue()[1:4]
        b'PNG'
    """
    image = array_to_img(x, data_format=data_format, scale=scale)
    ending = "" if isinstance(path, io.BytesIO) else os.path.splitext(os.fspath(path))[1]
    wanted = (file_format or ending.lstrip(".")).lower()
    wanted = {"jpg": "jpeg", "tif": "tiff"}.get(wanted, wanted)
    if wanted == "jpeg" and image.mode == "RGBA":
        rule = "nothing is transparent in a JPEG; the fourth channel is left out"
        warn(message("save_img", rule, "4 channels", "Write a PNG, or x[..., :3]."))
        image = image.convert("RGB")
    content = io.BytesIO()
    try:
        image.save(content, format=wanted or "no format", **kwargs)
    except (KeyError, ValueError, OSError) as error:
        rule = "the ending of the file, or file_format, must name a format for such a picture"
        got = f"{path!r}, file_format={file_format!r}, mode {image.mode}: {error}"
        fix = "Call it picture.png, or pass file_format='png'."
        raise ArgumentError(message("save_img", rule, got, fix)) from None
    if isinstance(path, io.BytesIO):
        path.write(content.getvalue())
        return
    target = target_path(path, "save_img")
    refuse_non_file(target, "save_img")
    write_file(target, content.getvalue())


def image_size(who: str, name: str, given: Any) -> tuple[int, int]:
    """(height, width) as two whole numbers; one number is both.

    Raises:
        ArgumentError: It is something else.
    """
    pair = (given, given) if is_int(given) else given
    if not isinstance(pair, Sequence) or len(pair) != 2 or not all(map(is_whole, pair)):
        rule = f"{name} must be (height, width), two whole numbers from 1 on"
        raise ArgumentError(message(who, rule, repr(given)[:60]))
    return int(pair[0]), int(pair[1])


def _require(who: str, name: str, given: Any, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise ArgumentError(
            message(who, f"{name} must be one of {', '.join(allowed)}", repr(given))
        )


__all__ = [
    "INTERPOLATIONS",
    "array_to_img",
    "image_of",
    "image_size",
    "img_to_array",
    "load_img",
    "opened",
    "read_file",
    "save_img",
]
