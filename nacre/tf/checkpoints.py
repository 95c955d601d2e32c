"""`tf.train.Checkpoint` and `CheckpointManager`: TensorFlow's files of variables of any objects."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nacre.core.errors import AbsentFileError, ArgumentError, WeightsMismatchError, listed, message
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.core.wire.bundle import Bundle, files_of
from nacre.core.wire.tensorflow.dtypes import dtype_of
from nacre.saving.checkpoint_graph import find
from nacre.saving.formats.checkpoint_objects import (
    Restored,
    restore_objects,
    warn_of_missing,
)
from nacre.saving.formats.checkpoint_writer import is_kept, save_objects, write_state

_LISTED = re.compile(r'^all_model_checkpoint_paths: "((?:[^"\\]|\\.)*)"', re.MULTILINE)

_KEPT_AT = re.compile(r"^last_preserved_timestamp: ([0-9.e+]+)$", re.MULTILINE)


class NotRestoredError(WeightsMismatchError, AssertionError):
    """Objects and a checkpoint do not match, and scripts catch TensorFlow's AssertionError."""


class CheckpointStatus:
    """What `restore` has found.

    Args:
        found: What was missing on either side; None where there was no checkpoint.
        who: What errors call it.
    """

    def __init__(self, found: Restored | None, who: str) -> None:
        self._found, self._who = found, who

    def assert_consumed(self) -> CheckpointStatus:
        """Raise unless all of the file was taken, and all objects found their values in it."""
        return self._assert(is_whole=True)

    def assert_existing_objects_matched(self) -> CheckpointStatus:
        """Raise unless all objects found their values in the file."""
        return self._assert(is_whole=False)

    def assert_nontrivial_match(self) -> CheckpointStatus:
        """The same: what is wholly absent was told at `restore`."""
        return self._assert(is_whole=False)

    def expect_partial(self) -> CheckpointStatus:
        """Nothing is said of what the file has besides."""
        return self

    def initialize_or_restore(self, session: Any = None) -> None:
        """Nothing: variables have their values."""

    run_restore_ops = initialize_or_restore

    def _assert(self, is_whole: bool) -> CheckpointStatus:
        if self._found is None:
            rule = "a checkpoint must have been restored"
            raise NotRestoredError(message(self._who, rule, "None for its path"))
        parts = []
        missing = _counted_out(self._found.missing)
        if missing:
            parts.append(f"nothing for {listed(missing, 6)}")
        if is_whole and self._found.left:
            parts.append(f"{listed(self._found.left, 6)}, which no object has")
        if parts:
            rule, fix = "objects and file must match", "Use expect_partial() for a part of a file."
            raise NotRestoredError(message(self._who, rule, "; ".join(parts), fix))
        return self


