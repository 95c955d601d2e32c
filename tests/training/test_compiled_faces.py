"""Losses and metrics of `compile` in a training that is written out: pure, or as in tf.keras 2."""

import jax
import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core.errors import ArgumentError

X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
Y = X[:, :1] * 2


def made(cls=keras.Model):
    keras.utils.set_random_seed(1)
    entry = keras.Input((3,))
    model = cls(entry, layers.Dense(1, kernel_regularizer="l2", name="d")(entry))
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


class Old(keras.Model):
    """A step as the guides of tf.keras 2 write it."""

    def train_step(self, data):
        x, y = data
        with keras.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self.compiled_metrics.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, data):
        x, y = data
        y_pred = self(x, training=False)
        self.compiled_loss(y, y_pred, regularization_losses=self.losses)
        self.compiled_metrics.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


def test_a_step_of_tf_keras_2_trains_and_reports_as_the_built_in_one():
    plain, old = made(), made(Old)
    histories = [m.fit(X, Y, 8, 2, shuffle=False, verbose=0).history for m in (plain, old)]
    assert list(histories[0]) == list(histories[1])
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-5)
    np.testing.assert_allclose(plain.get_weights()[0], old.get_weights()[0], rtol=1e-5)
    found, expected = (m.evaluate(X, Y, batch_size=9, verbose=0) for m in (old, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_compiled_loss_without_penalties_is_that_of_the_outputs():
    model = made(Old)
    y_pred = model(X)
    np.testing.assert_allclose(
        float(model.compiled_loss(Y, y_pred)), np.mean((np.asarray(y_pred) - Y) ** 2), rtol=1e-5
    )
    assert [m.name for m in model.compiled_loss.metrics] == ["loss"]
    assert [m.name for m in model.compiled_metrics.metrics] == ["mae"]
    model.compiled_metrics.update_state(Y, y_pred)
    error = np.mean(np.abs(np.asarray(y_pred) - Y))
    np.testing.assert_allclose(model.compiled_metrics.result()["mae"], error, rtol=1e-5)
    model.compiled_metrics.reset_state()
    model.compiled_loss.reset_state()
    assert float(model.metrics[0].result()) == 0.0


def test_a_class_may_keep_its_own_under_the_names_of_tf_keras_2():
    model = made()
    model.compiled_loss = "mine"
    assert model.compiled_loss == "mine"
    model.fit(X, Y, verbose=0)


def test_compute_loss_as_a_pure_function_trains_as_fit_does():
    plain, model = made(), made()
    plain.train_on_batch(X, Y)
    values = [
        [v.value for v in group]
        for group in (model.trainable_variables, model.non_trainable_variables)
    ]
    metrics = [v.value for v in model.metrics_variables]

    def compute(trainable):
        return model.compute_loss_and_updates(
            trainable, values[1], metrics, X, Y, None, training=True
        )

    (_, (loss, y_pred, others, new)), gradients = jax.value_and_grad(compute, has_aux=True)(
        values[0]
    )
    assert (y_pred.shape, others, len(new)) == ((24, 1), [], len(metrics))
    for value, gradient, variable in zip(values[0], gradients, plain.trainable_variables):
        np.testing.assert_allclose(value - 0.1 * gradient, variable.numpy(), rtol=1e-5, atol=1e-6)
    total, (trainable, _, _) = model.stateless_compute_loss(
        *values, metrics, x=X, y=Y, y_pred=y_pred, training=False
    )
    assert float(loss) > 0.0
    assert float(total) > 0.0
    np.testing.assert_array_equal(trainable[0], values[0][0])
    with pytest.raises(ArgumentError, match="trainable_variables must hold 2 values. Got 0"):
        model.stateless_compute_loss([], [], metrics, y=Y, y_pred=y_pred)


def test_the_loss_of_the_pure_function_is_scaled_as_the_optimizer_wants_it():
    model = made()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=8.0)
    model.compile(optimizer, "mse")
    model.fit(X, Y, verbose=0)
    values = [
        [v.value for v in g] for g in (model.trainable_variables, [], model.metrics_variables)
    ]
    scaled, (loss, *_) = model.compute_loss_and_updates(*values, X, Y, None, training=True)
    np.testing.assert_allclose(scaled, loss * optimizer.dynamic_scale.value, rtol=1e-6)


def test_jit_compile_is_what_compile_was_told():
    model = made()
    assert model.jit_compile is True
    model.compile("sgd", "mse", jit_compile=False)
    assert model.jit_compile is False
    model.jit_compile = True
    assert model.jit_compile is True
    assert keras.Sequential().jit_compile is True
    model.jax_state_sync()
