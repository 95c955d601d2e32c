"""What all image layers share: one image or a batch, alone or with labels, masks and boxes."""

from __future__ import annotations

from numbers import Real
from typing import Any, Unpack, cast

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.config import standardize_data_format
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.numbers import whole_number
from nacre.core.random import SeedGenerator, draw_key
from nacre.core.registry import register
from nacre.layers.base.calling import to_float
from nacre.layers.base.keywords import AnyImageKeywords, LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.ops.boxes import clip_to_image_size, convert_format

_PARTS = ("images", "labels", "bounding_boxes", "segmentation_masks")


def factor_range(layer: Layer, name: str, factor: Any, low: float, high: float) -> tuple[Any, ...]:
    """(lowest, highest) from one number (both ways as far as `low` allows) or two."""
    if isinstance(factor, list | tuple):
        pair = tuple(factor) if len(factor) == 2 else ()
    else:
        size: Any = abs(factor) if isinstance(factor, Real) else None
        pair = () if size is None else (max(-size, low), size)
    if (
        len(pair) != 2
        or not all(isinstance(number, Real) for number in pair)
        or not low <= pair[0] <= pair[1] <= high
    ):
        raise ArgumentError(
            message(
                layer._who(),
                f"{name} must be a number, or (lowest, highest) within [{low}, {high}]",
                repr(factor),
            )
        )
    return pair


def checked_value_range(layer: Layer, value_range: Any) -> Any:
    """`value_range` when it is (lowest, highest)."""
    is_pair = isinstance(value_range, list | tuple | np.ndarray) and len(value_range) == 2
    if not is_pair or not value_range[0] < value_range[1]:
        raise ArgumentError(
            message(layer._who(), "value_range must be (lowest, highest)", repr(value_range))
        )
    return value_range


