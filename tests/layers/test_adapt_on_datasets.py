"""What adapt makes of a Dataset, and of numbers that float32 cannot hold apart."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from nacre import layers
from nacre.core.errors import DataError, ShapeError
from nacre.data import Dataset

ROWS = np.arange(12.0).reshape(4, 3)
SECONDS = 1.7e9 + np.arange(8.0)[:, None]


def adapted(data: object) -> layers.Normalization:
    layer = layers.Normalization()
    layer.adapt(data)
    return layer


def test_a_dataset_of_samples_is_measured_by_feature_as_in_keras() -> None:
    mean = [[4.5, 5.5, 6.5]]
    samples = Dataset.from_tensor_slices(ROWS)
    pairs = Dataset.from_tensor_slices((ROWS, np.arange(4)))
    for data in (samples, samples.map(lambda x: x), samples.batch(3), samples.shuffle(4), pairs):
        np.testing.assert_allclose(adapted(data).mean, mean)


def test_a_dataset_of_single_numbers_is_one_feature_batched_or_not() -> None:
    numbers = Dataset.from_tensor_slices(np.arange(8.0))
    for data in (numbers, numbers.batch(3), numbers.batch(4, drop_remainder=True)):
        np.testing.assert_allclose(adapted(data).mean, [[3.5]])


@pytest.mark.parametrize(
    ("layer", "values"),
    [
        (layers.Normalization, ROWS),
        (layers.Discretization, ROWS),
        (layers.StringLookup, np.array(["a", "b"])),
        (layers.IntegerLookup, np.array([1, 2])),
        (layers.TextVectorization, np.array(["a", "b"])),
    ],
)
def test_adapt_tells_of_data_without_end_in_place_of_reading_for_ever(layer, values) -> None:
    layer = layer(num_bins=3) if layer is layers.Discretization else layer()
    endless = Dataset.from_tensor_slices(values).batch(2).repeat()
    with pytest.raises(DataError, match="must come to an end.*repeats without end.*before repeat"):
        layer.adapt(endless)
    layer.adapt(endless, steps=2)


@pytest.mark.parametrize("times", [SECONDS, SECONDS * 1000, SECONDS.astype("int64")])
def test_times_that_become_one_number_in_float32_are_told(times) -> None:
    with pytest.warns(UserWarning, match=r"differ by more than float32.*1\.7e\+.*x - x\.min"):
        layer = adapted(times)
    assert not np.asarray(layer(times.astype("float64"))).std() > 0.1
    times = times - times.min()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(np.std(adapted(times)(times)), 1, rtol=1e-5)


@pytest.mark.parametrize(
    "values",
    [np.full((1000, 2), 0.1), np.full((3, 1), 1.7e12), 1.7e9 + np.arange(9.0)[:, None] * 1e4],
)
def test_equal_values_and_large_ones_far_apart_are_no_reason_to_warn(values) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adapted(values)


def test_a_model_that_gets_samples_of_a_dataset_says_to_batch_them() -> None:
    import nacre

    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(1)])
    with pytest.raises(ShapeError, match=r"x\[None\]\. A Dataset of samples needs \.batch\(32\)"):
        model.predict(Dataset.from_tensor_slices(ROWS), verbose=0)
