"""At absent positions any index, label or number may stand, also one that fits no table or dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core.errors import ArgumentError, DataError, LossInputError

IDS = np.random.default_rng(0).integers(1, 9, (6, 5))
Y = np.random.default_rng(1).normal(size=(6, 5, 1)).astype("float32")
ROWS, STEPS = np.ones(6, "float32"), np.ones((6, 5), "float32")
ROWS[2], STEPS[2], STEPS[4, 3:] = 0, 0, 0


def with_holes(array: np.ndarray, absent: np.ndarray, hole: Any) -> np.ndarray:
    array = array.copy()
    array[absent] = hole
    return array


def embedding() -> keras.Model:
    return keras.Sequential(
        [keras.Input((5,), dtype="int32"), layers.Embedding(9, 3), layers.Dense(1)]
    )


def encoding() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.CategoryEncoding(9, "multi_hot"),
            layers.Dense(1),
        ]
    )


class Subclassed(keras.Model):
    """A model of the user's, whose indices are looked at where they are traced."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = embedding()

    def call(self, x: Any) -> Any:
        return self.parts(x)


def trained(make: Callable[[], keras.Model], door: str, x: Any, y: Any, weights: Any) -> list[Any]:
    keras.utils.set_random_seed(0)
    model = make()
    model.compile("sgd", "mse", metrics=["mae"])
    if door == "fit":
        logs: Any = model.fit(x, y, sample_weight=weights, shuffle=False, verbose=0).history
        logs = list(logs.values())
    elif door == "generator":
        logs = list(model.fit(iter([(x, y, weights)]), verbose=0).history.values())
    else:
        logs = getattr(model, door)(x, y, sample_weight=weights)
    return [np.ravel(logs), *model.get_weights()]


def check_same(found: list[Any], expected: list[Any]) -> None:
    for one, wanted in zip(found, expected, strict=True):
        assert np.isfinite(wanted).all()
        np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("door", ["fit", "generator", "train_on_batch", "test_on_batch"])
def test_indices_of_rows_of_weight_0_may_lie_outside_the_table(door: str) -> None:
    expected = trained(embedding, door, IDS, Y, ROWS)
    for hole in (99, -1):
        x = with_holes(IDS, ROWS == 0, hole)
        check_same(trained(embedding, door, x, Y, ROWS), expected)


@pytest.mark.parametrize("make", [Subclassed, embedding])
def test_so_may_those_of_steps(make: Any) -> None:
    x = with_holes(IDS, STEPS == 0, 99)
    check_same(trained(make, "fit", x, Y, STEPS), trained(make, "fit", IDS, Y, STEPS))


def test_so_may_indices_that_are_encoded() -> None:
    y = Y[:, 0]
    x = with_holes(IDS, ROWS == 0, -1)
    check_same(trained(encoding, "fit", x, y, ROWS), trained(encoding, "fit", IDS, y, ROWS))


@pytest.mark.parametrize(("make", "error"), [(embedding, DataError), (encoding, ArgumentError)])
def test_of_samples_that_count_they_are_refused_with_their_row(make: Any, error: Any) -> None:
    x = with_holes(IDS, ROWS == 0, 99)
    x[4, 1] = 77
    y = Y if make is embedding else Y[:, 0]
    with pytest.raises(error, match="77 in row 4"):
        trained(make, "fit", x, y, ROWS)
    with pytest.raises(error, match="99 in row 2"):
        trained(make, "fit", with_holes(IDS, ROWS == 0, 99), y, None)


def masked(hole: Any, **how: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(9, 3, mask_zero=True),
            layers.LSTM(3, return_sequences=True),
            layers.Dense(4),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["accuracy"], **how)
    ids = with_holes(IDS, STEPS == 0, 0)
    model.fit(ids, with_holes(IDS % 4, STEPS == 0, hole), shuffle=False, verbose=0)
    return model


def test_labels_of_masked_steps_may_be_no_classes() -> None:
    expected = masked(0)
    for hole, how in ((-100, {}), (99, {"run_eagerly": True})):
        found = masked(hole, **how)
        check_same(found.get_weights(), expected.get_weights())
        for name, logs in expected.history.history.items():
            assert found.history.history[name] == pytest.approx(logs, rel=1e-5)


def test_labels_of_other_models_are_refused_as_before() -> None:
    model = keras.Sequential([keras.Input((5,)), layers.Dense(4, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(LossInputError, match="-100"):
        model.fit(IDS.astype("float32"), np.array([0, 1, -100, 3, 0, 1]), verbose=0)


@pytest.mark.parametrize("hole", [7e4, 6e4, np.nan])
def test_numbers_float16_does_not_hold_may_stand_in_absent_samples(hole: float) -> None:
    x = np.random.default_rng(2).normal(size=(6, 3)).astype("float32")

    def make() -> keras.Model:
        hidden = layers.Dense(4, dtype="mixed_float16")
        return keras.Sequential([keras.Input((3,)), hidden, layers.Dense(1, dtype="float32")])

    found = trained(make, "train_on_batch", with_holes(x, ROWS == 0, hole), Y[:, 0], ROWS)
    check_same(found, trained(make, "train_on_batch", x, Y[:, 0], ROWS))
