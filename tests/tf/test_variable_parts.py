"""Parts of variables are assigned, rows scattered, and variables tell of themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import ArgumentError, DTypeError, PositionError, ShapeError

_PARTS: dict[str, tuple[Callable[[Any], Any], list[list[float]]]] = {
    "a row": (lambda v: v[0].assign([7.0, 8.0]), [[7, 8], [3, 4]]),
    "a number": (lambda v: v[1, 0].assign(9), [[1, 2], [9, 4]]),
    "from a place on": (lambda v: v[1:].assign([[5.0, 6.0]]), [[1, 2], [5, 6]]),
    "one number for all": (lambda v: v[:, 1].assign(0.0), [[1, 0], [3, 0]]),
    "the last": (lambda v: v[..., -1].assign([8.0, 9.0]), [[1, 8], [3, 9]]),
    "every other": (lambda v: v[::2, tf.newaxis].assign([[[0.0, 1.0]]]), [[0, 1], [3, 4]]),
    "at a tensor": (lambda v: v[tf.constant(1)].assign([5.0, 6.0]), [[1, 2], [5, 6]]),
    "scatter_update": (
        lambda v: v.scatter_update(tf.IndexedSlices([[5.0, 6.0]], [1])), [[1, 2], [5, 6]],
    ),
    "scatter_add twice the same": (
        lambda v: v.scatter_add(tf.IndexedSlices([[1.0, 2.0], [3.0, 4.0]], [0, 0])),
        [[5, 8], [3, 4]],
    ),
    "scatter_sub": (
        lambda v: v.scatter_sub(tf.IndexedSlices([[1.0, 1.0]], [0])), [[0, 1], [3, 4]],
    ),
    "scatter_max": (
        lambda v: v.scatter_max(tf.IndexedSlices([[0.0, 9.0]], [0])), [[1, 9], [3, 4]],
    ),
    "scatter_min": (
        lambda v: v.scatter_min(tf.IndexedSlices([[0.0, 9.0]], [0])), [[0, 2], [3, 4]],
    ),
    "scatter_mul": (
        lambda v: v.scatter_mul(tf.IndexedSlices([[2.0, 3.0]], [1])), [[1, 2], [6, 12]],
    ),
    "scatter_div": (
        lambda v: v.scatter_div(tf.IndexedSlices([[2.0, 4.0]], [1])), [[1, 2], [1.5, 1]],
    ),
    "scatter_nd_update": (
        lambda v: v.scatter_nd_update([[0, 1], [1, 0]], [5.0, 6.0]), [[1, 5], [6, 4]],
    ),
    "scatter_nd_add": (lambda v: v.scatter_nd_add([[1]], [[1.0, 1.0]]), [[1, 2], [4, 5]]),
    "scatter_nd_sub": (lambda v: v.scatter_nd_sub([[0, 0]], [1.0]), [[0, 2], [3, 4]]),
}  # fmt: skip


@pytest.mark.parametrize("name", _PARTS)
def test_parts_are_assigned_and_the_whole_is_returned(name: str) -> None:
    change, expected = _PARTS[name]
    variable = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    returned = change(variable)
    np.testing.assert_array_equal(variable, expected)
    np.testing.assert_array_equal(returned, expected)


def test_parts_are_assigned_in_compiled_functions_again_and_again() -> None:
    variable = tf.Variable([1.0, 2.0, 3.0])

    @tf.function
    def step(place):
        variable[0].assign(variable[0] + 1.0)
        variable[1:].assign(variable[1:] * 2.0)
        variable.scatter_nd_add([[2]], [0.5])
        return variable.scatter_add(tf.IndexedSlices([100.0], place))

    np.testing.assert_array_equal(step(tf.constant([0])), [102.0, 4.0, 6.5])
    np.testing.assert_array_equal(step(tf.constant([1])), [103.0, 108.0, 13.5])
    with pytest.raises(PositionError, match="within"):
        step(tf.constant([3]))
    np.testing.assert_array_equal(variable, [103.0, 108.0, 13.5])  # as before the failure


def test_a_tape_goes_through_a_variable_whose_part_was_assigned() -> None:
    variable = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        variable[0].assign(5.0)
        loss = tf.reduce_sum(variable * variable)
    np.testing.assert_array_equal(tape.gradient(loss, variable), [10.0, 4.0])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda v: v[0].assign([[1.0, 2.0]]), ShapeError),
        (lambda v: v[0].assign(tf.constant(["a"])), DTypeError),
        (lambda v: v[5].assign([1.0, 2.0]), PositionError),
        (lambda v: v.scatter_update(tf.IndexedSlices([[1.0, 2.0]], [2])), PositionError),
        (lambda v: v.scatter_update(tf.IndexedSlices([[1.0, 2.0]], [-1])), PositionError),
        (lambda v: v.scatter_nd_update([[0, 5]], [1.0]), PositionError),
        (lambda v: v.scatter_nd_update([[0, 1]], [[1.0, 2.0]]), ShapeError),
        (lambda v: v.scatter_add([[1.0, 2.0]], [0]), ArgumentError),
        (lambda v: (v[0] + 1.0).assign([1.0, 2.0]), AttributeError),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(change: Any, error: Any) -> None:
    variable = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(error):
        change(variable)
    np.testing.assert_array_equal(variable, [[1.0, 2.0], [3.0, 4.0]])


def test_whole_numbers_take_no_fractions() -> None:
    count = tf.Variable([1, 2])
    for change in (count.assign, count.assign_add, count.assign_sub, count[:].assign):
        with pytest.raises(DTypeError):
            change([1.5, 2.5])
        with pytest.raises(DTypeError):
            change(tf.constant([1.0, 2.0]))
    assert count.numpy().tolist() == [1, 2]
    assert count.assign_add([1, 1], read_value=False) is None
    assert count.assign([5, 6]).numpy().tolist() == [5, 6]


def test_variables_tell_of_themselves_as_tensorflow_has_them() -> None:
    vector = tf.Variable([1.0, 2.0])
    assert repr(vector) == (
        "<tf.Variable 'Variable:0' shape=(2,) dtype=float32, numpy=array([1., 2.], dtype=float32)>"
    )
    step = tf.Variable(3, dtype=tf.int64, name="step")
    assert repr(step) == "<tf.Variable 'step:0' shape=() dtype=int64, numpy=3>"
    assert step.dtype.name == "int64" and step.dtype.is_integer
    assert vector.dtype == tf.float32 and vector.dtype.is_floating
    told: list[str] = []

    @tf.function
    def call():
        told.append(repr(vector))
        return vector + 1.0

    call()
    assert told[-1:] == ["<tf.Variable 'Variable:0' shape=(2,) dtype=float32>"]
    np.testing.assert_array_equal(vector.sparse_read([1]), [2.0])
    np.testing.assert_array_equal(vector.gather_nd([[0]]), [1.0])


_LONG_PARTS: dict[str, tuple[Callable[[Any], Any], list[int]]] = {
    "a number": (lambda v: v[0].assign(2**40), [2**40, 1]),
    "a tensor": (lambda v: v[1:].assign(tf.constant([2**40])), [2_000_000_000, 2**40]),
    "scatter_add": (
        lambda v: v.scatter_add(tf.IndexedSlices(tf.constant([2_000_000_000], "int64"), [0])),
        [4_000_000_000, 1],
    ),
    "scatter_nd_sub": (
        lambda v: v.scatter_nd_sub([[1]], tf.constant([2**40])), [2_000_000_000, 1 - 2**40],
    ),
}  # fmt: skip


@pytest.mark.float64
@pytest.mark.parametrize("name", _LONG_PARTS)
def test_parts_of_whole_numbers_of_64_bits_are_no_others(name: str) -> None:
    change, expected = _LONG_PARTS[name]
    variable = tf.Variable([2_000_000_000, 1], dtype=tf.int64)
    change(variable)
    assert variable.numpy().tolist() == expected


def test_sums_of_sparse_tensors_of_64_bits_are_no_others() -> None:
    sparse = tf.sparse.from_dense(tf.constant([2_000_000_000, 1], "int64"))
    assert tf.sparse.to_dense(tf.sparse.add(sparse, sparse)).numpy().tolist() == [4 * 10**9, 2]
