"""Rows in arrays, batches from everything that can be walked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacre.core.dtypes import device_dtype
from nacre.core.errors import DataError
from nacre.data import ArraySource, BatchSource, PyDataset
from nacre.data.rows import arrays_of_lists, is_array_like
from nacre.data.sources import narrow_batch, standard_batch

# ------------------------------------------------------------------ rows in arrays


def test_structures_of_arrays_become_rows() -> None:
    source = ArraySource({"b": np.ones((4, 2)), "a": [np.zeros(4), jnp.ones((4, 3))]}, [0, 1, 0, 1])
    assert source.num_rows == 4
    x, y, weight = source.pack(source.rows(np.array([1, 3])))
    assert x["b"].shape == (2, 2) and x["a"][1].shape == (2, 3)
    assert y.tolist() == [1, 1] and weight is None


@given(st.integers(2, 30), st.floats(0.05, 0.95))
@settings(deadline=None)
def test_a_split_loses_and_repeats_no_row(rows: int, fraction: float) -> None:
    source = ArraySource(np.arange(rows), np.arange(rows) * 2)
    if int(np.floor(rows * (1 - fraction))) in (0, rows):
        with pytest.raises(DataError, match="both parts"):
            source.split(fraction, "fit")
        return
    first, last = source.split(fraction, "fit")
    assert [*first.leaves[0], *last.leaves[0]] == list(range(rows))
    assert [*first.leaves[1], *last.leaves[1]] == list(range(0, 2 * rows, 2))
    assert first.num_rows == int(np.floor(rows * (1 - fraction)))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, 2])
def test_a_fraction_lies_between_0_and_1(fraction: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        ArraySource(np.ones(4)).split(fraction, "fit")


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [(np.ones(4), np.ones(3), "x: 4, y: 3.*split or filtered"),
     ({"a": np.ones(4)}, [np.ones(3)], r"x\['a'\]: 4, y\[0\]: 3"),
     (np.ones((0, 3)), None, "at least one row"),
     ([[1], [1, 2]], None, "Pad the rows"),
     (np.array([None, 1]), None, "every value must be there. Got None in row 0"),
     (None, None, "there must be data"),
     (np.float32(3), None, "rows on a first axis. Got the number 3")],
)  # fmt: skip
def test_data_that_cannot_be_used_is_told(x: Any, y: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^fit(, x)?: .*{message}"):
        ArraySource(x, y, who="fit")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("float64", "float32"), ("int64", "int32"), ("uint64", "uint32"), ("float16", "float16"),
     ("int8", "int8"), ("bool", "bool"), ("complex64", "complex64"), ("<U2", "<U2")],
)  # fmt: skip
def test_the_dtype_on_the_device(given: str, expected: str) -> None:
    assert device_dtype(given) == np.dtype(expected)


def test_rows_have_the_dtype_of_the_device() -> None:
    source = ArraySource(np.arange(6.0).reshape(3, 2), np.arange(3))
    picked = source.rows(slice(1, 3))
    assert [p.dtype for p in picked if p is not None] == ["float32", "int32"]
    assert [w.dtype for w in source.whole() if w is not None] == ["float32", "int32"]
    assert source.row_bytes == 12


def test_mapped_files_give_rows_in_the_order_asked_for(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(40).reshape(20, 2))
    source = ArraySource(np.load(tmp_path / "x.npy", mmap_mode="r"))
    order = np.array([7, 0, 19, 3])
    assert source.rows(order)[0].tolist() == [[2 * i, 2 * i + 1] for i in order]
    assert source.rows(slice(2, 4))[0].tolist() == [[4, 5], [6, 7]]


def test_a_budget_decides_what_stays_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    source = ArraySource(np.ones((10, 2)))
    assert source.fits_device()
    monkeypatch.setenv("NACRE_DEVICE_BUDGET_BYTES", "79")
    assert not source.fits_device()
    monkeypatch.setenv("NACRE_DEVICE_BUDGET_BYTES", "80")
    assert source.fits_device()


def test_lists_of_numbers_are_arrays_and_lists_of_arrays_are_lists() -> None:
    array = np.ones(2)
    converted = arrays_of_lists({"a": [[1, 2], [3, 4]], "b": [array, array], "c": (1.5, True)})
    assert converted["a"].shape == (2, 2) and converted["b"][0] is array
    assert converted["c"].tolist() == [1.5, 1.0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.ones(2), True), (jnp.ones(2), True), ([1, 2], True), ([[1.0]], True), ({"a": [1]}, True),
     ([np.ones(1), np.ones(1)], True), (None, False), (iter([1]), False), (range(3), False),
     ({"a": iter([1])}, False)],
)  # fmt: skip
def test_arrays_are_told_from_sources(value: Any, expected: bool) -> None:
    assert is_array_like(value) is expected


# ------------------------------------------------------------------ batches


def batch(number: int) -> Any:
    return np.full((2, 1), float(number)), np.zeros(2, "int64")


def generator(count: int) -> Iterator[Any]:
    yield from map(batch, range(count))


class Walkable:
    """Like a data loader: a length, and a new walk each time."""

    def __init__(self, count: int, known: bool = True) -> None:
        self.count, self.walks = count, 0
        if known:
            self.__class__ = WalkableWithLength

    def __iter__(self) -> Iterator[Any]:
        self.walks += 1
        return generator(self.count)


class WalkableWithLength(Walkable):
    def __len__(self) -> int:
        return self.count


class Indexed(PyDataset):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.log: list[str] = []

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return batch(index)

    def on_epoch_begin(self) -> None:
        self.log.append("begin")

    def on_epoch_end(self) -> None:
        self.log.append("end")


KINDS = {
    "walkable": Walkable,
    "unknown length": lambda count: Walkable(count, known=False),
    "indexed": Indexed,
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def epochs(source: BatchSource, count: int, *args: Any) -> list[list[int]]:
    return [[int(x[0, 0]) for x, _, _ in source.epoch(*args)] for _ in range(count)]


@each_kind
@pytest.mark.parametrize("steps", [None, 3])
@pytest.mark.parametrize("go_on", [None, True, False])
def test_every_whole_epoch_is_a_new_pass(kind: str, steps: int | None, go_on: Any) -> None:
    source = BatchSource(KINDS[kind](3))
    assert epochs(source, 3, steps, go_on) == [[0, 1, 2]] * 3


@each_kind
def test_looking_at_the_first_batch_does_not_lose_it(kind: str) -> None:
    source = BatchSource(KINDS[kind](2))
    assert source.peek()[0][0, 0] == 0 and source.peek()[1].dtype == "int32"
    assert epochs(source, 2, None) == [[0, 1]] * 2


@each_kind
def test_short_epochs_of_training_go_on_and_begin_again_at_the_end(kind: str) -> None:
    source = BatchSource(KINDS[kind](5))
    assert epochs(source, 4, 2, True) == [[0, 1], [2, 3], [4, 0], [1, 2]]


@each_kind
def test_short_epochs_of_validation_begin_anew(kind: str) -> None:
    source = BatchSource(KINDS[kind](5))
    assert epochs(source, 3, 2, False) == [[0, 1]] * 3


@each_kind
@pytest.mark.parametrize("go_on", [None, False])
def test_a_source_too_short_gives_what_it_has(kind: str, go_on: Any) -> None:
    assert epochs(BatchSource(KINDS[kind](3)), 1, 7, go_on) == [[0, 1, 2]]


@each_kind
def test_a_source_too_short_for_an_epoch_of_training_begins_again(kind: str) -> None:
    source = BatchSource(KINDS[kind](3))
    assert epochs(source, 2, 7, True) == [[0, 1, 2, 0, 1, 2, 0], [1, 2, 0, 1, 2, 0, 1]]
    assert source.began_again


def test_a_generator_goes_on_and_ends() -> None:
    assert epochs(BatchSource(generator(5)), 4, 2) == [[0, 1], [2, 3], [4], []]
    assert epochs(BatchSource(generator(2)), 2, None) == [[0, 1], []]


def test_a_data_loader_is_walked_once_an_epoch() -> None:
    data = Walkable(3)
    source = BatchSource(data)
    source.peek()
    epochs(source, 2, None)
    assert data.walks == 2


@pytest.mark.parametrize("go_on", [True, False])
def test_hooks_of_an_indexed_source_come_once_an_epoch(go_on: bool) -> None:
    data = Indexed(5)
    source = BatchSource(data)
    source.peek()
    epochs(source, 3, 2, go_on)
    assert data.log == ["begin", "end"] * 3


def test_a_source_that_is_dropped_ends_its_thread() -> None:
    before = set(threading.enumerate())
    source = BatchSource(Walkable(10**6))
    source.peek()
    assert set(threading.enumerate()) - before
    del source
    end = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < end:
        time.sleep(0.02)
    assert not set(threading.enumerate()) - before


def test_lengths_are_known_where_they_can_be() -> None:
    assert BatchSource(Walkable(3)).num_batches == BatchSource(Indexed(3)).num_batches == 3
    assert BatchSource(generator(3)).num_batches is None


def test_an_empty_source_is_told() -> None:
    with pytest.raises(DataError, match=r"^fit: .*at least one batch.*make a new one"):
        BatchSource(generator(0)).peek()


@pytest.mark.parametrize(
    ("item", "parts"),
    [(np.ones((2, 1)), 1), ((np.ones((2, 1)),), 1), ([np.ones((2, 1)), np.ones(2)], 2),
     (({"a": np.ones((2, 1))}, np.ones(2), np.ones(2)), 3), ((np.ones((2, 1)), None), 1)],
)  # fmt: skip
def test_batches_are_told_apart_by_their_length(item: Any, parts: int) -> None:
    result = standard_batch(item, "fit")
    assert len(result) == 3 and sum(part is not None for part in result) == parts


def test_lists_of_numbers_in_a_batch_are_arrays() -> None:
    x, y, _ = narrow_batch("fit")(standard_batch(([[1.0, 2.0], [3.0, 4.0]], [0, 1]), "fit"))
    assert x.shape == (2, 2) and x.dtype == "float32" and y.dtype == "int32"


@pytest.mark.parametrize(
    ("item", "message"),
    [(tuple([np.ones(1)] * 4), "tuple of 4.*Put several inputs"), ((), "tuple of 0"),
     (([[1], [1, 2]],), "Pad the rows"), ((3.0,), "rows on a first axis")],
)  # fmt: skip
def test_batches_that_cannot_be_used_are_told(item: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        standard_batch(item, "fit")
