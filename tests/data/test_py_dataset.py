"""Batches by index: order, workers, hooks, errors."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, DataError
from nacre.data import PyDataset
from nacre.data.indexed import IndexedBatches
from nacre.data.py_dataset import is_indexable_source, number_of_batches


class Numbered(PyDataset):
    def __init__(self, count: int = 5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = count
        self.threads: set[str] = set()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        self.threads.add(threading.current_thread().name)
        return np.full((2, 1), index)


class Endless(PyDataset):
    num_batches = None  # type: ignore[assignment]

    def __getitem__(self, index: int) -> int:
        return index


class Counted(Endless):
    num_batches = 3  # type: ignore[assignment]


def indices(source: Any, **kwargs: Any) -> list[int]:
    return [int(batch[0, 0]) for batch in IndexedBatches(source).batches(**kwargs)]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_come_in_order_from_any_number_of_workers(workers: int) -> None:
    source = Numbered(7, workers=workers, max_queue_size=2)
    assert indices(source) == list(range(7))
    assert any("nacre-batches" in name for name in source.threads) == (workers > 1)


@pytest.mark.parametrize("workers", [1, 3])
def test_batches_come_in_an_order_that_is_given_and_the_first_can_be_left_out(workers: int) -> None:
    source = Numbered(4, workers=workers)
    assert indices(source, order=[2, 0, 3, 1]) == [2, 0, 3, 1]
    assert indices(source, order=[2, 0, 3, 1], skip=3) == [1] and indices(source, skip=2) == [2, 3]
    assert indices(source, skip=9) == []


def test_the_length_may_come_from_num_batches() -> None:
    assert len(Counted()) == 3 and number_of_batches(Counted()) == 3
    assert list(IndexedBatches(Counted()).batches()) == [0, 1, 2]
    assert number_of_batches(Numbered(4)) == Numbered(4).num_batches == 4


def test_a_source_without_end_goes_on() -> None:
    assert number_of_batches(Endless()) is None
    with pytest.raises(TypeError, match="no length"):
        len(Endless())
    for workers in (1, 2):
        stream = IndexedBatches(Endless(workers=workers)).batches()
        assert [next(stream) for _ in range(30)] == list(range(30))
        stream.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_worker_arrives_and_nothing_new_is_begun(workers: int) -> None:
    begun: list[int] = []

    class Broken(Numbered):
        def __getitem__(self, index: int) -> Any:
            begun.append(index)
            if index == 1:
                raise KeyError("row 1")
            return super().__getitem__(index)

    with pytest.raises(KeyError, match="row 1"):
        indices(Broken(1000, workers=workers, max_queue_size=900))
    assert len(begun) < 1000


def test_what_is_missing_is_told() -> None:
    with pytest.raises(NotImplementedError, match="PyDataset: it must define __len__"):
        len(PyDataset())
    with pytest.raises(NotImplementedError, match="must define __getitem__"):
        PyDataset()[0]
    with pytest.raises(DataError, match="at least one batch"):
        indices(Numbered(0))
    for wrong in ({"workers": -1}, {"max_queue_size": 0}):
        with pytest.raises(ArgumentError, match="workers must not be negative"):
            PyDataset(**wrong)


def test_sources_of_other_libraries_with_the_same_methods_count() -> None:
    class Sequence:
        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> int:
            return index

        def on_epoch_end(self) -> None: ...

    assert is_indexable_source(Sequence()) and is_indexable_source(Numbered())
    assert not is_indexable_source([1, 2]) and not is_indexable_source(iter([1]))


class Unnumbered(Numbered):
    num_batches = None


def test_a_source_without_a_number_of_batches_needs_steps():
    model = nacre.Sequential([nacre.Input((1,)), nacre.layers.Dense(1)])
    model.compile("sgd", "mse")
    for method in (model.fit, model.predict, model.evaluate):
        with pytest.raises(DataError, match="a Unnumbered that goes on without end, and no steps"):
            method(Unnumbered(), verbose=0)
    assert model.predict(Unnumbered(), steps=3, verbose=0).shape == (6, 1)
