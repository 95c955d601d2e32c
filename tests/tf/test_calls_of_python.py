"""`tf.py_function`, functions that worker threads call, strings for numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nacre import tf


@pytest.mark.parametrize("name", ["numpy_function", "py_function"])
def test_without_a_function_it_decorates_one(name: str) -> None:
    @getattr(tf, name)(Tout=[tf.float32, tf.int32])
    def parted(x: Any) -> Any:
        return np.float32(x) / 2, np.int32(x)

    half, whole = parted(tf.constant(3.0))
    assert (float(half), int(whole), whole.dtype.name) == (1.5, 3, "int32")


def test_functions_that_draw_numbers_run_in_several_threads_of_a_pipeline() -> None:
    @tf.function
    def moved(x: Any) -> Any:
        return x + tf.random.uniform(())

    data = tf.data.Dataset.range(24).map(
        lambda i: moved(tf.cast(i, tf.float32)), num_parallel_calls=4
    )
    found = np.stack(list(data.as_numpy_iterator())) - np.arange(24)
    assert ((found >= 0) & (found < 1)).all()
    assert len(set(found.round(4).tolist())) > 12  # each call draws another


@pytest.mark.parametrize("axis", [None, 0])
def test_one_hot_rows_may_be_of_strings(axis: int | None) -> None:
    kinds = {"on_value": "yes", "off_value": "no", "axis": axis}
    found = tf.one_hot(tf.constant([0, 2, -1]), 3, dtype=tf.string, **kinds)
    numbers = tf.one_hot(tf.constant([0, 2, -1]), 3, axis=axis).numpy()
    assert found.dtype.name == "string"
    np.testing.assert_array_equal(found.numpy() == b"yes", numbers == 1)
    assert set(found.numpy().ravel()) == {b"yes", b"no"}
