"""Checks of values within compiled programs: what fails is raised when the program has run.

The code of a check runs while the program is traced; whether it holds is only known when that runs.
The program calls back with it, and a failure is kept until the run is over: an error raised from
within the call would be written to the log by JAX, and come out as one of the runtime's own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import jax

from nacre.core.scope import in_symbolic_scope, is_tracing_program

_lock = threading.Lock()
_failed: list[Exception] = []
_has_checks = [False]


def check_in_program(holds: Any, failure: Callable[..., Exception], *values: Any) -> None:
    """Have the program that is being traced check something each time it runs.

    In a program of nacre's the failure is raised when the run is over, and changes no variable; in
    a user's own `jax.jit` it is JAX that raises it.

    Args:
        holds: The truth, traced.
        failure: Makes the error of the values.
        values: Numbers that it tells of, traced.
    """
    if in_symbolic_scope():
        return
    _has_checks[0] = True
    is_ours = is_tracing_program()

    def note(held: Any, *found: Any) -> None:
        if held:
            return
        error = failure(*found)
        if not is_ours:
            raise error
        with _lock:
            _failed.append(error)

    jax.debug.callback(note, *map(jax.lax.stop_gradient, (holds, *values)))


def raise_failed() -> None:
    """Raise what failed in the run that is over.

    Raises:
        Exception: The first failure; others of the same run are dropped.
    """
    if not _has_checks[0]:
        return
    jax.effects_barrier()
    with _lock:
        found = _failed[:1]
        _failed.clear()
    if found:
        raise found[0]


__all__ = ["check_in_program", "raise_failed"]
