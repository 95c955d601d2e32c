"""`tf.compat.v1` in scripts for TensorFlow 2: names that moved, and arguments in their old order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.tf.former_names import FORMER_NAMES
from nacre.tf.namespaces import find


@pytest.mark.parametrize("before", sorted(FORMER_NAMES))
def test_a_former_name_is_the_present_one(before: str) -> None:
    module, _, name = before.rpartition(".")
    place, _, present = FORMER_NAMES[before].rpartition(".")
    assert find(module, name) is find(place, present)


def test_places_of_variables_change_and_the_variable_comes_back() -> None:
    variable = tf.Variable([1, 2, 3, 4])
    changed = tf.compat.v1.scatter_update(variable, [0, 2], [9, 8])
    changed = tf.compat.v1.scatter_add(tf.compat.v1.scatter_mul(changed, [1], 3), [0], 5)
    assert changed is variable
    np.testing.assert_array_equal(variable.numpy(), [14, 6, 8, 4])
    tf.compat.v1.scatter_nd_update(variable, [[3]], [0])
    assert variable.numpy()[3] == 0


# What TensorFlow 2.15.1 gives for the same calls.
X = [[1.0, 2.0], [3.0, 4.0]]
CALLS = {
    "shape": (lambda: tf.compat.v1.shape(X, "name"), [2, 2]),
    "gather": (lambda: tf.compat.v1.gather(X, [1], name="name", axis=1), [[2.0], [4.0]]),
    "transpose": (lambda: tf.compat.v1.transpose(X, [1, 0], "name"), [[1.0, 3.0], [2.0, 4.0]]),
    "where of rows": (
        lambda: tf.compat.v1.where([True, False], X, X[::-1]),
        [[1.0, 2.0], [1.0, 2.0]],
    ),
    "expand_dims": (lambda: tf.compat.v1.expand_dims([1.0], dim=0), [[1.0]]),
    "boolean_mask": (lambda: tf.compat.v1.boolean_mask(X, [True, False], "name"), [[1.0, 2.0]]),
    "div of whole numbers": (lambda: tf.compat.v1.div(7, 2), 3),
    "div": (lambda: tf.compat.v1.div(7.0, 2.0), 3.5),
    "mod": (lambda: tf.compat.v1.mod(7, 3), 1),
    "norm": (lambda: tf.compat.v1.norm([3.0, 4.0], keep_dims=True), [5.0]),
    "cond": (lambda: tf.compat.v1.cond(tf.constant(True), lambda: 1, lambda: 2), 1),
    "softmax": (lambda: tf.compat.v1.nn.softmax([[0.0, 0.0]], dim=0), [[1.0, 1.0]]),
    "moments": (
        lambda: tf.compat.v1.nn.moments(tf.constant(X), [0], keep_dims=True)[1],
        [[1.0, 1.0]],
    ),
    "in_top_k": (lambda: tf.compat.v1.nn.in_top_k(X, [1, 0], 1), [True, False]),
    "xw_plus_b": (lambda: tf.compat.v1.nn.xw_plus_b(X, X, [1.0, 2.0]), [[8.0, 12.0], [16.0, 24.0]]),
    "mean_squared_error": (
        lambda: tf.compat.v1.losses.mean_squared_error([[1.0, 2.0]], [[3.0, 2.0]]),
        2.0,
    ),
    "weighted": (
        lambda: tf.compat.v1.losses.mean_squared_error(X, [[2.0, 4.0]] * 2, [[1.0], [0.0]]),
        2.5,
    ),
    "absolute_difference": (
        lambda: tf.compat.v1.losses.absolute_difference(X, np.multiply(X, 3)),
        5.0,
    ),
    "string_to_number": (lambda: tf.compat.v1.string_to_number(["1.5"], tf.float32), [1.5]),
    "confusion_matrix": (
        lambda: tf.compat.v1.confusion_matrix([0, 1], [1, 1], 2, tf.int32),
        [[0, 1], [0, 1]],
    ),
    "zeros_initializer": (lambda: tf.compat.v1.zeros_initializer()((2,)), [0.0, 0.0]),
}


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_arguments_stand_where_the_first_version_has_them(call: str) -> None:
    compute, wanted = CALLS[call]
    np.testing.assert_allclose(np.asarray(compute()), wanted)


@pytest.mark.parametrize(
    ("arguments", "values", "shape"),
    [
        ((["a,b c", ",x"], ","), [b"a", b"b c", b"x"], [2, 2]),
        ((["a b"],), [b"a", b"b"], [1, 2]),
        ((["ab cd"], ""), [b"a", b"b", b" ", b"c", b"d"], [1, 5]),
        ((["a b;c"], " ;"), [b"a", b"b", b"c"], [1, 3]),
        ((["a,,b"], ",", False), [b"a", b"", b"b"], [1, 3]),
    ],
)
def test_texts_are_parted_at_each_character(arguments: Any, values: Any, shape: Any) -> None:
    parts = tf.compat.v1.string_split(*arguments)
    assert parts.values.numpy().tolist() == values
    assert parts.dense_shape.numpy().tolist() == shape


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="one of axis, dim must be passed"):
        tf.compat.v1.expand_dims(X)
    with pytest.raises(ValueError, match="the condition must have the tensors' shape"):
        tf.compat.v1.where([[True], [False]], X, X)
    with pytest.raises(ValueError, match="labels must have the predictions' shape"):
        tf.compat.v1.losses.mean_squared_error([1.0], [[1.0]])
    with pytest.raises(ValueError, match="divided by how many weights"):
        tf.compat.v1.losses.mean_squared_error([1.0], [1.0], reduction="none")
