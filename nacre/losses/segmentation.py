"""Losses for overlapping regions: Dice and Tversky."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from nacre.core.config import epsilon
from nacre.core.registry import register
from nacre.losses._define import loss_function
from nacre.losses.checking import paired
from nacre.losses.loss import BuiltinLoss

Axis = int | Sequence[int] | None


def _axes(axis: Axis) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


@loss_function
def dice(y_true: Any, y_pred: Any, axis: Axis = None) -> Any:
    """One minus twice the overlap over the sum of both sizes.

    Args:
        y_true: Regions, 0 or 1.
        y_pred: Predicted regions, from 0 to 1, the same shape.
        axis: Axes of one region; None takes everything as one.

    Formula:
        1 − 2 · sum(y·p) / (sum(y) + sum(p) + epsilon)
    Raises:
        LossInputError: The shapes differ.
    Source:
        Milletari et al. 2016, arXiv:1606.04797. Differs: sizes are not squared, as in Keras.
    Example:
        >>> round(float(dice([[1.0, 0.0]], [[1.0, 1.0]])), 4)
        0.3333
    """
    y_true, y_pred = paired("loss 'dice'", y_true, y_pred, axis)
    axes = _axes(axis)
    overlap = jnp.sum(y_true * y_pred, axis=axes)
    sizes = jnp.sum(y_true, axis=axes) + jnp.sum(y_pred, axis=axes)
    return 1.0 - 2.0 * overlap / (sizes + epsilon())


@loss_function
def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Axis = None
) -> Any:
    """Dice with own weights for what is too much and what is missing.

    Args:
        y_true: Regions, 0 or 1.
        y_pred: Predicted regions, from 0 to 1, the same shape.
        alpha: Weight of what is missing (false negatives).
        beta: Weight of what is too much (false positives).
        axis: Axes of one region; None takes everything as one.

    Formula:
        1 − sum(y·p) / (sum(y·p) + alpha · sum(y·(1 − p)) + beta · sum((1 − y)·p) + epsilon)
    Raises:
        LossInputError: The shapes differ.
    Source:
        Salehi et al. 2017, arXiv:1706.05721, equation 2. Differs: alpha and beta are the other way
        round, as Keras computes them.
    Example:
        >>> round(float(tversky([[1.0, 0.0]], [[1.0, 1.0]])), 4)
        0.3333
    """
    y_true, y_pred = paired("loss 'tversky'", y_true, y_pred, axis)
    axes = _axes(axis)
    overlap = jnp.sum(y_true * y_pred, axis=axes)
    too_much = jnp.sum((1.0 - y_true) * y_pred, axis=axes)
    missing = jnp.sum(y_true * (1.0 - y_pred), axis=axes)
    whole = overlap + alpha * missing + beta * too_much
    return 1.0 - overlap / (whole + epsilon())


# A sample of weight 0 adds nothing to either size.
dice.sums_over_samples = True  # type: ignore[attr-defined]
tversky.sums_over_samples = True  # type: ignore[attr-defined]


@register("losses/Dice")
class Dice(BuiltinLoss):
    """`dice` as a loss object.

    Args:
        reduction: See `Loss`.
        name: Name in logs and messages.
        axis: Axes of one region; None takes the whole batch as one.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Axis = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(dice, reduction, name, dtype, axis=axis)


@register("losses/Tversky")
class Tversky(BuiltinLoss):
    """`tversky` as a loss object.

    Args:
        alpha: Weight of what is missing (false negatives).
        beta: Weight of what is too much (false positives).
        reduction: See `Loss`.
        name: Name in logs and messages.
        axis: Axes of one region; None takes the whole batch as one.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Axis = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
