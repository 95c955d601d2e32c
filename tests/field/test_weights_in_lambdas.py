"""A Lambda does not hold the layers its function calls: their weights are neither trained nor saved,
and fit says so; and an output that is None stays None however many batches there are."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers

X, Y = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")


def network() -> nacre.Model:
    return nacre.Sequential([nacre.Input((3,)), layers.Dense(3)], name="network")


def model_of(function: Any) -> nacre.Model:
    model = nacre.Sequential([nacre.Input((3,)), layers.Lambda(function), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def applied(part: Any, times: int) -> Any:
    def apply(x: Any) -> Any:
        for _ in range(times):
            x = part(x)
        return x

    return apply


@pytest.mark.parametrize("kind", ["closure", "default"])
def test_weights_of_a_model_within_a_lambda_are_missed(kind: str) -> None:
    part = network()
    function = applied(part, 2) if kind == "closure" else lambda x, part=part: part(x)
    model = model_of(function)
    with pytest.warns(UserWarning, match=r"^Lambda.*dense.*/kernel.*trainable = False"):
        model.fit(X, Y, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("kind", ["frozen", "held", "no weights", "own"])
def test_what_is_frozen_or_held_by_the_model_is_not(kind: str) -> None:
    part = network()
    part.trainable = kind != "frozen"
    if kind == "held":
        model = nacre.Sequential([nacre.Input((3,)), part, layers.Lambda(part), layers.Dense(1)])
    elif kind == "own":

        class Own(nacre.Model):
            def __init__(self) -> None:
                super().__init__()
                self.part, self.out = part, layers.Dense(1)
                self.again = layers.Lambda(lambda x: self.part(x))

            def call(self, inputs: Any) -> Any:
                return self.out(self.again(inputs))

        model = Own()
    else:
        model = model_of(part if kind == "frozen" else lambda x: x * 2)
    model.compile("sgd", "mse")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("batch_size", [2, 4])
def test_an_output_that_is_none_is_none(batch_size: int) -> None:
    class Own(nacre.Model):
        def call(self, inputs: Any) -> Any:
            return {"x": inputs, "none": None, "pair": (inputs, None)}

    outputs = Own().predict(X, batch_size=batch_size, verbose=0)
    assert outputs["none"] is None and outputs["pair"][1] is None
    np.testing.assert_array_equal(outputs["x"], X)
