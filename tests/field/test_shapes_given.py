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


class Positions(layers.Layer):
    """Adds the first rows of a table, as many as there are steps."""

    def build(self, input_shape):
        self.table = self.add_weight(shape=(5, input_shape[-1]), name="table")

    def call(self, x):
        return x + self.table[: ops.shape(x)[1]]


def test_steps_may_be_fewer_than_the_rows_of_a_table():
    tokens = nacre.Input((None,), dtype="int32")
    outputs = Positions()(layers.Embedding(9, 4)(tokens))
    assert outputs.shape == (None, None, 4)
    model = nacre.Model(tokens, outputs)
    for steps in (1, 3, 5):
        assert model.predict(np.ones((2, steps), int), verbose=0).shape == (2, steps, 4)
    with pytest.raises(ValueError, match="7"):
        model.predict(np.ones((2, 7), int), verbose=0)


def test_what_fits_one_length_only_is_still_refused():
    with pytest.raises(ValueError, match="broadcast"):
        nacre.Input((None, 4)) + np.ones((2, 3, 4), "float32")[:, :, :3]
