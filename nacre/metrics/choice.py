"""Which metric the words "accuracy" and "crossentropy" mean, told from the shapes."""

from __future__ import annotations

from typing import Any

from nacre.core.errors import unknown_name
from nacre.losses.logits import expected_activation
from nacre.metrics.accuracy import BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy
from nacre.metrics.metric import Metric
from nacre.metrics.probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)

ACCURACY_NAMES = ("accuracy", "acc")
CROSSENTROPY_NAMES = ("crossentropy", "ce")


def _kind(y_true_shape: tuple[Any, ...], y_pred_shape: tuple[Any, ...]) -> tuple[str, str]:
    """'binary', 'sparse_categorical' or 'categorical', and why."""
    if len(y_pred_shape) < 2 or y_pred_shape[-1] == 1:
        return "binary", "predictions have one number per sample"
    classes = y_pred_shape[-1]
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        why = f"targets are class indices, predictions have {classes} classes"
        return "sparse_categorical", why
    return "categorical", f"targets and predictions both have {classes} columns"


def resolve_accuracy(
    name: str,
    y_true_shape: Any,
    y_pred_shape: Any,
    loss: Any = None,
) -> tuple[Metric, str]:
    """The metric that "accuracy", "acc", "crossentropy" or "ce" means here.

    Shapes decide, as in Keras. A loss with `from_logits=True` moves the threshold of binary
    accuracy to 0, where a logit changes sides, and makes cross-entropy take logits.

    Args:
        name: The word; the metric is named by it.
        y_true_shape: Shape of targets.
        y_pred_shape: Shape of predictions.
        loss: The loss of the same output, when known.

    Returns:
        The metric, and a sentence that says which it is and why.
    Raises:
        UnknownNameError: Another word.
    Example:
        >>> metric, why = resolve_accuracy("acc", (None,), (None, 10))
        >>> metric.name, why.split(":")[0]
        ('acc', 'SparseCategoricalAccuracy')
    """
    kind, why = _kind(tuple(y_true_shape), tuple(y_pred_shape))
    logits = expected_activation(loss) == "linear"
    word = name.lower()  # as in Keras, which takes 'Accuracy' for it too
    if word in ACCURACY_NAMES:
        metric: Metric
        if kind == "binary":
            metric = BinaryAccuracy(name=name, threshold=0.0 if logits else 0.5)
            why += ", and the loss takes logits: the threshold is 0" if logits else ""
        elif kind == "categorical":
            metric = CategoricalAccuracy(name=name)
            if expected_activation(loss) == "sigmoid" or _is_binary(loss):
                why += "; if they are independent labels, use BinaryAccuracy()"
        else:
            metric = SparseCategoricalAccuracy(name=name)
    elif word in CROSSENTROPY_NAMES:
        classes = {
            "binary": BinaryCrossentropy,
            "categorical": CategoricalCrossentropy,
            "sparse_categorical": SparseCategoricalCrossentropy,
        }
        metric = classes[kind](name=name, from_logits=logits)
    else:
        raise unknown_name(
            "resolve_accuracy", "the name", name, (*ACCURACY_NAMES, *CROSSENTROPY_NAMES)
        )
    return metric, f"{type(metric).__name__}: {why}."


def _is_binary(loss: Any) -> bool:
    function = getattr(loss, "fn", loss)
    return getattr(function, "__name__", "").startswith("binary_")
