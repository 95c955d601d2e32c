"""Windows over a series."""

from __future__ import annotations

import numpy as np
import pytest

import nacre as keras
from nacre.core.errors import ArgumentError

windows_of = keras.utils.timeseries_dataset_from_array


def listed(dataset):
    return [
        tuple(part.tolist() for part in x) if isinstance(x, tuple) else x.tolist() for x in dataset
    ]


# What Keras 3.15.1 gives for np.arange(10).
@pytest.mark.parametrize(
    ("targets", "arguments", "wanted"),
    [
        (None, {}, [[[i, i + 1, i + 2] for i in range(8)]]),
        (
            np.arange(0, 100, 10)[3:],
            {"batch_size": 4},
            [
                ([[i, i + 1, i + 2] for i in range(4)], [30, 40, 50, 60]),
                ([[i, i + 1, i + 2] for i in range(4, 7)], [70, 80, 90]),
            ],
        ),
        (
            np.arange(10),
            {"sequence_stride": 2, "sampling_rate": 2},
            [([[0, 2, 4], [2, 4, 6], [4, 6, 8]], [0, 2, 4])],
        ),
        (
            np.arange(10),
            {"start_index": 2, "end_index": 8},
            [([[2, 3, 4], [3, 4, 5], [4, 5, 6], [5, 6, 7]], [2, 3, 4, 5])],
        ),
        (
            None,
            {"start_index": 1, "end_index": 9, "sampling_rate": 2},
            [[[1, 3, 5], [2, 4, 6], [3, 5, 7], [4, 6, 8]]],
        ),
        (
            np.arange(10),
            {"sequence_length": 9, "batch_size": None},
            [(list(range(9)), 0), (list(range(1, 10)), 1)],
        ),
        (np.arange(4), {"sequence_length": 1}, [([[0], [1], [2], [3]], [0, 1, 2, 3])]),
        (None, {"sequence_length": 4, "sampling_rate": 3}, [[[0, 3, 6, 9]]]),
        (None, {"sequence_length": 20}, []),
        (np.arange(10), {"start_index": 7, "end_index": 9}, []),
    ],
)
def test_windows_are_those_of_keras(targets, arguments, wanted):
    data = windows_of(np.arange(10), targets, **{"sequence_length": 3, **arguments})
    assert listed(data) == wanted
    assert len(data) == len(wanted)


def test_dtypes_and_features_stay():
    series = np.arange(10.0).reshape(5, 2)
    data = windows_of(series, np.arange(5, dtype=np.int16), 2)
    windows, targets = data.element_spec
    assert (windows.shape[1:], windows.dtype) == ((2, 2), "float64")
    assert targets.dtype == "int16"
    ((first, _),) = data
    np.testing.assert_array_equal(first[1], series[1:3])
    assert next(iter(windows_of([1, 2, 3], None, 2))).dtype == "int32"


def test_all_windows_are_shuffled_with_their_targets_in_each_pass():
    data = windows_of(np.arange(100), np.arange(100) * 2, 3, batch_size=7, shuffle=True, seed=1)
    passes = [listed(data) for _ in range(2)]
    assert passes[0] != passes[1]
    for batches in passes:
        pairs = [
            pair for windows, targets in batches for pair in zip(windows, targets, strict=True)
        ]
        assert sorted(pairs) == [([i, i + 1, i + 2], 2 * i) for i in range(98)]


def test_steps_of_a_mapped_file_are_read_as_they_are_asked_for(tmp_path):
    series = np.memmap(tmp_path / "a.bin", "float32", "w+", shape=(1000, 4))
    series[:] = np.arange(1000)[:, None]
    data = windows_of(series, None, 5, batch_size=2)
    series[1, 0] = -1.0  # written after the data set was made
    assert next(iter(data))[0, 1, 0] == -1.0


@pytest.mark.parametrize(
    "arguments",
    [
        {"sequence_length": 0},
        {"sequence_stride": 0},
        {"sequence_stride": 10},
        {"sampling_rate": 0},
        {"sampling_rate": 10},
        {"start_index": -1},
        {"start_index": 10},
        {"end_index": 0},
        {"end_index": 11},
        {"start_index": 5, "end_index": 4},
        {"batch_size": 0},
        {"format": "grain"},
    ],
)
def test_arguments_are_refused(arguments):
    with pytest.raises(ArgumentError, match=next(reversed(arguments))):
        windows_of(np.arange(10), None, **{"sequence_length": 3, **arguments})


def test_a_forecast_is_fit():
    series = np.sin(np.arange(200) / 5).astype("float32")[:, None]
    data = windows_of(series[:-8], series[8:], 8, batch_size=32, shuffle=True, seed=1)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    losses = model.fit(data, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2
