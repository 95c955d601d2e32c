"""Stop when a quantity no longer gets better."""

from __future__ import annotations

from typing import Any

from nacre.callbacks.arguments import count
from nacre.callbacks.base import Logs
from nacre.callbacks.monitor import MonitorCallback
from nacre.callbacks.run_plan import RunPlan
from nacre.core.errors import message
from nacre.core.numbers import number
from nacre.core.warning import warn


class EarlyStopping(MonitorCallback):
    """Stops training when the watched quantity has not improved for `patience` epochs.

    With `restore_best_weights=True` the model ends with the weights of its best epoch however
    training ends: stopped here, stopped by something else, at its last epoch, or by an error.
    One object may serve many trainings; each starts afresh.

    Args:
        monitor: Name of the quantity.
        min_delta: A change smaller than this is no improvement.
        patience: Epochs without improvement that are allowed.
        verbose: 1 says when it acts.
        mode: 'min' or 'max': what is better; 'auto' asks the metric, see `MonitorCallback`.
        baseline: Patience starts anew only at improvements on this value too.
        restore_best_weights: Whether to end with the weights of the best epoch.
        start_from_epoch: Epochs before this one (from 0) are not watched.

    Raises:
        ArgumentError: `mode` is unknown or `patience` negative.
        MonitorError: The run does not log `monitor`, or its direction is unknown; before the
            first step, or where code of the user may log it, at the end of the first epoch.
    Example:
        >>> EarlyStopping("val_accuracy", patience=3, mode="max").more_is_better()
        True
    """

    adds_logs = ()
    remembers = (
        *MonitorCallback.remembers,
        "wait",
        "stopped_epoch",
        "best_epoch",
        "best_weights",
    )

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        who = type(self).__name__
        self.patience = count(who, "patience", patience)
        self.verbose = verbose
        self.baseline = None if baseline is None else number(who, "baseline", baseline)
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = count(who, "start_from_epoch", start_from_epoch)
        self._reset()

    def check_run(self, plan: RunPlan) -> None:
        """Refuse an unknown monitor; warn where no epoch will be watched."""
        super().check_run(plan)
        if plan.first_epoch < plan.epochs <= self.start_from_epoch:
            warn(
                message(
                    type(self).__name__,
                    "start_from_epoch must lie within the epochs of the training, or nothing is "
                    "watched and no weights are restored",
                    f"start_from_epoch={self.start_from_epoch}, epochs={plan.epochs}",
                    f"Epochs count from 0: pass at most {plan.epochs - 1}, or train longer.",
                )
            )

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        if not self.is_restored:
            self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        current = self.value(logs, epoch)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._remember(epoch)  # also if nothing ever improves, as with NaN
        self.wait += 1
        if self.is_better(current, self.best):
            self._remember(epoch)
            self.best = current
            if self.baseline is None or self.is_better(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _remember(self, epoch: int) -> None:
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()
        self.best_epoch = epoch

    def on_train_end(self, logs: Logs = None) -> None:
        if self.verbose and self.stopped_epoch:
            self.say(f"Epoch {self.stopped_epoch + 1}: early stopping, {self._best_text()}.")
        if self.best_weights is not None:
            if self.verbose:
                self.say(f"Weights of epoch {self.best_epoch + 1}, the best one, are restored.")
            self.model.set_weights(self.best_weights)
            self.best_weights = None  # the copy is of no more use

    def _best_text(self) -> str:
        if self.best is None:
            return f"{self.monitor} never improved"
        return f"best {self.monitor} {self.best:.4f} in epoch {self.best_epoch + 1}"
