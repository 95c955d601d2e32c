"""Set the learning rate at the start of each epoch."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from nacre.callbacks.base import Callback, Logs
from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import number
from nacre.core.older import is_older_meant


class LearningRateScheduler(Callback):
    """Asks a function for the learning rate before each epoch.

    Adds `learning_rate` to the logs.

    Args:
        schedule: `schedule(epoch, learning_rate)` or `schedule(epoch)`, epochs from 0.
        verbose: 1 says what is set.

    Raises:
        ArgumentError: `schedule` is no function, or gives something that is no number.
    Example:
        >>> halve = LearningRateScheduler(lambda epoch, rate: rate / 2)
        >>> halve.verbose
        0
    """

    adds_logs = ("learning_rate",)
    remembers = ()

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            rule = "schedule must be a function of the epoch (and the learning rate)"
            fix = "Pass for example lambda epoch, rate: rate * 0.9."
            raise ArgumentError(message("LearningRateScheduler", rule, repr(schedule)[:100], fix))
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        optimizer = self.model.optimizer
        rate = self.schedule(*self._arguments(epoch, float(optimizer.learning_rate)))
        if rate is None:
            rule, fix = "what the schedule gives must be a number", "Is its `return` missing?"
            raise ArgumentError(message("LearningRateScheduler", rule, "None", fix))
        rate = number("LearningRateScheduler", "what the schedule gives", rate)
        optimizer.learning_rate = rate
        if self.verbose:
            self.say(f"Epoch {epoch + 1}: learning rate {rate:.3g}.")

    def _arguments(self, epoch: int, rate: float) -> tuple[float, ...]:
        try:
            inspect.signature(self.schedule).bind(epoch, rate)
        except TypeError:  # a function of the epoch alone
            return (epoch,)
        except ValueError:  # a built-in without signature
            pass
        return epoch, rate

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)
            if is_older_meant():
                logs["lr"] = logs["learning_rate"]  # its name in tf.keras 2
