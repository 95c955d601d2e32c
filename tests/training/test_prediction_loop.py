"""Predictions of very many batches, a chunk of them in one dispatch, are those of single batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.callbacks import Callback
from nacre.core.errors import DataError
from nacre.training import prediction_loop

ROWS = 4 * 83 + 3  # one batch, two chunks of 32, one of 18, and a smaller batch
X = np.random.default_rng(0).random((ROWS, 3), dtype=np.float32)


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_loop, "LEAST_BATCHES", 20)
    monkeypatch.setattr("nacre.data.sources.CHUNK_BYTES", 32 * 4 * 16)
    monkeypatch.setattr(prediction_loop, "CHUNK_BYTES", 1 << 20)


@pytest.fixture
def chunked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The samples of each chunk that was run."""
    found: list[int] = []
    run = prediction_loop.ChunkedPrediction.run

    def noted(self: Any) -> Any:
        for made in run(self):
            if isinstance(made, tuple):
                found.append(made[1])
            yield made

    monkeypatch.setattr(prediction_loop.ChunkedPrediction, "run", noted)
    return found


def by_single_batches(model: Any, x: Any) -> Any:
    class Hooks(Callback):
        def on_predict_batch_end(self, batch, logs=None): ...

    return model.predict(x, batch_size=4, verbose=0, callbacks=[Hooks()])


def test_chunks_give_what_single_batches_give(chunked: list[int]) -> None:
    inputs = {"a": nacre.Input((3,), name="a"), "b": nacre.Input((1,), name="b", dtype="int32")}
    joined = layers.Concatenate()(
        [inputs["a"], layers.Flatten()(layers.Embedding(9, 2)(inputs["b"]))]
    )
    model = nacre.Model(inputs, {"sum": layers.Dense(2)(joined), "same": inputs["b"]})
    x = {"a": X, "b": np.arange(ROWS)[:, None] % 9}
    result = model.predict(x, batch_size=4, verbose=0)
    assert chunked == [128, 128, 72]
    expected = by_single_batches(model, x)
    np.testing.assert_allclose(result["sum"], expected["sum"], rtol=1e-5)
    np.testing.assert_array_equal(result["same"], x["b"])
    for leaf in result.values():
        leaf += 1  # the user's own
    assert model.predict(x, batch_size=4, steps=50, verbose=0)["sum"].shape == (200, 2)


def test_new_weights_and_attributes_are_seen(chunked: list[int]) -> None:
    class Scaled(layers.Layer):
        scale = 1.0

        def call(self, x):
            return x * self.scale

    scaled = Scaled()
    model = nacre.Sequential([layers.Input((3,)), layers.Dense(2), scaled])
    first = model.predict(X, batch_size=4, verbose=0)
    model.layers[0].set_weights([2 * w for w in model.layers[0].get_weights()])
    np.testing.assert_allclose(model.predict(X, batch_size=4, verbose=0), 2 * first, rtol=1e-5)
    scaled.scale = 3.0
    np.testing.assert_allclose(model.predict(X, batch_size=4, verbose=0), 6 * first, rtol=1e-5)
    assert len(chunked) == 6


@pytest.mark.full_effort
def test_the_same_call_gives_the_same_bits() -> None:
    model = nacre.Sequential([layers.Input((3,)), layers.Dense(5, "tanh"), layers.Dense(1)])
    first = model.predict(X, batch_size=4, verbose=0)
    np.testing.assert_array_equal(model.predict(X, batch_size=4, verbose=0), first)


def test_states_and_noise_go_from_batch_to_batch(chunked: list[int]) -> None:
    noise = nacre.Sequential(
        [layers.Input((3,)), layers.Lambda(lambda x: x + nacre.random.normal((3,)))]
    )
    difference = noise.predict(X, batch_size=4, verbose=0) - X
    rows = difference[: 4 * 83].reshape(83, 4, 3)
    np.testing.assert_allclose(rows, np.broadcast_to(rows[:, :1], rows.shape), atol=1e-5)
    assert len({tuple(np.round(r, 3)) for r in rows[:, 0]}) == 83
    x = np.ones((4 * 40, 2, 3), "float32")
    state = nacre.Sequential(
        [nacre.Input(batch_shape=(4, 2, 3)), layers.SimpleRNN(2, stateful=True)]
    )
    result = state.predict(x, batch_size=4, verbose=0)
    state.layers[0].reset_state()
    single = [state.predict_on_batch(x[:4]) for _ in range(40)]
    np.testing.assert_allclose(result, np.concatenate(single), rtol=1e-5)
    assert chunked == []


def test_outputs_without_a_row_for_each_sample_are_those_of_single_batches(
    chunked: list[int],
) -> None:
    model = nacre.Sequential([layers.Input((3,)), layers.Lambda(lambda x: nacre.ops.mean(x))])
    assert model.predict(X[:332], batch_size=4, verbose=0).shape == (83,)
    assert chunked == []


def test_a_mistake_in_the_rows_is_told_as_ever(chunked: list[int]) -> None:
    model = nacre.Sequential([layers.Input((1,), dtype="int32"), layers.Embedding(5, 2)])
    x = np.zeros((ROWS, 1), "int32")
    x[300] = 7
    with pytest.raises(DataError, match="Got 7 in row 300"):
        model.predict(x, batch_size=4, verbose=0)
