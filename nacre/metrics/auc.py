"""The area under a curve: ROC, precision-recall, precision-recall gain."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.config import epsilon
from nacre.core.errors import ArgumentError, LossInputError, message, unknown_name
from nacre.core.registry import register
from nacre.core.variable import Variable
from nacre.losses.reduction import divide_or_zero
from nacre.metrics._counts import Counts, count, count_dtype, select, spread_thresholds
from nacre.metrics.metric import Metric

_CURVES = ("ROC", "PR", "PRGAIN")
_SUMMATIONS = ("interpolation", "minoring", "majoring")


@register("metrics/AUC")
class AUC(Metric):
    """The area under the ROC curve, or another one, from counts at fixed thresholds.

    Args:
        num_thresholds: How many thresholds, evenly from 0 to 1.
        curve: 'ROC', 'PR' or 'PRGAIN'.
        summation_method: 'interpolation' (mean of both ends of a step), 'minoring' (the lower),
            'majoring' (the higher).
        name: Name in logs.
        dtype: Dtype of the result.
        thresholds: Thresholds of one's own instead; 0 and 1 are added.
        multi_label: Whether an area is computed per label (last axis) and averaged.
        num_labels: Number of labels, so that the variables can be made at once.
        label_weights: Weights of the labels.
        from_logits: Whether predictions have yet to go through a sigmoid. In `compile`, beside a
            loss with `from_logits=True`, they go through the loss's activation without it too,
            unless `thresholds` are given (Keras compares logits with 0 … 1).

    Raises:
        ArgumentError: An argument breaks its rule.
        LossInputError: Targets and predictions do not fit.
    Source:
        Davis & Goadrich 2006 for interpolation of precision; Flach & Kull 2015 for gains.
    Example:
        >>> metric = AUC(num_thresholds=3)
        >>> metric.update_state([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
        >>> float(metric.result())
        0.75
    """

    leaves_out_absent = True
    direction = "max"

    arguments_of_making = ("num_thresholds",)

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if str(curve).upper() not in _CURVES:
            raise unknown_name("AUC", "curve", curve, _CURVES)
        if str(summation_method).lower() not in _SUMMATIONS:
            raise unknown_name("AUC", "summation_method", summation_method, _SUMMATIONS)
        self.curve = str(curve).upper()
        self.summation_method = str(summation_method).lower()
        self.init_thresholds = None if thresholds is None else _own_thresholds(thresholds)
        self._set_thresholds(num_thresholds)
        if num_labels is not None and not multi_label:
            rule = "num_labels needs multi_label=True"
            raise ArgumentError(message("AUC", rule, f"num_labels={num_labels}"))
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else np.asarray(label_weights)
        self.from_logits = from_logits
        self._built = False
        if not multi_label:
            self._make_variables((self.num_thresholds,))
        elif num_labels:
            self._make_variables((self.num_thresholds, num_labels))

    def _set_thresholds(self, num_thresholds: int) -> None:
        if self.init_thresholds is None:
            if num_thresholds <= 1:
                rule = "num_thresholds must be more than 1"
                raise ArgumentError(message("AUC", rule, repr(num_thresholds)))
            self._thresholds = spread_thresholds(num_thresholds)
        else:
            wrong = [t for t in self.init_thresholds if not 0 <= t <= 1]
            if wrong:
                raise ArgumentError(message("AUC", "thresholds must be from 0 to 1", str(wrong)))
            inner = np.sort(self.init_thresholds)
            self._thresholds = np.concatenate([[0.0 - epsilon()], inner, [1.0 + epsilon()]])
        self.num_thresholds = len(self._thresholds)

    @property
    def thresholds(self) -> list[float]:
        """All thresholds in use, ascending."""
        return self._thresholds.tolist()

    def _make_variables(self, shape: tuple[int, ...]) -> None:
        for name in Counts._fields:
            setattr(
                self, name, self.add_variable(shape, "zeros", count_dtype(self.dtype), name=name)
            )
        self._built = True

    def build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        """Make the variables whose shape depends on the number of labels.

        Args:
            y_true_shape: Shape of targets.
            y_pred_shape: Shape of predictions.
        """
        if not self._built:
            self._make_variables((self.num_thresholds, y_pred_shape[-1]))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in.

        Args:
            y_true: 0 or 1.
            y_pred: Probabilities (or logits), the same shape.
            sample_weight: One weight per sample, or per value.
        """
        self.build(np.shape(y_true), np.shape(y_pred))
        y_true, y_pred, weights = select(
            self._who, y_true, y_pred, sample_weight, count_dtype(self.dtype)
        )
        self._check_labels(y_pred)
        if self.from_logits:
            y_pred = jax.nn.sigmoid(y_pred)
        # Per label, the weights of labels are for the average of areas; together, for the counts.
        together = None if self.multi_label else self.label_weights
        counts = count(y_true, y_pred, weights, self._thresholds, self.multi_label, together)
        for name, value in counts._asdict().items():
            getattr(self, name).assign_add(value)

    def _reads_probabilities(self) -> bool:
        return self.init_thresholds is None and not self.from_logits

    def _check_labels(self, y_pred: Any) -> None:
        labels = y_pred.shape[-1]
        expected = self.true_positives.shape[-1] if self.multi_label else labels
        if self.label_weights is not None and len(self.label_weights) != labels:
            rule = f"label_weights must have one number per label, {labels}"
            raise LossInputError(message(self._who, rule, f"{len(self.label_weights)} numbers"))
        if labels != expected:
            rule = f"predictions must have {expected} labels"
            raise LossInputError(message(self._who, rule, f"{labels} labels"))

    def result(self) -> Any:
        """The area so far."""
        if not self._built:
            return jnp.zeros((), count_dtype(self.dtype))
        counts = Counts(*(getattr(self, name).value for name in Counts._fields))
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = self.interpolate_pr_auc()
        else:
            x, y = self._points(counts)
            heights = {
                "interpolation": (y[:-1] + y[1:]) / 2.0,
                "minoring": jnp.minimum(y[:-1], y[1:]),
                "majoring": jnp.maximum(y[:-1], y[1:]),
            }[self.summation_method]
            areas = jnp.sum((x[:-1] - x[1:]) * heights, axis=0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return jnp.mean(areas)
        weights = jnp.asarray(self.label_weights, areas.dtype)
        return divide_or_zero(jnp.sum(areas * weights), jnp.sum(weights))

    def interpolate_pr_auc(self) -> Any:
        """The area under precision over recall so far, one per label with `multi_label`."""
        return _interpolated_pr(Counts(*(getattr(self, name).value for name in Counts._fields)))

    def _points(self, c: Counts) -> tuple[Any, Any]:
        """The curve's x and y at each threshold."""
        recall = divide_or_zero(c.true_positives, c.true_positives + c.false_negatives)
        if self.curve == "ROC":
            return divide_or_zero(c.false_positives, c.false_positives + c.true_negatives), recall
        if self.curve == "PR":
            precision = divide_or_zero(c.true_positives, c.true_positives + c.false_positives)
            return recall, precision
        odds = divide_or_zero(
            c.true_positives + c.false_negatives, c.true_negatives + c.false_positives
        )
        recall_gain = 1.0 - odds * divide_or_zero(c.false_negatives, c.true_positives)
        precision_gain = 1.0 - odds * divide_or_zero(c.false_positives, c.true_positives)
        return jnp.maximum(recall_gain, 0.0), jnp.maximum(precision_gain, 0.0)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = self._config_with(
            "num_thresholds",
            "curve",
            "summation_method",
            "multi_label",
            "num_labels",
            "from_logits",
        )
        weights = self.label_weights
        config["label_weights"] = None if weights is None else weights.tolist()
        if self.init_thresholds is not None:
            config["thresholds"] = self.thresholds[1:-1]
        return config


def _own_thresholds(thresholds: Any) -> list[float]:
    given = [thresholds] if isinstance(thresholds, Variable) else list(thresholds)
    if any(isinstance(threshold, Variable) for threshold in given):
        # Counts of one threshold cannot be those of another, which a variable may become.
        raise ArgumentError(
            message("AUC", "thresholds must be numbers, not variables", repr(given))
        )
    return [float(threshold) for threshold in given]


def _interpolated_pr(c: Counts) -> Any:
    """Area under precision over recall; between points true positives grow linearly."""
    hits, found = c.true_positives, c.true_positives + c.false_positives
    hit_steps, found_steps = hits[:-1] - hits[1:], found[:-1] - found[1:]
    slope = divide_or_zero(hit_steps, jnp.maximum(found_steps, 0.0))
    intercept = hits[1:] - slope * found[1:]
    both = (found[:-1] > 0) & (found[1:] > 0)
    ratio = jnp.where(both, divide_or_zero(found[:-1], jnp.maximum(found[1:], 0.0)), 1.0)
    gain = slope * (hit_steps + intercept * jnp.log(ratio))
    return jnp.sum(divide_or_zero(gain, jnp.maximum(hits[1:] + c.false_negatives[1:], 0.0)), axis=0)
