"""A training step of the user's that calls the parts of a model, whose `call` is for something else."""

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import ShapeError

X = np.ones((8, 3), "float32")


class Generating(nacre.Model):
    """Trained on samples, called on codes, as a generator or a decoder is."""

    def __init__(self, calls=False):
        super().__init__()
        self.encoder = nacre.Sequential([nacre.Input((3,)), layers.Dense(2)])
        self.decoder = nacre.Sequential([nacre.Input((2,)), layers.Dense(3)])
        self.calls = calls

    def call(self, codes):
        return self.decoder(codes)

    def loss_of(self, x):
        y = self(x) if self.calls else self.decoder(self.encoder(x))
        return ops.mean(ops.square(y - x))

    def train_step(self, x):
        with nacre.GradientTape() as tape:
            loss = self.loss_of(x)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}

    def test_step(self, x):
        return {"loss": self.loss_of(x)}


@pytest.mark.parametrize("eager", [False, True])
def test_a_model_that_is_called_on_codes_trains_on_samples(eager):
    model = Generating()
    model.compile("sgd", run_eagerly=eager)
    losses = model.fit(X, batch_size=4, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert model.evaluate(X, verbose=0) < losses[-1]
    assert model.predict(np.ones((2, 2)), verbose=0).shape == (2, 3)


def test_a_step_that_calls_the_model_on_what_does_not_fit_says_so():
    model = Generating(calls=True)
    model.compile("sgd")
    with pytest.raises(ShapeError, match=r"must have shape \(None, 2\)"):
        model.fit(X, verbose=0)


class OfPairs(nacre.Model):
    """Trained on pairs of inputs, with labels and without, called on one."""

    def __init__(self):
        super().__init__()
        self.network = nacre.Sequential([nacre.Input((3,)), layers.Dense(4, "softmax")])

    def call(self, x, training=False):
        return self.network(x, training=training)

    def train_step(self, data):
        (x, others), y = data
        with nacre.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
            loss += ops.mean(ops.square(self(ops.reshape(others, (-1, 3)), training=True)))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


@pytest.mark.parametrize("eager", [False, True])
def test_a_step_that_takes_batches_apart_computes_the_loss_given_to_compile(eager):
    model = OfPairs()
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=eager)
    others, y = np.zeros((8, 2, 3), "float32"), np.arange(8) % 4
    for _ in range(2):
        (loss,) = model.fit((X, others), y, batch_size=8, verbose=0).history["loss"]
    kernel, bias = (np.asarray(w, "float64") for w in model.get_weights())
    assert np.log(4) - 0.2 < loss < np.log(4) + 1.5
    assert np.any(bias)
    probabilities = np.exp(X @ kernel + bias)
    probabilities /= probabilities.sum(-1, keepdims=True)
    np.testing.assert_allclose(model.predict(X, verbose=0), probabilities, rtol=1e-5)
