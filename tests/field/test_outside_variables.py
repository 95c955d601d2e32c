"""Variables of the script that compiled steps read: what they hold counts, not what they held."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre import callbacks, layers, losses, ops, optimizers

X, ZEROS = np.ones((6, 1), "float32"), np.zeros((6, 1), "float32")


class Sets(callbacks.Callback):
    """Gives a variable the number of the epoch."""

    def __init__(self, variable):
        super().__init__()
        self.variable = variable

    def on_epoch_begin(self, epoch, logs=None):
        self.variable.assign(float(epoch))


def make(loss="mse", inner=(), **given):
    stack = [nacre.Input((1,)), *inner, layers.Dense(1, kernel_initializer="ones")]
    model = nacre.Sequential(stack)
    model.compile(optimizers.SGD(0.0), loss, **given)
    return model


def of_function(beta):
    return make(lambda y, p: beta * ops.mean((y - p) ** 2))


def of_object(beta):
    class Scaled(losses.Loss):
        def call(self, y_true, y_pred):
            return beta * ops.mean((y_true - y_pred) ** 2, axis=-1)

    return make(Scaled())


def of_layer(beta):
    class Adds(layers.Layer):
        def call(self, x):
            self.add_loss(beta * ops.mean(x**2))
            return 0 * x

    return make(inner=[Adds()])


def of_lambda(beta):
    return make("mae", inner=[layers.Lambda(lambda x: beta * x)])


def of_weights(beta):
    model = make()
    model.compile(optimizers.SGD(0.0), "mse", loss_weights=beta)
    return model


MAKERS = [of_function, of_object, of_layer, of_lambda, of_weights]


@pytest.mark.parametrize("of", MAKERS)
@pytest.mark.parametrize("batch_size", [3, 4], ids=["even", "rest"])
def test_a_variable_that_a_callback_changes_counts_in_the_next_epoch(of, batch_size):
    beta = nacre.Variable(9.0)
    record = of(beta).fit(
        X, ZEROS, batch_size=batch_size, epochs=3, verbose=0, callbacks=[Sets(beta)]
    )
    np.testing.assert_allclose(record.history["loss"], [0, 1, 2])


@pytest.mark.parametrize("of", MAKERS)
def test_a_variable_changed_between_calls_counts_in_each_of_them(of):
    beta = nacre.Variable(1.0)
    model = of(beta)
    for value in (1.0, 3.0, 5.0):
        beta.assign(value)
        assert model.evaluate(X, ZEROS, verbose=0) == value
        assert float(model.train_on_batch(X, ZEROS)) == value
        assert model.fit(iter([(X, ZEROS)]), verbose=0).history["loss"] == [value]


def test_predictions_follow_a_variable_that_a_lambda_reads():
    beta = nacre.Variable(1.0)
    model = nacre.Sequential([nacre.Input((1,)), layers.Lambda(lambda x: beta * x)])
    for value in (1.0, 3.0):
        beta.assign(value)
        np.testing.assert_array_equal(model.predict(X, verbose=0), value * X)


def test_a_metric_and_an_evaluation_see_the_learning_rate_as_it_is():
    def rate(y_true, y_pred):
        return model.optimizer.learning_rate

    model = make(metrics=[rate])
    for value in (0.5, 0.25):
        model.optimizer.learning_rate = value
        assert model.evaluate(X, ZEROS, verbose=0)[1] == value
        assert model.fit(X, ZEROS, verbose=0).history["rate"] == [value]


def test_another_model_in_a_loss_is_seen_as_it_is_trained():
    teacher = nacre.Sequential([nacre.Input((1,)), layers.Dense(1, kernel_initializer="ones")])
    model = make(lambda y, p: ops.mean((teacher(p) - y) ** 2))
    assert model.fit(X, ZEROS, verbose=0).history["loss"] == [1.0]
    teacher.set_weights([np.full((1, 1), 3.0), np.zeros(1)])
    assert model.fit(X, ZEROS, verbose=0).history["loss"] == [9.0]


def test_a_number_asked_for_in_python_is_asked_anew_when_it_has_changed():
    beta = nacre.Variable(2.0)
    model = make(lambda y, p: float(beta) * ops.mean((y - p) ** 2))
    assert model.fit(X, ZEROS, verbose=0).history["loss"] == [2.0]
    beta.assign(5.0)
    assert model.fit(X, ZEROS, verbose=0).history["loss"] == [5.0]
    assert model.evaluate(X, ZEROS, verbose=0) == 5.0
    beta.assign(7.0)
    assert model.evaluate(X, ZEROS, verbose=0) == pytest.approx(7.0)


def test_a_model_saved_with_a_variable_as_loss_weight_keeps_its_number(tmp_path):
    model = make()
    model.compile("sgd", "mse", loss_weights=[nacre.Variable(2.0)])
    model.save(tmp_path / "model.keras")
    opened = nacre.models.load_model(tmp_path / "model.keras")
    assert opened.evaluate(X, ZEROS, verbose=0) == 2.0


def test_a_step_that_fails_after_it_met_a_variable_says_so_and_spoils_nothing():
    beta = nacre.Variable(2.0)
    model = make(lambda y, p: beta * ops.mean((y - p) ** 2) + float(beta))
    for run in (model.fit, model.evaluate):
        with pytest.raises(TypeError, match="concrete|value"):
            run(X, ZEROS, verbose=0)
    assert float(beta) == 2.0
    np.testing.assert_array_equal(model.get_weights()[0], [[1.0]])


def test_what_a_loss_counts_is_counted_and_seen_alike_in_the_first_training_and_in_the_second():
    steps = nacre.Variable(0.0, trainable=False)

    def loss(y, p):
        steps.assign_add(1.0)
        return (y - p) ** 2

    seen = []
    look = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(float(steps)))
    model = make(loss)
    for _ in range(2):
        steps.assign(0.0)
        data = (X, ZEROS)
        model.fit(*data, batch_size=2, epochs=2, validation_data=data, verbose=0, callbacks=[look])
    # Of training alone: validation leaves alone what the training around it goes on with.
    assert seen == [3.0, 6.0, 3.0, 6.0]
    assert steps.trained_by is None