class Checkpoint:
    """The variables of objects, written to and read from TensorFlow's files.

    Objects are variables, layers, models (a compiled one with its optimizer), optimizers, metrics,
    `tf.Module`s, and lists and dicts of them.

    Args:
        root: An object whose attributes are saved as the checkpoint's own.
        kwargs: Objects by name.

    Raises:
        ArgumentError: Something that has no variables, or a name that is the checkpoint's own.
    Source:
        TensorFlow 2.15, tf.train.Checkpoint. Differs: variables that the file has nothing for are
        told at once, or when they are made; iterators of data sets are not saved, which a warning
        says.
    Example:
        >>> import tempfile
        >>> step = Variable(1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Checkpoint(step=step).save(f"{folder}/ckpt")
        ...     _ = step.assign(5)
        ...     _ = Checkpoint(step=step).restore(path).assert_consumed()
        >>> int(step.numpy()), path.rpartition("/")[2]
        (1, 'ckpt-1')
    """

    _when_given: Callable[[str, Any], None] | None = None  # of attributes, once restored

    def __init__(self, root: Any = None, **kwargs: Any) -> None:
        self._root = root
        for name, value in kwargs.items():
            if name.startswith("_") or hasattr(Checkpoint, name):
                rule = "names of objects must be free, and not begin with '_'"
                raise ArgumentError(message("tf.train.Checkpoint", rule, f"'{name}'"))
            if hasattr(value, "__next__"):
                warn(
                    f"tf.train.Checkpoint: '{name}' is an iterator, and its place in the data is "
                    "not saved; a training that goes on begins a new pass."
                )
            elif not is_kept(value) and not _is_empty(value):
                raise ArgumentError(
                    message(
                        "tf.train.Checkpoint",
                        "it takes variables, layers, models, optimizers, metrics, modules, and "
                        "lists and dicts of them",
                        f"{name}={type(value).__name__}",
                        "Put a number into a tf.Variable.",
                    )
                )
            setattr(self, name, value)
        self._counter: Variable | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        """Keep an object; after `restore` it takes its values from the file."""
        super().__setattr__(name, value)
        if self._when_given is not None and not name.startswith("_"):
            self._when_given(name, value)

    @property
    def save_counter(self) -> Variable:
        """How often it was saved."""
        if self._counter is None:
            self._counter = Variable(0, dtype="int32", trainable=False, name="save_counter")
            self._counter._is_counter = True  # type: ignore[attr-defined]
        return self._counter

    def _children_in_checkpoints(self) -> dict[str, Any]:
        """What it holds, by attributes."""
        found = {k: v for k, v in vars(self).items() if not k.startswith("_") and is_kept(v)}
        if self._root is not None:
            from nacre.saving.formats.checkpoint_writer import _children

            found = dict(_children(self._root)) | found
        # One within another is saved by that alone, and has no count.
        return found if self._counter is None else found | {"save_counter": self._counter}

    def write(self, file_prefix: Any, options: Any = None) -> str:
        """Write the files of this very name; gives it."""
        name = _text(file_prefix)
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        _ = self.save_counter
        save_objects(self, path, f"tf.train.Checkpoint.write('{path}')")
        return name  # as it was given: './ckpt' stays './ckpt', which scripts print and compare

    def save(self, file_prefix: Any, options: Any = None) -> str:
        """Write files whose name ends in the number of the save; gives it."""
        self.save_counter.assign_add(1)
        path = self.write(f"{_text(file_prefix)}-{int(self.save_counter.numpy())}")
        folder, name = Path(path).parent, Path(path).name
        write_state(folder, [*_others(folder, name), name], "tf.train.Checkpoint.save")
        return path

    def read(self, save_path: Any, options: Any = None) -> CheckpointStatus:
        """Set the variables from files of this name; those to come, when they are made.

        Raises:
            AbsentFileError: There is no checkpoint of this name.
            WeightsMismatchError: Shapes differ.
        """
        who = f"tf.train.Checkpoint.restore('{_text(save_path)}')"
        prefix = find(Path(_text(save_path)))
        if prefix is None:
            rule = "there must be a checkpoint of this name"
            fix = "Take the name from tf.train.latest_checkpoint(folder), or from save()."
            raise AbsentFileError(message(who, rule, "none", fix))
        _ = self.save_counter
        found = restore_objects(self, prefix, who)
        missing = _counted_out(found.missing)
        if missing:
            warn_of_missing(who, missing)
        return CheckpointStatus(found, who)

    def restore(self, save_path: Any, options: Any = None) -> CheckpointStatus:
        """The same; nothing is done for None, as where `latest_checkpoint` finds nothing."""
        if save_path is None:
            return CheckpointStatus(None, "tf.train.Checkpoint.restore(None)")
        return self.read(save_path)


def _counted_out(missing: list[str]) -> list[str]:
    """Without the count of saves, which `write` of older files has not."""
    return [name for name in missing if name != "save_counter"]


def _text(path: Any) -> str:
    if isinstance(path, np.ndarray):
        path = path.item()
    return path.decode() if isinstance(path, bytes) else os.fspath(path)


def _is_empty(value: Any) -> bool:
    return isinstance(value, list | tuple | Mapping) and not value


def _others(folder: Path, name: str) -> list[str]:
    """The checkpoints that the file `checkpoint` of a folder lists, and that are there still."""
    return [other for other in _known(folder) if other != name and _is_there(folder / other)]


def _is_there(prefix: Path) -> bool:
    return files_of(prefix)[0].is_file()


def _known(folder: Path) -> list[str]:
    try:
        text = (folder / "checkpoint").read_text("utf-8", "replace")
    except OSError:
        return []
    # Names alone: a file that is read must not lead out of its folder.
    return [re.split(r"[/\\]", found)[-1] for found in _LISTED.findall(text)]


