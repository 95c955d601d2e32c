"""When a model is written while it trains: after which epochs or batches, always or if better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nacre.callbacks.base import Logs
from nacre.callbacks.monitor import MonitorCallback
from nacre.callbacks.run_plan import Log, RunPlan
from nacre.core.errors import ArgumentError, MonitorError, message
from nacre.core.numbers import number, whole_number
from nacre.core.warning import warn


class CheckpointCallback(MonitorCallback):
    """Decides when a model is written; what derives from it says how, in `_write`.

    Args:
        monitor: Quantity that decides what is best.
        verbose: 1 says what is written.
        save_best_only: Whether to write only when `monitor` improves.
        mode: 'min' or 'max': what is better; 'auto' asks the metric, see `MonitorCallback`.
        save_freq: 'epoch', or a number of batches, counted over all epochs and over all trainings
            of one model. Where several batches run in one go (`steps_per_execution`), the model is
            written when the go is over in which the number was reached.
        initial_value_threshold: Only values better than this are written.
        period: With save_freq='epoch', the number of epochs between two writings.
    """

    adds_logs = ()
    writes = True
    remembers = (*MonitorCallback.remembers, "_epoch", "_batches", "_last_batch", "_epochs")

    def __init__(
        self,
        monitor: str,
        verbose: int,
        save_best_only: bool,
        mode: str,
        save_freq: str | int,
        initial_value_threshold: float | None,
        period: int = 1,
    ) -> None:
        super().__init__(monitor, mode)
        who = type(self).__name__
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_freq = _save_freq(who, save_freq)
        self.period = whole_number(who, "period", period)
        self.initial_value_threshold = initial_value_threshold
        if initial_value_threshold is not None:
            number(who, "initial_value_threshold", initial_value_threshold)
        self._start_anew()
        self._epoch = 0
        self._last_batch = -1

    def _start_anew(self) -> None:
        """Forget what belongs to the model trained before."""
        self.best = self.initial_value_threshold
        self._batches = 0  # since the last writing
        self._batches_seen = 0
        self._epochs = 0  # since one was last due

    @property
    def _compares(self) -> bool:
        """Whether the watched quantity decides what is written."""
        return self.save_best_only

    def batch_hooks(self) -> set[str]:
        """`on_train_batch_end` only where batches are counted."""
        hooks = super().batch_hooks()
        is_own = type(self).on_train_batch_end is CheckpointCallback.on_train_batch_end
        return hooks - {"on_train_batch_end"} if self.save_freq == "epoch" and is_own else hooks

    def _watched_logs(self, plan: RunPlan) -> Mapping[str, Log]:
        return plan.epoch_logs if self.save_freq == "epoch" else plan.batch_logs

    def _may_be_logged(self, plan: RunPlan, name: str) -> bool:
        if self.save_freq == "epoch":
            return plan.may_log(name)
        return name in plan.batch_logs or plan.train_is_open

    def check_run(self, plan: RunPlan) -> None:
        """Refuse what can never be written; warn of what this training will not write."""
        who = type(self).__name__
        if self._compares:
            self._refuse_late_monitor(plan)
            super().check_run(plan)
            self._refuse_unbeatable()
        elif self.initial_value_threshold is not None:
            rule = (
                "initial_value_threshold counts only with save_best_only=True, so it does nothing"
            )
            warn(message(who, rule, "save_best_only=False", "Pass save_best_only=True."))
        self._plan = plan
        self._check_target(plan)
        epochs = plan.epochs - plan.first_epoch
        batches = (plan.steps or 0) * epochs
        if self.save_freq == "epoch":
            if 0 < epochs < self.period - self._epochs:
                rule = "period must be at most the number of epochs, or nothing is written"
                got = f"period={self.period}, {epochs} epochs in this training"
                warn(message(who, rule, got, "Pass a smaller one."))
        elif 0 < batches < int(self.save_freq) - self._batches:
            rule = "save_freq must be at most the number of batches, or nothing is written"
            got = f"save_freq={self.save_freq}, {batches} batches in this training"
            warn(message(who, rule, got, "Pass save_freq='epoch', or a smaller number."))

    def _check_target(self, plan: RunPlan) -> None:
        """Refuse a place that cannot be written to."""

    def _refuse_late_monitor(self, plan: RunPlan) -> None:
        """With batches counted, logs of the epoch's end are known too late."""
        if self._may_be_logged(plan, self.monitor) or not plan.may_log(self.monitor):
            return
        raise MonitorError(
            message(
                type(self).__name__,
                f"with save_freq={self.save_freq} (batches) the monitor must be a log of batches: "
                f"{', '.join(plan.batch_logs)}",
                f"{self.monitor!r}, which is only known when an epoch ends",
                f"Pass save_freq='epoch', or monitor={self.monitor.removeprefix('val_')!r}.",
            )
        )

    def _refuse_unbeatable(self) -> None:
        limit = float("inf") if self.more_is_better() else float("-inf")
        if self.initial_value_threshold == limit:
            rule = "some value must be better than initial_value_threshold"
            got = f"{limit} with mode={'max' if limit > 0 else 'min'!r}"
            raise ArgumentError(message(type(self).__name__, rule, got, "Leave it out."))

    def set_model(self, model: Any) -> None:
        """Receive the model. `best` is kept for a model that trains on, or going on would overwrite
        a better file; for another model, as in the next fold, it starts anew."""
        if self.model is not None and self.model is not model and not self.is_restored:
            self._start_anew()
        super().set_model(model)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch, self._last_batch = epoch, -1

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            return
        # Several batches may have run since the last call.
        if self._compares:
            self.value(logs, self._epoch)  # whether it comes is known now
        self._batches += batch - self._last_batch
        self._batches_seen += batch - self._last_batch
        self._last_batch = batch
        if self._batches >= int(self.save_freq):
            self._batches = 0
            self._save_if_better(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq != "epoch":
            return
        if self._compares:
            self.value(logs, epoch)  # whether it comes is known now
        self._epochs += 1
        if self._epochs >= self.period:
            self._epochs = 0
            self._save_if_better(epoch, None, logs)

    def _save_if_better(self, epoch: int, batch: int | None, logs: Logs) -> None:
        """Write unless only the best is wanted and this is not better."""
        current = self.value(logs, epoch) if self._compares else None
        if self._compares and current is None:
            return
        if current is not None and not self._is_wanted(current):
            if self.verbose:
                self.say(f"Epoch {epoch + 1}: {self.monitor} {current:.4f} is not better.")
            return
        path = self._write(epoch, batch, logs, current)
        if path is None:
            return
        is_best = current is not None and self.is_better(current, self.best)
        if is_best:
            self.best = current  # only now: a write that failed is tried again
        if self.verbose:
            why = f"{self.monitor} {current:.4f} is best, " if is_best else ""
            self.say(f"Epoch {epoch + 1}: {why}saved {path}.")

    def _is_wanted(self, current: float) -> bool:
        """Whether a model of this value is written."""
        return self.is_better(current, self.best)

    def _write(
        self, epoch: int, batch: int | None, logs: Logs, current: float | None
    ) -> str | None:
        """Write the model; returns where to, or None where nothing was written."""
        raise NotImplementedError


def _save_freq(who: str, save_freq: Any) -> str | int:
    if isinstance(save_freq, str) and save_freq == "epoch":
        return save_freq
    fix = "Pass save_freq='epoch'."
    return whole_number(who, "save_freq", save_freq, or_else=" (batches) or 'epoch'", fix=fix)
