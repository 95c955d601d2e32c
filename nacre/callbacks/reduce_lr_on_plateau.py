"""Lower the learning rate when a quantity no longer gets better."""

from __future__ import annotations

from typing import TypedDict, Unpack

from nacre.callbacks.arguments import count, refuse_scheduled_rate
from nacre.callbacks.base import Logs
from nacre.callbacks.monitor import MonitorCallback
from nacre.callbacks.run_plan import RunPlan
from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import number
from nacre.core.older import is_older_meant
from nacre.core.warning import warn


class ReduceLROnPlateauKeywords(TypedDict, total=False):
    """A former name of `min_delta`."""

    epsilon: float


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by `factor` after `patience` epochs without improvement.

    Adds `learning_rate` to the logs.

    Args:
        monitor: Name of the quantity.
        factor: What the learning rate is multiplied by, below 1.
        patience: Epochs without improvement that are allowed.
        verbose: 1 says when it acts.
        mode: 'min' or 'max': what is better; 'auto' asks the metric, see `MonitorCallback`.
        min_delta: A change smaller than this is no improvement.
        cooldown: Epochs after a change that are not counted.
        min_lr: The learning rate is not made smaller than this.
        kwargs: `epsilon`, a former name of `min_delta`.

    Raises:
        ArgumentError: `factor` is not below 1, or a schedule decides the learning rate.
        MonitorError: The run does not log `monitor`, or its direction is unknown; before the
            first step, or where code of the user may log it, at the end of the first epoch.
    Example:
        >>> ReduceLROnPlateau(factor=0.5, patience=2).factor
        0.5
    """

    adds_logs = ("learning_rate",)
    remembers = (*MonitorCallback.remembers, "wait", "cooldown_counter")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Unpack[ReduceLROnPlateauKeywords],
    ) -> None:
        super().__init__(monitor, mode, kwargs.pop("epsilon", min_delta))
        if kwargs:
            rule = "arguments must be known"
            raise ArgumentError(message("ReduceLROnPlateau", rule, ", ".join(kwargs)))
        who = type(self).__name__
        self.factor = number(who, "factor", factor)
        if not 0 <= self.factor < 1:
            rule = "factor must be below 1 and not negative"
            raise ArgumentError(message(who, rule, repr(factor), "Pass factor=0.1."))
        self.patience = count(who, "patience", patience)
        self.verbose = verbose
        self.cooldown = count(who, "cooldown", cooldown)
        self.min_lr = number(who, "min_lr", min_lr)
        self._reset()

    def check_run(self, plan: RunPlan) -> None:
        """Refuse an unknown monitor and a schedule; warn where there is nothing to lower."""
        super().check_run(plan)
        optimizer, who = self.model.optimizer, type(self).__name__
        with_number = "Make the optimizer with a number, such as learning_rate=0.01"
        refuse_scheduled_rate(who, optimizer, f"{with_number}, or leave the callback out.")
        rate = optimizer.learning_rate
        if float(rate) <= self.min_lr:
            warn(
                message(
                    who,
                    "min_lr must be below the learning rate, or there is nothing to lower",
                    f"min_lr={self.min_lr:g}, a learning rate of {float(rate):g}",
                )
            )

    def _reset(self) -> None:
        self.best = None
        self.wait = 0
        self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        if not self.is_restored:
            self._reset()

    def in_cooldown(self) -> bool:
        """Whether epochs are not counted at the moment."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)
            if is_older_meant():
                logs["lr"] = logs["learning_rate"]  # its name in tf.keras 2
        current = self.value(logs, epoch)
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(current, self.best):
            self.best, self.wait = current, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        old = float(self.model.optimizer.learning_rate)
        # float32 rounding must not look like room for another step
        if old <= self.min_lr * (1 + 1e-6):
            return
        new = max(old * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = new
        self.cooldown_counter, self.wait = self.cooldown, 0
        if self.verbose:
            self.say(f"Epoch {epoch + 1}: learning rate lowered to {new:.3g}.")
