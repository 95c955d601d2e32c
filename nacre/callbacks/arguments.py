"""Checking the numbers that callbacks are given."""

from __future__ import annotations

import math
from typing import Any

from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import as_number


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
    """An argument that must be a whole number from 0 on; 3.0 is one, and infinity.

    Raises:
        ArgumentError: It is none.
    """
    found = number(who, name, value)
    if found < 0:
        raise ArgumentError(message(who, f"{name} must not be negative", repr(value)))
    if math.isinf(found):
        return found
    if not found.is_integer():
        raise ArgumentError(message(who, f"{name} must be a whole number", repr(value)))
    return int(found)
