"""Checking the numbers and switches of `compile`, `fit`, `evaluate` and `predict`, at their door.

Whole floats are whole numbers: `epochs=np.ceil(len(x) / 32)` is one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, overload

import numpy as np

from nacre.callbacks.keeping import Keeping
from nacre.callbacks.runner import Callbacks
from nacre.core import numbers, tree
from nacre.core.errors import ArgumentError, message
from nacre.core.kinds import is_numpy_array


@overload
def whole_number(value: Any, name: str, who: str, default: int, least: int = 1) -> int: ...
@overload
def whole_number(
    value: Any, name: str, who: str, default: None = None, least: int = 1
) -> int | None: ...
def whole_number(
    value: Any, name: str, who: str, default: int | None = None, least: int = 1
) -> int | None:
    """An argument that must be a whole number from `least` (0 or 1) on, or None for its default.

    Raises:
        ArgumentError: It is none.
    Example:
        >>> import numpy as np
        >>> whole_number(np.ceil(6.5), "steps", "model.fit")
        7
    """
    return default if value is None else numbers.whole_number(who, name, value, least)


def count_of_steps(value: Any, name: str, who: str) -> int | None:
    """An argument that must be a number of steps, or None.

    A fraction is rounded up, as in tf.keras 2: `steps_per_epoch=len(x) / 32` of old scripts.

    Raises:
        ArgumentError: It is none.
    Example:
        >>> count_of_steps(100 / 32, "steps_per_epoch", "model.fit")
        4
    """
    if value is None:
        return None
    as_float = numbers.as_number(value)
    if as_float > 0 and math.isfinite(as_float):
        value = numbers.as_whole(value) or math.ceil(as_float)
    return whole_number(value, name, who)


def verbosity(value: Any, who: str) -> int:
    """`verbose` as 0 (silent), 1 (bar) or 2 (a line an epoch) and above; 'auto' is 1, None 0.

    Raises:
        ArgumentError: It is something else.
    """
    if value is None or is_truth(value):
        return int(bool(value))
    if isinstance(value, str) and value == "auto":
        return 1
    found = numbers.as_whole(value)
    if found is not None and found >= 0:
        return found
    fix = "Pass verbose=2 for one line an epoch."
    raise ArgumentError(message(who, "verbose must be 0, 1, 2 or 'auto'", repr(value)[:100], fix))


def validation_epochs(value: Any, who: str) -> int | frozenset[int]:
    """`validation_freq` as a number of epochs, or as the set of epochs (from 1) with validation.

    Raises:
        ArgumentError: It is neither.
    """
    if _is_collection(value):
        epochs: Iterable[Any] = value.ravel() if is_numpy_array(value) else value
        rule = "each epoch of validation_freq"
        return frozenset(numbers.whole_number(who, rule, epoch, 1) for epoch in epochs)
    found = numbers.as_whole(value)
    if found is not None and found >= 1:
        return found
    rule = "validation_freq must be a positive int or a list of epochs, counted from 1"
    fix = "To train without validation, leave validation_data out."
    raise ArgumentError(message(who, rule, repr(value)[:100], fix if value == 0 else ""))


def is_truth(value: object) -> bool:
    """Whether a value is True or False, Python's or NumPy's."""
    return isinstance(value, bool | np.bool_)


def _is_collection(value: object) -> bool:
    return isinstance(value, list | tuple | set | frozenset | range | np.ndarray)


def keeping(folder: Any, every_steps: Any, every_seconds: Any, who: str) -> Keeping | None:
    """What `fit(resume=folder, resume_every_steps=..., resume_every_seconds=...)` asks for.

    Raises:
        ArgumentError: An argument is wrong.
    """
    steps = whole_number(every_steps, "resume_every_steps", who)
    if (
        every_seconds is not None
        and not numbers.number(who, "resume_every_seconds", every_seconds) > 0
    ):
        rule = "resume_every_seconds must be a positive number"
        raise ArgumentError(message(who, rule, repr(every_seconds)))
    if folder is not None:
        return Keeping(folder, steps, None if every_seconds is None else float(every_seconds))
    if every_steps is not None or every_seconds is not None:
        rule = "resume_every_steps and resume_every_seconds say how often the folder is written to"
        raise ArgumentError(message(who, rule, "no folder", "Pass resume='runs/1' too."))
    return None


def keeping_of(callbacks: Callbacks, who: str) -> Keeping | None:
    """What a callback asks for that has a run kept, as `BackupAndRestore` does.

    Raises:
        ArgumentError: Two of them do.
    """
    given: list[Any] = tree.flatten(getattr(callbacks, "callbacks", callbacks))
    found = [k for c in given if isinstance(k := getattr(c, "keeping", None), Keeping)]
    if len(found) > 1:
        rule = "one folder keeps a run: one BackupAndRestore is enough"
        folders = ", ".join(repr(str(keeping.folder)) for keeping in found)
        raise ArgumentError(message(who, rule, folders))
    return found[0] if found else None


__all__ = [
    "count_of_steps",
    "is_truth",
    "keeping",
    "keeping_of",
    "validation_epochs",
    "verbosity",
    "whole_number",
]
