"""Processes forked after JAX has started: an error says at once what to do.

Threads are not copied by a fork, and JAX hands every computation to threads of its own: in such a
process it would wait for ever. So there JAX compiles nothing more and finds nothing it has compiled
before: what computes is an error that tells what to do. What needs no computation (configs, weights
as arrays, saving) works, and computations under way are waited for before the fork. A process that
does not use JAX, such as one that loads data with NumPy, notices nothing.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import os
import sys
import time
from typing import Any, NoReturn

from nacre.core.errors import ForkedProcessError, message

_PATIENCE_SECONDS = 5.0


class _Process:
    """What is known of this process.

    Attributes:
        is_watched: Whether forks of it are noticed.
        has_started_jax: Whether it had, when it was last forked.
        parent: The process it was forked from after JAX had started there; 0 for none.
    """

    is_watched = False
    has_started_jax = False
    parent = 0


PROCESS = _Process()


def watch() -> None:
    """Notice forks of this process from now on; called by what every computation needs."""
    if not PROCESS.is_watched and hasattr(os, "register_at_fork"):  # not on Windows
        PROCESS.is_watched = True
        os.register_at_fork(before=_note_before_fork, after_in_child=_note_in_child)


def refuse_after_fork(who: str) -> None:
    """Raise in a process that was forked after JAX had started.

    For what holds programs that are compiled already; all else meets the same error in JAX.

    Raises:
        ForkedProcessError: JAX's threads are in the process this one was forked from.
    """
    if PROCESS.parent:
        raise ForkedProcessError(
            message(
                who,
                "computations must run in a process that has started JAX itself",
                f"process {os.getpid()}, forked from process {PROCESS.parent} after JAX had "
                "started there: its threads are not here, and a computation would never end",
                "Start workers with multiprocessing.get_context('spawn') or 'forkserver', or "
                "import nacre inside the worker, and compute nothing before it is forked.",
            )
        )


def _note_before_fork() -> None:
    bridge = sys.modules.get("jax._src.xla_bridge")
    # JAX has no public question for this that does not start it.
    PROCESS.has_started_jax = bridge is not None and bridge.backends_are_initialized()
    if PROCESS.has_started_jax:
        _wait_for_arrays()


def _wait_for_arrays() -> None:
    """Let computations under way end before a fork: in the child their results would never come.

    Not for ever, as one that forks itself, in a callback of a program's, would wait for itself.
    """
    import jax

    end = time.monotonic() + _PATIENCE_SECONDS
    for array in jax.live_arrays():
        while not _is_settled(array) and time.monotonic() < end:
            time.sleep(0.001)


def _is_settled(array: Any) -> bool:
    try:
        return array.is_ready()
    except RuntimeError:  # it was deleted
        return True


def _note_in_child() -> None:
    if PROCESS.has_started_jax:
        PROCESS.parent = os.getppid()
        _stop_jax()


def _stop_jax() -> None:
    """Let JAX refuse to lower and compile, and to run again what it has compiled.

    Compiled functions are kept by the settings they were traced with, so another one is set:
    for products None means 'default', and their numbers stay what they are.
    """
    from jax._src import compiler
    from jax._src.interpreters import pxla

    from nacre.core.typed_jax import change_setting, setting

    pxla.lower_sharding_computation = _refuse  # has threads too
    compiler.compile_or_get_cached = _refuse
    precision = setting("jax_default_matmul_precision")
    change_setting("jax_default_matmul_precision", "default" if precision is None else None)


def _refuse(*_: Any, **__: Any) -> NoReturn:
    refuse_after_fork("nacre")
    raise AssertionError("put in place only where that raises")


__all__ = ["PROCESS", "refuse_after_fork", "watch"]
