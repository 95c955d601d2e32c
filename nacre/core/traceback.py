"""Tracebacks that show the user's own lines.

At the outermost call of nacre, frames inside nacre and JAX are cut from an error's traceback, and
the note JAX adds about its own filtering is taken off. `NACRE_TRACEBACK=full` shows everything. A
fault of nacre's own keeps its whole traceback: the user's line alone would not lead to it.
"""

from __future__ import annotations

import functools
import threading
import types
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from nacre.core.config import is_traceback_filtering_enabled
from nacre.core.forks import PROCESS, refuse_after_fork
from nacre.core.origins import (
    is_asked_by_user,
    is_internal,
    is_own_bug,
    is_unforeseen,
    is_while_described,
)
from nacre.core.traced_values import asks_for_a_value, explained, without_gradient

P = ParamSpec("P")
R = TypeVar("R")

_JAX_NOTE = "JAX has removed its internal frames"


# Of the thread's stack of Python calls, not of what is computed, so in no context: an error of code
# that another thread runs for this one gets out of nacre here, where it is raised again.
class _Local(threading.local):
    inside = False


_local = _Local()


def boundary(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator for public entrances: errors leave them with a short traceback."""
    return _entrance(function, computes=False)


def computing_boundary(function: Callable[P, R]) -> Callable[P, R]:
    """As `boundary`, for methods that always compute: refused where that would never end
    (`core.forks`)."""
    return _entrance(function, computes=True)


def _entrance(function: Callable[P, R], computes: bool) -> Callable[P, R]:
    @functools.wraps(function)
    def entrance(*args: P.args, **kwargs: P.kwargs) -> R:
        if _local.inside:
            return function(*args, **kwargs)
        _local.inside = True
        try:
            if computes and PROCESS.parent:
                refuse_after_fork(f"{type(args[0]).__name__}.{function.__name__}()")
            return function(*args, **kwargs)
        except (Exception, KeyboardInterrupt) as error:
            if not is_traceback_filtering_enabled():
                raise
            if (loop := without_gradient(error)) is not None:
                raise loop.with_traceback(shortened(error)) from None
            if is_own_bug(error) or is_unforeseen(error):
                raise
            by_user = is_asked_by_user(error.__traceback__)
            full = error.__traceback__
            # Without `from`, which would hide the error this one came up while handling.
            error.__traceback__ = shortened(error)
            told = explained(
                error, error.__traceback__, by_user, is_described=is_while_described(full)
            )
            if told is None:
                if error.__traceback__ is None and asks_for_a_value(error):
                    error.__traceback__ = full  # no code of the user's was running
                raise
            for note in getattr(error, "__notes__", ()):
                told.add_note(note)
            raise told.with_traceback(error.__traceback__) from None
        finally:
            _local.inside = False
            # They lead to this frame: with it all that lies below, such as the data of a training,
            # would stay until Python looks for cycles.
            full = told = loop = None

    return entrance


def shortened(error: BaseException) -> types.TracebackType | None:
    """The error's traceback without frames of nacre and JAX; also takes JAX's note off."""
    notes = getattr(error, "__notes__", None)
    if notes:
        error.__notes__ = [n for n in notes if _JAX_NOTE not in n]
    cause = error.__cause__
    if cause is not None and type(cause).__module__.startswith("jax"):
        error.__cause__ = None
    kept: list[types.TracebackType] = []
    current = error.__traceback__
    while current is not None:
        if not is_internal(current.tb_frame.f_code.co_filename):
            kept.append(current)
        current = current.tb_next
    rebuilt: types.TracebackType | None = None
    for entry in reversed(kept):
        rebuilt = types.TracebackType(rebuilt, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return rebuilt
