"""Frames and columns of pandas where scripts give tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre.tf as tf

pd = pytest.importorskip("pandas")


@pytest.fixture
def frame() -> Any:
    return pd.DataFrame({"a": [1, 2], "b": [0.5, 0.25]}, index=[7, 8])


def test_a_frame_keeps_the_width_of_its_numbers(frame: Any) -> None:
    assert tf.constant(frame).dtype == tf.float64
    assert tf.convert_to_tensor(frame["a"]).dtype == tf.int64
    assert tf.Variable(frame["b"]).dtype == tf.float64
    assert tf.cast(frame, tf.float32).dtype == tf.float32
    assert tf.reduce_mean(frame, axis=0).numpy().tolist() == [1.5, 0.375]


def test_missing_numbers_stay_nan_and_columns_of_texts_are_strings() -> None:
    gaps = pd.DataFrame({"a": [1, 2], "b": [np.nan, 0.25]})
    assert np.isnan(tf.constant(gaps).numpy()).tolist() == [[False, True], [False, False]]
    assert tf.constant(pd.Series(["x", "yy"])).numpy().tolist() == [b"x", b"yy"]


def test_an_operator_of_a_tensor_gives_a_tensor(frame: Any) -> None:
    narrow, whole = tf.constant([1.0, 2.0]), tf.constant([1, 2], tf.int64)
    for found, wanted in (
        (narrow + frame["b"], [1.5, 2.25]),
        (narrow > frame["b"], [True, True]),
        (whole == frame["a"], [True, True]),
        (tf.Variable([1.0, 2.0]) * frame["b"], [0.5, 0.5]),
        (tf.constant([[1.0, 2.0]], tf.float64) @ frame, [[5.0, 1.0]]),
    ):
        assert isinstance(found, tf.Tensor)
        assert found.numpy().tolist() == wanted
    assert (narrow + frame["b"]).dtype == tf.float32


def test_labels_of_rows_play_no_part(frame: Any) -> None:
    turned = frame["b"].iloc[::-1]
    assert (tf.constant([0.0, 0.0], tf.float64) + turned).numpy().tolist() == [0.25, 0.5]
