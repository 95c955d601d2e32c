"""Refusing, before anything is compiled, what cannot work: shapes, labels, missing pieces."""

# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import Any

import numpy as np

from nacre import losses, metrics
from nacre.core import tree
from nacre.core.errors import DataError, LossInputError, NotCompiledError, message
from nacre.core.kinds import is_numpy_array
from nacre.core.warning import warn
from nacre.layers.core.embedding import Embedding
from nacre.layers.preprocessing.subwords import SubwordTokenizer
from nacre.layers.preprocessing.text import TextVectorization
from nacre.layers.preprocessing.vocabulary import IndexLookup
from nacre.losses.checking import without_last_axis
from nacre.training.last_activation import last_activations

# More labels than this are not looked at in full: the check would cost more than it saves.
_MOST_LABELS = 20_000_000


def not_compiled(who: str, method: str) -> NotCompiledError:
    """The error for training before `compile`."""
    return NotCompiledError(
        message(
            f"{who}.{method}",
            "the model must be compiled first",
            "a model without optimizer and loss",
            "Call model.compile(optimizer='adam', loss='mse') before.",
        )
    )


def require_data(x: Any, who: str) -> None:
    """Raise when there is nothing to work on."""
    if x is None:
        raise DataError(
            message(who, "there must be data", "x=None", "Pass arrays, a generator or a PyDataset.")
        )


def check_labels(output_name: str, loss: Any, y: Any, y_pred: Any, weights: Any = None) -> None:
    """Look at the values of class labels that count: out of range, or not indices at all.

    Args:
        y: The whole array of targets (host), or None.
        y_pred: Anything with the predictions' shape.
    """
    name = loss_name(loss)
    if y is None or not is_numpy_array(y) or y.size == 0 or y.size > _MOST_LABELS:
        return
    if name == "sparse_categorical_crossentropy":
        who = f"loss 'sparse_categorical_crossentropy' of output '{output_name}'"
        labels = without_last_axis(y, len(y_pred.shape) - 1)
        ignored = getattr(loss, "ignore_class", None)
        losses.check_labels(who, labels, int(y_pred.shape[-1]), ignored, weights=weights)
    elif name == "binary_crossentropy" and y.dtype.kind in "iuf":
        counted = _counted(y, weights)
        if counted.size == 0:
            return
        low, high = float(counted.min()), float(counted.max())
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            raise LossInputError(
                message(
                    f"loss 'binary_crossentropy' of output '{output_name}'",
                    "targets must lie between 0 and 1",
                    f"values from {low:.10g} to {high:.10g}",
                    _into_zero_and_one(counted, low, high, len(y_pred.shape)),
                )
            )


# How far scaled data may lie outside of 0 to 1: what scaling in float16 loses.
_ROUNDING = 1e-3


def _counted(y: np.ndarray, weights: Any) -> np.ndarray:
    """The targets whose weight is not 0: where they are absent anything may stand."""
    if weights is not None and np.shape(weights) == y.shape[: np.ndim(weights)]:
        return y[np.asarray(weights) != 0]
    return y


def _into_zero_and_one(y: np.ndarray, low: float, high: float, axes: int) -> str:
    """What brings targets of a binary cross-entropy between 0 and 1, by what they look like."""
    if low == 1 and high == 2:
        return "Labels 1 and 2 need y - 1."
    if low == -1 and high == 1:
        return "For labels -1 and 1 use loss='hinge', or (y + 1) / 2."
    if axes > 2 and low >= 0:  # pictures, whose bytes go up to 255
        largest = 255 if 16 < high <= 255 else high
        return f"Divide by the largest value that can occur: y / {largest:.10g}."
    if np.any(y != np.floor(y)):
        return "For numbers that are no classes use loss='mse'."
    return (
        "For classes 0, 1, 2 ... use loss='sparse_categorical_crossentropy' with one output unit "
        "a class and activation='softmax'."
    )


def loss_name(loss: Any) -> str:
    """The name of a loss's function, as in 'binary_crossentropy'."""
    function = getattr(loss, "fn", loss)
    return getattr(function, "__name__", type(loss).__name__)


# Activations whose values are not from 0 to 1, by name.
_NOT_PROBABILITIES = frozenset(
    "relu relu6 leaky_relu elu selu celu gelu silu mish softplus softsign tanh hard_tanh "
    "log_sigmoid log_softmax exponential".split()
)


