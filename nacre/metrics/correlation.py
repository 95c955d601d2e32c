"""Correlation of targets and predictions: Pearson's and Lin's concordance."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from nacre.core.registry import register
from nacre.losses.checking import paired
from nacre.metrics._define import metric_function
from nacre.metrics.reduction import BuiltinMean


def _moments(y_true: Any, y_pred: Any, axis: int) -> tuple[Any, ...]:
    """Means, variances and the covariance along `axis`."""
    mean_true = jnp.mean(y_true, axis=axis, keepdims=True)
    mean_pred = jnp.mean(y_pred, axis=axis, keepdims=True)
    true, pred = y_true - mean_true, y_pred - mean_pred
    return (
        jnp.squeeze(mean_true, axis),
        jnp.squeeze(mean_pred, axis),
        jnp.mean(jnp.square(true), axis=axis),
        jnp.mean(jnp.square(pred), axis=axis),
        jnp.mean(true * pred, axis=axis),
    )


@metric_function
def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Pearson's correlation coefficient; NaN where one side is constant.

    Args:
        y_true: Targets.
        y_pred: Predictions, the same shape.
        axis: Axis along which the two are correlated.

    Formula:
        cov(y, p) / (std(y) · std(p))
    Raises:
        LossInputError: The shapes differ.
    Example:
        >>> round(float(pearson_correlation([[1, 2, 3]], [[1, 2, 4]])[0]), 4)
        0.982
    """
    y_true, y_pred = paired("metric 'pearson_correlation'", y_true, y_pred, axis)
    _, _, var_true, var_pred, covariance = _moments(y_true, y_pred, axis)
    return covariance / (jnp.sqrt(var_true) * jnp.sqrt(var_pred))


@metric_function
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Lin's concordance: correlation that also falls when scale or offset differ.

    Args:
        y_true: Targets.
        y_pred: Predictions, the same shape.
        axis: Axis along which the two are compared.

    Formula:
        2 · cov(y, p) / (var(y) + var(p) + (mean(y) − mean(p))²)
    Raises:
        LossInputError: The shapes differ.
    Source:
        Lin 1989, A concordance correlation coefficient to evaluate reproducibility.
    Example:
        >>> round(float(concordance_correlation([[1, 2, 3]], [[1, 2, 4]])[0]), 4)
        0.8571
    """
    y_true, y_pred = paired("metric 'concordance_correlation'", y_true, y_pred, axis)
    mean_true, mean_pred, var_true, var_pred, covariance = _moments(y_true, y_pred, axis)
    return 2.0 * covariance / (var_true + var_pred + jnp.square(mean_true - mean_pred))


@register("metrics/PearsonCorrelation")
class PearsonCorrelation(BuiltinMean):
    """The mean of Pearson's correlation over rows.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
        axis: Axis along which targets and predictions are correlated.

    Example:
        >>> metric = PearsonCorrelation()
        >>> metric.update_state([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]])
        >>> round(float(metric.result()), 4)
        0.9967
    """

    direction = "max"

    def __init__(
        self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1
    ) -> None:
        super().__init__(pearson_correlation, name, dtype, axis=axis)


@register("metrics/ConcordanceCorrelation")
class ConcordanceCorrelation(BuiltinMean):
    """The mean of Lin's concordance over rows.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
        axis: Axis along which targets and predictions are compared.
    """

    direction = "max"

    def __init__(
        self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1
    ) -> None:
        super().__init__(concordance_correlation, name, dtype, axis=axis)
