"""Do targets and predictions fit each other? Asked at trace time, before anything broadcasts.

NumPy's broadcasting turns (batch,) against (batch, 1) into (batch, batch) without a word, and the
model then learns the mean. Here shapes must be equal, but for one trailing axis of size 1; one
number as the target (`loss(1.0, scores)`, as of a GAN) is that of all predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import config
from nacre.core.axes import counted_axes
from nacre.core.dtypes import device_dtype
from nacre.core.errors import DataError, DTypeError, LossInputError, TracedValueError, message
from nacre.core.host_arrays import plain_array
from nacre.core.indices import check_width, first_in
from nacre.core.interop import to_numpy_if_foreign
from nacre.core.kinds import is_dict
from nacre.core.variable import Variable


def as_array(value: Any) -> Any:
    """A JAX array from an array, a list, a number, a Variable or another framework's tensor."""
    if isinstance(value, Variable):
        return value.value
    try:
        value = to_numpy_if_foreign(value)
        if not isinstance(value, jax.Array):
            value = value if isinstance(value, np.ma.MaskedArray) else np.asarray(value)
            if value.dtype.kind in "fiubc":
                value = plain_array(value, "a loss or metric")
            check_width("a loss or metric", value, device_dtype(value.dtype))
        # A copy, as the caller may write to its array while the loss is computed.
        return jnp.asarray(value.copy() if isinstance(value, np.ndarray) else value)
    except (DataError, DTypeError, TracedValueError):
        raise
    except (TypeError, ValueError) as error:
        if isinstance(error, jax.errors.JAXTypeError):  # a traced value in the wrong place
            raise
        rule = "targets, predictions and weights must be numbers, in lists of equal lengths"
        got = f"{type(value).__name__} {value!r}"
        raise LossInputError(message("a loss or metric", rule, got[:100])) from None


def as_returned_array(who: str, value: Any) -> Any:
    """An array from what a loss or metric returned; a forgotten `return` is told as such.

    Raises:
        LossInputError: It is nothing, no numbers, or several things (Keras takes the mean of those
            in a tuple).
    """
    if is_dict(value) or (isinstance(value, tuple) and len(value) > 1):
        fix = (
            "Return one tensor: of a loss the sum of its parts. Several metrics are several "
            "functions, or a class derived from nacre.metrics.Metric whose result() gives a dict."
        )
        got = f"a {type(value).__name__} of {len(value)}"
        raise LossInputError(message(who, "it must return one tensor", got, fix))
    if value is None or isinstance(value, str | bytes):
        fix = "Is a `return` missing in the function?" if value is None else ""
        raise LossInputError(
            message(who, "it must return numbers", repr(value), fix or "Return a tensor.")
        )
    return jnp.asarray(value)


def as_float(value: Any) -> Any:
    """The same, as floatx when it was no float; complex numbers are refused."""
    value = refuse_complex(as_array(value))
    return value if jnp.issubdtype(value.dtype, jnp.floating) else value.astype(config.floatx())


def refuse_complex(value: Any) -> Any:
    """An array of real numbers, as it is.

    Raises:
        LossInputError: It is complex: its imaginary part would be lost.
    """
    if jnp.iscomplexobj(value):
        raise LossInputError(
            message(
                "a loss or metric",
                "targets and predictions must be real numbers",
                f"an array of dtype {value.dtype}",
                "Give absolute values, or real and imaginary parts side by side.",
            )
        )
    return value


def same_rank(first: Any, second: Any) -> tuple[Any, Any]:
    """Drop, or add, the trailing axis of size 1 by which two arrays differ.

    Example:
        >>> a, b = same_rank(jnp.ones((4, 5, 1)), jnp.ones((4, 5)))
        >>> a.shape, b.shape
        ((4, 5), (4, 5))
    """
    if first.ndim == second.ndim + 1 and first.shape[-1] == 1:
        if second.ndim == 1:
            return first, second[:, None]
        return jnp.squeeze(first, -1), second
    if second.ndim == first.ndim + 1 and second.shape[-1] == 1:
        second, first = same_rank(second, first)
    return first, second


