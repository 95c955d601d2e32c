"""Regularizers and constraints that are set on layers whose weights are there already.

Scripts that train a ready-made model further do so: `layer.kernel_regularizer = L2(1e-4)`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre import constraints, layers, regularizers

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")


@pytest.mark.parametrize("before", [None, regularizers.L2(0.5)])
def test_a_regularizer_set_later_counts_in_every_step(before: Any) -> None:
    layer = layers.Dense(1, kernel_initializer="ones", kernel_regularizer=before)
    model = nacre.Sequential([nacre.Input((4,)), layer])
    model.compile(nacre.optimizers.SGD(0.0), "mse")
    y = model.predict(X, verbose=0)
    model.fit(X, y, verbose=0)
    layer.kernel_regularizer = regularizers.L2(0.25)
    assert model.evaluate(X, y, verbose=0) == pytest.approx(1.0, abs=1e-5)
    assert model.fit(X, y, verbose=0).history["loss"][0] == pytest.approx(1.0, abs=1e-5)
    layer.kernel_regularizer = None
    assert model.evaluate(X, y, verbose=0) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize(
    ("make", "weight"),
    [
        (lambda: layers.Dense(2), "bias"),
        (lambda: layers.BatchNormalization(), "gamma"),
        (lambda: layers.LSTMCell(3), "recurrent"),
    ],
)
def test_a_constraint_set_later_is_the_weights(make: Any, weight: str) -> None:
    layer = make()
    layer.build((None, 4))
    setattr(layer, f"{weight}_constraint", constraints.NonNeg())
    held = [v.name for v in layer.weights if v.constraint is not None]
    assert held == [f"{weight}_kernel" if weight == "recurrent" else weight]
