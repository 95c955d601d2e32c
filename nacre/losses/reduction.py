"""From per-sample losses to one number: weights, masks and the five reductions."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from nacre.core.errors import LossInputError, message, unknown_name
from nacre.losses.checking import as_array

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Reduction:
    """Names of reductions, as tf.keras 2 spells them."""

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"
    MEAN = "mean"
    MEAN_WITH_SAMPLE_WEIGHT = "mean_with_sample_weight"


def standardize_reduction(who: str, reduction: Any) -> str | None:
    """A known reduction; tf.keras 2's 'auto' is 'sum_over_batch_size'.

    Raises:
        UnknownNameError: It is no reduction.
    """
    if reduction == "auto":
        return "sum_over_batch_size"
    if reduction not in REDUCTIONS:
        raise unknown_name(who, "reduction", reduction, [r for r in REDUCTIONS if r])
    return reduction


def fit_weights(who: str, weights: Any, shape: tuple[int, ...], what: str = "sample_weight") -> Any:
    """Give weights, or a mask, the rank of the values they belong to.

    A trailing axis of size 1 too much goes, and weights of fewer axes belong to the leading ones:
    (batch,) weights count for every step of (batch, time) values.

    Args:
        who: Name for the message.
        weights: The weights.
        shape: Shape of the values.
        what: What the weights are called, for the message.

    Raises:
        LossInputError: The shapes do not fit.
    Example:
        >>> fit_weights("mse", jnp.ones((4,)), (4, 5)).shape
        (4, 1)
    """
    given = tuple(weights.shape)
    while weights.ndim > len(shape) and weights.shape[-1] == 1:
        weights = jnp.squeeze(weights, -1)
    if weights.ndim < len(shape):
        weights = weights.reshape(weights.shape + (1,) * (len(shape) - weights.ndim))
    fits = weights.ndim == len(shape) and all(
        n in (1, m) for n, m in zip(weights.shape, shape, strict=True)
    )
    if not fits:
        raise LossInputError(
            message(
                who,
                f"{what} must have the shape of the values, {shape}, or its first axes",
                f"shape {given}",
                "Give one number per sample, or one per sample and step.",
            )
        )
    return weights


def combined_mask(who: str, mask: Any, valid: Any, shape: tuple[int, ...]) -> Any:
    """True where the mask and the targets let a value count; None for everywhere.

    Args:
        who: Name for the message.
        mask: Mask that came with the predictions, or None; it may lack trailing axes.
        valid: Mask told from the targets, of the values' shape, or None.
        shape: Shape of the values.
    """
    if not shape:  # one number: the function that gave it has looked at the steps itself
        return valid
    if mask is None or valid is None:
        return mask if valid is None else valid
    return jnp.logical_and(fit_weights(who, jnp.asarray(mask), shape, "the mask"), valid)


def mask_of_sums(mask: Any, rank: int) -> Any:
    """The mask of sums over steps: masked ones add nothing, and a sum of nothing else is masked.

    Args:
        mask: True for valid steps, of the first axes of the predictions.
        rank: The rank of the sums.
    """
    mask = jnp.asarray(mask).astype(bool)
    return jnp.any(mask, axis=tuple(range(rank, mask.ndim)))


def weighted(values: Any, weights: Any) -> Any:
    """Values times weights; where the weight is 0 the result is 0, even for a NaN."""
    return jnp.where(weights == 0, jnp.zeros((), values.dtype), values * weights)


def divide_or_zero(numerator: Any, denominator: Any) -> Any:
    """The quotient, and 0 where the denominator is 0."""
    empty = denominator == 0
    quotient = jnp.where(empty, 0, numerator / jnp.where(empty, 1, denominator))
    dtype = jnp.result_type(numerator)
    return quotient.astype(dtype) if jnp.issubdtype(dtype, jnp.floating) else quotient


def reduce_values(
    who: str,
    values: Any,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: str | None = "sum_over_batch_size",
) -> Any:
    """Weight, mask and reduce per-sample values.

    Masked values count neither in the sum nor in the number it is divided by.

    Args:
        who: Name for messages.
        values: One loss per sample (and step).
        sample_weight: Weights, see `fit_weights`.
        mask: True where a value counts.
        reduction: One of `REDUCTIONS`.

    Example:
        >>> float(reduce_values("mse", jnp.array([1.0, 3.0]), mask=jnp.array([True, False])))
        1.0
    """
    weights = None
    if sample_weight is not None:
        weights = as_array(sample_weight).astype(values.dtype)
        if values.ndim == 0:  # one value for the whole batch counts once per weight, as in Keras
            values = jnp.broadcast_to(values, weights.shape)
        weights = fit_weights(who, weights, values.shape)
    count: Any = math.prod(values.shape)
    if mask is not None:
        mask = fit_weights(who, jnp.asarray(mask), values.shape, "the mask").astype(values.dtype)
        weights = mask if weights is None else weights * mask
        count = jnp.sum(jnp.broadcast_to(mask, values.shape))
    if weights is not None:
        values = weighted(values, weights)
    if reduction in ("none", None):
        return values
    total = jnp.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weights is not None:
        count = jnp.sum(jnp.broadcast_to(weights, values.shape))
    return divide_or_zero(total, jnp.asarray(count, values.dtype))
