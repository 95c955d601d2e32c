"""Masks made from a padding value."""

from __future__ import annotations

from typing import Any, Unpack

from nacre import ops
from nacre.core.array_types import Array, Float, Num
from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer


@register("layers/Masking")
class Masking(Layer):
    """Mask the time steps whose features all equal one value.

    The masked steps are set to 0, and the mask propagates to the layers that follow.

    Args:
        mask_value: The value that marks padding; NaN marks steps that are NaN throughout.
    Shapes:
        inputs  (batch, time, features)
        returns the same; mask (batch, time), False where the step is padding
    Example:
        >>> import nacre, numpy as np
        >>> nacre.layers.Masking()(np.ones((2, 3, 4), "float32")).shape
        (2, 3, 4)
    """

    casts_inputs = False  # values are compared as they are

    def __init__(self, mask_value: float = 0.0, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True

    def call(self, inputs: Num[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The inputs, zero where masked."""
        mask = ops.expand_dims(self.compute_mask(inputs), -1)
        return ops.cast(ops.where(mask, inputs, ops.zeros_like(inputs)), self.compute_dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """True where some feature differs from the padding value."""
        if self.mask_value != self.mask_value:  # NaN, which equals nothing
            return ops.any(ops.logical_not(ops.isnan(inputs)), axis=-1)
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)
