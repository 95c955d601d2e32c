"""Policies: each image goes through changes chosen at random out of many."""

from __future__ import annotations

from numbers import Real
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.layers.base.keywords import AnyImageKeywords, ImageKeywords
from nacre.layers.preprocessing import pixel_changes
from nacre.layers.preprocessing.image_layer import factor_range, per_image
from nacre.layers.preprocessing.pixel_changes import affine_map, boxes_after, turned_map
from nacre.layers.preprocessing.random_colours import ColourLayer

# The changes of the RandAugment paper; the first moves pixels, the last leave them as they are.
_MOVES = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
_VALUES = ("stretch", "equalize", "posterize", "solarize")
_STRENGTHS = ("brightness", "contrast", "colour", "sharpness")
_NONE = ("identity",)


class PolicyLayer(ColourLayer):
    """Base of the layers that choose among changes.

    The change number `kinds` of strength `strengths` (0 … 1) and direction `signs` is applied to
    each image. All images go through all changes and one result is kept: fast where many pixels
    are worked on at once.

    Formula:
        with strength m and sign s: rotated by s·m·30 degrees, sheared by s·m·0.3, moved by s·m·0.3
        of the side, posterized to 8 - round(4·m) bits, solarized from 1 - m of the range on,
        brightness + s·m·0.5 of the range, contrast, colour and sharpness · (1 + s·m·0.9)
    """

    _moves_pixels = True

    def __init__(
        self,
        value_range: Any,
        interpolation: str,
        seed: int | None,
        **kwargs: Unpack[AnyImageKeywords],
    ) -> None:
        super().__init__(value_range, seed, **kwargs)
        if interpolation not in ("nearest", "bilinear"):
            raise ArgumentError(
                message(
                    self._who(),
                    "interpolation must be 'nearest' or 'bilinear'",
                    repr(interpolation),
                )
            )
        self.interpolation = interpolation

    def _changes(self) -> tuple[str, ...]:
        return (*_MOVES, *_VALUES, *_STRENGTHS, *_NONE)

    def _draw_steps(self, key: jax.Array, shape: tuple[int, Any], factor: tuple) -> dict:
        """One change for each step and image, (steps, images)."""
        first, second, third = jax.random.split(key, 3)
        return {
            "kinds": jax.random.randint(first, shape, 0, len(self._changes()), "int32"),
            "strengths": jax.random.uniform(second, shape, "float32", *factor),
            "signs": jnp.where(jax.random.bernoulli(third, np.float32(0.5), shape), 1.0, -1.0),
        }

    def _has_change(self, drawn: dict[str, Any], name: str) -> jax.Array:
        return drawn["kinds"] == self._changes().index(name)

    def _step(self, images: Any, drawn: dict[str, Any]) -> Any:
        """Images after one change each."""
        low, high = self.value_range
        strength, sign = drawn["strengths"], drawn["signs"]
        factor = 1 + sign * strength * 0.9
        threshold = low + (1 - strength) * (high - low)
        bits = 8 - jnp.round(4 * strength)
        mean_gray = pixel_changes.grayscale(images)
        results = {
            "stretch": lambda: pixel_changes.stretched(images, low, high),
            "equalize": lambda: pixel_changes.equalized(images, 256, low, high),
            "posterize": lambda: pixel_changes.posterized(images, bits, low, high),
            "solarize": lambda: pixel_changes.solarized(
                images, jnp.zeros_like(strength), threshold, low, high
            ),
            "brightness": lambda: images + per_image(sign * strength * 0.5) * (high - low),
            "contrast": lambda: pixel_changes.contrasted(images, factor),
            "colour": lambda: pixel_changes.blended(mean_gray, images, factor),
            "sharpness": lambda: pixel_changes.sharpened(images, factor),
        }
        changed = self._warped(images, drawn, self.interpolation)
        for name, result in results.items():
            if name in self._changes():
                changed = jnp.where(per_image(self._has_change(drawn, name)), result(), changed)
        return self._clipped(changed)

    def _warped(self, images: Any, drawn: dict[str, Any], interpolation: str) -> Any:
        """Images whose change moves pixels, warped, all in one call; the others stay."""
        moved = ops.image.affine_transform(
            images,
            self._warp_maps(drawn, *images.shape[1:3]),
            interpolation=interpolation,
            fill_mode="reflect",
            data_format="channels_last",
        )
        return jnp.where(per_image(drawn["kinds"] < len(_MOVES)), moved, images)

    def _warp_maps(self, drawn: dict[str, Any], height: Any, width: Any) -> Any:
        """Where the pixels of each image come from; the identity for images that stay."""
        numbers = drawn["strengths"]
        amount = drawn["signs"] * drawn["strengths"]
        amount_of = lambda name: jnp.where(self._has_change(drawn, name), amount, 0.0)
        angle = amount_of("rotate") * (np.pi / 6)
        maps = turned_map(numbers, angle, height, width)
        across, along = amount_of("shear_x") * 0.3, amount_of("shear_y") * 0.3
        # Sheared around the middle; only one of all these is not zero.
        columns = amount_of("translate_x") * 0.3 * width - across * ((height - 1) / 2)
        rows = amount_of("translate_y") * 0.3 * height - along * ((width - 1) / 2)
        return maps + affine_map(numbers, 0.0, across, columns, along, 0.0, rows)


