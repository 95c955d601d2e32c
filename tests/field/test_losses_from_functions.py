"""`add_loss` with a function, as tf.keras has it: asked in every step, in `fit` as well as outside,
for the weights as they are then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops, optimizers, regularizers

X = np.zeros((4, 2), "float32")


def sum_of(layer: Any) -> Any:
    return lambda: ops.sum(layer.kernel)


class InInit(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.factor = self.add_weight((), initializer="ones", name="factor")
        self.add_loss(lambda: self.factor * 2.0)

    def call(self, inputs: Any) -> Any:
        return inputs


class InBuild(layers.Layer):
    def build(self, input_shape: Any) -> None:
        self.factor = self.add_weight((), initializer="ones", name="factor")
        self.add_loss(lambda: self.factor * 2.0)

    def call(self, inputs: Any) -> Any:
        return inputs


class Whole(nacre.Model):
    def __init__(self, part: layers.Layer) -> None:
        super().__init__()
        self.part = part

    def call(self, inputs: Any) -> Any:
        return self.part(inputs)


@pytest.mark.parametrize("part", [InInit, InBuild])
@pytest.mark.parametrize("within", [False, True])
def test_a_function_of_a_layer_is_minimised(part: type[layers.Layer], within: bool) -> None:
    layer = part()
    model = Whole(layer) if within else nacre.Sequential([nacre.Input((2,)), layer])
    model.compile(optimizers.SGD(0.25), "mse")
    losses = model.fit(X, X, epochs=3, batch_size=4, verbose=0).history["loss"]
    assert losses == [2.0, 1.0, 0.0]
    assert [float(loss) for loss in model.losses] == [-1.0]
    model(X)
    model.predict(X, verbose=0)
    assert [float(loss) for loss in model.losses] == [-1.0]
    assert model.evaluate(X, X, verbose=0) == -1.0


def test_functions_given_in_a_loop_are_each_layers_own() -> None:
    model = nacre.Sequential([nacre.Input((1,))])
    for _ in range(2):
        layer = layers.Dense(1)
        layer.add_loss(sum_of(layer))  # before it is built
        model.add(layer)
    assert [float(v) for v in model.losses] == [float(layer.kernel[0, 0]) for layer in model.layers]


def test_a_penalty_put_on_a_finished_model_counts_from_then_on() -> None:
    model = nacre.Sequential([nacre.Input((2,)), layers.Dense(2), layers.Dense(1)])
    model.compile(optimizers.SGD(0.0), "mse")
    assert model.fit(X, X[:, :1], verbose=0).history["loss"] == [0.0]
    penalty = regularizers.L2(0.5)
    for layer in model.layers:
        model.add_loss(lambda layer=layer: penalty(layer.kernel))
    expected = sum(0.5 * float(np.sum(layer.kernel.numpy() ** 2)) for layer in model.layers)
    assert model.fit(X, X[:, :1], verbose=0).history["loss"] == pytest.approx([expected])
    assert model.train_on_batch(X, X[:, :1]) == pytest.approx(expected)
    assert sum(map(float, model.losses)) == pytest.approx(expected)


def test_a_function_given_within_call_is_asked_there() -> None:
    class Adds(layers.Layer):
        def call(self, inputs: Any) -> Any:
            self.add_loss(lambda: ops.sum(inputs))
            return inputs

    model = Whole(Adds())
    for _ in range(2):
        model(X + 1)
        assert [float(loss) for loss in model.losses] == [8.0]
