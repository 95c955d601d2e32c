"""Targets and predictions without what stands in absent samples and steps, for losses and metrics.

Which places of the predictions the weights belong to is known where a formula goes over the last
axis: they have the first ones. Where a function of the user's could mean other axes too, only
whole samples are left out.
"""

from __future__ import annotations

import functools
from itertools import combinations
from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core import tree
from nacre.core.absence import samples_absent, with_safe_values
from nacre.core.scope import get_mask, set_mask
from nacre.core.shapes import fits_leading_axes
from nacre.losses.checking import as_array


def without_absent(
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    mask: Any = None,
    *,
    axis: Any = -1,
    is_by_sample: bool = False,
    zeros: bool = False,
) -> tuple[Any, Any]:
    """Targets and predictions with safe values wherever a weight is 0 or the mask False.

    Args:
        y_true: Targets: an array, or arrays in a structure.
        y_pred: Predictions, likewise. If they have a mask, the result has it too.
        sample_weight: Weights of samples, or of samples and steps; None when there are none.
        mask: The mask of the predictions, or None.
        axis: The axis, or axes, that the formula goes over; the weights belong to the others, or,
            where None says that it goes over all, to the first ones.
        is_by_sample: Leave out whole samples only, as the meaning of further axes is unknown.
        zeros: See `with_safe_values`.
    """
    absent = _absent(mask, sample_weight, is_by_sample)
    if absent is None:
        return y_true, y_pred
    by_sample = jnp.all(absent.reshape(absent.shape[0], -1), axis=1)
    rank = max((leaf.ndim for leaf in tree.flatten(y_pred)), default=0)

    def cleaned(leaf: Any) -> Any:
        is_moved = absent.ndim > 1 and leaf.ndim == rank
        order = _remaining_first(axis, rank) if is_moved else None
        found = leaf if order is None else jnp.transpose(leaf, order)
        for one in (absent, by_sample):
            if fits_leading_axes(one.shape, found.shape):
                found = with_safe_values(found, one, zeros=zeros)
                break
        if order is not None:
            found = jnp.transpose(found, np.argsort(order).tolist())
        if found is not leaf and (own := get_mask(leaf)) is not None:
            set_mask(found, own)
        return found

    return tree.map_structure(cleaned, y_true), tree.map_structure(cleaned, y_pred)


def _remaining_first(axis: Any, rank: int) -> list[int] | None:
    """The axes that a formula over `axis` leaves, then those; None where they lie so already."""
    if axis is None:
        return None
    over = sorted({one % rank for one in (axis if isinstance(axis, tuple | list) else (axis,))})
    order = [one for one in range(rank) if one not in over] + over
    return None if order == list(range(rank)) else order


def without_absent_nan(y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[Any, Any]:
    """Targets and predictions whose samples of weight 0 hold safe values where one of them is not
    finite; all others stay, as what reads them does not know of weights."""
    if not (hasattr(y_true, "shape") and hasattr(y_pred, "shape")):
        return y_true, y_pred
    absent = samples_absent(as_array(sample_weight))
    finite = [
        jnp.all(jnp.isfinite(leaf).reshape(leaf.shape[0], -1), axis=1)
        for leaf in (y_true, y_pred)
        if leaf.ndim and jnp.issubdtype(leaf.dtype, jnp.floating)
    ]
    counts = jnp.ones((), bool) if not finite else functools.reduce(jnp.logical_and, finite)
    is_finite_or_counts = jnp.logical_or(~absent, counts)
    return without_absent(y_true, y_pred, is_finite_or_counts, is_by_sample=True)


def _absent(mask: Any, sample_weight: Any, is_by_sample: bool) -> Any:
    """True where nothing counts, for the predictions' first axes; None where nothing is known."""
    found = []
    if mask is not None:
        found.append(~jnp.asarray(mask).astype(bool))
    if sample_weight is not None:
        weights = jnp.atleast_1d(as_array(sample_weight))
        found.append(samples_absent(weights) if is_by_sample else weights == 0)
    found = [_without_last_ones(one) for one in found]
    rank = max((one.ndim for one in found), default=0)
    found = [one.reshape(one.shape + (1,) * (rank - one.ndim)) for one in found]
    if len(found) == 2 and not _broadcast(found[0].shape, found[1].shape):
        return None  # told where they are multiplied
    return None if not found else found[0] if len(found) == 1 else found[0] | found[1]


def _broadcast(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    return all(n == m or 1 in (n, m) for n, m in zip(first, second, strict=True))


def _without_last_ones(absent: Any) -> Any:
    """(batch, 1) as (batch,): a trailing axis of size 1 says nothing of the axes it stands for."""
    while absent.ndim > 1 and absent.shape[-1] == 1:
        absent = absent.reshape(absent.shape[:-1])
    return absent


def is_axis_unambiguous(weights: tuple[int, ...], y_pred: tuple[int, ...]) -> bool:
    """Whether weights can belong to the first axes of the predictions and to no others.

    Example:
        >>> is_axis_unambiguous((4, 5), (4, 5, 3)), is_axis_unambiguous((4, 5), (4, 5, 5))
        (True, False)
    """
    choices = [c for c in combinations(y_pred, len(weights)) if fits_leading_axes(weights, c)]
    return len(choices) == 1 and fits_leading_axes(weights, y_pred)
