"""Counting true and false positives for many thresholds at once.

A prediction above a threshold counts as positive. Each prediction is put into the bucket between
two thresholds and the buckets are summed from above, so the cost is samples + thresholds and not
their product.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import safety
from nacre.core.config import epsilon
from nacre.core.errors import ArgumentError, LossInputError, message
from nacre.core.scope import get_mask
from nacre.losses.absent import without_absent
from nacre.losses.checking import as_array, paired
from nacre.metrics.reduction import combined_weights

# Below this many thresholds comparing with each is cheaper than buckets.
_FEW = 4


class Counts(NamedTuple):
    """Weighted counts, (thresholds,) or (thresholds, labels)."""

    true_positives: Any
    false_positives: Any
    true_negatives: Any
    false_negatives: Any


def spread_thresholds(num_thresholds: int) -> np.ndarray:
    """Evenly spaced thresholds; the first is below 0 and the last above 1.

    Example:
        >>> spread_thresholds(3).round(2).tolist()
        [-0.0, 0.5, 1.0]
    """
    safety.reserve(num_thresholds * 64, "thresholds of a metric")
    inner = (np.arange(num_thresholds - 2) + 1) / (num_thresholds - 1)
    return np.concatenate([[0.0 - epsilon()], inner, [1.0 + epsilon()]])


def count_dtype(dtype: str) -> str:
    """The dtype counts are kept in: 16 bits cannot count beyond a few hundreds or thousands."""
    return dtype if dtype == "float64" else "float32"


def are_spread(thresholds: Any) -> bool:
    """Whether thresholds are evenly spaced, the first just below 0 and the last just above 1."""
    thresholds = np.asarray(thresholds, "float64")
    if len(thresholds) < 3 or thresholds[0] >= 0 or thresholds[-1] <= 1:
        return False
    return bool(np.allclose(thresholds, np.linspace(0, 1, len(thresholds)), atol=epsilon()))


def threshold_list(who: str, thresholds: Any, default: float) -> list[float]:
    """Thresholds as a list; one number is a list of one, None is the default.

    Raises:
        ArgumentError: One is not from 0 to 1.
    """
    if thresholds is None:
        return [default]
    found = list(thresholds) if isinstance(thresholds, list | tuple | np.ndarray) else [thresholds]
    wrong = [t for t in found if not isinstance(t, float | int | np.number) or not 0 <= t <= 1]
    if wrong:
        raise ArgumentError(message(who, "thresholds must be numbers from 0 to 1", str(wrong)))
    return found


def keep_top_k(y_pred: Any, k: int) -> Any:
    """Scores of the k best classes; all others become minus infinity (-1e10, as in Keras)."""
    _, best = jax.lax.top_k(y_pred, k)
    chosen = jnp.sum(jax.nn.one_hot(best, y_pred.shape[-1], dtype="int32"), axis=-2)
    return jnp.where(chosen > 0, y_pred, -1e10)


def select(
    who: str,
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    dtype: str,
    top_k: int | None = None,
    class_id: int | None = None,
) -> tuple[Any, Any, Any]:
    """Targets, predictions and weights of one shape, restricted to what is counted.

    What the predictions' mask leaves out weighs nothing.

    Raises:
        LossInputError: Shapes do not fit, or `class_id` is no class.
    """
    mask = get_mask(y_pred)
    y_true, y_pred = without_absent(as_array(y_true), as_array(y_pred), sample_weight, mask)
    y_true, y_pred = paired(who, y_true, y_pred)
    y_true, y_pred = y_true.astype(dtype), y_pred.astype(dtype)
    if top_k is not None:
        if top_k > y_pred.shape[-1]:
            rule = f"top_k must be at most the number of classes, {y_pred.shape[-1]}"
            raise LossInputError(message(who, rule, str(top_k)))
        y_pred = keep_top_k(y_pred, top_k)
    weights = combined_weights(who, sample_weight, mask, y_pred.shape, dtype)
    weights = None if weights is None else jnp.broadcast_to(weights, y_pred.shape)
    if class_id is not None:
        if not -y_pred.shape[-1] <= class_id < y_pred.shape[-1]:
            rule = f"class_id must be from 0 to {y_pred.shape[-1] - 1}"
            raise LossInputError(message(who, rule, str(class_id)))
        y_true, y_pred = y_true[..., class_id], y_pred[..., class_id]
        weights = None if weights is None else weights[..., class_id]
    return y_true, y_pred, weights


def count(
    y_true: Any,
    y_pred: Any,
    weights: Any,
    thresholds: Sequence[float] | np.ndarray,
    per_label: bool = False,
    label_weights: Any = None,
) -> Counts:
    """Weighted confusion counts at each threshold.

    Args:
        y_true: Targets, 0 or 1.
        y_pred: Scores, the same shape.
        weights: Weights of the same shape, or None.
        thresholds: Thresholds, ascending.
        per_label: Whether the last axis is kept apart.
        label_weights: Weights of the labels, when all are counted together.

    Example:
        >>> counts = count(jnp.array([1.0, 0.0]), jnp.array([0.8, 0.3]), None, [0.5])
        >>> float(counts.true_positives[0]), float(counts.false_positives[0])
        (1.0, 0.0)
    """
    if label_weights is not None:
        factor = jnp.asarray(label_weights, y_pred.dtype)
        weights = factor if weights is None else weights * factor
        weights = jnp.broadcast_to(weights, y_pred.shape)
    limits = tuple(float(t) for t in thresholds)
    return _count(y_true, y_pred, weights, thresholds=limits, per_label=per_label)


# One program, so that eager updates cost one call; inside a compiled step it is inlined.
@partial(jax.jit, static_argnames=("thresholds", "per_label"))
def _count(
    y_true: Any, y_pred: Any, weights: Any, *, thresholds: tuple[float, ...], per_label: bool
) -> Counts:
    columns = y_pred.shape[-1] if per_label else 1
    y_true, y_pred = y_true.reshape(-1, columns), y_pred.reshape(-1, columns)
    spread = are_spread(thresholds)
    if not spread:
        y_true = (y_true != 0).astype(y_pred.dtype)
    positive, negative = y_true, 1.0 - y_true
    if weights is not None:
        weights = weights.reshape(-1, columns)
        positive, negative = positive * weights, negative * weights
    if spread or len(thresholds) > _FEW:
        above_positive, above_negative = _by_buckets(
            positive, negative, y_pred, np.asarray(thresholds), spread
        )
    else:
        limits = jnp.asarray(thresholds, y_pred.dtype).reshape(-1, 1, 1)
        above = y_pred[None] > limits  # (thresholds, samples, columns), few thresholds
        above_positive = jnp.sum(jnp.where(above, positive, 0), axis=1)
        above_negative = jnp.sum(jnp.where(above, negative, 0), axis=1)
    all_positive, all_negative = jnp.sum(positive, axis=0), jnp.sum(negative, axis=0)
    counts = (
        above_positive,
        above_negative,
        all_negative - above_negative,
        all_positive - above_positive,
    )
    return Counts(*(c if per_label else c[:, 0] for c in counts))


def _by_buckets(
    positive: Any, negative: Any, y_pred: Any, thresholds: np.ndarray, spread: bool
) -> tuple[Any, Any]:
    """Sums over the samples above each threshold, (thresholds, columns) each."""
    number = len(thresholds)
    if spread:
        # The first threshold is below 0 and the last above 1: bucket i lies above threshold i.
        clipped = jnp.clip(y_pred, 0.0, 1.0)
        bucket = jnp.maximum(jnp.ceil(clipped * (number - 1)).astype("int32") - 1, 0) + 1
    else:
        order = np.argsort(thresholds, kind="stable")
        limits = jnp.asarray(thresholds[order], y_pred.dtype)
        bucket = jnp.searchsorted(limits, y_pred, side="left")
    column = jnp.broadcast_to(jnp.arange(y_pred.shape[1]), y_pred.shape)
    both = jnp.stack([positive, negative], axis=-1)  # (samples, columns, 2)
    sums = jnp.zeros((number + 1, y_pred.shape[1], 2), y_pred.dtype)
    sums = sums.at[bucket, column].add(both)
    above = jnp.cumsum(sums[::-1], axis=0)[::-1][1:]
    if not spread:
        above = above[np.argsort(order, kind="stable")]
    return above[..., 0], above[..., 1]
