"""The best of one rate where another one reaches a wanted value."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core import safety
from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.losses.reduction import divide_or_zero
from nacre.metrics._counts import Counts, count, count_dtype, select
from nacre.metrics.metric import Metric


def _precision(c: Counts) -> Any:
    return divide_or_zero(c.true_positives, c.true_positives + c.false_positives)


def _sensitivity(c: Counts) -> Any:
    return divide_or_zero(c.true_positives, c.true_positives + c.false_negatives)


def _specificity(c: Counts) -> Any:
    return divide_or_zero(c.true_negatives, c.true_negatives + c.false_positives)


class _BestAt(Metric):
    """The largest `_wanted` rate among thresholds at which `_bound` is at least a value."""

    leaves_out_absent = True
    direction = "max"
    _argument: str
    arguments_of_making = ("num_thresholds",)

    def __init__(
        self,
        value: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        who = type(self).__name__
        if not 0 <= value <= 1:
            raise ArgumentError(message(who, f"{self._argument} must be from 0 to 1", repr(value)))
        if num_thresholds <= 0:
            rule = "num_thresholds must be positive"
            raise ArgumentError(message(who, rule, repr(num_thresholds)))
        setattr(self, self._argument, value)
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        safety.reserve(num_thresholds * 64, who)
        # A score of exactly 0 is above none of them: unlike AUC's, the first is not below 0.
        self.thresholds = (
            [0.5] if num_thresholds == 1 else np.linspace(0.0, 1.0, num_thresholds).tolist()
        )
        shape = (len(self.thresholds),)
        for count_name in Counts._fields:
            variable = self.add_variable(shape, "zeros", count_dtype(self.dtype), name=count_name)
            setattr(self, count_name, variable)

    @property
    def value(self) -> float:
        """What the bounded rate must be at least."""
        return getattr(self, self._argument)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in.

        Args:
            y_true: 0 or 1.
            y_pred: Probabilities, the same shape.
            sample_weight: One weight per sample, or per value.
        """
        chosen = select(
            self._who,
            y_true,
            y_pred,
            sample_weight,
            count_dtype(self.dtype),
            class_id=self.class_id,
        )
        for name, value in count(*chosen, self.thresholds)._asdict().items():
            getattr(self, name).assign_add(value)

    def _reads_probabilities(self) -> bool:
        return True

    def _rates(self, counts: Counts) -> tuple[Any, Any]:
        """The rate that is bounded and the rate that is wanted."""
        raise NotImplementedError

    def result(self) -> Any:
        """The best rate so far; 0 when no threshold reaches the value."""
        counts = Counts(*(getattr(self, name).value for name in Counts._fields))
        bounded, wanted = self._rates(counts)
        return jnp.max(jnp.where(bounded >= self.value, wanted, 0.0))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return self._config_with("class_id", "num_thresholds", self._argument)


@register("metrics/SensitivityAtSpecificity")
class SensitivityAtSpecificity(_BestAt):
    """The best sensitivity (recall) where specificity is at least a value.

    Args:
        specificity: The value, from 0 to 1.
        num_thresholds: How many thresholds are tried.
        class_id: Look at this class alone.
        name: Name in logs.
        dtype: Dtype of the result.

    Example:
        >>> metric = SensitivityAtSpecificity(0.5)
        >>> metric.update_state([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
        >>> float(metric.result())
        0.5
    """

    _argument = "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def _rates(self, counts: Counts) -> tuple[Any, Any]:
        return _specificity(counts), _sensitivity(counts)


@register("metrics/SpecificityAtSensitivity")
class SpecificityAtSensitivity(_BestAt):
    """The best specificity where sensitivity (recall) is at least a value.

    Args:
        sensitivity: The value, from 0 to 1.
        num_thresholds: How many thresholds are tried.
        class_id: Look at this class alone.
        name: Name in logs.
        dtype: Dtype of the result.
    """

    _argument = "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def _rates(self, counts: Counts) -> tuple[Any, Any]:
        return _sensitivity(counts), _specificity(counts)


@register("metrics/PrecisionAtRecall")
class PrecisionAtRecall(_BestAt):
    """The best precision where recall is at least a value.

    Args:
        recall: The value, from 0 to 1.
        num_thresholds: How many thresholds are tried.
        class_id: Look at this class alone.
        name: Name in logs.
        dtype: Dtype of the result.
    """

    _argument = "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def _rates(self, counts: Counts) -> tuple[Any, Any]:
        return _sensitivity(counts), _precision(counts)


@register("metrics/RecallAtPrecision")
class RecallAtPrecision(_BestAt):
    """The best recall where precision is at least a value.

    Args:
        precision: The value, from 0 to 1.
        num_thresholds: How many thresholds are tried.
        class_id: Look at this class alone.
        name: Name in logs.
        dtype: Dtype of the result.
    """

    _argument = "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def _rates(self, counts: Counts) -> tuple[Any, Any]:
        return _precision(counts), _sensitivity(counts)
