"""Random numbers of the host in a user's `call` are told of: they are drawn once."""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers

X = np.zeros((2, 3), "float32")


class Noisy(layers.Layer):
    def __init__(self, draw: Any) -> None:
        super().__init__(name="noisy")
        self.draw = draw
        self.generator = np.random.default_rng(0)
        self.old_generator = np.random.RandomState(0)

    def call(self, inputs: Any) -> Any:
        return inputs + self.draw(self)


DRAWS = {
    "numpy.random": lambda layer: np.random.normal(),
    "Python's random": lambda layer: random.random(),
    "self.generator": lambda layer: layer.generator.normal(),
    "self.old_generator": lambda layer: layer.old_generator.normal(),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_from_the_host_is_told_of_once_with_the_layer(name: str) -> None:
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(3), Noisy(DRAWS[name])])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match=rf"(?s)Noisy '.*noisy'\.call.*drawn from {name}"):
        model.predict(X, verbose=0)
    model.fit(X, X, verbose=0)  # where a second warning would be an error


def test_eager_calls_draw_anew_and_are_not_told_of() -> None:
    model = nacre.Sequential([nacre.Input((3,)), Noisy(DRAWS["numpy.random"])])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not np.array_equal(model(X), model(X))


def test_what_nacre_draws_itself_is_not_told_of() -> None:
    class MakesLayers(nacre.Model):
        def call(self, inputs: Any) -> Any:
            if not hasattr(self, "dense"):
                self.dense = layers.Dense(2)  # which draws seeds for its weights
            return self.dense(inputs)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MakesLayers().predict(X, verbose=0)
