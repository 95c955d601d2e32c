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
from nacre.core.errors import DataError
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

    ragged_rank = 1

    def __init__(self, values: Any, row_splits: Any) -> None:
        self.values, self.row_splits = Tensor(values), Tensor(row_splits)

    def to_tensor(self) -> Tensor:
        return Tensor(Ragged(self.values.numpy(), self.row_splits.numpy()).to_tensor())

    def row_lengths(self) -> Tensor:
        return Tensor(np.diff(self.row_splits.numpy()))


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
    y.ragged_rank = 2
    with pytest.raises(DataError, match=r"length of one axis alone.*y.to_tensor\(\)"):
        model.evaluate(x, y, verbose=0)


def test_a_model_that_passes_over_nothing_is_told_and_one_that_does_is_silent(model: Any) -> None:
    blind = nacre.Sequential([layers.Embedding(10, 3), layers.GlobalAveragePooling1D()])
    for rows in (Batches(), RaggedTensor(VALUES, SPLITS)):
        with pytest.warns(UserWarning, match="ragged inputs are filled up with 0, which no layer"):
            blind.predict(rows, verbose=0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.predict(rows, verbose=0)
