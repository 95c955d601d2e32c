"""Losses that learn distances: pairs, triplets, and two views of each sample."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, LossInputError, message
from nacre.core.registry import register
from nacre.losses._define import loss_function
from nacre.losses.checking import as_array, as_float, describe
from nacre.losses.loss import BuiltinLoss
from nacre.ops.kernels.extremes import largest

# Far below any squared distance or similarity, and finite in all float types but float16.
_NEVER = -1e30


@loss_function
def contrastive(y_true: Any, y_pred: Any, margin: float = 1.0) -> Any:
    """Pull similar pairs together and push others at least `margin` apart.

    Args:
        y_true: 0 for a similar pair, 1 for a dissimilar one, (batch,) or (batch, 1).
        y_pred: Distance of each pair, (batch,) or (batch, 1); `nacre.layers.Distance` gives it.
        margin: Dissimilar pairs further apart than this cost nothing.

    Formula:
        (1 - y) · d² / 2 + y · max(0, margin - d)² / 2
    Raises:
        LossInputError: Labels and distances are not one per pair.
    Source:
        Hadsell et al. 2006, "Dimensionality reduction by learning an invariant mapping",
        equation 4.
    Example:
        >>> contrastive([0.0, 1.0], [2.0, 0.5]).tolist()
        [2.0, 0.125]
    """
    distance, labels = as_float(y_pred), as_array(y_true)
    if distance.ndim == 0 or distance.size != distance.shape[0] or labels.size != distance.size:
        raise LossInputError(
            message(
                "loss 'contrastive'",
                "labels and distances must be one per pair, (batch,) or (batch, 1)",
                f"labels {describe(labels)}; distances of shape {distance.shape}",
                "End the model with nacre.layers.Distance()([first, second]).",
            )
        )
    distance, dissimilar = distance.reshape(-1), labels.reshape(-1).astype(distance.dtype)
    near, far = jnp.square(distance), jnp.square(jnp.maximum(margin - distance, 0))
    return ((1 - dissimilar) * near + dissimilar * far) / 2


@loss_function
def triplet(
    y_true: Any,
    y_pred: Any,
    margin: float = 0.2,
    mining: str | None = None,
    *,
    absent: Any = None,
) -> Any:
    """Bring a sample nearer to one of its class than to one of another class.

    Args:
        y_true: Without mining unused, any value per sample; with mining the class indices,
            (batch,) or (batch, 1).
        y_pred: Without mining anchors, positives and negatives stacked, (batch, 3, size); with
            mining embeddings (batch, size).
        margin: How much nearer.
        mining: None, or 'semi_hard': the negative of each pair of one class is the nearest one
            further away than the positive, and when there is none, the furthest.
        absent: True for samples that mining takes for no other one.

    Formula:
        max(0, |a - p|² - |a - n|² + margin); with mining the mean over the positives of an anchor,
        0 for an anchor without a positive or without a negative
    Raises:
        ArgumentError: `mining` is something else.
        LossInputError: The shapes are others.
    Source:
        Schroff et al. 2015, arXiv:1503.03832, equations 1 to 4. Embeddings of length 1 are theirs;
        here they are taken as they are.
    Example:
        >>> triplet([0.0], [[[0.0], [1.0], [1.0]]], margin=0.5).tolist()
        [0.5]
    """
    embeddings = as_float(y_pred)
    if mining is None:
        if embeddings.ndim != 3 or embeddings.shape[1] != 3:
            raise _wrong_triplets("(batch, 3, size)", embeddings, "mining='semi_hard'")
        anchor, positive, negative = embeddings[:, 0], embeddings[:, 1], embeddings[:, 2]
        near, far = (jnp.sum(jnp.square(anchor - x), -1) for x in (positive, negative))
        return jnp.maximum(near - far + margin, 0)
    if mining != "semi_hard":
        raise ArgumentError(
            message("loss 'triplet'", "mining must be None or 'semi_hard'", repr(mining))
        )
    labels = as_array(y_true)
    if embeddings.ndim != 2 or labels.size != embeddings.shape[0]:
        raise _wrong_triplets("(batch, size) with one class index each", embeddings, "mining=None")
    return _semi_hard(labels.reshape(-1), embeddings, margin, absent)


def _wrong_triplets(wanted: str, embeddings: Any, other: str) -> LossInputError:
    return LossInputError(
        message(
            "loss 'triplet'",
            f"embeddings must be {wanted}",
            f"shape {embeddings.shape}",
            f"Stack with nacre.ops.stack([anchor, positive, negative], axis=1), or use {other}.",
        )
    )


def _same_class(labels: Any, absent: Any) -> tuple[Any, Any]:
    """Which others are of one's class, and which are not, (batch, batch) each."""
    same = labels[:, None] == labels[None, :]
    positive, negative = same & ~jnp.eye(labels.shape[0], dtype=bool), ~same
    if absent is not None:
        positive, negative = positive & ~absent, negative & ~absent
    return positive, negative


