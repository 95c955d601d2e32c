"""Small array conversions that scripts do before training: one-hot targets, padded sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nacre.core.axes import counted_axis
from nacre.core.errors import ArgumentError, DataError, message
from nacre.core.indices import first_in
from nacre.core.interop import to_numpy_if_foreign
from nacre.core.numbers import whole_number
from nacre.core.warning import warn


def to_categorical(x: Any, num_classes: int | None = None, dtype: Any = "float32") -> np.ndarray:
    """Class indices as one-hot rows.

    Args:
        x: Class indices from 0; a last axis of size 1 is dropped.
        num_classes: Number of classes; the largest index + 1 by default.
        dtype: Of the result, as in tf.keras 2.

    Shapes:
        x       (...) or (..., 1)   int
        returns (..., num_classes)  dtype

    Raises:
        DataError: An index is negative or too large.
    Example:
        >>> to_categorical([0, 2]).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    indices, classes = _class_indices(x, num_classes, "to_categorical")
    one_hot = np.zeros((*indices.shape, classes), dtype=dtype)
    np.put_along_axis(one_hot, indices[..., None], 1, axis=-1)
    return one_hot


def to_ordinal(y: Any, num_classes: int | None = None, dtype: Any = "float32") -> np.ndarray:
    """Class indices as rows that say of each class but the first whether it is reached, for classes
    that have an order.

    Args:
        y: Class indices from 0; a last axis of size 1 is dropped.
        num_classes: Number of classes; the largest index + 1 by default.
        dtype: Of the result.

    Shapes:
        y       (...) or (..., 1)       int
        returns (..., num_classes - 1)  dtype

    Raises:
        DataError: An index is negative or too large.
    Source:
        `keras.utils.to_ordinal` of tf.keras 2.15; Keras 3 left it out.
    Example:
        >>> to_ordinal([0, 1, 2]).tolist()
        [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
    """
    indices, classes = _class_indices(y, num_classes, "to_ordinal")
    return (indices[..., None] > np.arange(classes - 1)).astype(dtype)


