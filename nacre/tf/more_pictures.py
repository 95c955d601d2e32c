"""`tf.image`: likeness, colours of television, boxes drawn, draws from a seed, JPEG's losses."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.ops.pixels import sobel_edges as sobel_edges
from nacre.ops.pixels import ssim
from nacre.tf import pictures
from nacre.tf.dtypes import dtype_of
from nacre.tf.nodes import node
from nacre.tf.pictures import converted
from nacre.tf.randoms import Stateless
from nacre.tf.sizes import plain
from nacre.tf.values import landed, tensor

# Rows are red, green, blue. Source: the matrices that TensorFlow 2.15 documents for tf.image.
_YIQ = np.array(
    [
        [0.299, 0.59590059, 0.2115],
        [0.587, -0.27455667, -0.52273617],
        [0.114, -0.32134392, 0.31119955],
    ]
)
_YUV = np.array(
    [
        [0.299, -0.14714119, 0.61497538],
        [0.587, -0.28886916, -0.51496512],
        [0.114, 0.43601035, -0.10001026],
    ]
)
_FROM_YIQ = np.array(
    [[1, 1, 1], [0.95598634, -0.27201283, -1.10674021], [0.6208248, -0.64720424, 1.70423049]]
)
_FROM_YUV = np.array([[1, 1, 1], [0, -0.394642334, 2.03206185], [1.13988303, -0.58062185, 0]])


def recoloured(image: Any, kind: str) -> Any:
    """Pictures in other colours: 'rgb_to_yiq', 'yuv_to_rgb' and so on."""
    matrices = {
        "rgb_to_yiq": _YIQ,
        "rgb_to_yuv": _YUV,
        "yuv_to_rgb": _FROM_YUV,
        "yiq_to_rgb": _FROM_YIQ,
    }
    image = jnp.asarray(image)
    if image.shape[-1] != 3:
        rule = "pictures must have three channels"
        raise ShapeError(message(f"tf.image.{kind}", rule, f"shape {tuple(image.shape)}"))
    return image @ jnp.asarray(matrices[kind], image.dtype)


def peak_ratio(a: Any, b: Any, max_val: Any) -> Any:
    """The peak signal-to-noise ratio of each pair of pictures, in decibel.

    Formula:
        20 · log10(max_val) - 10 · log10(mean((a - b)²)), the mean over height, width and channels

    Args:
        a, b: Pictures of one dtype, (..., height, width, channels).
        max_val: The largest value less the smallest.
    """
    if len(a.shape) < 3 or len(b.shape) < 3:
        rule = "pictures must have height, width and channels"
        got = f"shapes {tuple(a.shape)} and {tuple(b.shape)}"
        raise ShapeError(message("tf.image.psnr", rule, got))
    apart = jnp.asarray(a, "float32") - jnp.asarray(b, "float32")
    error = jnp.mean(jnp.square(apart), axis=(-3, -2, -1))
    return 20 * jnp.log10(jnp.asarray(max_val, "float32")) - 10 * jnp.log10(error)


def likeness(
    a: Any, b: Any, max_val: Any, size: int, sigma: float, k1: float, k2: float, as_map: bool
) -> Any:
    """SSIM of pairs of pictures."""
    if as_map:
        rule = "return_index_map must be False"
        raise ArgumentError(message("tf.image.ssim", rule, "True", "Compare parts of pictures."))
    first, second = (_in_floats(x) for x in (a, b))
    limit = float(plain(max_val)) if dtype_of(a).is_floating else plain(max_val) / _largest(a)
    return ssim(first, second, limit, size, sigma, k1, k2)


def _in_floats(x: Any) -> Any:
    return jnp.asarray(converted(x, "float32", False))


def _largest(x: Any) -> float:
    return float(np.iinfo(dtype_of(x)._dtype).max)


def slopes(image: Any) -> tuple[Any, Any]:
    """What the next row, and the next column, has more: 0 in the last."""
    x = jnp.asarray(image)
    if x.ndim != 4:
        rule = "pictures must be (batch, height, width, channels)"
        raise ShapeError(message("tf.image.image_gradients", rule, f"shape {tuple(x.shape)}"))
    down = jnp.pad(x[:, 1:] - x[:, :-1], ((0, 0), (0, 1), (0, 0), (0, 0)))
    right = jnp.pad(x[:, :, 1:] - x[:, :, :-1], ((0, 0), (0, 0), (0, 1), (0, 0)))
    return down, right


def through_jpeg(image: Any, quality: Any) -> Any:
    """A picture as it comes back from a JPEG file of a quality, 0 to 100."""
    kind = dtype_of(image)
    whole = converted(image, "uint8", True)
    packed = node("EncodeJpeg")(tensor(np.asarray(whole)), quality=int(plain(quality)))
    found = node("DecodeJpeg")(packed, channels=image.shape[-1])
    return converted(found, kind, True)


def jpeg_quality_by_chance(image: Any, low: Any, high: Any, seed: Any) -> Any:
    """The same, of a quality from low up to high."""
    if not 0 <= low < high <= 100:
        rule = "qualities must be 0 <= lower < upper <= 100"
        raise ArgumentError(message("tf.image.random_jpeg_quality", rule, f"{low} and {high}"))
    drawn = pictures._draw(low, high, seed)
    return through_jpeg(image, int(np.floor(np.asarray(drawn))))


def drawn_boxes(images: Any, boxes: Any, colors: Any) -> Any:
    """Frames of one pixel around boxes (top, left, bottom, right), from 0 to 1.

    Args:
        images: (batch, height, width, channels).
        boxes: (batch, boxes, 4).
        colors: A colour for each box in turn; None for ten that TensorFlow has.
    """
    found = np.array(images)
    _, height, width, channels = found.shape
    palette = _COLOURS if colors is None else np.asarray(tensor(colors), np.float32)
    for image, rows in zip(found, np.asarray(boxes), strict=True):
        for number, box in enumerate(rows):
            colour = palette[number % len(palette)][:channels]
            colour = np.pad(colour, (0, channels - len(colour)), constant_values=1)
            if channels == 1 and colors is None:
                colour = np.ones(1)
            scale = np.array([height - 1, width - 1, height - 1, width - 1])
            # Cut towards zero, as TensorFlow's cast does.
            top, left, bottom, right = np.trunc(box * scale).astype(int)
            if top > bottom or left > right or bottom < 0 or right < 0:
                continue
            if top >= height or left >= width:
                continue
            rows_in = slice(max(top, 0), min(bottom, height - 1) + 1)
            columns_in = slice(max(left, 0), min(right, width - 1) + 1)
            for row in (top, bottom):
                if 0 <= row < height:
                    image[row, columns_in] = colour
            for column in (left, right):
                if 0 <= column < width:
                    image[rows_in, column] = colour
    return landed(found)


# Source: tensorflow/core/kernels/image/draw_bounding_box_op.cc, 2.15: the order of its colours.
_COLOURS = np.array(
    [
        [1, 1, 0, 1],
        [0, 0, 1, 1],
        [1, 0, 0, 1],
        [0, 1, 0, 1],
        [0.5, 0, 0.5, 1],
        [0.5, 0.5, 0, 1],
        [0.5, 0, 0, 1],
        [0, 0, 0.5, 1],
        [0, 1, 1, 1],
        [1, 0, 1, 1],
    ],
    np.float32,
)


def overlaps(
    boxes: Any, scores: Any, most: Any, limit: Any, score_limit: Any, sigma: float
) -> tuple[Any, Any]:
    """Chosen boxes and their scores; with `sigma` scores of others sink by how they overlap."""
    found = node("NonMaxSuppressionV5")(
        boxes,
        scores,
        *map(tensor, (most, limit, score_limit)),
        tensor(sigma),
        pad_to_max_output_size=False,
    )
    return found[0], found[1]


class KeptOfClasses(NamedTuple):
    """Boxes that are kept, (batch, boxes, 4), their scores and classes, and how many they are."""

    nmsed_boxes: Any
    nmsed_scores: Any
    nmsed_classes: Any
    valid_detections: Any


def kept_of_classes(
    boxes: Any, scores: Any, of_each: Any, of_all: Any, limit: Any, score_limit: Any,
    is_padded_by_class: bool, is_clipped: bool,
) -> KeptOfClasses:  # fmt: skip
    """The best boxes of each picture, chosen class by class."""
    found = node("CombinedNonMaxSuppression")(
        boxes,
        scores,
        *map(tensor, (of_each, of_all, limit, score_limit)),
        pad_per_class=is_padded_by_class,
        clip_boxes=is_clipped,
    )
    return KeptOfClasses(*found)


def by_seed(name: str, image: Any, seed: Any, *args: Any) -> Any:
    """One of the functions by chance, by a seed that always draws the same."""
    return getattr(pictures, name)(image, *args, Stateless(seed))
