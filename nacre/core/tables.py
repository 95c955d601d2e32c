"""Frames and columns of pandas, polars and Arrow as NumPy arrays; none is imported here.

Columns of numbers and booleans become one array of their common dtype, columns of strings one array
of strings. Rows are taken in their order: no index is ever looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nacre.core.errors import DataError, message
from nacre.core.host_arrays import (
    dates_refused,
    is_missing,
    missing_refused,
    plain_array,
    warn_of_rounded_integers,
)
from nacre.core.kinds import is_of_library
from nacre.core.strings import is_text


def is_table(value: Any) -> bool:
    """True for frames and columns of pandas, polars and Arrow, when these are already loaded."""
    return _is_pandas(value) or _is_polars(value) or _is_arrow(value)


def table_to_numpy(value: Any, who: str = "a frame") -> np.ndarray:
    """A frame (rows, columns) or a column (rows,) as an array.

    Args:
        value: For which `is_table` is true.
        who: Who asks, for messages.

    Raises:
        DataError: A value is missing, or a column holds dates, or strings beside numbers; names
            column and row.
    """
    if _is_pandas(value):
        return _of_pandas(value, who)
    return _of_polars(value, who) if _is_polars(value) else _of_arrow(value, who)


# -------------------------------------------------------------------- pandas


def _is_pandas(value: Any) -> bool:
    if is_of_library(value, "pandas", "DataFrame", "Series"):
        return True
    return type(value).__module__.startswith("pandas") and (  # not what others derive from these
        is_of_library(value, "pandas", "Index")
        or is_of_library(value, "pandas.api.extensions", "ExtensionArray")
    )


def frame_columns(value: Any) -> Any:
    """A frame of pandas, polars or Arrow as a dict: name -> column; anything else unchanged."""
    if _is_arrow(value) and hasattr(value, "column_names"):
        return dict(zip(value.column_names, value.columns, strict=True))
    if is_of_library(value, "pandas", "DataFrame") or is_of_library(value, "polars", "DataFrame"):
        return {str(name): value[name] for name in value.columns}
    return value


class _Words(NamedTuple):
    """What to write for a frame of one library; `strings` are the names of such columns."""

    as_dict: str
    encoded: str
    column: str


_PANDAS = _Words("dict(frame)", "pandas.get_dummies(frame)", "frame[{!r}]")
_POLARS = _Words("frame.to_dict()", "frame.to_dummies({strings!r})", "frame[{!r}]")
_ARROW = _Words(
    "dict(zip(table.column_names, table.columns))",
    "pandas.get_dummies(table.to_pandas())",
    "table[{!r}].to_pylist()",
)


def in_other_order(first: Any, second: Any) -> bool:
    """Whether two tables of pandas name the same rows in another order, so that pairing them by
    position looks like a slip. A default index (0, 1, 2 ...) names nothing."""
    if not all(is_of_library(one, "pandas", "DataFrame", "Series") for one in (first, second)):
        return False
    one, other = first.index, second.index
    if any(is_of_library(index, "pandas", "RangeIndex") for index in (one, other)):
        return False
    if len(one) != len(other) or one.equals(other) or not one.is_unique:
        return False
    return bool(one.isin(other).all())


def _of_pandas(value: Any, who: str) -> np.ndarray:
    pandas = sys.modules["pandas"]
    if not isinstance(value, pandas.DataFrame):
        series = value if isinstance(value, pandas.Series) else pandas.Series(value)
        name = None if series.name is None else str(series.name)
        return _pandas_column(series, who, name, _row_namer(series.index))
    kinds = {d.kind if isinstance(d, np.dtype) else "O" for d in value.dtypes}
    if kinds and (kinds <= set("f") or kinds <= set("iu") or kinds == {"b"}):
        return value.to_numpy()
    row_name = _row_namer(value.index)
    names = [str(name) for name in value.columns]
    gaps = {
        name: found
        for i, name in enumerate(names)
        if (found := _missing(value.iloc[:, i], row_name)) is not None
    }
    _refuse_gaps(gaps, who)
    columns = [
        _pandas_column(value.iloc[:, i], who, name, row_name) for i, name in enumerate(names)
    ]
    return _joined(columns, names, len(value), who, _PANDAS)


def _row_namer(index: Any) -> Callable[[int], str]:
    """Row numbers, with the index's label where that is another one."""

    def name(row: int) -> str:
        label = index[row]
        return f"row {row}" if str(label) == str(row) else f"row {row} (index {label!r})"

    return name


