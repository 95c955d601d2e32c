"""`add_metric` of tf.keras 2: values that a call computes are reported with the losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops

X = np.arange(12, dtype="float32").reshape(6, 2)


class Reporting(layers.Layer):
    def call(self, inputs: Any) -> Any:
        self.add_metric(inputs, name="height", aggregation="mean")
        return inputs


class WithMetric(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.square = nacre.metrics.MeanSquaredError(name="square")

    def call(self, inputs: Any) -> Any:
        self.add_metric(self.square(inputs, 0 * inputs), name="another")
        return inputs


def trained(layer: Any, **how: Any) -> tuple[Any, dict[str, list[float]]]:
    model = nacre.Sequential([nacre.Input((2,)), layer, layers.Dense(1)])
    model.compile("sgd", "mse")
    return model, model.fit(X, X[:, :1], epochs=2, batch_size=3, verbose=0, **how).history


def test_the_mean_of_all_values_of_an_epoch_is_reported() -> None:
    model, history = trained(Reporting(), validation_data=(X + 1, X[:, :1]))
    assert history["height"] == [pytest.approx(5.5)] * 2  # each epoch begins anew
    assert history["val_height"] == [pytest.approx(6.5)] * 2
    found = model.evaluate(X * 2, X[:, :1], verbose=0, return_dict=True)
    assert found["height"] == pytest.approx(11) and "height" in model.metrics_names


def test_a_metric_of_the_layer_is_reported_under_its_own_name_alone() -> None:
    _, history = trained(WithMetric())
    assert history["square"] == [pytest.approx(float(np.mean(X**2)))] * 2
    assert "another" not in history


def graph(adds: bool = True) -> Any:
    x = nacre.Input((2,))
    hidden = layers.Dense(2, kernel_initializer="ones")(x)
    model = nacre.Model(x, layers.Dense(1)(hidden))
    if adds:
        model.add_metric(ops.sum(hidden, axis=-1), name="size", aggregation="mean")
    return model


def test_a_graph_reports_its_tensors_and_trains_as_without() -> None:
    histories = []
    for adds in (True, False):
        nacre.utils.set_random_seed(0)
        model = graph(adds)
        model.compile(nacre.optimizers.SGD(0.0), "mse")
        histories.append(model.fit(X, X[:, :1], batch_size=6, verbose=0).history)
    assert histories[0]["size"] == [pytest.approx(float(np.mean(2 * X.sum(1))))]
    assert histories[0]["loss"] == pytest.approx(histories[1]["loss"])


def test_such_a_graph_is_loaded_again(tmp_path: Path) -> None:
    model = graph()
    model.compile("sgd", "mse")
    model.save(tmp_path / "m.keras")
    loaded = nacre.models.load_model(tmp_path / "m.keras")
    found = loaded.evaluate(X, X[:, :1], verbose=0, return_dict=True)
    assert found["size"] == pytest.approx(float(np.mean(2 * X.sum(1))))


def test_a_model_of_your_own_reports_within_its_call() -> None:
    class Own(nacre.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, inputs: Any) -> Any:
            self.add_metric(ops.max(inputs), name="largest")
            return self.dense(inputs)

    model = Own()
    model.compile("sgd", "mse")
    assert model.fit(X, X[:, :1], batch_size=6, verbose=0).history["largest"] == [11.0]


@pytest.mark.parametrize(
    ("how", "rule"),
    [
        ({}, "there must be a name"),
        ({"name": "a", "aggregation": "sum"}, "'mean' or None"),
        ({"name": "a", "weight": 1}, "must be known"),
    ],
)
def test_what_it_does_not_take_is_refused(how: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        layers.Layer().add_metric(np.ones(2), **how)
