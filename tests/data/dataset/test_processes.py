"""`Dataset.map` in worker processes: order, errors, position, random numbers."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import psutil
import pytest

import nacre
from nacre.core.errors import ArgumentError, DataError, SerializationError, WorkerError
from nacre.data import Dataset
from tests.data.worker_samples import (
    dies_at_three,
    drawn,
    inverse,
    squared,
    squared_elsewhere,
    stands_still_at_four,
)


def mapped(function: Any, count: int = 5, first: int = 0, **options: Any) -> Dataset:
    return Dataset.range(first, count).map(function, **{"processes": 1, **options})


def test_elements_come_in_order_from_other_processes_which_end() -> None:
    given = list(mapped(squared_elsewhere, 40, processes=2).as_numpy_iterator())
    assert [int(square) for square, _ in given] == [n * n for n in range(40)]
    assert os.getpid() not in {int(pid) for _, pid in given}
    assert none_is_left()


def test_a_function_without_a_name_is_sent_too_and_one_with_a_lock_is_refused() -> None:
    assert [int(x) for x in mapped(lambda x: x + 1, 3)] == [1, 2, 3]
    file = open(os.devnull)
    with file, pytest.raises(SerializationError, match="no processes= for map"):
        list(mapped(lambda x: (file, x)[1]))
    with pytest.raises(ArgumentError, match="processes must be a whole number of at least 1"):
        mapped(squared, processes=0)


def test_an_error_stands_in_its_place_with_its_cause_and_traceback() -> None:
    elements = iter(mapped(inverse, 3, first=-2))
    assert [int(next(elements)) for _ in range(2)] == [-6, -12]
    with pytest.raises(DataError, match="'inverse' must not fail.*at element 2") as caught:
        next(elements)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "return 12 // int(x)" in "".join(caught.value.__cause__.__notes__)
    assert [int(x) for x in elements] == [12, 6]
    assert [int(x) for x in mapped(inverse, 2, first=-1).ignore_errors()] == [-12, 12]


def test_a_process_that_dies_ends_the_pass_also_under_ignore_errors() -> None:
    for data in (mapped(dies_at_three), mapped(dies_at_three).ignore_errors()):
        with pytest.raises(WorkerError, match=r"Dataset\.map: .* exit code 5"):
            list(data)


def none_is_left() -> bool:
    end = time.monotonic() + 5
    while psutil.Process().children() and time.monotonic() < end:
        time.sleep(0.02)
    return not psutil.Process().children()


def test_processes_that_stand_still_end_with_the_iterator_and_with_fit() -> None:
    elements = iter(mapped(stands_still_at_four, 100).batch(2).prefetch(2))
    next(elements)
    del elements
    assert none_is_left()

    class Raises(nacre.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            raise KeyboardInterrupt

    model = nacre.Sequential([nacre.Input((1,)), nacre.layers.Dense(1)])
    model.compile("sgd", "mse")
    pairs = Dataset.zip((mapped(stands_still_at_four, 100), Dataset.range(100)))
    with pytest.raises(KeyboardInterrupt):
        model.fit(pairs.batch(2), verbose=0, callbacks=[Raises()])
    assert none_is_left()


def test_a_position_is_kept_and_restored() -> None:
    data = mapped(squared, 30)
    elements = iter(data)
    first = [int(next(elements)) for _ in range(11)]
    state = elements.state()
    rest = [int(x) for x in elements]
    again = iter(data)
    again.restore(state)
    assert [int(x) for x in again] == rest and first + rest == [n * n for n in range(30)]


def test_random_numbers_are_each_elements_own_and_follow_the_seed() -> None:
    def given(count: int, passes: int = 1) -> Any:
        nacre.utils.set_random_seed(3)
        data = mapped(drawn, 20, processes=count)
        return np.array([list(data.as_numpy_iterator()) for _ in range(passes)])

    two = given(1, passes=2)
    assert len(np.unique(two)) == two.size and np.array_equal(two[:1], given(2))
