"""Cross-entropies and CTC: the arithmetic behind the loss classes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core import config
from nacre.core.errors import LossInputError, ShapeError, message
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
    if from_logits:
        log_p = -jnp.logaddexp(-output, jnp.zeros((), output.dtype))
        return -(target * log_p + (1 - target) * (log_p - output))
    output = _limited(output)
    return -(target * jnp.log(output) + (1 - target) * jnp.log(1 - output))


def _limited(output: jax.Array) -> jax.Array:
    """Probabilities kept away from 0 and 1, where the logarithm is infinite."""
    small = config.epsilon()
    return jnp.clip(output, small, 1 - small)


def _log_probabilities(output: jax.Array, from_logits: bool, axis: int) -> jax.Array:
    if from_logits:
        return jax.nn.log_softmax(output, axis=axis)
    return jnp.log(_limited(output / jnp.sum(output, axis=axis, keepdims=True)))


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
    return -jnp.sum(target * _log_probabilities(output, from_logits, axis), axis=axis)


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
    log_p = _log_probabilities(output, from_logits, axis)
    # A comparison and a sum, not a gather: the gradient of a gather is a slow scatter.
    classes = jax.lax.broadcasted_iota("int32", output.shape, axis)
    hit = classes == jnp.expand_dims(target, axis)
    found = -jnp.sum(jnp.where(hit, log_p, 0), axis=axis)
    return jnp.where((target >= 0) & (target < output.shape[axis]), found, jnp.nan)


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
    logits = floating(output)
    if logits.dtype in (jnp.float16, jnp.bfloat16):
        logits = logits.astype("float32")
    log_p = jax.nn.log_softmax(logits, axis=-1)
    label_counts, frame_counts = array(target_length), array(output_length)
    low = jnp.asarray(-1e5, log_p.dtype)  # log 0; finite, so that gradients are too
    batch, count = labels.shape
    # The labels with a blank before, between and after: (batch, 2 labels + 1).
    states = jnp.full((batch, 2 * count + 1), mask_index, "int32").at[:, 1::2].set(labels)
    scores = jnp.take_along_axis(log_p, states[:, None, :], axis=2)  # (batch, time, states)
    # A step may skip a blank between two different labels.
    may_skip = jnp.zeros(states.shape, bool)
    may_skip = may_skip.at[:, 3::2].set(labels[:, 1:] != labels[:, :-1])
    begin = jnp.full(states.shape, low, log_p.dtype).at[:, :2].set(scores[:, 0, :2])

    def step(alpha: jax.Array, frame: Any) -> Any:
        time, score = frame
        one = jnp.pad(alpha[:, :-1], ((0, 0), (1, 0)), constant_values=low)
        two = jnp.pad(alpha[:, :-2], ((0, 0), (2, 0)), constant_values=low)
        two = jnp.where(may_skip, two, low)
        new = jnp.logaddexp(jnp.logaddexp(alpha, one), two) + score
        new = jnp.maximum(new, low)
        return jnp.where((time < frame_counts)[:, None], new, alpha), None

    times = jnp.arange(1, scores.shape[1])
    frames = (times, jnp.moveaxis(scores[:, 1:], 1, 0))
    alpha, _ = jax.lax.scan(step, begin, frames)
    last = 2 * label_counts[:, None].astype("int32")
    end_blank = jnp.take_along_axis(alpha, last, axis=1)[:, 0]
    end_label = jnp.take_along_axis(alpha, jnp.maximum(last - 1, 0), axis=1)[:, 0]
    end_label = jnp.where(label_counts > 0, end_label, low)
    return -jnp.logaddexp(end_blank, end_label)


__all__, __dir__ = op.shown()
