"""Variables set for good, though a program is being traced or shapes are being found."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import jax

from nacre.core import recording, scope


@contextlib.contextmanager
def untraced() -> Generator[None]:
    """A block in which variables have and get real values: no scope, tape or program sees it.

    A layer may be built while `fit` looks for shapes, in a scope that drops what is assigned.
    """
    with scope.running_program(None), recording.paused():
        with scope.outside_scopes(), jax.ensure_compile_time_eval():
            yield


__all__ = ["untraced"]
