"""A model's own programs use the kernels compiled here; what others trace of it can travel."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import nacre
from nacre.ops.kernels.native import library
from nacre.ops.kernels.placement import current_placement, own_program, plain_xla
from tests import native

X = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype("float32")


@pytest.fixture
def compiled():
    """Native kernels, or no test."""
    native.need(library.CONVOLUTION)


def network():
    layers = nacre.layers
    return nacre.Sequential(
        [
            nacre.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.AveragePooling2D(),
            layers.Reshape((3, 12)),
            layers.LSTM(5, return_sequences=True),
            layers.Reshape((3, 1, 5)),
            layers.Conv2DTranspose(2, 2),
        ]
    )


def test_somebody_elses_program_holds_no_native_call(compiled):
    model = network()
    assert "ffi_call[" not in str(jax.make_jaxpr(lambda x: model(x))(X))
    with own_program():
        assert "ffi_call[" in str(jax.make_jaxpr(lambda x: model._call_now(x))(X))


class Place(nacre.layers.Layer):
    """Notes where it is traced."""

    def call(self, inputs):
        self.seen = current_placement()
        return inputs


def test_where_models_are_traced():
    place = Place()
    model = nacre.Sequential([nacre.Input((3,)), place, nacre.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
    seen = {}
    for name, run in {
        "model(x)": lambda: model(x),
        "predict": lambda: model.predict(x, verbose=0),
        "fit": lambda: model.fit(x, y, batch_size=4, verbose=0),
        "fit of one batch": lambda: model.fit(x, y, verbose=0),
        "evaluate": lambda: model.evaluate(x, y, verbose=0),
        "train_on_batch": lambda: model.train_on_batch(x, y),
        "jax.jit": lambda: jax.jit(lambda x: model(x))(x),
    }.items():
        place.seen = None
        run()
        seen[name] = place.seen
    assert seen == {
        "model(x)": "plain",  # this layer's code is a user's: it runs eagerly, with real values
        "predict": "own",
        "fit": "loop",
        "fit of one batch": "own",
        "evaluate": "loop",
        "train_on_batch": "own",
        "jax.jit": "plain",
    }


def test_predict_gives_the_numbers_of_plain_xla(compiled):
    model = network()
    with plain_xla():
        expected = model.predict(X, verbose=0)
    twin = nacre.models.clone_model(model)
    twin.set_weights(model.get_weights())
    np.testing.assert_allclose(twin.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(twin(X), expected, rtol=1e-5, atol=1e-6)
