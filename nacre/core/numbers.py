"""Numbers as users give them: Python's, NumPy's, and arrays of no axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.core.kinds import is_int


def as_number(value: Any) -> float:
    """A value as a float; NaN for what is no number, as strings and booleans.

    Example:
        >>> import numpy as np
        >>> as_number(np.int32(3)), as_number("3"), as_number(True)
        (3.0, nan, nan)
    """
    if type(value) is float or type(value) is int:
        return float(value)
    if isinstance(value, bool | np.bool_ | str):
        return math.nan
    try:
        return float(value) if np.ndim(value) == 0 else math.nan
    except (TypeError, ValueError):  # ValueError also of lists of lists of different lengths
        return math.nan


def number(who: str, name: str, value: Any) -> float:
    """An argument that must be a number other than NaN, as a float.

    Raises:
        ArgumentError: It is none.
    """
    found = as_number(value)
    if math.isnan(found):
        raise ArgumentError(message(who, f"{name} must be a number", repr(value)[:100]))
    return found


def as_whole(value: Any) -> int | None:
    """A value as an int; None for what is no whole number. A float without a fraction is one.

    Example:
        >>> import numpy as np
        >>> as_whole(np.int64(3)), as_whole(np.ceil(6.5)), as_whole(2.5), as_whole(True)
        (3, 7, None, None)
    """
    if is_int(value) and not isinstance(value, bool):
        return int(value)  # a float would lose digits of a large one
    found = as_number(value)
    return int(found) if found.is_integer() else None


def is_whole(value: Any, least: int = 1) -> bool:
    """Whether a value is a whole number of at least `least`."""
    found = as_whole(value)
    return found is not None and found >= least


def whole_number(
    who: str, name: str, value: Any, least: int = 1, *, or_else: str = "", fix: str = ""
) -> int:
    """An argument that must be a whole number, as an int: the one rule for all of them.

    Args:
        who: Whose argument it is.
        name: The argument.
        least: The smallest number it may be.
        or_else: What else it may be, which the caller has looked at, such as " or None".
        fix: What to do, where the value itself does not tell.

    Raises:
        ArgumentError: It is none.
    Example:
        >>> whole_number("Dense", "units", 64 / 2)
        32
    """
    found = as_whole(value)
    if found is not None and found >= least:
        return found
    kinds = {0: "an int from 0 on", 1: "a positive int"}
    rule = f"{name} must be {kinds.get(least, f'an int of at least {least}')}{or_else}"
    given = as_number(value)
    if isinstance(value, str) and value.strip().isdigit():
        fix = f"Pass {name}={int(value)}, without quotes."
    elif given > least and math.isfinite(given):
        fix = f"Pass {name}={int(given)}, or {name}=math.ceil(...)."
    raise ArgumentError(message(who, rule, repr(value)[:100], fix))


__all__ = ["as_number", "as_whole", "is_whole", "number", "whole_number"]
