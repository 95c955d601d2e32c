"""`RematScope`: layers that keep less for the gradient train with the same numbers."""

import math

import jax
import numpy as np
import pytest

import nacre as keras
from nacre import layers, ops
from nacre.core.errors import ArgumentError

X = np.random.default_rng(0).normal(size=(16, 8)).astype("float32")
LABELS = np.arange(16) % 3


class Block(layers.Layer):
    """Of several layers, with losses, statistics, a seed and a mask's neighbour."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(64, activation="gelu", activity_regularizer="l2")
        self.second = layers.Dense(64, activation="tanh")
        self.norm = layers.BatchNormalization()
        self.drop = layers.Dropout(0.2, seed=1)

    def call(self, x, training=False):
        self.add_loss(1e-3 * ops.sum(ops.square(x)))
        return self.drop(self.norm(self.second(self.first(x))), training=training)


def made(scope, cls=keras.Model):
    keras.utils.set_random_seed(1)
    with scope or keras.RematScope(None):
        entry = keras.Input((8,))
        x = Block(name="one")(entry)
        x = Block(name="two")(x)
        return cls(entry, layers.Dense(3, activation="softmax", name="out")(x))


def kept_bytes(model):
    """What is kept for the gradient, of a forward pass."""
    values = [v.value for v in model.trainable_variables]
    others = [v.value for v in model.non_trainable_variables]

    def loss(values):
        return ops.sum(model.stateless_call(values, others, X, training=True)[0])

    kept = jax.eval_shape(lambda values: jax.vjp(loss, values)[1], values)
    weights = sum(v.size * 4 for v in model.trainable_variables)
    leaves = jax.tree.leaves(kept)
    return sum(math.prod(a.shape) * a.dtype.itemsize for a in leaves) - weights


class ByHand(keras.Model):
    def train_step(self, data):
        x, y = data
        with keras.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        return {"loss": loss}


@pytest.mark.parametrize("cls", [keras.Model, ByHand])
def test_what_is_recomputed_trains_with_the_same_numbers(cls):
    found = []
    for scope in (None, keras.RematScope()):
        model = made(scope, cls)
        model.compile("adam", "sparse_categorical_crossentropy")
        history = model.fit(X, LABELS, batch_size=8, epochs=2, shuffle=False, verbose=0).history
        found.append([history["loss"], *model.get_weights(), model.predict(X, verbose=0)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-5)


def test_less_is_kept_for_the_gradient():
    plain, whole = kept_bytes(made(None)), kept_bytes(made(keras.RematScope()))
    assert whole < plain / 2
    named = keras.RematScope("list_of_layers", layer_names=["one"])
    assert whole < kept_bytes(made(named)) < plain
    large = keras.RematScope("larger_than", output_size_threshold=16 * 64)
    assert kept_bytes(made(large)) == plain  # for a batch of 16 that many is not more
    large = keras.RematScope("output_size", output_size_threshold=16 * 64 - 1)
    assert kept_bytes(made(large)) < plain


def test_products_are_kept_where_activations_are_recomputed():
    def dense(scope):
        with scope:
            entry = keras.Input((8,))
            x = layers.Dense(64, activation="gelu")(entry)
            return keras.Model(entry, layers.Dense(64, activation="gelu")(x))

    sizes = [kept_bytes(dense(keras.RematScope(m))) for m in ("full", "activations", None)]
    assert sizes[0] < sizes[1] < sizes[2]


def test_a_function_may_be_recomputed():
    @keras.remat
    def heavy(x):
        return ops.sum(ops.sin(ops.exp(x)))

    np.testing.assert_allclose(
        jax.grad(heavy)(X[0]), np.cos(np.exp(X[0])) * np.exp(X[0]), rtol=1e-4
    )
    with keras.RematScope():
        layer = layers.Dense(2)
    layer.build((None, 8))
    wrapped = layer.rematerialized_call(layer.call, X)
    np.testing.assert_allclose(jax.jit(wrapped)(X), layer(X), rtol=1e-5)
    assert layers.Dense(2).rematerialized_call(len) is len


def test_an_unknown_mode_is_refused():
    with pytest.raises(ArgumentError, match="Did you mean 'activations'"):
        keras.RematScope("activation")