def require_columns(
    who: str, columns: str, y_true_shape: Sequence[Any], y_pred_shape: Sequence[Any], fix: str
) -> None:
    """Refuse all but rows of columns; one number a sample is the one column it has.

    Args:
        who: Name of the loss or metric, for the message.
        columns: What the columns are.
        y_true_shape, y_pred_shape: Shapes of targets and predictions.
        fix: What to do.

    Raises:
        LossInputError: The shapes are others.
    """
    is_one_column = len(y_true_shape) == 1 and y_pred_shape[-1] == 1
    if len(y_pred_shape) == 2 and (len(y_true_shape) == 2 or is_one_column):
        return
    rule = f"targets and predictions must have shape (batch, {columns})"
    true, pred = _batch_shape(tuple(y_true_shape)), _batch_shape(tuple(y_pred_shape))
    raise LossInputError(message(who, rule, f"targets {true}, predictions {pred}", fix))


def paired(
    who: str, y_true: Any, y_pred: Any, axis: int | Sequence[int] | None = -1
) -> tuple[Any, Any]:
    """Targets and predictions as float arrays of one shape and one dtype.

    Args:
        who: Name of the loss or metric, for the message.
        y_true: Targets; one number for all predictions.
        y_pred: Predictions.
        axis: The axes the caller goes on to sum over.

    Raises:
        LossInputError: Shapes differ by more than a trailing axis of size 1, or there is no such
            axis.
    Example:
        >>> y_true, y_pred = paired("loss 'mse'", [1, 2], [[1.5], [2.5]])
        >>> y_true.shape, str(y_true.dtype)
        ((2, 1), 'float32')
    """
    y_true, y_pred = refuse_complex(as_array(y_true)), as_float(y_pred)
    given = y_true
    if y_true.ndim == 0:  # one number for all predictions, which can mean nothing else
        y_true = jnp.broadcast_to(y_true, y_pred.shape)
    y_true, y_pred = same_rank(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        raise LossInputError(
            message(
                who,
                f"targets must have the predictions' shape {_batch_shape(y_pred)}",
                describe(given),
                _shape_fix(given.shape, y_pred.shape, who),
            )
        )
    if y_pred.ndim == 0:
        raise LossInputError(
            message(who, "targets and predictions must have at least one axis", "two numbers")
        )
    _check_axis(who, y_pred, axis)
    return y_true.astype(y_pred.dtype), y_pred


def one_hot_pair(who: str, y_true: Any, y_pred: Any, axis: int = -1) -> tuple[Any, Any]:
    """`paired` for class probabilities against one-hot targets.

    Raises:
        LossInputError: Shapes differ, or there is only one class.
    """
    y_true, y_pred = as_array(y_true), as_float(y_pred)
    classes = _classes(who, y_pred, axis)
    if y_true.shape != y_pred.shape:
        fix = _shape_fix(y_true.shape, y_pred.shape, who)
        got = describe(y_true)
        if _are_indices(y_true.shape, y_pred.shape, axis):
            got += ", which look like class indices"
            fix = f"{_suggestion(who, 'sparse')}, or nacre.utils.to_categorical(y, {classes})."
        rule = f"targets must have the predictions' shape {_batch_shape(y_pred)}"
        raise LossInputError(message(who, rule, got, fix))
    return y_true.astype(y_pred.dtype), y_pred


def without_last_axis(array: Any, ndim: int) -> Any:
    """An array of `ndim` axes and a last one of size 1 without that one; any other as it is.

    Class indices come as (batch,) and as (batch, 1).

    Example:
        >>> without_last_axis(np.zeros((4, 1)), 1).shape, without_last_axis(np.zeros(4), 1).shape
        ((4,), (4,))
    """
    is_longer = array.ndim == ndim + 1 and array.shape[-1] == 1
    return array.reshape(array.shape[:-1]) if is_longer else array


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:1], *(size for size in shape[1:] if size != 1))


