"""`interleave` by who reads, by threads and by processes: the same elements and positions."""

from __future__ import annotations

import os
from typing import Any

import pytest

from nacre.core import random
from nacre.core.errors import DataError, WorkerError
from nacre.data import Dataset
from tests.data.dataset.test_processes import none_is_left
from tests.data.worker_samples import dies_at_two, inverse, parts

WAYS: dict[str, dict[str, int]] = {
    "who reads": {},
    "threads": {"num_parallel_calls": 2},
    "processes": {"processes": 1},
}


def made(way: str, count: int = 2) -> Dataset:
    data = Dataset.range(count).interleave(parts, cycle_length=3, block_length=2, **WAYS[way])
    return data.map(lambda number, process: number)


def numbers(elements: Any) -> list[int]:
    return [int(number) for number in elements]


def test_processes_give_what_is_given_without_and_end() -> None:
    random.set_random_seed(1)
    expected = numbers(made("who reads", 2))
    random.set_random_seed(1)
    data = Dataset.range(2).interleave(parts, cycle_length=3, block_length=2, processes=2)
    given = list(data.as_numpy_iterator())
    assert numbers(number for number, _ in given) == expected
    assert len({process for _, process in given} - {os.getpid()}) == 2
    assert none_is_left()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("other", WAYS)
def test_a_position_is_taken_up_in_any_way(way: str, other: str) -> None:
    random.set_random_seed(1)
    first = iter(made(way))
    begun = [int(next(first)) for _ in range(4)]
    state, left = first.state(), numbers(first)
    assert sorted(begun + left) == [0, 1, 2, 10, 11, 12, 13]
    random.set_random_seed(2)
    second = iter(made(other))
    second.restore(state)
    assert numbers(second) == left


def test_an_element_that_cannot_be_made_is_told_in_its_place() -> None:
    random.set_random_seed(1)
    expected = numbers(made("who reads", 3).ignore_errors())
    random.set_random_seed(1)
    assert numbers(made("processes", 3).ignore_errors()) == expected
    failing = iter(Dataset.range(2).interleave(inverse, processes=1))
    with pytest.raises(DataError, match="must not fail. Got ZeroDivisionError.*element 0") as told:
        next(failing)
    failing.close()
    assert "12 // int(x)" in "".join(told.value.__cause__.__notes__)  # type: ignore[union-attr]


def test_a_process_that_dies_is_told() -> None:
    with pytest.raises(WorkerError, match="Dataset.interleave.*data set of element 2.*code 5"):
        list(Dataset.range(4).interleave(dies_at_two, processes=2))
    assert none_is_left()