def _class_indices(x: Any, num_classes: int | None, who: str) -> tuple[np.ndarray, int]:
    """Indices and the number of classes."""
    try:
        labels = np.asarray(to_numpy_if_foreign(x, who))
        numbers = labels.astype(np.float64)
    except (TypeError, ValueError):
        rule = "class indices must be whole numbers, in lists of equal lengths"
        fix = (
            "For names of classes: names = sorted(set(x)); x = [names.index(name) for name in x], "
            "and the same second line for the labels of other sets."
        )
        raise DataError(message(who, rule, repr(x)[:100], fix)) from None
    wrong = numbers != np.floor(numbers)  # NaN too
    if wrong.any():
        got = first_in(numbers, wrong)
        raise DataError(message(who, "class indices must be whole numbers", got))
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    indices = labels.astype(np.int64)
    classes = int(indices.max(initial=-1)) + 1 if not num_classes else int(num_classes)
    if indices.size and (indices.min() < 0 or indices.max() >= classes):
        raise DataError(
            message(
                who,
                f"indices must be from 0 to {classes - 1}",
                f"{indices.min()} to {indices.max()}",
                "Labels that start at 1 need x - 1; or pass a larger num_classes.",
            )
        )
    return indices, classes


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray:
    """Divide by the norm along an axis; rows of zeros stay.

    Example:
        >>> normalize(np.array([[3.0, 4.0]])).tolist()
        [[0.6, 0.8]]
    """
    x = np.asarray(x)
    axis = counted_axis("normalize", axis, x.ndim, of=f"for an array of shape {x.shape}")
    norms = np.atleast_1d(np.linalg.norm(x, order, axis))
    norms[norms == 0] = 1
    return x / np.expand_dims(norms, axis)


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: str = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float | str = 0.0,
) -> np.ndarray:
    """Sequences of different lengths as rows of one array.

    Args:
        sequences: Lists or arrays; items may have axes of their own.
        maxlen: Length of the rows; the longest sequence's by default.
        dtype: Dtype of the array.
        padding: Where to fill in, 'pre' or 'post'.
        truncating: Where to cut, 'pre' or 'post'.
        value: What to fill in.

    Fractions are cut to whole numbers where dtype is one of those, as the default is: this is told.
    Numbers that do not fit are refused.

    Example:
        >>> pad_sequences([[1], [2, 3]]).tolist()
        [[0, 1], [2, 3]]
    """
    for name, given in (("padding", padding), ("truncating", truncating)):
        if given not in ("pre", "post"):
            raise ArgumentError(
                message("pad_sequences", f"{name} must be 'pre' or 'post'", repr(given))
            )
    if not hasattr(sequences, "__len__"):
        raise DataError(
            message("pad_sequences", "sequences must be a list", type(sequences).__name__)
        )
    lengths = []
    for position, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__"):
            raise DataError(
                message(
                    "pad_sequences",
                    "every sequence must be a list or an array",
                    f"{sequence!r} at {position}",
                )
            )
        lengths.append(len(sequence))
    if maxlen is None:
        maxlen = max(lengths, default=0)
    maxlen = whole_number("pad_sequences", "maxlen", maxlen, 0)
    item_shape = next((np.asarray(s).shape[1:] for s in sequences if len(s)), ())
    try:
        rows = np.full((len(lengths), maxlen, *item_shape), value, dtype=dtype)
    except (TypeError, ValueError, OverflowError):
        rule = f"value must be one of dtype {np.dtype(dtype)}"
        fix = "Pass dtype='float32' for fractions, dtype=object for strings."
        raise ArgumentError(message("pad_sequences", rule, repr(value), fix)) from None
    is_of_integers = rows.dtype.kind in "iu"
    is_cut = is_of_integers and isinstance(value, float | np.floating) and value != int(value)
    cut = f"value={value!r}" if is_cut else None  # the first fraction that was
    for position, (row, sequence) in enumerate(zip(rows, sequences, strict=True)):
        if not len(sequence) or not maxlen:
            continue
        kept = sequence[-maxlen:] if truncating == "pre" else sequence[:maxlen]
        try:
            if is_of_integers:
                kept, has_fractions = _whole_numbers(kept, rows.dtype)
                if has_fractions and cut is None:
                    cut = f"{sequence!r}"[:100] + f" at {position}"
            else:
                kept = np.asarray(kept, dtype=dtype)
            row[slice(len(kept)) if padding == "post" else slice(-len(kept), None)] = kept
        except (TypeError, ValueError, OverflowError):
            rule = f"items must be of dtype {np.dtype(dtype)} and of one shape, {item_shape}"
            got = f"{sequence!r}"[:100] + f" at {position}"
            fix = "Pass dtype=object for strings, a wider dtype for numbers that do not fit."
            raise DataError(message("pad_sequences", rule, got, fix)) from None
    if cut is not None:
        rule = f"fractions are cut to whole numbers where dtype is {rows.dtype}"
        warn(message("pad_sequences", rule, cut, "Pass dtype='float32' to keep them."))
    return rows


def _whole_numbers(items: Any, dtype: np.dtype[Any]) -> tuple[np.ndarray, bool]:
    """(items in a dtype of whole numbers, whether fractions were cut).

    Raises:
        OverflowError: One does not fit; NumPy would let those of an array wrap around.
    """
    given = np.asarray(items)
    if given.dtype == dtype or given.dtype.kind not in "iuf":
        return np.asarray(items, dtype=dtype), False
    limits = np.iinfo(dtype)
    if given.size and not (given.min() >= limits.min and given.max() <= limits.max):  # nor NaN
        raise OverflowError
    whole = given.astype(dtype)
    return whole, given.dtype.kind == "f" and bool((whole != given).any())
