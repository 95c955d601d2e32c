"""Whether a step of the user's computes its losses of the very targets it is given."""

from __future__ import annotations

import operator
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from nacre.core import tree
from nacre.core.errors import LossInputError


class TargetsOfStep:
    """Targets that the losses cannot take are refused only where the step hands them on: it may
    turn labels into one-hot vectors, or count classes from 0."""

    def __init__(self) -> None:
        self._given: list[Any] | None = None
        self._are_handed_on: bool | None = None  # None until a step has run
        self._refusal: LossInputError | None = None  # until that is known

    @contextmanager
    def given(self, y: Any) -> Generator[None]:
        """The block in which a step of the user's runs, which is given the targets `y`."""
        self._given = tree.flatten(y)
        try:
            yield
        finally:
            self._given = None

    def note(self, y: Any) -> None:
        """Take note of the targets that the step under way computes losses of.

        Raises:
            LossInputError: They are what it was given, and what was found wrong.
        """
        given, self._given = self._given, None
        if given is None:
            return
        now = tree.flatten(y)
        self._are_handed_on = len(now) == len(given) and all(map(operator.is_, now, given))
        error, self._refusal = self._refusal, None
        if error is not None and self._are_handed_on:
            raise error

    def refuse_if_handed_on(self, error: LossInputError) -> None:
        """Raise an error about targets now, or where a step of the user's hands them on."""
        if self._are_handed_on is None:
            self._refusal = error
        elif self._are_handed_on:
            raise error


__all__ = ["TargetsOfStep"]
