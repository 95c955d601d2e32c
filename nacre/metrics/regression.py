"""Errors of numbers as metrics: squared, absolute, relative, cosine, and explained variance."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.registry import register
from nacre.core.scope import get_mask
from nacre.losses import regression as losses
from nacre.losses.absent import without_absent
from nacre.losses.checking import as_array, paired, require_columns
from nacre.losses.reduction import divide_or_zero
from nacre.metrics._counts import count_dtype
from nacre.metrics._define import metric_function
from nacre.metrics.metric import Metric
from nacre.metrics.reduction import BuiltinMean, Mean, combined_weights


@metric_function
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Cosine of the angle between two vectors: 1 for the same direction. The loss's negative.

    Args:
        y_true: Targets, (*batch, size).
        y_pred: Predictions, the same shape.
        axis: Axis of the vectors.

    Example:
        >>> round(float(cosine_similarity([[0.0, 2.0]], [[0.0, 1.0]])[0]), 4)
        1.0
    """
    return -losses.cosine_similarity(y_true, y_pred, axis=axis)


@register("metrics/MeanSquaredError")
class MeanSquaredError(BuiltinMean):
    """The mean squared error.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.

    Example:
        >>> metric = MeanSquaredError()
        >>> metric.update_state([[0, 1], [0, 0]], [[1, 1], [0, 0]])
        >>> float(metric.result())
        0.25
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_error, name, dtype)


@register("metrics/MeanAbsoluteError")
class MeanAbsoluteError(BuiltinMean):
    """The mean absolute error.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
    """

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_absolute_error, name, dtype)


@register("metrics/MeanAbsolutePercentageError")
class MeanAbsolutePercentageError(BuiltinMean):
    """The mean absolute error in percent of the target.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
    """

    def __init__(
        self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None
    ) -> None:
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


@register("metrics/MeanSquaredLogarithmicError")
class MeanSquaredLogarithmicError(BuiltinMean):
    """The mean squared error of logarithms.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
    """

    def __init__(
        self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None
    ) -> None:
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


@register("metrics/LogCoshError")
class LogCoshError(BuiltinMean):
    """The mean logarithm of the hyperbolic cosine of the error.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
    """

    def __init__(self, name: str | None = "logcosh", dtype: Any = None) -> None:
        super().__init__(losses.log_cosh, name, dtype)


@register("metrics/CosineSimilarity")
class CosineSimilarity(BuiltinMean):
    """The mean cosine of the angle between targets and predictions.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
        axis: Axis of the vectors.
    """

    direction = "max"
    _left_out = {"axis": -1}

    def __init__(
        self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1
    ) -> None:
        super().__init__(cosine_similarity, name, dtype, axis=axis)


@register("metrics/RootMeanSquaredError")
class RootMeanSquaredError(Mean):
    """The root of the mean squared error over all values so far.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.

    Example:
        >>> metric = RootMeanSquaredError()
        >>> metric.update_state([[0, 1], [0, 0]], [[1, 1], [0, 0]])
        >>> float(metric.result())
        0.5
    """

    leaves_out_absent = True
    direction = "min"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in.

        Args:
            y_true: Targets.
            y_pred: Predictions. If they have a mask, it leaves steps out.
            sample_weight: One weight per sample, or per sample and step.
        """
        mask = get_mask(y_pred)
        y_true, y_pred = paired(self._who, y_true, y_pred)
        squares = jnp.square(y_true - y_pred).astype(self.dtype)
        self._add(
            squares,
            combined_weights(self._who, sample_weight, mask, squares.shape, squares.dtype),
        )

    def result(self) -> Any:
        """The root of the mean so far."""
        return jnp.sqrt(super().result())


_AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


