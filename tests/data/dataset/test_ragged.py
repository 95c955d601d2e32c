"""Rows of different lengths on several axes: batches, rows, files and positions.

What batches, specs and rows hold was compared with TensorFlow 2.21.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacre.core.errors import DataError
from nacre.data import Dataset, Ragged, RaggedSpec, TensorSpec

SIZES = [(2, 3), (1, 2), (3, 1)]
ROWS = [[[1, 2, 3], [4, 5, 6]], [[1, 2]], [[1], [2], [3]]]


def pages() -> Any:
    for count, width in SIZES:
        yield np.arange(1, count * width + 1, dtype="int32").reshape(count, width)


def told(shape: Any = (None, None)) -> Dataset:
    return Dataset.from_generator(pages, output_signature=TensorSpec(shape, "int32"))


def lists(data: Dataset) -> list[Any]:
    return [element.to_list() for element in data]


@pytest.mark.parametrize("source", [told, lambda: Dataset.from_generator(pages)])
def test_axes_in_which_elements_differ_are_ragged_each(source: Any) -> None:
    data = source().ragged_batch(2)
    assert data.element_spec == RaggedSpec((None, None, None), "int32")
    assert lists(data) == [ROWS[:2], ROWS[2:]]
    first = next(iter(data))
    assert first.shape == (2, None, None) and first.ragged_rank == 2
    assert first.to_tensor().tolist() == [[[1, 2, 3], [4, 5, 6]], [[1, 2, 0], [0, 0, 0]]]
    assert first.mask().tolist() == (first.to_tensor() > 0).tolist()
    assert first.to_tensor(-1)[1].tolist() == [[1, 2, -1], [-1, -1, -1]]


def test_axes_that_the_source_leaves_open_are_ragged_in_every_batch() -> None:
    last = next(iter(told().skip(2).ragged_batch(1)))
    assert last.ragged_rank == 2 and last.to_list() == ROWS[2:]
    inner = Dataset.from_generator(
        lambda: iter([np.zeros((3, 2)), np.zeros((3, 1))]),
        output_signature=TensorSpec((3, None), "float64"),
    )
    assert next(iter(inner.ragged_batch(2))).to_list() == [[[0, 0]] * 3, [[0]] * 3]


def test_batches_of_ragged_rows_are_ragged_on_one_axis_more() -> None:
    twice = told().ragged_batch(2)
    for data in (twice.ragged_batch(2), twice.batch(2)):
        assert data.element_spec == RaggedSpec((None,) * 4, "int32")
        assert lists(data) == [[ROWS[:2], ROWS[2:]]]


def test_rows_of_ragged_rows_come_apart_and_together_again() -> None:
    rows = told().ragged_batch(2).unbatch()
    assert rows.element_spec == RaggedSpec((None, None), "int32")
    assert lists(rows) == ROWS
    assert lists(told().ragged_batch(2).rebatch(3)) == [ROWS]
    assert lists(told().ragged_batch(3).rebatch(2)) == [ROWS[:2], ROWS[2:]]


def test_rows_of_different_lengths_are_slices_one_an_element() -> None:
    rows = Ragged(np.arange(1, 8), np.array([0, 3, 5, 7]))
    data = Dataset.from_tensor_slices({"x": rows, "y": np.array([7, 8, 9])})
    assert len(data) == 3 and data.element_spec["x"] == TensorSpec((None,), "int64")
    assert [(e["x"].tolist(), int(e["y"])) for e in data] == [
        ([1, 2, 3], 7), ([4, 5], 8), ([6, 7], 9)
    ]  # fmt: skip
    xs = data.map(lambda e: e["x"])
    assert [batch.tolist() for batch in xs.padded_batch(2)] == [[[1, 2, 3], [4, 5, 0]], [[6, 7]]]
    assert lists(Dataset.from_tensor_slices(rows).ragged_batch(2)) == [
        [[1, 2, 3], [4, 5]],
        [[6, 7]],
    ]
    shuffled = data.shuffle(3, seed=1).padded_batch(3)
    batch = next(iter(shuffled))
    assert sorted(batch["x"].sum(1).tolist()) == [6, 9, 13]
    assert [batch["x"].sum(1).tolist()[i] for i in np.argsort(batch["y"])] == [6, 9, 13]
    position = iter(data)
    next(position)
    again = iter(data)
    again.restore(position.state())
    assert [e["x"].tolist() for e in again] == [[4, 5], [6, 7]]


def test_batches_of_slices_are_ragged_again_until_a_function_made_others() -> None:
    rows = Ragged(np.arange(1, 8), np.array([0, 3, 5, 7]))
    data = Dataset.from_tensor_slices(rows)
    for same in (data, data.cache(), data.shuffle(1), data.batch(3).unbatch()):
        batches = [batch.to_list() for batch in same.batch(2)]
        assert batches == [[[1, 2, 3], [4, 5]], [[6, 7]]]
    assert isinstance(next(iter(Dataset.from_tensor_slices(rows[1:]).batch(2))), Ragged)
    with pytest.raises(DataError, match="elements must have one shape.*padded_batch"):
        list(data.map(np.array).batch(2))
    nested = Ragged(rows, np.array([0, 1, 3]))
    assert [b.to_list() for b in Dataset.from_tensor_slices(nested).batch(2)] == [nested.to_list()]
    with pytest.raises(DataError, match=r"same number of rows\. Got 3, 2"):
        Dataset.from_tensor_slices((rows, np.zeros(2)))


def test_slices_of_nested_rows_are_ragged_rows() -> None:
    inner = Ragged(np.arange(4), np.array([0, 1, 3, 4]))
    data = Dataset.from_tensor_slices(Ragged(inner, np.array([0, 2, 3])))
    assert lists(data) == [[[0], [1, 2]], [[3]]]
    assert data.element_spec == RaggedSpec((None, None), "int64")
    assert lists(data.ragged_batch(2)) == [[[[0], [1, 2]], [[3]]]]


def test_padded_batch_fills_up_ragged_rows_within() -> None:
    (filled,) = told().ragged_batch(3).unbatch().padded_batch(3, padding_values=-1)
    assert filled.shape == (3, 3, 3) and filled[1].tolist() == [[1, 2, -1], [-1] * 3, [-1] * 3]


def test_nested_rows_are_kept_in_files_and_in_positions(tmp_path: Path) -> None:
    data = told().ragged_batch(2)
    data.save(str(tmp_path / "saved"))
    loaded = Dataset.load(str(tmp_path / "saved"))
    assert lists(loaded) == lists(data) and loaded.element_spec == data.element_spec
    cached = data.cache(str(tmp_path / "cache"))
    assert lists(cached) == lists(cached) == lists(data)
    begun, again = iter(data.rebatch(1)), iter(data.rebatch(1))
    next(begun)
    again.restore(begun.state())
    assert [row.to_list() for row in again] == [row.to_list() for row in begun] == [[r] for r in ROWS[1:]]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "empty"), [(object, ""), (str, ""), (bytes, b""), (np.dtypes.StringDType(), "")]
)
def test_rows_of_strings_and_empty_rows_are_filled_up(kind: Any, empty: Any) -> None:
    given = [b"a", b"b", b"c"] if kind is bytes else ["a", "b", "c"]
    words = Ragged(np.array(given, kind), np.array([0, 1, 3]))
    pages = Ragged(words, np.array([0, 0, 2, 2]))
    a, b, c = given
    assert pages.to_list() == [[], [[a], [b, c]], []]
    assert pages.to_tensor()[1].tolist() == [[a, empty], [b, c]]
    assert pages[1:].to_list() == [[[a], [b, c]], []] and pages[-1].to_list() == []


def test_rows_of_other_axes_or_dtypes_are_refused() -> None:
    for rows, rule in (
        ([np.ones(2), np.ones((2, 2))], "rows must have the same number of axes"),
        ([np.ones(2), np.ones(2, "int32")], "elements must have one dtype. Got float64 first"),
    ):
        with pytest.raises(DataError, match=rule):
            list(Dataset.from_generator(lambda rows=rows: iter(rows)).ragged_batch(2))
