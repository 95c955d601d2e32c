"""How far two tensors are apart, sample by sample."""

from __future__ import annotations

import functools
from typing import Any, Unpack

import jax.numpy as jnp

from nacre import ops
from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.merging.merge import Merge
from nacre.ops.kinks import absolute


def _euclidean(first: Any, second: Any, keepdims: bool) -> Any:
    squares = jnp.sum(jnp.square(first - second), axis=-1, keepdims=keepdims)
    # The root has no slope at 0: equal vectors get gradient 0, not NaN.
    apart = squares > 0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, squares, 1)), 0)


def _manhattan(first: Any, second: Any, keepdims: bool) -> Any:
    return jnp.sum(absolute(first - second), axis=-1, keepdims=keepdims)


def _cosine(first: Any, second: Any, keepdims: bool) -> Any:
    first, second = ops.normalize(first, axis=-1), ops.normalize(second, axis=-1)
    return 1 - jnp.sum(first * second, axis=-1, keepdims=keepdims)


METRICS = {"euclidean": _euclidean, "manhattan": _manhattan, "cosine": _cosine}


@register("layers/Distance", module="nacre")
class Distance(Merge):
    """The distance of two vectors, sample by sample: the head of a siamese network.

    Args:
        metric: 'euclidean', 'manhattan' (sum of absolute differences) or 'cosine' (1 - similarity).
        keepdims: Whether the last axis stays, with size 1.
    Shapes:
        inputs  two tensors (batch, *axes, features)
        returns (batch, *axes, 1), or (batch, *axes) without keepdims
    Formula:
        sqrt(Σ (a - b)²), Σ |a - b|, or 1 - a · b / (|a| |b|)
    Raises:
        ArgumentError: `metric` is none of these, or the input is not two tensors.
    Source:
        Bromley et al. 1993, "Signature verification using a siamese time delay neural network".
    Example:
        >>> import nacre, numpy as np
        >>> nacre.layers.Distance()([np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])]).tolist()
        [[5.0]]
    """

    _exactly = 2

    def __init__(
        self, metric: str = "euclidean", keepdims: bool = True, **kwargs: Unpack[LayerKeywords]
    ) -> None:
        super().__init__(**kwargs)
        if metric not in METRICS:
            raise ArgumentError(
                message(self._who(), f"metric must be one of {', '.join(METRICS)}", repr(metric))
            )
        self.metric = metric
        self.keepdims = keepdims

    def _merge(self, tensors: list[Any]) -> Any:
        first, second = tensors
        return METRICS[self.metric](first, second, self.keepdims)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """True where both are valid."""
        masks = [one for one in (mask if isinstance(mask, list | tuple) else ()) if one is not None]
        return functools.reduce(ops.logical_and, masks) if masks else None
