"""Rows in arrays; what a batch is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nacre
from nacre.core.dtypes import device_dtype
from nacre.core.errors import ArgumentError, DataError, DTypeError
from nacre.data import ArraySource, Dataset
from nacre.data.py_dataset import PyDataset
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
def test_a_split_loses_and_repeats_no_row(rows: int, fraction: float) -> None:
    source = ArraySource(np.arange(rows), np.arange(rows) * 2)
    if int(np.floor(rows * (1 - fraction))) in (0, rows):
        with pytest.raises(DataError, match="both parts"):
            source.split(fraction, "fit")
        return
    first, last = source.split(fraction, "fit")
    assert first.labels == last.labels == ["x", "y", "sample_weight"]
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


def test_other_weights_leave_the_rows_alone() -> None:
    source = ArraySource([np.arange(3), np.arange(3)], np.arange(3), {"a": np.ones(3)})
    source.dtypes[0] = np.dtype("float32")
    other = source.with_sample_weight(np.array([1.0, 0.0, 2.0], "float32"))
    x, _, weight = other.batch(slice(1, 3))
    assert (x[0].dtype, x[1].dtype) == ("float32", "int32") and weight.tolist() == [0.0, 2.0]
    assert other.labels[-1] == "sample_weight" and source.labels[-1] == "sample_weight['a']"


def test_batches_can_be_changed_on_the_host() -> None:
    source = ArraySource(np.arange(4), np.arange(4))
    source.convert = lambda batch: ({"a": batch[0] + 0.5}, *batch[1:])
    assert source.batch(slice(1, 3))[0]["a"].tolist() == [1.5, 2.5]
    assert source.batch_specs(2)[0]["a"].shape == (2,)


def test_lists_of_numbers_are_arrays_and_lists_of_arrays_are_lists() -> None:
    array = np.ones(2)
    converted = arrays_of_lists({"a": [[1, 2], [3, 4]], "b": [array, array], "c": (1.5, True)})
    assert converted["a"].shape == (2, 2) and converted["b"][0] is array
    assert converted["c"].tolist() == [1.5, 1.0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.ones(2), True), (jnp.ones(2), True), ([1, 2], True), ([[1.0]], True), ({"a": [1]}, True),
     ([np.ones(1), np.ones(1)], True), (None, False), (iter([1]), False), (range(3), True),
     ({"a": iter([1])}, False)],
)  # fmt: skip
def test_arrays_are_told_from_sources(value: Any, expected: bool) -> None:
    assert is_array_like(value) is expected


# ------------------------------------------------------------------ batches


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


class WithoutEnd(PyDataset):
    def __getitem__(self, index: int) -> Any:
        return np.ones((2, 1))


@pytest.mark.parametrize(
    "source",
    [Dataset.from_tensor_slices(np.ones(4)).batch(2), WithoutEnd(), iter([np.ones(2)])],
    ids=["Dataset", "PyDataset", "iterator"],
)
def test_a_source_of_batches_beside_an_array_is_told_to_bring_both(source: Any) -> None:
    for parts in ((np.ones((4, 1)), source), (np.ones(4), np.ones(4), source)):
        with pytest.raises(DataError, match=f"together, as x alone.*{type(source).__name__}.*zip"):
            ArraySource(*parts)


def test_a_source_as_the_targets_of_validation_data_is_told_as_one_of_training_is() -> None:
    model = nacre.Sequential([nacre.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = np.ones((4, 1)), Dataset.from_tensor_slices(np.ones((4, 1))).batch(2)
    with pytest.raises(DataError, match="validation_data, y: a source of batches.*Got a Dataset"):
        model.fit(data[0], data[0], validation_data=data, verbose=0)


def test_a_model_that_is_called_on_a_source_of_batches_says_to_call_it_on_each() -> None:
    model = nacre.Sequential([nacre.Input((1,)), nacre.layers.Dense(1)])
    with pytest.raises(ArgumentError, match=r"called on tensors. Got a Dataset.*model.predict"):
        model(Dataset.from_tensor_slices(np.ones((4, 1))).batch(2))
    with pytest.raises(ArgumentError, match="must be called on a tensor.*Got <Batch Dataset"):
        nacre.Sequential([nacre.layers.Dense(1)])(
            Dataset.from_tensor_slices(np.ones((4, 1))).batch(2)
        )


_DTYPES = ("float32", "float64", "int32", "int64", "uint8", "float16", "int16", ">f4", "bool")
_PARTS = st.none() | st.tuples(st.sampled_from(_DTYPES), st.sampled_from([1, 300, 1 << 40, -3]))


def _told(function: Any, batch: Any) -> Any:
    """Arrays with their dtypes, or the error."""
    try:
        parts = function(batch)
    except DTypeError as error:
        return str(error)
    return [None if a is None else (str(a.dtype), a.tolist()) for a in parts]


@given(st.lists(st.tuples(_PARTS, _PARTS, _PARTS), min_size=2, max_size=6))
@settings(max_examples=60)
@pytest.mark.filterwarnings("ignore:.*are rounded:UserWarning")
@pytest.mark.parametrize("wanted", [None, "int32", "float32"])
def test_what_the_batch_before_was_leaves_no_batch_unchecked(wanted: Any, forms: Any) -> None:
    dtype = None if wanted is None else np.dtype(wanted)
    after_others = narrow_batch("fit", lambda x: [dtype], lambda: 0)
    with np.errstate(invalid="ignore", over="ignore"):
        for form in [forms[0], *forms]:
            batch = [None if f is None else np.array([f[1], 2]).astype(f[0]) for f in form]
            batch = standard_batch(tuple(batch), "fit")
            alone = narrow_batch("fit", lambda x: [dtype])
            assert _told(after_others, batch) == _told(alone, batch)


def test_batches_are_copies_that_a_source_may_fill_anew() -> None:
    narrow, buffer = narrow_batch("fit", None, lambda: 0), np.zeros((2, 3), np.float32)
    kept = []
    for number in range(3):
        buffer[:] = number
        kept.append(narrow(standard_batch((buffer, buffer[:, 0]), "fit")))
    assert [(x[0, 0], y[0]) for x, y, _ in kept] == [(0, 0), (1, 1), (2, 2)]


def test_what_inputs_take_is_asked_again_when_the_model_has_changed() -> None:
    taken, version = ["int32"], [0]
    narrow = narrow_batch("fit", lambda x: [np.dtype(taken[0])], lambda: version[0])
    batch = (np.ones((2, 1), np.float32), None, None)
    assert [narrow(batch)[0].dtype.name for _ in range(2)] == ["int32", "int32"]
    taken[0], version[0] = "float32", 1
    assert [narrow(batch)[0].dtype.name for _ in range(2)] == ["float32", "float32"]
