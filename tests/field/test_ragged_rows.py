"""Rows of different lengths, of TensorFlow and of a `Dataset`, through every door of a model."""

from __future__ import annotations

import sys
import types
import warnings
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.data.dataset.ragged import Ragged

VALUES, SPLITS = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9]), np.array([0, 3, 4, 6, 9])
DENSE = np.array([[1, 2, 3], [4, 0, 0], [5, 6, 0], [7, 8, 9]])
Y = np.arange(4, dtype="float32")[:, None]


class Tensor:
    def __init__(self, array: Any) -> None:
        self.array = np.asarray(array)

    def numpy(self) -> Any:
        return self.array


class RaggedTensor(Tensor):
    """What of TensorFlow's is used."""

    def __init__(self, values: Any, row_splits: Any) -> None:
        is_nested = isinstance(values, RaggedTensor)
        self.values: Any = values if is_nested else Tensor(values)
        self.row_splits = Tensor(row_splits)
        self.ragged_rank: int = 1 + (values.ragged_rank if is_nested else 0)

    @property
    def flat_values(self) -> Any:
        flat = getattr(self.values, "flat_values", self.values)
        return flat.numpy() if isinstance(flat, Tensor) else flat

    def with_flat_values(self, flat: Any) -> RaggedTensor:
        inner = self.values.with_flat_values(flat) if self.ragged_rank > 1 else flat
        return RaggedTensor(inner, self.row_splits.numpy())

    def to_tensor(self) -> Tensor:
        return Tensor(Ragged.of_tensorflow(self).to_tensor())


class RaggedTensorSpec:
    pass


class Batches:
    """A data set of tf.data."""

    element_spec = (RaggedTensorSpec(), None)

    def __iter__(self) -> Any:
        yield RaggedTensor(VALUES[:4], SPLITS[:3]), Tensor(Y[:2])
        yield RaggedTensor(VALUES[4:], SPLITS[2:] - 4), Tensor(Y[2:])


@pytest.fixture(autouse=True)
def tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"Tensor": Tensor, "Variable": Tensor}
    parts |= {"RaggedTensor": RaggedTensor, "RaggedTensorSpec": RaggedTensorSpec}
    monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace(**parts))


@pytest.fixture(scope="module")
def model() -> Any:
    inner = [layers.Embedding(10, 3, mask_zero=True), layers.LSTM(2), layers.Dense(1)]
    made = nacre.Sequential([nacre.Input((None,)), *inner])
    made.compile(nacre.optimizers.SGD(0.0), "mse")
    return made


@pytest.mark.parametrize("kind", [RaggedTensor, Ragged])
def test_all_rows_at_once_are_filled_up_and_masked(model: Any, kind: Any) -> None:
    rows = kind(VALUES, SPLITS)
    wanted = model.predict(DENSE, verbose=0)
    np.testing.assert_allclose(model.predict(rows, verbose=0), wanted, rtol=1e-6)
    np.testing.assert_allclose(model.predict_on_batch(rows), wanted, rtol=1e-6)
    loss = model.evaluate(DENSE, Y, verbose=0)
    assert model.evaluate(rows, Y, verbose=0) == pytest.approx(loss)
    assert model.fit(rows, Y, verbose=0).history["loss"] == [pytest.approx(loss)]
    assert model.train_on_batch(rows, Y) == pytest.approx(loss)


def test_batches_of_tensorflow_are_filled_up_each_to_its_longest(model: Any) -> None:
    wanted = model.evaluate(DENSE, Y, verbose=0)
    assert model.evaluate(Batches(), verbose=0) == pytest.approx(wanted)
    assert model.fit(Batches(), verbose=0).history["loss"] == [pytest.approx(wanted)]
    assert model.predict(Batches(), verbose=0).shape == (4, 1)
    given = next(iter(nacre.data.Dataset.from_generator(Batches)))
    assert given[0].to_list() == [[1, 2, 3], [4]]


def test_ragged_targets_weigh_nothing_where_they_are_filled_up() -> None:
    model = nacre.Sequential([nacre.Input((3, 1)), layers.Identity()])
    model.compile("sgd", "mse")
    x = DENSE[..., None].astype("float32") + 1
    y = RaggedTensor(VALUES.astype("float32")[:, None], SPLITS)
    weights = (DENSE > 0).astype("float32")
    dense = DENSE[..., None].astype("float32")
    wanted = model.evaluate(x, dense, sample_weight=weights, verbose=0)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(wanted)


@pytest.mark.parametrize("kind", [RaggedTensor, Ragged])
def test_targets_ragged_on_two_axes_weigh_nothing_where_either_is_filled_up(kind: Any) -> None:
    model = nacre.Sequential([nacre.Input((2, 3, 1)), layers.Identity()])
    model.compile("sgd", "mse")
    x = np.zeros((2, 2, 3, 1), "float32")
    there = np.array([[[1, 1, 1], [1, 0, 0]], [[1, 0, 0], [0, 0, 0]]], "float32")
    y = kind(kind(np.full((5, 1), 2, "float32"), np.array([0, 3, 4, 5])), np.array([0, 2, 3]))
    dense = 2 * there[..., None]
    for given in (None, np.array([3, 1], "float32")):
        weights = there if given is None else there * given[:, None, None]
        wanted = model.evaluate(x, dense, sample_weight=weights, verbose=0)
        assert model.evaluate(x, y, sample_weight=given, verbose=0) == pytest.approx(wanted)


def test_a_model_that_passes_over_nothing_is_told_and_one_that_does_is_silent(model: Any) -> None:
    blind = nacre.Sequential([layers.Embedding(10, 3), layers.GlobalAveragePooling1D()])
    for rows in (Batches(), RaggedTensor(VALUES, SPLITS)):
        with pytest.warns(UserWarning, match="ragged inputs are filled up with 0, which no layer"):
            blind.predict(rows, verbose=0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.predict(rows, verbose=0)
