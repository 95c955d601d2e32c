"""The record of a training: what each epoch logged."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.callbacks.base import Callback, Logs
from nacre.core.variable import Variable


class History(Callback):
    """Keeps every epoch's results; `fit` returns it.

    Attributes:
        history: name -> list with one value for each epoch. What can change later is copied: of a
            variable that a callback logged, the learning rate say, its number at that time.
        epoch: The epochs' numbers.

    Example:
        >>> record = History()
        >>> record.on_train_begin()
        >>> record.on_epoch_end(0, {"loss": 0.5})
        >>> record.history
        {'loss': [0.5]}
    """

    adds_logs = ()
    remembers = ("history", "epoch")

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        if not self.is_restored:
            self.epoch = []
            self.history = {}

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(_as_it_is(value))
        if self.model is not None:
            self.model.history = self

    def __repr__(self) -> str:
        names = ", ".join(self.history)
        return f"<History of {len(self.epoch)} epochs: {names}>"


def _as_it_is(value: Any) -> Any:
    """A value that no later epoch changes."""
    if isinstance(value, Variable):
        array = value.numpy()
        return array if array.ndim else array.item()
    return value.copy() if isinstance(value, np.ndarray) else value
