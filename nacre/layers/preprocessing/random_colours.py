"""Random changes of colours in training: brightness, contrast, saturation, hue and all of them."""

from __future__ import annotations

from numbers import Real
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.layers.base.keywords import AnyImageKeywords, ImageKeywords
from nacre.layers.preprocessing import pixel_changes
from nacre.layers.preprocessing.image_layer import (
    ImageLayer,
    RandomImageLayer,
    checked_value_range,
    choose_images,
    factor_range,
    per_image,
    uniform,
)


class ColourLayer(RandomImageLayer):
    """Base of the random layers that know the range of pixel values."""

    def __init__(
        self, value_range: Any, seed: int | None, **kwargs: Unpack[AnyImageKeywords]
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.value_range = checked_value_range(self, value_range)

    def _clipped(self, images: Any) -> Any:
        return jnp.clip(images, *self.value_range)


class FactorLayer(ColourLayer):
    """Base of the colour layers that draw one number an image from `factor`."""

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(value_range, seed, data_format=data_format, **kwargs)
        self.factor = self._checked(factor)

    def _checked(self, factor: Any) -> Any:
        """The lowest and the highest number a factor stands for."""
        return factor_range(self, "factor", factor, 0.0, 1.0)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        return {"factor": uniform(key, images, self.factor)}


def _contrast_range(layer: ImageLayer, factor: Any) -> tuple[float, float]:
    """How much less and how much more contrast there may be."""
    pair = tuple(factor) if isinstance(factor, list | tuple) else (factor, factor)
    are_numbers = len(pair) == 2 and all(isinstance(number, Real) for number in pair)
    if not are_numbers or min(pair) < 0 or pair[0] > 1:
        raise ArgumentError(
            message(
                layer._who(),
                "factor must be a number from 0 to 1, or two (less, more), not negative",
                repr(factor),
            )
        )
    return pair


@register("layers/RandomContrast")
class RandomContrast(ColourLayer):
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
        self,
        factor: Any,
        value_range: Any = (0, 255),
        seed: int | None = None,
        **kwargs: Unpack[AnyImageKeywords],
    ) -> None:
        super().__init__(value_range, seed, **kwargs)
        self.factor = _contrast_range(self, factor)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        less, more = self.factor
        return {"factor": uniform(key, images, (1 - less, 1 + more))}

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        return self._clipped(pixel_changes.contrasted(images, drawn["factor"]))


@register("layers/RandomBrightness")
class RandomBrightness(ColourLayer):
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
        self,
        factor: Any,
        value_range: Any = (0, 255),
        seed: int | None = None,
        **kwargs: Unpack[AnyImageKeywords],
    ) -> None:
        super().__init__(value_range, seed, **kwargs)
        self.factor = factor_range(self, "factor", factor, -1.0, 1.0)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        low, high = self.value_range
        return {"change": uniform(key, images, self.factor) * (high - low)}

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        return self._clipped(images + per_image(drawn["change"]))


@register("layers/RandomSaturation")
class RandomSaturation(FactorLayer):
    """Make the colours of RGB images paler or stronger at random.

    Args:
        factor: Highest factor, drawn from 0 on, or (lowest, highest): 0 is gray, 0.5 no change,
            1 full colour.
        value_range: Lowest and highest value of a pixel.
        data_format: 'channels_last' or 'channels_first'.
        seed: Int, for repeatable results.
    Formula:
        saturation · f / (1 - f), at most 1
    Source:
        Keras 3.15. Differs: one number stands for (0, number), as its documentation says, not for
        (-number, number); the saturation stays within its range, so pixels do too.
    Example:
        >>> import nacre
        >>> nacre.layers.RandomSaturation(0.2)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def _checked(self, factor: Any) -> Any:
        return _one_sided_range(self, factor)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        factor = jnp.maximum(uniform(key, images, self.factor), 0.0)
        return {"factor": factor / (1 - factor + 1e-7)}  # 1e-7: full colour is finite

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        changed = pixel_changes.saturated(images, drawn["factor"], *self.value_range)
        return self._clipped(changed)


def _one_sided_range(layer: ImageLayer, factor: Any) -> tuple[float, float]:
    """(0, factor) for one number; two may begin below 0, as in files of Keras."""
    low = -1.0 if isinstance(factor, list | tuple) else 0.0
    return factor_range(layer, "factor", factor, low, 1.0)


@register("layers/RandomHue")
class RandomHue(FactorLayer):
    """Turn the hue of RGB images at random.

    Args:
        factor: Largest turn, drawn from 0 on, or (lowest, highest); 1 is half the colour circle,
            either way.
        value_range: Lowest and highest value of a pixel.
        data_format: 'channels_last' or 'channels_first'.
        seed: Int, for repeatable results.
    Example:
        >>> import nacre
        >>> nacre.layers.RandomHue(0.2)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        first, second = jax.random.split(key)
        sign = jnp.where(uniform(first, images, (0.0, 1.0)) < 0.5, -0.5, 0.5)
        return {"factor": sign * uniform(second, images, self.factor)}

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        changed = pixel_changes.hue_turned(images, drawn["factor"], *self.value_range)
        return self._clipped(changed)


