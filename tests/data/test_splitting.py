"""Splitting samples into two data sets."""

from __future__ import annotations

import numpy as np
import pytest

import nacre as keras
from nacre.core.errors import ArgumentError, DataError

split = keras.utils.split_dataset
Dataset = keras.data.Dataset


def parts(*args, **kwargs):
    return [[x.tolist() for x in part] for part in split(*args, **kwargs)]


# What Keras 3.15.1 gives for ten samples: how many are left, and how many right.
@pytest.mark.parametrize(
    ("sizes", "left", "right"),
    [
        ({"left_size": 0.8}, 8, 2),
        ({"left_size": 8}, 8, 2),
        ({"right_size": 0.25}, 8, 2),
        ({"left_size": 3, "right_size": 3}, 3, 3),
        ({"left_size": 0.33, "right_size": 2}, 3, 2),
        ({"left_size": 4, "right_size": 0.25}, 4, 2),
        ({"left_size": 0.15}, 2, 8),
        ({"left_size": 0.25}, 2, 8),
        ({"left_size": 0.35}, 4, 6),
        ({"right_size": 0.35}, 6, 4),
        ({"left_size": 0.25, "right_size": 0.75}, 2, 8),
    ],
)
def test_sizes_are_rounded_as_by_keras(sizes, left, right):
    numbers = list(range(10))
    assert parts(np.arange(10), **sizes) == [numbers[:left], numbers[10 - right :]]


def test_a_seed_splits_as_in_keras():
    found = parts(np.arange(10), left_size=0.8, shuffle=True, seed=3)
    assert found == [[1, 5, 6, 0, 9, 4, 7, 2], [8, 3]]  # of Keras 3.15.1


def test_no_sample_is_in_both_parts_when_both_are_rounded_up():
    left, right = parts(np.arange(9), left_size=0.39, right_size=0.61)
    assert left + right == list(range(9))
    left, right = parts(np.arange(9), left_size=3.5 / 9, right_size=5.5 / 9)
    assert left + right == list(range(9))


def test_arrays_are_split_alike():
    x, y = np.arange(4.0), np.arange(4) * 2
    for given in ((x, y), [x, y]):
        left, right = split(given, left_size=0.5)
        assert [(float(a), int(b)) for a, b in right] == [(2.0, 4), (3.0, 6)]
        assert left.element_spec[0].dtype == "float64"
    _, right = split({"a": x, "b": (x, y)}, left_size=3)
    (one,) = right
    assert float(one["a"]) == 3.0
    assert int(one["b"][1]) == 6


def test_a_shuffling_dataset_is_read_once_so_that_parts_stay_apart():
    data = Dataset.range(20).shuffle(20, seed=1)
    left, right = split(data, left_size=0.7)
    first, second = [[int(x) for x in left] for _ in range(2)], [int(x) for x in right]
    assert first[0] == first[1]
    assert sorted(first[0] + second) == list(range(20))


def test_batches_are_split_by_samples_and_other_elements_as_they_are():
    assert parts(Dataset.range(5).batch(2), left_size=0.5) == [[[0, 1]], [[2, 3], [4]]]
    mapped = Dataset.range(6).batch(2).map(lambda x: x)
    assert parts(mapped, left_size=2) == [[[0, 1], [2, 3]], [[4, 5]]]


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        (np.arange(10), {}),
        *((np.arange(10), {"left_size": size}) for size in (1.0, 0, 10, 11, -0.5, "a", True)),
        (np.arange(10), {"left_size": 0.7, "right_size": 0.7}),
        (np.arange(10), {"left_size": 7, "right_size": 7}),
        ([1, 2, 3, 4], {"left_size": 0.5}),
        ("abc", {"left_size": 0.5}),
        ((i for i in range(4)), {"left_size": 0.5}),
    ],
)
def test_arguments_are_refused(given, sizes):
    with pytest.raises(ArgumentError, match="split_dataset: "):
        split(given, **sizes)


@pytest.mark.parametrize(
    ("given", "size"),
    [
        (np.arange(10), 0.01),
        (np.arange(10), 0.99),
        (np.arange(1.0), 0.5),
        (np.arange(0), 0.5),
        ((np.arange(4), np.arange(5)), 0.5),
        ((), 0.5),
        (Dataset.range(3).repeat(), 0.5),
        (Dataset.range(0), 0.5),
    ],
)
def test_parts_without_samples_are_refused(given, size):
    with pytest.raises(DataError, match="split_dataset: "):
        split(given, left_size=size)
