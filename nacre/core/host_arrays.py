"""NumPy arrays as users have them, made into arrays of numbers or of strings, or refused.

What NumPy would turn into other numbers without a word is told here: masked entries (the number
below the mask would be read), dates (their nanoseconds), missing values, integers that do not fit
into the 32 bits of the device.
"""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from nacre.core.dtypes import host_dtype, machine_dtype
from nacre.core.errors import DataError, message
from nacre.core.indices import check_width, fits
from nacre.core.kinds import is_list, is_numpy_scalar
from nacre.core.strings import is_text
from nacre.core.warning import warn

_DATES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
EXACT_IN_FLOAT32 = 1 << 24  # above it float32 cannot hold every integer


def is_plain(dtype: np.dtype) -> bool:
    """Whether an array of a dtype holds real numbers, as the device has them or wider ones.

    Example:
        >>> [is_plain(np.dtype(name)) for name in ("float32", "bool", "int64", "S1", ">f4")]
        [True, True, True, False, False]
    """
    return dtype.kind in "fiub" and dtype.itemsize <= 8 and dtype.isnative


def plain_array(array: np.ndarray, who: str) -> np.ndarray:
    """An array of numbers or strings with nothing hidden in it.

    Args:
        array: Any NumPy array.
        who: Who asks, and which array it is, for messages.

    Raises:
        DataError: It holds dates, masked or missing values, fields, or other objects.
    Example:
        >>> plain_array(np.array([1.5, True], dtype=object), "x").tolist()
        [1.5, 1.0]
    """
    kind = array.dtype.kind
    if type(array) is np.ndarray and kind in "fiubUSc":
        return array if is_plain(array.dtype) else _of_this_machine(array)
    if kind == "T":  # strings of any width, which are Python's where they are taken out
        array, kind = array.astype(object), "O"
    if isinstance(array, np.ma.MaskedArray):
        array = _unmasked(array, who)
    elif not isinstance(array, np.memmap):
        array = _of_this_machine(np.asarray(array))  # np.matrix and the like
    if kind in "mM":
        raise dates_refused(who, f"an array of dtype {array.dtype}")
    if array.dtype.names is not None:
        raise DataError(
            message(
                who,
                "data must be arrays of numbers",
                f"an array with the fields {list(array.dtype.names)}",
                "Pass one array a field, or numpy.lib.recfunctions.structured_to_unstructured(x).",
            )
        )
    return _numbers_of_objects(array, who) if kind == "O" else array


def _of_this_machine(array: np.ndarray) -> np.ndarray:
    return array.astype(machine_dtype(array.dtype), copy=False)


def dates_refused(who: str, got: str) -> DataError:
    """The error for dates and times where numbers are needed."""
    return DataError(
        message(
            who,
            "dates and times must first become numbers",
            got,
            "Pass what counts: (t - t.min()) / np.timedelta64(1, 'D') for days, or the month, the "
            "weekday, the hour.",
        )
    )


def missing_refused(who: str, got: str, among_strings: bool = False) -> DataError:
    """The error for missing values."""
    if among_strings:
        fix = "Give missing strings a name first: column.fillna('')."
        return DataError(message(who, "every value must be there", got, fix))
    return DataError(
        message(
            who,
            "every value must be there",
            got,
            "Fill it in (fillna), leave the row out (dropna), or make it NaN with "
            "astype('float32') where the model can take that.",
        )
    )


def _unmasked(array: Any, who: str) -> np.ndarray:
    hidden = np.ma.getmaskarray(array)
    if hidden.any():
        row = _row(array, int(np.argmax(hidden)))
        raise DataError(
            message(
                who,
                "a masked array must have no masked values, as the values below the mask would "
                "be read",
                f"{int(hidden.sum())} masked value(s), the first in row {row}",
                "Pass x.filled(0.0), and the mask as sample_weight or through a Masking layer.",
            )
        )
    return np.asarray(array.data)


