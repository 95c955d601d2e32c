"""What all merging layers share: checks, broadcasting of ranks, masks."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Unpack

import jax

from nacre import ops
from nacre.core import scope
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.layers.base.input_spec import plain_shape
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer


class Merge(Layer):
    """Base of the layers that join a list of tensors into one.

    Tensors of fewer axes get axes of size 1 after the batch axis, then everything broadcasts.
    """

    _exactly: int | None = None
    _broadcasts = True
    _build_only_checks = True

    def __init__(self, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Check that the shapes fit."""
        self._check_list(input_shape)
        if self._broadcasts:
            self._check_sizes([tuple(shape) for shape in input_shape])

    def _check_list(self, shapes: Any) -> None:
        count = self._exactly
        is_list = isinstance(shapes, list | tuple) and all(
            isinstance(shape, list | tuple) for shape in shapes
        )
        if not is_list or len(shapes) < (count or 1) or (count and len(shapes) != count):
            raise ArgumentError(
                message(
                    self._who(),
                    f"it must be called on a list of {count or 'one or more'} tensors",
                    f"input shape {shapes}",
                    "Call layer([first, second]).",
                )
            )

    def _check_sizes(self, shapes: list[tuple[Any, ...]]) -> None:
        ndim = max(len(shape) for shape in shapes)
        widened = [(*s[:1], *(1,) * (ndim - len(s)), *s[1:]) for s in shapes]
        for axis, sizes in enumerate(zip(*widened, strict=True)):
            known = {n for n in sizes if n not in (None, 1)}
            if len(known) > 1:
                raise ShapeError(
                    message(
                        self._who(),
                        f"the inputs must have one size (or 1) on axis {axis}",
                        f"shapes {shapes}",
                    )
                )

    def call(self, inputs: Sequence[jax.Array]) -> jax.Array:
        """The joined tensor."""
        tensors = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        self._check_list([plain_shape(tensor) for tensor in tensors])
        return self._merge(_same_rank(tensors))

    def _merge(self, tensors: list[Any]) -> Any:
        raise NotImplementedError(message(self._who(), "a merging layer must define _merge"))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """True where any input with a mask is valid: tokens with positions keep the tokens' mask.

        As with the ops and in tf.keras 2. In Keras 3 one input without a mask ends it without a
        word; models that Keras 3 wrote keep that.
        """
        tensors = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        masks = list(mask) if isinstance(mask, list | tuple) else [mask] * len(tensors)
        given = [(t, m) for t, m in zip(tensors, masks, strict=True) if m is not None]
        if not given or (len(given) < len(masks) and scope.masks_end_at_ops()):
            return None
        shapes = [tuple(tensor.shape) for tensor in tensors]
        if len(given) < len(masks) and not all(_covers(t.shape, m.shape, shapes) for t, m in given):
            self._warn_mask_lost()
            return None
        return functools.reduce(ops.logical_or, [one for _, one in given])


def _covers(shape: Any, mask: Any, shapes: list[tuple[Any, ...]]) -> bool:
    """Whether the axes of a mask are those of the result, as no other input spreads them."""
    same_rank = all(len(other) <= len(shape) for other in shapes)
    return same_rank and not any(
        shape[axis] == 1 and other[axis] != 1
        for other in shapes
        if len(other) == len(shape)
        for axis in range(1, len(mask))
    )


def _same_rank(tensors: list[Any]) -> list[Any]:
    ndim = max(len(tensor.shape) for tensor in tensors)
    widened = []
    for tensor in tensors:
        mask = scope.get_mask(tensor)
        missing = ndim - len(tensor.shape)
        if missing:
            tensor = ops.expand_dims(tensor, tuple(range(1, missing + 1)))
            if mask is not None and scope.get_mask(tensor) is None:
                scope.set_mask(tensor, mask)
        widened.append(tensor)
    return widened


def wide_mask(tensor: Any) -> Any:
    """The mask of a tensor in the tensor's shape, or None."""
    mask = scope.get_mask(tensor)
    if mask is not None and len(mask.shape) < len(tensor.shape):
        axes = tuple(range(len(mask.shape), len(tensor.shape)))
        mask = ops.broadcast_to(ops.expand_dims(mask, axes), tensor.shape)
    return mask


def reduce_where_valid(operation: Any, tensors: list[Any]) -> Any:
    """Join tensors pairwise; where one of a pair is masked the other one stands alone."""
    result, valid = None, None
    for tensor in tensors:
        mask = wide_mask(tensor)
        if result is None:
            result, valid = tensor, mask
            continue
        other = tensor if mask is None else ops.where(mask, tensor, result)
        if valid is not None:
            result = ops.where(valid, result, other)
            if mask is not None:
                valid = ops.logical_or(valid, mask)
        result = operation(result, other)
    return result
