"""Compiled kernels in tests: there, or a reason why not."""

from __future__ import annotations

import time

import pytest

from nacre.ops.kernels.native.library import Library

PATIENCE_SECONDS = 120


def finish(library: Library) -> str:
    """Wait until a library is built; gives the reason why there is none, else nothing.

    A program of another process would not wait so long and take the plain form; a test of the
    kernel means the kernel.
    """
    reason = finish_of_host(library)
    return reason if reason or library.targets() else library.outcome().reason


def finish_of_host(library: Library) -> str:
    """The same for a library that Python itself calls."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (outcome := library.outcome()).is_final and time.monotonic() < end:
        time.sleep(0.1)
    return "" if outcome.library is not None else outcome.reason


def need(*libraries: Library) -> None:
    """Skip the test where one of them cannot be built, and say why."""
    for library in libraries:
        if reason := finish(library):
            pytest.skip(f"no native kernel '{library.name}': {reason}")
