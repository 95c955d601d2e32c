"""Checking the numbers and folders that callbacks are given."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from nacre.core.errors import message
from nacre.core.numbers import as_number, whole_number


def count(who: str, name: str, value: Any) -> int | float:
    """An argument that must be a whole number from 0 on; infinity is one too.

    Raises:
        ArgumentError: It is none.
    """
    found = as_number(value)
    return found if found == math.inf else whole_number(who, name, value, 0)


def make_folder(who: str, folder: Path) -> None:
    """Make a folder to write into, and those above it, unless it is there.

    Raises:
        OSError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        fix = "Choose another, or look at what is there and at its permissions."
        text = message(who, "the folder to write into must be there, or free", reason, fix)
        raise OSError(error.errno, text, str(folder)) from None
