"""Data sets of Hugging Face's `datasets`, recognised where that is loaded, never imported."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.core.errors import DataError, message
from nacre.core.kinds import is_list, is_of_library

# What the library's own trainer and its collators take for the targets.
_TARGETS = ("label", "labels")


def is_column(value: Any) -> bool:
    """Whether it is a column, as `data["pixels"]` gives."""
    return is_of_library(value, "datasets.arrow_dataset", "Column")


def column_to_numpy(column: Any, who: str) -> Any:
    """A column as an array, or as the tensor that its format says.

    Raises:
        DataError: Its rows differ in length.
    """
    rows = column[:]
    if not is_list(rows):
        return rows
    try:
        return np.asarray(rows)
    except ValueError as error:
        fix = "Pad them: nacre.utils.pad_sequences(rows); images: resize them."
        raise DataError(message(who, "rows must have one shape", f"{error}"[:150], fix)) from None


def inputs_and_targets(x: Any, y: Any, who: str) -> tuple[Any, Any]:
    """(x, y) where `x` is a data set of this library: its columns by name, one alone without it.

    A column 'label' or 'labels' is the targets where none are given. Anything else stays as it is.

    Raises:
        DataError: It is a dict of data sets.
    """
    if is_of_library(x, "datasets", "DatasetDict"):
        names = ", ".join(f"data[{name!r}]" for name in x)
        got = f"a DatasetDict of {len(x)}"
        raise DataError(message(who, "x must be one data set", got, f"Pass one of {names}."))
    if not is_of_library(x, "datasets", "Dataset"):
        return x, y
    columns: dict[str, Any] = {name: x[name] for name in x.column_names}
    target = next((name for name in _TARGETS if name in columns and len(columns) > 1), None)
    if y is None and target is not None:
        y = columns.pop(target)
    return next(iter(columns.values())) if len(columns) == 1 else columns, y


__all__ = ["column_to_numpy", "inputs_and_targets", "is_column"]
