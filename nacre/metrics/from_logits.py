"""Metrics of probabilities beside a loss that takes logits.

A threshold of 0.5 divides probabilities; the logits a loss with `from_logits=True` takes change
sides at 0. Where the loss says what predictions are, a metric whose thresholds were left at their
defaults gets probabilities made of them. A threshold that was given is left alone, and so are
metrics that are called by themselves, and those whose `update_state` the user wrote.

Metrics that read class indices leave out the label their loss leaves out (`ignore_class`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.protocols import speaks_for
from nacre.core.scope import get_mask, set_mask
from nacre.losses.absent import without_absent_nan
from nacre.losses.checking import as_array, as_float, without_last_axis
from nacre.losses.logits import activation_for_logits, expected_activation
from nacre.losses.reduction import fit_weights
from nacre.metrics.metric import Metric
from nacre.metrics.reduction import reads_labels


def update_beside(
    metric: Metric,
    loss: Any,
    y_true: Any,
    y_pred: Any,
    sample_weight: Any = None,
    *,
    uses_weights: bool = True,
) -> None:
    """Take a batch in, knowing the loss of the same output.

    Args:
        metric: The metric.
        loss: The loss object or function, or None.
        y_true: Targets.
        y_pred: Predictions, as the loss gets them.
        sample_weight: Weights.
        uses_weights: Whether they count as they are; otherwise only as 0 or 1, for metrics that
            know what is absent. Others still get no NaN that stands in a sample of weight 0.
    """
    if sample_weight is not None and not uses_weights:
        if speaks_for(metric, "leaves_out_absent", "update_state") and metric.leaves_out_absent:
            sample_weight = (as_array(sample_weight) != 0).astype("float32")
        else:
            y_true, y_pred = without_absent_nan(y_true, y_pred, sample_weight)
            sample_weight = None
    ignored = _ignored_label(loss, metric)
    if ignored is not None:
        sample_weight = _weights_without(ignored, y_true, y_pred, sample_weight)
    kind = _activation(loss, y_pred)
    if kind is None or not _takes_probabilities(metric):
        metric.update_state(y_true, y_pred, sample_weight=sample_weight)
    else:
        metric._update_from_logits(
            y_true, y_pred, sample_weight, kind[0], _probabilities_function(*kind)
        )


def sentence(name: str, metric: Metric, loss: Any, y_pred: Any) -> str | None:
    """What to tell about a metric of probabilities beside a loss that takes logits, or None.

    Args:
        name: The metric's name in logs.
        metric: The metric.
        loss: The loss of the same output, or None.
        y_pred: Predictions, or anything of their shape.
    """
    ignored = _ignored_label(loss, metric)
    if ignored is not None:
        return f"{name} leaves out label {ignored}, as the loss does (ignore_class={ignored})"
    kind = _activation(loss, y_pred)
    if kind is None:
        return None
    if _takes_probabilities(metric):
        return (
            f"{name} = {type(metric).__name__} of {kind[0]}(predictions), "
            "as the loss takes logits (from_logits=True)"
        )
    given = [t for t in _given_thresholds(metric) if 0 < t < 1]
    if not given or expected_activation(loss) != "linear":
        return None
    return (
        f"{name} = {type(metric).__name__} of logits (the loss has from_logits=True) with the "
        f"given threshold {given[0]:g}; if it is one of probabilities, end the model with "
        f"{kind[0]} and use from_logits=False"
    )


def _ignored_label(loss: Any, metric: Metric) -> int | None:
    """The label a metric of class indices is to leave out as its loss does, or None."""
    if (
        not reads_labels(metric)
        or getattr(metric, "_fn_kwargs", {}).get("ignore_class") is not None
    ):
        return None
    return getattr(loss, "ignore_class", None) if getattr(loss, "axis", -1) == -1 else None


def _weights_without(ignored: int, y_true: Any, y_pred: Any, weights: Any) -> Any:
    """Weights of the labels that are 0 for one of them."""
    labels = without_last_axis(as_array(y_true), np.ndim(y_pred) - 1)
    counts = (labels != ignored).astype("float32")
    if weights is None:
        return counts
    return counts * fit_weights("the sample weights", as_array(weights), counts.shape)


def _activation(loss: Any, y_pred: Any) -> tuple[str, int] | None:
    shape = np.shape(y_pred) if not hasattr(y_pred, "shape") else tuple(y_pred.shape)
    return None if loss is None else activation_for_logits(loss, shape[-1] if shape else 1)


def _takes_probabilities(metric: Metric) -> bool:
    """Whether the metric says so, and nobody wrote another `update_state` for it since."""
    return (
        speaks_for(metric, "_reads_probabilities", "update_state") and metric._reads_probabilities()
    )


def _given_thresholds(metric: Metric) -> list[float]:
    found = getattr(metric, "init_thresholds", getattr(metric, "threshold", None))
    return [] if found is None else [float(t) for t in np.ravel(found)]


def _probabilities_function(activation: str, axis: int) -> Callable[[Any], Any]:
    """A function from logits to probabilities, in float32 at least; the mask goes along."""

    def probabilities(logits: Any) -> Any:
        mask, logits = get_mask(logits), as_float(logits)
        logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
        made = jax.nn.softmax(logits, axis) if activation == "softmax" else jax.nn.sigmoid(logits)
        if mask is not None:
            set_mask(made, mask)
        return made

    return probabilities


__all__ = ["sentence", "update_beside"]
