"""Rates that begin at 0 and are raised afterwards: curricula of dropout and of noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.utils import set_random_seed

X = np.random.default_rng(0).normal(size=(4, 6, 8)).astype("float32")

LAYERS: dict[str, tuple[Callable[[], Any], str]] = {
    "Dropout": (lambda: layers.Dropout(0.0), "rate"),
    "SpatialDropout1D": (lambda: layers.SpatialDropout1D(0.0), "rate"),
    "AlphaDropout": (lambda: layers.AlphaDropout(0.0), "rate"),
    "GaussianDropout": (lambda: layers.GaussianDropout(0.0), "rate"),
    "GaussianNoise": (lambda: layers.GaussianNoise(0.0), "stddev"),
    "SimpleRNN": (lambda: layers.SimpleRNN(3), "dropout"),
    "LSTM": (lambda: layers.LSTM(3), "dropout"),
    "GRU": (lambda: layers.GRU(3), "recurrent_dropout"),
    "MultiHeadAttention": (lambda: layers.MultiHeadAttention(2, 4), "dropout"),
    "GroupQueryAttention": (lambda: layers.GroupQueryAttention(4, 2, 1), "dropout"),
    "Attention": (lambda: layers.Attention(), "dropout"),
}


def called(layer: Any) -> np.ndarray:
    if "Attention" not in type(layer).__name__:
        return np.asarray(layer(X, training=True))
    one_list = type(layer) is layers.Attention
    return np.asarray(layer([X, X], training=True) if one_list else layer(X, X, training=True))


@pytest.mark.parametrize("name", LAYERS)
def test_a_rate_that_began_at_zero_holds_when_it_is_raised(name: str) -> None:
    make, rate = LAYERS[name]
    layer = make()
    without = called(layer)
    setattr(layer, rate, 0.5)
    set_random_seed(1)
    first, second = called(layer), called(layer)
    assert not np.allclose(without, first)
    assert not np.allclose(first, second)
    set_random_seed(1)
    np.testing.assert_array_equal(called(layer), first)


def test_a_callback_raises_a_rate_from_zero() -> None:
    drop = layers.Dropout(0.0)
    model = nacre.Sequential(
        [nacre.Input((8,)), drop, layers.Dense(1, kernel_initializer="ones", use_bias=False)]
    )
    model.compile(nacre.optimizers.SGD(0.0), "mse")
    raised = nacre.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(drop, "rate", 0.5 if epoch else 0.0)
    )
    x = X[:, 0]
    history = model.fit(x, x.sum(1), epochs=2, verbose=0, callbacks=[raised]).history
    assert history["loss"][0] < 1e-6 < 1e-2 < history["loss"][1]


def test_what_the_weights_of_a_recurrent_layer_were_made_by_stays() -> None:
    layer = layers.LSTM(3)
    with pytest.raises(AttributeError):
        layer.units = 4
    layer(X)
    before = np.asarray(layer(X))
    layer.activation = nacre.activations.relu
    assert not np.allclose(before, layer(X))
