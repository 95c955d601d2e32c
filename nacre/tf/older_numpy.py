"""Names of NumPy 1 that NumPy 2 took away: scripts of TensorFlow's years with NumPy 1 use them.

Source: NumPy 2.0 migration guide, "Main namespace"; what each was in NumPy 1.26.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def _in1d(ar1: Any, ar2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each element of the one, in a row, is in the other."""
    found = np.isin(np.ravel(ar1), np.ravel(ar2), assume_unique=assume_unique, invert=invert)
    return np.asarray(found)


def _asfarray(a: Any, dtype: Any = np.float64) -> np.ndarray:
    """As an array of floats."""
    return np.asarray(a, dtype if np.issubdtype(dtype, np.inexact) else np.float64)


def _msort(a: Any) -> np.ndarray:
    """Sorted along the first axis."""
    return np.sort(a, axis=0)


_TODAY: dict[str, Any] = {
    **dict.fromkeys(("Inf", "Infinity", "infty", "PINF"), np.inf),
    **dict.fromkeys(("NaN", "NAN"), np.nan),
    "NINF": -np.inf,
    "float_": np.float64,
    **dict.fromkeys(("complex_", "cfloat"), np.complex128),
    "singlecomplex": np.complex64,
    "longfloat": np.longdouble,
    **dict.fromkeys(("longcomplex", "clongfloat"), np.clongdouble),
    **dict.fromkeys(("string_", "bytes0"), np.bytes_),
    **dict.fromkeys(("unicode_", "str0"), np.str_),
    "object0": np.object_,
    "bool8": np.bool_,
    "int0": np.intp,
    "uint0": np.uintp,
    "product": np.prod,
    "cumproduct": np.cumprod,
    "alltrue": np.all,
    "sometrue": np.any,
    "round_": np.round,
    "mat": np.asmatrix,
    "row_stack": np.vstack,
    "trapz": getattr(np, "trapezoid", None),
    "in1d": _in1d,
    "asfarray": _asfarray,
    "msort": _msort,
}


def names_taken_away() -> dict[str, Any]:
    """What this NumPy has no longer, by name; nothing where NumPy 1 is installed.

    Example:
        >>> names_taken_away().get("Inf", np.inf)
        inf
    """
    return {name: value for name, value in _TODAY.items() if not hasattr(np, name)}


__all__ = ["names_taken_away"]
