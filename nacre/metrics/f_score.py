"""Precision and recall in one number: F1 and F-beta."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.config import epsilon
from nacre.core.errors import ArgumentError, LossInputError, message
from nacre.core.registry import register
from nacre.core.scope import get_mask
from nacre.losses.absent import without_absent
from nacre.losses.checking import as_array, paired, require_columns
from nacre.metrics.metric import Metric
from nacre.metrics.reduction import combined_weights

_AVERAGES = (None, "micro", "macro", "weighted")


@register("metrics/FBetaScore")
class FBetaScore(Metric):
    """The weighted harmonic mean of precision and recall.

    Args:
        average: None (one number per class), 'micro' (count all classes together), 'macro' (mean
            over classes), 'weighted' (mean weighted by how often a class occurs).
        beta: How many times recall counts as much as precision.
        threshold: A score above it counts as 1; None takes the largest score of each sample.
        name: Name in logs.
        dtype: Dtype of the result.

    Shapes:
        y_true, y_pred  (batch, classes)
        result          (), or (classes,) with average=None
    Formula:
        (1 + beta²) · precision · recall / (beta² · precision + recall)
    Raises:
        ArgumentError: An argument breaks its rule.
        LossInputError: Inputs are not of shape (batch, classes).
    Example:
        >>> metric = FBetaScore(beta=2.0, threshold=0.5)
        >>> metric.update_state([[1, 1, 1], [1, 0, 0]], [[0.2, 0.6, 0.7], [0.6, 0.6, 0.2]])
        >>> [round(float(score), 3) for score in metric.result()]
        [0.556, 0.833, 1.0]
    """

    leaves_out_absent = True
    direction = "max"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        who = type(self).__name__
        if average not in _AVERAGES:
            raise ArgumentError(message(who, f"average must be one of {_AVERAGES}", repr(average)))
        if not isinstance(beta, float | int) or beta <= 0:
            raise ArgumentError(message(who, "beta must be a positive number", repr(beta)))
        is_number = isinstance(threshold, float | int | np.number)
        if threshold is not None and not (is_number and 0 < threshold <= 1):
            rule = "threshold must be more than 0 and at most 1, or None"
            raise ArgumentError(message(who, rule, repr(threshold)))
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self._built = False

    def build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        """Make the variables, whose shape depends on the number of classes.

        Args:
            y_true_shape: Shape of targets.
            y_pred_shape: Shape of predictions.
        """
        if self._built:
            return
        fix = "For class indices use nacre.utils.to_categorical(y)."
        require_columns(self._who, "classes", y_true_shape, y_pred_shape, fix)
        if y_pred_shape[-1] == 1 and self.threshold is None:
            rule = "with one class, threshold must be given (the largest of one is always found)"
            raise LossInputError(message(self._who, rule, "threshold=None", "Pass threshold=0.5."))
        shape = () if self.average == "micro" else (y_pred_shape[-1],)
        names = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")
        for name in names:
            setattr(self, name, self.add_variable(shape, "zeros", name=name))
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in.

        Args:
            y_true: 0 or 1, (batch, classes).
            y_pred: Scores, the same shape.
            sample_weight: One weight per sample.
        """
        self.build(np.shape(y_true), np.shape(y_pred))
        mask = get_mask(y_pred)
        y_true, y_pred = without_absent(as_array(y_true), as_array(y_pred), sample_weight, mask)
        y_true, y_pred = paired(self._who, y_true, y_pred)
        y_true, y_pred = y_true.astype(self.dtype), y_pred.astype(self.dtype)
        if self.threshold is None:
            largest = jnp.max(y_pred, axis=-1, keepdims=True)
            # A row of zeros finds nothing.
            found = (y_pred >= largest) & (jnp.abs(y_pred) > 1e-9)
        else:
            found = y_pred > self.threshold
        found = found.astype(self.dtype)
        axis = None if self.average == "micro" else 0
        weights = combined_weights(self._who, sample_weight, mask, y_pred.shape, self.dtype)

        def total(values: Any) -> Any:
            return jnp.sum(values if weights is None else values * weights, axis=axis)

        self.true_positives.assign_add(total(found * y_true))
        self.false_positives.assign_add(total(found * (1 - y_true)))
        self.false_negatives.assign_add(total((1 - found) * y_true))
        self.intermediate_weights.assign_add(total(y_true))

    def _reads_probabilities(self) -> bool:
        # The largest logit has the largest probability, but may be 0, which finds nothing.
        return self.threshold is None

    def result(self) -> Any:
        """The score so far."""
        if not self._built:
            return jnp.zeros((), self.dtype)
        hits = self.true_positives.value
        precision = hits / (hits + self.false_positives.value + epsilon())
        recall = hits / (hits + self.false_negatives.value + epsilon())
        square = self.beta**2
        score = (1 + square) * precision * recall / (square * precision + recall + epsilon())
        if self.average == "weighted":
            weights = self.intermediate_weights.value
            return jnp.sum(score * weights / (jnp.sum(weights) + epsilon()))
        return jnp.mean(score) if self.average is not None else score

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return self._config_with("average", "beta", "threshold")


@register("metrics/F1Score")
class F1Score(FBetaScore):
    """The harmonic mean of precision and recall.

    Args:
        average: None (one number per class), 'micro', 'macro' or 'weighted', see `FBetaScore`.
        threshold: A score above it counts as 1; None takes the largest score of each sample.
        name: Name in logs.
        dtype: Dtype of the result.

    Formula:
        2 · precision · recall / (precision + recall)
    Example:
        >>> metric = F1Score(average="macro", threshold=0.5)
        >>> metric.update_state([[1, 0], [0, 1]], [[0.8, 0.1], [0.2, 0.3]])
        >>> round(float(metric.result()), 4)
        0.5
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return self._config_with("average", "threshold")
