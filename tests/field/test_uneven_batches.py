"""Batches of a source whose arrays differ in length: each is taken whole, never cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import LossInputError
from nacre.data import Dataset
from nacre.utils import PyDataset

X = np.random.default_rng(0).random((24, 3), dtype=np.float32)
Y = X.sum(axis=1)


class Repeated(PyDataset):
    """One batch, twice."""

    def __init__(self, *batch: Any) -> None:
        super().__init__()
        self.batch = batch

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return self.batch


def compiled(**options: Any) -> Any:
    model = nacre.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse", **options)
    return model


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize(("x", "y"), [(X[:5], Y), (X, Y[:5]), (X[:1], Y)])
def test_targets_of_another_length_are_refused_in_batches_too(x, y, eager) -> None:
    rule = "targets must have the predictions' shape .* same samples: compare their first axes"
    model = compiled(run_eagerly=eager)
    with pytest.raises(LossInputError, match=rule):
        model.fit(Repeated(x, y), verbose=0)
    with pytest.raises(LossInputError, match=rule):
        model.evaluate(((x, y) for _ in range(2)), verbose=0)


@pytest.mark.parametrize("weights", [np.ones(5), np.ones(40)])
def test_sample_weights_of_another_length_are_refused_in_batches_too(weights) -> None:
    with pytest.raises(LossInputError, match="sample_weight must have the shape"):
        compiled().fit(Repeated(X, Y, weights), verbose=0)


class TwoSources(nacre.Model):
    """Trains on unlabelled and labelled samples, of which a batch holds other numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nacre.Sequential([layers.Input((3,)), layers.Dense(2)])

    def train_step(self, data: Any) -> dict[str, Any]:
        (unlabelled, _), (labelled, labels) = data
        together = ops.concatenate([unlabelled, labelled])
        return {"seen": ops.sum(ops.ones_like(together)) / 3, "labels": ops.sum(labels)}

    test_step = train_step


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize(("first", "second"), [(12, 4), (4, 12)])
def test_batches_of_two_data_sets_reach_a_step_of_ones_own_whole(first, second, eager) -> None:
    def of(size: int, labels: Any) -> Dataset:
        return Dataset.from_tensor_slices((X, labels)).batch(size, drop_remainder=True)

    data = Dataset.zip((of(first, np.zeros(24)), of(second, np.ones(24)))).take(2)
    model = TwoSources()
    model.compile(optimizer="sgd", run_eagerly=eager)
    logs = model.fit(data, validation_data=data, verbose=0).history
    assert (logs["seen"], logs["labels"], logs["val_seen"]) == ([16.0], [second], [16.0])


@pytest.mark.parametrize(("first", "second"), [(5, 24), (24, 5)])
def test_predictions_for_inputs_of_different_lengths_are_those_of_each(first, second) -> None:
    one, other = layers.Input((3,)), layers.Input((3,))
    model = nacre.Model([one, other], [layers.Dense(1)(one), layers.Dense(1)(other)])
    found = model.predict(Repeated((X[:first], X[:second]), None), verbose=0)
    expected = model.predict([X, X], verbose=0)
    for part, whole, count in zip(found, expected, (first, second), strict=True):
        np.testing.assert_allclose(part, np.tile(whole[:count], (2, 1)), rtol=1e-5)
