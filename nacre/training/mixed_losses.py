"""The loss of samples that are mixed of several, each with targets of its own."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp


def mixed_loss(loss: Any, parts: Sequence[tuple[Any, Any, Any, Any]]) -> Any:
    """The losses for the targets of each part, weighed by the shares.

    Args:
        loss: (targets, predictions, sample_weight) -> a number.
        parts: (share, targets, predictions, weights) of each.

    Formula:
        sum over the parts of the loss with the weights share · weight. Where a loss divides by the
        sum of the weights, all parts are one batch to it, so that they are divided by one sum.
    """
    weights = [
        share if weight is None else jnp.asarray(weight) * _for_axes(share, weight)
        for share, _, _, weight in parts
    ]
    if getattr(loss, "reduction", None) == "mean_with_sample_weight":
        targets, predictions = ([part[i] for part in parts] for i in (1, 2))
        join = jnp.concatenate
        return loss(join(targets), join(predictions), sample_weight=join(weights))
    return sum(
        loss(target, prediction, sample_weight=weight)
        for (_, target, prediction, _), weight in zip(parts, weights, strict=True)
    )


def _for_axes(share: Any, weight: Any) -> Any:
    """Shares (batch,) shaped to broadcast over weights (batch, ...)."""
    return share.reshape(-1, *[1] * (jnp.ndim(weight) - 1))


__all__ = ["mixed_loss"]
