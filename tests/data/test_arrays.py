"""One-hot rows, padded sequences, normalised rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.core.errors import ArgumentError, DataError
from nacre.data.arrays import normalize, pad_sequences, to_categorical

SEQUENCES = st.lists(st.lists(st.integers(1, 9), max_size=6), min_size=1, max_size=5)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=8), st.integers(0, 3))
def test_one_hot_rows_point_back_to_their_classes(labels: list[int], spare: int) -> None:
    rows = to_categorical(labels, max(labels) + 1 + spare)
    assert rows.shape == (len(labels), max(labels) + 1 + spare) and rows.dtype == "float32"
    assert rows.argmax(-1).tolist() == labels and (rows.sum(-1) == 1).all()


@pytest.mark.parametrize(
    ("labels", "shape"),
    [([[1], [2]], (2, 3)), ([[1, 2]], (1, 2, 3)), (2, (3,)), (np.array([0.0, 2.0]), (2, 3))],
)
def test_shapes_of_labels(labels: Any, shape: tuple[int, ...]) -> None:
    assert to_categorical(labels).shape == shape


@pytest.mark.parametrize("labels", [[3], [-1]])
def test_labels_out_of_range_are_told(labels: list[int]) -> None:
    with pytest.raises(DataError, match="from 0 to 1. Got .*start at 1"):
        to_categorical(labels, 2)


@given(
    SEQUENCES, st.sampled_from(["pre", "post"]), st.sampled_from(["pre", "post"]), st.integers(1, 7)
)
def test_padded_rows_hold_their_sequence(
    sequences: list[list[int]], padding: str, truncating: str, length: int
) -> None:
    rows = pad_sequences(sequences, length, padding=padding, truncating=truncating)
    assert rows.shape == (len(sequences), length) and rows.dtype == "int32"
    for row, sequence in zip(rows.tolist(), sequences, strict=True):
        kept = sequence[-length:] if truncating == "pre" else sequence[:length]
        zeros = [0] * (length - len(kept))
        assert row == (zeros + kept if padding == "pre" else kept + zeros)


def test_the_longest_sequence_sets_the_length_and_items_may_have_axes() -> None:
    assert pad_sequences([[], [1, 2]]).tolist() == [[0, 0], [1, 2]]
    assert pad_sequences([[[1, 2]], [[3, 4], [5, 6]]]).shape == (2, 2, 2)
    assert pad_sequences([[0.5]], 2, dtype="float32", value=-1.0).tolist() == [[-1.0, 0.5]]
    assert pad_sequences([["a"], ["b", "c"]], dtype=object, value="").tolist() == [
        ["", "a"],
        ["b", "c"],
    ]
    assert pad_sequences([], 3).shape == (0, 3)


def test_bad_arguments_are_told() -> None:
    with pytest.raises(ArgumentError, match="padding must be 'pre' or 'post'. Got 'left'"):
        pad_sequences([[1]], padding="left")
    with pytest.raises(ArgumentError, match="truncating must be"):
        pad_sequences([[1]], truncating="both")
    with pytest.raises(DataError, match="every sequence must be a list.*Got 3 at 1"):
        pad_sequences([[1], 3])
    with pytest.raises(DataError, match="sequences must be a list"):
        pad_sequences(iter([[1]]))  # type: ignore[arg-type]


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("order", [1, 2])
def test_normalised_vectors_have_norm_one_and_zeros_stay(axis: int, order: int) -> None:
    x = np.array([[3.0, 0.0, -4.0], [0.0, 0.0, 2.0]])
    norms = np.linalg.norm(normalize(x, axis, order), order, axis)
    expected = (np.abs(x).sum(axis) > 0).astype(float)
    np.testing.assert_allclose(norms, expected)
    assert normalize([3, 4]).tolist() == [[0.6, 0.8]]


@pytest.mark.parametrize("wrong", ["a", None, [[1, 2], [0]]])
def test_labels_that_are_no_numbers_are_refused(wrong: Any) -> None:
    with pytest.raises(DataError, match="whole numbers"):
        to_categorical(wrong)


@pytest.mark.parametrize("arguments", [{"sequences": [[0.5, 2.0]]}, {"value": 1.5}])
def test_fractions_that_the_default_dtype_cuts_are_told(arguments: dict[str, Any]) -> None:
    given = {"sequences": [[1.0, 2.0]], "maxlen": 3, **arguments}
    with pytest.warns(UserWarning, match="fractions are cut to whole numbers where dtype is int32"):
        cut = pad_sequences(**given)
    np.testing.assert_array_equal(cut, pad_sequences(dtype="float32", **given).astype(int))
    assert pad_sequences([[1.0, 2.0]]).tolist() == [[1, 2]]


@pytest.mark.parametrize("kind", [list, np.array])
@pytest.mark.parametrize(("items", "dtype"), [([300], "uint8"), ([-1], "uint8"), ([2**31], "int32"),
                                              ([math.nan], "int32"), ([1e10], "int32")])  # fmt: skip
def test_numbers_that_would_wrap_around_in_sequences_are_refused(
    kind: Any, items: list[float], dtype: str
) -> None:
    with pytest.raises(DataError, match=f"items must be of dtype {dtype}.*a wider dtype"):
        pad_sequences([[1], kind(items)], dtype=dtype)


def test_items_of_sequences_must_fit() -> None:
    for sequences in ([["a"]], [[[1, 2]], [[3, 4, 5]]]):
        with pytest.raises(DataError, match="items must be of dtype int32 and of one shape"):
            pad_sequences(sequences)
    for arguments in ({"maxlen": -1}, {"maxlen": 2.5}):
        with pytest.raises(ArgumentError, match="maxlen must be an int from 0"):
            pad_sequences([[1]], **arguments)
    for arguments in ({"value": "pad"}, {"value": 300, "dtype": "int8"}):
        with pytest.raises(ArgumentError, match="value must be one of dtype int"):
            pad_sequences([[1]], **arguments)
    with pytest.raises(ArgumentError, match="axis must be from -. to . for an array"):
        normalize([[1.0]], axis=2)
