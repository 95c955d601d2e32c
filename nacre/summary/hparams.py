"""Hyper-parameters of runs, for the viewer's page that compares them.

    from nacre.summary import hparams as hp

takes the place of `from tensorboard.plugins.hparams import api as hp`. Its `KerasCallback` is
`nacre.callbacks.HParamsCallback`; `TensorBoard(log_dir, hparams={...})` does the same.

Source of the numbers: tensorboard/plugins/hparams/{plugin_data,api}.proto; struct.proto of
Protocol Buffers for `Value`.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import as_number, number
from nacre.core.wire.protobuf import block, double, whole
from nacre.summary.messages import empty, metadata, summary_value
from nacre.summary.recording import is_due, recording
from nacre.summary.writer import SummaryWriter

_STRING, _BOOL, _FLOAT = 1, 2, 3  # api.proto, DataType
_DATASETS = {None: 0, "training": 1, "validation": 2}  # api.proto, DatasetType
_SUCCESS, _FAILURE = 1, 2  # api.proto, Status


class Discrete:
    """A domain of some values, all strings, all booleans, or all numbers.

    Args:
        values: The values.
        dtype: str, bool, int or float; None takes it from the values.

    Raises:
        ArgumentError: There is no value, or they are of several kinds.
    Example:
        >>> Discrete([32, 16]).values
        [16, 32]
    """

    def __init__(self, values: Sequence[Any], dtype: type | None = None) -> None:
        found = [dtype(value) if dtype is not None else _plain(value) for value in values]
        kinds = {_kind(value) for value in found}
        if len(kinds) != 1:
            rule = "values must be all strings, all booleans, or all numbers"
            raise ArgumentError(message("Discrete", rule, repr(values)[:100]))
        self.values = sorted(set(found))
        self.dtype = dtype or type(found[0])

    def as_fields(self) -> bytes:
        """The fields that describe it."""
        values = b"".join(block(1, _value(value)) for value in self.values)
        return whole(4, _kind(self.values[0])) + block(5, values)

    def __repr__(self) -> str:
        return f"Discrete({self.values})"


class RealInterval:
    """A domain of all numbers between two, both included.

    Args:
        min_value: The least.
        max_value: The largest.

    Raises:
        ArgumentError: The least is above the largest.
    Example:
        >>> RealInterval(1e-4, 1e-1).max_value
        0.1
    """

    dtype: type = float

    def __init__(self, min_value: float, max_value: float) -> None:
        who = type(self).__name__
        least, most = number(who, "min_value", min_value), number(who, "max_value", max_value)
        if least > most:
            rule = "min_value must be at most max_value"
            raise ArgumentError(message(who, rule, f"{min_value}, {max_value}"))
        self.min_value, self.max_value = self.dtype(least), self.dtype(most)

    def as_fields(self) -> bytes:
        """The fields that describe it."""
        ends = double(1, self.min_value) + double(2, self.max_value)
        return whole(4, _FLOAT) + block(6, ends)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.min_value}, {self.max_value})"


class IntInterval(RealInterval):
    """A domain of all whole numbers between two, both included.

    Args:
        min_value: The least.
        max_value: The largest.

    Raises:
        ArgumentError: The least is above the largest.
    Example:
        >>> IntInterval(1, 5).min_value
        1
    """

    dtype = int


class HParam:
    """A hyper-parameter: its name, and the values it may have.

    Args:
        name: Its name.
        domain: `Discrete`, `RealInterval`, `IntInterval`; None for any values.
        display_name: Shown in its place.
        description: Shown with it, as Markdown.

    Example:
        >>> HParam("units", Discrete([16, 32])).name
        'units'
    """

    def __init__(
        self,
        name: str,
        domain: Discrete | RealInterval | None = None,
        display_name: str | None = None,
        description: str | None = None,
    ) -> None:
        self.name, self.domain = name, domain
        self.display_name, self.description = display_name, description

    def as_fields(self) -> bytes:
        """Its description in the experiment's."""
        parts = block(1, self.name) + block(2, self.display_name or "")
        parts += block(3, self.description or "")
        return parts + (b"" if self.domain is None else self.domain.as_fields())

    def __repr__(self) -> str:
        return f"HParam({self.name!r}, {self.domain})"


class Metric:
    """A number by which runs are compared.

    Args:
        tag: The scalar's name, as `epoch_accuracy`.
        group: The folder it is in below the run's, as `validation`; None for the run's own.
        display_name: Shown in its place.
        description: Shown with it, as Markdown.
        dataset_type: `Metric.TRAINING`, `Metric.VALIDATION` or None.

    Raises:
        ArgumentError: `dataset_type` is something else.
    Example:
        >>> Metric("epoch_accuracy", group="validation").tag
        'epoch_accuracy'
    """

    TRAINING = "training"
    VALIDATION = "validation"

    def __init__(
        self,
        tag: str,
        group: str | None = None,
        display_name: str | None = None,
        description: str | None = None,
        dataset_type: str | None = None,
    ) -> None:
        if dataset_type not in _DATASETS:
            rule = "dataset_type must be 'training', 'validation' or None"
            raise ArgumentError(message("Metric", rule, repr(dataset_type)))
        self.tag, self.group = tag, group
        self.display_name, self.description = display_name, description
        self.dataset_type = dataset_type

    def as_fields(self) -> bytes:
        """Its description in the experiment's."""
        name = block(1, self.group or "") + block(2, self.tag)
        parts = block(1, name) + block(3, self.display_name or "")
        return parts + block(4, self.description or "") + whole(5, _DATASETS[self.dataset_type])

    def __repr__(self) -> str:
        return f"Metric({self.tag!r}, group={self.group!r})"


