"""Freeze and unfreeze layers at given epochs of one training."""

# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nacre.callbacks.base import Callback, Logs
from nacre.callbacks.run_plan import RunPlan
from nacre.core.errors import ArgumentError, message, nearest
from nacre.core.numbers import is_whole


class TrainableSchedule(Callback):
    """Sets `trainable` of layers at the beginning of given epochs, within one `fit`.

    Training goes on with what is trainable then, as after another `compile` with the same optimizer
    object: variables that stay trainable keep their optimizer state, those that became it begin
    without, and the state of frozen ones is dropped. Each change compiles the step once more. The
    flags stay as they are when training ends; a training that begins later than an epoch
    (`initial_epoch`) begins with its changes.

    Args:
        schedule: epoch (from 0) -> {layer: whether it is trainable}. A layer is given as an object,
            or as a regular expression for the whole of its name, which several may match. The
            flag of a model, or of a layer with layers in it, is that of all of them.
        verbose: 1 says what is set.

    Raises:
        ArgumentError: An epoch is no whole number, a flag neither True nor False, or, before the
            first step, no layer has the name.
    Example:
        >>> unfreeze = TrainableSchedule({0: {"encoder": False}, 3: {"encoder": True}})
        >>> sorted(unfreeze.schedule)
        [0, 3]
    """

    adds_logs = ()
    changes_trainable = True
    remembers = ("_begun",)

    def __init__(self, schedule: Mapping[int, Mapping[Any, bool]], verbose: int = 0) -> None:
        fix = "Pass for example {3: {'encoder': True}}."
        if not isinstance(schedule, Mapping):
            rule = "schedule must be a mapping from epochs to layers and their flags"
            raise ArgumentError(message("TrainableSchedule", rule, repr(schedule)[:100], fix))
        for epoch, flags in schedule.items():
            if not is_whole(epoch, 0):
                rule = "an epoch must be an int from 0 on"
                raise ArgumentError(message("TrainableSchedule", rule, repr(epoch)[:100], fix))
            if not isinstance(flags, Mapping) or not all(
                f in (True, False) for f in flags.values()
            ):
                rule = "each epoch must have a mapping from layers to True or False"
                raise ArgumentError(message("TrainableSchedule", rule, repr(flags)[:100], fix))
        self.schedule = {int(epoch): dict(flags) for epoch, flags in schedule.items()}
        self.verbose = verbose
        self._begun = -1  # the last epoch whose changes were made

    def check_run(self, plan: RunPlan) -> None:
        """Refuse names that no layer has."""
        for flags in self.schedule.values():
            for layer in flags:
                self._layers(layer)

    def on_train_begin(self, logs: Logs = None) -> None:
        if not self.is_restored:
            self._begun = -1

    def catch_up(self, epochs: int) -> None:
        for due in sorted(self.schedule):
            if self._begun < due < epochs:
                self._set(due, self.schedule[due])
        self._begun = epochs - 1

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.catch_up(epoch + 1)

    def _set(self, epoch: int, flags: Mapping[Any, bool]) -> None:
        for given, flag in flags.items():
            for layer in self._layers(given):
                layer.trainable = bool(flag)
            if self.verbose:
                name = given if isinstance(given, str) else given.name
                self.say(f"Epoch {epoch + 1}: {name} {'trainable' if flag else 'frozen'}.")

    def _layers(self, given: Any) -> list[Any]:
        """The layers an entry stands for."""
        layers = self.model._flatten_layers()
        if isinstance(given, str):
            found = [layer for layer in layers if re.fullmatch(given, layer.name)]
        else:
            found = [layer for layer in layers if layer is given]
        if not found:
            names = [layer.name for layer in layers]
            close = nearest(given, names) if isinstance(given, str) else None
            raise ArgumentError(
                message(
                    "TrainableSchedule",
                    "every layer must be one of the model's",
                    repr(given if isinstance(given, str) else getattr(given, "name", given))[:100],
                    f"Did you mean {close!r}?" if close else f"Names are {', '.join(names[:8])}.",
                )
            )
        return found
