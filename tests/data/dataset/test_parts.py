"""Parts of one data set stay apart, or it is said that they do not."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nacre.data import Dataset
from nacre.utils import split_dataset

R = Dataset.range
WARNING = "shuffles anew in each pass share elements"

LEAKS: dict[str, Callable[[], Any]] = {
    "take, skip": lambda: of(R(9).shuffle(9), lambda d: (d.take(6), d.skip(6))),
    "skip, take": lambda: of(R(9).shuffle(9), lambda d: (d.skip(6), d.take(6))),
    "a seed alone": lambda: of(R(9).shuffle(9, seed=3), lambda d: (d.take(6), d.skip(6))),
    "three parts": lambda: of(R(9).shuffle(9), lambda d: (d.take(5), d.skip(5).take(2), d.skip(7))),
    "of batches": lambda: of(R(9).shuffle(9).batch(3), lambda d: (d.take(1), d.skip(1))),
    "other functions": lambda: of(
        R(9).shuffle(9), lambda d: (d.map(np.negative).take(6), d.skip(6))
    ),
    "shards": lambda: of(R(9).shuffle(9), lambda d: (d.shard(2, 0), d.shard(2, 1))),
}
SOUND: dict[str, Callable[[], Any]] = {
    "one order": lambda: of(
        R(9).shuffle(9, reshuffle_each_iteration=False), lambda d: (d.take(6), d.skip(6))
    ),
    "split, then shuffled": lambda: of(R(9), lambda d: (d.take(6).shuffle(6), d.skip(6))),
    "looked at": lambda: of(R(9).shuffle(9), lambda d: (d.take(1), d.take(3))),
    "looked at, gone on with": lambda: of(R(9).shuffle(9), lambda d: (d.take(1), d.skip(4))),
    "all and nothing": lambda: of(R(9).shuffle(9), lambda d: (d.take(-1), d.skip(0), d.take(0))),
    "one shard of a worker": lambda: of(R(9).shuffle(9), lambda d: (d.shard(2, 1), d.shard(2, 1))),
    "kept in memory": lambda: of(R(9).shuffle(9).cache(), lambda d: (d.take(6), d.skip(6))),
    "two data sets": lambda: (R(9).shuffle(9).take(6), R(9).shuffle(9).skip(6)),
    "split_dataset": lambda: split_dataset(R(9).shuffle(9), left_size=6),
}


def of(data: Dataset, parts: Callable[[Dataset], Any]) -> Any:
    return parts(data)


@pytest.mark.parametrize("make", LEAKS.values(), ids=LEAKS)
def test_parts_that_share_elements_are_told_once(make: Callable[[], Any]) -> None:
    with pytest.warns(UserWarning, match=WARNING) as caught:
        make()
    assert len(caught) == 1 and caught[0].filename == __file__
    assert "reshuffle_each_iteration=False" in str(caught[0].message)


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND)
def test_parts_that_stay_apart_are_made_without_a_word(make: Callable[[], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make()


CROSSED: dict[str, Callable[[Dataset], Any]] = {
    "two maps": lambda d: Dataset.zip(d.map(np.negative), d.map(np.abs)),
    "itself and a map": lambda d: Dataset.zip({"x": d, "y": d.map(np.negative)}),
    "batches": lambda d: Dataset.zip((d.batch(3), (d.map(np.abs).batch(3),))),
    "neighbours": lambda d: Dataset.zip(d, d.skip(1)),
}


@pytest.mark.parametrize("make", CROSSED.values(), ids=CROSSED)
def test_pairs_of_other_elements_are_told_once(make: Callable[[Dataset], Any]) -> None:
    data = R(9).shuffle(9, seed=1)
    with pytest.warns(UserWarning, match="what stands side by side is not of one") as caught:
        _ = make(data), make(data)
    assert len(caught) == 1 and caught[0].filename == __file__


def test_pairs_that_are_right_or_meant_at_random_are_made_without_a_word() -> None:
    fixed, apart = R(9).shuffle(9, reshuffle_each_iteration=False), R(9).shuffle(9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Dataset.zip(fixed.map(np.negative), fixed.map(np.abs))
        Dataset.zip(apart, apart)
        Dataset.zip(apart.map(np.abs), R(9).shuffle(9).map(np.abs))
        Dataset.zip(R(9).map(np.abs), R(9)).shuffle(9)


def test_the_way_out_that_is_named_keeps_parts_apart() -> None:
    data = R(9).shuffle(9, seed=1, reshuffle_each_iteration=False)
    train, validation = data.take(6), data.skip(6)
    for _ in range(3):
        elements = [int(x) for part in (train, validation) for x in part]
        assert sorted(elements) == list(range(9))
