"""Evaluate with the moving average of the weights."""

from __future__ import annotations

from typing import Any

from nacre.callbacks.base import Callback, Logs
from nacre.core.errors import ArgumentError, message


class SwapEMAWeights(Callback):
    """Puts the optimizer's moving averages in the model's place while it is evaluated.

    The optimizer needs `use_ema=True`. The trained weights are back afterwards, except at the end
    of a training with `swap_on_epoch=True`, which leaves the averages in place.

    Args:
        swap_on_epoch: Whether averages stay in place at the end of the epoch, so that callbacks
            after this one (such as `ModelCheckpoint`) see them; they leave when the next begins.

    Raises:
        ArgumentError: The optimizer keeps no averages.
    Example:
        >>> SwapEMAWeights(swap_on_epoch=True).swap_on_epoch
        True
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = swap_on_epoch
        self._trained: list[Any] | None = None  # the weights the averages stand in for

    def _show_averages(self) -> None:
        averages = getattr(self.model.optimizer, "moving_averages", [])
        if not averages:
            raise ArgumentError(
                message(
                    "SwapEMAWeights",
                    "the optimizer must keep moving averages",
                    type(self.model.optimizer).__name__,
                    "Make it with use_ema=True.",
                )
            )
        if self._trained is None:
            variables = self.model.trainable_variables
            self._trained = [variable.value for variable in variables]
            for variable, average in zip(variables, averages, strict=True):
                variable.assign(average.value)

    def _show_trained(self) -> None:
        if self._trained is not None:
            for variable, value in zip(self.model.trainable_variables, self._trained, strict=True):
                variable.assign(value)
        self._trained = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self._trained = None

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._show_trained()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.swap_on_epoch:
            self._show_averages()

    def on_test_begin(self, logs: Logs = None) -> None:
        self._show_averages()

    def on_test_end(self, logs: Logs = None) -> None:
        self._show_trained()

    def on_predict_begin(self, logs: Logs = None) -> None:
        self._show_averages()

    def on_predict_end(self, logs: Logs = None) -> None:
        self._show_trained()

    def on_train_end(self, logs: Logs = None) -> None:
        # Averages still in place stay: they are what training with averages ends with.
        self._trained = None
