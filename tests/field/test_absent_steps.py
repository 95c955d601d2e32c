"""Steps of weight 0 are absent from statistics and penalties, where their axes are the inputs'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core.scope import absent_positions

X = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")
Y = X[..., :1] * 2.0
WEIGHTS = np.ones((4, 5), "float32")
WEIGHTS[1], WEIGHTS[2, 3:] = 0, 0


def statistics(**how: Any) -> keras.layers.Layer:
    return layers.BatchNormalization(momentum=0.5, **how)


def nested() -> keras.Model:
    return keras.Sequential([layers.Dense(2), keras.Sequential([statistics()])])


def functional() -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, statistics()(layers.Dense(2)(inputs)))


LAYERS: dict[str, Callable[[], keras.layers.Layer]] = {
    "statistics": statistics,
    "renorm": lambda: statistics(renorm=True),
    "nested": nested,
    "distributed": lambda: layers.TimeDistributed(statistics()),
    "distributed_model": lambda: layers.TimeDistributed(functional()),
    "penalty": lambda: layers.Dense(2, activity_regularizer="l2"),
    "distributed_penalty": lambda: layers.TimeDistributed(
        layers.Dense(2, activity_regularizer=keras.regularizers.L1(0.1))
    ),
}


def trained(
    make: Callable[[], keras.layers.Layer], x: Any, y: Any, weights: Any, **how: Any
) -> list[Any]:
    """All that one step gives: numbers and weights."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5, 3)), make(), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"], **how)
    logs = model.train_on_batch(x, y, sample_weight=weights)
    return [np.asarray(logs), *model.get_weights()]


def check_same(found: list[Any], expected: list[Any]) -> None:
    for one, wanted in zip(found, expected, strict=True):
        assert np.isfinite(wanted).all()
        np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-5)


def with_holes(array: np.ndarray, hole: float) -> np.ndarray:
    array = array.copy()
    array[WEIGHTS == 0] = hole
    return array


@pytest.mark.parametrize("kind", LAYERS)
def test_what_steps_of_weight_0_hold_reaches_no_statistic_and_no_penalty(kind: str) -> None:
    expected = trained(LAYERS[kind], X, Y, WEIGHTS)
    for hole in (np.nan, 50.0):
        found = trained(LAYERS[kind], with_holes(X, hole), with_holes(Y, hole), WEIGHTS)
        check_same(found, expected)


def test_nor_where_the_step_is_not_compiled() -> None:
    expected = trained(statistics, X, Y, WEIGHTS)
    x, y = with_holes(X, np.nan), with_holes(Y, 9.0)
    check_same(trained(statistics, x, y, WEIGHTS, run_eagerly=True), expected)


def test_nor_in_a_fit_of_several_steps_at_once() -> None:
    def run(hole: float) -> list[Any]:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((5, 3)), statistics(), layers.Dense(1)])
        model.compile("sgd", "mse", steps_per_execution=2)
        x, y = with_holes(X, hole), with_holes(Y, hole)
        model.fit(x, y, sample_weight=WEIGHTS, batch_size=1, shuffle=False, verbose=0)
        return model.get_weights()

    check_same(run(50.0), run(0.5))


def test_statistics_are_those_of_the_steps_that_count() -> None:
    for weights in (WEIGHTS, WEIGHTS[..., None]):  # as steps, and in the shape of the targets
        found = trained(statistics, X, Y, weights)
        counted = X[WEIGHTS != 0]
        np.testing.assert_allclose(found[3], counted.mean(axis=0) / 2, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found[4], (1 + counted.var(axis=0)) / 2, rtol=1e-4)


def test_weights_other_than_0_leave_statistics_as_they_are_without() -> None:
    half = np.full((4, 5), 0.5)
    found, plain = (trained(statistics, X, Y, weights) for weights in (half, None))
    for one, wanted in zip(found[3:5], plain[3:5], strict=True):
        # Where some may not count, values are taken from their mean, else from one of them: a sum
        # that is near 0 is rounded as those of about 1 are.
        np.testing.assert_allclose(one, wanted, rtol=1e-6, atol=1e-7)


def test_masked_steps_reach_no_statistic_of_a_model_within_time_distributed() -> None:
    def run(hole: float) -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        layer = layers.TimeDistributed(functional())
        layer(with_holes(X, hole), mask=WEIGHTS != 0, training=True)
        return layer.get_weights()

    check_same(run(50.0), run(0.0))


def test_of_two_inputs_with_such_steps_whole_samples_alone_are_absent() -> None:
    def run(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        first, second = keras.Input((5, 3)), keras.Input((5, 3))
        normalized = statistics()(first)
        model = keras.Model([first, second], layers.Dense(1)(normalized + second))
        model.compile("sgd", "mse")
        model.train_on_batch([x, X], Y, sample_weight=weights)
        return model.get_weights()[2] * 2

    kept = X[[0, 2, 3]]
    np.testing.assert_allclose(run(X, WEIGHTS), kept.mean(axis=(0, 1)), rtol=1e-4, atol=1e-6)


def test_weights_of_pixels_leave_whole_images_out_and_no_pixel() -> None:
    images = np.random.default_rng(1).normal(size=(3, 4, 4, 2)).astype("float32")
    weights = np.ones((3, 4, 4))
    weights[0], weights[1, 2] = 0, 0
    model = keras.Sequential([keras.Input((4, 4, 2)), statistics(), layers.Conv2D(1, 1)])
    model.compile("sgd", "mse")
    model.train_on_batch(images, images[..., :1], sample_weight=weights)
    expected = images[1:].mean(axis=(0, 1, 2)) / 2
    np.testing.assert_allclose(model.get_weights()[2], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("weights", "is_told"), [(WEIGHTS, True), (WEIGHTS + 1, False)])
def test_a_program_asks_what_is_absent_where_a_weight_is_0(weights: Any, is_told: bool) -> None:
    class Spy(layers.Layer):
        def call(self, x: Any) -> Any:
            told.append(absent_positions(x.shape[:2]) is not None)
            return x

    told: list[bool] = []
    model = keras.Sequential([keras.Input((5, 3)), Spy(), layers.Dense(1)])
    model.compile("sgd", "mse")
    told.clear()
    model.fit(X, Y, sample_weight=weights, verbose=0)
    assert any(told) is is_told
