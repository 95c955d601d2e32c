"""What a user's metrics and methods report: every result arrives, in fit, validation and evaluate."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre import callbacks, layers, metrics, ops

X = np.arange(6, dtype="float32").reshape(6, 1)
Y = 2 * X


class Seen(metrics.Metric):
    """Counts samples; `result` gives the variable itself, as in Keras's own example."""

    def __init__(self, name="seen"):
        super().__init__(name=name)
        self.total = self.add_weight(name="total", shape=(), initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(ops.sum(ops.ones_like(y_pred)))

    def result(self):
        return self.total


class SeenTwice(Seen):
    def result(self):
        return {"once": self.total, "twice": self.total * 2}


def make(model=None, **given):
    model = nacre.Sequential([nacre.Input((1,)), layers.Dense(1)]) if model is None else model
    model.compile(**{"optimizer": "sgd", "loss": "mse", **given})
    return model


@pytest.mark.parametrize(
    ("metric", "monitor"), [(Seen, "val_seen"), (SeenTwice, "val_once")], ids=["one", "dict"]
)
def test_a_metric_whose_result_is_its_variable_can_be_watched(metric, monitor):
    watch = callbacks.EarlyStopping(monitor, mode="max", patience=5)
    record = make(metrics=[metric()]).fit(
        X, Y, batch_size=4, epochs=2, verbose=0, validation_data=(X[:3], Y[:3]), callbacks=[watch]
    )
    assert record.history[monitor] == [3.0, 3.0]
    assert record.history[monitor.removeprefix("val_")] == [6.0, 6.0]


class ComputesMetrics(nacre.Model):
    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        found = super().compute_metrics(x, y, y_pred, sample_weight)
        return {**found, "rows": ops.cast(ops.shape(y_pred)[0], "float32")}


class GetsResults(nacre.Model):
    def get_metrics_result(self):
        found = super().get_metrics_result()
        return {**found, "root": ops.sqrt(found["loss"])}


@pytest.mark.parametrize(("of", "name"), [(ComputesMetrics, "rows"), (GetsResults, "root")])
@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
def test_what_a_method_of_the_model_reports_is_reported_everywhere(of, name, eager):
    given = nacre.Input((1,))
    model = make(of(given, layers.Dense(1)(given)), run_eagerly=eager)
    watch = callbacks.EarlyStopping(f"val_{name}", mode="min")
    record = model.fit(X, Y, verbose=0, validation_data=(X[:3], Y[:3]), callbacks=[watch])
    found = model.evaluate(X[:3], Y[:3], verbose=0, return_dict=True)
    assert found[name] == record.history[f"val_{name}"][0]
    expected = 3.0 if name == "rows" else found["loss"] ** 0.5
    np.testing.assert_allclose(found[name], expected, rtol=1e-6)
    assert name in record.history
    assert model.test_on_batch(X[:3], Y[:3], return_dict=True)[name] == found[name]


def binary():
    model = nacre.Sequential([nacre.Input((1,)), layers.Dense(1, activation="sigmoid")])
    return make(model, loss="binary_crossentropy")


def test_targets_that_scaling_left_a_rounding_error_above_one_are_taken():
    binary().fit(X, np.linspace(0, 1, 6, dtype="float32") * np.float32(1 + 1e-6), verbose=0)


def test_what_stands_for_an_absent_binary_target_is_not_looked_at():
    target, weight = np.array([0.0, 1, -1, 1, -1, 0]), np.array([1.0, 1, 0, 1, 0, 1])
    model = binary()
    model.fit(X, target, sample_weight=weight, verbose=0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        model.fit(X, target, verbose=0)
