"""Does a loss want probabilities, and do predictions look like some? For warnings."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.losses.loss import LossFunctionWrapper

# Losses with a `from_logits` argument, by what the last layer should then be.
_CROSS_ENTROPIES = {
    "binary_crossentropy": "sigmoid",
    "binary_focal_crossentropy": "sigmoid",
    "categorical_crossentropy": "softmax",
    "categorical_focal_crossentropy": "softmax",
    "sparse_categorical_crossentropy": "softmax",
    "categorical_generalized_cross_entropy": "softmax",
}


def expected_activation(loss: Any) -> str | None:
    """The activation a loss expects before it: 'sigmoid', 'softmax', 'linear' or None (any).

    Args:
        loss: A loss object or a function of this package.

    Example:
        >>> from nacre import losses
        >>> expected_activation(losses.BinaryCrossentropy())
        'sigmoid'
        >>> expected_activation(losses.BinaryCrossentropy(from_logits=True))
        'linear'
    """
    function, arguments = loss, {}
    if isinstance(loss, LossFunctionWrapper):
        function, arguments = loss.fn, loss._fn_kwargs
    activation = _CROSS_ENTROPIES.get(getattr(function, "__name__", ""))
    if activation is None:
        return None
    return "linear" if arguments.get("from_logits") else activation


def logits_warning(loss: Any, y_pred: Any) -> str | None:
    """A sentence when predictions do not fit the loss's `from_logits`, else None.

    Args:
        loss: A loss object or a function of this package.
        y_pred: Some predictions, on the host.

    Example:
        >>> from nacre import losses
        >>> logits_warning(losses.CategoricalCrossentropy(), [[-2.0, 3.0]]) is None
        False
    """
    wanted = expected_activation(loss)
    if wanted is None:
        return None
    name = getattr(loss, "name", None) or getattr(loss, "__name__", "loss")
    p = np.asarray(y_pred, dtype="float32")
    if p.size == 0:
        return None
    low, high = float(p.min()), float(p.max())
    outside = low < -1e-3 or high > 1 + 1e-3
    if wanted != "linear" and outside:
        return (
            f"loss '{name}' takes probabilities, but predictions go from {low:.3g} to {high:.3g}: "
            f"they look like logits. Pass from_logits=True to the loss, or end the model with "
            f"activation='{wanted}'."
        )
    rows = p.ndim > 1 and p.shape[-1] > 1 and bool(np.allclose(p.sum(-1), 1.0, atol=1e-3))
    if wanted == "linear" and not outside and rows:
        return (
            f"loss '{name}' takes logits (from_logits=True), but predictions are from 0 to 1 and "
            "add up to 1: they look like probabilities. Pass from_logits=False, or take the "
            "softmax out of the last layer."
        )
    return None
