"""Images brought to one size."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from nacre import ops
from nacre.core.registry import register
from nacre.layers.preprocessing.image_layer import ImageLayer


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

    _moves_pixels = True

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The resized images."""
        return self._resized(jnp.asarray(images), self.interpolation)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The masks, resized without mixing classes."""
        return self._resized(jnp.asarray(segmentation_masks), "nearest")

    def _resized(self, data: Any, interpolation: str) -> Any:
        floats = data if jnp.issubdtype(data.dtype, jnp.floating) else data.astype("float32")
        resized = ops.image.resize(
            floats,
            (self.height, self.width),
            interpolation=interpolation,
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

    _moves_pixels = True

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The middles of the images."""
        return self._middle(jnp.asarray(images), "bilinear")

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The middles of the masks."""
        return self._middle(jnp.asarray(segmentation_masks), "nearest")

    def _middle(self, data: Any, interpolation: str) -> Any:
        axes = self._spatial_axes(data)
        over = [data.shape[a] - n for a, n in zip(axes, (self.height, self.width), strict=True)]
        if min(over) < 0:
            resized = ops.image.resize(
                data.astype(self.compute_dtype),
                (self.height, self.width),
                interpolation=interpolation,
                crop_to_aspect_ratio=True,
                data_format=self.data_format,
            )
            return self._in_dtype_of(data, resized)
        cuts: list[Any] = [slice(None)] * data.ndim
        for axis, extra, size in zip(axes, over, (self.height, self.width), strict=True):
            cuts[axis] = slice(extra // 2, extra // 2 + size)
        return data[tuple(cuts)]
