"""Does a loss want probabilities, and do predictions look like some? For warnings."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from nacre.losses.loss import Loss, LossFunctionWrapper

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
        loss: A loss object, or a function of this package, with or without `functools.partial`.

    Example:
        >>> from nacre import losses
        >>> expected_activation(losses.BinaryCrossentropy())
        'sigmoid'
        >>> expected_activation(losses.BinaryCrossentropy(from_logits=True))
        'linear'
    """
    activation, arguments = activation_of_probabilities(loss)
    return "linear" if activation and arguments.get("from_logits") else activation


def activation_of_probabilities(function: Any) -> tuple[str | None, dict[str, Any]]:
    """The activation that makes the probabilities a cross-entropy takes, and its arguments.

    Args:
        function: A loss object or a function; None as activation for any other.

    Example:
        >>> from nacre import losses
        >>> activation_of_probabilities(losses.CategoricalCrossentropy(axis=1))[0]
        'softmax'
    """
    arguments: dict[str, Any] = {}
    if isinstance(function, LossFunctionWrapper):
        function, arguments = function.fn, function._fn_kwargs
    while isinstance(function, functools.partial):
        function, arguments = function.func, {**function.keywords, **arguments}
    return _CROSS_ENTROPIES.get(getattr(function, "__name__", "")), arguments


def activation_for_logits(loss: Any, classes: int) -> tuple[str, int] | None:
    """('sigmoid' or 'softmax', axis) that makes probabilities of what a loss says are logits.

    None when the loss does not say so. Of a class of the user's that has `from_logits=True` the
    activation is known for one class only.

    Args:
        loss: A loss object or a function.
        classes: Size of the last axis of the predictions.

    Example:
        >>> from nacre import losses
        >>> activation_for_logits(losses.BinaryCrossentropy(from_logits=True), 1)
        ('sigmoid', -1)
    """
    activation, arguments = activation_of_probabilities(loss)
    if activation is not None:
        return (activation, arguments.get("axis", -1)) if arguments.get("from_logits") else None
    is_own = isinstance(loss, Loss) and getattr(loss, "from_logits", None) is True
    return ("sigmoid", -1) if is_own and classes == 1 else None


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
    adds_up_to_one = p.ndim > 1 and p.shape[-1] > 1 and bool(np.allclose(p.sum(-1), 1.0, atol=1e-3))
    if wanted == "linear" and not outside and adds_up_to_one:
        return (
            f"loss '{name}' takes logits (from_logits=True), but predictions are from 0 to 1 and "
            "add up to 1: they look like probabilities. Pass from_logits=False, or take the "
            "softmax out of the last layer."
        )
    return None