def indexed_pair(who: str, y_true: Any, y_pred: Any, axis: int = -1) -> tuple[Any, Any]:
    """Class indices (int32, the predictions' shape without the class axis) and predictions.

    Raises:
        LossInputError: Targets look one-hot, shapes do not fit, or there is only one class.
    """
    y_true, y_pred = as_array(y_true), as_float(y_pred)
    classes = _classes(who, y_pred, axis)
    wanted = _without_axis(y_pred.shape, axis)
    y_true = without_last_axis(y_true, len(wanted))
    if _without_ones(y_true.shape) == _without_ones(wanted):  # (8,) for (8, 1), and the like
        y_true = y_true.reshape(wanted)
    if y_true.shape != wanted:
        got, fix = describe(y_true), _shape_fix(y_true.shape, wanted, who, y_pred.ndim)
        if y_true.shape == y_pred.shape:
            got += ", which look one-hot"
            fix = f"{_suggestion(who, 'one-hot')}, or give class indices: y.argmax(axis=-1)."
        rule = f"targets must be class indices of shape {_batch_shape(wanted)}, 0…{classes - 1}"
        raise LossInputError(message(who, rule, got, fix))
    if jnp.issubdtype(y_true.dtype, jnp.floating):  # a fraction is no class
        y_true = jnp.where(y_true == jnp.floor(y_true), y_true, -1)
    # Eight bits could not be compared with 300 classes.
    is_narrow = not jnp.issubdtype(y_true.dtype, jnp.integer) or y_true.dtype.itemsize < 4
    y_true = y_true.astype("int32") if is_narrow else y_true
    return y_true, y_pred


def check_labels(
    who: str,
    labels: Any,
    classes: int,
    ignore_class: int | None = None,
    *,
    weights: Any = None,
) -> None:
    """Refuse class indices outside 0…classes − 1. For host arrays; it looks at every value.

    Args:
        who: Name of the loss, for the message.
        labels: Class indices.
        classes: How many classes the predictions have.
        ignore_class: An index that is allowed although it is no class.
        weights: Weights of the labels, or of their first axes; where they are 0, anything may
            stand.

    Raises:
        LossInputError: A label is no class; the first one and its row are named.
    Example:
        >>> check_labels("loss 'sparse_categorical_crossentropy'", [0, 2], 3)
    """
    values = np.asarray(labels)
    if values.size == 0:
        return
    wrong = ~((values >= 0) & (values < classes))
    if values.dtype.kind == "f":
        wrong |= values != np.floor(values)
    if not wrong.any():
        return
    if ignore_class is not None:
        wrong &= values != ignore_class
    if weights is not None:
        counts = without_last_axis(np.asarray(weights) != 0, values.ndim)
        if counts.ndim <= values.ndim and counts.shape == values.shape[: counts.ndim]:
            wrong &= counts.reshape(counts.shape + (1,) * (values.ndim - counts.ndim))
    if not wrong.any():
        return
    low, high = values.min(), values.max()
    fix = f"Give the last layer {high + 1:.0f} units, or correct the labels."
    if not np.isfinite(high):
        fix = "Leave rows without a label out, or give them sample weight 0."
    elif low == 1 and high == classes:
        fix = "Labels that start at 1 need y - 1."
    elif values.dtype.kind == "f" and np.any(values[wrong] != np.floor(values[wrong])):
        fix = "Class labels are whole numbers; for quantities use a loss such as 'mse'."
    elif classes == 1:
        fix = f"With one output unit: {_suggestion(who, 'binary')} and a sigmoid."
    elif not low >= 0:
        fix = "For labels that are not to count, pass ignore_class=-1 to the loss."
    rule = f"labels must be from 0 to {classes - 1}, as the predictions have {classes} classes"
    got = f"labels from {low:.10g} to {high:.10g}, the first one {first_in(values, wrong)}"
    raise LossInputError(message(who, rule, got, fix))


def check_given_labels(
    who: str, y_true: Any, y_pred: Any, arguments: dict[str, Any], mask: Any, weights: Any
) -> None:
    """`check_labels` for a loss or metric called by itself; traced labels pass, and give NaN."""
    if any(isinstance(a, jax.core.Tracer) for a in (y_true, mask, weights)):
        return
    with jax.ensure_compile_time_eval():  # labels that code around it holds are numbers there too
        shape, labels = np.shape(y_pred), np.asarray(as_array(y_true))
    if not shape or labels.dtype.kind not in "iuf":
        return
    axis = arguments.get("axis", -1)
    wanted = _without_axis(shape, axis)
    labels = without_last_axis(labels, len(wanted))
    if labels.shape != wanted:
        return  # the function says what is wrong with the shapes
    if mask is not None:
        weights = np.asarray(mask) if weights is None else _valid_labels(mask, weights)
    check_labels(who, labels, shape[axis], arguments.get("ignore_class"), weights=weights)


