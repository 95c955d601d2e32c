"""Pooling over all places: one number for each channel."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from nacre import ops
from nacre.core.array_types import Array, Float, Shaped
from nacre.core.config import standardize_data_format
from nacre.core.errors import ShapeError, message
from nacre.core.registry import register
from nacre.layers.base.input_spec import InputSpec, plain_sizes
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.base.masking import without_absent
from nacre.layers.core.step_masks import fitting_mask
from nacre.ops._arrays import floating
from nacre.ops._define import composite


@composite("inputs")
def global_max_pool(inputs: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The largest element over `axis`."""
    return ops.max(inputs, axis=axis, keepdims=keepdims)


@composite("inputs", "weights")
def global_average_pool(
    inputs: Any, axis: tuple[int, ...], keepdims: bool, weights: Any = None
) -> Any:
    """The mean over `axis`, weighted by `weights` (1 or 0, size 1 for channels) when given."""
    if weights is None:
        return ops.mean(inputs, axis=axis, keepdims=keepdims)
    inputs, weights = floating(inputs), floating(weights)
    total = ops.sum(inputs * weights, axis=axis, keepdims=keepdims)
    count = ops.sum(weights, axis=axis, keepdims=keepdims)
    return total / ops.where(count == 0, ops.ones_like(count), count)


class GlobalPooling(Layer):
    """One number for each channel.

    Args:
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        keepdims: Whether the pooled axes stay, with size 1.
    """

    rank = 2
    mode = "max"

    def __init__(
        self,
        data_format: str | None = None,
        keepdims: bool = False,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def pooled_axes(self) -> tuple[int, ...]:
        """The spatial axes."""
        start = 1 if self.data_format == "channels_last" else 2
        return tuple(range(start, start + self.rank))

    def call(self, inputs: Shaped[Array, "batch ..."]) -> Shaped[Array, "batch ..."]:
        """Pool all places."""
        pool = global_max_pool if self.mode == "max" else global_average_pool
        if self.mode == "max" and 0 in [inputs.shape[axis] for axis in self.pooled_axes]:
            shape = plain_sizes(inputs.shape)
            raise ShapeError(
                message(
                    self._who(),
                    "the largest of no values is not defined",
                    f"input of shape {shape}, data_format='{self.data_format}'",
                )
            )
        return pool(inputs, axis=self.pooled_axes, keepdims=self.keepdims)


@register("layers/GlobalAveragePooling1D")
class GlobalAveragePooling1D(GlobalPooling):
    """Take the mean over all steps of a sequence, for each channel.

    Choose it between the last convolution and the first `Dense`: no weights, any input size.

    Args:
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        keepdims: Whether the pooled axes stay, with size 1.
    Shapes:
        inputs   (batch, steps, channels)
        mask     (batch, steps), True where a step counts
        returns  (batch, channels), zeros for a sample without any step that counts
    Example:
        >>> import nacre
        >>> GlobalAveragePooling1D()(nacre.ops.ones((2, 6, 4))).shape
        (2, 4)
    """

    rank = 1
    mode = "average"

    def __init__(
        self,
        data_format: str | None = None,
        keepdims: bool = False,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(data_format=data_format, keepdims=keepdims, **kwargs)
        self.supports_masking = True

    def call(
        self, inputs: Shaped[Array, "batch _ _"], mask: Any = None
    ) -> Float[Array, "batch ..."]:
        """The mean over the steps the mask keeps, or over all without a mask."""
        if mask is None:
            return super().call(inputs)
        steps = (inputs.shape[0], inputs.shape[self.pooled_axes[0]])
        mask = fitting_mask(self, mask, steps)
        if self.data_format == "channels_last":
            inputs = without_absent(inputs, mask)
        else:
            inputs = jnp.swapaxes(without_absent(jnp.swapaxes(inputs, 1, 2), mask), 1, 2)
        mask = ops.cast(mask, inputs.dtype)
        weights = ops.expand_dims(mask, 3 - self.pooled_axes[0])
        return global_average_pool(inputs, self.pooled_axes, self.keepdims, weights)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """None: no steps are left."""
        return None


@register("layers/GlobalAveragePooling2D")
class GlobalAveragePooling2D(GlobalPooling):
    """Take the mean over all places of an image, for each channel.

    Choose it between the last convolution and the first `Dense`: no weights, any input size.

    Args:
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        keepdims: Whether the pooled axes stay, with size 1.
    Shapes:
        inputs   (batch, height, width, channels)
        returns  (batch, channels)
    Example:
        >>> import nacre
        >>> GlobalAveragePooling2D()(nacre.ops.ones((2, 6, 6, 4))).shape
        (2, 4)
    """

    rank = 2
    mode = "average"


@register("layers/GlobalAveragePooling3D")
class GlobalAveragePooling3D(GlobalPooling):
    """Take the mean over all places of a volume, for each channel.

    Choose it between the last convolution and the first `Dense`: no weights, any input size.

    Args:
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        keepdims: Whether the pooled axes stay, with size 1.
    Shapes:
        inputs   (batch, depth, height, width, channels)
        returns  (batch, channels)
    Example:
        >>> import nacre
        >>> GlobalAveragePooling3D()(nacre.ops.ones((2, 4, 4, 4, 3))).shape
        (2, 3)
    """

    rank = 3
    mode = "average"


@register("layers/GlobalMaxPooling1D")
class GlobalMaxPooling1D(GlobalPooling):
    """Take the largest value over all steps of a sequence, for each channel.

    Choose it between the last convolution and the first `Dense`: no weights, any input size.

    Args:
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        keepdims: Whether the pooled axes stay, with size 1.
    Shapes:
        inputs   (batch, steps, channels)
        returns  (batch, channels)
    Example:
        >>> import nacre
        >>> GlobalMaxPooling1D()(nacre.ops.ones((2, 6, 4))).shape
        (2, 4)
    """

    rank = 1
    mode = "max"


@register("layers/GlobalMaxPooling2D")
class GlobalMaxPooling2D(GlobalPooling):
    """Take the largest value over all places of an image, for each channel.

    Choose it between the last convolution and the first `Dense`: no weights, any input size.

    Args:
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        keepdims: Whether the pooled axes stay, with size 1.
    Shapes:
        inputs   (batch, height, width, channels)
        returns  (batch, channels)
    Example:
        >>> import nacre
        >>> GlobalMaxPooling2D()(nacre.ops.ones((2, 6, 6, 4))).shape
        (2, 4)
    """

    rank = 2
    mode = "max"


@register("layers/GlobalMaxPooling3D")
class GlobalMaxPooling3D(GlobalPooling):
    """Take the largest value over all places of a volume, for each channel.

    Choose it between the last convolution and the first `Dense`: no weights, any input size.

    Args:
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        keepdims: Whether the pooled axes stay, with size 1.
    Shapes:
        inputs   (batch, depth, height, width, channels)
        returns  (batch, channels)
    Example:
        >>> import nacre
        >>> GlobalMaxPooling3D()(nacre.ops.ones((2, 4, 4, 4, 3))).shape
        (2, 3)
    """

    rank = 3
    mode = "max"
