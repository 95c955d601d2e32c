"""What scripts of tf.keras 2 ask layers, symbolic tensors, shapes and rows for."""

from __future__ import annotations

from typing import Any

import pytest

import nacre.tf as tf


def test_the_calls_of_a_layer_are_told_by_number() -> None:
    layer = tf.keras.layers.Dense(2)
    first, second = tf.keras.Input((3,)), tf.keras.Input((5, 3))
    given = [layer(first), layer(second)]
    assert layer.get_input_at(0) is first and layer.get_output_at(1) is given[1]
    assert layer.get_input_shape_at(1) == (None, 5, 3)
    assert layer.get_output_shape_at(0) == (None, 2) and len(layer.inbound_nodes) == 2
    added = tf.keras.layers.Add()
    added([given[0], given[0]])
    assert len(added.get_input_at(0)) == 2
    assert layer.dynamic is False
    with pytest.raises(ValueError, match="called 2 times"):
        layer.get_output_at(2)


def test_symbolic_tensors_and_variables_check_what_is_said_of_their_shape() -> None:
    x = tf.keras.Input((3,))
    for value in (x, tf.Variable(tf.zeros([2, 3]))):
        value.set_shape([None, 3])
        with pytest.raises(ValueError, match="must fit"):
            value.set_shape([None, 4])
    assert x.type_spec.shape == (None, 3) and x.type_spec.dtype == tf.float32
    y = tf.constant([1.0])
    assert y.cpu() is y and y.experimental_ref() == y.ref()


def test_shapes_check_how_many_axes_there_are() -> None:
    shape = tf.TensorShape([2, None])
    assert shape.with_rank_at_least(1) == shape and shape.with_rank_at_most(2) == shape
    checks: list[Any] = [
        lambda: shape.with_rank_at_least(3),
        lambda: shape.with_rank_at_most(1),
        lambda: shape.assert_same_rank([1]),
        shape.assert_is_fully_defined,
    ]
    for check in checks:
        with pytest.raises(ValueError, match="tf.TensorShape"):
            check()
    assert shape.most_specific_compatible_shape([3, None]) == (None, None)
    tf.TensorShape([1]).assert_is_fully_defined()


def test_rows_tell_of_themselves_at_every_depth() -> None:
    rows = tf.ragged.constant([[[1], [2, 3]], [[4]]])
    ids = [part.numpy().tolist() for part in rows.nested_value_rowids()]
    assert ids == [[0, 0, 1], [0, 1, 1, 2]] and rows.uniform_row_length is None
    narrow = rows.with_row_splits_dtype(tf.int32)
    assert narrow.row_splits.dtype == tf.int32 and narrow.to_list() == rows.to_list()
    assert narrow.values.row_splits.dtype == tf.int32


def test_dimensions_are_sizes_that_may_be_unknown() -> None:
    dims = tf.TensorShape([None, 3]).dims
    assert [dim.value for dim in dims] == [None, 3]
    open_, three = dims
    assert three == 3 and 3 == three and three != 4 and three < 4 and hash(three) == hash(3)
    assert (open_ == 3) is None and (three < open_) is None
    assert (three * 2 + 1).value == 7 and (7 // three).value == 2 and (three * open_).value is None
    assert [0] * three == [0, 0, 0] and int(three) == 3 and f"{three} {open_}" == "3 ?"
    assert open_.is_compatible_with(5) and not three.is_compatible_with(5)
    assert open_.merge_with(three).value == 3
    assert tf.compat.dimension_value(three) == tf.compat.dimension_value(3) == 3
    assert tf.compat.dimension_at_index(tf.TensorShape([None, 3]), 1) == 3
    with pytest.raises(TypeError, match="not known"):
        int(open_)
    with pytest.raises(ValueError, match="must fit"):
        three.assert_is_compatible_with(4)
    assert {tf.TensorShape([2]): 1}[tf.zeros([2]).shape] == 1
