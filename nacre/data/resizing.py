"""Images of any size to one size, on the host: tf.image's rules without antialiasing, in NumPy.

Files of a folder have a thousand sizes, and a compiled program for each of them would take longer
than training. Each axis is resized on its own: a value of the result is a weighted sum of a few
neighbours, and the table of these (`_taps`) follows from two sizes alone.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from nacre.core.config import standardize_data_format
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.data.images import image_size
from nacre.ops.kernels import resizing_native
from nacre.ops.kernels.resampling import Kernel, cubic, gaussian, lanczos

Array = np.ndarray[Any, Any]
Taps = tuple[Array, Array]

# As `image_dataset_from_directory` names them.
INTERPOLATIONS = (
    "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic",
)  # fmt: skip
_CUBIC_TABLE = 1024  # TensorFlow looks the cubic's weights up in a table of so many steps
# What is made at once, so that it stays in the caches from one step to the next: 375 x 500 to 180 x
# 180 pixels took 0.54 ms, and 1.35 ms in pieces of 1 MB.
_BLOCK_BYTES = 1 << 18
_SMOOTHING = ("gaussian", "mitchellcubic")  # also along an axis whose length stays


def smart_resize(
    x: Any,
    size: Any,
    interpolation: str = "bilinear",
    data_format: str | None = "channels_last",
) -> Array:
    """Resize images without changing their shape: what does not fit is cut off at the edges.

    The largest part around the centre that has the shape of `size` is taken, and resized without
    antialiasing, on the host.

    Args:
        x: One image or a batch of them, an array of 3 or 4 axes.
        size: (height, width), or one number for both.
        interpolation: 'bilinear', 'nearest', 'bicubic', 'area', 'lanczos3', 'lanczos5', 'gaussian'
            or 'mitchellcubic'.
        data_format: Whether channels are the last axis, or the first of an image.

    Shapes:
        x        (*batch, height, width, channels)
        returns  (*batch, size[0], size[1], channels), float32; the dtype of `x` for 'nearest'

    Raises:
        ShapeError: `x` has another number of axes.
        ArgumentError: An argument is none of these.

    Example:
        >>> import numpy as np
        >>> smart_resize(np.zeros((4, 8, 3)), (2, 2)).shape
        (2, 2, 3)
    """
    who = "smart_resize"
    require_interpolation(who, interpolation)
    target = image_size(who, "size", size)
    is_first = standardize_data_format(data_format) == "channels_first"
    images = np.asarray(x)
    if images.ndim not in (3, 4):
        rule = "x must be an image (height, width, channels), or a batch of them"
        raise ShapeError(message(who, rule, f"shape {images.shape}"))
    if is_first:
        images = np.moveaxis(images, -3, -1)
    resized = resize_cropped(images, target, interpolation)
    return np.moveaxis(resized, -1, -3) if is_first else resized


def require_interpolation(who: str, interpolation: Any) -> None:
    """Refuse a name that is none of `INTERPOLATIONS`."""
    if interpolation not in INTERPOLATIONS:
        rule = f"interpolation must be one of {', '.join(INTERPOLATIONS)}"
        raise ArgumentError(message(who, rule, repr(interpolation)[:60]))


def central_part(images: Array, size: tuple[int, int]) -> Array:
    """The largest part around the centre with the shape of `size`: (*batch, h, w, channels)."""
    height, width = images.shape[-3:-1]
    part_height = min(height, int(width * size[0] / size[1])) or 1
    part_width = min(width, int(height * size[1] / size[0])) or 1
    top, left = (height - part_height) // 2, (width - part_width) // 2
    return images[..., top : top + part_height, left : left + part_width, :]


def resize_with_pad(image: Array, size: tuple[int, int], interpolation: str) -> Array:
    """The whole image as large as fits, in the middle of zeros: (h, w, channels).

    Sizes are computed as by tf.image.resize_with_pad, in float32, so that they are the same.
    """
    old, new = np.asarray(image.shape[:2], np.float32), np.asarray(size, np.float32)
    exact = old / (old / new).max()
    height, width = (int(length) or 1 for length in exact)
    top, left = (int(space) for space in (new - exact) / 2)
    inner = resize(image, (height, width), interpolation)
    around = np.zeros((*size, image.shape[2]), inner.dtype)
    around[top : top + height, left : left + width] = inner
    return around


def resize_cropped(image: Array, size: tuple[int, int], interpolation: str) -> Array:
    """The largest part around the centre that has the shape of `size`, resized."""
    return resize(central_part(image, size), size, interpolation)


def resize(images: Array, size: tuple[int, int], interpolation: str) -> Array:
    """Images in another size, float32; 'nearest' keeps their dtype.

    Values of the cubic and Lanczos rules may leave the range of pixels.

    Args:
        images: (*batch, height, width, channels).
        size: (height, width).
        interpolation: One of `INTERPOLATIONS`.
    """
    height, width, channels = images.shape[-3:]
    kind = images.dtype if interpolation == "nearest" else np.dtype(np.float32)
    resized = np.empty((*images.shape[:-3], *size, channels), kind)
    count = math.prod(images.shape[:-3])
    smooths = interpolation in _SMOOTHING
    has_rows, has_columns = smooths or height != size[0], smooths or width != size[1]
    if compiled := _compiled_for(images, interpolation, count):
        rows = _compiled_taps(interpolation, height, size[0]) if has_rows else None
        columns = _compiled_taps(interpolation, width, size[1]) if has_columns else None
        given = images.reshape(count, height, width, channels)
        for image, result in zip(given, resized.reshape(count, *size, channels), strict=True):
            compiled(image, result, rows, columns)
        return resized
    rows = _taps(interpolation, height, size[0]) if has_rows else None
    columns = _column_taps(interpolation, width, size[1], channels) if has_columns else None
    # Rows of numbers, as NumPy is slow where the last axis is as short as channels are.
    given = images.reshape(count, height, width * channels)
    results = resized.reshape(count, size[0], size[1] * channels)
    for image, result in zip(given, results, strict=True):
        _resize_rows(image, result, rows, columns)
    return resized


def _compiled_for(images: Array, interpolation: str, count: int) -> resizing_native.Resizing | None:
    """The compiled function where it serves: 'nearest' only picks, which NumPy does as fast."""
    is_served = images.dtype in (np.uint8, np.float32) and images.size > 0
    return resizing_native.resizing_for(count) if is_served and interpolation != "nearest" else None


def _resize_rows(image: Array, result: Array, rows: Taps | None, columns: Taps | None) -> None:
    """One image, rows of numbers, into another.

    Args:
        image: (height, width * channels).
        result: (new height, new width * channels).
        rows, columns: What the rows, and the numbers of a row, of `result` are made of.
    """
    longest = max(image.shape[1], result.shape[1], 1)
    step = min(max(_BLOCK_BYTES // (4 * longest), 1), len(result))
    room = _Room(step)
    for begin in range(0, len(result), step):
        out = result[begin : begin + step]
        if columns is None:
            _weighted(image, rows, 0, begin, out, room)
        elif rows is None:
            _weighted(image[begin : begin + step], columns, 1, 0, out, room)
        else:
            part = room.of("rows", (len(out), image.shape[1]), out.dtype)
            _weighted(image, rows, 0, begin, part, room)
            _weighted(part, columns, 1, 0, out, room)


class _Room:
    """Arrays that are used for one block after another."""

    def __init__(self, step: int) -> None:
        self.step = step
        self._arrays: dict[tuple[str, int, Any], Array] = {}

    def of(self, use: str, shape: tuple[int, int], dtype: Any) -> Array:
        """An array with anything in it."""
        key = use, shape[1], dtype
        if key not in self._arrays:
            self._arrays[key] = np.empty((self.step, shape[1]), dtype)
        return self._arrays[key][: shape[0]]


def _weighted(
    given: Array, taps: Taps | None, axis: int, begin: int, out: Array, room: _Room
) -> None:
    """Weighted sums along an axis; of rows those from `begin` on."""
    if taps is None:
        np.copyto(out, given[begin : begin + len(out)])
        return
    places, weights = taps
    if axis == 0:
        places, weights = places[begin : begin + len(out)], weights[begin : begin + len(out)]
    if places.shape[1] == 1:
        given.take(places[:, 0], axis=axis, mode="clip", out=out)
        return
    # Numbers that are no floats are taken as they are, which are fewer bytes.
    taken = out if given.dtype == out.dtype else room.of("taken", out.shape, given.dtype)
    for tap, (place, weight) in enumerate(zip(places.T, weights.T, strict=True)):
        numbers = out if tap == 0 else room.of("numbers", out.shape, out.dtype)
        if taken is out:
            given.take(place, axis=axis, mode="clip", out=numbers)
        else:
            given.take(place, axis=axis, mode="clip", out=taken)
            np.copyto(numbers, taken, casting="unsafe")
        numbers *= weight[:, None] if axis == 0 else weight
        if tap:
            out += numbers


@lru_cache(maxsize=4096)
def _taps(interpolation: str, old: int, new: int) -> Taps:
    """Which old values each new one is made of, and their weights: both (new, taps)."""
    scale = np.float32(old) / np.float32(new)  # in float32, so that ties fall as they do there
    half = np.float32(0.5)
    middle = (np.arange(new, dtype=np.float32) + half) * scale
    if interpolation == "nearest":
        return np.minimum(np.floor(middle).astype(np.int64), old - 1)[:, None], np.ones((new, 1))
    if interpolation == "area":
        return _area_taps(old, new)
    if interpolation == "bilinear":
        first = np.floor(middle - half)
        share = (middle - half) - first
        places = np.stack([first, first + 1], axis=1).astype(np.int64).clip(0, old - 1)
        return places, np.stack([1 - share, share], axis=1, dtype=np.float32)
    kernel, radius = _KERNELS[interpolation]
    if interpolation == "bicubic":
        # Positions are rounded to the table's steps, as there.
        begin = np.floor(middle - half)
        steps = np.rint((middle - half - begin) * _CUBIC_TABLE) / _CUBIC_TABLE
        centre = begin + steps
    else:
        # Its own division, as there: at the edge of a kernel the last bit decides.
        back = np.float32(1) / (np.float32(new) / np.float32(old))
        centre = ((np.arange(new, dtype=np.float32) + half) * back - half).astype(np.float64)
        begin = np.floor(centre)
    places = begin[:, None].astype(np.int64) + np.arange(1 - radius, radius + 1)
    weights = kernel(np.abs(centre[:, None] - places))
    weights = np.where((places >= 0) & (places < old), weights, 0.0)
    weights = weights / weights.sum(axis=1, keepdims=True)
    return places.clip(0, old - 1), weights.astype(np.float32)


@lru_cache(maxsize=4096)
def _compiled_taps(interpolation: str, old: int, new: int) -> resizing_native.Taps:
    """`_taps` as the compiled function reads them."""
    return resizing_native.Taps(*_taps(interpolation, old, new))


@lru_cache(maxsize=4096)
def _column_taps(interpolation: str, old: int, new: int, channels: int) -> Taps:
    """`_taps` for each number of a row: (new * channels, taps)."""
    places, weights = _taps(interpolation, old, new)
    of_channels = places[:, None, :] * channels + np.arange(channels)[:, None]
    return of_channels.reshape(-1, places.shape[1]), weights.repeat(channels, axis=0)


def _area_taps(old: int, new: int) -> Taps:
    """Means of the old values that a new one covers, by how much of each it covers."""
    edges = np.arange(new + 1) * (old / new)
    begin = np.floor(edges[:-1]).astype(np.int64)
    count = math.ceil(old / new) + 1
    places = begin[:, None] + np.arange(count)
    covered = np.minimum(places + 1, edges[1:, None]) - np.maximum(places, edges[:-1, None])
    weights = np.clip(covered, 0, None) * (places < old)
    weights = weights / weights.sum(axis=1, keepdims=True)
    return places.clip(0, old - 1), weights.astype(np.float32)


_KERNELS: dict[str, tuple[Kernel, int]] = {
    "bicubic": (cubic(0.0, 0.5), 2),
    "lanczos3": (lanczos(3), 3),
    "lanczos5": (lanczos(5), 5),
    "gaussian": (gaussian, 2),
    "mitchellcubic": (cubic(1 / 3, 1 / 3), 2),
}

__all__ = [
    "INTERPOLATIONS",
    "central_part",
    "require_interpolation",
    "resize",
    "resize_cropped",
    "resize_with_pad",
    "smart_resize",
]
