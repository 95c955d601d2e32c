"""Warnings that point at the user's own line, whatever the depth they come from."""

# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextlib
import sys
import warnings
from types import FrameType

from nacre.core.errors import printable
from nacre.core.origins import is_internal

_given = 0


def given() -> int:
    """How many warnings there have been: whether a piece of code warned is seen by two of these."""
    return _given


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn about the line, outside nacre and JAX, that led here.

    Python shows a warning once for each line and text; a fixed `stacklevel` would name a line of
    nacre, where the user can change nothing, as soon as one call more lies between.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     warn("the rate is 0")
        >>> str(caught[0].message)
        'the rate is 0'
    """
    global _given
    _given += 1
    level = 2  # 1 would be this line
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _lies_between(frame.f_code.co_filename):
        frame, level = frame.f_back, level + 1
    if frame is None:  # a thread of nacre's own: its whole stack is ours
        level = 2
    warnings.warn(printable(text), category, stacklevel=level)


def _lies_between(file: str) -> bool:
    """Whether code of a file is not the user's; blocks of nacre's run in contextlib."""
    return is_internal(file) or file == contextlib.__file__


__all__ = ["given", "warn"]
