"""Say which hyper-parameters a run had, and how it ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from nacre.callbacks.base import Callback, Logs
from nacre.core.errors import ArgumentError, message
from nacre.summary.event_file import EventFile
from nacre.summary.hparams import checked, write_end, write_start
from nacre.summary.writer import FileWriter, SummaryWriter, local_folder


class HParamsCallback(Callback):
    """Writes the hyper-parameters of each training for TensorBoard's page that compares runs.

    What they are compared by are the scalars in the same folder and below it, as `TensorBoard`
    writes them: `TensorBoard(folder)` and `HParamsCallback(folder, {...})` go together. So does
    `TensorBoard(folder, hparams={...})`, which needs no second callback.

    Args:
        writer: The run's folder, or a writer of `nacre.summary.create_file_writer`.
        hparams: Value by name, or by `nacre.summary.hparams.HParam`.
        trial_id: Runs with the same one are the same trial, repeated; by default those with the
            same values.

    Raises:
        ArgumentError: `hparams` is no dict, or `writer` neither path nor writer.
    Source:
        tensorboard.plugins.hparams.api.KerasCallback. Differs: a training that an error or Ctrl-C
        ended is written as failed.
    Example:
        >>> HParamsCallback("logs/run1", {"units": 16}).hparams
        {'units': 16}
    """

    adds_logs = ()
    remembers = ()
    writes = True

    def __init__(
        self,
        writer: str | os.PathLike[str] | SummaryWriter,
        hparams: Mapping[Any, Any],
        trial_id: str | None = None,
    ) -> None:
        if not isinstance(trial_id, str | None):
            rule = "trial_id must be a string"
            raise ArgumentError(message("HParamsCallback", rule, repr(trial_id)[:100]))
        self.hparams = checked("HParamsCallback", hparams)
        self.trial_id = trial_id
        is_writer = isinstance(writer, SummaryWriter)
        self.writer = writer if is_writer else local_folder("HParamsCallback", "writer", writer)
        self._session: Session | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self._session = Session(self.writer, self.hparams, self.trial_id)

    def on_train_end(self, logs: Logs = None) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.end()


class Session:
    """A training that is under way, as the page of hyper-parameters knows it.

    Args:
        writer: The run's folder, whose file is closed at the end; or a writer, which is not.
        hparams: Plain values by name.
        trial_id: Of the trial.
    """

    def __init__(
        self, writer: str | SummaryWriter, hparams: Mapping[str, Any], trial_id: str | None = None
    ) -> None:
        self._closes = not isinstance(writer, SummaryWriter)
        if not isinstance(writer, SummaryWriter):
            writer = FileWriter(EventFile(writer, "hparams", ".v2"))
        self._writer = writer
        # Hooks run while an error is on its way that ends the training. One that was there before
        # has nothing to do with it.
        self._error_before = sys.exception()
        write_start(writer, hparams, trial_id)
        writer.flush()

    def end(self) -> None:
        """Write how it ended."""
        try:
            write_end(self._writer, sys.exception() is self._error_before)
        finally:
            self._writer.close() if self._closes else self._writer.flush()


__all__ = ["HParamsCallback", "Session"]
