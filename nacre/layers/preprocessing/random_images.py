"""Images mirrored, moved, turned, zoomed, sheared and cut at random in training."""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.layers.base.keywords import ImageKeywords, ImageKeywordsWithoutName
from nacre.layers.preprocessing.image_layer import (
    ImageLayer,
    RandomImageLayer,
    factor_range,
    per_image,
    uniform,
)
from nacre.layers.preprocessing.image_size import boxes_in_center_crop, resized_center_crop
from nacre.layers.preprocessing.pixel_changes import affine_map, boxes_after, turned_map


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
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        known = ("horizontal", "vertical", "horizontal_and_vertical")
        if mode not in known:
            raise ArgumentError(message(self._who(), f"mode must be one of {known}", repr(mode)))
        self.mode = mode

    _moves_pixels = True

    def _transform_boxes(
        self, edges: Any, transformation: Any, size: tuple[Any, Any]
    ) -> tuple[Any, tuple[Any, Any]]:
        left, top, right, bottom = (edges[..., i] for i in range(4))
        if "horizontal" in transformation:
            turned = transformation["horizontal"][:, None]
            left, right = (
                jnp.where(turned, size[1] - right, left),
                jnp.where(turned, size[1] - left, right),
            )
        if "vertical" in transformation:
            turned = transformation["vertical"][:, None]
            top, bottom = (
                jnp.where(turned, size[0] - bottom, top),
                jnp.where(turned, size[0] - top, bottom),
            )
        return jnp.stack([left, top, right, bottom], axis=-1), size

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        keys = dict(zip(("horizontal", "vertical"), jax.random.split(key), strict=True))
        return {
            word: uniform(keys[word], images, (0.0, 1.0)) < 0.5
            for word in keys
            if word in self.mode
        }

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        for word, axis in (("horizontal", 2), ("vertical", 1)):
            if word in drawn:
                images = jnp.where(per_image(drawn[word]), jnp.flip(images, axis), images)
        return images


