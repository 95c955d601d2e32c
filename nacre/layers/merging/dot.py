"""Products of two tensors, sample by sample."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any, Unpack

import jax

from nacre import ops
from nacre.core.axes import axis_numbers, counted_axis
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.merging.merge import Merge


@register("layers/Dot")
class Dot(Merge):
    """Contract one axis of each of two tensors, sample by sample.

    Args:
        axes: The axis, or one for each tensor; axis 0 is the batch.
        normalize: Whether to scale both to length 1 along the axis first (cosine similarity).
    Shapes:
        inputs  (batch, *a), (batch, *b)
        returns (batch, the rest of a, the rest of b); (batch, 1) when nothing rests
    Example:
        >>> import nacre
        >>> tensors = [nacre.ops.ones((1, 3, 4)), nacre.ops.ones((1, 5, 4))]
        >>> nacre.layers.Dot(axes=(2, 2))(tensors).shape
        (1, 3, 5)
    """

    _exactly = 2
    _broadcasts = False

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        pair = axis_numbers(self._who(), axes, "axes")
        if isinstance(axes, list | tuple) and len(pair) != 2:
            raise ArgumentError(message(self._who(), "axes must be an int or two ints", repr(axes)))
        self.axes = list(pair) if isinstance(axes, list | tuple) else pair[0]
        self.normalize = normalize

    def _two_axes(self, first_ndim: int, second_ndim: int) -> tuple[int, int]:
        first, second = self.axes if isinstance(self.axes, list) else (self.axes, self.axes)
        return (
            counted_axis(self._who(), first, first_ndim, "axes", "for the first input"),
            counted_axis(self._who(), second, second_ndim, "axes", "for the second input"),
        )

    def build(self, input_shape: Any) -> None:
        """Check that the contracted sizes are equal."""
        self._check_list(input_shape)
        first, second = (tuple(shape) for shape in input_shape)
        a, b = self._two_axes(len(first), len(second))
        if None not in (first[a], second[b]) and first[a] != second[b]:
            raise ShapeError(
                message(
                    self._who(),
                    f"axes {a} and {b} of the inputs must have one size",
                    f"shapes {first} and {second}",
                )
            )

    def call(self, inputs: Sequence[jax.Array]) -> jax.Array:
        """The products."""
        first, second = inputs
        a, b = self._two_axes(len(first.shape), len(second.shape))
        if self.normalize:
            first, second = ops.normalize(first, axis=a), ops.normalize(second, axis=b)
        letters = iter(string.ascii_lowercase[2:])
        one = ["a", *(next(letters) for _ in first.shape[1:])]
        two = ["a", *(next(letters) for _ in second.shape[1:])]
        one[a] = two[b] = "b"
        rest = [x for x in one if x != "b"] + [x for x in two[1:] if x != "b"]
        equation = f"{''.join(one)},{''.join(two)}->{''.join(rest)}"
        outputs = ops.einsum(equation, first, second)
        return ops.expand_dims(outputs, 1) if len(rest) == 1 else outputs

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask: the axes are new ones."""
        return None


def dot(inputs: Any, axes: Any = -1, **kwargs: Unpack[LayerKeywords]) -> Any:
    """Contract two tensors sample by sample, by a `Dot` layer.

    Args:
        inputs: The two tensors.
        axes: The axis, or one for each tensor.
        **kwargs: Arguments of the layer.
    """
    return Dot(axes=axes, **kwargs)(inputs)
