"""Samples and steps of weight 0 are absent from training and evaluation, whatever they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre import ops

HOLES = [np.nan, np.inf, 3e38]
X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
Y = X[:, :1] * 2.0
ABSENT = 2
WEIGHTS = np.ones(6, "float32")
WEIGHTS[ABSENT] = 0


class LogSpace(keras.Model):
    """A model whose gradient at 0 is no number."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.dense(ops.log(ops.abs(x)))


class OwnLoss(keras.Sequential):
    """A model that computes its loss itself."""

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None
    ) -> Any:
        return ops.mean(ops.square(y - y_pred)[:, 0] * sample_weight)


def dense() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])


def functional() -> keras.Model:
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, "tanh", activity_regularizer="l2")(inputs)
    return keras.Model(inputs, keras.Sequential([keras.layers.Dense(1)])(hidden))


def own_loss() -> keras.Model:
    return OwnLoss([keras.Input((3,)), keras.layers.Dense(1)])


MODELS = {"dense": dense, "functional": functional, "log": LogSpace, "own_loss": own_loss}


def trained(
    make: Callable[[], keras.Model], x: Any, y: Any, weights: Any, **fit: Any
) -> list[np.ndarray]:
    """Everything that training and evaluation give: numbers and weights."""
    keras.utils.set_random_seed(0)
    model = make()
    model.compile("adam", "mse", metrics=["mae"], weighted_metrics=["cosine_similarity"])
    logs = model.fit(x, y, sample_weight=weights, shuffle=False, verbose=0, **fit).history
    logs = {k: v[0] for k, v in logs.items()}
    found = model.evaluate(x, y, sample_weight=weights, verbose=0, **fit)
    return [*(np.asarray(v) for v in logs.values()), np.asarray(found), *model.get_weights()]


def with_holes(array: np.ndarray, hole: float) -> np.ndarray:
    array = array.copy()
    array[ABSENT] = hole
    return array


def check_same(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for one, wanted in zip(found, expected, strict=True):
        assert np.isfinite(wanted).all()
        np.testing.assert_allclose(one, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", MODELS)
def test_what_a_sample_of_weight_0_holds_reaches_no_number_and_no_weight(kind: str) -> None:
    # What counts is that of the next sample, which is what stands in the place of holes.
    safe_x, safe_y = with_holes(X, X[0]), with_holes(Y, Y[0])
    expected = trained(MODELS[kind], safe_x, safe_y, WEIGHTS)
    for hole in HOLES:
        x, y = with_holes(X, hole), with_holes(Y, hole)
        check_same(trained(MODELS[kind], x, y, WEIGHTS), expected)


def test_batch_statistics_are_those_without_the_samples_of_weight_0() -> None:
    def trained_layer(x: np.ndarray, weights: Any) -> list[np.ndarray]:
        layers = [keras.layers.BatchNormalization(momentum=0.5), keras.layers.Dense(1)]
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), *layers])
        model.compile("sgd", keras.losses.MeanSquaredError(reduction="sum"))
        model.train_on_batch(x, x[:, :1], sample_weight=weights)
        return model.get_weights()

    kept = WEIGHTS != 0
    expected = trained_layer(X[kept], None)
    check_same(trained_layer(X, WEIGHTS), expected)
    check_same(trained_layer(with_holes(X, 7e8), WEIGHTS), expected)
    nothing = trained_layer(X, np.zeros(6))
    np.testing.assert_array_equal(nothing[2], np.zeros(3))  # the averages are not moved
    np.testing.assert_array_equal(nothing[3], np.ones(3))


@pytest.mark.parametrize("regularizer", ["l2", lambda x: ops.sum(ops.log(ops.abs(x)))])
def test_the_penalty_of_activities_does_not_see_what_is_absent_or_masked(regularizer: Any) -> None:
    def loss(x: np.ndarray) -> float:
        keras.utils.set_random_seed(0)
        inputs = keras.Input((2, 2))
        masked = keras.layers.Masking()(inputs)
        outputs = keras.layers.Dense(3, activity_regularizer=regularizer)(masked)
        model = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(outputs))
        model.compile("sgd", "mse")
        weights = np.array([1.0, 0.0, 1.0])
        return model.evaluate(x, np.zeros((3, 3)), sample_weight=weights, verbose=0)

    x = np.random.default_rng(0).normal(size=(3, 2, 2)).astype("float32")
    x[2, 1] = 0.0
    expected = loss(x)
    for hole in (np.nan, 5.0):
        x[1] = hole
        np.testing.assert_allclose(loss(x), expected, rtol=1e-5)


def test_class_weight_0_and_single_batches_leave_samples_out_too() -> None:
    labels = np.array([0, 1, 2, 1, 0, 1])

    def run(x: np.ndarray, **how: Any) -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        logs = model.train_on_batch(x, labels, **how)
        return [np.asarray(logs), *model.get_weights()]

    for how in ({"class_weight": {2: 0.0}}, {"sample_weight": WEIGHTS}):
        check_same(run(with_holes(X, np.nan), **how), run(X, **how))
    with_nothing = run(np.full((6, 3), np.nan, "float32"), sample_weight=np.zeros(6))
    assert all(np.isfinite(one).all() for one in with_nothing)


