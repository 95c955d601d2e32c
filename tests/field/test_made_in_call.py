"""Layers, generators and variables that a `call` makes anew each time, as beginners write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops, random
from nacre.utils import set_random_seed

X = np.ones((4, 8), "float32")


def flipped(x: Any) -> Any:
    ramp = ops.reshape(x * ops.arange(8.0), (-1, 2, 4, 1))
    return ops.reshape(layers.RandomTranslation(0.4, 0.4)(ramp, training=True), (-1, 8))


def looped(x: Any) -> Any:
    def body(carry: Any, _: Any) -> Any:
        return carry + random.normal((8,), seed=random.SeedGenerator()), carry

    return ops.scan(body, x, length=2)[0]


MAKERS: dict[str, Callable[[Any], Any]] = {
    "dropout": lambda x: layers.Dropout(0.5)(x, training=True),
    "noise": lambda x: layers.GaussianNoise(1.0)(x, training=True),
    "generator": lambda x: x + random.normal((8,), seed=random.SeedGenerator()),
    "image": flipped,
    "loop": looped,
}


class Makes(layers.Layer):
    def __init__(self, make: Callable[[Any], Any]) -> None:
        super().__init__()
        self.make = make

    def call(self, x: Any) -> Any:
        return self.make(x)


def model_of(make: Callable[[Any], Any]) -> nacre.Sequential:
    model = nacre.Sequential([nacre.Input((8,)), Makes(make), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("name", MAKERS)
def test_noise_of_what_call_makes_is_fresh_and_repeats_after_a_seed(name: str) -> None:
    model = nacre.Sequential([nacre.Input((8,)), Makes(MAKERS[name])])
    drawn = []
    for _ in range(2):
        set_random_seed(5)
        drawn.append([model.predict(X, verbose=0) for _ in range(3)])
    assert not np.allclose(drawn[0][0], drawn[0][1])
    assert not np.allclose(drawn[0][1], drawn[0][2])
    np.testing.assert_array_equal(drawn[0], drawn[1])


@pytest.mark.parametrize("eagerly", [False, True])
def test_statistics_of_a_layer_made_in_call_do_not_stop_a_training(eagerly: bool) -> None:
    model = model_of(lambda x: layers.BatchNormalization()(x, training=True))
    model.run_eagerly = eagerly
    with pytest.warns(UserWarning, match="made inside call"):
        history = model.fit(X, X[:, :1], batch_size=2, epochs=2, verbose=0).history
    assert np.all(np.isfinite(history["loss"]))


def test_statistics_of_a_layer_made_in_a_loop_do_not_stop_it() -> None:
    def body(carry: Any, _: Any) -> Any:
        return layers.BatchNormalization()(carry, training=True), carry

    assert ops.scan(body, X, length=2)[0].shape == X.shape


def test_a_variable_made_in_call_compiles_once_a_shape() -> None:
    traced = []

    def make(x: Any) -> Any:
        traced.append(x.shape)
        return x * nacre.Variable(2.0)

    model = nacre.Sequential([nacre.Input((8,)), Makes(make)])
    model.predict(X, verbose=0)
    model.predict(X[:2], verbose=0)
    before = len(traced)
    for rows in (4, 2, 4, 2):
        np.testing.assert_array_equal(model.predict(X[:rows], verbose=0), 2 * X[:rows])
    assert len(traced) == before


def test_a_generator_that_call_makes_once_and_keeps_goes_on() -> None:
    class Keeps(layers.Layer):
        generator: random.SeedGenerator | None = None

        def call(self, x: Any) -> Any:
            if self.generator is None:
                self.generator = random.SeedGenerator(3)
            return x + random.normal((8,), seed=self.generator)

    model = nacre.Sequential([nacre.Input((8,)), Keeps()])
    drawn = [model.predict(X, verbose=0) for _ in range(3)]
    assert not np.allclose(drawn[0], drawn[1])
    assert not np.allclose(drawn[1], drawn[2])


def test_an_initializer_without_a_seed_that_draws_in_call_is_told_of() -> None:
    model = nacre.Sequential(
        [nacre.Input((8,)), Makes(lambda x: x + nacre.initializers.RandomNormal()((8,)))]
    )
    with pytest.warns(UserWarning, match="drawn once.*initializer without a seed"):
        model.predict(X, verbose=0)