class CheckpointManager:
    """Saves checkpoints under numbers, and removes old ones.

    Args:
        checkpoint: What is saved.
        directory: The folder, made where it is not there.
        max_to_keep: How many are kept; None for all.
        keep_checkpoint_every_n_hours: One is kept for good whenever so many hours have passed.
        checkpoint_name: What files' names begin with.
        step_counter: A variable whose value is the number of a checkpoint.
        checkpoint_interval: How many steps must lie between two.
        init_fn: What `restore_or_initialize` calls where there is no checkpoint.

    Source:
        TensorFlow 2.15, tf.train.CheckpointManager.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        directory: Any,
        max_to_keep: int | None,
        keep_checkpoint_every_n_hours: float | None = None,
        checkpoint_name: str = "ckpt",
        step_counter: Any = None,
        checkpoint_interval: int | None = None,
        init_fn: Callable[[], Any] | None = None,
    ) -> None:
        who = "tf.train.CheckpointManager"
        if max_to_keep is not None and max_to_keep <= 0:
            raise ArgumentError(message(who, "max_to_keep must be 1 or more", str(max_to_keep)))
        if checkpoint_interval is not None and step_counter is None:
            rule = "checkpoint_interval needs a step_counter"
            raise ArgumentError(
                message(who, rule, "None", "Pass step_counter=optimizer.iterations.")
            )
        self._checkpoint, self._directory = checkpoint, _text(directory)
        self._folder = Path(self._directory)
        self._max_to_keep, self._hours = max_to_keep, keep_checkpoint_every_n_hours
        self._name, self._step_counter = checkpoint_name, step_counter
        self._interval, self._init_fn = checkpoint_interval, init_fn
        self._last_step: int | None = None
        self._last_kept = _kept_at(self._folder)
        self._kept = [name for name in _known(self._folder) if _is_there(self._folder / name)]

    @property
    def directory(self) -> str:
        """The folder, as it was given."""
        return self._directory

    @property
    def checkpoint(self) -> Checkpoint:
        """What is saved."""
        return self._checkpoint

    @property
    def checkpoint_interval(self) -> int | None:
        """How many steps must lie between two."""
        return self._interval

    @property
    def checkpoints(self) -> list[str]:
        """The beginnings of the files' names, the newest last."""
        return [os.path.join(self._directory, name) for name in self._kept]

    @property
    def latest_checkpoint(self) -> str | None:
        """The newest; None where there is none."""
        return self.checkpoints[-1] if self._kept else None

    def save(
        self, checkpoint_number: Any = None, check_interval: bool = True, options: Any = None
    ) -> str | None:
        """Write one, and remove what is too old; gives its name, None where it is too early.

        Args:
            checkpoint_number: Its number; by default the step, or how often was saved.
            check_interval: Whether `checkpoint_interval` counts.
            options: Accepted for compatibility.
        """
        step = None if self._step_counter is None else _number(self._step_counter)
        if check_interval and self._interval is not None and self._last_step is not None:
            assert step is not None
            if step < self._last_step + self._interval:
                return None
        self._checkpoint.save_counter.assign_add(1)
        number = (
            _number(self._checkpoint.save_counter)
            if checkpoint_number is None
            else (_number(checkpoint_number))
        )
        if checkpoint_number is None and step is not None:
            number = step
        name = f"{self._name}-{number}"
        path = self._checkpoint.write(os.path.join(self._directory, name))
        self._last_step = step
        self._kept = [*(other for other in self._kept if other != name), name]
        removed = self._too_old()
        who = "tf.train.CheckpointManager.save"
        times = [_written_at(self._folder / name) for name in self._kept]
        write_state(self._folder, self._kept, who, times, self._last_kept)
        for other in removed:
            _remove(self._folder / other)
        return path

    def _too_old(self) -> list[str]:
        removed: list[str] = []
        while self._max_to_keep is not None and len(self._kept) > self._max_to_keep:
            name = self._kept.pop(0)
            written = _written_at(self._folder / name)
            if self._hours is not None and written - self._last_kept >= self._hours * 3600:
                self._last_kept = written
            else:
                removed.append(name)
        return removed

    def restore_or_initialize(self) -> str | None:
        """Read the newest, and give its name; else call `init_fn`, and give None."""
        latest = self.latest_checkpoint
        if latest is not None:
            self._checkpoint.restore(latest)
            if self._step_counter is not None:
                self._last_step = _number(self._step_counter)
            return latest
        if self._init_fn is not None:
            self._init_fn()
        return None


