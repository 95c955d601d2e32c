"""Pairs of words for word2vec; draws are those of tf.keras 2.15.1."""

from __future__ import annotations

import random

import numpy as np
import pytest

from nacre.core.errors import ArgumentError, DataError
from nacre.preprocessing.sequence import make_sampling_table, skipgrams

NEAR = [[1, 2], [2, 1], [2, 3], [3, 2], [3, 4], [4, 3]]
DRAWN = [[3, 5], [1, 35], [4, 7], [3, 24], [2, 38], [2, 4]]


def test_pairs_and_draws_are_those_of_tf_keras():
    random.seed(7)
    pairs, labels = skipgrams([1, 2, 3, 4], 50, window_size=1, shuffle=False)
    assert (pairs, labels) == (NEAR + DRAWN, [1] * 6 + [0] * 6)
    assert random.random() == 0.9097040631431023


def test_the_order_for_a_seed_is_that_of_tf_keras():
    random.seed(7)
    pairs, labels = skipgrams([1, 2, 3, 4], 50, window_size=1, seed=11)
    assert pairs[:5] == [[2, 3], [4, 3], [1, 2], [3, 5], [2, 38]]
    assert labels == [1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0]
    assert random.random() == 0.3034012626245255


def test_words_left_out_by_a_table_are_those_of_tf_keras():
    random.seed(7)
    table = np.array([0.1] * 7)
    pairs, labels = skipgrams([1, 2, 3, 4, 5, 6], 7, 2, sampling_table=table, shuffle=False)
    assert pairs == [[4, 2], [4, 3], [4, 5], [4, 6], [4, 1], [4, 1], [4, 4], [4, 4]]
    assert labels == [1, 1, 1, 1, 0, 0, 0, 0]


def test_number_zero_is_no_word():
    pairs, _labels = skipgrams([1, 2, 0, 3, 4], 5, 2, negative_samples=0, shuffle=False)
    assert pairs == [[1, 2], [2, 1], [2, 3], [3, 2], [3, 4], [4, 3]]
    assert skipgrams([], 5) == ([], [])


def test_categorical_labels_and_shares_of_draws():
    _, labels = skipgrams([1, 2, 3], 5, 1, negative_samples=0.5, categorical=True, shuffle=False)
    assert labels == [[0, 1]] * 4 + [[1, 0]] * 2


def test_the_sampling_table_is_that_of_tf_keras():
    wanted = [0.0031522478751942504, 0.0031522478751942504, 0.0054759726939176976]
    assert make_sampling_table(3).tolist() == wanted
    assert make_sampling_table(3, sampling_factor=1.0).max() == 1.0


def test_mistakes_are_told():
    with pytest.raises(DataError, match="from 0 on"):
        skipgrams([1, -2], 5)
    with pytest.raises(DataError, match="one at a time"):
        skipgrams([[1, 2], [2, 3]], 5)
    with pytest.raises(ArgumentError, match=r"make_sampling_table\(vocabulary_size\)"):
        skipgrams([1, 9], 10, sampling_table=make_sampling_table(5))
    with pytest.raises(ArgumentError, match="at least 2"):
        skipgrams([1, 2], 1)
