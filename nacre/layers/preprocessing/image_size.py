"""Images brought to one size."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from nacre import ops
from nacre.core.config import standardize_data_format
from nacre.core.errors import ShapeError, message
from nacre.core.registry import register
from nacre.layers.base.layer import Layer


class ImageLayer(Layer):
    """Base of the layers that take one image or a batch of images."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)

    def _spatial_axes(self, data: Any) -> tuple[int, int]:
        """The axes of rows and columns."""
        ndim = len(data.shape)
        if ndim not in (3, 4):
            raise ShapeError(
                message(
                    self._who(),
                    "the input must be one image (3 axes) or a batch of images (4 axes)",
                    f"input of shape {tuple(data.shape)}",
                )
            )
        return (
            (ndim - 2, ndim - 1) if self.data_format == "channels_first" else (ndim - 3, ndim - 2)
        )

    def _in_dtype_of(self, data: Any, result: Any) -> Any:
        """`result` in the dtype of `data`: ints are rounded and kept within their range."""
        if jnp.issubdtype(data.dtype, jnp.integer):
            limits = jnp.iinfo(data.dtype)
            result = jnp.clip(jnp.round(result), limits.min, limits.max)
        return result.astype(data.dtype)


@register("layers/Resizing")
class Resizing(ImageLayer):
    """Resize images.

    Args:
        height: Rows of the result.
        width: Columns of the result.
        interpolation: 'bilinear', 'nearest', 'bicubic', 'lanczos3' or 'lanczos5'.
        crop_to_aspect_ratio: Cut the longer side off instead of distorting.
        pad_to_aspect_ratio: Pad the shorter side instead of distorting.
        fill_mode: 'constant', for padding.
        fill_value: Value of the padding.
        antialias: Whether to smooth when the result is smaller.
        data_format: 'channels_last' or 'channels_first'.
    Example:
        >>> import nacre
        >>> nacre.layers.Resizing(8, 6)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 8, 6, 3)
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height = height
        self.width = width
        self.interpolation = interpolation
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.antialias = antialias

    def call(self, data: Any, training: bool = True) -> Any:
        """The resized images."""
        data = jnp.asarray(data)
        self._spatial_axes(data)
        floats = data if jnp.issubdtype(data.dtype, jnp.floating) else data.astype("float32")
        resized = ops.image.resize(
            floats,
            (self.height, self.width),
            interpolation=self.interpolation,
            antialias=self.antialias,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )
        return self._in_dtype_of(data, resized)


@register("layers/CenterCrop")
class CenterCrop(ImageLayer):
    """Cut out the middle of images; smaller images are enlarged to fill the size first.

    Args:
        height: Rows of the result.
        width: Columns of the result.
        data_format: 'channels_last' or 'channels_first'.
    Example:
        >>> import nacre
        >>> nacre.layers.CenterCrop(2, 3)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 2, 3, 3)
    """

    def __init__(
        self, height: int, width: int, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height = height
        self.width = width

    def call(self, data: Any, training: bool = True) -> Any:
        """The middles of the images."""
        data = jnp.asarray(data)
        axes = self._spatial_axes(data)
        over = [data.shape[a] - n for a, n in zip(axes, (self.height, self.width), strict=True)]
        if min(over) < 0:
            resized = ops.image.resize(
                data.astype(self.compute_dtype),
                (self.height, self.width),
                crop_to_aspect_ratio=True,
                data_format=self.data_format,
            )
            return self._in_dtype_of(data, resized)
        cuts: list[Any] = [slice(None)] * data.ndim
        for axis, extra, size in zip(axes, over, (self.height, self.width), strict=True):
            cuts[axis] = slice(extra // 2, extra // 2 + size)
        return data[tuple(cuts)]
