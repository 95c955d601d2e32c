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


GENERATOR, OLD, PLAIN = np.random.default_rng(0), np.random.RandomState(0), random.Random(0)
normal = np.random.normal


def helper() -> float:
    return GENERATOR.normal()


OUTSIDE = {
    "'GENERATOR' in": lambda: GENERATOR.normal(),
    "'OLD' in": lambda: OLD.normal(),
    "'PLAIN' in": lambda: PLAIN.gauss(0, 1),
    "'np.random' in": lambda: np.random.normal(),
    "'random' in": lambda: random.random(),
    "'normal' in": lambda: normal(),
    "'GENERATOR' in helper": lambda: helper(),
}


def _in_a_layer_as_an_array(draw: Any) -> nacre.Model:
    call = lambda x: x + np.full(3, draw(), "float32")
    model = nacre.Sequential([nacre.Input((3,)), layers.Lambda(call), layers.Dense(3)])
    model.compile("sgd", "mse")
    return model


def _in_a_loss(draw: Any) -> nacre.Model:
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(3)])
    model.compile("sgd", lambda t, p: nacre.ops.mean((t - p) ** 2) * draw())
    return model


class DrawnLoss(nacre.losses.Loss):
    def __init__(self) -> None:
        super().__init__()
        self.generator = np.random.default_rng(0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return nacre.ops.mean((y_true - y_pred) ** 2, -1) * self.generator.random()


class Stepping(nacre.Model):
    def __init__(self, draw: Any) -> None:
        super().__init__()
        self.dense, self.draw = layers.Dense(3), draw

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with nacre.GradientTape() as tape:
            loss = nacre.ops.mean((self(x) - y) ** 2) * self.draw()
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


def _in_a_step(draw: Any) -> nacre.Model:
    model = Stepping(draw)
    model.compile("sgd")
    return model


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("make", [_in_a_layer_as_an_array, _in_a_loss, _in_a_step])
def test_a_draw_from_a_generator_outside_is_told_of_by_its_name(name: str, make: Any) -> None:
    model = make(OUTSIDE[name])
    with pytest.warns(UserWarning, match="random numbers of the host are drawn once") as told:
        model.fit(X, X, verbose=0)
    assert len(told) == 1
    if make is not _in_a_layer_as_an_array or "andom" not in name:  # a layer tells of those itself
        assert any(part in str(told[0].message) for part in (name, "Python's", "numpy.random"))


def test_a_draw_from_a_generator_of_a_loss_is_told_of() -> None:
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(3)])
    model.compile("sgd", DrawnLoss())
    with pytest.warns(UserWarning, match="DrawnLoss 'drawn_loss'.generator: random numbers"):
        model.fit(X, X, verbose=0)


def test_data_drawn_beside_a_step_that_draws_nothing_is_not_told_of() -> None:
    def batches() -> Any:
        while True:
            yield GENERATOR.normal(size=(2, 3)), np.random.normal(size=(2, 3))

    def loss(y_true: Any, y_pred: Any) -> Any:
        GENERATOR.random()  # it draws, and nothing hangs on it
        return nacre.ops.mean((y_true - y_pred) ** 2)

    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(3)])
    model.compile("sgd", loss)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(batches(), steps_per_epoch=3, verbose=0)
        _in_a_layer_as_an_array(lambda: 1.0).fit(X, X, verbose=0)


def test_draws_are_anew_where_steps_run_eagerly() -> None:
    model = _in_a_loss(lambda: GENERATOR.random())
    model.compile("sgd", model.loss, run_eagerly=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = (model.evaluate(X, X + 1, verbose=0) for _ in range(2))
    assert first != second