def _pandas_column(
    series: Any, who: str, name: str | None, row_name: Callable[[int], str]
) -> np.ndarray:
    pandas = sys.modules["pandas"]
    where = who if name is None else f"{who}, column {name!r}"
    dtype: Any = series.dtype
    if _is_of_numbers(dtype):
        return series.to_numpy()
    if isinstance(dtype, pandas.PeriodDtype | pandas.IntervalDtype) or dtype.kind in "mM":
        raise dates_refused(where, f"a column of dtype {dtype}")
    gap = _missing(series, row_name)
    if gap is not None:
        raise missing_refused(where, *gap)
    if isinstance(dtype, pandas.CategoricalDtype):
        return _pandas_column(series.astype(dtype.categories.dtype), who, name, row_name)
    if isinstance(dtype, pandas.SparseDtype):
        return np.asarray(series.to_numpy(dtype=dtype.subtype))
    if dtype.kind in "fiub":
        return series.to_numpy(dtype=np.dtype(f"{dtype.kind}{_itemsize(dtype)}"))
    return plain_array(series.to_numpy(dtype=object), where)


def _missing(series: Any, row_name: Callable[[int], str]) -> tuple[str, bool] | None:
    """(how many values are missing and where, whether beside strings); None where all are there."""
    pandas = sys.modules["pandas"]
    if _is_of_numbers(series.dtype) or isinstance(series.dtype, pandas.SparseDtype):
        return None
    missing = np.asarray(series.isna())
    if not missing.any() or getattr(series.dtype, "kind", "O") in "mM":
        return None
    row = int(np.argmax(missing))
    # In a column of Python floats NaN is a number, as in a column of float64.
    texts = _holds_text(series)
    if str(series.dtype) == "object" and not is_missing(series.iloc[row]) and not texts:
        return None
    return f"{int(missing.sum())} missing value(s), the first in {row_name(row)}", texts


def _refuse_gaps(gaps: dict[str, tuple[str, bool]], who: str) -> None:
    """Raise where several columns have missing values; one is told where it is read."""
    if len(gaps) < 2:
        return
    parts = [f"column {name!r}: {got}" for name, (got, _) in gaps.items()]
    shown = "; ".join(parts[:10]) + ("; ..." if len(parts) > 10 else "")
    texts = all(is_text for _, is_text in gaps.values())
    raise missing_refused(f"{who}, {len(gaps)} columns", shown, texts)


def _is_of_numbers(dtype: object) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "fiubc"


def _itemsize(dtype: Any) -> int:
    """Bytes a number of an extension dtype."""
    return 1 if dtype.kind == "b" else int(getattr(dtype, "itemsize", 8))


def _holds_text(series: Any) -> bool:
    return any(isinstance(item, str | bytes) for item in series)


# -------------------------------------------------------------------- polars


def _is_polars(value: Any) -> bool:
    return is_of_library(value, "polars", "DataFrame", "Series", "LazyFrame")


def _of_polars(value: Any, who: str) -> np.ndarray:
    polars = sys.modules["polars"]
    if isinstance(value, polars.LazyFrame):
        raise DataError(
            message(who, "a frame must hold its rows", "a LazyFrame", "Call frame.collect() first.")
        )
    if isinstance(value, polars.Series):
        return _polars_column(value, who)
    gaps = {c.name: _polars_gap(c) for c in value.get_columns() if c.null_count()}
    _refuse_gaps(gaps, who)
    columns = [_polars_column(column, who) for column in value.get_columns()]
    return _joined(columns, value.columns, value.height, who, _POLARS)


