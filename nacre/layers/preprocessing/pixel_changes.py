"""Changes of colours and shapes as plain functions, used by the random image layers.

Images are floats (batch, height, width, channels); numbers are (batch,), one for each image;
`low` and `high` are the lowest and the highest value of a pixel.
"""

from __future__ import annotations

import operator
from functools import reduce
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core import safety
from nacre.layers.preprocessing.image_layer import per_image
from nacre.ops.boxes.moves import mapped
from nacre.ops.kernels.extremes import largest, smallest

Images: TypeAlias = jax.Array
Numbers: TypeAlias = jax.Array


def grayscale(images: Images) -> Images:
    """Brightness in every channel; images with one channel stay."""
    if images.shape[-1] == 1:
        return images
    gray = ops.image.rgb_to_grayscale(images, data_format="channels_last")
    return jnp.broadcast_to(gray, images.shape)


def blended(degenerate: Images, images: Images, factor: Numbers) -> Images:
    """degenerate + factor · (images - degenerate)."""
    return degenerate + per_image(factor) * (images - degenerate)


def contrasted(images: Images, factor: Numbers) -> Images:
    """Distances from each channel's mean, multiplied."""
    mean = jnp.mean(images, axis=(1, 2), keepdims=True)
    return (images - mean) * per_image(factor) + mean


def sharpened(images: Images, factor: Numbers) -> Images:
    """From blurred (0) over unchanged (1) to sharpened (2).

    Formula:
        blur = (sum of the 3 x 3 neighbours + 4 · pixel) / 13, zeros outside
    """
    ones = jnp.ones((1, 3), "float32")
    total = _shifted_sum(_shifted_sum(images, ones, 1), ones, 2)
    return blended((total + 4 * images) / 13, images, factor)


def _shifted_sum(images: Images, weights: jax.Array, axis: int) -> Images:
    """Neighbours along an axis, weighted: weights (batch or 1, size), zeros outside."""
    size, length = weights.shape[1], images.shape[axis]
    before = (size - 1) // 2
    margins = [(0, 0)] * 4
    margins[axis] = (before, size - 1 - before)
    padded = jnp.pad(images, margins)
    parts = [
        jax.lax.slice_in_dim(padded, i, i + length, axis=axis) * per_image(weights[:, i])
        for i in range(size)
    ]
    return reduce(operator.add, parts)


def blurred(images: Images, sizes: tuple[int, int], sigmas: tuple[Numbers, Numbers]) -> Images:
    """Filtered with a Gaussian bell of `sizes` (height, width), each image with its own sigmas."""
    for axis, size, sigma in zip((1, 2), sizes, sigmas, strict=True):
        safety.reserve_steps(size, "Gaussian blur")
        places = np.arange(size, dtype="float32") - np.float32((size - 1) / 2)
        bell = jnp.exp(-0.5 * jnp.square(places / jnp.maximum(sigma, 1e-3)[:, None]))
        images = _shifted_sum(images, bell / jnp.sum(bell, axis=1, keepdims=True), axis)
    return images


def hue_turned(images: Images, turn: Numbers, low: float, high: float) -> Images:
    """The hue moved by a share of the colour circle."""
    hsv = _hsv(images, low, high)
    hue = (hsv[..., :1] + per_image(turn)) % 1.0
    return _rgb(jnp.concatenate([hue, hsv[..., 1:]], axis=-1), low, high)


def saturated(images: Images, factor: Numbers, low: float, high: float) -> Images:
    """The saturation multiplied, kept within its range."""
    hsv = _hsv(images, low, high)
    saturation = jnp.clip(hsv[..., 1:2] * per_image(factor), 0.0, 1.0)
    return _rgb(jnp.concatenate([hsv[..., :1], saturation, hsv[..., 2:]], axis=-1), low, high)


def _hsv(images: Images, low: float, high: float) -> Images:
    return ops.image.rgb_to_hsv((images - low) / (high - low), data_format="channels_last")


def _rgb(images: Images, low: float, high: float) -> Images:
    return ops.image.hsv_to_rgb(images, data_format="channels_last") * (high - low) + low


