"""Reading and setting variables as scripts for tf.keras 2 do: `K.get_value`, `K.set_value`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message


def get_value(x: Any) -> Any:
    """The value of a variable, or of a tensor at hand, in NumPy.

    Args:
        x: A variable, an array or a number, any shape.
    Returns:
        A NumPy array, or scalar, of that shape and dtype.
    Source:
        `keras.backend.get_value` of tf.keras 2.15; Keras 3 left it out.
    Example:
        >>> from nacre import optimizers
        >>> float(get_value(optimizers.SGD(0.5).learning_rate))
        0.5
    """
    found = np.asarray(x.numpy() if hasattr(x, "numpy") else x)
    return found if found.ndim else found[()]


def set_value(x: Any, value: Any) -> None:
    """Give a variable a value.

    Args:
        x: A variable.
        value: A number, or an array of the variable's shape.
    Raises:
        ArgumentError: `x` is no variable, as the learning rate that a schedule decides.
        ShapeError: `value` has another shape.
    Source:
        `keras.backend.set_value` of tf.keras 2.15; Keras 3 left it out.
    Example:
        >>> from nacre import optimizers
        >>> optimizer = optimizers.SGD(0.5)
        >>> set_value(optimizer.learning_rate, 0.25)
        >>> float(optimizer.learning_rate)
        0.25
    """
    if not hasattr(x, "assign"):
        fix = "Where a schedule decides the learning rate, it cannot be set."
        raise ArgumentError(
            message("set_value", "what is set must be a variable", type(x).__name__, fix)
        )
    x.assign(np.asarray(value))


def batch_get_value(tensors: Iterable[Any]) -> list[Any]:
    """`get_value` of each.

    Args:
        tensors: Variables, arrays or numbers.
    Example:
        >>> [value.shape for value in batch_get_value([np.ones(2), np.ones(3)])]
        [(2,), (3,)]
    """
    return [get_value(tensor) for tensor in tensors]


def batch_set_value(tuples: Iterable[tuple[Any, Any]]) -> None:
    """`set_value` of each pair.

    Args:
        tuples: (variable, value) pairs.
    Raises:
        ArgumentError: One is no variable.
    Example:
        >>> from nacre import optimizers
        >>> optimizer = optimizers.SGD(0.5)
        >>> batch_set_value([(optimizer.learning_rate, 0.25)])
        >>> float(optimizer.learning_rate)
        0.25
    """
    for x, value in tuples:
        set_value(x, value)


__all__ = ["batch_get_value", "batch_set_value", "get_value", "set_value"]
