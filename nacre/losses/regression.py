"""Losses for numbers: squared, absolute, relative and robust errors, cosine similarity."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.config import epsilon
from nacre.core.registry import register
from nacre.losses._define import loss_function
from nacre.losses.checking import paired
from nacre.losses.loss import BuiltinLoss
from nacre.ops.kinks import absolute


@loss_function
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of squared differences over the last axis.

    Args:
        y_true: Targets, (*batch, size).
        y_pred: Predictions, the same shape.

    Formula:
        mean((y_true − y_pred)²)
    Raises:
        LossInputError: The shapes differ.
    Example:
        >>> mean_squared_error([[0.0, 1.0]], [[1.0, 1.0]]).tolist()
        [0.5]
    """
    y_true, y_pred = paired("loss 'mean_squared_error'", y_true, y_pred)
    return jnp.mean(jnp.square(y_true - y_pred), axis=-1)


@loss_function
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of absolute differences over the last axis.

    Args:
        y_true: Targets, (*batch, size).
        y_pred: Predictions, the same shape.

    Formula:
        mean(|y_true − y_pred|)
    Raises:
        LossInputError: The shapes differ.
    Example:
        >>> mean_absolute_error([[0.0, 1.0]], [[2.0, 1.0]]).tolist()
        [1.0]
    """
    y_true, y_pred = paired("loss 'mean_absolute_error'", y_true, y_pred)
    return jnp.mean(absolute(y_true - y_pred), axis=-1)


@loss_function
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of absolute differences in percent of the target.

    Args:
        y_true: Targets, (*batch, size).
        y_pred: Predictions, the same shape.

    Formula:
        100 · mean(|y_true − y_pred| / max(|y_true|, epsilon))
    Raises:
        LossInputError: The shapes differ.
    Example:
        >>> mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 4.0]]).tolist()
        [25.0]
    """
    y_true, y_pred = paired("loss 'mean_absolute_percentage_error'", y_true, y_pred)
    relative = absolute((y_true - y_pred) / jnp.maximum(jnp.abs(y_true), epsilon()))
    return 100.0 * jnp.mean(relative, axis=-1)


@loss_function
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of squared differences of logarithms; negative numbers count as 0.

    Args:
        y_true: Targets, (*batch, size).
        y_pred: Predictions, the same shape.

    Formula:
        mean((log(1 + y_true) − log(1 + y_pred))²)
    Raises:
        LossInputError: The shapes differ.
    Example:
        >>> mean_squared_logarithmic_error([[0.0]], [[0.0]]).tolist()
        [0.0]
    """
    y_true, y_pred = paired("loss 'mean_squared_logarithmic_error'", y_true, y_pred)
    log_true = jnp.log1p(jnp.maximum(y_true, epsilon()))
    log_pred = jnp.log1p(jnp.maximum(y_pred, epsilon()))
    return jnp.mean(jnp.square(log_true - log_pred), axis=-1)


@loss_function
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Squared for small errors, absolute for large ones: outliers pull less.

    Args:
        y_true: Targets, (*batch, size).
        y_pred: Predictions, the same shape.
        delta: The error where the two forms meet.

    Formula:
        e²/2 where |e| ≤ delta, else delta · |e| − delta²/2
    Raises:
        LossInputError: The shapes differ.
    Source:
        Huber 1964, Robust estimation of a location parameter.
    Example:
        >>> huber([[0.0, 0.0]], [[1.0, 3.0]]).tolist()
        [1.5]
    """
    y_true, y_pred = paired("loss 'huber'", y_true, y_pred)
    error = jnp.abs(y_pred - y_true)
    squared, linear = 0.5 * jnp.square(error), delta * error - 0.5 * delta**2
    return jnp.mean(jnp.where(error <= delta, squared, linear), axis=-1)


@loss_function
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """Logarithm of the hyperbolic cosine of the error: a smooth relative of `huber`.

    Args:
        y_true: Targets, (*batch, size).
        y_pred: Predictions, the same shape.

    Formula:
        mean(log(cosh(e))), computed as e + softplus(−2e) − log 2
    Raises:
        LossInputError: The shapes differ.
    Example:
        >>> round(float(log_cosh([[0.0]], [[1.0]])[0]), 4)
        0.4338
    """
    y_true, y_pred = paired("loss 'log_cosh'", y_true, y_pred)
    error = y_pred - y_true
    return jnp.mean(error + jax.nn.softplus(-2.0 * error) - math.log(2.0), axis=-1)


def normalized(x: Any, axis: int = -1) -> Any:
    """Vectors of length 1 along `axis`; a vector of zeros stays."""
    squares = jnp.sum(jnp.square(x), axis=axis, keepdims=True)
    return x * jax.lax.rsqrt(jnp.maximum(squares, 1e-12))  # 1e-12: Keras's l2_normalize


@loss_function
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Negative cosine of the angle between two vectors: −1 for the same direction.

    Args:
        y_true: Targets, (*batch, size).
        y_pred: Predictions, the same shape.
        axis: Axis of the vectors.

    Formula:
        −sum(y_true/‖y_true‖ · y_pred/‖y_pred‖)
    Raises:
        LossInputError: The shapes differ.
    Example:
        >>> round(float(cosine_similarity([[0.0, 2.0]], [[0.0, 1.0]])[0]), 4)
        -1.0
    """
    y_true, y_pred = paired("loss 'cosine_similarity'", y_true, y_pred, axis)
    return -jnp.sum(normalized(y_true, axis) * normalized(y_pred, axis), axis=axis)


@register("losses/MeanSquaredError")
class MeanSquaredError(BuiltinLoss):
    """`mean_squared_error` as a loss object.

    Args:
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.

    Example:
        >>> float(MeanSquaredError()([[0.0, 1.0]], [[1.0, 1.0]]))
        0.5
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_squared_error, reduction, name, dtype)


@register("losses/MeanAbsoluteError")
class MeanAbsoluteError(BuiltinLoss):
    """`mean_absolute_error` as a loss object.

    Args:
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.

    Example:
        >>> float(MeanAbsoluteError()([[0.0, 1.0]], [[2.0, 1.0]]))
        1.0
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_absolute_error, reduction, name, dtype)


@register("losses/MeanAbsolutePercentageError")
class MeanAbsolutePercentageError(BuiltinLoss):
    """`mean_absolute_percentage_error` as a loss object.

    Args:
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_percentage_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


@register("losses/MeanSquaredLogarithmicError")
class MeanSquaredLogarithmicError(BuiltinLoss):
    """`mean_squared_logarithmic_error` as a loss object.

    Args:
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


@register("losses/Huber")
class Huber(BuiltinLoss):
    """`huber` as a loss object.

    Args:
        delta: The error where squared becomes absolute.
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    _left_out = {"delta": 1.0}

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(huber, reduction, name, dtype, delta=delta)


@register("losses/LogCosh")
class LogCosh(BuiltinLoss):
    """`log_cosh` as a loss object.

    Args:
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "log_cosh",
        dtype: Any = None,
    ) -> None:
        super().__init__(log_cosh, reduction, name, dtype)


@register("losses/CosineSimilarity")
class CosineSimilarity(BuiltinLoss):
    """`cosine_similarity` as a loss object.

    Args:
        axis: Axis of the vectors.
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    _left_out = {"axis": -1}

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)
