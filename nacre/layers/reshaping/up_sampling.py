"""Layers that make a grid finer."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from nacre import ops
from nacre.core.array_types import Array, Shaped
from nacre.core.config import standardize_data_format
from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.convolution.sliding import per_axis
from nacre.ops._define import composite

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


@composite("inputs", name="up_sampling")
def repeat_elements(inputs: Any, sizes: tuple[int, ...], first_axis: int) -> Any:
    """Repeat each element `sizes[i]` times along axis `first_axis + i`.

    A broadcast and a reshape: its gradient is a sum, where that of a gather would be a scatter.
    """
    shape = tuple(inputs.shape)
    wide, final = list(shape[:first_axis]), list(shape[:first_axis])
    indices: list[Any] = [slice(None)] * first_axis
    for axis, size in enumerate(sizes, first_axis):
        wide += [shape[axis], size]
        final.append(shape[axis] * size)
        indices += [slice(None), None]
    rest = shape[first_axis + len(sizes) :]
    return jnp.broadcast_to(inputs[tuple(indices)], (*wide, *rest)).reshape((*final, *rest))


@register("layers/UpSampling1D")
class UpSampling1D(Layer):
    """Repeat each step of a sequence.

    Args:
        size: How often.
    Shapes:
        inputs (batch, steps, channels); returns (batch, size · steps, channels)
    Example:
        >>> import nacre
        >>> nacre.layers.UpSampling1D(2)(nacre.ops.ones((1, 3, 2))).shape
        (1, 6, 2)
    """

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.size = per_axis(self, "size", size)[0]
        self.supports_masking = True
        self.input_spec = InputSpec(ndim=3)

    def call(
        self, inputs: Shaped[Array, "batch time channels"]
    ) -> Shaped[Array, "batch {self.size}*time channels"]:
        """The steps, each `size` times."""
        return repeat_elements(inputs, (self.size,), 1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask, repeated as the steps are."""
        return None if mask is None else ops.repeat(mask, self.size, axis=1)


@register("layers/UpSampling2D")
class UpSampling2D(Layer):
    """Make an image larger.

    Args:
        size: Factor, or (rows, columns).
        data_format: 'channels_last' or 'channels_first'.
        interpolation: 'nearest', 'bilinear', 'bicubic', 'lanczos3' or 'lanczos5'.
    Example:
        >>> import nacre
        >>> nacre.layers.UpSampling2D((2, 3))(nacre.ops.ones((1, 4, 4, 3))).shape
        (1, 8, 12, 3)
    """

    rank = 2

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.size = per_axis(self, "size", size)
        self.data_format = standardize_data_format(data_format)
        self.interpolation = str(interpolation).lower()
        if self.interpolation not in _INTERPOLATIONS:
            raise ArgumentError(
                message(
                    self._who(), f"interpolation must be one of {_INTERPOLATIONS}", interpolation
                )
            )
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Shaped[Array, "batch ..."]) -> Shaped[Array, "batch ..."]:
        """The larger image."""
        first = 2 if self.data_format == "channels_first" else 1
        if self.interpolation == "nearest":
            return repeat_elements(inputs, self.size, first)
        size = tuple(inputs.shape[first + i] * n for i, n in enumerate(self.size))
        return ops.image.resize(
            inputs, size, interpolation=self.interpolation, data_format=self.data_format
        )


@register("layers/UpSampling3D")
class UpSampling3D(Layer):
    """Repeat the elements of a volume.

    Args:
        size: Factor, or (depth, rows, columns).
        data_format: 'channels_last' or 'channels_first'.
    Example:
        >>> import nacre
        >>> nacre.layers.UpSampling3D(2)(nacre.ops.ones((1, 2, 2, 2, 3))).shape
        (1, 4, 4, 4, 3)
    """

    rank = 3

    def __init__(
        self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Unpack[LayerKeywords]
    ) -> None:
        super().__init__(**kwargs)
        self.size = per_axis(self, "size", size)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=5)

    def call(self, inputs: Shaped[Array, "batch ..."]) -> Shaped[Array, "batch ..."]:
        """The elements, repeated."""
        return repeat_elements(inputs, self.size, 2 if self.data_format == "channels_first" else 1)