def hparams_config(
    hparams: Sequence[HParam | str],
    metrics: Sequence[Metric | str],
    time_created_secs: float | None = None,
) -> bool:
    """Describe an experiment: the hyper-parameters of its runs, and what they are compared by.

    Written once, into the folder above those of the runs. Without it the page shows what the runs
    say of themselves.

    Args:
        hparams: The hyper-parameters.
        metrics: The numbers.
        time_created_secs: Seconds since 1970; now if None.

    Returns:
        Whether it was written: not without a default writer.
    Example:
        >>> import tempfile
        >>> from nacre import summary
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with summary.create_file_writer(folder).as_default():
        ...         hparams_config([HParam("units", Discrete([16, 32]))], ["epoch_loss"])
        True
    """
    created = time.time() if time_created_secs is None else time_created_secs
    parts = [double(3, created)]
    parts += [block(4, (p if isinstance(p, HParam) else HParam(p)).as_fields()) for p in hparams]
    parts += [block(5, (m if isinstance(m, Metric) else Metric(m)).as_fields()) for m in metrics]
    writer = _due_writer("hparams_config")
    if writer is not None:
        _write(writer, "experiment", 2, b"".join(parts))
    return writer is not None


def hparams(
    hparams: Mapping[Any, Any],
    trial_id: str | None = None,
    start_time_secs: float | None = None,
) -> bool:
    """Say which hyper-parameters a run has, in the run's folder.

    Args:
        hparams: Value by name, or by `HParam`. What is no number, boolean or string is written as
            the string Python shows for it.
        trial_id: Runs with the same one are the same trial, repeated; by default those with the
            same values.
        start_time_secs: Seconds since 1970; now if None.

    Returns:
        Whether it was written: not without a default writer.
    Raises:
        ArgumentError: `hparams` is no dict, or a name is there twice.
    Example:
        >>> import tempfile
        >>> from nacre import summary
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with summary.create_file_writer(folder).as_default():
        ...         hparams({"units": 16, "optimizer": "adam"})
        True
    """
    values = checked("nacre.summary.hparams.hparams", hparams)
    writer = _due_writer("hparams")
    if writer is not None:
        write_start(writer, values, trial_id, start_time_secs)
    return writer is not None


def write_start(
    writer: SummaryWriter,
    values: Mapping[str, Any],
    trial_id: str | None = None,
    start_time_secs: float | None = None,
) -> None:
    """Write what a run begins with; see `hparams`. The values are of `checked`."""
    parts = [block(1, block(1, name) + block(2, _value(value))) for name, value in values.items()]
    group = _trial(values) if trial_id is None else trial_id
    start = time.time() if start_time_secs is None else start_time_secs
    _write(writer, "session_start_info", 3, b"".join([*parts, block(4, group), double(5, start)]))


def write_end(writer: SummaryWriter, is_success: bool) -> None:
    """Write how a run ended."""
    ended = whole(1, _SUCCESS if is_success else _FAILURE) + double(2, time.time())
    _write(writer, "session_end_info", 4, ended)


def checked(who: str, hparams: Any) -> dict[str, Any]:
    """Hyper-parameters as plain values by name.

    Raises:
        ArgumentError: They are no dict, or a name is there twice.
    """
    if not isinstance(hparams, Mapping):
        rule, fix = "hparams must be a dict", "Pass for example {'units': 64}."
        raise ArgumentError(message(who, rule, repr(hparams)[:100], fix))
    found: dict[str, Any] = {}
    for key, value in hparams.items():
        name = key.name if isinstance(key, HParam) else str(key)
        if name in found:
            rule = "each hyper-parameter must have one value"
            raise ArgumentError(message(who, rule, f"{name!r} twice"))
        found[name] = _plain(value)
    return found


def _due_writer(function: str) -> SummaryWriter | None:
    is_written = is_due(f"nacre.summary.hparams.{function}", "hparams")
    return recording().writer if is_written else None


def _write(writer: SummaryWriter, tag: str, field: int, content: bytes) -> None:
    told = metadata("hparams", block(field, content))
    writer.add(0, summary_value(f"_hparams_/{tag}", empty(), told))


def _trial(values: Mapping[str, Any]) -> str:
    """The same for the same values, in whichever order."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A value as Python's own: a boolean, a number, or a string."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, str):
        return str(value)
    found = as_number(value)
    if found != found and not isinstance(value, float | np.floating):
        return getattr(value, "__name__", None) or str(value)
    return value if isinstance(value, int) else found


def _kind(value: Any) -> int:
    if isinstance(value, bool):
        return _BOOL
    return _STRING if isinstance(value, str) else _FLOAT


def _value(value: Any) -> bytes:
    """A `google.protobuf.Value`."""
    kind = _kind(value)
    if kind == _BOOL:
        return whole(4, value)
    return block(3, value) if kind == _STRING else double(2, float(value))


__all__ = [
    "Discrete",
    "HParam",
    "IntInterval",
    "Metric",
    "RealInterval",
    "hparams",
    "hparams_config",
]
