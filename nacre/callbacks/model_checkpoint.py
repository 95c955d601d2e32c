"""Write the model while it trains."""

from __future__ import annotations

import os
import re
import string
from pathlib import Path
from typing import Any, TypedDict, Unpack

from nacre.callbacks.arguments import make_folder
from nacre.callbacks.base import Logs
from nacre.callbacks.checkpoints import CheckpointCallback
from nacre.callbacks.kept_files import KeptFiles
from nacre.callbacks.run_plan import RunPlan
from nacre.core.addresses import file_name, is_address
from nacre.core.errors import ArgumentError, MonitorError, message, nearest, refuse_unknown
from nacre.core.numbers import whole_number
from nacre.core.warning import warn


class ModelCheckpointKeywords(TypedDict, total=False):
    """What tf.keras 2 took."""

    period: int
    save_format: str | None
    options: object
    load_weights_on_restart: bool


class ModelCheckpoint(CheckpointCallback):
    """Saves the model, or its weights, after epochs or every so many batches.

    Files appear complete or not at all, as `model.save` writes them: where writing fails, because
    the disk is full say, training ends with an error and the file of before is whole.

    Args:
        filepath: Where to write. `{epoch}`, `{batch}` and names of logs are filled in, such as
            'model-{epoch:02d}-{val_loss:.2f}.keras'; an address too, as in `model.save`.
        monitor: Quantity that decides what is best.
        verbose: 1 says what is written.
        save_best_only: Whether to write only when `monitor` improves.
        save_weights_only: Whether to write weights instead of the whole model.
        mode: 'min' or 'max': what is better; 'auto' asks the metric, see `MonitorCallback`.
        save_freq: 'epoch', or a number of batches, counted over all epochs and over all trainings
            of one model. Where several batches run in one go (`steps_per_execution`), the file is
            written when the go is over in which the number was reached.
        initial_value_threshold: Only values better than this are written.
        keep_last: How many of the newest files are kept (not in Keras). An older one is removed
            once the next is written completely.
        keep_best: How many of the best files are kept, by `monitor` (not in Keras). A model that is
            not among them is not written, unless `keep_last` wants it. With both, a file stays as
            long as it is among the last or among the best.
        kwargs: Of tf.keras 2: `period`, the number of epochs between two files; `save_format`,
            which the ending of the path says too; `options` and `load_weights_on_restart=False`,
            which mean nothing here.

    What cannot be written is refused before the first step: a path that `model.save` does not take,
    a monitor or a name in the path that is never logged when files are written. Settings with which
    this training will write nothing are warned of.

    Of the files in the folder only those are ever removed that this object wrote, or the one whose
    state it was given to go on from, and that nobody has replaced since. What it wrote is known on
    in the next training of the same model; with another model it begins anew, and the files of the
    one before stay.

    Raises:
        ArgumentError: `save_freq` is neither 'epoch' nor a positive int, or more than one file is
            to be kept under one name.
        FileFormatError: The path has an ending `model.save` does not take.
        MonitorError: The run does not log `monitor` or a name in `filepath`; before the first step,
            or where code of the user may log it, when the first file should be written.
    Example:
        >>> ModelCheckpoint("best.keras", monitor="val_accuracy", save_best_only=True).mode
        'auto'
        >>> ModelCheckpoint("run-{epoch:03d}.keras", keep_last=3).keep_last
        3
    """

    remembers = (*CheckpointCallback.remembers, "_files_written")

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
        *,
        keep_last: int | None = None,
        keep_best: int | None = None,
        **kwargs: Unpack[ModelCheckpointKeywords],
    ) -> None:
        who = type(self).__name__
        if not isinstance(filepath, str | os.PathLike):
            rule = "filepath must be a path"
            raise ArgumentError(message(who, rule, repr(filepath)[:100], "Pass 'best.keras'."))
        self.filepath = os.fspath(filepath)
        self._fields = _fields(who, self.filepath)
        self.keep_last = _kept(who, "keep_last", keep_last, self._fields, self.filepath)
        self.keep_best = _kept(who, "keep_best", keep_best, self._fields, self.filepath)
        self._kept_files = KeptFiles(who, self.keep_last, self.keep_best, self.is_better)
        self.save_weights_only = save_weights_only
        period = kwargs.pop("period", 1)
        _refuse_old_arguments(who, self.filepath, kwargs)
        super().__init__(
            monitor,
            verbose,
            save_best_only,
            mode,
            save_freq,
            initial_value_threshold,
            period,
        )

    def _start_anew(self) -> None:
        super()._start_anew()
        self._kept_files.files = []

    @property
    def _files_written(self) -> list[list[Any]]:
        return self._kept_files.as_plain()

    @_files_written.setter
    def _files_written(self, files: list[list[Any]]) -> None:
        self._kept_files.restore(files)

    @property
    def _compares(self) -> bool:
        return self.save_best_only or self.keep_best is not None

    def _check_target(self, plan: RunPlan) -> None:
        self._check_fields(plan)
        self.model.check_save_path(self._example_path(), weights_only=self.save_weights_only)
        if is_address(self.filepath):
            if self.keep_last is not None or self.keep_best is not None:
                rule = "keep_last and keep_best need files on a disk of this machine"
                got = f"the address of {file_name(self.filepath)!r}"
                raise ArgumentError(message(type(self).__name__, rule, got))
            return
        folder = Path(self.filepath).parent
        if not _fields(type(self).__name__, str(folder)):  # what cannot be made is better known now
            make_folder(type(self).__name__, folder)

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

    def _is_wanted(self, current: float) -> bool:
        if self.save_best_only:
            return self.is_better(current, self.best)
        threshold = self.initial_value_threshold
        if threshold is not None and not self.is_better(current, threshold):
            return False
        return self._kept_files.has_room(current)

    def _write(
        self, epoch: int, batch: int | None, logs: Logs, current: float | None
    ) -> str | None:
        path = self._path(epoch, batch, logs)
        if path is None:
            return None
        better = self._kept_files.would_spoil(path, current)
        if better is not None:
            rule = "a file that is kept as one of the best is not overwritten by a worse model"
            got = f"{self.monitor} {current} for {path!r}, which has {better.value}"
            fix = f"Put {{epoch}} and {{{self.monitor}}} into filepath."
            warn(message(type(self).__name__, rule, got, fix))
            return None
        if not is_address(path):
            make_folder(type(self).__name__, Path(path).parent)
        write = self.model.save_weights if self.save_weights_only else self.model.save
        write(path, overwrite=True)
        if self.keep_last is not None or self.keep_best is not None:
            self._kept_files.add(path, current)
        return path

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


