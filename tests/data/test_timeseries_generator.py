"""TimeseriesGenerator; windows are those of tf.keras 2.15.1."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import nacre as keras
from nacre.core.errors import ArgumentError, FileFormatError
from nacre.preprocessing.sequence import TimeseriesGenerator, timeseries_generator_from_json

STEPS = np.arange(12)


def batches(**arguments):
    generator = TimeseriesGenerator(STEPS, STEPS * 10, **arguments)
    found = [generator[i] for i in range(len(generator))]
    return [(windows.tolist(), targets.tolist()) for windows, targets in found]


def test_windows_are_those_of_tf_keras():
    first, second, third = batches(length=3, batch_size=4)
    assert first == ([[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]], [30, 40, 50, 60])
    assert second[1] == [70, 80, 90, 100]
    assert third == ([[8, 9, 10]], [110])


def test_rates_strides_and_ends_are_those_of_tf_keras():
    assert batches(length=4, sampling_rate=2, stride=3, batch_size=2) == [
        ([[0, 2], [3, 5]], [40, 70]),
        ([[6, 8]], [100]),
    ]
    assert batches(length=3, start_index=2, end_index=8, batch_size=3) == [
        ([[2, 3, 4], [3, 4, 5], [4, 5, 6]], [50, 60, 70]),
        ([[5, 6, 7]], [80]),
    ]
    assert batches(length=3, reverse=True, batch_size=1)[0] == ([[2, 1, 0]], [30])


def test_draws_are_those_of_tf_keras():
    np.random.seed(3)
    found = batches(length=3, batch_size=4, shuffle=True)
    assert [targets for _, targets in found] == [
        [110, 60, 110, 110],
        [30, 80, 60, 80],
        [100, 90, 30, 70],
    ]
    assert found[0][0][:2] == [[8, 9, 10], [3, 4, 5]]


def test_sets_of_h5py_are_read_by_windows(tmp_path, monkeypatch):
    monkeypatch.delattr("nacre.core.interop.stored_to_numpy")  # which reads the whole
    with h5py.File(tmp_path / "s.h5", "w") as file:
        series = file.create_dataset("s", data=np.arange(20.0).reshape(10, 2))
        windows, targets = TimeseriesGenerator(series, np.arange(10), 4, 2, batch_size=3)[1]
    assert windows.shape == (3, 2, 2)
    assert windows[0].tolist() == [[6, 7], [10, 11]] and targets.tolist() == [7, 8, 9]


def test_sets_of_zarr_are_read_by_windows(monkeypatch):
    zarr = pytest.importorskip("zarr")
    monkeypatch.delattr("nacre.core.interop.stored_to_numpy")
    series = zarr.array(np.arange(20.0).reshape(10, 2))
    windows, _ = TimeseriesGenerator(series, np.arange(10), 4, 2, batch_size=3)[1]
    assert windows[0].tolist() == [[6, 7], [10, 11]]


def test_frames_are_read_by_their_rows():
    import pandas

    frame = pandas.DataFrame({"a": STEPS, "b": STEPS * 2.0}, index=STEPS + 100)
    windows, targets = TimeseriesGenerator(frame, frame["a"], length=2, batch_size=2)[0]
    assert windows.tolist() == [[[0, 0], [1, 2]], [[1, 2], [2, 4]]] and targets.tolist() == [2, 3]


def test_json_gives_the_same_windows_again():
    made = TimeseriesGenerator(STEPS, STEPS * 1.5, length=2, start_index=1, batch_size=2)
    # As tf.keras writes it: the start has the length added.
    assert made.get_config()["start_index"] == 3
    again = timeseries_generator_from_json(made.to_json())
    assert len(again) == len(made) and again[0][0].tolist() == made[0][0].tolist()
    with pytest.raises(FileFormatError, match="to_json"):
        timeseries_generator_from_json("[]")


def test_it_trains_and_predicts():
    data = np.sin(np.arange(60) / 5)[:, None].astype("float32")
    generator = TimeseriesGenerator(data, data, length=4, batch_size=8)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(generator, validation_data=generator, epochs=1, verbose=0)
    assert model.predict(generator, verbose=0).shape == (56, 1)


def test_mistakes_are_told():
    with pytest.raises(ArgumentError, match="as many steps"):
        TimeseriesGenerator(STEPS, STEPS[:5], length=2)
    with pytest.raises(ArgumentError, match="start_index"):
        TimeseriesGenerator(STEPS, STEPS, length=12)
    with pytest.raises(ArgumentError, match="end_index"):
        TimeseriesGenerator(STEPS, STEPS, length=2, end_index=12)
    with pytest.raises(IndexError, match="from 0 to 0"):
        TimeseriesGenerator(STEPS, STEPS, length=2)[1]
    assert len(list(TimeseriesGenerator(STEPS, STEPS, length=2, batch_size=5))) == 2
