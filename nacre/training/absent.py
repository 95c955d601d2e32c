"""Batches without what no formula can take in the samples and steps whose weight is 0."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from nacre.core import tree
from nacre.core.absence import Absent, is_unsafe, samples_absent, with_safe_values


def without_absent(
    x: Any, y: Any, weights: Sequence[Any], dtype: Any = None
) -> tuple[Any, Any, Absent | None]:
    """Inputs, targets, and what is absent; None where nothing is, or nobody knows.

    Inputs and targets have safe values for NaN, infinite and enormous ones whose weight is 0.
    A sample is absent where its weights for all outputs are 0, a step where inputs have the axes of
    the weights. Everything else stays as it is, so that layers and metrics of the user's own, which
    know nothing of weights, see what they would see in Keras; losses and this package's metrics
    leave out all that is absent themselves.

    Args:
        x, y: Inputs and targets.
        weights: The weights of each output that counts, None where all of its samples do.
        dtype: What inputs are computed in, where that holds smaller numbers than their own.
    """
    if not weights or any(w is None for w in weights):
        return x, y, None
    weights = [_without_last_ones(w) for w in weights]
    by_sample = functools.reduce(jnp.logical_and, map(samples_absent, weights))
    shapes = {jnp.shape(w) for w in weights}
    by_step = None
    if len(shapes) == 1 and len(shapes.pop()) > 1:
        by_step = functools.reduce(jnp.logical_and, (w == 0 for w in weights))
    absent = [by_sample] if by_step is None else [by_sample, by_step]
    steps = by_step if by_step is not None and _are_steps_of(x, by_step) else None
    return _cleaned(x, absent, dtype), _cleaned(y, absent), Absent(by_sample, steps)


def _without_last_ones(weights: Any) -> Any:
    """(batch, time, 1) as (batch, time): weights in the shape of the targets."""
    while jnp.ndim(weights) > 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    return weights


def _are_steps_of(x: Any, by_step: Any) -> bool:
    """Whether weights are those of the steps of sequences: (batch, time), as one input has it.

    Where two inputs have these axes, as encoder and decoder padded to one length, nobody knows
    whose they are; weights of more axes say what a pixel's label counts, not the pixel.
    """
    return by_step.ndim == 2 and sum(_has_axes(leaf, by_step) for leaf in tree.flatten(x)) == 1


def _cleaned(structure: Any, absent: list[Any], dtype: Any = None) -> Any:
    """A sample, or step, in which any array holds such a value is replaced in all of them."""
    for one in absent:
        leaves = [leaf for leaf in tree.flatten(structure) if _has_axes(leaf, one)]
        unsafe = [
            jnp.any(is_unsafe(leaf, dtype).reshape(*one.shape, -1), axis=-1)
            for leaf in leaves
            if jnp.issubdtype(leaf.dtype, jnp.floating)
        ]
        if unsafe:
            places = one & functools.reduce(jnp.logical_or, unsafe)
            structure = tree.map_structure(
                functools.partial(_replaced, absent=one, places=places), structure
            )
    return structure


def _replaced(leaf: Any, absent: Any, places: Any) -> Any:
    return with_safe_values(leaf, absent, places) if _has_axes(leaf, absent) else leaf


def _has_axes(leaf: Any, absent: Any) -> bool:
    if not hasattr(leaf, "dtype") or jnp.ndim(leaf) < absent.ndim:
        return False
    return leaf.shape[: absent.ndim] == absent.shape
