"""Concrete functions tell what they take and give, and go where scripts take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import ArgumentError, DTypeError


def _function() -> Any:
    @tf.function
    def scale(x, y=2.0, training=False):
        return {"out": x * 2.0 + y, "total": tf.reduce_sum(x)}

    return scale


def test_open_sizes_and_defaults_are_told() -> None:
    found = _function().get_concrete_function(tf.TensorSpec([None, 3], tf.float32))
    (x, y, training), named = found.structured_input_signature
    assert (tuple(x.shape), x.dtype, x.name) == ((None, 3), tf.float32, "x")
    assert (y, training, named) == (2.0, False, {})
    assert found.output_shapes == {"out": [None, 3], "total": []}
    assert found.output_dtypes == {"out": tf.float32, "total": tf.float32}
    assert [tuple(spec.shape) for spec in found.outputs] == [(None, 3), ()]
    assert tuple(found.structured_outputs["out"].shape) == (None, 3)
    assert [spec.name for spec in found.inputs] == ["x"]
    assert found.name.startswith(b"__inference_")


@pytest.mark.parametrize("rows", [4, 2])
def test_they_are_called_by_place_and_by_name(rows: int) -> None:
    found = _function().get_concrete_function(tf.TensorSpec([None, 3], tf.float32, name="picture"))
    x = tf.ones([rows, 3])
    for result in (found(x), found(x=x), found(picture=x), found([[1.0, 1.0, 1.0]] * rows)):
        assert result["total"].numpy() == 3 * rows
        np.testing.assert_array_equal(result["out"], np.full((rows, 3), 4.0))


def test_other_dtypes_and_missing_tensors_are_refused() -> None:
    spec = tf.TensorSpec([], tf.float32)
    found = _function().get_concrete_function(tf.TensorSpec([2], tf.float32), spec)
    for given in (tf.constant([1, 2]), np.array([1, 2]), tf.constant([True, False])):
        with pytest.raises(DTypeError, match="x must be of dtype float32"):
            found(given, 1.0)
    with pytest.raises(ArgumentError, match="none for y"):
        found(tf.ones([2]))
    np.testing.assert_array_equal(found(tf.ones([2]), tf.constant(5.0))["out"], [7.0, 7.0])


def test_looking_at_one_changes_no_variable() -> None:
    count = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def step(x):
        count.assign_add(1.0)
        return tf.concat([x, x], 0), count

    found = step.get_concrete_function()
    assert [tuple(spec.shape) for spec in found.outputs] == [(None,), ()]
    assert count.numpy() == 0.0
    assert found(tf.ones([3]))[0].shape == [6]
    assert count.numpy() == 1.0


def test_they_are_signatures_of_folders_and_become_files_of_litert(tmp_path: Path) -> None:
    class Line(tf.Module):
        def __init__(self):
            super().__init__()
            self.slope = tf.Variable([[2.0], [1.0]])

        @tf.function
        def __call__(self, x):
            return tf.matmul(x, self.slope)

    line = Line()
    found = line.__call__.get_concrete_function(tf.TensorSpec([None, 2], tf.float32, name="x"))
    tf.saved_model.save(line, tmp_path / "line", signatures={"serving_default": found})
    served = tf.saved_model.load(tmp_path / "line").signatures["serving_default"]
    (result,) = served(x=tf.constant([[1.0, 3.0]])).values()
    np.testing.assert_array_equal(result, [[5.0]])
    fixed = line.__call__.get_concrete_function(tf.TensorSpec([1, 2], tf.float32))
    content = tf.lite.TFLiteConverter.from_concrete_functions([fixed], line).convert()
    assert content[4:8] == b"TFL3"


def test_the_same_is_asked_for_twice() -> None:
    spec = lambda kind="float32", **named: tf.TensorSpec([None], kind, **named)
    function = _function()
    asked = function.get_concrete_function
    first = asked(spec())
    assert asked(spec()) is first and asked(spec(), training=False) is not first
    others = [
        asked(spec("int32")), asked(spec(), 1), asked(spec(), 1.0), asked(spec(), True),
        asked(spec(name="other")), asked(tf.TensorSpec([2], "float32")), asked(tf.TensorSpec([], "float32")),
    ]  # fmt: skip
    assert len({id(one) for one in (first, *others)}) == len(others) + 1
    assert _function().get_concrete_function(spec()) is not first
    x = tf.constant([1.0, 2.0])
    assert first(x)["out"].numpy().tolist() == [4.0, 6.0]
    assert asked(spec(), 1.0)(x)["out"].numpy().tolist() == [3.0, 5.0]


def test_a_variable_that_changes_holds_in_the_same_function() -> None:
    scale = tf.Variable(2.0)
    function = tf.function(lambda x: x * scale)
    first = function.get_concrete_function(tf.TensorSpec([], "float32"))
    assert float(first(tf.constant(3.0))) == 6.0
    scale.assign(5.0)
    again = function.get_concrete_function(tf.TensorSpec([], "float32"))
    assert again is first and float(again(tf.constant(3.0))) == 15.0


def test_a_signature_is_printed() -> None:
    @tf.function
    def power(base, exponent=2, *, name=None):
        return base**exponent

    found = power.get_concrete_function(tf.TensorSpec([None], "float32"), exponent=3)
    text = found.pretty_printed_signature()
    for line in (
        "  base (POSITIONAL_OR_KEYWORD): TensorSpec(shape=(None,), dtype=tf.float32, name='base')",
        "  exponent (POSITIONAL_OR_KEYWORD): Literal[3]",
        "  name (KEYWORD_ONLY): None",
        "Output Type:\n  TensorSpec(shape=(None,), dtype=tf.float32, name=None)",
    ):
        assert line in text
    assert str(found) == f"ConcreteFunction {text}"
    assert found.pretty_printed_signature(verbose=False) == "power(base, exponent, name)"


def test_what_is_computed_of_constants_is_a_size_in_a_compiled_function() -> None:
    edges = tf.constant([[0, 1], [1, 2], [0, 3]])
    traces = []

    @tf.function
    def summed(x):
        traces.append(x)
        count = tf.reduce_max(edges[:, 0]) + 1
        return tf.math.unsorted_segment_sum(x, edges[:, 0], num_segments=count)

    for _ in range(3):
        assert summed(tf.constant([1.0, 2.0, 4.0])).numpy().tolist() == [5.0, 2.0]
    assert len(traces) == 1
