"""A model called on arrays like the one before: its program, without asking everything anew.

A call asks some thirty questions before it runs its program, which takes longer than the program of
a small model. For one array of NumPy all of them have the answers of last time while nothing is
under way and these few things are the same.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np

from nacre.core import context
from nacre.core.forks import PROCESS
from nacre.core.program import CallProgram, settings_key
from nacre.core.tracing import is_bare
from nacre.ops.kernels.placement import platform

# Some 25 microseconds: what two threads take to wake one another.
_LOOKS = 300

P = TypeVar("P", bound=CallProgram)
T = TypeVar("T")


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
        return type(x) is np.ndarray and x.ndim > 0 and _is_free() and model._takes_unseen(x)

    def fits(self, x: Any) -> bool:
        """Whether the program is what a call on `x` alone would run now."""
        return (
            type(x) is np.ndarray
            and x.shape == self._shape
            and x.dtype == self._dtype
            and _is_free()
            and self._inventory.snapshot.is_current()
            and self._inventory.lists() is self._lists
            and self._model._graph is self._graph
            and self._model._trainer is self._trainer
            and settings_key() == self._settings
        )


def _is_free() -> bool:
    """Whether nothing is under way here that a call could depend on."""
    nothing = context.current() is context.NOTHING_UNDER_WAY
    return nothing and is_bare() and not PROCESS.parent


@functools.cache
def _has_two_processors() -> bool:
    usable = getattr(os, "sched_getaffinity", None)  # not on every system
    return (len(usable(0)) if usable else os.cpu_count() or 1) > 1


def wait_briefly(outputs: T) -> T:
    """Wait for the output of a small program by looking, as long as falling asleep would take.

    A thread that sleeps is woken by the system. That takes longer than such a program, and long
    enough for XLA's own thread to fall asleep too, which the next call then has to wake.

    Returns:
        The outputs; those of a larger program may still be on their way.
    """
    is_ready: Callable[[], bool] | None = getattr(outputs, "is_ready", None)
    if is_ready is not None and _has_two_processors() and platform() == "cpu":
        for _ in range(_LOOKS):
            if is_ready():
                break
    return outputs


__all__ = ["Repeated", "wait_briefly"]
