"""Several threads: a layer is built once, and one of them trains a model at a time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import BusyError

X = np.ones((4, 3), "float32")


def together(*functions):
    """Start functions in threads at one moment; their results, or the first error."""
    barrier = threading.Barrier(len(functions))

    def run(function):
        barrier.wait(10)
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [f.result(60) for f in [pool.submit(run, function) for function in functions]]


class Slow(layers.Layer):
    """A layer whose build takes a while, and says `built` before it has its weights."""

    def __init__(self, says_early=False, inner=None, **kwargs):
        super().__init__(**kwargs)
        self.says_early, self.inner = says_early, inner

    def build(self, input_shape):
        if self.says_early:
            super().build(input_shape)
        time.sleep(0.05)
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones")
        if self.inner is not None:
            self.inner.build(input_shape)
        time.sleep(0.05)

    def call(self, x):
        return x * self.scale if self.inner is None else self.inner(x * self.scale)


class Plain(nacre.Model):
    def __init__(self):
        super().__init__()
        self.slow, self.head = Slow(), layers.Dense(2)

    def call(self, x):
        return self.head(self.slow(x))


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: Slow(), 1),
        (lambda: Slow(says_early=True), 1),
        (lambda: nacre.Sequential([Slow(), layers.Dense(2)]), 3),
        (Plain, 3),
        (lambda: layers.Bidirectional(layers.LSTM(2)), 6),
    ],
    ids=["layer", "early", "sequential", "subclass", "wrapper"],
)
def test_the_first_call_from_several_threads_makes_weights_once(make, count):
    model = make()
    x = np.ones((2, 4, 3), "float32") if isinstance(model, layers.Bidirectional) else X
    results = together(*[lambda: np.asarray(model(x))] * 6)
    assert len(model.weights) == count
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_build_and_traced_calls_from_several_threads_make_weights_once():
    layer = Slow()
    together(lambda: layer.build((None, 3)), lambda: jax.jit(layer)(X), lambda: layer(X))
    assert len(layer.weights) == 1


def test_two_layers_that_share_one_are_built_by_two_threads_without_waiting_for_each_other():
    shared = Slow()
    first, second = Slow(inner=shared), Slow(inner=shared)
    together(lambda: first(X), lambda: second(X), lambda: shared(X))
    assert [len(layer.weights) for layer in (shared, first, second)] == [1, 2, 2]


class Fails(layers.Layer):
    tries = 0

    def build(self, input_shape):
        Fails.tries += 1
        self.kernel = self.add_weight(shape=(3,))
        if Fails.tries == 1:
            raise ValueError("the first try fails")

    def call(self, x):
        return x * self.kernel


def test_a_build_that_fails_lets_the_next_thread_try():
    layer, errors = Fails(), []

    def call():
        try:
            layer(X)
        except ValueError as error:
            errors.append(error)

    together(*[call] * 3)
    assert len(errors) == 1 and len(layer.weights) == 1


# ---------------------------------------------------------------- training


def compiled():
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class Meanwhile(nacre.callbacks.Callback):
    """Calls a function in another thread while training, and keeps what came of it."""

    def __init__(self, function):
        super().__init__()
        self.function, self.found = function, []

    def on_epoch_begin(self, epoch, logs=None):
        def run():
            try:
                self.found.append(self.function())
            except Exception as error:
                self.found.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(60)


Y = np.ones((4, 1), "float32")


def test_a_second_training_by_another_thread_is_refused():
    model = compiled()
    for second in (
        lambda: model.fit(X, Y, verbose=0),
        lambda: model.train_on_batch(X, Y),
    ):
        meanwhile = Meanwhile(second)
        model.fit(X, Y, verbose=0, callbacks=[meanwhile])
        assert isinstance(meanwhile.found[0], BusyError)
        assert "one thread may train a model at a time" in str(meanwhile.found[0])
        assert "clone_model" in str(meanwhile.found[0])


def test_prediction_and_other_models_go_on_meanwhile():
    model, other = compiled(), compiled()
    for task in (
        lambda: model.predict(X, verbose=0).shape == (4, 1),
        lambda: len(other.fit(X, Y, verbose=0).epoch) == 1,
    ):
        meanwhile = Meanwhile(task)
        model.fit(X, Y, verbose=0, callbacks=[meanwhile])
        assert meanwhile.found == [True]


def test_training_is_free_again_after_errors_and_interrupts():
    model = compiled()
    for error in (ValueError, KeyboardInterrupt):

        class Stop(nacre.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None, error=error):
                raise error("stop")

        try:
            model.fit(X, Y, verbose=0, callbacks=[Stop()])
        except error:
            pass
        with ThreadPoolExecutor(1) as pool:
            history = pool.submit(lambda: model.fit(X, Y, verbose=0)).result(60)
        assert len(history.epoch) == 1


def test_a_callback_may_train_its_own_model():
    model = compiled()

    class Again(nacre.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.train_on_batch(X, Y)

    model.fit(X, Y, epochs=2, verbose=0, callbacks=[Again()])
    assert int(model.optimizer.iterations) == 4
    copy = nacre.models.clone_model(model)
    copy.compile("sgd", "mse")
    copy.fit(X, Y, verbose=0)