class ImageLayer(Layer):
    """Base of the layers that take images, alone or in a dict with what belongs to them.

    A dict has the key 'images', and may have 'labels', 'segmentation_masks' and 'bounding_boxes'
    (itself a dict of 'boxes' and 'labels'); the result has the same keys. Numbers drawn once in
    `get_random_transformation` are used for all of them.

    Args:
        data_format: 'channels_last' or 'channels_first'.
        bounding_box_format: Such as 'xyxy'; needed when data has bounding boxes.
    Precision:
        Images come in the compute dtype; labels, masks and boxes keep theirs, as 1333 is no number
        of bfloat16.
    """

    # Whether pixels change their places, so that masks and boxes must follow.
    _moves_pixels = False
    # Whether each image is mixed with another one of the batch, so that labels are mixed too.
    mixes_samples = False
    casts_inputs = False  # pixels are changed in float32; labels and boxes keep their values

    def __init__(
        self,
        data_format: str | None = None,
        bounding_box_format: str | None = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.bounding_box_format = bounding_box_format

    def call(self, data: Any, training: bool = True) -> Any:
        """The changed images, or the changed dict."""
        parts = {"images": data} if not isinstance(data, dict) else dict(data)
        self._check_parts(parts)
        is_single = len(parts["images"].shape) == 3
        if is_single:
            parts = jax.tree.map(lambda x: jnp.asarray(x)[None], parts)
        has_flat_masks = self._with_mask_channels(parts)
        drawn = self.get_random_transformation(parts, training=training)
        for name in _PARTS:
            if name in parts:
                change = getattr(self, f"transform_{name}")
                parts[name] = change(parts[name], drawn, training=training)
        if has_flat_masks:
            axis = 1 if self.data_format == "channels_first" else -1
            parts["segmentation_masks"] = jnp.squeeze(parts["segmentation_masks"], axis)
        if is_single:
            parts = jax.tree.map(lambda x: x[0], parts)
        return parts if isinstance(data, dict) else parts["images"]

    def _with_mask_channels(self, parts: dict[str, Any]) -> bool:
        """Give masks without an axis of channels one, in place; tells whether it was missing."""
        masks = parts.get("segmentation_masks")
        if masks is None or len(masks.shape) == 4:
            return False
        axis = 1 if self.data_format == "channels_first" else -1
        parts["segmentation_masks"] = jnp.expand_dims(jnp.asarray(masks), axis)
        return True

    def _check_parts(self, parts: dict[str, Any]) -> None:
        if "images" not in parts:
            raise ArgumentError(
                message(
                    self._who(), "a dict of data must have the key 'images'", f"keys {list(parts)}"
                )
            )
        self._spatial_axes(parts["images"])
        if "bounding_boxes" in parts and self.bounding_box_format is None:
            raise ArgumentError(
                message(
                    self._who(),
                    "data with bounding boxes needs bounding_box_format",
                    "bounding_box_format=None",
                    "Pass bounding_box_format='xyxy'.",
                )
            )

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: Any = None
    ) -> dict[str, Any] | None:
        """The numbers drawn for a batch; None when there is nothing to draw or to do."""
        return None

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """The changed images (batch, ...)."""
        return to_float(images, self.compute_dtype)

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        """The labels (batch, ...) of the changed images."""
        return labels

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        """The masks (batch, ...) of the changed images."""
        return segmentation_masks

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True
    ) -> Any:
        """The boxes of the changed images, moved as the pixels are and cut at the borders.

        A box of which nothing is left gets the label -1.

        Raises:
            ArgumentError: Boxes cannot follow what this layer does.
        """
        if not self._moves_pixels or transformation is None:
            return bounding_boxes
        name = cast("str", self.bounding_box_format)  # checked with the boxes
        height, width = self._size_of_shape(transformation["input_shape"])
        edges = convert_format(bounding_boxes["boxes"], name, "xyxy", height, width)
        moved, size = self._transform_boxes(edges, transformation, (height, width))
        clipped = clip_to_image_size({**bounding_boxes, "boxes": moved}, *size)
        return convert_format(clipped, "xyxy", name, *size)

    def _transform_boxes(
        self, edges: Any, transformation: Any, size: tuple[Any, Any]
    ) -> tuple[Any, tuple[Any, Any]]:
        """Boxes (batch, boxes, 4) in 'xyxy' after the change, and (height, width) after it."""
        raise ArgumentError(
            message(
                self._who(),
                "bounding boxes cannot follow what it does to the pixels",
                "data with the key 'bounding_boxes'",
                "Leave them out, or use another layer.",
            )
        )

    def _spatial_axes(self, data: Any) -> tuple[int, int]:
        """The axes of rows and columns."""
        ndim = 0 if data is None else len(data.shape)
        if ndim not in (3, 4):
            raise ShapeError(
                message(
                    self._who(),
                    "the input must be one image (3 axes) or a batch of images (4 axes)",
                    "None" if data is None else f"input of shape {tuple(data.shape)}",
                )
            )
        return (
            (ndim - 2, ndim - 1) if self.data_format == "channels_first" else (ndim - 3, ndim - 2)
        )

    def _size(self, images: Any) -> tuple[Any, Any]:
        rows, columns = self._spatial_axes(images)
        return images.shape[rows], images.shape[columns]

    def _size_of_shape(self, shape: Any) -> tuple[Any, Any]:
        """(height, width) of images (batch, ...) of a shape."""
        rows = 2 if self.data_format == "channels_first" else 1
        return shape[rows], shape[rows + 1]

    def _channels_last(self, images: Any) -> Any:
        """Images (batch, height, width, channels) in float32 (or float64)."""
        images = jnp.asarray(images)
        wide = jnp.float64 if images.dtype == jnp.float64 else jnp.float32
        images = images.astype(wide)
        return jnp.moveaxis(images, 1, -1) if self.data_format == "channels_first" else images

    def _result(self, images: Any) -> Any:
        """Images (batch, height, width, channels) as they leave the layer."""
        if self.data_format == "channels_first":
            images = jnp.moveaxis(images, -1, 1)
        return self._cast(images, self.compute_dtype)

    def _in_dtype_of(self, data: Any, result: Any) -> Any:
        """`result` in the dtype of `data`."""
        return self._cast(result, data.dtype)

    def _cast(self, result: Any, dtype: Any) -> Any:
        """`result` in a dtype: ints are rounded and kept within their range."""
        if jnp.issubdtype(dtype, jnp.integer):
            limits = jnp.iinfo(dtype)
            result = jnp.clip(jnp.round(result), limits.min, limits.max)
        return result.astype(dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = super().get_config()
        if self.bounding_box_format is None:
            config.pop("bounding_box_format", None)
        return config


class RandomImageLayer(ImageLayer):
    """Base: draws its numbers anew for each image in training, and passes images on otherwise.

    A subclass defines `_draw_numbers(key, images)`, the numbers for a batch, and
    `_apply_drawn(images, drawn)`, which takes and returns floats (batch, height, width, channels).
    """

    def __init__(self, seed: int | None = None, **kwargs: Unpack[AnyImageKeywords]) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        # The attribute's name is part of the layout of saved files.
        self.generator = SeedGenerator(seed)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        raise NotImplementedError(
            message(self._who(), "a random image layer must define _draw_numbers")
        )

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        raise NotImplementedError(
            message(self._who(), "a random image layer must define _apply_drawn")
        )

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: Any = None
    ) -> dict[str, Any] | None:
        """The numbers drawn for a batch; None outside training."""
        if not training:
            return None
        images = data["images"] if isinstance(data, dict) else data
        drawn = self._draw_numbers(draw_key(self.generator if seed is None else seed), images)
        return {**drawn, "input_shape": tuple(images.shape)}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """The changed images; the same images outside training."""
        if not training or transformation is None:
            return jnp.asarray(images).astype(self.compute_dtype)
        return self._result(self._apply_drawn(self._channels_last(images), transformation))

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        """The masks, moved as the images are, without mixing classes."""
        if not self._moves_pixels or not training or transformation is None:
            return segmentation_masks
        masks = jnp.asarray(segmentation_masks)
        moved = self._transform_masks(self._channels_last(masks), transformation)
        if self.data_format == "channels_first":
            moved = jnp.moveaxis(moved, -1, 1)
        return self._in_dtype_of(masks, moved)

    def _transform_masks(self, masks: Any, drawn: dict[str, Any]) -> Any:
        return self._apply_drawn(masks, drawn)


