"""Ctrl-C between steps, never within one.

A compiled step takes the arrays of the model and gives back new ones. A `KeyboardInterrupt` that
Python raises between the two would leave the model without either: its arrays are deleted and the
new ones lost. Here a signal that comes then waits for the few moments until they are in place;
one that comes at any other time, as while a program is compiled, acts at once. Two more wait: one
that comes while a run ends, until callbacks have restored weights and closed files; and one that
meets nacre's own bookkeeping, such as a block of the context that is being left, until the next
step has ended. Such code takes microseconds; what takes long (a compiler, a wait for data, a user's
code) is elsewhere. A second signal acts at once.

What a handler raises within a callback of a weak reference, a `__del__` or the search for garbage
is lost: Python prints it and goes on. Here the signal counts as one that waits.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

import jax

_SIGNALS = (signal.SIGINT, signal.SIGTERM)  # those whose handlers commonly raise
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_BOOKKEEPING = tuple(
    f"{_PACKAGE}{folder}{os.sep}"
    for folder in ("callbacks", "core", "data", "metrics", "optimizers", "training")
)
# Also while these call JAX or Python's own library.
_VALUES = tuple(
    os.path.join(_PACKAGE, "core", f"{name}.py")
    for name in ("context", "scope", "state", "variable")
)

# What Python's own `signal` stands on, where it has that: around it members of enumerations are
# searched for, which takes ten times as long.
_signals: Any = sys.modules.get("_signal", signal)
_handler_of: Callable[[int], Any] = _signals.getsignal
_handle: Callable[[int, Any], Any] = _signals.signal


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
        self._is_ending = False
        self._pending: int | None = None  # a signal that waits
        self._raised: tuple[int, BaseException] | None = None  # what a handler made of a signal
        self._show_lost: Callable[[sys.UnraisableHookArgs], Any] | None = None

    def __enter__(self) -> DeferredSignals:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                handler = _handler_of(number)
                if callable(handler):
                    self._handlers[number] = handler
                    _handle(number, self._on_signal)
            if self._handlers:
                self._show_lost, sys.unraisablehook = sys.unraisablehook, self._on_lost
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            present = _handle(number, handler)
            if present != self._on_signal:  # a callback has set its own
                _handle(number, present)
        if self._show_lost is not None and sys.unraisablehook == self._on_lost:
            sys.unraisablehook = self._show_lost
        self._raised = None
        if not isinstance(error, KeyboardInterrupt):
            self._is_ending = False
            self.deliver()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._is_committing or (self._donated is not None and _is_donated(self._donated)):
            self._pending = number
        elif self._pending is None and (self._is_ending or _is_in_bookkeeping(frame)):
            self._pending = number
        else:
            self._pending = None
            try:
                self._handlers[number](number, frame)
            except BaseException as error:
                self._raised = number, error
                raise

    def _on_lost(self, lost: sys.UnraisableHookArgs) -> None:
        if self._raised is not None and lost.exc_value is self._raised[1]:
            self._pending, self._raised = self._raised[0], None
        elif self._show_lost is not None:
            self._show_lost(lost)

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
        self.deliver()

    def commit(self, assign: Callable[[], None]) -> None:
        """Call `assign`, which commits values to variables; signals wait until it is done."""
        self._is_committing = True
        try:
            assign()
        finally:
            self._is_committing = False
        self.deliver()

    def begin_ending(self) -> None:
        """Let the first signal that comes from now on wait until `end`."""
        self._is_ending = True

    def end(self) -> None:
        """Deliver a signal that came since `begin_ending`."""
        self._is_ending = False
        self.deliver()

    def deliver(self) -> None:
        """Call the handler of a signal that waits, at a moment when nothing is half done."""
        if self._pending is not None and not self._is_ending:
            number, self._pending = self._pending, None
            self._handlers[number](number, None)


def _is_in_bookkeeping(frame: FrameType | None) -> bool:
    """Whether nacre's own code is interrupted, rather than a user's, JAX's or a wait."""
    is_innermost = True
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_PACKAGE):
            return name.startswith(_BOOKKEEPING) if is_innermost else name in _VALUES
        frame, is_innermost = frame.f_back, False
    return False


def _is_donated(values: Any) -> bool:
    leaves = jax.tree.leaves(values)
    return any(isinstance(leaf, jax.Array) and leaf.is_deleted() for leaf in leaves)


__all__ = ["DeferredSignals"]
