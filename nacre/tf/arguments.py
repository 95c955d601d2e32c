"""What rows of the table bring their arguments into: tensors, whole numbers, axes, texts."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from nacre.core.errors import DTypeError, ShapeError, message
from nacre.tf.dtypes import dtype_of
from nacre.tf.sizes import plain
from nacre.tf.values import tensor


def t(value: Any, like: Any = None) -> Any:
    """A tensor; a number of Python's gets the dtype of `like`."""
    if like is None or hasattr(value, "dtype"):
        return tensor(value)
    return tensor(value, dtype_of(tensor(like)))


def ints(value: Any) -> Any:
    """Whole numbers of the host, such as axes; sizes that are symbols stay so."""
    found = plain(value)
    if isinstance(found, tuple) and any(not isinstance(n, int | tuple) for n in found):
        return found
    return np.asarray(found, np.int64 if _is_wide(found) else np.int32)


def _is_wide(value: Any) -> bool:
    if isinstance(value, tuple):
        return any(map(_is_wide, value))
    return not -(2**31) <= value < 2**31


def listed(axis: Any) -> list[int]:
    """Axes as a list; none for None."""
    if axis is None:
        return []
    found = plain(axis)
    return [int(n) for n in (found if isinstance(found, tuple) else (found,))]


def axes(x: Any, axis: Any) -> np.ndarray:
    """Axes as numbers, all of `x` for None.

    Raises:
        ShapeError: One is none of the axes of `x`.
    """
    x = tensor(x)
    found = np.asarray(range(x.ndim) if axis is None else listed(axis), np.int32)
    if any(not -x.ndim <= n < x.ndim for n in found.tolist()):
        rule = f"axes of a tensor of shape {tuple(x.shape)} must be from {-x.ndim} to {x.ndim - 1}"
        raise ShapeError(message("tf", rule, str(axis)))
    return found


def last(axis: Any) -> int:
    """An axis, the last for None."""
    return -1 if axis is None else plain(axis)


def inexact(who: str, x: Any) -> Any:
    """Refuse whole numbers, of which TensorFlow takes no deviations."""
    if not dtype_of(x).is_floating and not dtype_of(x).is_complex:
        fix = "Convert it: tf.cast(x, tf.float32)."
        raise DTypeError(message(f"tf.math.{who}", "it takes floats", str(dtype_of(x).name), fix))
    return x


def tensors(structure: Any) -> Any:
    """A structure of tensors."""
    return jax.tree.map(tensor, structure)


def as_bytes(text: Any, encoding: str) -> bytes:
    """A text as bytes."""
    return text if isinstance(text, bytes) else text.encode(encoding)


def as_text(text: Any, encoding: str) -> str:
    """Bytes as a text."""
    return text.decode(encoding) if isinstance(text, bytes) else text
