"""Images brought to one size."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from nacre import ops
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.layers.base.calling import to_float
from nacre.layers.base.keywords import ImageKeywords
from nacre.layers.preprocessing.image_layer import ImageLayer
from nacre.ops.geometry import crop_window, pad_window, refuse_open_sizes


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
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height = whole_number(self._who(), "height", height)
        self.width = whole_number(self._who(), "width", width)
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
        return to_float(self._resized(jnp.asarray(images), self.interpolation), self.compute_dtype)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The masks, resized without mixing classes."""
        return self._resized(jnp.asarray(segmentation_masks), "nearest")

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: Any = None
    ) -> dict[str, Any]:
        """The shape of the images, which boxes are resized with."""
        return {"input_shape": tuple(_images_of(data).shape)}

    def _transform_boxes(
        self, edges: Any, transformation: Any, size: tuple[Any, Any]
    ) -> tuple[Any, tuple[Any, Any]]:
        window = (0, 0, *size)
        if self.crop_to_aspect_ratio:
            window = crop_window(*size, self.height, self.width)
        elif self.pad_to_aspect_ratio:
            window = pad_window(*size, self.height, self.width)
        return resized_boxes(edges, window, (self.height, self.width)), (self.height, self.width)

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
        self,
        height: int,
        width: int,
        data_format: str | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height = whole_number(self._who(), "height", height)
        self.width = whole_number(self._who(), "width", width)

    _moves_pixels = True

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The middles of the images."""
        return self._center_crop(jnp.asarray(images).astype(self.compute_dtype), "bilinear")

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The middles of the masks."""
        return self._center_crop(jnp.asarray(segmentation_masks), "nearest")

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: Any = None
    ) -> dict[str, Any]:
        """The shape of the images, which the place of the middle comes from."""
        return {"input_shape": tuple(_images_of(data).shape)}

    def _center_crop(self, data: Any, interpolation: str) -> Any:
        return resized_center_crop(self, data, (self.height, self.width), interpolation)

    def _transform_boxes(
        self, edges: Any, transformation: Any, size: tuple[Any, Any]
    ) -> tuple[Any, tuple[Any, Any]]:
        new_size = (self.height, self.width)
        return boxes_in_center_crop(edges, size, new_size), new_size


def _images_of(data: Any) -> Any:
    return data["images"] if isinstance(data, dict) else data


def resized_center_crop(
    layer: ImageLayer, data: Any, new_size: tuple[int, int], interpolation: str
) -> Any:
    """The middles of images, which are enlarged first where they are smaller."""
    axes = layer._spatial_axes(data)
    refuse_open_sizes("Cropping or enlarging", *(data.shape[a] for a in axes))
    over = [data.shape[a] - n for a, n in zip(axes, new_size, strict=True)]
    if min(over) < 0:
        resized = ops.image.resize(
            data.astype(layer.compute_dtype),
            new_size,
            interpolation=interpolation,
            crop_to_aspect_ratio=True,
            data_format=layer.data_format,
        )
        return layer._in_dtype_of(data, resized)
    cuts: list[Any] = [slice(None)] * data.ndim
    for axis, extra, size in zip(axes, over, new_size, strict=True):
        cuts[axis] = slice(extra // 2, extra // 2 + size)
    return data[tuple(cuts)]


def boxes_in_center_crop(edges: Any, size: tuple[Any, Any], new_size: tuple[int, int]) -> Any:
    """Boxes 'xyxy' of images of which `resized_center_crop` was taken."""
    over = [n - m for n, m in zip(size, new_size, strict=True)]
    if min(over) < 0:
        return resized_boxes(edges, crop_window(*size, *new_size), new_size)
    return resized_boxes(edges, (over[0] // 2, over[1] // 2, *new_size), new_size)


def resized_boxes(edges: Any, window: tuple[Any, ...], new_size: tuple[int, int]) -> Any:
    """Boxes 'xyxy' of images of which a window (top, left, height, width) was resized."""
    top, left, height, width = window
    scale = jnp.array([new_size[1] / width, new_size[0] / height] * 2, "float32")
    return (edges - jnp.array([left, top, left, top], "float32")) * scale
