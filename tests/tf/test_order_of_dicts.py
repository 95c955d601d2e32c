"""Dicts come out of compiled code in the order in which they were made, as in TensorFlow."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import nacre
import nacre.tf as tf

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X.sum(-1, keepdims=True)


def _order(structure: Any) -> list[Any]:
    return [key if not isinstance(v, dict) else (key, _order(v)) for key, v in structure.items()]


def test_outputs_of_a_model_keep_their_order() -> None:
    inputs = nacre.Input((3,))
    first, second = nacre.layers.Dense(2)(inputs), nacre.layers.Dense(1)(inputs)
    model = nacre.Model(inputs, {"scores": first, "boxes": second})
    wanted = {"scores": (8, 2), "boxes": (8, 1)}
    for _ in range(2):  # what is compiled runs in another way the second time
        for got in (
            model(X),
            model.predict(X, verbose=0),
            model.predict(X, batch_size=3, verbose=0),
            model.predict_on_batch(X),
        ):
            assert list(got) == ["scores", "boxes"]
            assert {name: tuple(value.shape) for name, value in got.items()} == wanted


def test_nested_outputs_and_those_of_a_users_class_keep_theirs() -> None:
    class Nested(nacre.Model):
        def call(self, x: Any) -> Any:
            return {"z": x, "b": [x + 1, {"y": x + 2, "c": x + 3}], "a": {"k": x + 4, "d": x + 5}}

    model = Nested()
    for _ in range(2):
        for got in (model(X), model.predict(X, verbose=0)):
            assert _order(got) == ["z", "b", ("a", ["k", "d"])]
            assert list(got["b"][1]) == ["y", "c"]
            np.testing.assert_allclose(got["b"][1]["y"], X + 2, rtol=1e-6)
            np.testing.assert_allclose(got["a"]["d"], X + 5, rtol=1e-6)
            assert type(got) is dict


def test_history_and_logs_stand_as_they_were_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert tf.constant(1).shape == ()  # scripts of tf.keras 2
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae", tf.keras.metrics.MeanAbsoluteError(name="error")])
    names = ["loss", "mae", "error"]
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)
    for given in ((X, Y), (data,)):
        history = model.fit(*given, epochs=2, verbose=0, validation_data=(X, Y)).history
        assert list(history) == [*names, *(f"val_{name}" for name in names)]
        assert history["mae"] == history["error"]
        assert history["val_mae"] == history["val_error"]
        found = model.evaluate(X, Y, verbose=0, return_dict=True)
        assert list(found) == names
        np.testing.assert_allclose(
            found["loss"], np.mean((model.predict(X, verbose=0) - Y) ** 2), 1e-5
        )
        assert found["mae"] == found["error"]


def test_evaluate_gives_the_losses_of_outputs_before_their_metrics() -> None:
    inputs = tf.keras.Input((3,))
    outputs = [
        tf.keras.layers.Dense(2, name="b")(inputs),
        tf.keras.layers.Dense(1, name="a")(inputs),
    ]
    model = tf.keras.Model(inputs, outputs)
    model.compile("sgd", ["mse", "mae"], metrics=[["mae"], ["mse"]])
    targets = [np.zeros((8, 2)), Y]
    names = ["loss", "b_loss", "a_loss", "b_mae", "a_mse"]
    history = model.fit(X, targets, verbose=0, validation_data=(X, targets)).history
    assert list(history) == [*names, *(f"val_{name}" for name in names)]
    assert model.metrics_names == names
    first, second = (np.asarray(part) for part in model.predict(X, verbose=0))
    wanted = [np.mean(first**2), np.mean(abs(second - Y))]
    wanted = [sum(wanted), *wanted, np.mean(abs(first)), np.mean((second - Y) ** 2)]
    np.testing.assert_allclose(model.evaluate(X, targets, verbose=0), wanted, rtol=1e-5)
    np.testing.assert_allclose(model.test_on_batch(X, targets), wanted, rtol=1e-5)


def test_losses_of_named_outputs_stand_in_the_order_of_their_names() -> None:
    inputs = tf.keras.Input((3,))
    first, second = tf.keras.layers.Dense(2)(inputs), tf.keras.layers.Dense(1)(inputs)
    model = tf.keras.Model(inputs, {"scores": first, "boxes": second})
    model.compile("sgd", {"scores": "mse", "boxes": "mae"}, metrics={"scores": "mae"})
    targets = {"scores": np.zeros((8, 2)), "boxes": Y}
    found = model.evaluate(X, targets, verbose=0)
    predicted = model.predict(X, verbose=0)
    wanted = [np.mean(abs(predicted["boxes"] - Y)), np.mean(predicted["scores"] ** 2)]
    np.testing.assert_allclose(found[:3], [sum(wanted), *wanted], rtol=1e-5)


def test_logs_of_an_own_step_stand_as_it_made_them() -> None:
    class Stepping(tf.keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = tf.keras.layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def train_step(self, data: Any) -> dict[str, Any]:
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x) - y) ** 2)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"z": loss, "b": loss * 2, "a": loss * 4}

    model = Stepping()
    model.compile("sgd")
    history = model.fit(X, Y, epochs=2, verbose=0).history
    assert list(history) == ["z", "b", "a"]
    np.testing.assert_allclose(np.multiply(history["z"], 4), history["a"], rtol=1e-5)


def test_an_ordered_dict_alone_stays_one() -> None:
    class Ordered(nacre.Model):
        def call(self, x: Any) -> Any:
            return OrderedDict(z=x, a=x + 1)

    assert type(Ordered()(X)) is OrderedDict
    assert list(Ordered().predict(X, verbose=0)) == ["z", "a"]


def test_a_script_is_told_the_backend_it_was_written_for() -> None:
    assert tf.keras.backend.backend() == "tensorflow"
