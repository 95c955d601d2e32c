"""Checking what callbacks are given: numbers, folders, and whether a rate can be set."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import as_number, whole_number


def count(who: str, name: str, value: Any) -> int | float:
    """An argument that must be a whole number from 0 on; infinity is one too.

    Raises:
        ArgumentError: It is none.
    """
    found = as_number(value)
    return found if found == math.inf else whole_number(who, name, value, 0)


def refuse_scheduled_rate(who: str, optimizer: Any, fix: str) -> None:
    """Raise where the learning rate cannot be set. (A number is held by a variable.)

    Args:
        who: Who would set it, for messages.
        optimizer: The optimizer.
        fix: What to do.

    Raises:
        ArgumentError: A schedule decides it.
    """
    if not hasattr(optimizer.learning_rate, "assign"):
        rule = "the learning rate cannot be set where a schedule decides it"
        raise ArgumentError(message(who, rule, "an optimizer with a schedule", fix))


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
