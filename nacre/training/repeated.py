"""A model called on arrays like the one before: its program, without asking everything anew.

A call asks some thirty questions before it runs its program, which takes longer than the program of
a small model. For one array of NumPy all of them have the answers of last time while nothing is
under way and these few things are the same.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np

from nacre.core import context
from nacre.core.forks import PROCESS
from nacre.core.program import CallProgram, settings_key
from nacre.core.tracing import is_bare

P = TypeVar("P", bound=CallProgram)


class Repeated(Generic[P]):
    """The program that an array was given to, for arrays like it.

    Args:
        model: Whose program it is.
        x: The array.
        program: The program.
    """

    __slots__ = (
        "_dtype",
        "_graph",
        "_inventory",
        "_lists",
        "_model",
        "_settings",
        "_shape",
        "_trainer",
        "program",
    )

    def __init__(self, model: Any, x: np.ndarray, program: P) -> None:
        self.program = program
        self._model, self._graph, self._trainer = model, model._graph, model._trainer
        self._dtype, self._shape, self._settings = x.dtype, x.shape, settings_key()
        self._inventory = model._inventory()
        self._lists = self._inventory.lists()

    @staticmethod
    def can_be(model: Any, x: Any) -> bool:
        """Whether there can be one for calls of a model on arrays like `x`, made here and now."""
        return (
            type(x) is np.ndarray
            and x.ndim > 0
            and context.current() is context.NOTHING_UNDER_WAY
            and is_bare()
            and model._takes_unseen(x)
        )

    def fits(self, x: Any) -> bool:
        """Whether the program is what a call on `x` alone would run now."""
        return (
            type(x) is np.ndarray
            and x.shape == self._shape
            and x.dtype == self._dtype
            and context.current() is context.NOTHING_UNDER_WAY
            and is_bare()
            and self._inventory.is_current()
            and self._inventory.lists() is self._lists
            and self._model._graph is self._graph
            and self._model._trainer is self._trainer
            and settings_key() == self._settings
            and not PROCESS.parent
        )


__all__ = ["Repeated"]
