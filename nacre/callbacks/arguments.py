"""Checking the numbers that callbacks are given."""

from __future__ import annotations

import math
from typing import Any

from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import as_number, whole_number


def number(who: str, name: str, value: Any) -> float:
    """An argument that must be a number other than NaN.

    Raises:
        ArgumentError: It is none.
    """
    found = as_number(value)
    if math.isnan(found):
        raise ArgumentError(message(who, f"{name} must be a number", repr(value)))
    return found


def count(who: str, name: str, value: Any) -> int | float:
    """An argument that must be a whole number from 0 on; infinity is one too.

    Raises:
        ArgumentError: It is none.
    """
    found = as_number(value)
    return found if found == math.inf else whole_number(who, name, value, 0)
