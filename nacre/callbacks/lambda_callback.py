"""A callback from functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nacre.callbacks.base import Callback
from nacre.core.errors import ArgumentError, message, nearest

_HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class LambdaCallback(Callback):
    """Calls functions given for single hooks.

    Args:
        on_epoch_begin, on_epoch_end: Functions of (epoch, logs).
        on_train_begin, on_train_end: Functions of (logs).
        on_train_batch_begin, on_train_batch_end: Functions of (batch, logs); with one of them
            training goes one batch at a time.
        kwargs: Functions for any other hook, such as `on_test_end`.

    Raises:
        ArgumentError: A name is no hook, or what is given for a hook no function.
    Example:
        >>> said = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch))
        >>> said.on_epoch_end(3, {})
        3
    """

    remembers = ()

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        functions = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, function in functions.items():
            if function is not None and name in _HOOKS and not callable(function):
                rule = f"{name} must be a function"
                raise ArgumentError(message("LambdaCallback", rule, repr(function)[:100]))
            # A function under any other name would never be called.
            if name not in _HOOKS and (name.startswith("on_") or callable(function)):
                hint = nearest(name, _HOOKS)
                fix = f"Did you mean {hint!r}?" if hint else f"Hooks: {', '.join(_HOOKS)}."
                rule = "names must be hooks of Callback"
                raise ArgumentError(message("LambdaCallback", rule, repr(name), fix))
            if function is not None:
                setattr(self, name, function)
