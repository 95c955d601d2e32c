"""Numbers as users give them: Python's, NumPy's, and arrays of no axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def as_number(value: Any) -> float:
    """A value as a float; NaN for what is no number, as strings and booleans.

    Example:
        >>> import numpy as np
        >>> as_number(np.int32(3)), as_number("3"), as_number(True)
        (3.0, nan, nan)
    """
    if isinstance(value, bool | np.bool_ | str):
        return math.nan
    try:
        return float(value) if np.ndim(value) == 0 else math.nan
    except (TypeError, ValueError):  # ValueError also of lists of lists of different lengths
        return math.nan


__all__ = ["as_number"]
