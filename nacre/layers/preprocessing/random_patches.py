"""Parts of images erased, bent or replaced by other images at random in training."""

from __future__ import annotations

from numbers import Real
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from nacre import ops
from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.layers.base.keywords import ImageKeywords
from nacre.layers.preprocessing.image_layer import (
    RandomImageLayer,
    choose_images,
    factor_range,
    per_image,
    uniform,
)
from nacre.layers.preprocessing.random_colours import ColourLayer
from nacre.ops.boxes.moves import mapped
from nacre.ops.geometry import homography


def _rectangles(key: jax.Array, images: Any, size: tuple[int, int], shares: tuple) -> jax.Array:
    """One rectangle an image, wholly inside: bools (batch, height, width, 1).

    Args:
        size: Height and width of the images.
        shares: Share of the height and share of the width of each rectangle, (batch,) each.
    """
    inside = []
    for part, length, share in zip(jax.random.split(key), size, shares, strict=True):
        extent = jnp.clip(jnp.round(share * length), 0, length)
        start = jnp.floor(uniform(part, images, (0.0, 1.0)) * (length - extent + 1))
        places = jnp.arange(length)
        inside.append((places >= start[:, None]) & (places < (start + extent)[:, None]))
    return (inside[0][:, :, None] & inside[1][:, None, :])[..., None]


