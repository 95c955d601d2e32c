"""`tf.image`: what is more than one op."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.tf.arguments import listed, t
from nacre.tf.dtypes import as_dtype, dtype_of
from nacre.tf.formulas import reduced
from nacre.tf.making import cast
from nacre.tf.nodes import node
from nacre.tf.randoms import Stateless, drawn, stateless_uniform
from nacre.tf.sizes import plain


class ResizeMethod:
    """How `tf.image.resize` finds the colours of new pixels."""

    AREA = "area"
    BICUBIC = "bicubic"
    BILINEAR = "bilinear"
    GAUSSIAN = "gaussian"
    LANCZOS3 = "lanczos3"
    LANCZOS5 = "lanczos5"
    MITCHELLCUBIC = "mitchellcubic"
    NEAREST_NEIGHBOR = "nearest"


_KERNELS = {
    "bilinear": "triangle",
    "bicubic": "keyscubic",
    "gaussian": "gaussian",
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
    "mitchellcubic": "mitchellcubic",
}


def _batched(who: str, image: Any) -> tuple[Any, bool]:
    """Pictures (batch, height, width, channels), and whether it was one without a batch."""
    if image.ndim not in (3, 4):
        rule = "pictures are (height, width, channels), or a batch of them"
        raise ShapeError(message(f"tf.image.{who}", rule, f"shape {tuple(image.shape)}"))
    return (image[None], True) if image.ndim == 3 else (image, False)


def resize(x: Any, size: Any, method: str, keeps_ratio: bool, antialias: bool) -> Any:
    """Pictures of another size: floats, but for 'nearest', which keeps the dtype."""
    images, alone = _batched("resize", x)
    high, wide = (int(n) for n in plain(size))
    if keeps_ratio:
        scale = min(high / images.shape[1], wide / images.shape[2])
        high, wide = (round(scale * n) for n in images.shape[1:3])
    found = _resized(images, (high, wide), str(method).lower(), antialias)
    return found[0] if alone else found


def _resized(x: Any, size: tuple[int, int], method: str, antialias: bool) -> Any:
    to = np.asarray(size, np.int32)
    if method == "nearest":
        return node("ResizeNearestNeighbor")(x, to, half_pixel_centers=True)
    if method != "area" and method not in _KERNELS:
        known = ", ".join([*_KERNELS, "area", "nearest"])
        rule = f"method must be one of {known}"
        raise ArgumentError(message("tf.image.resize", rule, repr(method)))
    if tuple(x.shape[1:3]) == size:
        return cast(x, "float32")
    if method == "area":
        return node("ResizeArea")(x, to)
    if method in ("bilinear", "bicubic") and not antialias:
        name = {"bilinear": "ResizeBilinear", "bicubic": "ResizeBicubic"}[method]
        return node(name)(x, to, half_pixel_centers=True)
    scales = np.asarray(size, np.float32) / np.asarray(x.shape[1:3], np.float32)
    return node("ScaleAndTranslate")(
        x, to, scales, np.zeros(2, np.float32), kernel_type=_KERNELS[method], antialias=antialias
    )


def converted(image: Any, dtype: Any, saturate: bool) -> Any:
    """Pictures in another dtype, of which whole numbers go to their largest, floats to 1."""
    have, want = dtype_of(image), as_dtype(dtype)
    if have is want or (have.is_floating and want.is_floating):
        return cast(image, want)
    if have.is_integer and want.is_integer:
        if have.max > want.max:
            scale = (int(have.max) + 1) // (int(want.max) + 1)
            return cast(node("FloorDiv")(image, t(scale, image)), want)
        wide = cast(image, want)
        return wide * t((int(want.max) + 1) // (int(have.max) + 1), wide)
    if have.is_integer:
        wide = cast(image, want)
        return wide * t(1.0 / int(have.max), wide)
    scaled = image * t(int(want.max) + 0.5, image)
    return ops.saturate_cast(scaled, want.name) if saturate else cast(scaled, want)


def in_floats(image: Any, change: Any) -> Any:
    """What a function makes of pictures in floats from 0 to 1, in their own dtype again."""
    kind = dtype_of(image)
    if kind.is_floating:
        return change(image)
    return converted(change(converted(image, "float32", False)), kind, True)


def brightness(image: Any, delta: Any) -> Any:
    """A number added."""
    return in_floats(image, lambda x: x + t(delta, x))


def contrast(image: Any, factor: Any) -> Any:
    """Distances to the mean of each channel times a factor."""

    def change(x: Any) -> Any:
        mean = reduced("Mean", x, [-3, -2], True)
        return (x - mean) * t(factor, x) + mean

    return in_floats(image, change)


def exponentiated(image: Any, exponent: Any, gain: Any) -> Any:
    """gain · image ** gamma."""
    return in_floats(image, lambda x: t(gain, x) * node("Pow")(x, t(exponent, x)))


def hue(image: Any, delta: Any) -> Any:
    """The hue turned."""
    return in_floats(image, lambda x: node("AdjustHue")(x, t(delta, x)))


def saturation(image: Any, factor: Any) -> Any:
    """The saturation times a factor."""
    return in_floats(image, lambda x: node("AdjustSaturation")(x, t(factor, x)))


def gray(image: Any) -> Any:
    """One channel: 0.2989 red, 0.587 green, 0.114 blue."""
    weights = np.asarray([0.2989, 0.5870, 0.1140], np.float32)

    def change(x: Any) -> Any:
        return jnp.sum(x * weights.astype(x.dtype), axis=-1, keepdims=True)

    return in_floats(image, change)


def flipped(image: Any, axis: int) -> Any:
    """The picture turned around along an axis from behind."""
    _batched("flip", image)
    return node("ReverseV2")(image, np.asarray([image.ndim + axis], np.int32))


def turned(image: Any, k: Any) -> Any:
    """The picture turned k times to the left by 90 degrees."""
    _batched("rot90", image)
    order = [*range(image.ndim - 3), image.ndim - 2, image.ndim - 3, image.ndim - 1]
    for _ in range(int(plain(k)) % 4):
        image = flipped(node("Transpose")(image, np.asarray(order, np.int32)), -3)
    return image


def transposed(image: Any) -> Any:
    """Rows as columns."""
    order = [*range(image.ndim - 3), image.ndim - 2, image.ndim - 3, image.ndim - 1]
    return node("Transpose")(image, np.asarray(order, np.int32))


def cut(image: Any, top: Any, left: Any, height: Any, width: Any) -> Any:
    """A part of the picture."""
    top, left, height, width = (int(plain(n)) for n in (top, left, height, width))
    _batched("crop_to_bounding_box", image)
    high, wide = image.shape[-3:-1]
    if top < 0 or left < 0 or top + height > high or left + width > wide:
        rule = f"the part must lie within {high} x {wide}"
        got = f"rows {top} to {top + height}, columns {left} to {left + width}"
        raise ShapeError(message("tf.image.crop_to_bounding_box", rule, got))
    return image[..., top : top + height, left : left + width, :]


def framed(image: Any, top: Any, left: Any, height: Any, width: Any) -> Any:
    """The picture with zeros around it."""
    top, left, height, width = (int(plain(n)) for n in (top, left, height, width))
    bottom, right = height - top - image.shape[-3], width - left - image.shape[-2]
    if min(top, left, bottom, right) < 0:
        rule = f"{height} x {width} must hold the picture at ({top}, {left})"
        got = f"a picture of {image.shape[-3]} x {image.shape[-2]}"
        raise ShapeError(message("tf.image.pad_to_bounding_box", rule, got))
    pads = [[0, 0]] * (image.ndim - 3) + [[top, bottom], [left, right], [0, 0]]
    return node("PadV2")(image, np.asarray(pads, np.int32), t(0, image))


def middle(image: Any, fraction: float) -> Any:
    """The middle of the picture, so large a part of each side."""
    if not 0 < fraction <= 1:
        rule = "central_fraction must be above 0 and at most 1"
        raise ArgumentError(message("tf.image.central_crop", rule, str(fraction)))
    starts = [int((n - n * fraction) / 2) for n in image.shape[-3:-1]]
    sizes = [n - 2 * start for n, start in zip(image.shape[-3:-1], starts, strict=True)]
    return cut(image, *starts, *sizes)


def cut_or_framed(image: Any, height: Any, width: Any) -> Any:
    """The middle of the picture, with zeros around where it is smaller."""
    height, width = int(plain(height)), int(plain(width))
    high, wide = image.shape[-3:-1]
    image = cut(
        image, max(high - height, 0) // 2, max(wide - width, 0) // 2,
        min(high, height), min(wide, width),
    )  # fmt: skip
    high, wide = image.shape[-3:-1]
    return framed(image, (height - high) // 2, (width - wide) // 2, height, width)


def resized_with_pad(image: Any, height: Any, width: Any, method: str, antialias: bool) -> Any:
    """The picture in its own ratio, with zeros around: more below and right where it is uneven."""
    wanted = [int(plain(n)) for n in (height, width)]
    ratio = max(n / to for n, to in zip(image.shape[-3:-1], wanted, strict=True))
    exact = [n / ratio for n in image.shape[-3:-1]]
    found = resize(image, [int(n) for n in exact], method, False, antialias)
    starts = [max(0, int((to - n) / 2)) for n, to in zip(exact, wanted, strict=True)]
    return framed(found, *starts, *wanted)


def standardized(image: Any) -> Any:
    """(x - mean) / max(deviation, 1 / sqrt(numbers)) of each picture."""
    x = image if dtype_of(image) in ("float16", "float32") else cast(image, "float32")
    count = int(np.prod(x.shape[-3:]))
    mean = reduced("Mean", x, [-3, -2, -1], True)
    variance = reduced("Mean", node("Square")(x), [-3, -2, -1], True) - node("Square")(mean)
    deviation = node("Sqrt")(ops.maximum(variance, 0))
    return (x - mean) / ops.maximum(deviation, 1 / count**0.5)


def patches(images: Any, sizes: Any, strides: Any, rates: Any, padding: str) -> Any:
    """Windows as rows of numbers."""
    told = {"ksizes": listed(sizes), "strides": listed(strides), "rates": listed(rates)}
    return node("ExtractImagePatches")(images, padding=padding, **told)


def variation(images: Any) -> Any:
    """The sum of differences of neighbours, of each picture."""
    down = images[..., 1:, :, :] - images[..., :-1, :, :]
    right = images[..., 1:, :] - images[..., :-1, :]
    over = [-3, -2, -1]
    return reduced("Sum", node("Abs")(down), over, False) + reduced(
        "Sum", node("Abs")(right), over, False
    )


# --- by chance ------------------------------------------------------------------------------------


def _draw(low: Any, high: Any, seed: Any) -> Any:
    return drawn((), seed, low, high)


def flipped_by_chance(image: Any, axis: int, seed: Any) -> Any:
    """The picture, or turned around; each of a batch by itself."""
    images, alone = _batched("random_flip", image)
    draws = drawn((images.shape[0], 1, 1, 1), seed)
    # As TensorFlow has it: one picture is turned below a half, those of a batch above.
    draws = draws < 0.5 if alone else draws > 0.5
    found = jnp.where(draws, flipped(images, axis), jnp.asarray(images))
    return found[0] if alone else found


def brightness_by_chance(image: Any, most: Any, seed: Any) -> Any:
    """A number from -most to most added."""
    if most < 0:
        raise ArgumentError(
            message("tf.image.random_brightness", "max_delta must not be negative", str(most))
        )
    return brightness(image, _draw(-most, most, seed))


def contrast_by_chance(image: Any, low: Any, high: Any, seed: Any) -> Any:
    """Contrast times a number from low to high."""
    _in_order("random_contrast", low, high)
    return contrast(image, _draw(low, high, seed))


def saturation_by_chance(image: Any, low: Any, high: Any, seed: Any) -> Any:
    """Saturation times a number from low to high."""
    _in_order("random_saturation", low, high)
    return saturation(image, _draw(low, high, seed))


def hue_by_chance(image: Any, most: Any, seed: Any) -> Any:
    """The hue turned by a number from -most to most."""
    if not 0 <= most <= 0.5:
        rule = "max_delta must be from 0 to 0.5"
        raise ArgumentError(message("tf.image.random_hue", rule, str(most)))
    return hue(image, _draw(-most, most, seed))


def _in_order(who: str, low: Any, high: Any) -> None:
    if low < 0 or high <= low:
        rule = "lower must not be negative, and upper be above it"
        raise ArgumentError(message(f"tf.image.{who}", rule, f"{low} and {high}"))


def cut_by_chance(value: Any, size: Any, seed: Any) -> Any:
    """A part of a size, from anywhere."""
    sizes = tuple(plain(size))
    if len(sizes) != value.ndim or any(n > m for n, m in zip(sizes, value.shape)):
        rule = f"the part must fit into {tuple(value.shape)}"
        raise ShapeError(message("tf.image.random_crop", rule, str(sizes)))
    room = jnp.asarray([m - n + 1 for n, m in zip(sizes, value.shape)])
    if isinstance(seed, Stateless):  # whole numbers up to the largest, as TensorFlow draws them
        found = stateless_uniform((value.ndim,), seed.seed, 0, 2**31 - 1, "int32")
        return ops.slice(value, jnp.asarray(found) % room, sizes)
    starts = jnp.floor(drawn((value.ndim,), seed) * room)
    return ops.slice(value, starts.astype("int32"), sizes)
