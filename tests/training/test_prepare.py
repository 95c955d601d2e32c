"""What happens between the call of fit, evaluate or predict and the first step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.callbacks import Callback
from nacre.core.errors import NacreError

X = np.ones((12, 3), "float32")
Y = np.ones((12, 2), "float32")


class Counted(nacre.Model):
    """A model whose `call`, in Python, is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(2)
        self.scale = 1.0

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        CALLS.append(training)
        return self.dense(inputs) * self.scale


CALLS: list[bool | None] = []


def counted() -> Any:
    CALLS.clear()
    model = Counted()
    model.compile("sgd", "mse")
    return model


def test_a_call_in_python_is_traced_once_before_the_first_step() -> None:
    class Look(Callback):
        before = 0

        def on_train_begin(self, logs=None):
            Look.before = len(CALLS)

    counted().fit(X, Y, batch_size=4, callbacks=[Look()], verbose=0)
    assert Look.before == 1 and CALLS[0] is True


def test_what_was_traced_is_not_traced_again() -> None:
    model = counted()
    for _ in range(2):
        model.fit(X, Y, batch_size=4, validation_data=(X, Y), verbose=0)
        model.evaluate(X, Y, batch_size=4, verbose=0)
        model.predict(X, batch_size=4, verbose=0)
        model.train_on_batch(X, Y)
        model.test_on_batch(X, Y)
    CALLS.clear()
    model.fit(X, Y, batch_size=4, validation_data=(X, Y), verbose=0)
    model.evaluate(X, Y, batch_size=4, verbose=0)
    model.predict(X, batch_size=4, verbose=0)
    model.train_on_batch(X, Y)
    model.test_on_batch(X, Y)
    assert CALLS == []


def test_what_training_does_to_the_optimizer_makes_no_new_program_for_predictions() -> None:
    model = counted()
    for _ in range(2):
        model.predict(X, verbose=0)
    model.fit(X, Y, verbose=0)
    model.optimizer.clipnorm = 1.0
    CALLS.clear()
    model.predict(X, verbose=0)
    assert CALLS == []


def test_a_changed_model_is_looked_at_again() -> None:
    model = counted()
    first = model.evaluate(X, Y, verbose=0)
    model.scale = 3.0
    assert model.evaluate(X, Y, verbose=0) != first
    model.dense = layers.Dense(5)
    with pytest.raises(NacreError, match=r"\(batch, 5\)|5"):
        model.evaluate(X, Y, verbose=0)


def test_inputs_that_do_not_fit_are_refused_each_time() -> None:
    model = counted()
    model.fit(X, Y, verbose=0)
    for _ in range(2):
        with pytest.raises(NacreError, match="last axis"):
            model.evaluate(X[:, :2], Y, verbose=0)


def test_an_optimizer_that_does_not_know_the_variables_is_refused_each_time() -> None:
    model = nacre.Sequential([layers.Input((3,)), layers.Dense(3), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.train_on_batch(X, Y)
    model.train_on_batch(X, Y)
    model.layers[0].trainable = False
    for _ in range(2):
        with pytest.raises(NacreError, match="frozen since compile"):
            model.train_on_batch(X, Y)
    model.layers[0].trainable = True
    model.train_on_batch(X, Y)
