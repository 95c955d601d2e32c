"""Hinge losses: a right answer with enough margin costs nothing."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from nacre.core.registry import register
from nacre.losses._define import loss_function
from nacre.losses.checking import one_hot_pair, paired
from nacre.losses.loss import BuiltinLoss
from nacre.ops.kernels.extremes import largest
from nacre.ops.kinks import larger


def as_signs(y_true: Any) -> Any:
    """Targets that are all 0 or 1 become −1 or 1; others stay."""
    binary = jnp.all((y_true == 0) | (y_true == 1))
    return jnp.where(binary, 2.0 * y_true - 1.0, y_true)


@loss_function
def hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of what is missing to a margin of 1.

    Args:
        y_true: −1 or 1, or 0 and 1, which become −1 and 1. (*batch, size).
        y_pred: Predictions, the same shape.

    Formula:
        mean(max(1 − y · p, 0))
    Raises:
        LossInputError: The shapes differ.
    Example:
        >>> hinge([[1.0, -1.0]], [[0.5, 0.0]]).tolist()
        [0.75]
    """
    y_true, y_pred = paired("loss 'hinge'", y_true, y_pred)
    return jnp.mean(larger(1.0 - as_signs(y_true) * y_pred, 0.0), axis=-1)


@loss_function
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of the square of what is missing to a margin of 1.

    Args:
        y_true: −1 or 1, or 0 and 1, which become −1 and 1. (*batch, size).
        y_pred: Predictions, the same shape.

    Formula:
        mean(max(1 − y · p, 0)²)
    Raises:
        LossInputError: The shapes differ.
    Example:
        >>> squared_hinge([[1.0, -1.0]], [[0.5, 0.0]]).tolist()
        [0.625]
    """
    y_true, y_pred = paired("loss 'squared_hinge'", y_true, y_pred)
    return jnp.mean(jnp.square(jnp.maximum(1.0 - as_signs(y_true) * y_pred, 0.0)), axis=-1)


@loss_function
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """What the right class lacks to lead the best wrong one by 1.

    Args:
        y_true: One-hot targets, (*batch, classes).
        y_pred: Predictions, the same shape.

    Formula:
        max(max((1 − y) · p) − sum(y · p) + 1, 0)
    Raises:
        LossInputError: The shapes differ, or there is one class only.
    Example:
        >>> categorical_hinge([[0.0, 1.0]], [[0.25, 0.5]]).tolist()
        [0.75]
    """
    y_true, y_pred = one_hot_pair("loss 'categorical_hinge'", y_true, y_pred)
    right = jnp.sum(y_true * y_pred, axis=-1)
    wrong = largest((1.0 - y_true) * y_pred, axis=-1)
    return larger(wrong - right + 1.0, 0.0)


@register("losses/Hinge")
class Hinge(BuiltinLoss):
    """`hinge` as a loss object.

    Args:
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(hinge, reduction, name, dtype)


@register("losses/SquaredHinge")
class SquaredHinge(BuiltinLoss):
    """`squared_hinge` as a loss object.

    Args:
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "squared_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(squared_hinge, reduction, name, dtype)


@register("losses/CategoricalHinge")
class CategoricalHinge(BuiltinLoss):
    """`categorical_hinge` as a loss object.

    Args:
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(categorical_hinge, reduction, name, dtype)
