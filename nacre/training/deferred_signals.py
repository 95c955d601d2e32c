"""Ctrl-C between steps, never within one.

A compiled step takes the arrays of the model and gives back new ones. A `KeyboardInterrupt` that
Python raises between the two would leave the model without either: its arrays are deleted and the
new ones lost. Here a signal that comes then waits for the few moments until they are in place;
one that comes at any other time, as while a program is compiled, acts at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

import jax

_SIGNALS = (signal.SIGINT, signal.SIGTERM)  # those whose handlers commonly raise


class DeferredSignals:
    """Delays signal handlers while arrays are between a program and the variables.

    Handlers are the user's own, or Python's, which raises `KeyboardInterrupt`; they run as ever,
    only a little later. Outside the main thread, where Python runs no handlers, nothing is done.

    Example:
        >>> with DeferredSignals() as signals:
        ...     signals.run(print, lambda values: values + 1, 41)
        42
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._donated: Any = None  # what the running program was given
        self._is_committing = False
        self._pending: tuple[int, FrameType | None] | None = None

    def __enter__(self) -> DeferredSignals:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._on_signal:  # a callback may have set its own
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._is_committing or (self._donated is not None and _is_donated(self._donated)):
            self._pending = (number, frame)
        else:
            self._handlers[number](number, frame)

    def run(
        self,
        keep: Callable[[Any], None],
        program: Callable[..., Any],
        values: Any,
        *arguments: Any,
    ) -> None:
        """`keep(program(values, *arguments))` as one: signals wait until it is done.

        Args:
            keep: Puts the result where it is found again.
            program: May give the arrays of `values` to the result.
        """
        self._donated = values
        try:
            keep(program(values, *arguments))
        finally:
            self._donated = None
        self._deliver()

    def commit(self, assign: Callable[[], None]) -> None:
        """Call `assign`, which commits values to variables; signals wait until it is done."""
        self._is_committing = True
        try:
            assign()
        finally:
            self._is_committing = False
        self._deliver()

    def _deliver(self) -> None:
        if self._pending is not None:
            (number, frame), self._pending = self._pending, None
            self._handlers[number](number, frame)


def _is_donated(values: Any) -> bool:
    leaves = jax.tree.leaves(values)
    return any(isinstance(leaf, jax.Array) and leaf.is_deleted() for leaf in leaves)


__all__ = ["DeferredSignals"]