def _written_at(prefix: Path) -> float:
    return files_of(prefix)[0].stat().st_mtime


def _kept_at(folder: Path) -> float:
    """When the last checkpoint was written that is kept for good; now where there is none."""
    try:
        found = _KEPT_AT.search((folder / "checkpoint").read_text("utf-8", "replace"))
    except OSError:
        found = None
    return time.time() if found is None else float(found[1])


def _number(value: Any) -> int:
    return int(np.asarray(value.numpy() if hasattr(value, "numpy") else value))


def _remove(prefix: Path) -> None:
    for file in prefix.parent.glob(f"{_escaped(prefix.name)}.*"):
        if re.fullmatch(r"\.index|\.data-\d{5}-of-\d{5}", file.name[len(prefix.name) :]):
            file.unlink(missing_ok=True)


def _escaped(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


# ------------------------------------------------------------------ looking


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The beginning of the files' names of a folder's newest checkpoint; None for none."""
    directory = _text(checkpoint_dir)
    found = find(Path(directory)) if Path(directory).is_dir() else None
    if found is None:
        return None
    return str(found) if found.is_absolute() else os.path.join(directory, found.name)


class CheckpointState(NamedTuple):
    """The checkpoints of a folder.

    Attributes:
        model_checkpoint_path: The newest.
        all_model_checkpoint_paths: All that are there, the newest last.
    """

    model_checkpoint_path: str
    all_model_checkpoint_paths: list[str]


def get_checkpoint_state(
    checkpoint_dir: Any, latest_filename: str | None = None
) -> CheckpointState | None:
    """What a folder's file `checkpoint` lists; None where there is no checkpoint.

    Args:
        checkpoint_dir: The folder.
        latest_filename: Accepted for compatibility.
    """
    newest = latest_checkpoint(checkpoint_dir)
    if newest is None:
        return None
    folder = Path(_text(checkpoint_dir))
    directory = _text(checkpoint_dir)
    others = [os.path.join(directory, name) for name in _others(folder, Path(newest).name)]
    return CheckpointState(newest, [*others, newest])


class CheckpointReader:
    """The arrays of a checkpoint, by their names.

    Args:
        prefix: The beginning of the files' names.
    """

    def __init__(self, prefix: Path) -> None:
        self._bundle = Bundle(prefix)

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """Names and shapes."""
        return {name: list(entry.shape) for name, entry in self._bundle.entries.items() if name}

    def get_variable_to_dtype_map(self) -> dict[str, Any]:
        """Names and dtypes."""
        from nacre.tf.dtypes import as_dtype

        entries = self._bundle.entries.items()
        known = {name: dtype_of(entry.dtype) for name, entry in entries if name}
        return {name: as_dtype("string" if x is None else x) for name, x in known.items()}

    def has_tensor(self, tensor_str: str) -> bool:
        """Whether there is one of a name."""
        return tensor_str in self._bundle

    def get_tensor(self, tensor_str: str) -> np.ndarray:
        """It."""
        if tensor_str not in self._bundle:
            rule = "it must be one of the names in the file"
            names: Sequence[str] = list(self._bundle.entries)
            raise ArgumentError(message("get_tensor", rule, tensor_str, listed(list(names), 6)))
        return self._bundle.read(tensor_str)


def load_checkpoint(ckpt_dir_or_file: Any) -> CheckpointReader:
    """The arrays of a checkpoint, or of a folder's newest."""
    prefix = find(Path(_text(ckpt_dir_or_file)))
    if prefix is None:
        rule = "there must be a checkpoint"
        raise AbsentFileError(message("tf.train.load_checkpoint", rule, _text(ckpt_dir_or_file)))
    return CheckpointReader(prefix)


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """Names and shapes of a checkpoint's arrays, by name."""
    return sorted(load_checkpoint(ckpt_dir_or_file).get_variable_to_shape_map().items())


def load_variable(ckpt_dir_or_file: Any, name: str) -> np.ndarray:
    """One array of a checkpoint."""
    return load_checkpoint(ckpt_dir_or_file).get_tensor(name.removesuffix(":0"))


__all__ = [
    "Checkpoint",
    "CheckpointManager",
    "CheckpointReader",
    "CheckpointStatus",
    "get_checkpoint_state",
    "latest_checkpoint",
    "list_variables",
    "load_checkpoint",
    "load_variable",
]