def _polars_gap(series: Any) -> tuple[str, bool]:
    row = int(np.argmax(series.is_null().to_numpy()))
    got = f"{series.null_count()} missing value(s), the first in row {row}"
    return got, series.dtype == sys.modules["polars"].String


def _polars_column(series: Any, who: str) -> np.ndarray:
    polars = sys.modules["polars"]
    where = f"{who}, column {series.name!r}" if series.name else who
    dtype = series.dtype
    if series.null_count():
        raise missing_refused(where, *_polars_gap(series))
    if dtype.is_temporal():
        raise dates_refused(where, f"a column of dtype {dtype}")
    if dtype in (polars.String, polars.Categorical, polars.Enum, polars.Binary):
        kind = polars.Binary if dtype == polars.Binary else polars.String
        return np.array(series.cast(kind).to_list(), dtype=object)
    if dtype.is_decimal():
        return series.cast(polars.Float64).to_numpy()
    if dtype.is_numeric() or dtype == polars.Boolean or dtype == polars.Array:
        return series.to_numpy()
    return plain_array(np.array([*series.to_list(), None], dtype=object)[:-1], where)


# -------------------------------------------------------------------- Arrow


def _is_arrow(value: Any) -> bool:
    return is_of_library(value, "pyarrow", "Table", "RecordBatch", "ChunkedArray", "Array")


def _of_arrow(value: Any, who: str) -> np.ndarray:
    if not hasattr(value, "column_names"):
        return _arrow_column(value, who)
    parts = list(zip(value.column_names, value.columns, strict=True))
    _refuse_gaps({name: _arrow_gap(c) for name, c in parts if c.null_count}, who)
    columns = [_arrow_column(column, f"{who}, column {name!r}") for name, column in parts]
    return _joined(columns, value.column_names, value.num_rows, who, _ARROW)


def _arrow_gap(column: Any) -> tuple[str, bool]:
    row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
    got = f"{column.null_count} missing value(s), the first in row {row}"
    return got, str(column.type) in ("string", "large_string", "string_view")


def _arrow_column(column: Any, where: str) -> np.ndarray:
    types = sys.modules["pyarrow"].types
    kind = column.type
    if column.null_count:
        raise missing_refused(where, *_arrow_gap(column))
    if types.is_temporal(kind):
        raise dates_refused(where, f"a column of type {kind}")
    if types.is_decimal(kind):
        column = column.cast("float64")
    return plain_array(column.to_numpy(zero_copy_only=False), where)


# -------------------------------------------------------------------- columns to one array


def _joined(
    columns: list[np.ndarray], names: list[str], rows: int, who: str, words: _Words
) -> np.ndarray:
    """Columns side by side, in their common dtype."""
    deep = [name for name, column in zip(names, columns, strict=True) if column.ndim != 1]
    if deep and len(columns) == 1:
        return columns[0]
    if deep:
        raise DataError(
            message(
                who,
                "the columns of a frame must hold one number a row",
                f"arrays in column {deep[0]!r}",
                f"Give it as an input of its own: np.stack({words.column.format(deep[0])}).",
            )
        )
    texts = [is_text(column) for column in columns]
    if any(texts) and not all(texts):
        strings = [name for name, is_of_text in zip(names, texts, strict=True) if is_of_text]
        raise DataError(
            message(
                who,
                "the columns of a frame must all be numbers, or all strings",
                f"strings in column {strings[0]!r}, such as {columns[texts.index(True)][0]!r}",
                f"Encode them first, as {words.encoded.format(strings=strings)} does, or give each "
                f"column to an input of its own: {words.as_dict}.",
            )
        )
    if any(texts):
        return np.stack([column.astype(object) for column in columns], axis=1)
    dtype = np.result_type(*columns) if columns else np.dtype("float32")
    if dtype.kind == "f":
        for name, column in zip(names, columns, strict=True):
            warn_of_rounded_integers(column, f"{who}, column {name!r}")
    joined = np.empty((rows, len(columns)), dtype)
    for place, column in enumerate(columns):
        joined[:, place] = column
    return joined


__all__ = ["frame_columns", "in_other_order", "is_table", "table_to_numpy"]
