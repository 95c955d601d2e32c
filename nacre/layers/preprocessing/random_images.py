"""Random changes of images in training, so that a model sees each picture in many forms."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core.errors import ArgumentError, message
from nacre.core.random import SeedGenerator, draw_key
from nacre.core.registry import register
from nacre.layers.preprocessing.image_size import CenterCrop, ImageLayer


def _range(layer: ImageLayer, name: str, factor: Any, low: float, high: float) -> tuple:
    """(lowest, highest) from one number (both ways) or two."""
    if isinstance(factor, list | tuple):
        pair = (factor[0], factor[1]) if len(factor) == 2 else (1.0, 0.0)
    else:
        pair = (max(-abs(factor), low), abs(factor))
    if not low <= pair[0] <= pair[1] <= high:
        raise ArgumentError(
            message(
                layer._who(),
                f"{name} must be a number, or (lowest, highest) within [{low}, {high}]",
                repr(factor),
            )
        )
    return pair


class RandomImageLayer(ImageLayer):
    """Base: draws its numbers anew for each image in training, and passes images on otherwise."""

    def __init__(
        self, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.seed = seed
        # The attribute's name is part of the layout of saved files.
        self.generator = SeedGenerator(seed)

    def call(self, data: Any, training: bool = True) -> Any:
        """The images, changed in training."""
        images = jnp.asarray(data).astype(self.compute_dtype)
        self._spatial_axes(images)
        if not training:
            return images
        is_one = images.ndim == 3
        changed = self._changed(images[None] if is_one else images)
        return (changed[0] if is_one else changed).astype(self.compute_dtype)

    def _changed(self, images: Any) -> Any:
        raise NotImplementedError(message(self._who(), "a random image layer must define _changed"))

    def _uniform(self, images: Any, low: float, high: float) -> jax.Array:
        """One number an image."""
        key = draw_key(self.generator)
        return jax.random.uniform(key, (images.shape[0],), minval=low, maxval=high)

    def _size(self, images: Any) -> tuple[Any, Any]:
        rows, columns = self._spatial_axes(images)
        return images.shape[rows], images.shape[columns]


@register("layers/RandomFlip")
class RandomFlip(RandomImageLayer):
    """Mirror images at random.

    Args:
        mode: 'horizontal', 'vertical' or 'horizontal_and_vertical'.
        seed: Int, for repeatable results.
        data_format: 'channels_last' or 'channels_first'.
    Example:
        >>> import nacre
        >>> nacre.layers.RandomFlip("horizontal")(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        known = ("horizontal", "vertical", "horizontal_and_vertical")
        if mode not in known:
            raise ArgumentError(message(self._who(), f"mode must be one of {known}", repr(mode)))
        self.mode = mode

    def _changed(self, images: Any) -> Any:
        rows, columns = self._spatial_axes(images)
        axes = [a for word, a in (("horizontal", columns), ("vertical", rows)) if word in self.mode]
        for axis in axes:
            chosen = self._uniform(images, 0.0, 1.0) < 0.5
            images = jnp.where(chosen[:, None, None, None], jnp.flip(images, axis), images)
        return images


class _Affine(RandomImageLayer):
    """Base of the layers that move pixels by an affine map."""

    def __init__(
        self,
        fill_mode: str,
        interpolation: str,
        seed: int | None,
        fill_value: float,
        data_format: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        modes = ("constant", "nearest", "wrap", "reflect")
        if fill_mode not in modes or interpolation not in ("nearest", "bilinear"):
            raise ArgumentError(
                message(
                    self._who(),
                    f"fill_mode must be one of {modes}, interpolation 'nearest' or 'bilinear'",
                    f"fill_mode={fill_mode!r}, interpolation={interpolation!r}",
                )
            )
        self.fill_mode = fill_mode
        self.interpolation = interpolation
        self.fill_value = fill_value

    def _mapped(self, images: Any, *numbers: Any) -> Any:
        """Images through maps [a0, a1, a2, b0, b1, b2] (see `ops.image.affine_transform`)."""
        zero = jnp.zeros((images.shape[0],), "float32")
        columns = [jnp.broadcast_to(jnp.asarray(n, "float32"), zero.shape) for n in numbers]
        return ops.image.affine_transform(
            images,
            jnp.stack([*columns, zero, zero], axis=1),
            interpolation=self.interpolation,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )


@register("layers/RandomRotation")
class RandomRotation(_Affine):
    """Turn images around their middle by random angles.

    Args:
        factor: Largest angle as a share of a full turn, or (lowest, highest).
        fill_mode: What lies outside: 'reflect', 'constant', 'wrap' or 'nearest'.
        interpolation: 'bilinear' or 'nearest'.
        seed: Int, for repeatable results.
        fill_value: For 'constant'.
        data_format: 'channels_last' or 'channels_first'.
    Example:
        >>> import nacre
        >>> nacre.layers.RandomRotation(0.1)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = _range(self, "factor", factor, -1.0, 1.0)

    def _changed(self, images: Any) -> Any:
        angle = self._uniform(images, *(2 * np.pi * f for f in self.factor))
        height, width = self._size(images)
        row, column = (height - 1) / 2, (width - 1) / 2
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        return self._mapped(
            images,
            cos, -sin, column - cos * column + sin * row,
            sin, cos, row - sin * column - cos * row,
        )  # fmt: skip


@register("layers/RandomTranslation")
class RandomTranslation(_Affine):
    """Move images by random distances.

    Args:
        height_factor: Largest move as a share of the height, or (lowest, highest).
        width_factor: The same for the width.
        fill_mode: What lies outside: 'reflect', 'constant', 'wrap' or 'nearest'.
        interpolation: 'bilinear' or 'nearest'.
        seed: Int, for repeatable results.
        fill_value: For 'constant'.
        data_format: 'channels_last' or 'channels_first'.
    Example:
        >>> import nacre
        >>> nacre.layers.RandomTranslation(0.1, 0.1)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._rows = _range(self, "height_factor", height_factor, -1.0, 1.0)
        self._columns = _range(self, "width_factor", width_factor, -1.0, 1.0)

    def _changed(self, images: Any) -> Any:
        height, width = self._size(images)
        rows = self._uniform(images, *self._rows) * height
        columns = self._uniform(images, *self._columns) * width
        return self._mapped(images, 1.0, 0.0, -columns, 0.0, 1.0, -rows)


@register("layers/RandomZoom")
class RandomZoom(_Affine):
    """Zoom images by random factors.

    Args:
        height_factor: Largest change, or (lowest, highest); positive zooms out.
        width_factor: The same for the width; None keeps the proportions.
        fill_mode: What lies outside: 'reflect', 'constant', 'wrap' or 'nearest'.
        interpolation: 'bilinear' or 'nearest'.
        seed: Int, for repeatable results.
        fill_value: For 'constant'.
        data_format: 'channels_last' or 'channels_first'.
    Example:
        >>> import nacre
        >>> nacre.layers.RandomZoom(0.2)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._rows = _range(self, "height_factor", height_factor, -1.0, 1e6)
        self._columns = (
            None if width_factor is None else _range(self, "width_factor", width_factor, -1.0, 1e6)
        )

    def _changed(self, images: Any) -> Any:
        rows = 1 + self._uniform(images, *self._rows)
        columns = rows if self._columns is None else 1 + self._uniform(images, *self._columns)
        height, width = self._size(images)
        row, column = (height - 1) / 2, (width - 1) / 2
        return self._mapped(
            images, columns, 0.0, column * (1 - columns), 0.0, rows, row * (1 - rows)
        )


@register("layers/RandomCrop")
class RandomCrop(RandomImageLayer):
    """Cut out a random place of images in training, the middle otherwise.

    Args:
        height: Rows of the result.
        width: Columns of the result.
        seed: Int, for repeatable results.
        data_format: 'channels_last' or 'channels_first'.
    Example:
        >>> import nacre
        >>> nacre.layers.RandomCrop(2, 3)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 2, 3, 3)
    """

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, name=name, **kwargs)
        self.height = height
        self.width = width

    def call(self, data: Any, training: bool = True) -> Any:
        """The cut-outs; one place for a whole batch."""
        images = jnp.asarray(data).astype(self.compute_dtype)
        rows, columns = self._spatial_axes(images)
        over = (images.shape[rows] - self.height, images.shape[columns] - self.width)
        if not training or min(over) < 0:
            return CenterCrop.call(self, images)
        first, second = jax.random.split(draw_key(self.generator))
        row = jax.random.randint(first, (), 0, over[0] + 1)
        column = jax.random.randint(second, (), 0, over[1] + 1)
        images = jax.lax.dynamic_slice_in_dim(images, row, self.height, rows)
        return jax.lax.dynamic_slice_in_dim(images, column, self.width, columns)


class _Valued(RandomImageLayer):
    """Base of the layers that change colour values."""

    def __init__(self, value_range: Any, seed: int | None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        self.value_range = value_range

    def _clipped(self, images: Any) -> Any:
        return jnp.clip(images, *self.value_range)


@register("layers/RandomContrast")
class RandomContrast(_Valued):
    """Change the contrast of images at random.

    Args:
        factor: Largest change, or (less, more): the contrast is multiplied by a number from
            1 - less to 1 + more.
        value_range: Lowest and highest value of a pixel.
        seed: Int, for repeatable results.
    Formula:
        y = (x - mean) · c + mean, the mean over rows and columns of each channel
    Example:
        >>> import nacre
        >>> nacre.layers.RandomContrast(0.2)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(value_range, seed, **kwargs)
        pair = tuple(factor) if isinstance(factor, list | tuple) else (factor, factor)
        if len(pair) != 2 or min(pair) < 0 or pair[0] > 1:
            raise ArgumentError(
                message(
                    self._who(),
                    "factor must be a number from 0 to 1, or two (less, more), not negative",
                    repr(factor),
                )
            )
        self.factor = pair

    def _changed(self, images: Any) -> Any:
        less, more = self.factor
        contrast = self._uniform(images, 1 - less, 1 + more)[:, None, None, None]
        mean = jnp.mean(images, axis=self._spatial_axes(images), keepdims=True)
        return self._clipped((images - mean) * contrast + mean)


@register("layers/RandomBrightness")
class RandomBrightness(_Valued):
    """Make images brighter or darker at random.

    Args:
        factor: Largest change as a share of the value range, or (lowest, highest).
        value_range: Lowest and highest value of a pixel.
        seed: Int, for repeatable results.
    Example:
        >>> import nacre
        >>> nacre.layers.RandomBrightness(0.2)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(value_range, seed, **kwargs)
        self.factor = _range(self, "factor", factor, -1.0, 1.0)

    def _changed(self, images: Any) -> Any:
        low, high = self.value_range
        change = self._uniform(images, *self.factor) * (high - low)
        return self._clipped(images + change[:, None, None, None])
