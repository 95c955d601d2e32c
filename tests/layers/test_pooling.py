"""Pooling layers: what is special to them."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, ShapeError


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_masked_mean_is_the_mean_of_the_steps_that_count():
    x = random(1, 5, 3)
    mask = np.array([[True, True, True, False, False]])
    masked = nacre.layers.GlobalAveragePooling1D()(x, mask=mask)
    np.testing.assert_allclose(masked, x[:, :3].mean(1), rtol=1e-6)


def test_mask_of_an_embedding_reaches_the_mean():
    embedding = nacre.layers.Embedding(5, 4, mask_zero=True)
    pool = nacre.layers.GlobalAveragePooling1D()
    padded, short = np.array([[1, 2, 0, 0]]), np.array([[1, 2]])
    np.testing.assert_allclose(pool(embedding(padded)), pool(embedding(short)), rtol=1e-6)


def test_padding_does_not_count_in_an_average():
    ones = np.ones((1, 5, 5, 1), "float32")
    pooled = nacre.layers.AveragePooling2D(2, padding="same")(ones)
    np.testing.assert_array_equal(pooled, np.ones((1, 3, 3, 1)))


def test_max_of_negative_numbers_ignores_padding():
    x = -np.ones((1, 5, 5, 1), "float32")
    pooled = nacre.layers.MaxPooling2D(2, padding="same")(x)
    np.testing.assert_array_equal(pooled, -np.ones((1, 3, 3, 1)))


def test_keepdims_keeps_axes_of_size_one():
    layer = nacre.layers.GlobalMaxPooling2D(keepdims=True, data_format="channels_first")
    assert layer(random(2, 3, 4, 5)).shape == (2, 3, 1, 1)


def test_adaptive_windows_cover_uneven_sizes():
    x = np.arange(7, dtype="float32").reshape(1, 7, 1)
    mean = nacre.layers.AdaptiveAveragePooling1D(3)(x)
    np.testing.assert_allclose(np.ravel(mean), [1.0, 3.0, 5.0])
    largest = nacre.layers.AdaptiveMaxPooling1D(3)(x)
    np.testing.assert_allclose(np.ravel(largest), [2.0, 4.0, 6.0])


def test_pool_size_of_wrong_length_is_refused():
    with pytest.raises(ArgumentError, match=r"pool_size must be one int or 2 of them.*\(2,\)"):
        nacre.layers.MaxPooling2D((2,))


def test_a_mask_of_other_sizes_is_refused():
    with pytest.raises(ShapeError, match=r"first axes of the input.* mask of shape \(2, 5\)"):
        nacre.layers.GlobalAveragePooling1D()(random(2, 3, 4), mask=np.ones((2, 5), bool))


def test_the_largest_of_no_steps_is_refused():
    with pytest.raises(ShapeError, match="largest of no values"):
        nacre.layers.GlobalMaxPooling1D()(random(2, 0, 4))


def test_booleans_are_pooled_by_or():
    x = np.array([[[True], [False], [False], [False], [True]]])
    pooled = nacre.layers.MaxPooling1D(2, padding="same")(x)
    assert pooled.dtype == bool and np.ravel(pooled).tolist() == [True, False, True]


def test_unknown_sizes_stay_unknown():
    images = nacre.layers.Input((None, None, 3))
    assert nacre.layers.MaxPooling2D()(images).shape == (None, None, None, 3)
    assert nacre.layers.GlobalAveragePooling2D()(images).shape == (None, 3)
    assert nacre.layers.AdaptiveMaxPooling2D(4)(images).shape == (None, 4, 4, 3)
