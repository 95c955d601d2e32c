"""CTC: train a sequence of predictions on a shorter sequence of labels of unknown timing."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from nacre.core.errors import LossInputError, message
from nacre.core.registry import register
from nacre.losses._define import loss_function
from nacre.losses.checking import as_array, as_float, describe
from nacre.losses.loss import BuiltinLoss
from nacre.ops.cross_entropy import ctc_terms


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
    return ctc_terms(logits, input_lengths, labels, label_lengths, 0).astype(logits.dtype)


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
