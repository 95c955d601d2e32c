"""Losses for probabilities: cross-entropies, divergence, Poisson.

With `from_logits=True` the cross-entropies are computed from the logits in one stable formula; with
probabilities they are kept epsilon away from 0 and 1 first, as in Keras.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from nacre.core.config import epsilon
from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.losses._define import loss_function
from nacre.losses.absent import without_absent
from nacre.losses.checking import as_array, indexed_pair, one_hot_pair, paired
from nacre.losses.loss import BuiltinLoss
from nacre.ops.cross_entropy import (
    binary_terms,
    categorical_terms,
    clip_probabilities,
    picked,
    sparse_terms,
)


@loss_function
def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Cross-entropy of independent yes/no answers, averaged over one axis.

    Args:
        y_true: Targets from 0 to 1, (*batch, size).
        y_pred: Probabilities, or logits, of the same shape.
        from_logits: True when `y_pred` has not gone through a sigmoid: faster and more exact.
        label_smoothing: Part of the target that is moved to 1/2.
        axis: Axis the mean is taken over.

    Formula:
        −mean(y · log(p) + (1 − y) · log(1 − p))
    Raises:
        LossInputError: The shapes differ.
    Example:
        >>> round(float(binary_crossentropy([[1.0]], [[0.5]])[0]), 4)
        0.6931
    """
    y_true, y_pred = paired("loss 'binary_crossentropy'", y_true, y_pred, axis)
    y_true = smooth_answers(y_true, label_smoothing)
    return jnp.mean(binary_terms(y_true, y_pred, from_logits), axis=axis)


def _is_zero(share: Any) -> bool:
    return isinstance(share, int | float) and not share  # a variable may become another number


def smooth_answers(y_true: Any, label_smoothing: float) -> Any:
    """Move `label_smoothing` of each yes or no to 1/2."""
    if _is_zero(label_smoothing):
        return y_true
    return y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing


def smooth_classes(y_true: Any, label_smoothing: float, axis: int) -> Any:
    """Move `label_smoothing` of each target evenly to all classes."""
    if _is_zero(label_smoothing):
        return y_true
    return y_true * (1.0 - label_smoothing) + label_smoothing / y_true.shape[axis]