@register("layers/RandomErasing")
class RandomErasing(ColourLayer):
    """Replace a rectangle of some images by noise or by one value.

    Args:
        factor: Probability: each image's is drawn from 0 to the number, or (lowest, highest).
        scale: Lowest and highest square of the rectangle's share of the height, and of the width:
            its area is about such a share of the image.
        fill_value: The value; None for noise, a normal distribution around the middle of the range.
        value_range: Lowest and highest value of a pixel.
        seed: Int, for repeatable results.
        data_format: 'channels_last' or 'channels_first'.
    Source:
        Zhong et al. 2017, arXiv:1708.04896. Differs: height and width are drawn by themselves, as
        in Keras 3.15.
    Example:
        >>> import nacre
        >>> nacre.layers.RandomErasing()(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: float | None = None,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(value_range, seed, data_format=data_format, **kwargs)
        self.factor = factor_range(self, "factor", factor, 0.0, 1.0)
        self.scale = factor_range(self, "scale", scale, 0.0, 1.0)
        self.fill_value = fill_value

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        keys = jax.random.split(key, 4)
        shares = tuple(jnp.sqrt(uniform(k, images, self.scale)) for k in keys[:2])
        masks = _rectangles(keys[2], images, self._size(images), shares)
        apply = per_image(choose_images(keys[3], images, self.factor))
        return {"masks": masks & apply, "noise_key": jax.random.fold_in(key, 4)}

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        low, high = self.value_range
        if self.fill_value is None:
            noise = jax.random.normal(drawn["noise_key"], images.shape, images.dtype)
            filling = self._clipped((low + high) / 2 + noise * (high - low) / 4)
        else:
            filling = jnp.asarray(self.fill_value, images.dtype)
        return jnp.where(drawn["masks"], filling, images)


_TRIES = 32  # each fails at most every second time: all do once in 4e9


def _symmetric_beta(key: jax.Array, alpha: float, count: Any) -> jax.Array:
    """Numbers (count,) of the Beta(alpha, alpha) distribution, for alpha up to 1.

    By Jöhnk's method, with a fixed number of tries: `jax.random.beta` takes seconds to compile.
    With U, V uniform and a = U^(1/alpha), b = V^(1/alpha), where a + b <= 1 it is a / (a + b).

    Source:
        Jöhnk 1964, "Erzeugung von betaverteilten und gammaverteilten Zufallszahlen".
    """
    least = jnp.finfo("float32").tiny
    drawn = jax.random.uniform(key, (2, _TRIES, count), "float32", minval=least)
    first, second = jnp.log(drawn) / alpha
    total = jnp.logaddexp(first, second)
    place = jnp.argmax(total <= 0, axis=0)[None]
    share = jnp.exp(first - total)
    return jnp.take_along_axis(share, place, axis=0)[0]


class _Mixing(RandomImageLayer):
    """Base of the layers that mix each image with another one of the batch, and their labels.

    `weights` is the share of the image itself, `permutation` tells the other one.
    """

    mixes_samples = True

    def _partners(self, key: jax.Array, images: Any) -> jax.Array:
        # The ranks of random numbers, as the size of the batch may be unknown while tracing; a
        # program that sorts takes seconds to compile.
        drawn = uniform(key, images, (0.0, 1.0))
        return jnp.sum(drawn[None, :] < drawn[:, None], axis=1)

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        """The labels (batch, classes), mixed by the same shares.

        Raises:
            ArgumentError: Labels are indices of classes, which cannot be mixed.
        """
        if not training or transformation is None:
            return labels
        labels = jnp.asarray(labels)
        if labels.ndim < 2 or not jnp.issubdtype(labels.dtype, jnp.floating):
            raise ArgumentError(
                message(
                    self._who(),
                    "labels must be floats (batch, classes)",
                    f"{labels.dtype} of shape {labels.shape}",
                    "Use nacre.utils.to_categorical(labels, num_classes) first.",
                )
            )
        weights = transformation["weights"].reshape(-1, *[1] * (labels.ndim - 1))
        others = labels[transformation["permutation"]]
        return (weights * labels + (1 - weights) * others).astype(labels.dtype)


@register("layers/MixUp")
class MixUp(_Mixing):
    """Blend each image of a batch with another one, and their labels alike.

    Labels are floats (batch, classes): pass a dict {'images': ..., 'labels': ...}.

    Args:
        alpha: Shares come from a Beta(alpha, alpha) distribution; small values mix less.
        data_format: 'channels_last' or 'channels_first'.
        seed: Int, for repeatable results.
    Formula:
        y = w · x + (1 - w) · other x
    Source:
        Zhang et al. 2018, arXiv:1710.09412.
    Example:
        >>> import nacre
        >>> nacre.layers.MixUp()(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def __init__(
        self,
        alpha: float = 0.2,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        if not isinstance(alpha, Real) or not 0 < alpha <= 1:
            raise ArgumentError(
                message(self._who(), "alpha must be above 0, at most 1", repr(alpha))
            )
        self.alpha = alpha

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        first, second = jax.random.split(key)
        weights = _symmetric_beta(first, self.alpha, images.shape[0])
        return {"weights": weights, "permutation": self._partners(second, images)}

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        weights = per_image(drawn["weights"])
        return weights * images + (1 - weights) * images[drawn["permutation"]]

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        """The masks of the images themselves: classes cannot be blended."""
        return segmentation_masks

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True
    ) -> Any:
        """The boxes of both images, one after the other: twice as many."""
        if not training or transformation is None:
            return bounding_boxes
        join = lambda x: jnp.concatenate([x, x[transformation["permutation"]]], axis=1)
        return {name: join(jnp.asarray(values)) for name, values in bounding_boxes.items()}


@register("layers/CutMix")
class CutMix(_Mixing):
    """Paste a rectangle of another image of the batch into each image, and mix their labels.

    Labels are floats (batch, classes): pass a dict {'images': ..., 'labels': ...}.

    Args:
        factor: Largest share of the area pasted, drawn from 0 on, or (lowest, highest).
        seed: Int, for repeatable results.
        data_format: 'channels_last' or 'channels_first'.
    Source:
        Yun et al. 2019, arXiv:1905.04899. Differs: rectangles lie wholly inside; labels are mixed
        by the exact areas; the factor is the share pasted, in Keras 3.15 the share kept.
    Example:
        >>> import nacre
        >>> nacre.layers.CutMix()(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    _moves_pixels = True

    def __init__(
        self,
        factor: Any = 1.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(self, "factor", factor, 0.0, 1.0)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        first, second, third = jax.random.split(key, 3)
        share = jnp.sqrt(uniform(first, images, self.factor))
        masks = _rectangles(second, images, self._size(images), (share, share))
        return {
            "masks": masks,
            "weights": 1 - jnp.mean(masks, axis=(1, 2, 3), dtype="float32"),
            "permutation": self._partners(third, images),
        }

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        return jnp.where(drawn["masks"], images[drawn["permutation"]], images)


@register("layers/RandomPerspective")
class RandomPerspective(RandomImageLayer):
    """See some images from elsewhere: their corners move.

    Args:
        factor: Probability: each image's is drawn from 0 to the number, or (lowest, highest).
        scale: How far corners move: up to half of this share of the size.
        interpolation: 'bilinear' or 'nearest'.
        fill_value: Value outside the image.
        seed: Int, for repeatable results.
        data_format: 'channels_last' or 'channels_first'.
    Formula:
        corner -> corner · (1 + scale · u), u from -1/2 to 1/2 for row and column; so the upper
        left corner stays
    Example:
        >>> import nacre
        >>> nacre.layers.RandomPerspective()(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    _moves_pixels = True

    def __init__(
        self,
        factor: Any = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(self, "factor", factor, 0.0, 1.0)
        if not isinstance(scale, Real) or not 0 <= scale <= 1:
            raise ArgumentError(message(self._who(), "scale must be from 0 to 1", repr(scale)))
        self.scale = scale
        self.interpolation = interpolation
        self.fill_value = fill_value

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        height, width = self._size(images)
        first, second = jax.random.split(key)
        right, bottom = float(width - 1), float(height - 1)
        corners = jnp.array([[0.0, 0.0], [right, 0.0], [0.0, bottom], [right, bottom]], "float32")
        moves = jax.random.uniform(first, (images.shape[0], 4, 2), "float32", -0.5, 0.5)
        end = corners * (1 + self.scale * moves)
        return {
            "chosen": choose_images(second, images, self.factor),
            "start_points": jnp.broadcast_to(corners, end.shape),
            "end_points": end,
        }

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        return self._warped(images, drawn, self.interpolation)

    def _transform_masks(self, masks: Any, drawn: dict[str, Any]) -> Any:
        return self._warped(masks, drawn, "nearest")

    def _transform_boxes(
        self, edges: Any, transformation: Any, size: tuple[Any, Any]
    ) -> tuple[Any, tuple[Any, Any]]:
        start, end = transformation["start_points"], transformation["end_points"]
        # Points are counted by the middles of pixels, boxes by edges.
        moved = mapped(edges - 0.5, homography(start, end)) + 0.5
        return jnp.where(transformation["chosen"][:, None, None], moved, edges), size

    def _warped(self, images: Any, drawn: dict[str, Any], interpolation: str) -> Any:
        moved = ops.image.perspective_transform(
            images,
            drawn["start_points"],
            drawn["end_points"],
            interpolation=interpolation,
            fill_value=self.fill_value,
            data_format="channels_last",
        )
        return jnp.where(per_image(drawn["chosen"]), moved, images)


@register("layers/RandomElasticTransform")
class RandomElasticTransform(ColourLayer):
    """Bend some images, as if printed on rubber.

    Args:
        factor: Probability: each image's is drawn from 0 to the number, or (lowest, highest).
        scale: Largest strength, drawn from 0 on, or (lowest, highest), within 0 and 1.
        interpolation: 'bilinear' or 'nearest'.
        fill_mode: What lies outside: 'reflect', 'constant', 'wrap' or 'nearest'.
        fill_value: For 'constant'.
        value_range: Lowest and highest value of a pixel.
        seed: Int, for repeatable results.
        data_format: 'channels_last' or 'channels_first'.
    Formula:
        pixels move by smoothed noise of root mean square scale · shorter side / 10; the noise is
        smoothed over an eighth of the shorter side
    Source:
        Simard et al. 2003, "Best practices for convolutional neural networks". Differs: strength
        and smoothness grow with the image, so that all sizes look alike.
    Example:
        >>> import nacre
        >>> nacre.layers.RandomElasticTransform()(nacre.ops.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    _moves_pixels = True

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(value_range, seed, data_format=data_format, **kwargs)
        self.factor = factor_range(self, "factor", factor, 0.0, 1.0)
        self.scale = factor_range(self, "scale", scale, 0.0, 1.0)
        self.interpolation = interpolation
        self.fill_mode = fill_mode
        self.fill_value = fill_value

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        height, width = self._size(images)
        first, second, third = jax.random.split(key, 3)
        side = min(height, width)
        noise = jax.random.normal(first, (images.shape[0], height, width, 2), "float32")
        sigma = max(side / 8, 1.0)
        size = int(4 * sigma) | 1
        smooth = ops.image.gaussian_blur(
            noise, (size, size), (sigma, sigma), data_format="channels_last"
        )
        mean_square = jnp.mean(jnp.square(smooth), axis=(1, 2), keepdims=True)
        strength = uniform(second, images, self.scale) * side / 10
        strength = jnp.where(choose_images(third, images, self.factor), strength, 0.0)
        return {"moves": smooth / jnp.sqrt(mean_square + 1e-12) * per_image(strength)}

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        return self._clipped(self._warped(images, drawn, self.interpolation))

    def _transform_masks(self, masks: Any, drawn: dict[str, Any]) -> Any:
        return self._warped(masks, drawn, "nearest")

    def _transform_boxes(
        self, edges: Any, transformation: Any, size: tuple[Any, Any]
    ) -> tuple[Any, tuple[Any, Any]]:
        rows, columns = (jnp.arange(n, dtype="float32") for n in size)

        def box_around(box: Any, moves: Any) -> Any:
            """The box around the pixels that come from within a box."""
            x, y = columns + 0.5 + moves[..., 1], rows[:, None] + 0.5 + moves[..., 0]
            inside = (box[0] <= x) & (x <= box[2]) & (box[1] <= y) & (y <= box[3])
            across, along = jnp.any(inside, axis=0), jnp.any(inside, axis=1)
            low = [jnp.argmax(across), jnp.argmax(along)]
            high = [size[1] - jnp.argmax(across[::-1]), size[0] - jnp.argmax(along[::-1])]
            found = jnp.stack([*low, *high]).astype("float32")
            return jnp.where(jnp.any(inside), found, 0.0)

        one_image = lambda boxes, moves: jax.lax.map(lambda box: box_around(box, moves), boxes)
        return jax.vmap(one_image)(edges, transformation["moves"]), size

    def _warped(self, images: Any, drawn: dict[str, Any], interpolation: str) -> Any:
        order = 1 if interpolation == "bilinear" else 0
        height, width = images.shape[1:3]
        rows, columns = jnp.meshgrid(
            jnp.arange(height, dtype="float32"), jnp.arange(width, dtype="float32"), indexing="ij"
        )

        def warped_image(image: Any, moves: Any) -> Any:
            places = jnp.stack([rows + moves[..., 0], columns + moves[..., 1]])
            read = lambda plane: ops.image.map_coordinates(
                plane, places, order, fill_mode=self.fill_mode, fill_value=self.fill_value
            )
            return jax.vmap(read, in_axes=-1, out_axes=-1)(image)

        return jax.vmap(warped_image)(images, drawn["moves"])
