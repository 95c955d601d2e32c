"""Weights of a loss that callbacks change while fit runs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops

X = np.ones((4, 2), "float32")


class Penalty(layers.Layer):
    def __init__(self, beta: Any) -> None:
        super().__init__()
        self.beta = beta

    def call(self, inputs: Any) -> Any:
        self.add_loss(self.beta * ops.mean(inputs))
        return inputs


def annealed(penalty: Penalty, change: Any, epochs: int) -> list[float]:
    model = nacre.Sequential(
        [nacre.Input((2,)), penalty, layers.Dense(2, kernel_initializer="zeros")]
    )
    model.compile(nacre.optimizers.SGD(0.0), "mse")
    callback = nacre.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: change(epoch))
    return model.fit(X, 0 * X, epochs=epochs, verbose=0, callbacks=[callback]).history["loss"]


def test_an_attribute_that_takes_many_values_in_a_fit_is_told_of_once() -> None:
    penalty = Penalty(0.0)
    with pytest.warns(UserWarning, match=r"each new value of an attribute is compiled") as told:
        losses = annealed(penalty, lambda epoch: setattr(penalty, "beta", float(epoch)), 13)
    assert len(told) == 1
    np.testing.assert_allclose(losses, range(13), rtol=1e-6)


def test_a_variable_or_a_few_values_change_without_a_word() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        beta = nacre.Variable(0.0, trainable=False)
        losses = annealed(Penalty(beta), lambda epoch: beta.assign(float(epoch)), 13)
        np.testing.assert_allclose(losses, range(13), rtol=1e-6)
        penalty = Penalty(0.0)  # to and fro between two values: both are kept
        losses = annealed(penalty, lambda epoch: setattr(penalty, "beta", float(epoch % 2)), 24)
    np.testing.assert_allclose(losses, [n % 2 for n in range(24)], rtol=1e-6)
