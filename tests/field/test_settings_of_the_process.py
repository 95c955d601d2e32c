"""Settings of the process that are changed between two steps of one model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import nacre
from nacre import layers, losses
from nacre.backend import epsilon, set_epsilon

X, ZEROS = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")


@pytest.fixture
def _epsilon() -> Iterator[None]:
    before = epsilon()
    yield
    set_epsilon(before)


@pytest.mark.usefixtures("_epsilon")
def test_a_new_epsilon_holds_for_compiled_steps_too() -> None:
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(nacre.optimizers.SGD(0.0), "mape")
    for new in (0.5, 0.25):
        set_epsilon(new)
        expected = float(losses.MeanAbsolutePercentageError()(ZEROS, model(X)))
        assert model.evaluate(X, ZEROS, verbose=0) == pytest.approx(expected)
        assert model.fit(X, ZEROS, verbose=0).history["loss"][0] == pytest.approx(expected)
        assert model.train_on_batch(X, ZEROS) == pytest.approx(expected)


@pytest.mark.usefixtures("_epsilon")
def test_a_new_epsilon_holds_for_predictions_too() -> None:
    model = nacre.Sequential([nacre.Input((3,)), layers.UnitNormalization()])
    small = 1e-3 * X
    first = model.predict(small, verbose=0), np.asarray(model(small))
    set_epsilon(1.0)
    fresh = nacre.Sequential([nacre.Input((3,)), layers.UnitNormalization()])
    expected = fresh.predict(small, verbose=0)
    np.testing.assert_allclose(model.predict(small, verbose=0), expected, rtol=1e-6)
    np.testing.assert_allclose(model(small), fresh(small), rtol=1e-6)
    assert np.isfinite(first).all()
