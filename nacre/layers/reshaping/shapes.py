"""Layers that change the shape and leave the values alone."""

from __future__ import annotations

import math
from typing import Any, Unpack

import numpy as np

from nacre import ops
from nacre.core.array_types import Array, Shaped
from nacre.core.config import standardize_data_format
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.numbers import is_whole, whole_number
from nacre.core.registry import register
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer


@register("layers/Flatten")
class Flatten(Layer):
    """Put all features of a sample into one axis.

    Args:
        data_format: 'channels_last' or 'channels_first'; the latter is brought to the former first,
            so that the order of features does not depend on it.
    Shapes:
        inputs (batch, *sizes); returns (batch, product of sizes); (batch,) gives (batch, 1)
    Example:
        >>> import nacre
        >>> nacre.layers.Flatten()(nacre.ops.ones((2, 3, 4))).shape
        (2, 12)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Shaped[Array, "batch ..."]) -> Shaped[Array, "batch features"]:
        """One row of features a sample."""
        ndim = len(inputs.shape)
        if self.data_format == "channels_first" and ndim > 2:
            inputs = ops.transpose(inputs, (0, *range(2, ndim), 1))  # (batch, *spatial, channels)
        return ops.reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))


def _resolve(who: str, target: tuple[int, ...], shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """`target` with -1 filled in from the sizes of one sample, checked when they are known."""
    if not all(isinstance(n, int) for n in shape):
        return target
    have, want = math.prod(shape), math.prod(n for n in target if n != -1)
    if -1 in target:
        fits = want > 0 and have % want == 0
        filled = tuple(have // want if n == -1 else n for n in target) if fits else target
    else:
        fits, filled = have == want, target
    if not fits:
        raise ShapeError(
            message(
                who,
                f"a sample must have as many elements as target_shape {target}",
                f"samples of shape {tuple(shape)}, {have} elements",
            )
        )
    return filled


def _ints(who: str, rule: str, values: Any, lowest: int = 0, none: Any = None) -> tuple[int, ...]:
    """A tuple of ints of at least `lowest`, with `none` in place of None; else an error."""
    if isinstance(values, list | tuple | np.ndarray):
        filled = [none if n is None else n for n in values]
        if all(is_whole(n, lowest) for n in filled):
            return tuple(int(n) for n in filled)
    raise ArgumentError(message(who, rule, repr(values)))


@register("layers/Reshape")
class Reshape(Layer):
    """Give each sample another shape with as many elements.

    Args:
        target_shape: Shape without the batch axis; one size may be -1, found from the others.
    Raises:
        ShapeError: The numbers of elements differ.
    Example:
        >>> import nacre
        >>> nacre.layers.Reshape((-1, 2))(nacre.ops.ones((5, 6))).shape
        (5, 3, 2)
    """

    def __init__(self, target_shape: Any, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        flat = (target_shape,) if is_whole(target_shape, -1) else target_shape
        who, rule = self._who(), "target_shape must be ints of at least 0, and -1 at most once"
        self.target_shape = _ints(who, rule, flat, lowest=-1, none=-1)
        if self.target_shape.count(-1) > 1:
            raise ArgumentError(message(who, rule, repr(target_shape)))

    def call(self, inputs: Shaped[Array, "batch ..."]) -> Shaped[Array, "batch ..."]:
        """The samples in their new shape."""
        target = _resolve(self._who(), self.target_shape, tuple(inputs.shape[1:]))
        return ops.reshape(inputs, (inputs.shape[0], *target))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the inputs when the axes it covers stay as they are."""
        if mask is None:
            return None
        shape, depth = tuple(inputs.shape[1:]), len(mask.shape) - 1
        target = _resolve(self._who(), self.target_shape, shape)
        # An unknown number of steps may be the -1 when the rest of each step keeps its size.
        steps = [-1 if n is None else n for n in shape[:depth]]
        rest = math.prod(n for n in target[depth:]) if -1 not in target[depth:] else None
        is_whole = None not in shape[depth:] and rest in (None, math.prod(shape[depth:]))
        if is_whole and list(target[:depth]) == steps:
            return mask
        self._warn_mask_lost()
        return None


@register("layers/Permute")
class Permute(Layer):
    """Reorder the axes of each sample.

    Args:
        dims: New order of the axes, counted from 1; the batch axis stays.
    Example:
        >>> import nacre
        >>> nacre.layers.Permute((2, 1))(nacre.ops.ones((5, 3, 4))).shape
        (5, 4, 3)
    """

    def __init__(self, dims: Any, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.dims = _ints(self._who(), "dims must be several ints, as (2, 1)", dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ArgumentError(
                message(
                    self._who(),
                    f"dims must hold each of 1 to {len(self.dims)} once",
                    str(self.dims),
                    "Count the axes from 1, without the batch axis.",
                )
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Shaped[Array, "batch ..."]) -> Shaped[Array, "batch ..."]:
        """The samples with their axes in the new order."""
        return ops.transpose(inputs, (0, *self.dims))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the inputs when the axes it covers stay in front."""
        if mask is None:
            return None
        covered = len(mask.shape)
        if self.dims[: covered - 1] == tuple(range(1, covered)):
            return mask
        self._warn_mask_lost()
        return None


@register("layers/RepeatVector")
class RepeatVector(Layer):
    """Repeat each sample's vector along a new time axis.

    Args:
        n: How often.
    Shapes:
        inputs (batch, features); returns (batch, n, features)
    Example:
        >>> import nacre
        >>> nacre.layers.RepeatVector(3)(nacre.ops.ones((2, 5))).shape
        (2, 3, 5)
    """

    def __init__(self, n: int, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.n = whole_number(self._who(), "n", n)
        self.input_spec = InputSpec(ndim=2)

    def call(
        self, inputs: Shaped[Array, "batch features"]
    ) -> Shaped[Array, "batch time={self.n} features"]:
        """The vectors, n times each."""
        batch, features = inputs.shape
        return ops.broadcast_to(ops.expand_dims(inputs, 1), (batch, self.n, features))
