"""Focal losses: cross-entropies in which easy samples count less."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.registry import register
from nacre.losses._define import loss_function
from nacre.losses.checking import one_hot_pair, paired
from nacre.losses.loss import BuiltinLoss
from nacre.losses.probabilistic import smooth_answers, smooth_classes
from nacre.ops.cross_entropy import binary_terms, clip_probabilities


def _faded(wrong: Any, gamma: float) -> Any:
    """wrong ** gamma; its gradient is a number for all gamma where nothing is wrong."""
    is_sure = wrong == 0
    power = jnp.where(is_sure, 1.0, wrong) ** gamma
    return jnp.where(is_sure, jnp.zeros_like(wrong) ** gamma, power)


@loss_function
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Binary cross-entropy times (1 − probability of the right answer)^gamma.

    Args:
        y_true: Targets from 0 to 1, (*batch, size).
        y_pred: Probabilities, or logits, of the same shape.
        apply_class_balancing: Weight class 1 with `alpha` and class 0 with 1 − `alpha`.
        alpha: That weight.
        gamma: How fast easy samples fade; 0 is plain cross-entropy.
        from_logits: True when `y_pred` has not gone through a sigmoid.
        label_smoothing: Part of the target that is moved to 1/2.
        axis: Axis the mean is taken over.

    Formula:
        mean((1 − p_t)^gamma · BCE), p_t = y·p + (1 − y)·(1 − p)
    Raises:
        LossInputError: The shapes differ.
    Source:
        Lin et al. 2017, arXiv:1708.02002, equations 4 and 5. Differs from Keras: with logits, very
        sure wrong answers are not clipped, so their gradient does not vanish.
    Example:
        >>> round(float(binary_focal_crossentropy([[1.0]], [[0.5]])[0]), 4)
        0.1733
    """
    y_true, y_pred = paired("loss 'binary_focal_crossentropy'", y_true, y_pred, axis)
    y_true = smooth_answers(y_true, label_smoothing)
    p = jax.nn.sigmoid(y_pred) if from_logits else y_pred
    terms = binary_terms(y_true, y_pred, from_logits)
    right = y_true * p + (1.0 - y_true) * (1.0 - p)
    terms = _faded(1.0 - right, gamma) * terms
    if apply_class_balancing:
        terms = terms * (y_true * alpha + (1.0 - y_true) * (1.0 - alpha))
    return jnp.mean(terms, axis=axis)


@loss_function
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Categorical cross-entropy in which sure predictions count less.

    Args:
        y_true: Targets, (*batch, classes), each row a distribution.
        y_pred: Probabilities, or logits, of the same shape.
        alpha: Weight, a number or one per class.
        gamma: How fast sure predictions fade; 0 is plain cross-entropy times `alpha`.
        from_logits: True when `y_pred` has not gone through a softmax.
        label_smoothing: Part of the target that is spread over all classes.
        axis: Axis of the classes.

    Formula:
        −sum(alpha · (1 − p)^gamma · y · log(p))
    Raises:
        LossInputError: The shapes differ, or there is one class only.
    Source:
        Lin et al. 2017, arXiv:1708.02002. Differs: softmax instead of sigmoids; with logits, very
        sure wrong answers are not clipped as they are in Keras.
    Example:
        >>> round(float(categorical_focal_crossentropy([[0, 1]], [[0.5, 0.5]])[0]), 4)
        0.0433
    """
    y_true, y_pred = one_hot_pair("loss 'categorical_focal_crossentropy'", y_true, y_pred, axis)
    y_true = smooth_classes(y_true, label_smoothing, axis)
    p = jax.nn.softmax(y_pred, axis=axis) if from_logits else y_pred
    p = clip_probabilities(p / jnp.sum(p, axis=axis, keepdims=True))
    log_p = jax.nn.log_softmax(y_pred, axis=axis) if from_logits else jnp.log(p)
    weight = jnp.asarray(alpha, p.dtype)
    return -jnp.sum(weight * (1.0 - p) ** gamma * y_true * log_p, axis=axis)


@register("losses/BinaryFocalCrossentropy")
class BinaryFocalCrossentropy(BuiltinLoss):
    """`binary_focal_crossentropy` as a loss object.

    Args:
        apply_class_balancing: Weight class 1 with `alpha` and class 0 with 1 − `alpha`.
        alpha: That weight.
        gamma: How fast easy samples fade.
        from_logits: True when predictions have not gone through a sigmoid.
        label_smoothing: Part of the target that is moved to 1/2.
        axis: Axis the mean is taken over.
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@register("losses/CategoricalFocalCrossentropy")
class CategoricalFocalCrossentropy(BuiltinLoss):
    """`categorical_focal_crossentropy` as a loss object.

    Args:
        alpha: Weight, a number or one per class.
        gamma: How fast sure predictions fade.
        from_logits: True when predictions have not gone through a softmax.
        label_smoothing: Part of the target that is spread over all classes.
        axis: Axis of the classes.
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )
