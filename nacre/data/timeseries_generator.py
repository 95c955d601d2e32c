"""`TimeseriesGenerator`: windows over a series, batches by index."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, FileFormatError, PositionError, message
from nacre.core.interop import to_numpy_if_foreign
from nacre.core.numbers import whole_number
from nacre.core.stored import is_stored
from nacre.data.py_dataset import PyDataset

Array = np.ndarray[Any, Any]


class TimeseriesGenerator(PyDataset):
    """Batches of windows over a series, and for each the target of the step after it.

    `timeseries_dataset_from_array` gives a `Dataset` of windows; its target is that of the step at
    which a window begins.

    Args:
        data: The series, steps on the first axis; a set in a file of h5py or zarr is read by
            windows.
        targets: A target for each step of the data.
        length: How many steps the window before a target reaches back.
        sampling_rate: Steps between those of a window.
        stride: Steps between the targets of windows.
        start_index, end_index: Steps before the one, and after the other, are in no window. By
            default all are.
        shuffle: Whether windows are drawn at random, by `np.random`, any of them more than once.
        reverse: Whether the last step of a window comes first.
        batch_size: Windows in a batch; the last one has those that are left.

    Shapes:
        data     (steps, *features)
        windows  (batch, ceil(length / sampling_rate), *features)
        targets  (batch, *targets)

    Raises:
        ArgumentError: An argument breaks its rule, or no window fits.

    Source: tf.keras 2.15, whose windows were compared. Differs: an end after the data is refused.

    Example:
        >>> import numpy as np
        >>> steps = np.arange(6)
        >>> windows, targets = TimeseriesGenerator(steps, steps * 10, length=2, batch_size=3)[0]
        >>> windows.tolist(), targets.tolist()
        ([[0, 1], [1, 2], [2, 3]], [20, 30, 40])
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
    ) -> None:
        super().__init__()
        who = "TimeseriesGenerator"
        self.data, self.targets = data, targets
        # A set in a file of h5py or zarr is read window by window.
        self._series = data if is_stored(data) else np.asarray(to_numpy_if_foreign(data, who))
        self._wanted = np.asarray(to_numpy_if_foreign(targets, who))
        steps = self._series.shape[0]
        if steps != len(self._wanted):
            rule = "data and targets must have as many steps"
            raise ArgumentError(message(who, rule, f"{steps} and {len(self._wanted)}"))
        self.length = whole_number(who, "length", length)
        self.sampling_rate = whole_number(who, "sampling_rate", sampling_rate)
        self.stride = whole_number(who, "stride", stride)
        self.batch_size = whole_number(who, "batch_size", batch_size)
        start = whole_number(who, "start_index", start_index, 0)
        self.start_index = start + self.length
        last = steps - 1
        self.end_index = last if end_index is None else whole_number(who, "end_index", end_index, 0)
        self.shuffle, self.reverse = shuffle, reverse
        if self.start_index > self.end_index or self.end_index > last:
            rule = "start_index + length must be at most end_index, and this a step of the data"
            got = f"{start} + {self.length}, {self.end_index} and {steps} steps"
            raise ArgumentError(message(who, rule, got))

    def __len__(self) -> int:
        """The number of batches."""
        steps = self.end_index - self.start_index + 1
        return -(-steps // (self.batch_size * self.stride))

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        """Batch number `index`: (windows, targets)."""
        count = len(self)
        if not -count <= index < count:
            rule = f"index must be from 0 to {count - 1}"
            raise PositionError(message("TimeseriesGenerator", rule, f"{index}"))
        if self.shuffle:
            ends = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            step = self.batch_size * self.stride
            begin = self.start_index + step * (index % count)
            ends = np.arange(begin, min(begin + step, self.end_index + 1), self.stride)
        steps = np.arange(-self.length, 0, self.sampling_rate)
        if isinstance(self._series, np.ndarray):
            windows = self._series[ends[:, None] + steps]
        else:
            parts = (slice(end - self.length, end, self.sampling_rate) for end in ends.tolist())
            windows = np.stack([self._series[part] for part in parts])
        return windows[:, ::-1] if self.reverse else windows, self._wanted[ends]

    def get_config(self) -> dict[str, Any]:
        """The arguments; data and targets as JSON, and `start_index` with the length, as in
        tf.keras."""
        return {
            "data": _json("data", self._series),
            "targets": _json("targets", self._wanted),
            "length": self.length,
            "sampling_rate": self.sampling_rate,
            "stride": self.stride,
            "start_index": self.start_index,
            "end_index": self.end_index,
            "shuffle": self.shuffle,
            "reverse": self.reverse,
            "batch_size": self.batch_size,
        }

    def to_json(self, **kwargs: Any) -> str:
        """The generator with its data as JSON, which `timeseries_generator_from_json` opens.

        Args:
            kwargs: What `json.dumps` takes, such as `indent=1`.
        """
        return json.dumps(
            {"class_name": type(self).__name__, "config": self.get_config()}, **kwargs
        )


def timeseries_generator_from_json(json_string: str) -> TimeseriesGenerator:
    """The generator that `TimeseriesGenerator.to_json`, or tf.keras's, wrote.

    Raises:
        FileFormatError: The text is no such JSON.
    Example:
        >>> made = TimeseriesGenerator([1, 2, 3, 4], [10, 20, 30, 40], length=2)
        >>> windows, targets = timeseries_generator_from_json(made.to_json())[0]
        >>> windows.tolist(), targets.tolist()
        ([[1, 2], [2, 3]], [30, 40])
    """
    try:
        config = dict(json.loads(json_string)["config"])
        for name in ("data", "targets"):
            config[name] = json.loads(config[name])
        config["start_index"] -= config["length"]
    except (TypeError, ValueError, KeyError) as error:
        rule = "the text must be what TimeseriesGenerator.to_json() gives"
        got = f"{json_string!r}"[:60] + f": {type(error).__name__}: {error}"
        raise FileFormatError(message("timeseries_generator_from_json", rule, got)) from None
    return TimeseriesGenerator(**config)


def _json(name: str, values: Any) -> str:
    try:
        return json.dumps(np.asarray(values).tolist())
    except TypeError as error:
        rule = f"{name} must be numbers or strings to be written as JSON"
        raise ArgumentError(message("TimeseriesGenerator.to_json", rule, f"{error}")) from None


__all__ = ["TimeseriesGenerator", "timeseries_generator_from_json"]