def _kept(who: str, name: str, value: Any, fields: list[str], filepath: str) -> int | None:
    """How many files are kept; several need names that differ."""
    if value is None:
        return None
    found = whole_number(who, name, value, or_else=" or None")
    if found > 1 and not fields:
        raise ArgumentError(
            message(
                who,
                f"with {name} above 1, the names of the files must differ",
                f"{name}={found}, filepath={filepath!r}",
                "Put {epoch} into the name, such as 'model-{epoch:03d}.keras'.",
            )
        )
    return found


_ENDINGS = {"h5": ".h5", "hdf5": ".h5", "keras": ".keras"}


def _refuse_old_arguments(who: str, filepath: str, kwargs: Any) -> None:
    """What tf.keras 2 took and means something that is not done here."""
    kwargs.pop("options", None)
    if kwargs.pop("load_weights_on_restart", False):
        raise ArgumentError(
            message(
                who,
                "weights are not loaded by a callback",
                "load_weights_on_restart=True",
                f"Call model.load_weights({filepath!r}) before fit.",
            )
        )
    save_format = kwargs.pop("save_format", None)
    if save_format is not None and not filepath.endswith(_ENDINGS.get(save_format, "\0")):
        raise ArgumentError(
            message(
                who,
                "the ending of filepath says the format",
                f"save_format={save_format!r}, filepath={filepath!r}",
                "Let the path end in .keras or .h5, and leave save_format out.",
            )
        )
    refuse_unknown(who, kwargs, ModelCheckpoint)


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
