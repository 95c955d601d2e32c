"""Sequential models without an Input take data of other sizes than the first, where layers do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import ShapeError


def ids(rows: int, steps: int) -> np.ndarray:
    return (np.arange(rows * steps).reshape(rows, steps) % 5).astype("int32")


def reader() -> Any:
    return nacre.Sequential([layers.Embedding(5, 4), layers.LSTM(3), layers.Dense(2)])


def test_a_reader_of_texts_takes_shorter_and_longer_ones_after_fit() -> None:
    model = reader()
    model.compile("sgd", "mse")
    model.fit(ids(4, 6), np.ones((4, 2)), verbose=0)
    weights = model.get_weights()
    for steps in (3, 9):
        x = ids(2, steps)
        by_layers = x
        for layer in model.layers:
            by_layers = layer(by_layers)
        np.testing.assert_allclose(model(x), by_layers, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(model.predict(x, verbose=0), by_layers, rtol=1e-5, atol=1e-6)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    before = model.optimizer.iterations.numpy()
    model.fit(ids(4, 8), np.ones((4, 2)), verbose=0)
    assert model.optimizer.iterations.numpy() == before + 1
    assert not np.array_equal(weights[0], model.get_weights()[0])
    assert model.evaluate(ids(3, 2), np.ones((3, 2)), verbose=0) > 0


def test_batches_of_one_fit_may_have_several_lengths(tmp_path: Any) -> None:
    model = reader()
    model.compile("adam", "mse")
    lengths = (6, 4, 6, 2)
    losses = model.fit(
        ((ids(4, n), np.ones((4, 2))) for n in lengths), epochs=1, verbose=0
    ).history["loss"]
    assert np.isfinite(losses).all()
    assert model.optimizer.iterations.numpy() == 4
    path = tmp_path / "reader.keras"
    model.save(path)
    again = nacre.models.load_model(path)
    np.testing.assert_array_equal(
        again.predict(ids(2, 11), verbose=0), model.predict(ids(2, 11), verbose=0)
    )


@pytest.mark.parametrize("kind", ["features", "flat", "declared"])
def test_sizes_a_layer_depends_on_are_still_refused(kind: str) -> None:
    stack = [layers.Dense(2)] if kind == "features" else [layers.Flatten(), layers.Dense(2)]
    if kind == "declared":
        stack = [nacre.Input((4, 2)), layers.Dense(2)]
    model = nacre.Sequential(stack)
    x = np.ones((3, 4, 2), "float32")
    expected = np.asarray(model(x))
    other = np.ones((3, 4, 3), "float32") if kind == "features" else np.ones((3, 5, 2), "float32")
    for door in (model, lambda x: model.predict(x, verbose=0)):
        with pytest.raises(ShapeError, match=r"must have shape \(None, 4, 2\)"):
            door(other)
    np.testing.assert_array_equal(model(x), expected)


class Buckets(layers.Embedding):
    """Makes its indices itself."""

    def call(self, inputs: Any) -> Any:
        return super().call(ops.mod(inputs, self.input_dim))


def test_indices_are_judged_as_an_embedding_of_the_users_makes_them() -> None:
    model = nacre.Sequential([nacre.Input((3,), dtype="int32"), Buckets(5, 2)])
    x = np.array([[0, 7, 12]], "int32")
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x % 5, verbose=0))
    np.testing.assert_array_equal(model(x), model(x % 5))


def test_threads_that_serve_other_sizes_at_once_get_their_own_results() -> None:
    model = reader()
    model(ids(2, 6))
    by_length = {n: ids(2, n) for n in range(1, 7)}
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda n: model.predict(by_length[n], verbose=0), [*by_length] * 2)
    for n, result in zip([*by_length] * 2, found, strict=True):
        np.testing.assert_allclose(result, model(by_length[n]), rtol=1e-5, atol=1e-6)


def test_the_graph_of_the_first_data_stays_for_models_that_share_it() -> None:
    model = reader()
    model(ids(2, 6))
    embedded = nacre.Model(model.inputs, model.layers[0].output)
    model(ids(2, 3))
    again = nacre.Model(model.inputs, model.layers[0].output)
    np.testing.assert_array_equal(embedded(ids(2, 6)), again(ids(2, 6)))