def _semi_hard(labels: Any, embeddings: Any, margin: float, absent: Any) -> Any:
    differences = embeddings[:, None] - embeddings[None]
    distance = jnp.sum(jnp.square(differences), axis=-1)  # (anchors, others)
    positive, negative = _same_class(labels, absent)
    # For each pair (anchor, positive) all negatives: (anchors, positives, negatives).
    further = negative[:, None, :] & (distance[:, None, :] > distance[:, :, None])
    nearest = -largest(jnp.where(further, -distance[:, None, :], _NEVER), axis=-1)
    furthest = largest(jnp.where(negative, distance, _NEVER), axis=-1, keepdims=True)
    chosen = jnp.where(jnp.any(further, axis=-1), nearest, furthest)
    counts = positive & jnp.any(negative, axis=-1, keepdims=True)
    costs = jnp.where(counts, jnp.maximum(distance - chosen + margin, 0), 0)
    return jnp.sum(costs, axis=-1) / jnp.maximum(jnp.sum(counts, axis=-1), 1)


triplet.takes_class_indices = True  # type: ignore[attr-defined]
triplet.compares_samples = True  # type: ignore[attr-defined]


@loss_function
def nt_xent(y_true: Any, y_pred: Any, temperature: float = 0.5, *, absent: Any = None) -> Any:
    """Find the other view of the same sample among all views of the batch.

    Args:
        y_true: Unused: any value per sample.
        y_pred: Embeddings of both views, stacked, (batch, 2, size).
        temperature: Small values make hard negatives count more.
        absent: True for samples whose views are no negatives of others.

    Formula:
        mean over both views i, with j the other one, of
        -log(exp(s_ij / temperature) / Σ_(k ≠ i) exp(s_ik / temperature)), s the cosine similarity
    Raises:
        LossInputError: The embeddings have another shape.
    Source:
        Chen et al. 2020, arXiv:2002.05709, equation 1 and algorithm 1.
    Example:
        >>> nt_xent(jnp.zeros(2), jnp.ones((2, 2, 3))).shape
        (2,)
    """
    views = as_float(y_pred)
    if views.ndim != 3 or views.shape[1] != 2:
        raise LossInputError(
            message(
                "loss 'nt_xent'",
                "embeddings must be (batch, 2, size), both views of each sample",
                f"shape {views.shape}",
                "Stack them with nacre.ops.stack([first, second], axis=1).",
            )
        )
    batch = views.shape[0]
    flat = jnp.concatenate([views[:, 0], views[:, 1]])  # (2 · batch, size)
    flat = flat / jnp.sqrt(jnp.maximum(jnp.sum(jnp.square(flat), -1, keepdims=True), 1e-12))
    apart = jnp.eye(2 * batch, dtype=bool)
    if absent is not None:  # to its own views a sample is compared all the same
        own = jnp.tile(jnp.eye(batch, dtype=bool), (2, 2))
        apart |= jnp.tile(absent, 2) & ~own
    scores = jnp.where(apart, _NEVER, flat @ flat.T / temperature)
    logs = jax.nn.log_softmax(scores, axis=-1)
    rows = jnp.arange(batch)
    return -(logs[rows, rows + batch] + logs[rows + batch, rows]) / 2


nt_xent.takes_class_indices = True  # type: ignore[attr-defined]
nt_xent.compares_samples = True  # type: ignore[attr-defined]


@register("losses/ContrastiveLoss", module="nacre")
class ContrastiveLoss(BuiltinLoss):
    """`contrastive` as a loss object, for distances of pairs.

    Args:
        margin: Dissimilar pairs further apart than this cost nothing.
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        margin: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "contrastive",
        dtype: Any = None,
    ) -> None:
        super().__init__(contrastive, reduction, name, dtype, margin=margin)


@register("losses/TripletLoss", module="nacre")
class TripletLoss(BuiltinLoss):
    """`triplet` as a loss object, for stacked triplets or for embeddings with class indices.

    Args:
        margin: How much nearer the sample of one's own class must be.
        mining: None for stacked triplets, 'semi_hard' for embeddings and class indices.
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        margin: float = 0.2,
        mining: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "triplet",
        dtype: Any = None,
    ) -> None:
        super().__init__(triplet, reduction, name, dtype, margin=margin, mining=mining)

    def _valid(self, y_true: Any, shape: tuple[int, ...]) -> Any:
        # An anchor without a positive or a negative has nothing to learn from: it is not counted.
        if self.mining is None:
            return None
        absent = self._fn_kwargs.get("absent")
        positive, negative = _same_class(as_array(y_true).reshape(-1), absent)
        valid = jnp.any(positive, axis=1) & jnp.any(negative, axis=1)
        return valid if absent is None else valid & ~absent


@register("losses/NTXentLoss", module="nacre")
class NTXentLoss(BuiltinLoss):
    """`nt_xent` as a loss object, for two views of each sample.

    Args:
        temperature: Small values make hard negatives count more.
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        temperature: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "nt_xent",
        dtype: Any = None,
    ) -> None:
        super().__init__(nt_xent, reduction, name, dtype, temperature=temperature)
