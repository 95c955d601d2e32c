"""What is absent, where the user's own code computes the step or an output has no weights."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core.errors import NonFiniteError

X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
Y = X[:, :1] * 2.0
WEIGHTS = np.ones(6, "float32")
WEIGHTS[2] = 0


def with_hole(array: np.ndarray, hole: float) -> np.ndarray:
    array = array.copy()
    array[2] = hole
    return array


class OwnStep(keras.Model):
    """A model with steps of its own, through `compute_loss`."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = keras.Sequential(
            [layers.Dense(4), layers.BatchNormalization(momentum=0.5), layers.Dense(1)]
        )

    def call(self, x: Any, training: bool = False) -> Any:
        return self.parts(x, training=training)

    def train_step(self, state: Any, data: Any) -> Any:
        trainable, others, optimizer, metrics = state
        x, y, weights = data

        def loss(values: Any) -> Any:
            y_pred, new = self.stateless_call(values, others, x, training=True)
            weighs = weights if weights.dtype == "float32" else None
            return self.compute_loss(x, y, y_pred, weighs), new

        (value, others), gradients = jax.value_and_grad(loss, has_aux=True)(trainable)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        return {"loss": value}, (trainable, others, optimizer, metrics)

    def test_step(self, state: Any, data: Any) -> Any:
        trainable, others, metrics = state
        x, y, weights = data
        y_pred, others = self.stateless_call(trainable, others, x, training=False)
        return {"loss": self.compute_loss(x, y, y_pred, weights)}, (trainable, others, metrics)


class InPlace(OwnStep):
    """The same as in tf.keras, where a step reads and assigns variables."""

    def train_step(self, data: Any) -> Any:  # type: ignore[override]
        x, y, weights = data
        with keras.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True), weights)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}

    def test_step(self, data: Any) -> Any:  # type: ignore[override]
        x, y, weights = data
        return {"loss": self.compute_loss(x, y, self(x, training=False), weights)}


def own_step(kind: type[OwnStep] = OwnStep, **how: Any) -> OwnStep:
    keras.utils.set_random_seed(0)
    model = kind()
    model.compile("sgd", "mse", **how)
    model.build((None, 3))
    return model


def check_same(found: list[Any], expected: list[Any]) -> None:
    for one, wanted in zip(found, expected, strict=True):
        assert np.isfinite(wanted).all()
        np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("door", "kind", "eager"),
    [
        ("fit", OwnStep, False),
        ("fit", OwnStep, True),
        ("fit", InPlace, False),
        ("train_on_batch", InPlace, False),
        ("generator", OwnStep, False),
    ],
)
def test_samples_of_weight_0_are_absent_from_a_step_of_ones_own(
    door: str, kind: type[OwnStep], eager: bool
) -> None:
    def run(x: np.ndarray, y: np.ndarray) -> list[Any]:
        model = own_step(kind, run_eagerly=eager)
        if door == "train_on_batch":
            logs: Any = model.train_on_batch(x, y, sample_weight=WEIGHTS)
        elif door == "fit":
            logs = model.fit(x, y, sample_weight=WEIGHTS, shuffle=False, verbose=0).history["loss"]
        else:
            logs = model.fit(iter([(x, y, WEIGHTS)]), verbose=0).history["loss"]
        found = model.evaluate(x, y, sample_weight=WEIGHTS, verbose=0)
        return [np.asarray(logs).ravel(), found, *model.get_weights()]

    expected = run(X, Y)
    for hole in (np.nan, 50.0):
        check_same(run(with_hole(X, hole), with_hole(Y, hole)), expected)


def test_whole_numbers_in_the_place_of_weights_say_nothing_of_samples() -> None:
    kinds = np.array([0, 1, 0, 1, 0, 1])  # of which image database, say

    def run(x: np.ndarray) -> list[Any]:
        model = own_step()
        model.fit(iter([(x, Y, kinds)]), verbose=0)
        return model.get_weights()

    averages = run(X)[4:]
    kernel = own_step().get_weights()[0]
    np.testing.assert_allclose(averages[0], (X @ kernel).mean(axis=0) / 2, rtol=1e-4, atol=1e-6)
    with pytest.raises(NonFiniteError, match="nan"):
        run(with_hole(X, np.nan))


@pytest.mark.parametrize("form", ["named", "dict", "list"])
def test_an_output_without_weights_keeps_all_samples(form: str) -> None:
    weights = {"named": {"a": WEIGHTS}, "dict": {"a": WEIGHTS, "b": np.ones(6)}}
    given = weights.get(form, [WEIGHTS, np.ones(6)])

    def run(x: np.ndarray) -> list[Any]:
        inputs = keras.Input((3,))
        hidden = layers.BatchNormalization(momentum=0.5)(inputs)
        heads = {name: layers.Dense(1, name=name)(hidden) for name in ("a", "b")}
        outputs = list(heads.values()) if form == "list" else heads
        model = keras.Model(inputs, outputs)
        losses = ["mse", "mse"] if form == "list" else {"a": "mse", "b": "mse"}
        model.compile("sgd", losses)
        y = [Y, Y] if form == "list" else {"a": Y, "b": Y}
        model.fit(x, y, sample_weight=given, verbose=0)
        return model.get_weights()

    np.testing.assert_allclose(run(X)[2], X.mean(axis=0) / 2, rtol=1e-4, atol=1e-6)
    with pytest.raises(NonFiniteError, match="nan"):
        run(with_hole(X, np.nan))


def test_an_output_without_loss_and_metrics_keeps_no_sample() -> None:
    def run(x: np.ndarray) -> list[Any]:
        keras.utils.set_random_seed(0)
        inputs = keras.Input((3,))
        heads = {name: layers.Dense(1, name=name)(inputs) for name in ("a", "b")}
        model = keras.Model(inputs, heads)
        model.compile("sgd", {"a": "mse"})
        model.fit(x, {"a": Y}, sample_weight={"a": WEIGHTS}, verbose=0)
        return model.get_weights()

    check_same(run(with_hole(X, np.nan)), run(X))
