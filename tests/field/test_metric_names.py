"""Names in logs: the same in every fold, different within one compile."""

from __future__ import annotations

import numpy as np
import pytest

import nacre as keras
from nacre import layers, metrics, ops
from nacre.callbacks import EarlyStopping

X = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
Y = (X > 0.5).astype("float32")


def dense(**compiled):
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", compiled.pop("loss", "mse"), **compiled)
    return model


def two_outputs(metrics_given):
    x = keras.Input((1,))
    outputs = [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)]
    model = keras.Model(x, outputs)
    model.compile("sgd", "mse", metrics=metrics_given)
    return model


def names(model, y=Y):
    """Names of the logs but the loss's, found without training."""
    model.evaluate(X, y, verbose=0)
    return [name for name in model.metrics_names if not name.endswith("loss")]


class Gap(metrics.Mean):
    def __init__(self, name=None):
        super().__init__(name=name)

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_pred)


class Mine(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.abs(y_true - y_pred), axis=-1)


def test_every_fold_logs_the_same_names():
    callback = EarlyStopping("val_precision", patience=9)
    for _ in range(3):
        model = dense(metrics=[metrics.Precision(), Gap(), Mine()])
        logs = model.fit(X, Y, verbose=0, validation_data=(X, Y), callbacks=[callback]).history
        assert list(logs)[:4] == ["gap", "loss", "mine", "precision"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [  # as Keras 3.15 names them in a fresh process
        ([Gap, Gap], ["gap", "gap_1"]),
        ([Gap, lambda: Gap(name="gap_pr"), Gap], ["gap", "gap_pr", "gap_1"]),
        ([lambda: Gap(name="q"), lambda: Gap(name="q")], ["q", "q_1"]),
        ([lambda: "mse", lambda: "mse"], ["mse", "mse_1"]),
        ([lambda: Gap(name="gap"), Gap], ["gap", "gap_1"]),
    ],
)
def test_several_of_a_kind_in_one_compile_are_numbered(given, expected):
    assert names(dense(metrics=[make() for make in given])) == expected


def test_weighted_metrics_are_numbered_on():
    assert names(dense(metrics=[Gap()], weighted_metrics=[Gap()])) == ["gap", "gap_1"]
    assert names(dense(metrics=["mse"], weighted_metrics=["mse"])) == ["mse", "weighted_mse"]


def test_the_order_in_which_metrics_were_made_counts():
    first, second = Gap(), Gap()
    assert names(dense(metrics=[second, first])) == ["gap_1", "gap"]


def test_outputs_count_their_metrics_together_as_keras_does():
    for _ in range(2):
        found = names(two_outputs({"a": Gap(), "b": Gap()}), [Y, Y])
        assert found == ["a_gap", "b_gap_1"]


def test_metrics_made_in_a_loop_or_kept_for_the_next_compile_keep_their_names():
    kept = [Gap() for _ in range(2)]
    assert names(dense(metrics=kept)) == ["gap", "gap_1"]
    assert names(dense(metrics=kept[1:])) == ["gap"]


def test_attributes_of_the_model_are_counted_with_the_others():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)
            self.first, self.second = metrics.Mean(), metrics.Mean()
            self.score = metrics.Mean(name="gap")

        def call(self, x):
            self.first.update_state(x)
            return self.dense(x)

    model = Own()
    model.compile("sgd", "mse", metrics=[Gap()])
    assert names(model) == ["gap_1", "mean", "mean_1", "gap"]


def test_an_own_list_of_metrics_loses_none_of_equal_names():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)
            self.kept = [metrics.Mean(name="loss"), metrics.Mean(name="loss")]

        def call(self, x):
            return self.dense(x)

        @property
        def metrics(self):
            return self.kept

    model = Own()
    model.compile("sgd", "mse")
    model.evaluate(X, Y, verbose=0)
    assert model.metrics_names == ["loss", "loss_1"]


def test_saved_and_cloned_models_keep_the_names(tmp_path):
    model = dense(metrics=[metrics.Precision(), metrics.Precision()])
    assert names(model) == ["precision", "precision_1"]
    model.save(tmp_path / "m.keras")
    for _ in range(2):
        assert names(keras.models.load_model(tmp_path / "m.keras")) == names(model)
    clone = keras.models.clone_model(model)
    clone.compile("sgd", "mse", metrics=[metrics.Precision()])
    assert names(clone) == ["precision"]


def test_a_compiled_part_adds_no_logs_to_the_whole():
    part = dense(metrics=[metrics.Precision()])
    whole = keras.Sequential([keras.Input((1,)), layers.Dense(1), part])
    whole.compile("sgd", "mse", metrics=[metrics.Precision()])
    names(part)
    assert names(whole) == ["precision"]


class ByHand(keras.Model):
    """The idiom of tf.keras 2: what is reported is keyed by the metrics' own names."""

    def train_step(self, data):
        x, y, weights = data
        with keras.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compiled_loss(y, y_pred, sample_weight=weights)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self.compiled_metrics.update_state(y, y_pred, sample_weight=weights)
        return {m.name: m.result() for m in self.metrics}


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_step_by_hand_reports_every_metric_under_its_name_in_logs(outputs):
    histories = []
    for cls in (keras.Model, ByHand):
        x = keras.Input((1,))
        ends = [layers.Dense(1, name=n, kernel_initializer="ones")(x) for n in "ab"[:outputs]]
        model = cls(x, ends)
        listed = [["mae", "mse"]] * outputs
        model.compile("sgd", "mse", metrics=listed, weighted_metrics=listed)
        targets = [Y, Y + 1][:outputs]
        history = model.fit(X, targets, sample_weight=X[:, 0], batch_size=8, verbose=0).history
        histories.append({name: values[-1] for name, values in history.items()})
    assert len(histories[0]) == {1: 5, 2: 11}[outputs]
    assert histories[1] == pytest.approx(histories[0], rel=1e-5)
