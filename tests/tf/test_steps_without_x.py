"""A `train_step` that calls its model on something else than x, as one node of a graph is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre.tf as tf

NODES = np.linspace(-1, 1, 60, dtype="float32").reshape(20, 3)
X = np.arange(16)
Y = X % 4


def made(*, calls_x: bool = False, run_eagerly: bool = False) -> Any:
    """A model of two inputs, of which x is neither; `calls_x` makes the mistake."""

    kernels = [tf.keras.initializers.GlorotUniform(seed) for seed in (1, 2)]

    class OfNodes(tf.keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.nodes, self.scale = tf.constant(NODES), tf.constant(2.0)
            self.blocks = [tf.keras.layers.Dense(4, kernel_initializer=kernels[i]) for i in (0, 1)]

        def call(self, inputs: Any) -> Any:
            nodes, scale = inputs
            return self.blocks[1](self.blocks[0](nodes)) * scale

        def outputs_at(self, rows: Any) -> Any:
            return tf.gather(self(rows if calls_x else [self.nodes, self.scale]), rows)

        def train_step(self, data: Any) -> Any:
            rows, labels = data
            with tf.GradientTape() as tape:
                outputs = self.outputs_at(rows)
                loss = self.compiled_loss(labels, outputs)
            grads = tape.gradient(loss, self.trainable_weights)
            self.optimizer.apply_gradients(zip(grads, self.trainable_weights, strict=True))
            self.compiled_metrics.update_state(labels, outputs)
            return {m.name: m.result() for m in self.metrics}

        def test_step(self, data: Any) -> Any:
            rows, labels = data
            outputs = self.outputs_at(rows)
            self.compiled_loss(labels, outputs)
            self.compiled_metrics.update_state(labels, outputs)
            return {m.name: m.result() for m in self.metrics}

        def predict_step(self, data: Any) -> Any:
            return self.outputs_at(data)

    model = OfNodes()
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, loss, metrics=["accuracy"], run_eagerly=run_eagerly)
    return model


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_fit_builds_by_the_step_what_x_cannot(run_eagerly: bool) -> None:
    model = made(run_eagerly=run_eagerly)
    history = model.fit(X, Y, batch_size=4, epochs=2, verbose=0, validation_split=0.25).history
    assert sorted(history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert int(model.optimizer.iterations.numpy()) == 6  # what was tried first is no update
    assert model.predict(X, verbose=0).shape == (16, 4)
    wanted = made()
    wanted([wanted.nodes, wanted.scale])
    wanted.set_weights(model.get_weights())
    # And the numbers are those of a model that was built before.
    np.testing.assert_allclose(
        model.evaluate(X, Y, verbose=0), wanted.evaluate(X, Y, verbose=0), rtol=1e-5
    )


def test_one_epoch_is_what_it_is_for_a_model_that_was_built() -> None:
    one, other = made(), made()
    one([one.nodes, one.scale])
    with_x = {"batch_size": 4, "epochs": 1, "shuffle": False, "verbose": 0}
    wanted = one.fit(X, Y, **with_x).history["loss"]
    assert other.fit(X, Y, **with_x).history["loss"] == pytest.approx(wanted, rel=1e-5)


def test_evaluate_comes_first() -> None:
    model = made()
    assert len(model.evaluate(X, Y, verbose=0)) == 2
    assert len(model.fit(X, Y, verbose=0).history["accuracy"]) == 1


def test_the_error_of_a_step_that_calls_the_model_on_x_is_told() -> None:
    with pytest.raises(ValueError, match="unpack"):
        made(calls_x=True).fit(X, Y, batch_size=4, verbose=0)