@register("metrics/R2Score")
class R2Score(Metric):
    """The part of the targets' variance that predictions explain: 1 is all of it, 0 none.

    Args:
        class_aggregation: How outputs are joined: 'uniform_average',
            'variance_weighted_average', or None for one number each.
        num_regressors: Number of independent inputs, for the adjusted score; 0 for the plain one.
        name: Name in logs.
        dtype: Dtype of the result.

    Shapes:
        y_true, y_pred  (batch, outputs)
        result          (), or (outputs,) without aggregation
    Formula:
        1 − sum((y − p)²) / sum((y − mean(y))²)
    Raises:
        ArgumentError: An argument is none of these.
        LossInputError: Inputs are not of shape (batch, outputs).
    Example:
        >>> metric = R2Score()
        >>> metric.update_state([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])
        >>> round(float(metric.result()), 4)
        0.5714
    """

    leaves_out_absent = True
    direction = "max"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if class_aggregation not in _AGGREGATIONS:
            rule = f"class_aggregation must be one of {_AGGREGATIONS}"
            raise ArgumentError(message("R2Score", rule, repr(class_aggregation)))
        if num_regressors < 0:
            raise ArgumentError(
                message("R2Score", "num_regressors must not be negative", repr(num_regressors))
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable(
            (), "zeros", count_dtype(self.dtype), name="num_samples"
        )
        self._built = False

    def build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        """Make the variables whose shape depends on the number of outputs.

        Args:
            y_true_shape: Shape of targets.
            y_pred_shape: Shape of predictions.
        """
        if self._built:
            return
        fix = "Put the outputs of a sample into one row."
        require_columns(self._who, "outputs", y_true_shape, y_pred_shape, fix)
        outputs = y_pred_shape[-1]
        if outputs is None:
            raise ShapeError(message(self._who, "the number of outputs must be known", "None"))
        dtype = count_dtype(self.dtype)
        self.squared_sum = self.add_variable((outputs,), "zeros", dtype, name="squared_sum")
        self.sum = self.add_variable((outputs,), "zeros", dtype, name="sum")
        self.total_mse = self.add_variable((outputs,), "zeros", dtype, name="residual")
        self.count = self.add_variable((outputs,), "zeros", dtype, name="count")
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in.

        Args:
            y_true: Targets, (batch, outputs).
            y_pred: Predictions, the same shape.
            sample_weight: One weight per sample.
        """
        self.build(np.shape(y_true), np.shape(y_pred))
        mask = get_mask(y_pred)
        y_true, y_pred = without_absent(as_array(y_true), as_array(y_pred), sample_weight, mask)
        y_true, y_pred = paired(self._who, y_true, y_pred)
        dtype = count_dtype(self.dtype)
        y_true, y_pred = y_true.astype(dtype), y_pred.astype(dtype)
        weights = combined_weights(self._who, sample_weight, mask, y_pred.shape, dtype)
        weights = jnp.ones((y_pred.shape[0], 1), dtype) if weights is None else weights
        self.sum.assign_add(jnp.sum(y_true * weights, axis=0))
        self.squared_sum.assign_add(jnp.sum(jnp.square(y_true) * weights, axis=0))
        self.total_mse.assign_add(jnp.sum(jnp.square(y_true - y_pred) * weights, axis=0))
        self.count.assign_add(jnp.sum(jnp.broadcast_to(weights, y_pred.shape), axis=0))
        self.num_samples.assign_add(y_pred.size)  # values, not rows: as Keras counts

    def result(self) -> Any:
        """The score so far."""
        if not self._built:
            return jnp.zeros((), count_dtype(self.dtype))
        mean = divide_or_zero(self.sum.value, self.count.value)
        total = self.squared_sum.value - self.sum.value * mean
        score = 1.0 - self.total_mse.value / total
        score = jnp.where(jnp.isinf(score), 0.0, score)
        if self.class_aggregation == "uniform_average":
            score = jnp.mean(score)
        elif self.class_aggregation == "variance_weighted_average":
            score = jnp.sum(score * total) / jnp.sum(total)
        if self.num_regressors:
            samples = self.num_samples.value
            free = samples - self.num_regressors - 1
            adjusted = 1.0 - (1.0 - score) * (samples - 1.0) / jnp.where(free == 0, 1.0, free)
            # With no more samples than inputs the adjustment means nothing.
            score = jnp.where(free <= 0, score, adjusted)
        return score

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return self._config_with("class_aggregation", "num_regressors")
