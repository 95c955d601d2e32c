"""True and false positives and negatives, precision and recall."""

from __future__ import annotations

from typing import Any

from nacre.core.registry import register
from nacre.losses.reduction import divide_or_zero
from nacre.metrics._counts import Counts, count, count_dtype, select, threshold_list
from nacre.metrics.metric import Metric


class _ConditionCount(Metric):
    """One of the four counts, at one or more thresholds."""

    leaves_out_absent = True
    _condition: str

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.thresholds = threshold_list(type(self).__name__, thresholds, 0.5)
        self.accumulator = self.add_variable(
            (len(self.thresholds),), "zeros", count_dtype(self.dtype), name="accumulator"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in.

        Args:
            y_true: 0 or 1.
            y_pred: Scores, the same shape.
            sample_weight: One weight per sample, or per value.
        """
        chosen = select(self._who, y_true, y_pred, sample_weight, count_dtype(self.dtype))
        counts = count(*chosen, self.thresholds)
        self.accumulator.assign_add(getattr(counts, self._condition))

    def _reads_probabilities(self) -> bool:
        return self.init_thresholds is None

    def result(self) -> Any:
        """The count so far, one per threshold when there are several."""
        value = self.accumulator.value
        return value[0] if len(self.thresholds) == 1 else value

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {**super().get_config(), "thresholds": self.init_thresholds}


@register("metrics/TruePositives")
class TruePositives(_ConditionCount):
    """How many positives are found.

    Args:
        thresholds: One or more numbers from 0 to 1; 0.5 by default. In `compile`, beside a loss
            with `from_logits=True`, the default one is of probabilities: predictions go through the
            loss's activation first (Keras compares logits with 0.5). One that is given is left
            alone.
        name: Name in logs.
        dtype: Dtype of the result.

    Example:
        >>> metric = TruePositives()
        >>> metric.update_state([0, 1, 1, 1], [1, 0, 1, 1])
        >>> float(metric.result())
        2.0
    """

    direction = "max"
    _condition = "true_positives"


@register("metrics/TrueNegatives")
class TrueNegatives(_ConditionCount):
    """How many negatives are left alone.

    Args:
        thresholds: One or more numbers from 0 to 1; 0.5 by default. In `compile`, beside a loss
            with `from_logits=True`, the default one is of probabilities: predictions go through the
            loss's activation first (Keras compares logits with 0.5). One that is given is left
            alone.
        name: Name in logs.
        dtype: Dtype of the result.
    """

    direction = "max"
    _condition = "true_negatives"


@register("metrics/FalsePositives")
class FalsePositives(_ConditionCount):
    """How many negatives are taken for positives.

    Args:
        thresholds: One or more numbers from 0 to 1; 0.5 by default. In `compile`, beside a loss
            with `from_logits=True`, the default one is of probabilities: predictions go through the
            loss's activation first (Keras compares logits with 0.5). One that is given is left
            alone.
        name: Name in logs.
        dtype: Dtype of the result.
    """

    direction = "min"
    _condition = "false_positives"


@register("metrics/FalseNegatives")
class FalseNegatives(_ConditionCount):
    """How many positives are missed.

    Args:
        thresholds: One or more numbers from 0 to 1; 0.5 by default. In `compile`, beside a loss
            with `from_logits=True`, the default one is of probabilities: predictions go through the
            loss's activation first (Keras compares logits with 0.5). One that is given is left
            alone.
        name: Name in logs.
        dtype: Dtype of the result.
    """

    direction = "min"
    _condition = "false_negatives"


def _default_threshold(top_k: int | None) -> float:
    """With top_k everything among the k best is positive, whatever its score."""
    return 0.5 if top_k is None else -1e10


class _Ratio(Metric):
    """True positives over true positives and one other count."""

    leaves_out_absent = True
    direction = "max"
    _other: str

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        default = _default_threshold(top_k)
        self.thresholds = threshold_list(type(self).__name__, thresholds, default)
        shape, dtype = (len(self.thresholds),), count_dtype(self.dtype)
        self.true_positives = self.add_variable(shape, "zeros", dtype, name="true_positives")
        setattr(self, self._other, self.add_variable(shape, "zeros", dtype, name=self._other))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in.

        Args:
            y_true: 0 or 1.
            y_pred: Scores, the same shape.
            sample_weight: One weight per sample, or per value.
        """
        chosen = select(
            self._who,
            y_true,
            y_pred,
            sample_weight,
            count_dtype(self.dtype),
            self.top_k,
            self.class_id,
        )
        counts: Counts = count(*chosen, self.thresholds)
        self.true_positives.assign_add(counts.true_positives)
        getattr(self, self._other).assign_add(getattr(counts, self._other))

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "top_k" and self.init_thresholds is None and "thresholds" in vars(self):
            self.thresholds = [_default_threshold(value)]

    def _reads_probabilities(self) -> bool:
        return self.init_thresholds is None and self.top_k is None

    def result(self) -> Any:
        """The ratio so far, one per threshold when there are several."""
        hits = self.true_positives.value
        ratio = divide_or_zero(hits, hits + getattr(self, self._other).value)
        return ratio[0] if len(self.thresholds) == 1 else ratio

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {
            **super().get_config(),
            "thresholds": self.init_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


@register("metrics/Precision")
class Precision(_Ratio):
    """How many of those found are right.

    Args:
        thresholds: One or more numbers from 0 to 1; 0.5 by default. In `compile`, beside a loss
            with `from_logits=True`, the default one is of probabilities: predictions go through the
            loss's activation first (Keras compares logits with 0.5). One that is given is left
            alone.
        top_k: Count the k best classes of each sample as found instead.
        class_id: Look at this class alone.
        name: Name in logs.
        dtype: Dtype of the result.

    Formula:
        true positives / (true positives + false positives)
    Raises:
        ArgumentError: A threshold is not from 0 to 1.
        LossInputError: Targets and predictions have different shapes.
    Example:
        >>> metric = Precision()
        >>> metric.update_state([0, 1, 1, 1], [1, 0, 1, 1])
        >>> round(float(metric.result()), 4)
        0.6667
    """

    _other = "false_positives"


@register("metrics/Recall")
class Recall(_Ratio):
    """How many of the positives are found.

    Args:
        thresholds: One or more numbers from 0 to 1; 0.5 by default. In `compile`, beside a loss
            with `from_logits=True`, the default one is of probabilities: predictions go through the
            loss's activation first (Keras compares logits with 0.5). One that is given is left
            alone.
        top_k: Count the k best classes of each sample as found instead.
        class_id: Look at this class alone.
        name: Name in logs.
        dtype: Dtype of the result.

    Formula:
        true positives / (true positives + false negatives)
    Raises:
        ArgumentError: A threshold is not from 0 to 1.
        LossInputError: Targets and predictions have different shapes.
    Example:
        >>> metric = Recall()
        >>> metric.update_state([0, 1, 1, 1], [1, 0, 1, 1])
        >>> round(float(metric.result()), 4)
        0.6667
    """

    _other = "false_negatives"
