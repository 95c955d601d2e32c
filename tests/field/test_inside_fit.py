"""What callbacks do to the training they stand in: evaluate, train and keep what they are given."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre import callbacks, layers, metrics, optimizers
from nacre.core.errors import BusyError, ShapeError

X = np.arange(8, dtype="float32").reshape(8, 1)
ZEROS = np.zeros_like(X)


def make(**given):
    model = nacre.Sequential([nacre.Input((1,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(**{"optimizer": optimizers.SGD(0.0), "loss": "mse", "metrics": ["mae"], **given})
    return model


def at_each_batch(action):
    class Acts(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            action(self.model)

    return Acts()


@pytest.mark.parametrize(
    "action",
    [
        lambda m: m.evaluate(ZEROS, ZEROS, verbose=0),
        lambda m: m.test_on_batch(ZEROS, ZEROS),
        lambda m: m.train_on_batch(ZEROS, ZEROS),
        lambda m: m.predict(ZEROS, verbose=0),
    ],
    ids=["evaluate", "test_on_batch", "train_on_batch", "predict"],
)
def test_what_a_callback_evaluates_stays_out_of_the_metrics_of_the_training(action):
    record = make().fit(X, ZEROS, batch_size=2, verbose=0, callbacks=[at_each_batch(action)])
    np.testing.assert_allclose(record.history["mae"], np.abs(X).mean())
    np.testing.assert_allclose(record.history["loss"], (X**2).mean())


class Counted(layers.Layer):
    def build(self, input_shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x):
        self.calls.assign_add(1.0)
        return x


def test_evaluation_from_a_callback_moves_no_buffer_of_the_training():
    model = nacre.Sequential([nacre.Input((1,)), Counted(), layers.Dense(1)])
    model.compile(optimizers.SGD(0.0), "mse")
    evaluates = at_each_batch(lambda m: m.evaluate(ZEROS, ZEROS, verbose=0))
    model.fit(X, ZEROS, batch_size=2, verbose=0, callbacks=[evaluates])
    assert float(model.layers[0].calls.numpy()) == 4
    model.evaluate(ZEROS, ZEROS, verbose=0)  # outside a training it counts as ever
    assert float(model.layers[0].calls.numpy()) == 5


def test_an_evaluation_that_fails_in_a_callback_leaves_the_metrics_alone():
    def fails(model):
        with pytest.raises(ShapeError):
            model.evaluate(np.zeros((2, 5)), np.zeros((2, 1)), verbose=0)

    record = make().fit(X, ZEROS, batch_size=2, verbose=0, callbacks=[at_each_batch(fails)])
    np.testing.assert_allclose(record.history["mae"], np.abs(X).mean())


def test_another_model_with_the_same_metric_object_is_evaluated_as_before():
    shared = metrics.MeanAbsoluteError()
    one, other = make(metrics=[shared]), make(metrics=[shared])
    one.fit(X, ZEROS, verbose=0)
    np.testing.assert_allclose(other.evaluate(X, ZEROS, verbose=0)[1], np.abs(X).mean())


def test_a_variable_that_a_callback_logs_is_its_number_of_that_epoch():
    class Rate(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.optimizer.learning_rate = 0.5 / (epoch + 1)

        def on_epoch_end(self, epoch, logs=None):
            logs["rate"] = self.model.optimizer.learning_rate
            logs["kernel"] = self.model.layers[0].kernel

    record = make().fit(ZEROS, ZEROS, epochs=2, verbose=0, callbacks=[Rate()])
    assert record.history["rate"] == [0.5, 0.25]
    assert all(isinstance(v, np.ndarray) for v in record.history["kernel"])


def test_an_array_that_a_callback_fills_again_is_kept_as_it_was():
    counts = np.zeros(2)

    class Counts(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            counts[:] = epoch
            logs["counts"] = counts

    record = make().fit(X, ZEROS, epochs=2, verbose=0, callbacks=[Counts()])
    np.testing.assert_array_equal(record.history["counts"], [[0, 0], [1, 1]])


@pytest.mark.parametrize("name", ["Accuracy", "ACC", "acc"])
def test_accuracy_is_chosen_by_shapes_however_it_is_written(name):
    model = nacre.Sequential([nacre.Input((1,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[name])
    found = model.evaluate(X, np.arange(8) % 3, verbose=0, return_dict=True)
    expected = (model.predict(X, verbose=0).argmax(-1) == np.arange(8) % 3).mean()
    np.testing.assert_allclose(found[name], expected)


def test_a_step_that_a_callback_trains_is_kept_beside_those_of_the_fit():
    both = make(optimizer=optimizers.SGD(0.01))
    both.fit(
        X,
        ZEROS,
        batch_size=8,
        verbose=0,
        callbacks=[at_each_batch(lambda m: m.train_on_batch(X, ZEROS))],
    )
    twice = make(optimizer=optimizers.SGD(0.01))
    twice.fit(X, ZEROS, batch_size=8, epochs=2, verbose=0)
    np.testing.assert_allclose(both.get_weights()[0], twice.get_weights()[0], rtol=1e-6)
    assert int(both.optimizer.iterations) == 2


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end", "on_train_batch_end"])
@pytest.mark.parametrize("action", ["compile", "optimizer"])
def test_another_compile_within_a_fit_is_refused_and_holds_for_the_next(action, hook):
    model = nacre.Sequential([nacre.Input((1,)), layers.Dense(1)])
    model.compile(optimizers.SGD(0.1), "mse")
    x = np.ones((8, 1), "float32")

    def change(*_):
        if action == "compile":
            model.compile(optimizers.SGD(0.0), "mae")
        else:
            model.optimizer = optimizers.SGD(0.0)

    again = callbacks.LambdaCallback(**{hook: change})
    with pytest.raises(BusyError, match="those it began with. Got a callback that called compile"):
        model.fit(x, x, epochs=2, verbose=0, callbacks=[again], validation_data=(x, x))
    before = model.get_weights()
    model.fit(x, x, verbose=0)
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


def test_a_callback_may_compile_when_no_step_follows():
    model = nacre.Sequential([nacre.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    change = callbacks.LambdaCallback(on_train_end=lambda _: model.compile("adam", "mae"))
    model.fit(np.ones((8, 1)), np.ones((8, 1)), verbose=0, callbacks=[change])
    assert isinstance(model.optimizer, optimizers.Adam)