def _numbers_of_objects(array: np.ndarray, who: str) -> np.ndarray:
    """Python objects as numbers, where each is one; strings stay as they are."""
    if array.size == 0 or is_text(array):
        return array
    items = array.ravel()
    texts = [i for i, item in enumerate(items) if isinstance(item, str | bytes)]
    for index, item in enumerate(items):
        if is_missing(item) or (texts and item != item):  # NaN among strings
            raise missing_refused(who, f"{item!r} in row {_row(array, index)}", bool(texts))
    if texts:
        raise DataError(
            message(
                who,
                "an array with strings must hold strings only",
                f"{items[texts[0]]!r} in row {_row(array, texts[0])} beside other values",
                "Convert all with astype(str), or find the strings with pandas.to_numeric(column, "
                "errors='coerce').",
            )
        )
    if all(isinstance(item, bool | int | float | np.number | np.bool_) for item in items):
        numbers = np.array(array.tolist())
        if numbers.dtype.kind in "fiubc":
            return numbers
    if all(isinstance(item, np.ndarray | list | tuple) for item in items):
        return _stacked(array, who)
    index = next(
        i for i, item in enumerate(items) if not isinstance(item, bool | float | np.number)
    )
    got = f"{type(items[index]).__name__} {str(items[index])[:40]} in row {_row(array, index)}"
    if isinstance(items[index], _DATES):
        raise dates_refused(who, got)
    fix = "Convert it with x.astype('float32')."
    raise DataError(message(who, "data must be arrays of numbers", got, fix))


def _stacked(array: np.ndarray, who: str) -> np.ndarray:
    """An array of arrays of one shape as one array."""
    rows = [np.asarray(row) for row in _lists(array)]
    shapes = [row.shape for row in rows]
    if array.ndim == 1 and len(set(shapes)) == 1:
        return plain_array(np.stack(rows), who)
    other = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), 0)
    raise DataError(
        message(
            who,
            "data must be arrays of numbers, with rows of one length",
            f"shape {shapes[0]} in row 0, {shapes[other]} in row {other}",
            "Pad the rows to one length, e.g. with nacre.utils.pad_sequences.",
        )
    )


def _lists(array: np.ndarray) -> list[Any]:
    """The rows; ones that are uneven themselves are told by their length alone."""
    return [
        np.empty(len(row)) if is_list(row) and _is_uneven(row) else row for row in array.ravel()
    ]


def _is_uneven(row: Any) -> bool:
    try:
        np.asarray(row)
    except ValueError:
        return True
    return False


def is_missing(item: Any) -> bool:
    """True for None and for pandas's NA and NaT; NaN is a number."""
    if item is None or type(item).__name__ in ("NAType", "NaTType"):
        return True
    return is_numpy_scalar(item) and item.dtype.kind in "mM" and bool(np.isnat(item))


def _row(array: np.ndarray, flat_index: int) -> int:
    return int(np.unravel_index(flat_index, array.shape)[0]) if array.ndim else 0


# -------------------------------------------------------------------- integers in 32 bits


def outside_32_bits(array: np.ndarray) -> bool:
    """Whether an integer does not fit into the 32 bits of the device."""
    return not fits(array, host_dtype(array.dtype))


def refuse_wide_integers(array: np.ndarray, who: str) -> None:
    """Raise for an integer that would become another one in the 32 bits of the device.

    Raises:
        DTypeError: With its row and value.
    """
    check_width(who, array, host_dtype(array.dtype))


def exact(value: Any, dtype: np.dtype, who: str) -> np.ndarray:
    """A new array of `dtype` from numbers of the host, none of which becomes another integer.

    Raises:
        DTypeError: A whole number does not fit.
    Example:
        >>> exact([1, 2], np.dtype("int8"), "x").dtype
        dtype('int8')
    """
    if type(value) is np.ndarray and value.dtype == dtype:
        return value.copy("K")
    array = np.asarray(value)
    check_width(who, array, dtype)
    return np.array(array, dtype=dtype)


def warn_of_rounded_integers(array: np.ndarray, who: str) -> bool:
    """Say so, and tell, when integers become floats that cannot hold them exactly."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize < 4 or array.size == 0:
        return False
    if int(array.max()) <= EXACT_IN_FLOAT32 and int(array.min()) >= -EXACT_IN_FLOAT32:
        return False
    # The same words for every batch, so that Python shows them once.
    warn(
        message(
            who,
            "integers above 2**24 are rounded, as they become float32",
            f"an array of dtype {array.dtype}",
            "For ids declare Input(shape, dtype='int32'), or encode them with Hashing, or "
            "IntegerLookup before the model; subtract an offset from times; for quantities this is "
            "no harm: x.astype('float32') says so.",
        )
    )
    return True


__all__ = [
    "dates_refused",
    "exact",
    "is_plain",
    "is_missing",
    "missing_refused",
    "outside_32_bits",
    "plain_array",
    "refuse_wide_integers",
    "warn_of_rounded_integers",
]
