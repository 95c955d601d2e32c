"""Layers that join tensors element by element."""

from __future__ import annotations

import functools
from typing import Any, Unpack

import jax.numpy as jnp

from nacre import ops
from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.merging.merge import Merge, reduce_where_valid, wide_mask


@register("layers/Add")
class Add(Merge):
    """The sum of a list of tensors.

    Example:
        >>> import nacre
        >>> nacre.layers.Add()([nacre.ops.ones((2, 3)), nacre.ops.ones((2, 3))]).shape
        (2, 3)
    """

    is_stepwise = True

    def _merge(self, tensors: list[Any]) -> Any:
        return functools.reduce(ops.add, tensors)


@register("layers/Subtract")
class Subtract(Merge):
    """The first of two tensors minus the second.

    Example:
        >>> import nacre
        >>> nacre.layers.Subtract()([nacre.ops.ones((1, 2)), nacre.ops.ones((1, 2))]).tolist()
        [[0.0, 0.0]]
    """

    _exactly = 2

    def _merge(self, tensors: list[Any]) -> Any:
        return ops.subtract(*tensors)


@register("layers/Multiply")
class Multiply(Merge):
    """The product of a list of tensors; a masked factor counts as 1.

    Where all factors are masked the result is 0.

    Example:
        >>> import nacre
        >>> nacre.layers.Multiply()([nacre.ops.ones((2, 3)), nacre.ops.ones((2, 3))]).shape
        (2, 3)
    """

    is_stepwise = True

    def _merge(self, tensors: list[Any]) -> Any:
        masks = [wide_mask(tensor) for tensor in tensors]
        factors = [
            tensor if mask is None else ops.where(mask, tensor, jnp.ones((), tensor.dtype))
            for tensor, mask in zip(tensors, masks, strict=True)
        ]
        product = functools.reduce(ops.multiply, factors)
        if any(mask is None for mask in masks):
            return product
        some_valid = functools.reduce(ops.logical_or, masks)
        return ops.where(some_valid, product, jnp.zeros((), product.dtype))


@register("layers/Average")
class Average(Merge):
    """The mean of a list of tensors.

    Example:
        >>> import nacre
        >>> nacre.layers.Average()([nacre.ops.ones((2, 3)), nacre.ops.ones((2, 3))]).shape
        (2, 3)
    """

    def _merge(self, tensors: list[Any]) -> Any:
        return ops.divide(functools.reduce(ops.add, tensors), len(tensors))


@register("layers/Maximum")
class Maximum(Merge):
    """The larger of several tensors, element by element; masked ones do not count.

    Example:
        >>> import nacre
        >>> nacre.layers.Maximum()([nacre.ops.ones((2, 3)), nacre.ops.ones((2, 3))]).shape
        (2, 3)
    """

    def _merge(self, tensors: list[Any]) -> Any:
        return reduce_where_valid(ops.maximum, tensors)


@register("layers/Minimum")
class Minimum(Merge):
    """The smaller of several tensors, element by element; masked ones do not count.

    Example:
        >>> import nacre
        >>> nacre.layers.Minimum()([nacre.ops.ones((2, 3)), nacre.ops.ones((2, 3))]).shape
        (2, 3)
    """

    def _merge(self, tensors: list[Any]) -> Any:
        return reduce_where_valid(ops.minimum, tensors)


def add(inputs: Any, **kwargs: Unpack[LayerKeywords]) -> Any:
    """The sum of a list of tensors, by an `Add` layer."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Unpack[LayerKeywords]) -> Any:
    """The first of two tensors minus the second, by a `Subtract` layer."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Unpack[LayerKeywords]) -> Any:
    """The product of a list of tensors, by a `Multiply` layer."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Unpack[LayerKeywords]) -> Any:
    """The mean of a list of tensors, by an `Average` layer."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Unpack[LayerKeywords]) -> Any:
    """The larger of several tensors, by a `Maximum` layer."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Unpack[LayerKeywords]) -> Any:
    """The smaller of several tensors, by a `Minimum` layer."""
    return Minimum(**kwargs)(inputs)