class _Affine(RandomImageLayer):
    """Base of the layers that move pixels by an affine map."""

    _moves_pixels = True

    def __init__(
        self,
        fill_mode: str,
        interpolation: str,
        seed: int | None,
        fill_value: float,
        data_format: str | None,
        **kwargs: Unpack[ImageKeywords],
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

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        return self._mapped(images, drawn, self.interpolation)

    def _transform_masks(self, masks: Any, drawn: dict[str, Any]) -> Any:
        return self._mapped(masks, drawn, "nearest")

    def _transform_boxes(
        self, edges: Any, transformation: Any, size: tuple[Any, Any]
    ) -> tuple[Any, tuple[Any, Any]]:
        return boxes_after(edges, transformation["map"]), size

    def _mapped(self, images: Any, drawn: dict[str, Any], interpolation: str) -> Any:
        return ops.image.affine_transform(
            images,
            drawn["map"],
            interpolation=interpolation,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format="channels_last",
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
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = factor_range(self, "factor", factor, -1.0, 1.0)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        low, high = (2 * np.pi * f for f in self.factor)
        angle = uniform(key, images, (low, high))
        return {"map": turned_map(images, angle, *self._size(images))}


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
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._ranges()

    def _ranges(self) -> tuple[Any, Any]:
        rows = factor_range(self, "height_factor", self.height_factor, -1.0, 1.0)
        return rows, factor_range(self, "width_factor", self.width_factor, -1.0, 1.0)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        height, width = self._size(images)
        first, second = jax.random.split(key)
        of_rows, of_columns = self._ranges()
        rows = uniform(first, images, of_rows) * height
        columns = uniform(second, images, of_columns) * width
        return {"map": affine_map(images, 1.0, 0.0, -columns, 0.0, 1.0, -rows)}


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
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._ranges()

    def _ranges(self) -> tuple[Any, Any]:
        rows = factor_range(self, "height_factor", self.height_factor, -1.0, 1e6)
        width = self.width_factor
        return rows, None if width is None else factor_range(self, "width_factor", width, -1.0, 1e6)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        first, second = jax.random.split(key)
        of_rows, of_columns = self._ranges()
        rows = 1 + uniform(first, images, of_rows)
        columns = rows if of_columns is None else 1 + uniform(second, images, of_columns)
        height, width = self._size(images)
        row, column = (height - 1) / 2, (width - 1) / 2
        numbers = (columns, 0.0, column * (1 - columns), 0.0, rows, row * (1 - rows))
        return {"map": affine_map(images, *numbers)}


@register("layers/RandomShear")
class RandomShear(_Affine):
    """Shear images at random: rows slide along each other, and columns.

    Args:
        x_factor: Largest slide of a row for each row below, or (lowest, highest); either way.
        y_factor: The same for columns.
        interpolation: 'bilinear' or 'nearest'.
        fill_mode: What lies outside: 'reflect', 'constant', 'wrap' or 'nearest'.
        fill_value: For 'constant'.
        data_format: 'channels_last' or 'channels_first'.
        seed: Int, for repeatable results.
    Formula:
        the pixel at column x, row y comes from column x + s·y and row y + t·x, the signs drawn too
    Example:
        >>> import nacre
        >>> nacre.layers.RandomShear(0.2)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def __init__(
        self,
        x_factor: Any = 0.0,
        y_factor: Any = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.x_factor = factor_range(self, "x_factor", x_factor, -1.0, 1.0)
        self.y_factor = factor_range(self, "y_factor", y_factor, -1.0, 1.0)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        signs, first, second = jax.random.split(key, 3)
        sign = jnp.where(uniform(signs, images, (0.0, 1.0)) < 0.5, -1.0, 1.0)
        across = sign * uniform(first, images, self.x_factor)
        along = sign * uniform(second, images, self.y_factor)
        return {"map": affine_map(images, 1.0, across, 0.0, along, 1.0, 0.0)}


@register("layers/RandomCrop")
class RandomCrop(RandomImageLayer):
    """Cut out a random place of images in training, the middle otherwise.

    Args:
        height: Rows of the result.
        width: Columns of the result.
        seed: Int, for repeatable results.
        data_format: 'channels_last' or 'channels_first'.
    Source:
        Keras 3.15. Differs: that leaves images as they are, of any size, outside training.
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
        **kwargs: Unpack[ImageKeywordsWithoutName],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, name=name, **kwargs)
        self.height = whole_number(self._who(), "height", height)
        self.width = whole_number(self._who(), "width", width)

    _moves_pixels = True

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: Any = None
    ) -> dict[str, Any]:
        """The places drawn; outside training the shape of the images alone."""
        images = data["images"] if isinstance(data, dict) else data
        drawn = super().get_random_transformation(data, training, seed)
        return {"input_shape": tuple(images.shape)} if drawn is None else drawn

    def _excess(self, images: Any) -> tuple[int, int]:
        height, width = self._size(images)
        return height - self.height, width - self.width

    def _is_middle(self, images: Any, transformation: Any, training: bool) -> bool:
        """Whether the middle is taken, not a random place."""
        is_drawn = training and transformation is not None and "rows" in transformation
        return not is_drawn or min(self._excess(images)) < 0

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True
    ) -> Any:
        """The boxes within the cut-outs; outside training too, as images are cut then."""
        if not training:
            transformation = {"input_shape": transformation["input_shape"]}
        return ImageLayer.transform_bounding_boxes(self, bounding_boxes, transformation)

    def _transform_boxes(
        self, edges: Any, transformation: Any, size: tuple[Any, Any]
    ) -> tuple[Any, tuple[Any, Any]]:
        new_size = (self.height, self.width)
        if "rows" not in transformation or size[0] < self.height or size[1] < self.width:
            return boxes_in_center_crop(edges, size, new_size), new_size
        corner = [transformation["columns"], transformation["rows"]] * 2
        return edges - jnp.stack(corner, axis=-1)[:, None], new_size

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        starts = []
        for part, over in zip(jax.random.split(key), self._excess(images), strict=True):
            end = max(over, 0) + 1
            starts.append(jax.random.randint(part, (images.shape[0],), 0, end, "int32"))
        return {"rows": starts[0], "columns": starts[1]}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """The cut-outs: each image has its own place."""
        images = jnp.asarray(images).astype(self.compute_dtype)
        if self._is_middle(images, transformation, training):
            return resized_center_crop(self, images, (self.height, self.width), "bilinear")
        return super().transform_images(images, transformation, training)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        """The cut-outs of the masks."""
        masks = jnp.asarray(segmentation_masks)
        if self._is_middle(masks, transformation, training):
            return resized_center_crop(self, masks, (self.height, self.width), "nearest")
        return super().transform_segmentation_masks(masks, transformation, training)

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        def cut(image: Any, row: Any, column: Any) -> Any:
            size = (self.height, self.width, image.shape[-1])
            return jax.lax.dynamic_slice(image, (row, column, jnp.int32(0)), size)

        return jax.vmap(cut)(images, drawn["rows"], drawn["columns"])
