"""Evaluate with the moving average of the weights."""

from __future__ import annotations

from typing import Any

from nacre.callbacks.base import Callback, Logs
from nacre.callbacks.run_plan import RunPlan
from nacre.core.errors import ArgumentError, message


class SwapEMAWeights(Callback):
    """Puts the optimizer's moving averages in the model's place while it is evaluated.

    The optimizer needs `use_ema=True`. The trained weights are back afterwards, except at the end
    of a training with `swap_on_epoch=True`, which leaves the averages in place. Before the first
    update of the optimizer there are no averages, and the weights stay.

    Args:
        swap_on_epoch: Whether averages stay in place at the end of the epoch, so that callbacks
            after this one (such as `ModelCheckpoint`) see them; they leave when the next begins.

    Raises:
        ArgumentError: The optimizer keeps no averages.
    Example:
        >>> SwapEMAWeights(swap_on_epoch=True).swap_on_epoch
        True
    """

    adds_logs = ()
    remembers = ("_trained",)

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = swap_on_epoch
        self._trained: list[Any] | None = None  # the weights the averages stand in for

    def check_run(self, plan: RunPlan) -> None:
        """Refuse an optimizer without averages."""
        self._averages()

    def _averages(self) -> list[Any]:
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
        return averages

    def _averaged(self) -> list[Any]:
        """The variables of the averages: all that are trained, unless the optimizer tells."""
        found = getattr(self.model.optimizer, "averaged_variables", None)
        return self.model.trainable_variables if found is None else found

    def _show_averages(self) -> None:
        averages = self._averages()
        # Before the first update there are no averages yet, only zeros.
        if self._trained is None and int(self.model.optimizer.iterations) > 0:
            variables = self._averaged()
            self._trained = [variable.value for variable in variables]
            for variable, average in zip(variables, averages, strict=True):
                variable.assign(average.value)

    def _show_trained(self) -> None:
        if self._trained is not None:
            for variable, value in zip(self._averaged(), self._trained, strict=True):
                variable.assign(value)
        self._trained = None

    def on_train_begin(self, logs: Logs = None) -> None:
        if not self.is_restored:
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
        # With swap_on_epoch, averages in place stay: they are what such a training ends with.
        # Without it they are only there when validation was interrupted.
        if not self.swap_on_epoch:
            self._show_trained()
        self._trained = None
