"""Joining tensors along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import jax

from nacre import ops
from nacre.core.axes import axis_number
from nacre.core.errors import ShapeError, message
from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.merging.merge import Merge


@register("layers/Concatenate")
class Concatenate(Merge):
    """Put tensors side by side along an axis.

    Args:
        axis: The axis.
    Raises:
        ShapeError: The other axes differ.
    Example:
        >>> import nacre
        >>> nacre.layers.Concatenate()([nacre.ops.ones((2, 3)), nacre.ops.ones((2, 4))]).shape
        (2, 7)
    """

    _broadcasts = False

    def __init__(self, axis: int = -1, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.axis = axis_number(self._who(), axis)

    def build(self, input_shape: Any) -> None:
        """Check that the shapes fit."""
        self._check_list(input_shape)
        shapes = [tuple(shape) for shape in input_shape]
        ndim = len(shapes[0])
        fits = all(len(shape) == ndim for shape in shapes) and -ndim <= self.axis < ndim
        for axis in range(ndim if fits else 0):
            known = {shape[axis] for shape in shapes if shape[axis] is not None}
            fits = fits and (axis == self.axis % ndim or len(known) < 2)
        if not fits:
            raise ShapeError(
                message(
                    self._who(),
                    f"the inputs must have equal shapes except on axis {self.axis}",
                    f"shapes {shapes}",
                )
            )

    def call(self, inputs: Sequence[jax.Array]) -> jax.Array:
        """The tensors side by side."""
        return ops.concatenate(list(inputs), axis=self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The masks side by side; inputs without a mask count as valid."""
        masks = list(mask) if isinstance(mask, list | tuple) else [mask]
        if all(one is None for one in masks):
            return None
        whole = []
        for tensor, one in zip(inputs, masks, strict=True):
            ndim = len(tensor.shape)
            if one is None:
                one = ops.ones_like(tensor, dtype="bool")
            elif len(one.shape) < ndim:
                one = ops.expand_dims(one, tuple(range(len(one.shape), ndim)))
                # The batch size may differ between calls: a product with ones broadcasts to it.
                one = ops.logical_and(one, ops.ones_like(tensor, dtype="bool"))
            whole.append(one)
        return ops.all(ops.concatenate(whole, axis=self.axis), axis=-1)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Unpack[LayerKeywords]) -> Any:
    """Put tensors side by side, by a `Concatenate` layer.

    Args:
        inputs: The tensors.
        axis: The axis.
        **kwargs: Arguments of the layer.
    """
    return Concatenate(axis=axis, **kwargs)(inputs)
