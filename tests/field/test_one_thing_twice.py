"""One metric, layer or variable that stands in two places is one thing, and a metric counts apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre import ops

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X[:, :1]


class Scaled(keras.metrics.Metric):
    """A metric of the user's that has no config, holds another one, and a list of variables."""

    def __init__(self, scale: float, inner: keras.metrics.Metric) -> None:
        super().__init__(name="scaled")
        self.scale = scale
        self.inner = inner
        self.counts = [self.add_variable((), "zeros")]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.inner.update_state(y_true, y_pred)
        self.counts[0].assign_add(1)

    def result(self) -> Any:
        return self.scale * self.inner.result() + 0 * self.counts[0].value


def two_outputs() -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, [keras.layers.Dense(1, name=name)(inputs) for name in ("a", "b")])


def test_a_metric_object_of_two_outputs_counts_for_each_apart() -> None:
    inner = keras.metrics.MeanAbsoluteError()
    for metric, factor in (
        (keras.metrics.MeanAbsoluteError("mae"), 1.0),
        (Scaled(10.0, inner), 10.0),
    ):
        model = two_outputs()
        model.compile("sgd", ["mse", "mse"], metrics=[[metric], [metric]])
        for _ in range(2):  # and again, not on top of what was counted
            logs = model.evaluate(X, [Y, Y + 5.0], verbose=0, return_dict=True)
        errors = [
            factor * np.abs(p - y).mean()
            for p, y in zip(model.predict(X, verbose=0), (Y, Y + 5.0), strict=True)
        ]
        found = [logs[f"{name}_{metric.name}"] for name in ("a", "b")]
        np.testing.assert_allclose(found, errors, rtol=1e-5)
        model.fit(X, [Y, Y], verbose=0)


def test_a_metric_with_and_without_weights_counts_apart() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    metric = keras.metrics.MeanAbsoluteError(name="mae")
    model.compile("sgd", "mse", metrics=[metric], weighted_metrics=[metric])
    weights = np.array([1.0, 2, 3, 4, 5, 6, 7, 8])
    logs = model.evaluate(X, Y, sample_weight=weights, verbose=0, return_dict=True)
    errors = np.abs(model.predict(X, verbose=0) - Y)[:, 0]
    np.testing.assert_allclose(logs["mae"], errors.mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["weighted_mae"], np.average(errors, weights=weights), rtol=1e-5)


class Own(keras.Model):
    """A model whose metric is an attribute, and listed twice by its own property."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.again = [self.dense, self.dense]
        self.mae = keras.metrics.MeanAbsoluteError(name="mae")

    def call(self, x: Any) -> Any:
        return self.again[1](x)


class Listed(Own):
    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self.mae, self.mae]

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        self.mae.update_state(y, y_pred)
        return {"mae": self.mae.result()}


@pytest.mark.parametrize("kind", [Own, Listed])
def test_a_metric_that_is_an_attribute_too_is_counted_once(kind: type[Own]) -> None:
    model = kind()
    model.compile("sgd", "mse", metrics=[model.mae] if kind is Own else None)
    model.fit(X, Y, verbose=0)
    model.train_on_batch(X, Y)
    logs = model.evaluate(X, Y, verbose=0, return_dict=True)
    errors = np.abs(model.predict(X, verbose=0) - Y)
    np.testing.assert_allclose(logs["mae"], errors.mean(), rtol=1e-5)
    assert len(model.weights) == 2


class Factor(keras.layers.Layer):
    def __init__(self, variable: keras.Variable) -> None:
        super().__init__()
        self.factor = variable
        self.same = variable

    def call(self, x: Any) -> Any:
        return x * self.factor


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("role", ["two_layers", "learning_rate", "loss_weight"])
def test_a_variable_in_two_places_is_one_variable(role: str, trainable: bool) -> None:
    shared = keras.Variable(0.5, trainable=trainable)
    layers = [Factor(shared)] + ([Factor(shared)] if role == "two_layers" else [])
    model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(1)])
    rate = shared if role == "learning_rate" else 0.1
    weight = shared if role == "loss_weight" else None
    model.compile(keras.optimizers.SGD(rate), "mse", loss_weights=weight)
    model.fit(X, Y, epochs=2, batch_size=4, verbose=0)
    model.evaluate(X, Y, verbose=0)
    assert len(model.weights) == 3
    assert (float(shared) == 0.5) is not trainable
    before = model.get_weights()
    model.train_on_batch(X, Y)
    model.set_weights(before)
    np.testing.assert_array_equal(float(shared), before[0])


def test_a_layer_listed_twice_is_one_layer_called_twice() -> None:
    dense = keras.layers.Dense(3)
    model = keras.Sequential([keras.Input((3,)), dense, dense])
    model.compile("adam", "mse")
    model.fit(X, X, verbose=0)
    assert len(model.weights) == 2
    np.testing.assert_allclose(
        model.predict(X, verbose=0), ops.convert_to_numpy(dense(dense(X))), rtol=1e-5
    )