def _valid_labels(mask: Any, weights: Any) -> np.ndarray:
    """Where a mask and weights, each of the first axes of the values, let a label count."""
    first, second = np.asarray(mask) != 0, np.asarray(weights) != 0
    rank = max(first.ndim, second.ndim)
    first, second = (a.reshape(a.shape + (1,) * (rank - a.ndim)) for a in (first, second))
    return first & second


def describe(array: Any) -> str:
    """Shape, dtype and, for known whole numbers, the range of an array, for messages."""
    text = f"{tuple(array.shape)}, {array.dtype}"
    known = not isinstance(array, jax.core.Tracer) and array.size
    if known and jnp.issubdtype(array.dtype, jnp.integer):
        values = np.asarray(array)
        text += f", values {values.min()}…{values.max()}"
    return text


def _batch_shape(array: Any) -> str:
    shape = tuple(array) if isinstance(array, tuple) else tuple(array.shape)
    sizes = ["batch", *(str(n) for n in shape[1:])]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


def _without_axis(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    axis %= len(shape)
    return tuple(shape[:axis]) + tuple(shape[axis + 1 :])


def _check_axis(who: str, y_pred: Any, axis: int | Sequence[int] | None) -> None:
    if axis is None or (isinstance(axis, Sequence) and not axis):
        return
    of, fix = f"for predictions {tuple(y_pred.shape)}", "Use axis=-1 for the last one."
    counted_axes(who, axis, y_pred.ndim, of=of, error=LossInputError, fix=fix)


def _classes(who: str, y_pred: Any, axis: int) -> int:
    if y_pred.ndim:
        _check_axis(who, y_pred, axis)
    if y_pred.ndim == 0 or y_pred.shape[axis] < 2:
        raise LossInputError(
            message(
                who,
                "predictions must have at least two classes",
                f"predictions of shape {tuple(y_pred.shape)}",
                f"With one output unit: {_suggestion(who, 'binary')} and a sigmoid.",
            )
        )
    return y_pred.shape[axis]


def _are_indices(shape: tuple[int, ...], wanted: tuple[int, ...], axis: int) -> bool:
    reduced = _without_axis(wanted, axis)
    return shape == reduced or shape == reduced + (1,)


def _suggestion(who: str, targets: str) -> str:
    """Which loss or metric fits these targets, as an order."""
    metric = who.startswith("metric")
    names = {
        "sparse": ("sparse_categorical_crossentropy", "SparseCategoricalAccuracy"),
        "one-hot": ("categorical_crossentropy", "CategoricalAccuracy"),
        "binary": ("binary_crossentropy", "BinaryAccuracy"),
    }[targets]
    return f"Use a metric such as {names[1]}()" if metric else f"Use loss={names[0]!r}"


def _shape_fix(
    shape: tuple[int, ...], wanted: tuple[int, ...], who: str, predicted_axes: int | None = None
) -> str:
    """What to do about targets of one shape where another one is wanted.

    Args:
        predicted_axes: How many axes the predictions have, where that is not what is wanted.
    """
    predicted_axes = len(wanted) if predicted_axes is None else predicted_axes
    if shape[:1] != wanted[:1]:
        return "Targets and predictions must come from the same samples: compare their first axes."
    if sum(n != 1 for n in shape[1:]) <= 1 and predicted_axes > max(len(shape), 2):
        return _sum_up(predicted_axes)
    if len(shape) == len(wanted) and shape[:-1] == wanted[:-1] and shape[-1] > 1:
        return f"Give the last layer {shape[-1]} units instead of {wanted[-1]}, or other targets."
    if shape[1:] in ((), (1,)) and len(wanted) == 2:
        return (
            "For one number per sample give the last layer 1 unit. For class indices: "
            f"{_suggestion(who, 'sparse')}."
        )
    return f"Reshape the targets to {_batch_shape(tuple(wanted))}, or change the last layer."


def _sum_up(predicted_axes: int) -> str:
    """One target a sample against predictions with axes of space or time."""
    if predicted_axes == 3:
        return (
            "For one target a sample the model must sum up its steps: put Flatten() or "
            "GlobalAveragePooling1D() before the first Dense layer, or return_sequences=False "
            "into the last recurrent layer."
        )
    return (
        "For one target a sample put Flatten() or GlobalAveragePooling"
        f"{predicted_axes - 2}D() before the first Dense layer."
    )