def posterized(images: Images, bits: Numbers, low: float, high: float) -> Images:
    """Only the highest `bits` of 8 kept."""
    levels = jnp.floor(jnp.clip((images - low) / (high - low), 0, 1) * 255 + 1e-4)
    step = per_image(jnp.exp2(8.0 - bits))
    return jnp.floor(levels / step) * step / 255 * (high - low) + low


def solarized(
    images: Images, addition: Numbers, threshold: Numbers, low: float, high: float
) -> Images:
    """`addition` added, then pixels from `threshold` on turned into their negative."""
    images = jnp.clip(images + per_image(addition), low, high)
    return jnp.where(images < per_image(threshold), images, high + low - images)


def stretched(images: Images, low: float, high: float) -> Images:
    """Each channel of each image spread over the whole range; constant ones stay."""
    lowest = smallest(images, axis=(1, 2), keepdims=True)
    width = largest(images, axis=(1, 2), keepdims=True) - lowest
    spread = (images - lowest) * ((high - low) / jnp.where(width > 0, width, 1)) + low
    return jnp.where(width > 0, jnp.clip(spread, low, high), images)


def counted(indices: jax.Array, bins: int) -> jax.Array:
    """How often each bin occurs: (..., values) -> (..., bins)."""
    flat = indices.reshape(-1, indices.shape[-1])
    counts = jax.vmap(lambda row: jnp.zeros(bins, "float32").at[row].add(1.0))(flat)
    return counts.reshape(*indices.shape[:-1], bins)


def binned(images: Images, bins: int, low: float, high: float) -> jax.Array:
    """The bin of each pixel, 0 … bins - 1."""
    places = jnp.floor((images - low) / (high - low) * (bins - 1))
    return jnp.clip(places, 0, bins - 1).astype("int32")


def equalized(images: Images, bins: int, low: float, high: float) -> Images:
    """Every value of a channel about equally frequent.

    Formula:
        y = round(255 · (count(<= x) - count(<= lowest)) / (pixels - count(<= lowest))) / 255
    """
    batch, height, width, channels = images.shape
    rows = jnp.moveaxis(images, -1, 1).reshape(batch, channels, height * width)
    indices = binned(rows, bins, low, high)
    upto = jnp.cumsum(counted(indices, bins), axis=-1)
    least = jnp.min(jnp.where(upto > 0, upto, jnp.inf), axis=-1, keepdims=True)
    others = height * width - least
    table = jnp.round((upto - least) / jnp.maximum(others, 1) * 255)
    table = jnp.clip(table, 0, 255) / 255 * (high - low) + low
    values = jnp.where(others > 0, jnp.take_along_axis(table, indices, axis=-1), rows)
    return jnp.moveaxis(values.reshape(batch, channels, height, width), 1, -1)


# --- maps of places: rows [a0, a1, a2, b0, b1, b2, 0, 0] of `ops.image.affine_transform` ----------


def affine_map(images: Images, *numbers: object) -> jax.Array:
    """The map of each image from its six numbers, (batch, 8)."""
    shape = (images.shape[0],)
    columns = [jnp.broadcast_to(jnp.asarray(n, "float32"), shape) for n in numbers]
    zero = jnp.zeros(shape, "float32")
    return jnp.stack([*columns, zero, zero], axis=1)


def boxes_after(edges: jax.Array, maps: jax.Array) -> jax.Array:
    """Boxes 'xyxy' (batch, boxes, 4) of images that `affine_transform` moved by `maps`.

    A map tells where each pixel of the result comes from; corners go the other way. It counts
    pixels by their middles: the middle of the first one is 0 there and 0.5 in a box.
    """
    a, b, x, c, d, y = (maps[:, i] for i in range(6))
    area = a * d - b * c
    rows = [d, -b, b * y - d * x, -c, a, c * x - a * y]
    zeros = jnp.zeros_like(area)
    inverse = jnp.stack([*(row / area for row in rows), zeros, zeros], axis=1)
    return mapped(edges - 0.5, inverse) + 0.5


def turned_map(images: Images, angle: Numbers, height: int, width: int) -> jax.Array:
    """Turned around the middle by `angle`, in radians."""
    row, column = (height - 1) / 2, (width - 1) / 2
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return affine_map(
        images,
        cos, -sin, column - cos * column + sin * row,
        sin, cos, row - sin * column - cos * row,
    )  # fmt: skip
