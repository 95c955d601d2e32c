"""Images whose values are spread: contrast by range, by histogram, by histograms of tiles."""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import safety
from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.layers.base.calling import to_float
from nacre.layers.base.keywords import AnyImageKeywords, ImageKeywords
from nacre.layers.preprocessing.image_layer import ImageLayer, checked_value_range
from nacre.layers.preprocessing.pixel_changes import counted, equalized, stretched

_LEVELS = 256


@register("layers/AutoContrast")
class AutoContrast(ImageLayer):
    """Spread each channel of each image over the whole range of values, in training or not.

    Args:
        value_range: Lowest and highest value of a pixel.
    Formula:
        y = (x - min) / (max - min) · (highest - lowest) + lowest
    Example:
        >>> import nacre, numpy as np
        >>> nacre.layers.AutoContrast((0, 1))(np.array([[[0.2], [0.4]]])).tolist()
        [[[0.0], [1.0]]]
    """

    def __init__(self, value_range: Any = (0, 255), **kwargs: Unpack[AnyImageKeywords]) -> None:
        super().__init__(**kwargs)
        self.value_range = checked_value_range(self, value_range)

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The spread images."""
        return self._result(stretched(self._channels_last(images), *self.value_range))


@register("layers/Equalization")
class Equalization(ImageLayer):
    """Make the values of each channel of each image about equally frequent.

    Args:
        value_range: Lowest and highest value of a pixel.
        bins: Number of bins of the histogram.
        data_format: 'channels_last' or 'channels_first'.
    Formula:
        y = round(255 · (count(<= x) - count(<= min)) / (pixels - count(<= min))) / 255
    Source:
        Keras 3.15. Same: images pass unchanged when `training=False` is given. Differs: each image
        has a histogram of its own, also in a batch.
    Example:
        >>> import nacre, numpy as np
        >>> image = np.array([[[10.0], [20.0], [20.0], [30.0]]])
        >>> nacre.layers.Equalization()(image)[0, :, 0].tolist()
        [0.0, 170.0, 170.0, 255.0]
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        bins: int = 256,
        data_format: str | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.bins = whole_number(self._who(), "bins", bins)
        self.value_range = checked_value_range(self, value_range)

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The equalized images."""
        if not training:
            return jnp.asarray(images).astype(self.compute_dtype)
        return self._result(equalized(self._channels_last(images), self.bins, *self.value_range))


@register("layers/ContrastLimitedAdaptiveHistogramEqualization")
class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    """Equalize each part of an image by the histogram of its surroundings, in training or not.

    Choose it over `Equalization` when one part of an image is dark and another bright.

    Args:
        value_range: Lowest and highest value of a pixel.
        clip_limit: Largest count of a value in a tile, in units of the mean count: limits noise.
        tile_grid_size: Number of tiles (rows, columns).
        data_format: 'channels_last' or 'channels_first'.
    Formula:
        Each tile's counts are cut at clip_limit · pixels / 256 and the rest is shared out evenly;
        y = 255 · (count(<= x) - count(0)) / (pixels - count(0)), interpolated between the four
        nearest tiles
    Source:
        Zuiderveld 1994, "Contrast limited adaptive histogram equalization", Graphics Gems IV.
        Differs: what was cut is shared out once.
    Example:
        >>> import nacre
        >>> layer = nacre.layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2))
        >>> layer(nacre.ops.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: Any = (8, 8),
        data_format: str | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = checked_value_range(self, value_range)
        self.clip_limit = clip_limit
        is_pair = isinstance(tile_grid_size, list | tuple) and len(tile_grid_size) == 2
        if not is_pair or any(not isinstance(n, int) or n < 1 for n in tile_grid_size):
            raise ArgumentError(
                message(self._who(), "tile_grid_size must be (rows, columns)", repr(tile_grid_size))
            )
        self.tile_grid_size = tuple(tile_grid_size)

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The equalized images: ints as ints, floats in the compute dtype."""
        images = jnp.asarray(images)
        low, high = self.value_range
        x = self._channels_last(images)
        levels = jnp.clip((x - low) / (high - low) * (_LEVELS - 1), 0, _LEVELS - 1)
        mapped = self._mapped(levels.astype("int32")) / (_LEVELS - 1) * (high - low) + low
        if self.data_format == "channels_first":
            mapped = jnp.moveaxis(mapped, -1, 1)
        if jnp.issubdtype(images.dtype, jnp.integer):
            mapped = jnp.floor(mapped + 1e-3)  # as Keras does; 1e-3 hides rounding below a level
        return to_float(self._in_dtype_of(images, mapped), self.compute_dtype)

    def _mapped(self, levels: jax.Array) -> jax.Array:
        """Levels (batch, height, width, channels) through the tables of the nearest tiles."""
        height, width = levels.shape[1:3]
        tiles = self.tile_grid_size
        safety.reserve(tiles[0] * tiles[1] * _LEVELS * 4, self._who())  # the tables of one image
        tall, broad = -(-height // tiles[0]), -(-width // tiles[1])
        tables = self._tables(levels, tall, broad)  # (batch, rows, columns, channels, 256)
        rows, columns = _neighbours(height, tall, tiles[0]), _neighbours(width, broad, tiles[1])
        batch = jnp.arange(levels.shape[0])[:, None, None, None]
        channels = jnp.arange(levels.shape[3])
        total = jnp.zeros(levels.shape, "float32")
        for row, row_weight in rows:
            for column, column_weight in columns:
                place = (batch, row[:, None, None], column[:, None], channels, levels)
                weight = row_weight[:, None, None] * column_weight[:, None]
                total = total + tables[place] * weight
        return total

    def _tables(self, levels: jax.Array, tall: int, broad: int) -> jax.Array:
        """What each level becomes in each tile, (batch, rows, columns, channels, 256)."""
        tile_rows, tile_columns = self.tile_grid_size
        batch, height, width, channels = levels.shape
        margins = (
            (0, 0), (0, tall * tile_rows - height), (0, broad * tile_columns - width), (0, 0),
        )  # fmt: skip
        whole = jnp.pad(levels, margins, mode="symmetric")
        parts = whole.reshape(batch, tile_rows, tall, tile_columns, broad, channels)
        parts = parts.transpose(0, 1, 3, 5, 2, 4)  # (batch, rows, columns, channels, tall, broad)
        area = tall * broad
        counts = counted(parts.reshape(*parts.shape[:4], area), _LEVELS)
        limit = self.clip_limit * area / _LEVELS
        cut = jnp.minimum(counts, limit)
        cut = cut + (area - jnp.sum(cut, axis=-1, keepdims=True)) / _LEVELS
        upto = jnp.cumsum(cut, axis=-1)
        first = upto[..., :1]
        scaled = (upto - first) / jnp.maximum(area - first, 1e-6) * (_LEVELS - 1)
        return jnp.clip(scaled, 0, _LEVELS - 1)


def _neighbours(size: int, tile: int, tiles: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each pixel of an axis the tile before and the tile after, each with its weight."""
    places = np.arange(size) / tile - 0.5
    before = np.floor(places)
    share = (places - before).astype("float32")
    first, second = (np.clip(before + i, 0, tiles - 1).astype("int32") for i in (0, 1))
    return [(first, 1 - share), (second, share)]
