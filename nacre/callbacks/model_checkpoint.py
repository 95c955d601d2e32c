"""Write the model while it trains."""

from __future__ import annotations

import os
import string
from pathlib import Path
from typing import Any

from nacre.callbacks.base import Logs
from nacre.callbacks.monitor import MonitorCallback
from nacre.core.errors import ArgumentError, MonitorError, message, nearest


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
        mode: 'min' or 'max': what is better; 'auto' decides by the metric and its name.
        save_freq: 'epoch', or a number of batches.
        initial_value_threshold: Only values better than this are written.

    Raises:
        ArgumentError: `save_freq` is neither 'epoch' nor a positive int.
        MonitorError: The run does not log `monitor` or a name in `filepath`.
    Example:
        >>> ModelCheckpoint("best.keras", monitor="val_accuracy", save_best_only=True).mode
        'auto'
    """

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
        is_count = isinstance(save_freq, int) and save_freq > 0
        if save_freq != "epoch" and not is_count:
            rule = "save_freq must be 'epoch' or a positive number of batches"
            raise ArgumentError(
                message("ModelCheckpoint", rule, repr(save_freq), "Pass save_freq='epoch'.")
            )
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self.initial_value_threshold = initial_value_threshold
        self.best = initial_value_threshold
        self._epoch = 0
        self._batches = 0

    def batch_hooks(self) -> set[str]:
        """`on_train_batch_end` only where batches are counted."""
        hooks = super().batch_hooks()
        is_own = type(self).on_train_batch_end is ModelCheckpoint.on_train_batch_end
        return hooks - {"on_train_batch_end"} if self.save_freq == "epoch" and is_own else hooks

    def check_monitor(self, log_names: list[str]) -> None:
        """Refuse a monitor, or a name in the file's name, that this run will not log."""
        if self.save_best_only:
            super().check_monitor(log_names)
        known = ["epoch", "batch", *log_names]
        fields = [field for _, field, _, _ in string.Formatter().parse(self.filepath) if field]
        for field in fields:
            name = field.split(".")[0].split("[")[0]
            if name not in known:
                hint = nearest(name, known)
                raise MonitorError(
                    message(
                        "ModelCheckpoint",
                        f"names in filepath must be of this run: {', '.join(known)}",
                        f"{{{name}}} in {self.filepath!r}",
                        f"Did you mean {{{hint}}}?" if hint else "Take it out.",
                    )
                )

    def on_train_begin(self, logs: Logs = None) -> None:
        # `best` stays from one fit to the next, or going on would overwrite a better file.
        self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            return
        self._batches += 1
        if self._batches % int(self.save_freq) == 0:
            self._consider(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._consider(epoch, None, logs)

    def _consider(self, epoch: int, batch: int | None, logs: Logs) -> None:
        """Write unless only the best is wanted and this is not better."""
        path = self._path(epoch, batch, logs)
        if not self.save_best_only:
            self._write(path, f"Epoch {epoch + 1}: saved {path}.")
            return
        current = self.value(logs)
        if current is None:
            return
        if not self.is_better(current, self.best):
            if self.verbose:
                self.say(f"Epoch {epoch + 1}: {self.monitor} {current:.4f} is not better.")
            return
        self.best = current
        self._write(path, f"Epoch {epoch + 1}: {self.monitor} {current:.4f} is best, saved {path}.")

    def _path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        values: dict[str, Any] = {**(logs or {}), "epoch": epoch + 1}
        if batch is not None:
            values["batch"] = batch + 1
        try:
            return self.filepath.format(**values)
        except KeyError as error:
            raise MonitorError(
                message(
                    "ModelCheckpoint",
                    f"names in filepath must be in the logs: {', '.join(values)}",
                    f"{{{error.args[0]}}} in {self.filepath!r}",
                    "Take it out, or log it.",
                )
            ) from None

    def _write(self, path: str, text: str) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write = self.model.save_weights if self.save_weights_only else self.model.save
        write(path, overwrite=True)
        if self.verbose:
            self.say(text)
