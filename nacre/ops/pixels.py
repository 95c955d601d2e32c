"""Images' colours, edges, margins, patches and likeness."""

from __future__ import annotations

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.core import safety
from nacre.core.config import standardize_data_format
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Tensor, array, floating, to_pair
from nacre.ops._define import Family

op = Family("image", masks=masks.ON_IMAGES)

Layout = tuple[bool, bool]  # had no batch axis, had channels first


def channels_last(who: str, images: Tensor, data_format: str | None) -> tuple[jax.Array, Layout]:
    """Images as (batch, height, width, channels), and how to put them back."""
    x = array(images)
    if x.ndim not in (3, 4):
        raise ShapeError(
            message(who, "images must have 3 axes, or 4 with a batch", f"shape {tuple(x.shape)}")
        )
    is_single, is_first = x.ndim == 3, standardize_data_format(data_format) == "channels_first"
    if is_single:
        x = x[None]
    if is_first:
        x = jnp.moveaxis(x, 1, -1)
    return x, (is_single, is_first)


def put_back(x: jax.Array, layout: Layout) -> jax.Array:
    """Images in the form they came in."""
    is_single, is_first = layout
    if is_first:
        x = jnp.moveaxis(x, -1, 1)
    return x[0] if is_single else x


def _colour_axis(who: str, images: Tensor, data_format: str | None) -> tuple[jax.Array, int]:
    x = array(images)
    axis = -1 if standardize_data_format(data_format) == "channels_last" else -3
    if x.ndim not in (3, 4) or x.shape[axis] != 3:
        raise ShapeError(
            message(
                who, "images must have 3 or 4 axes and three channels", f"shape {tuple(x.shape)}"
            )
        )
    return x, axis


@op(class_name="RGBToGrayscale")
def rgb_to_grayscale(images: Tensor, data_format: str | None = None) -> jax.Array:
    """Brightness: 0.2989 · red + 0.587 · green + 0.114 · blue."""
    x, axis = _colour_axis("rgb_to_grayscale", images, data_format)
    weights = jnp.asarray([0.2989, 0.587, 0.114], "float32")
    wide = floating(x)
    weights = weights.astype(wide.dtype).reshape([3 if a == axis else 1 for a in range(-x.ndim, 0)])
    return jnp.sum(wide * weights, axis=axis, keepdims=True).astype(x.dtype)


@op(class_name="RGBToHSV")
def rgb_to_hsv(images: Tensor, data_format: str | None = None) -> jax.Array:
    """Hue, saturation and value, each from 0 to 1, of red, green and blue from 0 to 1."""
    x, axis = _colour_axis("rgb_to_hsv", images, data_format)
    _refuse_integers("rgb_to_hsv", x)
    return hsv_of(x, axis)


