"""Checks of values within compiled programs: what fails is raised when the program has run.

The code of a check runs while the program is traced; whether it holds is only known when that runs.
The program calls back with it, and a failure is kept until the run is over: an error raised from
within the call would be written to the log by JAX, and come out as one of the runtime's own.

A call does not tell which run it belongs to, so a program with checks runs once at a time, whatever
the number of threads, and keeps its failures apart from those of other programs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import Any

import jax

from nacre.core.scope import in_symbolic_scope, traced_program

# Of checks whose program does not run: a function of a user's `jax.jit` may be traced in one
# program and run in another one too. The next run that is over raises them.
_without_run: list[Exception] = []
_are_anywhere = [False]
_are_left_out: ContextVar[bool] = ContextVar("checks are left out", default=False)


class RunChecks:
    """The checks of one program: whether it has any, and what failed in the run that is under way.

    Attributes:
        exist: Whether there are any, found out while the program is traced.
    """

    def __init__(self) -> None:
        self.exist = False
        self._lock = threading.RLock()  # a run may call the same program, in its own thread
        self._runs = 0
        self._failed: list[Exception] = []

    @contextlib.contextmanager
    def made(self) -> Generator[None]:
        """A run of the program and, before the block ends, `raise_failed`."""
        if not self.exist:
            yield
            return
        with self._lock:
            if not self._runs:
                self._failed.clear()  # those of a run that ended by another error
            self._runs += 1
            try:
                yield
            finally:
                self._runs -= 1

    def raise_failed(self) -> None:
        """Raise what failed in the run, whose result is there.

        Raises:
            Exception: The first failure; others of the same run are dropped.
        """
        if not _are_anywhere[0]:
            return
        jax.effects_barrier()
        found = self._failed or _without_run
        if found:
            first = found[0]
            found.clear()
            raise first

    def note(self, error: Exception) -> None:
        """Keep a failure until the run is over."""
        (self._failed if self._runs else _without_run).append(error)


@contextlib.contextmanager
def without_checks() -> Generator[None]:
    """A block in which programs are traced without checks: those that go into files, which have no
    one to call back."""
    token = _are_left_out.set(True)
    try:
        yield
    finally:
        _are_left_out.reset(token)


def check_in_program(holds: Any, failure: Callable[..., Exception], *values: Any) -> None:
    """Have the program that is being traced check something each time it runs.

    In a program of nacre's the failure is raised when the run is over, and changes no variable; in
    a user's own `jax.jit` it is JAX that raises it.

    Args:
        holds: The truth, traced.
        failure: Makes the error of the values.
        values: Numbers that it tells of, traced.
    """
    if in_symbolic_scope() or _are_left_out.get():
        return
    program = traced_program()
    checks: RunChecks | None = None if program is None else program.checks or RunChecks()
    if checks is not None:
        checks.exist = _are_anywhere[0] = True

    def note(held: Any, *found: Any) -> None:
        if held:
            return
        error = failure(*found)
        if checks is None:
            raise error
        checks.note(error)

    jax.debug.callback(note, *map(jax.lax.stop_gradient, (holds, *values)))


__all__ = ["RunChecks", "check_in_program", "without_checks"]
