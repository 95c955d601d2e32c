"""Shapes that messages and results show are those that were given, not those tried inside."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre import layers, ops


def test_rows_that_are_put_together_have_an_unknown_number():
    steps, flat = nacre.Input((None, 4)), nacre.Input((4,))
    assert ops.reshape(steps, (-1, 5)).shape == (None, 5)
    assert ops.reshape(flat, (-1, 5)).shape == (None, 5)
    assert ops.reshape(steps, (-1, 7, 10)).shape == (None, 7, 10)
    assert layers.Lambda(lambda x: ops.reshape(x, (-1, 5)))(flat).shape == (None, 5)


def test_a_size_beside_an_unknown_one_still_decides():
    assert (nacre.Input((4,)) + np.ones((3, 4), "float32")).shape == (3, 4)


@pytest.mark.parametrize("count", [5, 10, 35])
def test_predict_gives_the_rows_of_the_batch_and_none_of_its_padding(count):
    x = nacre.Input((4,))
    model = nacre.Model(x, [ops.reshape(x, (-1, 2)), ops.sum(x, axis=0), x])
    data = np.arange(4.0 * count, dtype="float32").reshape(count, 4)
    pairs, total, same = model.predict(data, batch_size=count, verbose=0)
    np.testing.assert_array_equal(pairs, data.reshape(-1, 2))
    np.testing.assert_allclose(total, data.sum(0))
    np.testing.assert_array_equal(same, data)
    assert model.predict(data, batch_size=4, verbose=0)[0].shape == (2 * count, 2)


def test_predict_tries_only_the_batch_size_that_was_given():
    x = nacre.Input((4,))
    model = nacre.Model(x, ops.reshape(x, (-1, 5)))
    assert model.predict(np.ones((10, 4), "float32"), verbose=0).shape == (8, 5)
    with pytest.raises(ValueError, match=r"array of shape \(6, 4\)"):
        model.predict(np.ones((6, 4), "float32"), verbose=0)
