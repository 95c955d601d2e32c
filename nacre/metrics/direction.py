"""Whether more or less of a metric is better, as the metric itself says."""

from __future__ import annotations

import functools
from typing import Literal

Direction = Literal["max", "min"]

# What Keras's own metrics say; metrics written for Keras may say it too.
_KERAS: dict[object, Direction] = {"up": "max", "down": "min"}


def direction_of(metric: object) -> Direction | None:
    """'max' or 'min' by the attribute `direction` of a metric, a loss or a function; else None.

    Names are never looked at: "iou" stands in `previous_error`, "r2" in `layer2_mae`.

    Args:
        metric: A metric, a loss, a function, or a `functools.partial` of one.

    Example:
        >>> import nacre
        >>> direction_of(nacre.metrics.AUC()), direction_of(nacre.losses.huber)
        ('max', 'min')
        >>> direction_of(lambda y_true, y_pred: y_pred) is None
        True
    """
    while isinstance(metric, functools.partial):
        metric = metric.func
    said = getattr(metric, "direction", None)
    if said == "max" or said == "min":
        return said
    keras_word = getattr(metric, "_direction", None)
    return _KERAS.get(keras_word) if isinstance(keras_word, str) else None


__all__ = ["Direction", "direction_of"]