@register("layers/RandomColorDegeneration")
class RandomColorDegeneration(FactorLayer):
    """Blend RGB images with their gray forms at random.

    Args:
        factor: Largest share of gray, drawn from 0 on, or (lowest, highest); below 0 colours get
            stronger.
        value_range: Lowest and highest value of a pixel.
        data_format: 'channels_last' or 'channels_first'.
        seed: Int, for repeatable results.
    Source:
        Keras 3.15. Differs: one number stands for (0, number), as its documentation says, not for
        (-number, number).
    Example:
        >>> import nacre
        >>> nacre.layers.RandomColorDegeneration(0.2)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def _checked(self, factor: Any) -> Any:
        return _one_sided_range(self, factor)

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        gray = pixel_changes.grayscale(images)
        return self._clipped(pixel_changes.blended(images, gray, drawn["factor"]))


@register("layers/RandomGrayscale")
class RandomGrayscale(RandomImageLayer):
    """Make some RGB images gray; the number of channels stays.

    Args:
        factor: Share of the images, from 0 to 1.
        data_format: 'channels_last' or 'channels_first'.
        seed: Int, for repeatable results.
    Formula:
        0.2989 · red + 0.587 · green + 0.114 · blue
    Example:
        >>> import nacre
        >>> nacre.layers.RandomGrayscale(1.0)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def __init__(
        self,
        factor: float = 0.5,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        if not isinstance(factor, int | float) or not 0 <= factor <= 1:
            raise ArgumentError(
                message(self._who(), "factor must be a number from 0 to 1", repr(factor))
            )
        self.factor = factor

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        return {"chosen": uniform(key, images, (0.0, 1.0)) < self.factor}

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        return jnp.where(per_image(drawn["chosen"]), pixel_changes.grayscale(images), images)


@register("layers/RandomInvert")
class RandomInvert(ColourLayer):
    """Turn some images into their negatives.

    Args:
        factor: Probability: each image's is drawn from 0 to the number, or (lowest, highest).
        value_range: Lowest and highest value of a pixel.
        seed: Int, for repeatable results.
        data_format: 'channels_last' or 'channels_first'.
    Example:
        >>> import nacre
        >>> nacre.layers.RandomInvert((1, 1))(nacre.ops.ones((1, 1, 1, 1))).tolist()
        [[[[254.0]]]]
    """

    def __init__(
        self,
        factor: Any = 1.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(value_range, seed, data_format=data_format, **kwargs)
        self.factor = factor_range(self, "factor", factor, 0.0, 1.0)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        return {"chosen": choose_images(key, images, self.factor)}

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        low, high = self.value_range
        return jnp.where(per_image(drawn["chosen"]), high + low - images, images)


@register("layers/RandomColorJitter")
class RandomColorJitter(ColourLayer):
    """Change brightness, contrast, saturation and hue of RGB images, in a random order.

    Args:
        value_range: Lowest and highest value of a pixel.
        brightness_factor: See `RandomBrightness`; None for no change.
        contrast_factor: See `RandomContrast`; None for no change.
        saturation_factor: See `RandomSaturation`; None for no change.
        hue_factor: See `RandomHue`; None for no change.
        seed: Int, for repeatable results.
        data_format: 'channels_last' or 'channels_first'.
    Source:
        Keras 3.15. Same: numbers are drawn for each image, the order once for a batch.
    Example:
        >>> import nacre
        >>> nacre.layers.RandomColorJitter(hue_factor=0.1)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        brightness_factor: Any = None,
        contrast_factor: Any = None,
        saturation_factor: Any = None,
        hue_factor: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(value_range, seed, data_format=data_format, **kwargs)
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.hue_factor = hue_factor
        for kind in self._kinds():
            self._range(kind)  # refuses wrong factors now

    def _kinds(self) -> list[str]:
        kinds = ("brightness", "contrast", "saturation", "hue")
        return [kind for kind in kinds if getattr(self, f"{kind}_factor") is not None]

    def _range(self, kind: str) -> tuple[float, float]:
        factor = getattr(self, f"{kind}_factor")
        if kind == "contrast":
            less, more = _contrast_range(self, factor)
            return 1 - less, 1 + more
        if kind == "saturation":
            return _one_sided_range(self, factor)
        low = -1.0 if kind == "brightness" else 0.0
        return factor_range(self, f"{kind}_factor", factor, low, 1.0)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        keys = jax.random.split(key, 6)
        drawn = {
            kind: uniform(k, images, self._range(kind))
            for kind, k in zip(self._kinds(), keys[2:], strict=False)
        }
        if "hue" in drawn:
            sign = jnp.where(uniform(keys[1], images, (0.0, 1.0)) < 0.5, -0.5, 0.5)
            drawn["hue"] = sign * drawn["hue"]
        if "saturation" in drawn:
            factor = jnp.maximum(drawn["saturation"], 0.0)
            drawn["saturation"] = factor / (1 - factor + 1e-7)
        numbers = jnp.arange(max(len(drawn), 1), dtype="int32")
        return {"order": jax.random.permutation(keys[0], numbers), "factors": drawn}

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        low, high = self.value_range
        factors = drawn["factors"]
        changes = {
            "brightness": lambda x: x + per_image(factors["brightness"]) * (high - low),
            "contrast": lambda x: pixel_changes.contrasted(x, factors["contrast"]),
            "saturation": lambda x: pixel_changes.saturated(x, factors["saturation"], low, high),
            "hue": lambda x: pixel_changes.hue_turned(x, factors["hue"], low, high),
        }
        branches = [changes[kind] for kind in factors]
        for place in range(len(branches)):
            images = self._clipped(jax.lax.switch(drawn["order"][place], branches, images))
        return images
