"""Windows over a series: batches are picked out of the array as they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import whole_number
from nacre.data.dataset import AUTOTUNE, Dataset
from nacre.data.dataset import elements as el

Array = np.ndarray[Any, Any]
_WHO = "timeseries_dataset_from_array"


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Dataset:
    """A `Dataset` of windows over a series, batches of (windows, targets).

    A window that begins at step `i` holds the steps `i, i + sampling_rate, ...`, and its target is
    `targets[i]`: to predict the step after the window, give `data[sequence_length:]`. The array is
    not copied; of a memory-mapped file only the steps of a batch are read.

    Args:
        data: The series, steps on the first axis.
        targets: A target for each step at which windows begin; None for windows alone. There are no
            more windows than targets.
        sequence_length: Steps in a window.
        sequence_stride: Steps between the beginnings of windows.
        sampling_rate: Steps between those of a window.
        batch_size: Windows in a batch; None gives them one by one.
        shuffle: Whether windows are in another order in each pass.
        seed: What this order follows from.
        start_index, end_index: Steps before the one, and from the other on, are in no window.
        format: 'tf', the only one.

    Shapes:
        data      (steps, *features)
        windows   (batch, sequence_length, *features)
        targets   (batch, *targets)

    Raises:
        ArgumentError: An argument breaks its rule. A series that is shorter than a window gives no
            elements.

    Source: Keras 3.15, whose windows were compared. Differs: all windows are shuffled, not those
    of a buffer; `end_index` may be the length of the data; a window without steps is refused.

    Example:
        >>> data = timeseries_dataset_from_array([1, 2, 3, 4, 5], [30, 40, 50], 2)
        >>> [(windows.tolist(), targets.tolist()) for windows, targets in data]
        [([[1, 2], [2, 3], [3, 4]], [30, 40, 50])]
    """
    series = _rows("data", data)
    wanted = None if targets is None else _rows("targets", targets)
    length = whole_number(_WHO, "sequence_length", sequence_length)
    steps = len(series)
    stride = _below_length("sequence_stride", sequence_stride, 1, steps)
    rate = _below_length("sampling_rate", sampling_rate, 1, steps)
    start = _below_length("start_index", 0 if start_index is None else start_index, 0, steps)
    end = steps if end_index is None else whole_number(_WHO, "end_index", end_index)
    if not start < end <= steps:
        rule = "end_index must be more than start_index, and at most the length of the data"
        raise ArgumentError(message(_WHO, rule, f"{start}, {end} and a length of {steps}"))
    if format != "tf":
        rule = "format must be 'tf', which gives a nacre.data.Dataset"
        raise ArgumentError(message(_WHO, rule, repr(format)))
    if batch_size is not None:
        batch_size = whole_number(_WHO, "batch_size", batch_size)

    beginnings = end - start - (length - 1) * rate
    if wanted is not None:
        beginnings = min(beginnings, len(wanted[start:end]))
    stop = start + max(beginnings, 0)
    dataset = Dataset.range(start, stop, stride)
    if shuffle and stop > start:
        dataset = dataset.shuffle(len(dataset), seed=seed)
    if batch_size is not None:
        dataset = dataset.batch(batch_size)
    if stop == start:  # no window shows what they look like
        first = np.zeros(() if batch_size is None else 1, np.int64)
        empty = _Windows(series, wanted, length, 0)(first)
        return Dataset.from_tensors(empty).take(0)
    windows = dataset.map(_Windows(series, wanted, length, rate), num_parallel_calls=AUTOTUNE)
    return windows.prefetch(AUTOTUNE)


class _Windows:
    """The windows that begin at some steps, and their targets."""

    def __init__(self, series: Array, targets: Array | None, length: int, rate: int) -> None:
        self.series, self.targets = series, targets
        self.offsets = np.arange(length) * rate

    def __call__(self, beginnings: Any) -> Any:
        at = np.asarray(beginnings)
        windows = self.series[at[..., None] + self.offsets]
        return windows if self.targets is None else (windows, self.targets[at])


def _rows(name: str, given: Any) -> Array:
    array = given if isinstance(given, np.ndarray) else el.tensor(given, _WHO).numpy()
    if not array.ndim:
        rule = f"{name} must be an array with steps on its first axis"
        raise ArgumentError(message(_WHO, rule, repr(given)[:60]))
    return array


def _below_length(name: str, given: Any, least: int, steps: int) -> int:
    found = whole_number(_WHO, name, given, least)
    if found >= steps:
        rule = f"{name} must be less than the length of the data"
        raise ArgumentError(message(_WHO, rule, f"{found} for a length of {steps}"))
    return found


__all__ = ["timeseries_dataset_from_array"]
