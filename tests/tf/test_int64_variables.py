"""Variables of 64-bit whole numbers are computed with as such outside of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf

N = 2_000_000_000


@pytest.mark.parametrize(
    ("compute", "wanted"),
    [
        (lambda v: v * 3, 3 * N),
        (lambda v: 3 * v, 3 * N),
        (lambda v: v + v, 2 * N),
        (lambda v: v + tf.constant([N], tf.int64), 2 * N),
        (lambda v: tf.constant([N], tf.int64) + v, 2 * N),
        (lambda v: v - (-v), 2 * N),
        (lambda v: v**2, N**2),
        (lambda v: v + [N], 2 * N),
        (lambda v: v // 7, N // 7),
        (lambda v: tf.add(v, v), 2 * N),
        (lambda v: tf.multiply(v, tf.cast(3, tf.int64)), 3 * N),
        (lambda v: tf.reduce_sum(tf.stack([v, v])), 2 * N),
        (lambda v: tf.convert_to_tensor(v) * 3, 3 * N),
        (lambda v: tf.identity(v) * 3, 3 * N),
        (lambda v: v.read_value() * 3, 3 * N),
        (lambda v: v.assign_add([1]) * 2 - 2, 2 * N),
        (lambda v: -v * 3, -3 * N),
        (lambda v: abs(v) * 3, 3 * N),
    ],
)
def test_what_is_computed_beyond_32_bits_is_what_it_is(
    compute: Callable[[Any], Any], wanted: int
) -> None:
    found = compute(tf.Variable([N], dtype=tf.int64))
    assert found.dtype == tf.int64
    assert int(np.asarray(found).ravel()[0]) == wanted


def test_steps_that_are_counted_in_a_function_and_outside_are_the_same_number() -> None:
    step = tf.Variable(0, dtype=tf.int64)

    @tf.function
    def count() -> Any:
        step.assign_add(1)
        return step * 2

    assert int(count()) == 2 and int(step * 2) == 2
    assert step % 2 == 1 and step > 0 and not step >= 2
    assert float(tf.cast(step, tf.float32) / 2.0) == 0.5