@loss_function
def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Cross-entropy of one answer out of several, targets one-hot.

    Choose `sparse_categorical_crossentropy` when the targets are class indices.

    Args:
        y_true: Targets, (*batch, classes), each row a distribution.
        y_pred: Probabilities, or logits, of the same shape.
        from_logits: True when `y_pred` has not gone through a softmax: faster and more exact.
        label_smoothing: Part of the target that is spread over all classes.
        axis: Axis of the classes.

    Formula:
        −sum(y · log(p))
    Raises:
        LossInputError: The shapes differ, or there is one class only.
    Example:
        >>> round(float(categorical_crossentropy([[0, 1]], [[0.5, 0.5]])[0]), 4)
        0.6931
    """
    y_true, y_pred = one_hot_pair("loss 'categorical_crossentropy'", y_true, y_pred, axis)
    y_true = smooth_classes(y_true, label_smoothing, axis)
    return categorical_terms(y_true, y_pred, from_logits, axis)


@loss_function
def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Any:
    """Cross-entropy of one answer out of several, targets class indices.

    Probabilities that do not add up to 1 are scaled first, as in Keras.
    A label that is no class gives NaN, so that it is seen; a sample weight of 0 silences it.

    Args:
        y_true: Class indices, (*batch) or (*batch, 1).
        y_pred: Probabilities, or logits, (*batch, classes).
        from_logits: True when `y_pred` has not gone through a softmax: faster and more exact.
        ignore_class: A label whose samples do not count.
        axis: Axis of the classes.

    Formula:
        −log(p[y])
    Raises:
        LossInputError: Targets look one-hot, shapes do not fit, or there is one class only.
    Example:
        >>> round(float(sparse_categorical_crossentropy([1], [[0.5, 0.5]])[0]), 4)
        0.6931
    """
    labels, y_pred = indexed_pair("loss 'sparse_categorical_crossentropy'", y_true, y_pred, axis)
    if ignore_class is not None:  # whatever is predicted there
        is_ignored = labels == ignore_class
        labels, y_pred = without_absent(labels, y_pred, ~is_ignored, axis=axis)
    values = sparse_terms(labels, y_pred, from_logits, axis)
    return values if ignore_class is None else jnp.where(is_ignored, 0.0, values)


sparse_categorical_crossentropy.takes_class_indices = True  # type: ignore[attr-defined]
# `LossFunctionWrapper` may give these the logits their probabilities were made of.
for _function in (binary_crossentropy, categorical_crossentropy, sparse_categorical_crossentropy):
    _function.takes_logits = True  # type: ignore[attr-defined]


def counted_labels(y_true: Any, ignore_class: int | None, shape: tuple[int, ...]) -> Any:
    """Which labels are not `ignore_class`, in the shape of the loss values; None for all."""
    if ignore_class is None:
        return None
    return (as_array(y_true) != ignore_class).reshape(shape)


@loss_function
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """Between cross-entropy (q → 0) and absolute error (q = 1): wrong labels pull less.

    Args:
        y_true: Class indices, (*batch) or (*batch, 1).
        y_pred: Probabilities, (*batch, classes).
        q: From 0 (not included) to 1.

    Formula:
        (1 − p[y]^q) / q
    Raises:
        LossInputError: Targets look one-hot, or shapes do not fit.
    Source:
        Zhang & Sabuncu 2018, arXiv:1805.07836, equation 6.
    Example:
        >>> categorical_generalized_cross_entropy([1], [[0.75, 0.25]], 0.5).tolist()
        [1.0]
    """
    who = "loss 'categorical_generalized_cross_entropy'"
    labels, y_pred = indexed_pair(who, y_true, y_pred)
    p = clip_probabilities(picked(y_pred, labels, -1))
    known = (labels >= 0) & (labels < y_pred.shape[-1])
    return jnp.where(known, (1.0 - p**q) / q, jnp.nan)


categorical_generalized_cross_entropy.takes_class_indices = True  # type: ignore[attr-defined]
# Targets are indices of the classes of the predictions: ones on the host are looked at.
for _function in (sparse_categorical_crossentropy, categorical_generalized_cross_entropy):
    _function.reads_labels = True  # type: ignore[attr-defined]


@loss_function
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """Kullback-Leibler divergence of two distributions.

    Args:
        y_true: Distributions, (*batch, classes).
        y_pred: Predicted distributions, the same shape.

    Formula:
        sum(y · log(y / p)), both kept from epsilon to 1
    Raises:
        LossInputError: The shapes differ.
    Example:
        >>> round(float(kl_divergence([[1.0, 0.0]], [[0.5, 0.5]])[0]), 4)
        0.6931
    """
    y_true, y_pred = paired("loss 'kl_divergence'", y_true, y_pred)
    y_true = jnp.clip(y_true, epsilon(), 1.0)
    y_pred = jnp.clip(y_pred, epsilon(), 1.0)
    return jnp.sum(y_true * jnp.log(y_true / y_pred), axis=-1)


kl_divergence.takes_probabilities = True  # type: ignore[attr-defined]


@loss_function
def poisson(y_true: Any, y_pred: Any) -> Any:
    """Negative log-likelihood of counts, without the part that does not depend on the prediction.

    Args:
        y_true: Counts, (*batch, size).
        y_pred: Predicted rates, the same shape.

    Formula:
        mean(p − y · log(p + epsilon))
    Raises:
        LossInputError: The shapes differ.
    Example:
        >>> poisson([[2.0]], [[1.0]]).round(4).tolist()
        [1.0]
    """
    y_true, y_pred = paired("loss 'poisson'", y_true, y_pred)
    return jnp.mean(y_pred - y_true * jnp.log(y_pred + epsilon()), axis=-1)


@register("losses/BinaryCrossentropy")
class BinaryCrossentropy(BuiltinLoss):
    """`binary_crossentropy` as a loss object.

    Args:
        from_logits: True when predictions have not gone through a sigmoid.
        label_smoothing: Part of the target that is moved to 1/2.
        axis: Axis the mean is taken over.
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.

    Example:
        >>> round(float(BinaryCrossentropy(from_logits=True)([[1.0]], [[0.0]])), 4)
        0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            binary_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@register("losses/CategoricalCrossentropy")
class CategoricalCrossentropy(BuiltinLoss):
    """`categorical_crossentropy` as a loss object.

    Args:
        from_logits: True when predictions have not gone through a softmax.
        label_smoothing: Part of the target that is spread over all classes.
        axis: Axis of the classes.
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.

    Example:
        >>> round(float(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@register("losses/SparseCategoricalCrossentropy")
class SparseCategoricalCrossentropy(BuiltinLoss):
    """`sparse_categorical_crossentropy` as a loss object.

    Args:
        from_logits: True when predictions have not gone through a softmax.
        ignore_class: A label whose samples count neither in the sum nor in the mean's divisor.
        reduction: See `Loss`.
        axis: Axis of the classes.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.

    Example:
        >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
        0.6931
    """

    _left_out = {"axis": -1}

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )

    def _valid(self, y_true: Any, shape: tuple[int, ...]) -> Any:
        return counted_labels(y_true, self.ignore_class, shape)


@register("losses/CategoricalGeneralizedCrossEntropy")
class CategoricalGeneralizedCrossEntropy(BuiltinLoss):
    """`categorical_generalized_cross_entropy` as a loss object.

    Args:
        q: From 0 (not included, near cross-entropy) to 1 (absolute error).
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.

    Raises:
        ArgumentError: `q` is not in that range.
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        if not 0 < q < 1:
            raise ArgumentError(
                message("CategoricalGeneralizedCrossEntropy", "q must be between 0 and 1", repr(q))
            )
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)


@register("losses/KLDivergence")
class KLDivergence(BuiltinLoss):
    """`kl_divergence` as a loss object.

    Args:
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "kl_divergence",
        dtype: Any = None,
    ) -> None:
        super().__init__(kl_divergence, reduction, name, dtype)


@register("losses/Poisson")
class Poisson(BuiltinLoss):
    """`poisson` as a loss object.

    Args:
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "poisson",
        dtype: Any = None,
    ) -> None:
        super().__init__(poisson, reduction, name, dtype)
