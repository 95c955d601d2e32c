"""Sizes that are computed by functions of tensorflow's stay sizes, wherever they are computed."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import nacre
import nacre.tf as tf
from nacre.core.errors import TracedValueError

X = np.arange(6, dtype="float32").reshape(2, 3)

# Shapes made of sizes, and sizes that meet tensors.
CASES = {
    "cast": lambda x: tf.zeros((tf.cast(tf.shape(x)[0], "int64"), 1)) + x,
    "cast all": lambda x: tf.ones(tf.cast(tf.shape(x), tf.int64)) + x,
    "product": lambda x: tf.reshape(x, (tf.multiply(tf.shape(x)[0], tf.shape(x)[1]),)),
    "reduce_prod": lambda x: tf.reshape(x, (tf.reduce_prod(tf.shape(x)),)),
    "sum of a part": lambda x: tf.zeros((tf.add(tf.math.floordiv(tf.shape(x)[1], 2), 1), 1)) + x[0],
    "maximum": lambda x: tf.zeros((tf.maximum(tf.shape(x)[0], 1), 1)) + x,
    "stack": lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0], 1, -1])),
    "concat": lambda x: tf.zeros(tf.concat([tf.shape(x)[:1], tf.constant([4])], axis=0)),
    "unstack": lambda x: tf.reshape(x, [*tf.unstack(tf.shape(x)), 1]),
    "a tensor by one": lambda x: tf.cast(x, "int32") * tf.cast(tf.shape(x)[0], "int32"),
    "one by a tensor": lambda x: tf.cast(tf.shape(x)[0], "int32") * tf.cast(x, "int32"),
    "a row by several": lambda x: tf.stack([tf.shape(x)[0], 2]) * tf.cast(x[:, :2], "int32"),
    "lengths of CTC": lambda x: (
        tf.cast(tf.shape(x)[1], "int64") * tf.ones((tf.cast(tf.shape(x)[0], "int64"), 1), "int64")
    ),
    "mean": lambda x: tf.reduce_sum(x) / tf.cast(tf.reduce_prod(tf.shape(x)), tf.float32),
}


class Around(nacre.layers.Layer):
    """A layer of a function."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("place", ["layer", "graph", "function"])
def test_sizes_computed_by_functions_are_sizes(case: str, place: str) -> None:
    function = CASES[case]
    inputs = tf.keras.Input((None,))
    if place == "function":
        run = tf.function(function)
    else:
        run = tf.keras.Model(inputs, (Around(function) if place == "layer" else function)(inputs))
    for x in (X, X.T.copy()):  # sizes are those of each batch
        found, expected = np.asarray(run(tf.constant(x))), np.asarray(function(tf.constant(x)))
        assert found.shape == expected.shape and found.dtype.kind == expected.dtype.kind
        np.testing.assert_array_equal(found, expected)


def test_a_size_by_values_is_refused_when_the_sizes_are_known_too() -> None:
    inputs = tf.keras.Input((None,))
    layer = Around(lambda x: tf.zeros((tf.cast(tf.reduce_sum(x), "int32"), 1)))
    with pytest.raises(TracedValueError, match="sizes and axes must be known"):
        layer(inputs)


def test_layers_of_strings_make_a_function_run_as_plain_python() -> None:
    lookup = tf.keras.layers.StringLookup(vocabulary=["a", "b"], invert=True, mask_token=None)

    @tf.function
    def chosen(x: Any) -> Any:
        return lookup(tf.argmax(x, axis=-1))

    for warned in (pytest.warns(UserWarning, match="runs as plain Python"), nullcontext()):
        with warned:
            found = np.asarray(chosen(tf.constant(X))).tolist()
        assert found == [b"b", b"b"]
