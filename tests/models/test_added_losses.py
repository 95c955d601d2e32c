"""`model.add_loss` with symbolic tensors: a term of the graph that training minimises."""

from __future__ import annotations

import numpy as np
import pytest

import nacre as keras
from nacre import layers, ops
from nacre.core.errors import ArgumentError
from nacre.models import clone_model, load_model

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")


def made(with_head: bool = False):
    """A dense layer whose mean square is a loss, by itself or after a layer of its own."""
    inputs = keras.Input((4,))
    hidden = layers.Dense(3, name="hidden")(inputs)
    model = keras.Model(inputs, layers.Dense(4, name="out")(hidden))
    term = layers.Dense(1, name="head")(hidden) if with_head else hidden
    model.add_loss(2.0 * ops.mean(ops.square(term)))
    return model


def expected(model):
    outputs = np.asarray(model.predict(X, verbose=0))
    hidden = X @ np.asarray(model.get_layer("hidden").kernel)
    return np.mean((outputs - X) ** 2) + 2.0 * np.mean(hidden**2)


def test_the_term_is_reported_and_minimised():
    model = made()
    model.compile("sgd", "mse")
    want = expected(model)
    assert model.evaluate(X, X, verbose=0) == pytest.approx(want, rel=1e-5)
    history = model.fit(X, X, epochs=5, batch_size=8, verbose=0).history["loss"]
    assert history[0] == pytest.approx(want, rel=1e-5)
    assert history[-1] < history[0]
    assert model.train_on_batch(X, X) == pytest.approx(expected(model), rel=0.2)


def test_it_may_be_all_there_is_to_minimise():
    model = made()
    model.compile("sgd")
    before = np.abs(model.get_layer("hidden").kernel).sum()
    model.fit(X, epochs=5, verbose=0)
    assert np.abs(model.get_layer("hidden").kernel).sum() < before


def test_a_term_added_after_training_counts_from_then_on():
    inputs = keras.Input((4,))
    hidden = layers.Dense(3)(inputs)
    model = keras.Model(inputs, layers.Dense(4)(hidden))
    model.compile("sgd", "mse")
    plain = model.evaluate(X, X, verbose=0)
    model.add_loss(ops.sum(hidden) * 0.0 + 5.0)
    assert model.evaluate(X, X, verbose=0) == pytest.approx(plain + 5.0, rel=1e-5)


def test_layers_of_the_term_come_last_and_train():
    model = made(with_head=True)
    assert [layer.name for layer in model.layers[1:]] == ["hidden", "out", "head"]
    model.compile("sgd")
    before = np.asarray(model.get_layer("head").kernel)
    model.fit(X, verbose=0)
    assert not np.array_equal(before, model.get_layer("head").kernel)


def test_within_a_larger_model_it_counts_too():
    inner = made()
    inputs = keras.Input((4,))
    outer = keras.Model(inputs, inner(inputs))
    outer.compile("sgd", "mse")
    assert outer.evaluate(X, X, verbose=0) == pytest.approx(expected(inner), rel=1e-5)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_files_clones_and_configs_keep_it(ending, tmp_path):
    model = made(with_head=True)
    model.compile("sgd", "mse")
    want = model.evaluate(X, X, verbose=0)
    model.save(tmp_path / f"m{ending}")
    again = load_model(tmp_path / f"m{ending}")
    assert again.evaluate(X, X, verbose=0) == pytest.approx(want, rel=1e-6)
    clone = clone_model(model)
    clone.set_weights(model.get_weights())
    clone.compile("sgd", "mse")
    assert clone.evaluate(X, X, verbose=0) == pytest.approx(want, rel=1e-6)


def test_terms_the_inputs_do_not_lead_to_are_refused():
    model = made()
    with pytest.raises(ArgumentError, match="reached from the inputs.*missing Input"):
        model.add_loss(ops.mean(keras.Input((2,))))

    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ArgumentError, match=r"inputs and outputs.*self.add_loss\(...\) within"):
        Own().add_loss(ops.mean(keras.Input((2,))))
