"""Random changes of pixel values in training: sharpness, blur, posterization, solarization."""

from __future__ import annotations

from numbers import Real
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.layers.base.keywords import AnyImageKeywords, ImageKeywords
from nacre.layers.preprocessing import pixel_changes
from nacre.layers.preprocessing.image_layer import choose_images, factor_range, per_image, uniform
from nacre.layers.preprocessing.random_colours import ColourLayer, FactorLayer


@register("layers/RandomSharpness")
class RandomSharpness(FactorLayer):
    """Blur or sharpen images at random.

    Args:
        factor: Highest factor, drawn from 0 on, or (lowest, highest): 0 blurs, 0.5 changes nothing,
            1 sharpens.
        value_range: Lowest and highest value of a pixel.
        data_format: 'channels_last' or 'channels_first'.
        seed: Int, for repeatable results.
    Formula:
        y = blur + 2·f · (x - blur); blur = (sum of 3 x 3 neighbours + 4·x) / 13, zeros outside
    Example:
        >>> import nacre
        >>> nacre.layers.RandomSharpness(0.5)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        return self._clipped(pixel_changes.sharpened(images, 2 * drawn["factor"]))


@register("layers/RandomGaussianBlur")
class RandomGaussianBlur(ColourLayer):
    """Blur some images with a Gaussian filter; zeros lie outside.

    Args:
        factor: Probability: each image's is drawn from 0 to the number, or (lowest, highest).
        kernel_size: Size of the filter, or (width, height); odd.
        sigma: Largest standard deviation, drawn from 0 on, or (lowest, highest).
        value_range: Lowest and highest value of a pixel.
        data_format: 'channels_last' or 'channels_first'.
        seed: Int, for repeatable results.
    Source:
        Keras 3.15. Differs: each image has standard deviations of its own.
    Example:
        >>> import nacre
        >>> nacre.layers.RandomGaussianBlur()(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any = 1.0,
        kernel_size: Any = 3,
        sigma: Any = 1.0,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(value_range, seed, data_format=data_format, **kwargs)
        self.factor = factor_range(self, "factor", factor, 0.0, 1.0)
        is_pair = isinstance(kernel_size, list | tuple)
        self.kernel_size = tuple(kernel_size) if is_pair else (kernel_size, kernel_size)
        is_odd = all(isinstance(n, int) and n > 0 and n % 2 for n in self.kernel_size)
        if len(self.kernel_size) != 2 or not is_odd:
            raise ArgumentError(
                message(self._who(), "kernel_size must be odd and positive", repr(kernel_size))
            )
        self.sigma = factor_range(self, "sigma", sigma, 0.0, 1e6)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        first, across, along = jax.random.split(key, 3)
        return {
            "chosen": choose_images(first, images, self.factor),
            "sigmas": (uniform(along, images, self.sigma), uniform(across, images, self.sigma)),
        }

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        width, height = self.kernel_size
        smooth = pixel_changes.blurred(images, (height, width), drawn["sigmas"])
        return self._clipped(jnp.where(per_image(drawn["chosen"]), smooth, images))


@register("layers/RandomPosterization")
class RandomPosterization(FactorLayer):
    """Keep only the highest bits of each pixel.

    Args:
        factor: Largest number of bits kept, drawn from 1 on, or (least, most), each from 1 to 8.
        value_range: Lowest and highest value of a pixel.
        data_format: 'channels_last' or 'channels_first'.
        seed: Int, for repeatable results.
    Example:
        >>> import nacre
        >>> layer = nacre.layers.RandomPosterization((2, 2))
        >>> layer(nacre.ops.full((1, 1, 1, 1), 100.0)).tolist()
        [[[[64.0]]]]
    """

    def _checked(self, factor: Any) -> Any:
        pair = tuple(factor) if isinstance(factor, list | tuple) else (1, factor)
        are_whole = len(pair) == 2 and all(isinstance(n, Real) and n % 1 == 0 for n in pair)
        is_right = are_whole and 1 <= pair[0] <= pair[1] <= 8
        if not is_right:
            raise ArgumentError(
                message(
                    self._who(),
                    "factor must be a whole number from 1 to 8, or two (least, most)",
                    repr(factor),
                )
            )
        return pair

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        least, most = (int(n) for n in self.factor)
        return {"bits": jax.random.randint(key, (images.shape[0],), least, most + 1, "int32")}

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        return pixel_changes.posterized(images, drawn["bits"], *self.value_range)


@register("layers/Solarization")
class Solarization(ColourLayer):
    """Turn bright pixels into their negatives.

    Args:
        addition_factor: Largest share of the range added to the pixels first, drawn from 0 on, or
            (lowest, highest).
        threshold_factor: Share of the range from which on pixels are turned, drawn from 0 on, or
            (lowest, highest); 0 turns all.
        value_range: Lowest and highest value of a pixel.
        seed: Int, for repeatable results.
    Formula:
        z = clip(x + addition); y = highest + lowest - z where z >= threshold, z elsewhere
    Source:
        Keras 3.15. Differs: two numbers are the lowest and the highest, as its documentation says.
    Example:
        >>> import nacre
        >>> nacre.layers.Solarization()(nacre.ops.ones((1, 1, 1, 1))).tolist()
        [[[[254.0]]]]
    """

    def __init__(
        self,
        addition_factor: Any = 0.0,
        threshold_factor: Any = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        **kwargs: Unpack[AnyImageKeywords],
    ) -> None:
        super().__init__(value_range, seed, **kwargs)
        self.addition_factor = factor_range(self, "addition_factor", addition_factor, 0.0, 1.0)
        self.threshold_factor = factor_range(self, "threshold_factor", threshold_factor, 0.0, 1.0)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        low, high = self.value_range
        first, second = jax.random.split(key)
        return {
            "additions": uniform(first, images, self.addition_factor) * (high - low),
            "thresholds": uniform(second, images, self.threshold_factor) * (high - low) + low,
        }

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        return pixel_changes.solarized(
            images, drawn["additions"], drawn["thresholds"], *self.value_range
        )
