"""Where a tensor with a mask meets one without, and where a function stands in its way."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops

TOKENS = np.array([[1, 2, 0, 0]])
MERGES = [
    layers.Add, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum, layers.Subtract,
    layers.Concatenate,
]  # fmt: skip


def read_by_lstm(join: Any) -> Any:
    tokens = nacre.Input((None,), dtype="int32")
    words = layers.Embedding(9, 4, mask_zero=True)(tokens)
    positions = layers.Embedding(9, 4)(tokens)
    return nacre.Model(tokens, layers.LSTM(3)(join(words, positions)))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", MERGES)
def test_what_is_joined_with_a_tensor_without_mask_keeps_the_mask(kind, turned):
    model = read_by_lstm(lambda a, b: kind()([b, a] if turned else [a, b]))
    padded = model.predict(TOKENS, verbose=0)
    np.testing.assert_allclose(padded, model.predict(TOKENS[:, :2], verbose=0), atol=1e-6)
    np.testing.assert_allclose(padded, np.asarray(model(TOKENS)), atol=1e-6)


def test_a_mask_of_two_is_true_where_either_is():
    layer = layers.Add()
    x, one, two = np.ones((1, 3, 2)), np.array([[1, 0, 0]], bool), np.array([[0, 1, 0]], bool)
    found = layer.compute_mask([x, x, x], [one, None, two])
    np.testing.assert_array_equal(found, [[True, True, False]])
    assert layer.compute_mask([x, x], None) is None
    assert layer.compute_mask([x, x], [None, None]) is None


def test_a_mask_of_one_step_that_is_spread_over_many_is_none_of_theirs():
    layer = layers.Add()
    wide, narrow = np.ones((2, 3, 4)), np.ones((2, 1, 4))
    with pytest.warns(UserWarning, match="mask of its input stops here"):
        assert layer.compute_mask([wide, narrow], [None, np.ones((2, 1), bool)]) is None
    kept = layer.compute_mask([wide, narrow], [np.ones((2, 3), bool), None])
    assert kept.shape == (2, 3)


def test_a_model_for_keras_says_that_keras_ends_the_mask_there(tmp_path):
    model = read_by_lstm(lambda a, b: layers.Add()([a, b]))
    with pytest.warns(UserWarning, match="Keras"):
        model.save(tmp_path / "m.keras")
    again = nacre.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again(TOKENS), model(TOKENS), atol=1e-6)


def test_a_function_that_ends_a_mask_says_so_and_how_to_keep_it():
    with pytest.warns(UserWarning, match="Lambda.*stops here.*mask=lambda x, mask: mask"):
        read_by_lstm(lambda a, b: layers.Lambda(lambda x: 2 * x)(a))


def test_a_function_that_keeps_or_reads_a_mask_is_quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = read_by_lstm(lambda a, b: layers.Lambda(ops.negative, mask=lambda x, m: m)(a))
        read_by_lstm(lambda a, b: layers.Lambda(lambda x, mask: x * mask[..., None])(a))
        read_by_lstm(lambda a, b: layers.Lambda(lambda x: 2 * x)(b))
    np.testing.assert_allclose(
        kept.predict(TOKENS, verbose=0), kept.predict(TOKENS[:, :2], verbose=0), atol=1e-6
    )