def test_an_output_whose_label_is_missing_is_absent_alone() -> None:
    inputs = keras.Input((3,))
    heads = {name: keras.layers.Dense(1, name=name)(inputs) for name in ("a", "b")}
    weights = {"a": WEIGHTS, "b": np.ones(6, "float32")}

    def run(hole: float) -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        model = keras.models.clone_model(keras.Model(inputs, heads))
        model.compile("sgd", {"a": "mse", "b": "mse"}, metrics={"a": ["mae"], "b": ["mae"]})
        y = {"a": with_holes(Y, hole), "b": Y}
        logs = model.fit(X, y, sample_weight=weights, verbose=0).history
        return [*(np.asarray(v) for v in logs.values()), *model.get_weights()]

    check_same(run(np.nan), run(0.5))


def test_metrics_leave_out_samples_of_weight_0_but_one_of_the_users_own_sees_all() -> None:
    class Count(keras.metrics.Metric):
        def __init__(self) -> None:
            super().__init__(name="count")
            self.total = self.add_variable((), "zeros")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            assert sample_weight is None
            self.total.assign_add(y_true.shape[0])

        def result(self) -> Any:
            return self.total.value

    model = dense()
    model.compile("sgd", "mse", metrics=["mae", Count()])
    weights = np.array([2.0, 1, 0, 1, 3, 1])
    logs = model.evaluate(X, Y, sample_weight=weights, verbose=0, return_dict=True)
    errors = np.abs(model.predict(X, verbose=0) - Y)[:, 0]
    np.testing.assert_allclose(logs["mae"], errors[weights > 0].mean(), rtol=1e-5)
    assert logs["count"] == 6


def test_metrics_of_a_whole_batch_run_beside_sample_weights() -> None:
    model = dense()
    listed = [keras.losses.dice, keras.losses.tversky, keras.metrics.PearsonCorrelation(axis=0)]
    model.compile("sgd", "mse", metrics=listed)
    logs = model.evaluate(X, Y, sample_weight=np.ones(6), verbose=0, return_dict=True)
    plain = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert logs == pytest.approx(plain, rel=1e-5)


STEPS = np.ones((4, 5), "float32")
STEPS[1], STEPS[2, 3:] = 0, 0
SEQUENCES = np.random.default_rng(1).normal(size=(4, 5, 2)).astype("float32")


@pytest.mark.parametrize("layer", ["dense", "lstm"])
def test_what_steps_of_weight_0_hold_reaches_no_weight(layer: str) -> None:
    def run(hole: Any) -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        made = (
            keras.layers.Dense(3)
            if layer == "dense"
            else keras.layers.LSTM(3, return_sequences=True)
        )
        model = keras.Sequential([keras.Input((5, 2)), made, keras.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"])
        x, y = SEQUENCES.copy(), SEQUENCES[..., :1].copy()
        x[STEPS == 0], y[STEPS == 0] = hole, hole if np.ndim(hole) == 0 else hole[:1]
        logs = model.fit(x, y, sample_weight=STEPS, shuffle=False, verbose=0).history
        return [*(np.asarray(v) for v in logs.values()), *model.get_weights()]

    check_same(run(np.nan), run(SEQUENCES[0, 0]))


def test_nothing_but_samples_of_weight_0_changes_no_weight() -> None:
    model = dense()
    model.compile("sgd", "mse", metrics=["mae"])
    before = model.get_weights()
    model.fit(X * np.nan, Y * np.nan, sample_weight=np.zeros(6), batch_size=1, verbose=0)
    check_same(model.get_weights(), before)
    assert model.evaluate(X * np.nan, Y, sample_weight=np.zeros(6), verbose=0) == [0.0, 0.0]


class Centred(keras.layers.Layer):
    """Code of a user's that looks at the whole batch."""

    def call(self, x: Any) -> Any:
        return x - ops.mean(x, axis=0, keepdims=True)


@pytest.mark.parametrize("kind", ["mean", "max"])
def test_padding_reaches_no_prediction_where_samples_see_one_another(kind: str) -> None:
    inputs = keras.Input((3,))
    outputs = Centred()(inputs) if kind == "mean" else inputs / ops.max(inputs, axis=0)
    model = keras.Model(inputs, outputs)

    def expected(x: np.ndarray) -> np.ndarray:
        return x - x.mean(axis=0) if kind == "mean" else x / x.max(axis=0)

    x = np.abs(np.random.default_rng(2).normal(size=(11, 3))).astype("float32")
    for _ in range(2):
        for count in (5, 3):  # which would be made 8 and 4
            found = model.predict(x[:count], verbose=0)
            np.testing.assert_allclose(found, expected(x[:count]), rtol=1e-5, atol=1e-6)
    found = model.predict(x, batch_size=4, verbose=0)  # the last batch has 3
    parts = [expected(x[first : first + 4]) for first in (0, 4, 8)]
    np.testing.assert_allclose(found, np.concatenate(parts), rtol=1e-5, atol=1e-6)
