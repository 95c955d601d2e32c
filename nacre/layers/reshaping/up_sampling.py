"""Layers that make a grid finer."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np

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
from nacre.ops.kernels.resampling import Kernel, cubic, lanczos

# What a pixel counts by its distance, and the distance from which on it does not.
_KERNELS: dict[str, tuple[Kernel, int]] = {
    "bilinear": (lambda x: np.maximum(1 - x, 0), 1),
    "bicubic": (cubic(0, 0.5), 2),
    "lanczos3": (lanczos(3), 3),
    "lanczos5": (lanczos(5), 5),
}
_INTERPOLATIONS = ("nearest", *_KERNELS)


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


def interpolate_elements(inputs: Any, size: int, axis: int, interpolation: str) -> Any:
    """Put `size` elements between which values go smoothly in the place of each along an axis.

    It is what `ops.image.resize` computes, for axes whose length is not known: element k of the
    `size` lies (k + 1/2) / size - 1/2 behind the old one, for each of them the same neighbours
    count the same, and those beyond an end count nothing.
    """
    kernel, radius = _KERNELS[interpolation]
    behind = np.arange(-radius, radius + 1)
    places = (np.arange(size) + 0.5) / size - 0.5
    weights = kernel(np.abs(places[:, None] - behind))  # (size, neighbours)
    length = inputs.shape[axis]
    shape = [length if i == axis else 1 for i in range(inputs.ndim)]
    x = inputs.astype(jnp.promote_types(inputs.dtype, "float32"))
    parts = []
    for row in weights:
        sums = [
            sum(
                float(weight) * _moved(values, int(by), radius, axis)
                for weight, by in zip(row, behind, strict=True)
                if weight
            )
            for values in (x, jnp.ones(shape, x.dtype))
        ]
        parts.append(sums[0] / sums[1])
    final = [length * size if i == axis else n for i, n in enumerate(inputs.shape)]
    return jnp.stack(parts, axis + 1).reshape(final).astype(inputs.dtype)


def _moved(values: Any, by: int, most: int, axis: int) -> Any:
    """The elements that are `by` behind each, zeros where there are none."""
    widths = [(most, most) if i == axis else (0, 0) for i in range(values.ndim)]
    cuts: list[Any] = [slice(None)] * values.ndim
    cuts[axis] = slice(most + by, most + by + values.shape[axis])
    return jnp.pad(values, widths)[tuple(cuts)]


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
        if not all(isinstance(n, int) for n in size):  # in the making of files for any size
            for axis, n in enumerate(self.size, first):
                inputs = interpolate_elements(inputs, n, axis, self.interpolation)
            return inputs
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
