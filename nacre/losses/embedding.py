"""Circle loss: learn embeddings in which samples of one class lie together."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.errors import LossInputError, message
from nacre.core.registry import register
from nacre.losses._define import loss_function
from nacre.losses.checking import as_array, as_float, describe
from nacre.losses.loss import BuiltinLoss


def _log_sum_exp(values: Any, chosen: Any) -> Any:
    """log(sum(exp(values))) over the chosen ones of each row; very negative where none is."""
    return jax.nn.logsumexp(jnp.where(chosen, values, -1e9), axis=1)


@loss_function
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
    *,
    absent: Any = None,
) -> Any:
    """Pull embeddings of one class together and push classes apart, hard pairs most.

    Args:
        y_true: Class indices, (batch,) or (batch, 1).
        y_pred: Embeddings of length 1, (batch, size).
        ref_labels: Class indices of the embeddings compared with; the batch's by default.
        ref_embeddings: These embeddings; the batch's by default.
        remove_diagonal: Whether a sample is not compared with itself.
        gamma: Scale of similarities.
        margin: How far from the ideal a pair may be.
        absent: True for samples of the batch that no other one is compared with.

    Formula:
        softplus(logsumexp(γ·a⁺·d⁺) + logsumexp(γ·a⁻·d⁻)) over positive and negative pairs, with
        cosine distances d, a⁺ = max(d⁺ + margin, 0) …; 0 for a sample without a positive or without
        a negative pair
    Raises:
        LossInputError: Labels and embeddings are not one per sample.
    Source:
        Sun et al. 2020, arXiv:2002.10857, equation 6. Differs: the gradient goes through the
        weights a too, as in Keras.
    """
    labels, embeddings = as_array(y_true), as_float(y_pred)
    _check(labels, embeddings)
    labels = labels.reshape(-1, 1)
    others = embeddings if ref_embeddings is None else as_float(ref_embeddings)
    other_labels = labels if ref_labels is None else as_array(ref_labels).reshape(-1, 1)
    other_labels = other_labels.astype(labels.dtype)
    distance = jnp.maximum(1.0 - embeddings @ others.T, 0.0)  # (batch, others)
    left_out = absent if ref_labels is None else None
    same, different = _pairs(labels, other_labels, remove_diagonal, left_out)
    too_far = gamma * jnp.maximum(distance + margin, 0.0)
    positive = too_far * (distance - margin)
    too_near = gamma * jnp.maximum(1.0 + margin - distance, 0.0)
    negative = too_near * ((1.0 - distance) - margin)
    return jax.nn.softplus(_log_sum_exp(positive, same) + _log_sum_exp(negative, different))


def _pairs(
    labels: Any, other_labels: Any, remove_diagonal: bool, absent: Any = None
) -> tuple[Any, Any]:
    """Which pairs are of one class and which of two, (batch, others) each."""
    same = labels == other_labels.T
    different = ~same
    if remove_diagonal:
        itself = jnp.eye(*same.shape, dtype=bool)
        same = same & ~itself  # with other references the diagonal may hold a negative pair
    if absent is not None:
        same, different = same & ~absent, different & ~absent
    return same, different


def _check(labels: Any, embeddings: Any) -> None:
    if embeddings.ndim != 2 or labels.size != embeddings.shape[0]:
        raise LossInputError(
            message(
                "loss 'circle'",
                "labels must be (batch,) and embeddings (batch, size)",
                f"labels {describe(labels)}; embeddings of shape {embeddings.shape}",
                "Give class indices, not one-hot targets: y.argmax(axis=-1).",
            )
        )


circle.takes_class_indices = True  # type: ignore[attr-defined]
circle.compares_samples = True  # type: ignore[attr-defined]


@register("losses/Circle")
class Circle(BuiltinLoss):
    """`circle` as a loss object.

    Args:
        gamma: Scale of similarities.
        margin: How far from the ideal a pair may be.
        remove_diagonal: Whether a sample is not compared with itself.
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            circle,
            reduction,
            name,
            dtype,
            gamma=gamma,
            margin=margin,
            remove_diagonal=remove_diagonal,
        )

    def __call__(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Any = None,
        *,
        ref_labels: Any = None,
        ref_embeddings: Any = None,
    ) -> Any:
        """The reduced loss; the references are those of the `circle` function."""
        if ref_labels is None and ref_embeddings is None:
            return super().__call__(y_true, y_pred, sample_weight)
        bound = Circle(self.gamma, self.margin, self.remove_diagonal, self.reduction, self.name)
        bound._fn_kwargs |= {"ref_labels": ref_labels, "ref_embeddings": ref_embeddings}
        return bound(y_true, y_pred, sample_weight)

    def _valid(self, y_true: Any, shape: tuple[int, ...]) -> Any:
        # As in Keras, a sample without a positive or a negative pair is not counted in the mean.
        labels = as_array(y_true).reshape(-1, 1)
        others = self._fn_kwargs.get("ref_labels")
        others = labels if others is None else as_array(others).reshape(-1, 1)
        absent = self._fn_kwargs.get("absent")
        left_out = absent if self._fn_kwargs.get("ref_labels") is None else None
        same, different = _pairs(
            labels, others.astype(labels.dtype), self.remove_diagonal, left_out
        )
        valid = jnp.any(same, axis=1) & jnp.any(different, axis=1)
        return valid if absent is None else valid & ~absent
