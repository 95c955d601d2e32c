"""How often a prediction is right: exact, binary, one of several classes, among the best k."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from nacre.core import config
from nacre.core.registry import register
from nacre.losses.checking import as_array, indexed_pair, one_hot_pair, paired, same_rank
from nacre.metrics._define import metric_function
from nacre.metrics.reduction import BuiltinMean
from nacre.ops.kernels.classes import picked, place_of_highest


def _as_number(claim: Any) -> Any:
    return claim.astype(config.floatx())


@metric_function
def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the prediction equals the target, else 0.

    Args:
        y_true: Targets.
        y_pred: Predictions, the same shape.

    Example:
        >>> accuracy([1, 2], [1, 3]).tolist()
        [1.0, 0.0]
    """
    y_true, y_pred = as_array(y_true), as_array(y_pred)
    if jnp.issubdtype(y_pred.dtype, jnp.integer) and jnp.issubdtype(y_true.dtype, jnp.integer):
        rank_true, rank_pred = same_rank(y_true, y_pred)
        if rank_true.shape == rank_pred.shape:  # whole numbers beyond 2**24 stay exact
            return _as_number(rank_true == rank_pred)
    y_true, y_pred = paired("metric 'accuracy'", y_true, y_pred)
    return _as_number(y_true == y_pred)


@metric_function
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where the prediction is on the target's side of the threshold, else 0.

    Args:
        y_true: 0 or 1.
        y_pred: Probabilities, the same shape. For logits pass threshold=0.
        threshold: A prediction above it counts as 1.

    Raises:
        LossInputError: The shapes differ.
    Example:
        >>> binary_accuracy([0, 1], [0.2, 0.4]).tolist()
        [1.0, 0.0]
    """
    y_true, y_pred = as_array(y_true), as_array(y_pred)
    rank = max(y_true.ndim, y_pred.ndim)
    y_true, y_pred = paired("metric 'binary_accuracy'", y_true, y_pred)
    right = _as_number(y_true == (y_pred > threshold).astype(y_true.dtype))
    return right.reshape(right.shape + (1,) * (rank - right.ndim))


# A logit changes sides at 0 (see `nacre.metrics.from_logits`).
binary_accuracy.for_logits = ("sigmoid", "threshold", 0.5, 0.0)  # type: ignore[attr-defined]


@metric_function
def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is at the one-hot target, else 0.

    Args:
        y_true: One-hot targets, (*batch, classes).
        y_pred: Scores, the same shape.

    Raises:
        LossInputError: The shapes differ, or there is one class only.
    Example:
        >>> categorical_accuracy([[0, 1]], [[0.2, 0.4]]).tolist()
        [1.0]
    """
    y_true, y_pred = one_hot_pair("metric 'categorical_accuracy'", y_true, y_pred)
    return _as_number(place_of_highest(y_true) == place_of_highest(y_pred))


@metric_function
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is at the target's index, else 0; NaN for no class's index.

    Args:
        y_true: Class indices, (*batch) or (*batch, 1).
        y_pred: Scores, (*batch, classes).

    Raises:
        LossInputError: Targets look one-hot, or shapes do not fit.
    Example:
        >>> sparse_categorical_accuracy([1], [[0.2, 0.4]]).tolist()
        [1.0]
    """
    labels, y_pred = indexed_pair("metric 'sparse_categorical_accuracy'", y_true, y_pred)
    right = _as_number(labels == place_of_highest(y_pred).astype(labels.dtype))
    known = (labels >= 0) & (labels < y_pred.shape[-1])
    return jnp.where(known, right, jnp.nan)


def _in_top_k(labels: Any, y_pred: Any, k: int) -> Any:
    """Whether fewer than k classes have a higher score than the labelled one."""
    known = (labels >= 0) & (labels < y_pred.shape[-1])
    own = picked(y_pred, jnp.where(known, labels, 0), -1)
    higher = jnp.sum((y_pred > own[..., None]).astype("int32"), axis=-1)
    return jnp.where(known, _as_number(jnp.isfinite(own) & (higher < k)), jnp.nan)


@metric_function
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the one-hot target is among the k largest predictions, else 0.

    Classes with equal scores share the better place.

    Args:
        y_true: One-hot targets, (*batch, classes).
        y_pred: Scores, the same shape.
        k: How many.

    Raises:
        LossInputError: The shapes differ.
    Example:
        >>> top_k_categorical_accuracy([[0, 1, 0]], [[0.5, 0.3, 0.2]], k=2).tolist()
        [1.0]
    """
    y_true, y_pred = one_hot_pair("metric 'top_k_categorical_accuracy'", y_true, y_pred)
    return _in_top_k(place_of_highest(y_true), y_pred, k)


