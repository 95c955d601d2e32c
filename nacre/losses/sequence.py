"""CTC: train a sequence of predictions on a shorter sequence of labels of unknown timing."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.errors import LossInputError, message
from nacre.core.registry import register
from nacre.losses._define import loss_function
from nacre.losses.checking import as_array, as_float, describe
from nacre.losses.loss import BuiltinLoss

# Logarithm of a probability of nothing: finite, so that differences of it are no NaN.
_NEVER = -1e5


def ctc_values(
    log_probabilities: Any, input_lengths: Any, labels: Any, label_lengths: Any, blank: int
) -> Any:
    """Negative log-likelihood of label sequences, summed over all alignments.

    Args:
        log_probabilities: (batch, time, classes).
        input_lengths: Steps that count, (batch,).
        labels: Class indices, (batch, label).
        label_lengths: Labels that count, (batch,).
        blank: The class that means "no label".

    Formula:
        The forward recursion over 2·labels + 1 states (blank, label, blank, label …):
        alpha[t, s] = (alpha[t−1, s] + alpha[t−1, s−1] + alpha[t−1, s−2] where allowed) · p[t, s]
    Source:
        Graves et al. 2006, Connectionist temporal classification, section 4.1.
    """
    batch, _, _ = log_probabilities.shape
    count = labels.shape[1]
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
    last = (2 * label_lengths)[:, None]
    end_blank = jnp.take_along_axis(alpha, last, axis=1)[:, 0]
    end_label = jnp.take_along_axis(alpha, jnp.maximum(last - 1, 0), axis=1)[:, 0]
    end_label = jnp.where(label_lengths > 0, end_label, _NEVER)
    return -jnp.logaddexp(end_blank, end_label)


@loss_function
def ctc(y_true: Any, y_pred: Any) -> Any:
    """Connectionist temporal classification.

    Args:
        y_true: Class indices, (batch, label); 0 is padding and the blank class.
        y_pred: Logits, (batch, time, classes).

    Raises:
        LossInputError: The shapes do not fit.
    Source:
        Graves et al. 2006, Connectionist temporal classification.
    Example:
        >>> round(float(ctc([[1]], jnp.zeros((1, 2, 2)))[0]), 4)
        0.2877
    """
    labels, logits = as_array(y_true), as_float(y_pred)
    if labels.ndim != 2 or logits.ndim != 3 or labels.shape[0] != logits.shape[0]:
        raise LossInputError(
            message(
                "loss 'ctc'",
                "targets must be (batch, label) and predictions (batch, time, classes)",
                f"targets {describe(labels)}; predictions of shape {logits.shape}",
                "Pad label sequences with 0 and keep class 0 for the blank.",
            )
        )
    labels = labels.astype("int32")
    input_lengths = jnp.full((logits.shape[0],), logits.shape[1])
    label_lengths = jnp.sum(labels != 0, axis=-1)
    log_probabilities = jax.nn.log_softmax(logits, axis=-1)
    return ctc_values(log_probabilities, input_lengths, labels, label_lengths, 0)


ctc.takes_class_indices = True  # type: ignore[attr-defined]


@register("losses/CTC")
class CTC(BuiltinLoss):
    """`ctc` as a loss object.

    Args:
        reduction: See `Loss`.
        name: Name in logs and messages.
        dtype: Dtype of the computation, floatx by default.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "ctc",
        dtype: Any = None,
    ) -> None:
        super().__init__(ctc, reduction, name, dtype)
