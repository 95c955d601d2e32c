"""The arithmetic of cross-entropies and CTC, for the ops of these names and the losses."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.config import epsilon
from nacre.ops.kernels.classes import label_entropy, picked

# Logarithm of a probability of nothing: finite, so that differences of it are no NaN.
_NEVER = -1e5


def clip_probabilities(p: jax.Array) -> jax.Array:
    """Probabilities kept epsilon away from 0 and 1, or as near as their dtype can tell from 1."""
    # 1 - 1e-7 is 1 in 16 bits, and the logarithm of 1 - p would be infinite.
    margin = max(epsilon(), float(jnp.finfo(p.dtype).epsneg)) if p.dtype.itemsize < 4 else epsilon()
    return jnp.clip(p, margin, 1.0 - margin)


def binary_terms(targets: Any, outputs: jax.Array, from_logits: bool) -> jax.Array:
    """Cross-entropy of each yes/no answer on its own.

    Formula:
        −y · log(p) − (1 − y) · log(1 − p), with logits x: softplus(x) − y · x
    """
    if from_logits:
        return jax.nn.softplus(outputs) - outputs * targets
    p = clip_probabilities(outputs)
    return -(targets * jnp.log(p) + (1.0 - targets) * jnp.log1p(-p))


def categorical_terms(targets: Any, outputs: jax.Array, from_logits: bool, axis: int) -> jax.Array:
    """−Σ y · log(p) along an axis; probabilities that do not add up to 1 are scaled first."""
    if from_logits:
        logs = jax.nn.log_softmax(outputs, axis=axis)
    else:
        total = jnp.sum(outputs, axis=axis, keepdims=True)
        logs = jnp.log(clip_probabilities(outputs / total))
    return -jnp.sum(targets * logs, axis=axis)


def sparse_terms(labels: jax.Array, outputs: jax.Array, from_logits: bool, axis: int) -> jax.Array:
    """−log(p) of each label along an axis; NaN for a label that is no class."""
    known = (labels >= 0) & (labels < outputs.shape[axis])
    safe = jnp.where(known, labels, 0)
    if from_logits:
        values = label_entropy(outputs, safe, axis)
    else:
        p = picked(outputs, safe, axis) / jnp.sum(outputs, axis=axis)
        values = -jnp.log(clip_probabilities(p))
    return jnp.where(known, values, jnp.nan)


def ctc_terms(
    logits: jax.Array,
    input_lengths: jax.Array,
    labels: jax.Array,
    label_lengths: jax.Array,
    blank: int,
) -> jax.Array:
    """Negative log-likelihood of label sequences, summed over all alignments.

    Args:
        logits: (batch, time, classes).
        input_lengths: Steps that count, (batch,).
        labels: Class indices, (batch, label).
        label_lengths: Labels that count, (batch,).
        blank: The class that means "no label".

    Formula:
        The forward recursion over 2·labels + 1 states (blank, label, blank, label …):
        alpha[t, s] = (alpha[t−1, s] + alpha[t−1, s−1] + alpha[t−1, s−2] where allowed) · p[t, s]
    Precision:
        float32 for 16-bit logits, in which sums over many frames lose too much.
    Source:
        Graves et al. 2006, Connectionist temporal classification, section 4.1.
    """
    wide = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    log_probabilities = jax.nn.log_softmax(wide, axis=-1)
    batch, count = labels.shape
    states = jnp.full((batch, 2 * count + 1), blank, labels.dtype).at[:, 1::2].set(labels)
    # A label may follow another label at once unless they are equal (then a blank must part them).
    before = jnp.pad(states, ((0, 0), (2, 0)), constant_values=blank)[:, :-2]
    may_skip = (states != blank) & (states != before)
    steps = jnp.take_along_axis(log_probabilities, states[:, None, :], axis=2)
    steps = jnp.swapaxes(steps, 0, 1)  # (time, batch, states)
    start = jnp.full(states.shape, _NEVER, steps.dtype)
    start = start.at[:, :2].set(steps[0, :, :2])

    def advance(alpha: Any, inputs: Any) -> tuple[Any, None]:
        emitted, step_index = inputs
        shifted = jnp.pad(alpha, ((0, 0), (2, 0)), constant_values=_NEVER)
        one, two = shifted[:, 1:-1], jnp.where(may_skip, shifted[:, :-2], _NEVER)
        new = jnp.logaddexp(jnp.logaddexp(alpha, one), two) + emitted
        running = (step_index < input_lengths)[:, None]
        return jnp.where(running, new, alpha), None

    indices = jnp.arange(1, steps.shape[0])
    alpha, _ = jax.lax.scan(advance, start, (steps[1:], indices))
    last = (2 * label_lengths)[:, None].astype(labels.dtype)
    end_blank = jnp.take_along_axis(alpha, last, axis=1)[:, 0]
    end_label = jnp.take_along_axis(alpha, jnp.maximum(last - 1, 0), axis=1)[:, 0]
    end_label = jnp.where(label_lengths > 0, end_label, _NEVER)
    return -jnp.logaddexp(end_blank, end_label)