@metric_function
def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> Any:
    """1 where the target's index is among the k largest predictions, else 0.

    Args:
        y_true: Class indices, (*batch) or (*batch, 1).
        y_pred: Scores, (*batch, classes); with `from_sorted_ids` class indices, best first.
        k: How many.
        from_sorted_ids: Whether predictions are class indices already.

    Raises:
        LossInputError: Targets look one-hot, or shapes do not fit.
    Example:
        >>> sparse_top_k_categorical_accuracy([1], [[0.5, 0.3, 0.2]], k=2).tolist()
        [1.0]
    """
    who = "metric 'sparse_top_k_categorical_accuracy'"
    if not from_sorted_ids:
        labels, y_pred = indexed_pair(who, y_true, y_pred)
        return _in_top_k(labels, y_pred, k)
    ids = as_array(y_pred)
    labels, _ = indexed_pair(who, y_true, ids)
    return _as_number(jnp.any(ids[..., :k] == labels[..., None].astype(ids.dtype), axis=-1))


for _function in (sparse_categorical_accuracy, sparse_top_k_categorical_accuracy):
    _function.reads_labels = True  # type: ignore[attr-defined]


@register("metrics/Accuracy")
class Accuracy(BuiltinMean):
    """How often predictions equal targets.

    For probabilities choose `BinaryAccuracy` or `CategoricalAccuracy`; in `compile` the string
    "accuracy" chooses by the shapes.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.

    Example:
        >>> metric = Accuracy()
        >>> metric.update_state([1, 2, 3, 4], [0, 2, 3, 4])
        >>> float(metric.result())
        0.75
    """

    direction = "max"

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy, name, dtype)


@register("metrics/BinaryAccuracy")
class BinaryAccuracy(BuiltinMean):
    """How often predictions are on the right side of a threshold.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
        threshold: A prediction above it counts as 1; 0 for logits. In `compile`, beside a loss with
            `from_logits=True`, 0.5 is taken as a probability (Keras compares logits with it).

    Example:
        >>> metric = BinaryAccuracy()
        >>> metric.update_state([1, 1, 0, 0], [0.98, 1, 0, 0.6])
        >>> float(metric.result())
        0.75
    """

    direction = "max"

    def __init__(
        self,
        name: str | None = "binary_accuracy",
        dtype: Any = None,
        threshold: float = 0.5,
    ) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


@register("metrics/CategoricalAccuracy")
class CategoricalAccuracy(BuiltinMean):
    """How often the largest prediction is at the one-hot target.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.

    Example:
        >>> metric = CategoricalAccuracy()
        >>> metric.update_state([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
        >>> float(metric.result())
        0.5
    """

    direction = "max"

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


@register("metrics/SparseCategoricalAccuracy")
class SparseCategoricalAccuracy(BuiltinMean):
    """How often the largest prediction is at the target's index.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.

    Example:
        >>> metric = SparseCategoricalAccuracy()
        >>> metric.update_state([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]])
        >>> float(metric.result())
        0.5
    """

    direction = "max"

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


@register("metrics/TopKCategoricalAccuracy")
class TopKCategoricalAccuracy(BuiltinMean):
    """How often the one-hot target is among the k largest predictions.

    Args:
        k: How many.
        name: Name in logs.
        dtype: Dtype of the result.

    Example:
        >>> metric = TopKCategoricalAccuracy(k=1)
        >>> metric.update_state([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
        >>> float(metric.result())
        0.5
    """

    direction = "max"

    def __init__(
        self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


@register("metrics/SparseTopKCategoricalAccuracy")
class SparseTopKCategoricalAccuracy(BuiltinMean):
    """How often the target's index is among the k largest predictions.

    Args:
        k: How many.
        name: Name in logs.
        dtype: Dtype of the result.
        from_sorted_ids: Whether predictions are class indices, best first.

    Example:
        >>> metric = SparseTopKCategoricalAccuracy(k=1)
        >>> metric.update_state([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
        >>> float(metric.result())
        0.5
    """

    direction = "max"
    _left_out = {"from_sorted_ids": False}

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(
            sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids
        )
