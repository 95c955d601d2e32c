"""A Sequential without an input shape, on data of another number of axes than it saw first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ShapeError


def scaled() -> nacre.Sequential:
    return nacre.Sequential([layers.Resizing(4, 4), layers.Rescaling(0.5)])


ONE, SOME = np.full((6, 5, 3), 2.0, "float32"), np.full((2, 8, 7, 3), 2.0, "float32")


@pytest.mark.parametrize(("first", "then"), [(ONE, SOME), (SOME, ONE)])
def test_one_picture_and_a_batch_of_them_go_through_the_same_stack(
    first: np.ndarray, then: np.ndarray
) -> None:
    model = scaled()
    for images in (first, then, first):
        found = np.asarray(model(images))
        assert found.shape == (*images.shape[:-3], 4, 4, 3)
        np.testing.assert_allclose(found, 1.0)


def test_a_stack_that_saw_a_picture_may_be_the_first_layer_of_another_one() -> None:
    inner = scaled()
    inner(ONE)
    outer = nacre.Sequential([inner, layers.Flatten(), layers.Dense(2)])
    assert outer(SOME).shape == (2, 2)
    assert outer(SOME[:1, :5]).shape == (1, 2)


def test_after_it_the_model_is_trained_and_kept(tmp_path: Path) -> None:
    model = nacre.Sequential([layers.Dense(3), layers.Dense(2)])
    flat, deep = np.ones((4, 5), "float32"), np.ones((4, 7, 5), "float32")
    assert model(flat).shape == (4, 2)
    np.testing.assert_allclose(np.asarray(model(deep))[:, 0], np.asarray(model(flat)), rtol=1e-6)
    model.compile("sgd", "mse")
    model.fit(flat, np.zeros((4, 2)), verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = nacre.models.load_model(tmp_path / "m.keras")
    for x in (flat, deep):
        np.testing.assert_allclose(model.predict(x, verbose=0), np.asarray(model(x)), rtol=1e-6)
        np.testing.assert_allclose(np.asarray(loaded(x)), np.asarray(model(x)), rtol=1e-6)


def test_an_input_that_was_told_and_layers_that_do_not_take_it_are_rules_still() -> None:
    told = nacre.Sequential([nacre.Input((5,)), layers.Dense(2)])
    with pytest.raises(ShapeError, match="must have shape"):
        told(np.ones((4, 7, 5), "float32"))
    convolution = nacre.Sequential([layers.Conv2D(2, 3)])
    convolution(SOME)
    with pytest.raises(ShapeError, match="must have shape"):
        convolution(ONE)
