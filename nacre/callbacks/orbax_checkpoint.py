"""Write the model in Orbax's format while it trains, in the background."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from nacre.callbacks.arguments import make_folder
from nacre.callbacks.base import Logs
from nacre.callbacks.checkpoints import CheckpointCallback
from nacre.callbacks.run_plan import RunPlan
from nacre.core import tree
from nacre.core.errors import ArgumentError, message
from nacre.core.interop import optional_import
from nacre.core.nested_dicts import values_by_path
from nacre.core.numbers import whole_number

WEIGHTS = ("trainable_variables", "non_trainable_variables")


class OrbaxCheckpoint(CheckpointCallback):
    """Saves the model with Orbax, in folders `directory/1`, `directory/2` and so on.

    A folder appears complete or not at all. It holds weights, statistics and seeds, the optimizer's
    state and what metrics counted, laid out as Keras 3.15 does, and the config of the model with
    how it was compiled. `nacre.models.load_model(directory)` opens the newest, the optimizer with
    it; `model.load_weights(directory)` sets a model that was built and compiled as it was; both
    take one of the folders too. (Keras's own `load_model` of 3.15 leaves the weights as they were
    initialised.) For training that goes on with the same bits, data and callbacks included, use
    `fit(resume=...)`.

    Needs `pip install "nacre[orbax]"`.

    Args:
        directory: The folder.
        monitor: Quantity that decides what is best.
        verbose: 1 says what is written.
        save_best_only: Whether to write only when `monitor` improves.
        mode: 'min' or 'max': what is better; 'auto' asks the metric, see `MonitorCallback`.
        save_freq: 'epoch', or a number of batches, counted as in `ModelCheckpoint`. A folder has
            the number of the epoch (from 0), or of the batches so far. Where there is one with that
            number or a later one already, numbers go on from there (Keras raises).
        initial_value_threshold: Only values better than this are written.
        max_to_keep: How many of the newest folders are kept; None keeps all. Those of an earlier
            training in the same directory count too.
        save_on_background: Whether training goes on while files are written. The values are those
            of the moment of saving either way, and `fit` returns when all is written.
        save_weights_only: Whether to leave out the optimizer, metrics and the model's config.

    Raises:
        MissingPackageError: Orbax is not installed; before the first step.
        ArgumentError: `directory` is a file, or `max_to_keep` no positive int.
        MonitorError: The run does not log `monitor`, or its direction is unknown.
    Example:
        >>> OrbaxCheckpoint("checkpoints", save_freq=100, max_to_keep=3).max_to_keep
        3
    """

    remembers = (*CheckpointCallback.remembers, "_batches_seen")

    def __init__(
        self,
        directory: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
        max_to_keep: int | None = 1,
        save_on_background: bool = True,
        save_weights_only: bool = False,
    ) -> None:
        who = type(self).__name__
        if not isinstance(directory, str | os.PathLike):
            rule = "directory must be a path"
            raise ArgumentError(message(who, rule, repr(directory)[:100], "Pass 'checkpoints'."))
        self.directory = os.fspath(directory)
        if max_to_keep is not None:
            max_to_keep = whole_number(who, "max_to_keep", max_to_keep, or_else=" or None")
        self.max_to_keep = max_to_keep
        self.save_on_background = save_on_background
        self.save_weights_only = save_weights_only
        self._manager: Any = None
        super().__init__(monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_manager": None}  # which has threads

    def _check_target(self, plan: RunPlan) -> None:
        _orbax(self)
        folder = Path(self.directory)
        if folder.exists() and not folder.is_dir():
            rule = "directory must be a folder, or free"
            raise ArgumentError(message(type(self).__name__, rule, f"{self.directory!r}, a file"))
        make_folder(type(self).__name__, folder)  # what cannot be made is better known now

    def _write(
        self, epoch: int, batch: int | None, logs: Logs, current: float | None
    ) -> str | None:
        orbax = _orbax(self)
        manager = self._manager = self._manager or self._opened()
        number = epoch if batch is None else self._batches_seen
        latest = manager.latest_step()
        number = number if latest is None else max(number, latest + 1)
        values = self.model.get_state_tree("numpy_array")
        if self.save_weights_only:
            values = {name: values[name] for name in WEIGHTS}
        # Copies: the next step overwrites what the arrays may be views of.
        items = {"pytree": orbax.args.PyTreeSave(tree.map_structure(np.array, values))}
        # Orbax sorts names; nacre's are in the order of the layers.
        order = {
            name: [list(path) for path in values_by_path(group)] for name, group in values.items()
        }
        note = {"version": sys.modules["nacre"].__version__, "order": json.dumps(order)}
        items["nacre"] = orbax.args.PyTreeSave({**note, "form": np.int32(1)})
        if not self.save_weights_only:
            config = {"config": self.model.to_json(), "form": np.int32(1)}
            items["model_config"] = orbax.args.PyTreeSave(config)
        with self._errors_say_what_to_do():
            manager.save(number, args=orbax.args.Composite(**items), force=True)
        return os.path.join(self.directory, str(number))

    def _opened(self) -> Any:
        orbax = _orbax(self)
        options = orbax.CheckpointManagerOptions(
            max_to_keep=self.max_to_keep,
            enable_async_checkpointing=self.save_on_background,
        )
        return orbax.CheckpointManager(os.path.abspath(self.directory), options=options)

    def wait_until_finished(self) -> None:
        """Return when everything is written.

        Raises:
            OSError: Something could not be written, on a full disk say.
        """
        if self._manager is not None:
            with self._errors_say_what_to_do():
                self._manager.wait_until_finished()

    def on_train_end(self, logs: Logs = None) -> None:
        manager, self._manager = self._manager, None
        if manager is None:
            return
        with self._errors_say_what_to_do():
            try:
                manager.wait_until_finished()
            finally:
                manager.close()

    @contextlib.contextmanager
    def _errors_say_what_to_do(self) -> Generator[None]:
        """A block whose errors of writing, here or in the background, say what is whole."""
        try:
            yield
        except (OSError, ValueError) as error:  # ValueError is what TensorStore makes of both
            reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
            rule = "a checkpoint must be written completely; the folders with a number are whole"
            fix = "Look at the room on the disk and at the folder's permissions."
            raise OSError(message(type(self).__name__, rule, reason, fix)) from error


def _orbax(callback: OrbaxCheckpoint) -> Any:
    return optional_import("orbax.checkpoint", extra="orbax", who=type(callback).__name__)
