"""save, load, snapshot and cache with a file: whole or not at all, the same elements, positions."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from nacre.core.errors import ArgumentError, DataError, FileFormatError, UnsupportedError
from nacre.data import Dataset, Ragged, TensorSpec
from nacre.data.dataset import marks


class Pair(NamedTuple):
    """An element of a class."""

    x: Any
    y: Any


DATA = {
    "numbers": lambda: Dataset.range(5).map(
        lambda n: {"n": n, "x": np.full((2, n), 0.5), "s": "ä"}
    ),
    "strings": lambda: Dataset.from_tensor_slices([[b"a\x00", b""], [b"c", b"\xff"]]),
    "ragged": lambda: Dataset.range(1, 6).map(lambda n: np.full(n, n)).ragged_batch(2),
    "pairs": lambda: Dataset.range(3).map(lambda n: Pair(n, (n * 2, None, n > 1))),
    "windows": lambda: Dataset.range(5).window(2),
    "none": lambda: Dataset.from_tensor_slices(np.zeros((0, 3), np.float16)),
}


def plain(data: Any) -> list[Any]:
    """Elements as what compares."""

    def of(value: Any) -> Any:
        if isinstance(value, Dataset):
            return plain(value)
        if isinstance(value, Ragged):
            return value.to_list()
        if isinstance(value, dict):
            return {key: of(item) for key, item in value.items()}
        if isinstance(value, tuple):
            return (
                type(value)(*map(of, value)) if hasattr(value, "_fields") else tuple(map(of, value))
            )
        return None if value is None else (value.dtype, value.tolist())

    return [of(element) for element in data]


@pytest.mark.parametrize("compression", [None, "GZIP"])
@pytest.mark.parametrize("name", DATA)
def test_what_is_saved_is_loaded(tmp_path, name, compression):
    data = DATA[name]()
    data.save(tmp_path / "folder" / "saved", compression)
    loaded = Dataset.load(str(tmp_path / "folder" / "saved"))
    assert plain(loaded) == plain(data)
    assert loaded.element_spec == data.element_spec
    assert len(loaded) == len(plain(data))


def test_a_save_that_fails_leaves_what_was_there(tmp_path):
    def failing(n):
        if n == 2:
            raise RuntimeError("no more")
        return n

    Dataset.range(3).save(tmp_path / "a")
    with pytest.raises(DataError, match="no more"):
        Dataset.range(5).map(failing).save(tmp_path / "a")
    assert len(Dataset.load(tmp_path / "a")) == 3
    assert len(list((tmp_path / "a").iterdir())) == 1


def test_what_is_damaged_is_told(tmp_path):
    Dataset.range(9).save(tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for content, error in [
        (whole[:-5], "whole file"),
        (whole[:-30] + b"?" + whole[-29:], "element 8"),
        (b"", "whole file"),
        (whole[30:], "whole file"),
    ]:
        file.write_bytes(content)
        with pytest.raises((DataError, FileFormatError), match=error):
            list(Dataset.load(tmp_path))
    file.write_bytes(whole)
    with pytest.raises(DataError, match="must be TensorSpec"):
        Dataset.load(tmp_path, TensorSpec((), "float32"))
    with pytest.raises(DataError, match=r"dataset\.save"):
        Dataset.load(tmp_path / "nowhere")
    with pytest.raises(ArgumentError, match="a folder"):
        Dataset.range(3).save(file)
    with pytest.raises(UnsupportedError):
        Dataset.range(3).save(tmp_path, checkpoint_args={})


@pytest.mark.parametrize("keep", ["cache", "snapshot"])
def test_a_file_is_written_in_the_first_whole_pass_and_read_then(tmp_path, keep):
    calls = []

    def made(n):
        calls.append(n)
        return n, np.random.random()

    def data() -> Dataset:
        return getattr(Dataset.range(5).map(made), keep)(str(tmp_path / "kept"))

    first = data()
    first.element_spec, list(first.take(2))
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    elements = plain(first)
    count = len(calls)
    assert plain(first) == plain(data()) == elements
    assert len(calls) == count
    with pytest.raises(DataError, match="another one"):
        list(getattr(Dataset.range(9).batch(2), keep)(str(tmp_path / "kept")))


def test_positions_are_kept_while_it_is_written_and_after(tmp_path):
    def data(folder: Path) -> Dataset:
        return Dataset.range(6).shuffle(6, seed=3).cache(str(folder / "a")).repeat(2)

    everything = plain(data(tmp_path / "0"))
    iterator = iter(data(tmp_path / "1"))
    for begun in range(13):
        state = iterator.state()
        for folder in (f"new{begun}", "1"):
            other = iter(data(tmp_path / folder))
            other.restore(state)
            assert plain(other) == everything[begun:]
        next(iterator, None)


def test_a_reader_function_gets_the_data_sets_that_were_written(tmp_path):
    Dataset.range(4).save(tmp_path)
    data = Dataset.load(tmp_path, reader_func=lambda sets: sets.flat_map(lambda one: one.take(2)))
    assert [int(x) for x in data] == [0, 1]


def test_a_pass_with_an_element_that_failed_is_not_kept(tmp_path):
    fails = [True]

    def made(n):
        if n == 1 and fails:
            raise RuntimeError("the disk was away")
        return n

    data = Dataset.range(3).map(made).cache(str(tmp_path / "a")).ignore_errors()
    assert [int(x) for x in data] == [0, 2]
    fails.clear()
    assert [int(x) for x in data] == [0, 1, 2]
    assert [int(x) for x in data] == [0, 1, 2]


def test_what_does_not_end_is_not_written(tmp_path):
    with pytest.raises(DataError, match="take"):
        Dataset.range(3).repeat().save(tmp_path / "a")
    assert len(list(Dataset.range(3).repeat().cache(str(tmp_path / "a")).take(7))) == 7
    assert not list(tmp_path.iterdir())


def test_a_cache_of_other_elements_is_refused_where_their_number_tells(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    assert len(list(Dataset.range(3).cache(path))) == 3
    with pytest.raises(DataError, match="must hold all 4 elements. Got 3 elements. Delete the fol"):
        list(Dataset.range(4).cache(path))
    assert len(list(Dataset.range(3).cache(path))) == 3


@pytest.mark.parametrize("is_file", [False, True])
def test_a_pass_that_is_left_while_elements_are_made_is_not_kept(
    is_file: bool, tmp_path: Path
) -> None:
    goes_on = threading.Event()

    def slow(x: Any) -> Any:
        assert x < 2 or goes_on.wait(10)
        return x

    ahead = Dataset.range(6).map(slow).prefetch(1)
    kept = ahead.cache(str(tmp_path / "kept") if is_file else "")
    left = iter(kept.prefetch(4))
    assert [int(next(left)), int(next(left))] == [0, 1]
    time.sleep(0.05)  # the reading thread waits for the one below it
    left.close()
    goes_on.set()
    for _ in range(2):
        assert [int(x) for x in kept] == list(range(6))


@pytest.mark.parametrize("keep", ["cache", "snapshot"])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: np.arange(4.0), lambda: np.arange(4.0) + 1),
        (lambda: {"a": np.zeros(4, "int32")}, lambda: {"a": np.zeros(4, "int64")}),
        (lambda: ["a", "b"], lambda: ["a", "b\0"]),
    ],
)
def test_a_file_of_other_arrays_is_refused(tmp_path, keep, one, other):
    def data(arrays) -> Dataset:
        return getattr(Dataset.from_tensor_slices(arrays()).batch(2), keep)(str(tmp_path / "kept"))

    first = plain(data(one))
    with pytest.raises(DataError, match="must be of this source"):
        list(data(other))
    assert plain(data(one)) == first


def test_a_file_of_another_range_is_refused(tmp_path):
    list(Dataset.range(0, 4).cache(str(tmp_path / "range")))
    with pytest.raises(DataError, match="must be of this source"):
        list(Dataset.range(1, 5).cache(str(tmp_path / "range")))


def test_samples_of_large_arrays_tell_them_apart(monkeypatch):
    monkeypatch.setattr(marks, "_ALL_BYTES", 64)
    x = np.arange(4000.0).reshape(1000, 4)
    assert _mark(x) == _mark(x.copy()) != _mark(x + 1)
    assert _mark(x[:999]) != _mark(x)


def _mark(x) -> str:
    return Dataset.from_tensor_slices(x)._dataset_node.source_mark()