# Losses of quantities, where no class is right or wrong.
_OF_QUANTITIES = frozenset(
    "mean_squared_error mean_absolute_error mean_absolute_percentage_error huber log_cosh "
    "mean_squared_logarithmic_error".split()
)


def warn_about_accuracy(output: Any, y: Any, weights: Any = None) -> None:
    """Warn where the share of right classes is asked for targets that are no classes."""
    kinds = (metrics.BinaryAccuracy, metrics.CategoricalAccuracy)
    asked = [name for name, metric, _ in output.metrics if isinstance(metric, kinds)]
    if not asked or loss_name(output.loss) not in _OF_QUANTITIES:
        return
    if not is_numpy_array(y) or y.dtype.kind not in "iuf" or not 0 < y.size <= _MOST_LABELS:
        return
    y = _counted(y, weights)
    if np.all((y == 0) | (y == 1)):
        return
    warn(
        message(
            f"metric '{asked[0]}' of output '{output.name}'",
            f"it is the share of right classes, and with the loss '{loss_name(output.loss)}' "
            "targets that are not all 0 or 1 are quantities",
            f"targets from {float(y.min()):.6g} to {float(y.max()):.6g}",
            "For quantities use metrics=['mae']; for classes a loss of classes.",
        )
    )


def small_tables(model: Any) -> str:
    """Where a layer looks up more indices than an Embedding has rows: for the error of a NaN."""
    parts = model._flatten_layers()
    for table in (part for part in parts if isinstance(part, Embedding)):
        for lookup in parts:
            # Layers of people's own, and TokenAndPositionEmbedding, hold a number of that name.
            if not isinstance(lookup, IndexLookup | TextVectorization | SubwordTokenizer):
                continue
            if getattr(lookup, "output_mode", "int") != "int":
                continue
            count = lookup.vocabulary_size()
            if count > table.input_dim:
                return (
                    f"{lookup._who()} gives indices up to {count - 1}, and {table._who()} has "
                    f"input_dim={table.input_dim}: pass input_dim={count}"
                )
    return ""


def warn_about_logits(model: Any, outputs: list[Any]) -> None:
    """Warn when the last layer's activation and the loss contradict each other."""
    activations = last_activations(model, len(outputs))
    for output, last in zip(outputs, activations, strict=True):
        wanted = losses.expected_activation(output.loss)
        if wanted is None or last is None:
            continue
        found = contradiction(wanted, last.name, last.layer)
        if found is not None:
            rule, fix = found
            if wanted == "softmax" and last.units == 1:  # it would always give 1
                fix = "For yes or no in one unit use loss='binary_crossentropy' and a sigmoid."
            shown = "None" if last.name == "linear" else repr(last.name)
            who = f"loss '{loss_name(output.loss)}' of output '{output.name}'"
            warn(message(who, rule, f"activation={shown}", fix))


def contradiction(wanted: str, activation: str, layer: str) -> tuple[str, str] | None:
    """(rule, fix) where what wants one activation, as a loss, stands behind another; else None."""
    if wanted == "linear":
        if activation not in ("softmax", "sigmoid"):
            return None
        return (
            f"predictions must be logits when from_logits=True, but the last layer '{layer}' "
            f"already applies {activation}",
            "Leave the activation out, or use from_logits=False.",
        )
    if activation == "linear":
        return (
            f"predictions must be probabilities when from_logits=False, but the last layer "
            f"'{layer}' has no activation, so they are logits",
            f"Use activation='{wanted}' there, or the loss with from_logits=True.",
        )
    if activation in _NOT_PROBABILITIES:
        return (
            f"predictions must be probabilities, but the last layer '{layer}' applies {activation}",
            f"Use activation='{wanted}' there.",
        )
    if wanted == "softmax" and activation in ("sigmoid", "hard_sigmoid"):
        return (
            f"the classes' probabilities must add up to 1, but the last layer '{layer}' applies "
            f"{activation} to each class by itself",
            "Where a sample has one class use activation='softmax'; where it may have several use "
            "loss='binary_crossentropy'.",
        )
    return None


def describe(leaves: Any) -> str:
    """Shapes and dtypes of arrays, for messages."""
    return ", ".join(f"{tuple(a.shape)} {a.dtype}" for a in tree.flatten(leaves) if a is not None)


__all__ = [
    "check_labels",
    "contradiction",
    "describe",
    "loss_name",
    "not_compiled",
    "require_data",
    "small_tables",
    "warn_about_accuracy",
    "warn_about_logits",
]
