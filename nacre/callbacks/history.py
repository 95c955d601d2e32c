"""The record of a training: what each epoch logged, and how long it took."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from nacre.callbacks.base import Callback, Logs
from nacre.callbacks.curves import curves_of, plot_curves
from nacre.core.variable import Variable


class History(Callback):
    """Keeps every epoch's results; `fit` returns it.

    Attributes:
        history: name -> list with one value for each epoch. What can change later is copied: of a
            variable that a callback logged, the learning rate say, its number at that time.
        epoch: The epochs' numbers.
        logged_in: name -> the epochs in which it was logged: validation may be rarer.
        seconds: How long each epoch took, its validation and callbacks before this one included.

    Example:
        >>> record = History()
        >>> record.on_train_begin()
        >>> record.on_epoch_end(0, {"loss": 0.5})
        >>> record.history
        {'loss': [0.5]}
    """

    adds_logs = ()
    remembers = ("history", "epoch", "logged_in", "seconds")

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        self.logged_in: dict[str, list[int]] = {}
        self.seconds: list[float] = []
        self._begun: float | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self._begun = None
        if not self.is_restored:
            self.epoch = []
            self.history = {}
            self.logged_in = {}
            self.seconds = []

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(_as_it_is(value))
            self.logged_in.setdefault(name, []).append(epoch)
        if self._begun is not None:
            self.seconds.append(time.perf_counter() - self._begun)
        if self.model is not None and self.model.history is not self:
            self.model.history = self

    def plot(
        self,
        names: str | list[str] | None = None,
        save: str | os.PathLike[str] | None = None,
    ) -> Any:
        """The curves over the epochs, as a figure of matplotlib: one picture a metric, its
        validation in the same picture.

        Args:
            names: Metrics to show, as they are called in training; all by default.
            save: A path to write the figure to, `.png`, `.svg` or `.pdf`.

        Raises:
            MissingPackageError: matplotlib is not installed: pip install "nacre[plot]".
            ArgumentError: There are no epochs, or no such metric.
        """
        wanted = [names] if isinstance(names, str) else names
        return plot_curves(curves_of(self.history, self.logged_in, wanted), save)

    def __repr__(self) -> str:
        names = ", ".join(self.history)
        return f"<History of {len(self.epoch)} epochs: {names}>"


def _as_it_is(value: Any) -> Any:
    """A value that no later epoch changes."""
    if isinstance(value, Variable):
        array = value.numpy()
        return array if array.ndim else array.item()
    return value.copy() if isinstance(value, np.ndarray) else value
