"""A `Dataset` goes into fit, evaluate, predict and adapt. (`training/test_resume.py`: goes on later.)"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nacre import layers, models
from nacre.core.errors import DataError
from nacre.data import BatchSource, Dataset
from nacre.data.batch_feed import BatchFeed

X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
Y = (X.sum(1) > 0).astype("int64")


def model() -> Any:
    """One with a weight each input."""
    made = models.Sequential([layers.Input((3,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def data(seed: int | None = None) -> Dataset:
    """Batches in random order."""
    rows = Dataset.from_tensor_slices((X, Y)).shuffle(24, seed=seed)
    return rows.batch(8).map(lambda x, y: (x * 2, y)).prefetch(2)


def test_fit_takes_batches_as_they_come() -> None:
    trained = model()
    history = trained.fit(data(), epochs=2, validation_data=data().take(2), verbose=0)
    assert len(history.history["val_loss"]) == 2 and trained.optimizer.iterations == 6
    loss = trained.evaluate(data(), verbose=0)
    assert np.isclose(loss, trained.evaluate(X * 2, Y, verbose=0), rtol=1e-5)
    assert trained.predict(data().map(lambda x, y: x), verbose=0).shape == (24, 1)
    trained.fit(data().repeat(), steps_per_epoch=2, epochs=2, verbose=0)
    assert trained.optimizer.iterations == 10


def test_each_epoch_has_an_order_of_its_own() -> None:
    seen: list[list[int]] = []
    rows = Dataset.from_tensor_slices((np.arange(24.0).reshape(24, 1), Y)).shuffle(24, seed=1)

    def note(x: Any, y: Any) -> Any:
        seen.append(x[:, 0].astype(int).tolist())
        return np.repeat(x, 3, axis=1), y

    model().fit(rows.batch(24).map(note), epochs=3, verbose=0)
    assert len(seen) == 3 and all(sorted(order) == list(range(24)) for order in seen)
    assert seen[0] != seen[1] != seen[2]


def test_data_without_end_needs_a_number_of_steps() -> None:
    with pytest.raises(DataError, match="fit: data without end needs a number of batches"):
        model().fit(data().repeat(), verbose=0)


def test_windows_in_the_place_of_batches_are_told() -> None:
    with pytest.raises(DataError, match="x: batches must hold arrays. Got a Dataset. Take the el"):
        model().fit(Dataset.from_tensor_slices(X).window(4), verbose=0)


def test_adapt_takes_a_dataset() -> None:
    normalized = layers.Normalization()
    normalized.adapt(Dataset.from_tensor_slices(X).batch(5))
    np.testing.assert_allclose(np.ravel(normalized.mean), X.mean(0), rtol=1e-4, atol=1e-6)
    texts = Dataset.from_tensor_slices(["a b", "a c", "ä"]).batch(2)
    vectors = layers.TextVectorization()
    vectors.adapt(texts)
    assert vectors.get_vocabulary()[2] == "a" and "ä" in vectors.get_vocabulary()
    assert next(iter(texts.map(lambda t: vectors(t)))).tolist() == [[2, 5], [2, 4]]
    lookup = layers.StringLookup()
    lookup.adapt(Dataset.from_tensor_slices(["x", "y", "x"]).batch(2))
    assert lookup.get_vocabulary() == ["[UNK]", "x", "y"]
    assert int(np.asarray(lookup(next(iter(Dataset.from_tensors("y")))))) == 2


def test_a_pass_after_a_state_at_the_end_of_one_has_the_next_order() -> None:
    def feed() -> BatchFeed:
        rows = Dataset.range(12).shuffle(12, seed=3).filter(lambda x: True)
        return BatchFeed(BatchSource(rows.batch(4)), ahead=0)

    def order(epoch: int, of: BatchFeed) -> list[int]:
        return [int(n) for stretch in of.epoch(epoch) for n in stretch.arrays[0]]

    first, second = feed(), feed()
    begun = order(0, first)
    state, data = first.state(), first.data_state()
    later = order(1, first)
    second.source.first()
    second.restore(state, data)
    list(second.epoch(0, state["step"]))
    assert order(1, second) == later != begun


def ragged() -> Dataset:
    """Sequences of numbers from 1, with a target for each step."""
    rows = Dataset.range(1, 5).map(lambda n: (np.arange(1, n + 1), np.full((n, 1), n, "float32")))
    return rows.ragged_batch(2)


def test_ragged_batches_are_padded_and_padding_counts_nowhere() -> None:
    parts = [layers.Input((None,)), layers.Embedding(6, 2, mask_zero=True), layers.LSTM(3, return_sequences=True), layers.Dense(1)]  # fmt: skip
    made = models.Sequential(parts)
    made.compile("sgd", "mse")
    loss = made.evaluate(ragged(), verbose=0)
    means = []
    for x, y in ragged():
        rows = [
            (made.predict(row[None], verbose=0)[0] - t) ** 2 for row, t in zip(x, y, strict=True)
        ]
        means.append(np.concatenate(rows).mean())  # of the steps that are there
    assert np.isclose(loss, np.mean(means), rtol=1e-4)
    made.fit(ragged(), verbose=0)


def test_ragged_inputs_that_nothing_masks_are_told() -> None:
    made = models.Sequential([layers.Input((None,)), layers.Embedding(6, 2), layers.Dense(1)])
    made.compile("sgd", "mse")
    with pytest.warns(
        UserWarning, match="filled up with 0, which no layer of the model passes over"
    ):
        made.evaluate(ragged(), verbose=0)
