"""Checking the numbers that callbacks are given."""

from __future__ import annotations

import math
from typing import Any

from nacre.core.numbers import as_number, whole_number


def count(who: str, name: str, value: Any) -> int | float:
    """An argument that must be a whole number from 0 on; infinity is one too.

    Raises:
        ArgumentError: It is none.
    """
    found = as_number(value)
    return found if found == math.inf else whole_number(who, name, value, 0)