def hsv_of(x: jax.Array, axis: int) -> jax.Array:
    """`rgb_to_hsv` of floats whose colours are at an axis, of any rank."""
    red, green, blue = (lax.index_in_dim(x, i, axis, keepdims=False) for i in range(3))
    value = jnp.maximum(jnp.maximum(red, green), blue)
    span = value - jnp.minimum(jnp.minimum(red, green), blue)
    safe = jnp.where(span > 0, span, 1)
    saturation = jnp.where(value > 0, span / jnp.where(value > 0, value, 1), 0)
    hue = jnp.where(
        value == red,
        (green - blue) / safe,
        jnp.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    hue = jnp.where(span > 0, hue / 6 % 1, 0)
    return jnp.stack([hue, saturation, value], axis=axis).astype(x.dtype)


@op(class_name="HSVToRGB")
def hsv_to_rgb(images: Tensor, data_format: str | None = None) -> jax.Array:
    """Red, green and blue of hue, saturation and value, all from 0 to 1."""
    x, axis = _colour_axis("hsv_to_rgb", images, data_format)
    _refuse_integers("hsv_to_rgb", x)
    return rgb_of(x, axis)


def rgb_of(x: jax.Array, axis: int) -> jax.Array:
    """`hsv_to_rgb` of floats whose colours are at an axis, of any rank."""
    hue, saturation, value = (lax.index_in_dim(x, i, axis, keepdims=False) for i in range(3))
    sixths = hue * 6
    shares = (
        jnp.clip(jnp.abs(sixths - 3) - 1, 0, 1),
        jnp.clip(2 - jnp.abs(sixths - 2), 0, 1),
        jnp.clip(2 - jnp.abs(sixths - 4), 0, 1),
    )
    colours = [((1 - saturation) + saturation * share) * value for share in shares]
    return jnp.stack(colours, axis=axis).astype(x.dtype)


def _refuse_integers(who: str, x: jax.Array) -> None:
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ArgumentError(
            message(who, "images must be floats from 0 to 1", str(x.dtype), "Divide by 255.")
        )


# --- filters -------------------------------------------------------------------------------------


def gaussian_kernel(size: int, sigma: float) -> np.ndarray:
    """A Gaussian bell over `size` points that sums to 1."""
    safety.reserve_steps(size, "gaussian_blur")
    places = np.arange(size, dtype="float64") - (size - 1) / 2
    values = np.exp(-0.5 * (places / sigma) ** 2)
    return values / values.sum()


def separable_filter(
    x: jax.Array, rows: jax.Array, columns: jax.Array, padding: str = "SAME"
) -> jax.Array:
    """Every channel filtered along the height with `rows` and along the width with `columns`."""
    channels = x.shape[-1]
    for kernel, shape in ((rows, (-1, 1, 1, 1)), (columns, (1, -1, 1, 1))):
        kernel = jnp.tile(jnp.reshape(kernel, shape), (1, 1, 1, channels)).astype(x.dtype)
        x = lax.conv_general_dilated(
            x,
            kernel,
            (1, 1),
            padding,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=channels,
        )
    return x


@op
def gaussian_blur(
    images: Tensor,
    kernel_size: Any = (3, 3),
    sigma: Any = (1.0, 1.0),
    data_format: str | None = None,
) -> jax.Array:
    """Images blurred with a Gaussian filter; zeros lie outside.

    Args:
        kernel_size: (height, width) of the filter.
        sigma: Standard deviations along height and width.
    """
    x, layout = channels_last("gaussian_blur", images, data_format)
    dtype = x.dtype
    (height, width), (tall, broad) = to_pair(kernel_size, 2), _floats(sigma)
    rows = jnp.asarray(gaussian_kernel(height, tall), "float32")
    columns = jnp.asarray(gaussian_kernel(width, broad), "float32")
    x = separable_filter(floating(x), rows, columns)
    return put_back(x.astype(dtype), layout)


def _floats(sigma: Any) -> tuple[float, float]:
    if isinstance(sigma, int | float):
        return float(sigma), float(sigma)
    tall, broad = (float(s) for s in sigma)
    return tall, broad


@op
def sobel_edges(images: Tensor, data_format: str | None = None) -> jax.Array:
    """How fast brightness changes downwards and to the right, on a new last axis."""
    x, layout = channels_last("sobel_edges", images, data_format)
    x = floating(x)
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    smooth, slope = jnp.asarray([1.0, 2.0, 1.0], x.dtype), jnp.asarray([-1.0, 0.0, 1.0], x.dtype)
    down = separable_filter(padded, slope, smooth, "VALID")
    right = separable_filter(padded, smooth, slope, "VALID")
    return jnp.stack([put_back(down, layout), put_back(right, layout)], axis=-1)


@op(class_name="SSIM")
def ssim(
    image1: Tensor,
    image2: Tensor,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> jax.Array:
    """How alike two images are in structure, 1 for equal ones; one number an image.

    Source:
        Wang et al. 2004, "Image quality assessment: from error visibility to structural
        similarity", equation 13.
    """
    a, (is_single, _) = channels_last("ssim", image1, data_format)
    b, _ = channels_last("ssim", image2, data_format)
    if a.shape != b.shape:
        raise ShapeError(
            message("ssim", "both images must have one shape", f"{a.shape}, {b.shape}")
        )
    if any(isinstance(size, int) and size < filter_size for size in a.shape[1:3]):
        raise ShapeError(
            message(
                "ssim", "images must be at least as large as the filter",
                f"{a.shape[1:3]} and filter_size {filter_size}", "Pass a smaller filter_size.",
            )
        )  # fmt: skip
    a, b = floating(a), floating(b)
    kernel = jnp.asarray(gaussian_kernel(filter_size, filter_sigma), "float32")
    mean = lambda x: separable_filter(x, kernel, kernel, "VALID")
    mean_a, mean_b = mean(a), mean(b)
    var_a = mean(jnp.square(a)) - jnp.square(mean_a)
    var_b = mean(jnp.square(b)) - jnp.square(mean_b)
    covariance = mean(a * b) - mean_a * mean_b
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    likeness = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    likeness /= (jnp.square(mean_a) + jnp.square(mean_b) + c1) * (var_a + var_b + c2)
    result = jnp.mean(likeness, axis=(1, 2, 3))
    return result[0] if is_single else result


# --- margins and patches -------------------------------------------------------------------------


def _margins(
    who: str, before: int | None, after: int | None, total: int | None, change: int, words: str
) -> tuple[int, int]:
    """What comes before and after, of which two of three numbers are given.

    `change` is the size the target asks to be added or taken away.
    """
    if [before, after, total].count(None) != 1:
        raise ArgumentError(
            message(who, f"exactly two of {words} must be given", f"{before}, {after}, {total}")
        )
    if before is None:
        before = change - after
    if after is None:
        after = change - before
    if before < 0 or after < 0:
        raise ArgumentError(
            message(who, f"{words} must not ask for less than nothing", f"{before} and {after}")
        )
    return before, after


@op
def pad_images(
    images: Tensor,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> jax.Array:
    """Images with zeros around them; give two of top, bottom and height, and likewise of width."""
    x, layout = channels_last("pad_images", images, data_format)
    height, width = x.shape[1:3]
    rows = _margins(
        "pad_images", top_padding, bottom_padding, target_height,
        (target_height or 0) - height, "top_padding, bottom_padding and target_height",
    )  # fmt: skip
    columns = _margins(
        "pad_images", left_padding, right_padding, target_width,
        (target_width or 0) - width, "left_padding, right_padding and target_width",
    )  # fmt: skip
    return put_back(jnp.pad(x, ((0, 0), rows, columns, (0, 0))), layout)


@op
def crop_images(
    images: Tensor,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> jax.Array:
    """Images without their margins; give two of top, bottom and height, and likewise of width."""
    x, layout = channels_last("crop_images", images, data_format)
    height, width = x.shape[1:3]
    top, bottom = _margins(
        "crop_images", top_cropping, bottom_cropping, target_height,
        height - (target_height or 0), "top_cropping, bottom_cropping and target_height",
    )  # fmt: skip
    left, right = _margins(
        "crop_images", left_cropping, right_cropping, target_width,
        width - (target_width or 0), "left_cropping, right_cropping and target_width",
    )  # fmt: skip
    return put_back(x[:, top : height - bottom, left : width - right], layout)


@op(masks=masks.POSITIONS_CHANGE)
def extract_patches(
    images: Tensor,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """Patches of images, or of volumes when `size` has three numbers, each as one vector.

    Args:
        strides: How far apart patches begin; `size` by default.

    Shapes:
        images   (batch, height, width, channels), the batch may be missing
        returns  (batch, rows, columns, patch_height · patch_width · channels)
    """
    ndim = 2 if isinstance(size, int) else len(size)
    if ndim not in (2, 3):
        raise ArgumentError(message("extract_patches", "size must have 2 or 3 numbers", str(size)))
    return _patches("extract_patches", images, size, strides, dilation_rate, padding, data_format,
                    ndim)  # fmt: skip


@op(masks=masks.POSITIONS_CHANGE)
def extract_patches_3d(
    volumes: Tensor,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """Patches of volumes, each as one vector."""
    return _patches("extract_patches_3d", volumes, size, strides, dilation_rate, padding,
                    data_format, 3)  # fmt: skip


def _patches(
    who: str,
    images: Tensor,
    size: Any,
    strides: Any,
    dilation_rate: Any,
    padding: str,
    data_format: str | None,
    ndim: int,
) -> jax.Array:
    x = array(images)
    if x.ndim not in (ndim + 1, ndim + 2):
        raise ShapeError(
            message(who, f"images must have {ndim + 1} or {ndim + 2} axes", f"{tuple(x.shape)}")
        )
    window, gaps = to_pair(size, ndim), to_pair(dilation_rate, ndim)
    steps = window if strides is None else to_pair(strides, ndim)
    is_single = x.ndim == ndim + 1
    is_first = standardize_data_format(data_format) == "channels_first"
    x = x[None] if is_single else x
    x = jnp.moveaxis(x, 1, -1) if is_first else x
    extents = [(k - 1) * d + 1 for k, d in zip(window, gaps)]
    if padding.lower() not in ("valid", "same"):
        raise ArgumentError(message(who, "padding must be 'valid' or 'same'", repr(padding)))
    if padding.lower() == "same":
        totals = [max((-(-n // s) - 1) * s + e - n, 0)
                  for n, s, e in zip(x.shape[1:-1], steps, extents)]  # fmt: skip
        x = jnp.pad(x, [(0, 0), *((t // 2, t - t // 2) for t in totals), (0, 0)])
    counts = [(n - e) // s + 1 for n, s, e in zip(x.shape[1:-1], steps, extents)]
    parts = []
    safety.reserve_steps(max(math.prod(window), *window), who)
    for tap in itertools.product(*map(range, window)):
        starts = [t * d for t, d in zip(tap, gaps)]
        ends = [a + (c - 1) * s + 1 for a, c, s in zip(starts, counts, steps)]
        parts.append(
            lax.slice(x, (0, *starts, 0), (x.shape[0], *ends, x.shape[-1]), (1, *steps, 1))
        )
    patches = jnp.concatenate(parts, axis=-1)
    patches = jnp.moveaxis(patches, -1, 1) if is_first else patches
    return patches[0] if is_single else patches


__all__, __dir__ = op.shown()