def uniform(key: jax.Array, images: Any, pair: tuple[float, float]) -> jax.Array:
    """One number an image, from the lowest to the highest."""
    return jax.random.uniform(key, (images.shape[0],), "float32", *pair)


def choose_images(key: jax.Array, images: Any, probability: tuple[float, float]) -> jax.Array:
    """Which images to change, (batch,): each with a probability drawn for it from a range."""
    first, second = jax.random.split(key)
    return uniform(first, images, (0.0, 1.0)) < uniform(second, images, probability)


def per_image(numbers: Any) -> Any:
    """Numbers (batch,) shaped to broadcast over images (batch, height, width, channels)."""
    return jnp.asarray(numbers)[:, None, None, None]


@register("layers/MaxNumBoundingBoxes")
class MaxNumBoundingBoxes(ImageLayer):
    """Bring the number of bounding boxes of every image to one number.

    Args:
        max_number: Boxes of each image: more are cut off, fewer are filled up.
        fill_value: Value of the boxes and labels filled in.
    Shapes:
        boxes (batch, any, 4) -> (batch, max_number, 4); labels (batch, any) -> (batch, max_number)
    Example:
        >>> import nacre
        >>> layer = nacre.layers.MaxNumBoundingBoxes(3, bounding_box_format="xyxy")
        >>> boxes = {"boxes": nacre.ops.ones((1, 2, 4)), "labels": nacre.ops.ones((1, 2))}
        >>> data = {"images": nacre.ops.ones((1, 4, 4, 3)), "bounding_boxes": boxes}
        >>> layer(data)["bounding_boxes"]["labels"].tolist()
        [[1.0, 1.0, -1.0]]
    """

    def __init__(
        self, max_number: int, fill_value: float = -1, **kwargs: Unpack[AnyImageKeywords]
    ) -> None:
        super().__init__(**kwargs)
        self.max_number = whole_number(self._who(), "max_number", max_number)
        self.fill_value = fill_value

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The first `max_number` boxes, filled up."""
        return {name: self._counted(jnp.asarray(v)) for name, v in bounding_boxes.items()}

    def _counted(self, values: jax.Array) -> jax.Array:
        values = values[:, : self.max_number]
        missing = self.max_number - values.shape[1]
        margins = [(0, 0), (0, missing)] + [(0, 0)] * (values.ndim - 2)
        return jnp.pad(values, margins, constant_values=jnp.asarray(self.fill_value, values.dtype))
