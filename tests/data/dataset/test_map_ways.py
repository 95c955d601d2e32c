"""The position of `map` is the same whoever calls the function."""

from __future__ import annotations

from typing import Any

import pytest

from nacre.data import Dataset
from tests.data.worker_samples import squared

WAYS: dict[str, dict[str, int]] = {
    "who reads": {},
    "threads": {"num_parallel_calls": 2},
    "processes": {"processes": 1},
}


def made(way: str) -> Any:
    return iter(Dataset.range(40).map(squared, **WAYS[way]))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("other", WAYS)
def test_a_position_is_taken_up_by_any_other(way: str, other: str) -> None:
    first, second = made(way), made(other)
    begun = [int(next(first)) for _ in range(7)]
    second.restore(first.state())
    third = made(way)
    third.restore(second.state())
    left = [n * n for n in range(7, 40)]
    assert begun == [n * n for n in range(7)]
    assert [int(x) for x in second] == [int(x) for x in third] == left
    first.close()
