"""Cross-entropies and CTC: the arithmetic behind the loss classes."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from nacre.core.errors import LossInputError, ShapeError, message
from nacre.ops import cross_entropy
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Tensor, array, floating
from nacre.ops._define import Family

op = Family("nn")


def _same_shape(who: str, target: jax.Array, output: jax.Array) -> None:
    if len(target.shape) != len(output.shape) or any(
        t != o for t, o in zip(target.shape, output.shape, strict=True)
    ):
        raise LossInputError(
            message(
                who,
                "target and output must have the same shape",
                f"target {tuple(target.shape)} and output {tuple(output.shape)}",
            )
        )


@op(masks=masks.elementwise)
def binary_crossentropy(target: Tensor, output: Tensor, from_logits: bool = False) -> jax.Array:
    """-target · log(p) - (1 - target) · log(1 - p), element by element.

    Args:
        target: 0 or 1, or probabilities.
        output: Probabilities, limited to epsilon and 1 - epsilon; or logits.
        from_logits: True when `output` is logits.
    """
    target, output = array(target), floating(output)
    target = target.astype(output.dtype)
    _same_shape("binary_crossentropy", target, output)
    return cross_entropy.binary_terms(target, output, from_logits)


@op(masks=masks.reduction)
def categorical_crossentropy(
    target: Tensor, output: Tensor, from_logits: bool = False, axis: int = -1
) -> jax.Array:
    """-sum(target · log(p)) along `axis`; `target` is one-hot or probabilities.

    Args:
        output: Probabilities, made to sum to 1; or logits.
        from_logits: True when `output` is logits.
    """
    target, output = array(target), floating(output)
    target = target.astype(output.dtype)
    if target.ndim < 1:
        raise LossInputError(
            message("categorical_crossentropy", "target must have an axis of classes", "a scalar")
        )
    _same_shape("categorical_crossentropy", target, output)
    return cross_entropy.categorical_terms(target, output, from_logits, axis)


@op(masks=masks.reduction)
def sparse_categorical_crossentropy(
    target: Tensor, output: Tensor, from_logits: bool = False, axis: int = -1
) -> jax.Array:
    """-log(p) of the target class; `target` is class indices.

    A target out of range gives NaN (0 in Keras).

    Shapes:
        target   (...,) or (..., 1), int
        output   (..., classes)
        returns  (...,)
    """
    target, output = array(target).astype("int32"), floating(output)
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = jnp.squeeze(target, axis=-1)
    axis = axis % output.ndim if output.ndim else axis
    outer = output.shape[:axis] + output.shape[axis + 1 :]
    if (
        output.ndim < 1
        or len(outer) != target.ndim
        or any(t != o for t, o in zip(target.shape, outer, strict=True))
    ):
        raise LossInputError(
            message(
                "sparse_categorical_crossentropy",
                "target must have the shape of output without its axis of classes",
                f"target {tuple(target.shape)} and output {tuple(output.shape)}",
            )
        )
    return cross_entropy.sparse_terms(target, output, from_logits, axis)


@op(class_name="PSNR", masks=masks.ON_IMAGES)
def psnr(x1: Tensor, x2: Tensor, max_val: float) -> jax.Array:
    """The peak signal-to-noise ratio of two images, in decibels."""
    x1, x2 = array(x1), array(x2)
    if x1.shape != x2.shape:
        raise ShapeError(
            message("psnr", "both images must have one shape", f"{x1.shape} and {x2.shape}")
        )
    error = jnp.mean(jnp.square(floating(x1) - floating(x2)))
    peak = jnp.asarray(max_val, error.dtype)
    return 20 * jnp.log10(peak) - 10 * jnp.log10(error)


@op(class_name="CTCLoss", masks=masks.READS_SEQUENCES)
def ctc_loss(
    target: Tensor,
    output: Tensor,
    target_length: Tensor,
    output_length: Tensor,
    mask_index: int = 0,
) -> jax.Array:
    """-log of the probability that the frames spell the target, over all alignments.

    Args:
        target: Class indices.
        output: Logits of each class at each time.
        mask_index: The class that stands for "nothing here" (blank).

    Shapes:
        target         (batch, labels)
        output         (batch, time, classes)
        target_length  (batch,)
        output_length  (batch,)
        returns        (batch,)
    Precision:
        float32 for 16-bit logits, in which sums over many frames lose too much.
    Source:
        Graves et al. 2006, section 4.1, in logarithms.
    """
    labels = array(target).astype("int32")
    lengths = array(output_length), array(target_length)
    return cross_entropy.ctc_terms(floating(output), lengths[0], labels, lengths[1], mask_index)


__all__, __dir__ = op.shown()
