"""Write the model while it trains."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nacre.callbacks.base import Logs
from nacre.callbacks.monitor import MonitorCallback
from nacre.callbacks.run_plan import Log, RunPlan
from nacre.core.errors import ArgumentError, MonitorError, message, nearest
from nacre.core.numbers import number, whole_number
from nacre.core.warning import warn


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or its weights, after epochs or every so many batches.

    Files appear complete or not at all, as `model.save` writes them.

    Args:
        filepath: Where to write. `{epoch}`, `{batch}` and names of logs are filled in, such as
            'model-{epoch:02d}-{val_loss:.2f}.keras'.
        monitor: Quantity that decides what is best.
        verbose: 1 says what is written.
        save_best_only: Whether to write only when `monitor` improves.
        save_weights_only: Whether to write weights instead of the whole model.
        mode: 'min' or 'max': what is better; 'auto' asks the metric, see `MonitorCallback`.
        save_freq: 'epoch', or a number of batches, counted over all epochs. Where several batches
            run in one go (`steps_per_execution`), the file is written when the go is over in which
            the number was reached.
        initial_value_threshold: Only values better than this are written.

    What cannot be written is refused before the first step: a path that `model.save` does not take,
    a monitor or a name in the path that is never logged when files are written. Settings with which
    this training will write nothing are warned of.

    Raises:
        ArgumentError: `save_freq` is neither 'epoch' nor a positive int.
        FileFormatError: The path has an ending `model.save` does not take.
        MonitorError: The run does not log `monitor` or a name in `filepath`; before the first step,
            or where code of the user may log it, when the first file should be written.
    Example:
        >>> ModelCheckpoint("best.keras", monitor="val_accuracy", save_best_only=True).mode
        'auto'
    """

    adds_logs = ()
    remembers = (*MonitorCallback.remembers, "_epoch", "_batches", "_last_batch")

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        who = type(self).__name__
        self.save_freq = _save_freq(who, save_freq)
        if not isinstance(filepath, str | os.PathLike):
            rule = "filepath must be a path"
            raise ArgumentError(message(who, rule, repr(filepath)[:100], "Pass 'best.keras'."))
        self.filepath = os.fspath(filepath)
        self._fields = _fields(who, self.filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.initial_value_threshold = initial_value_threshold
        if initial_value_threshold is not None:
            number(who, "initial_value_threshold", initial_value_threshold)
        self.best = initial_value_threshold
        self._epoch = 0
        self._batches = 0  # since the last file
        self._last_batch = -1

    def batch_hooks(self) -> set[str]:
        """`on_train_batch_end` only where batches are counted."""
        hooks = super().batch_hooks()
        is_own = type(self).on_train_batch_end is ModelCheckpoint.on_train_batch_end
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
        if self.save_best_only:
            self._refuse_late_monitor(plan)
            super().check_run(plan)
            self._refuse_unbeatable()
        elif self.initial_value_threshold is not None:
            rule = (
                "initial_value_threshold counts only with save_best_only=True, so it does nothing"
            )
            warn(message(who, rule, "save_best_only=False", "Pass save_best_only=True."))
        self._plan = plan
        self._check_fields(plan)
        self.model.check_save_path(self._example_path(), weights_only=self.save_weights_only)
        folder = Path(self.filepath).parent
        if not _fields(who, str(folder)):  # what cannot be made is better known now
            folder.mkdir(parents=True, exist_ok=True)
        batches = (plan.steps or 0) * (plan.epochs - plan.first_epoch)
        if self.save_freq != "epoch" and 0 < batches < int(self.save_freq):
            rule = "save_freq must be at most the number of batches, or nothing is written"
            got = f"save_freq={self.save_freq}, {batches} batches in this training"
            warn(message(who, rule, got, "Pass save_freq='epoch', or a smaller number."))

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

    def _check_fields(self, plan: RunPlan) -> None:
        counted = ["epoch"] if self.save_freq == "epoch" else ["epoch", "batch"]
        known = [*counted, *self._watched_logs(plan)]
        for name in self._fields:
            if name in known or (name != "batch" and self._may_be_logged(plan, name)):
                continue
            hint = nearest(name, known)
            fix = f"Did you mean {{{hint}}}?" if hint else "Take it out."
            if name == "batch" or plan.knows(name):
                fix = "Take it out, or pass another save_freq."
            raise MonitorError(
                message(
                    type(self).__name__,
                    f"names in filepath must be of this run: {', '.join(known)}",
                    f"{{{name}}} in {self.filepath!r}",
                    fix,
                )
            )
        late = [name for name in self._fields if name.startswith("val_") and plan.knows(name)]
        epochs = range(plan.first_epoch, plan.epochs)
        if late and not all(plan.validates(epoch) for epoch in epochs):
            warn(
                message(
                    type(self).__name__,
                    f"files are written only after epochs with validation, as their names hold "
                    f"{{{late[0]}}}",
                    f"{sum(map(plan.validates, epochs))} of {len(epochs)} epochs are validated",
                    "Take it out of filepath, or pass validation_freq=1 to fit().",
                )
            )

    def _example_path(self) -> str:
        values: dict[str, Any] = {name: 0.5 for name in self._fields}
        return self._formatted({**values, "epoch": 1, "batch": 1})

    def set_model(self, model: Any) -> None:
        """Receive the model. `best` is kept for a model that trains on, or going on would overwrite
        a better file; for another model, as in the next fold, it starts anew."""
        if self.model is not None and self.model is not model and not self.is_restored:
            self.best = self.initial_value_threshold
        super().set_model(model)

    def on_train_begin(self, logs: Logs = None) -> None:
        if not self.is_restored:
            self._batches, self._last_batch = 0, -1

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch, self._last_batch = epoch, -1

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            return
        # Several batches may have run since the last call.
        self._batches += batch - self._last_batch
        self._last_batch = batch
        if self._batches >= int(self.save_freq):
            self._batches = 0
            self._save_if_better(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._save_if_better(epoch, None, logs)

    def _save_if_better(self, epoch: int, batch: int | None, logs: Logs) -> None:
        """Write unless only the best is wanted and this is not better."""
        current = self.value(logs, epoch) if self.save_best_only else None
        if self.save_best_only and current is None:
            return
        if current is not None and not self.is_better(current, self.best):
            if self.verbose:
                self.say(f"Epoch {epoch + 1}: {self.monitor} {current:.4f} is not better.")
            return
        path = self._path(epoch, batch, logs)
        if path is None:
            return
        if current is None:
            self._write(path, f"Epoch {epoch + 1}: saved {path}.")
            return
        self._write(path, f"Epoch {epoch + 1}: {self.monitor} {current:.4f} is best, saved {path}.")
        self.best = current  # only now: a write that failed is tried again

    def _path(self, epoch: int, batch: int | None, logs: Logs) -> str | None:
        """The file's name; None in an epoch that was not validated, whose logs its name needs."""
        values: dict[str, Any] = {**(logs or {}), "epoch": epoch + 1}
        if batch is not None:
            values["batch"] = batch + 1
        for name in self._fields:
            if name in values:
                continue
            if self._plan is not None and self._plan.is_unvalidated(name, epoch):
                return None
            raise MonitorError(
                message(
                    type(self).__name__,
                    f"names in filepath must be in the logs: {', '.join(values)}",
                    f"{{{name}}} in {self.filepath!r}",
                    "Take it out, or log it.",
                )
            )
        return self._formatted(values)

    def _formatted(self, values: dict[str, Any]) -> str:
        try:
            return self.filepath.format(**values)
        except (ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
            raise ArgumentError(
                message(
                    type(self).__name__,
                    "filepath must be a format that takes epoch and batch as whole numbers and "
                    "logs as floats",
                    f"{self.filepath!r} ({error})",
                    "Write for example 'model-{epoch:02d}-{val_loss:.2f}.keras'.",
                )
            ) from None

    def _write(self, path: str, text: str) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write = self.model.save_weights if self.save_weights_only else self.model.save
        write(path, overwrite=True)
        if self.verbose:
            self.say(text)


def _save_freq(who: str, save_freq: Any) -> str | int:
    if isinstance(save_freq, str) and save_freq == "epoch":
        return save_freq
    fix = "Pass save_freq='epoch'."
    return whole_number(who, "save_freq", save_freq, or_else=" (batches) or 'epoch'", fix=fix)


def _fields(who: str, filepath: str) -> list[str]:
    """The names that are filled in."""
    try:
        fields = [
            field for _, field, _, _ in string.Formatter().parse(filepath) if field is not None
        ]
    except ValueError as error:
        rule = "braces in filepath must stand around the names of logs"
        fix = "Write {{ and }} for braces of the path itself."
        raise ArgumentError(message(who, rule, f"{filepath!r} ({error})", fix)) from None
    names = [re.split(r"[.\[]", field)[0] for field in fields]
    if any(not name or name.isdigit() for name in names):
        rule = "names in filepath must be given, as they are filled in by name"
        fix = "Write for example {epoch} instead of {}."
        raise ArgumentError(message(who, rule, repr(filepath), fix))
    return list(dict.fromkeys(names))