@register("layers/RandAugment")
class RandAugment(PolicyLayer):
    """Apply a few changes, chosen at random for each image, one after the other.

    Args:
        value_range: Lowest and highest value of a pixel.
        num_ops: Number of changes of each image.
        factor: Largest strength, drawn from 0 on, or (lowest, highest), from 0 to 1.
        interpolation: 'bilinear' or 'nearest'.
        seed: Int, for repeatable results.
        data_format: 'channels_last' or 'channels_first'.
    Source:
        Cubuk et al. 2019, arXiv:1909.13719, with its 14 changes. Differs: the strength is drawn for
        each image and change; Keras 3.15 chooses the changes once for a batch.
    Example:
        >>> import nacre
        >>> nacre.layers.RandAugment()(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_ops: int = 2,
        factor: Any = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(value_range, interpolation, seed, data_format=data_format, **kwargs)
        self.num_ops = whole_number(self._who(), "num_ops", num_ops, 0)
        self.factor = factor_range(self, "factor", factor, 0.0, 1.0)

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        return self._draw_steps(key, (self.num_ops, images.shape[0]), self.factor)

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        # A loop, so that the program is compiled for one step only.
        steps = _steps(drawn)
        return jax.lax.scan(lambda x, step: (self._step(x, step), None), images, steps)[0]

    def _transform_masks(self, masks: Any, drawn: dict[str, Any]) -> Any:
        move = lambda x, step: (self._warped(x, step, "nearest"), None)
        return jax.lax.scan(move, masks, _steps(drawn))[0]

    def _transform_boxes(
        self, edges: Any, transformation: Any, size: tuple[Any, Any]
    ) -> tuple[Any, tuple[Any, Any]]:
        # Cut at the borders after each step: what left the image does not come back.
        limits = jnp.array([size[1], size[0]] * 2, "float32")
        move = lambda x, step: (
            jnp.clip(boxes_after(x, self._warp_maps(step, *size)), 0, limits),
            None,
        )
        return jax.lax.scan(move, edges, _steps(transformation))[0], size


def _steps(drawn: dict[str, Any]) -> dict[str, Any]:
    """The arrays of a transformation that have one entry for each step."""
    return {name: drawn[name] for name in ("kinds", "strengths", "signs")}


@register("layers/AugMix")
class AugMix(PolicyLayer):
    """Blend each image with a mixture of several changed forms of it.

    Args:
        value_range: Lowest and highest value of a pixel.
        num_chains: Number of changed forms.
        chain_depth: Largest number of changes of a form, drawn from 1 on.
        factor: Largest strength, drawn from 0 on, or (lowest, highest), from 0 to 1.
        alpha: Of the Dirichlet distribution of the forms' shares and the Beta distribution of the
            share of their mixture.
        all_ops: Whether brightness, contrast, colour and sharpness change too.
        interpolation: 'bilinear' or 'nearest'.
        seed: Int, for repeatable results.
        data_format: 'channels_last' or 'channels_first'.
    Formula:
        y = (1 - b) · x + b · sum of w_i · form_i
    Source:
        Hendrycks et al. 2020, arXiv:1912.02781. Differs: Keras 3.15 chooses the changes once for a
        batch, here they are chosen for each image.
    Example:
        >>> import nacre
        >>> nacre.layers.AugMix(num_chains=1)(nacre.ops.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    # A blend of moved forms has no masks of its own.
    _moves_pixels = False

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Any = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[ImageKeywords],
    ) -> None:
        super().__init__(value_range, interpolation, seed, data_format=data_format, **kwargs)
        if not isinstance(alpha, Real) or alpha <= 0:
            raise ArgumentError(message(self._who(), "alpha must be positive", repr(alpha)))
        self.num_chains = whole_number(self._who(), "num_chains", num_chains)
        self.chain_depth = whole_number(self._who(), "chain_depth", chain_depth)
        self.factor = factor_range(self, "factor", factor, 0.0, 1.0)
        self.alpha = alpha
        self.all_ops = all_ops

    def _changes(self) -> tuple[str, ...]:
        return (*_MOVES, *_VALUES, *(_STRENGTHS if self.all_ops else ()))

    def _draw_numbers(self, key: jax.Array, images: Any) -> dict[str, Any]:
        first, second, third, fourth = jax.random.split(key, 4)
        chains, batch = self.num_chains, images.shape[0]
        steps = self._draw_steps(first, (self.chain_depth, chains * batch), self.factor)
        depths = jax.random.randint(second, (chains * batch,), 1, self.chain_depth + 1, "int32")
        # Beta(1, 1) is uniform and Gamma(1) exponential: much less to compile.
        is_flat = self.alpha == 1
        shares = (
            jax.random.exponential(third, (chains, batch), "float32")
            if is_flat
            else jax.random.gamma(third, self.alpha, (chains, batch), "float32")
        )
        weights = (
            jax.random.uniform(fourth, (batch,), "float32")
            if is_flat
            else jax.random.beta(fourth, self.alpha, self.alpha, (batch,), "float32")
        )
        return {
            "steps": steps,
            "depths": depths,
            "shares": shares / jnp.sum(shares, axis=0),
            "weights": weights,
        }

    def _apply_drawn(self, images: Any, drawn: dict[str, Any]) -> Any:
        def step(forms: Any, numbers: tuple[Any, Any]) -> tuple[Any, None]:
            position, drawn_step = numbers
            is_on = per_image(drawn["depths"] > position)
            return jnp.where(is_on, self._step(forms, drawn_step), forms), None

        forms = jnp.tile(images, (self.num_chains, 1, 1, 1))  # chain after chain
        forms = jax.lax.scan(step, forms, (jnp.arange(self.chain_depth), drawn["steps"]))[0]
        forms = forms * per_image(drawn["shares"].reshape(-1))
        mixture = jnp.sum(forms.reshape(self.num_chains, *images.shape), axis=0)
        return self._clipped(pixel_changes.blended(images, mixture, drawn["weights"]))
