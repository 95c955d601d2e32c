"""Sparse tensors in data sets, in files of examples, in compiled functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre.tf as tf

DENSE = np.array([[1, 0, 2], [0, 0, 0], [0, 3, 0]], np.int32)


def sparse(array: Any = DENSE) -> Any:
    return tf.sparse.from_dense(np.asarray(array))


def dense(x: Any) -> Any:
    assert isinstance(x, tf.SparseTensor)
    return tf.sparse.to_dense(x).numpy().tolist()


def slices(tensors: Any) -> Any:
    return tf.data.Dataset.from_tensor_slices(tensors)


def test_rows_of_a_sparse_tensor_are_sparse_elements() -> None:
    rows = slices(sparse())
    assert rows.element_spec == tf.SparseTensorSpec([3], tf.int32) and len(rows) == 3
    assert [dense(row) for row in rows] == DENSE.tolist()
    assert [dense(row) for row in rows.batch(2)] == [DENSE[:2].tolist(), DENSE[2:].tolist()]
    assert repr(rows.batch(3).element_spec) == "SparseTensorSpec(TensorShape([None, 3]), tf.int32)"
    out_of_order = tf.SparseTensor([[2, 1], [0, 0], [2, 0]], [3, 1, 2], [3, 2])
    assert [row.values.numpy().tolist() for row in slices(out_of_order)] == [[1], [], [3, 2]]


@pytest.mark.parametrize(
    "through",
    [
        lambda ds: ds.batch(3).unbatch(),
        lambda ds: ds.batch(2).rebatch(1).unbatch(),
        lambda ds: ds.cache(),
        lambda ds: ds.prefetch(1),
        lambda ds: ds.map(lambda x, y: (x, y), num_parallel_calls=2),
        lambda ds: ds.window(2).flat_map(lambda x, y: tf.data.Dataset.zip((x, y))),
        lambda ds: ds.shuffle(3, seed=1).batch(3).unbatch(),
    ],
    ids=["unbatch", "rebatch", "cache", "prefetch", "threads", "window", "shuffle"],
)
def test_they_go_through_data_sets_beside_dense_ones(through: Any) -> None:
    found = {int(y): dense(x["s"]) for x, y in through(slices(({"s": sparse()}, [0, 1, 2])))}
    assert found == {number: row.tolist() for number, row in enumerate(DENSE)}


def test_functions_of_map_get_and_give_them() -> None:
    rows = slices(sparse()).map(lambda x: (x * 2, tf.sparse.reduce_sum(x), tf.cast(x, tf.float32)))
    twice, sums, floats = next(iter(rows.batch(3)))
    assert dense(twice) == (DENSE * 2).tolist() and sums.numpy().tolist() == [3, 0, 3]
    assert floats.dtype == tf.float32 and dense(floats) == DENSE.tolist()
    assert int(slices(sparse()).reduce(0, lambda n, x: n + tf.sparse.reduce_sum(x))) == 6
    made = slices([2, 0]).map(lambda n: tf.SparseTensor([[0]], [n], [4]))
    assert [dense(x) for x in made] == [[2, 0, 0, 0], [0, 0, 0, 0]]


def test_a_saved_place_among_them_is_found_again() -> None:
    rows = slices(sparse()).batch(2).unbatch()
    place: Any = iter(rows)
    next(place)
    state = place.state()
    rest = [dense(x) for x in place]
    other: Any = iter(rows)
    other.restore(state)
    assert [dense(x) for x in other] == rest == DENSE[1:].tolist()


def test_batches_of_sizes_that_differ_are_as_wide_as_the_widest() -> None:
    kind = {"v": tf.io.VarLenFeature(tf.int64)}
    records = [tf.train.Example({"v": v}).SerializeToString() for v in ([4, 5], [6], [])]
    rows = slices(records).map(lambda x: tf.io.parse_single_example(x, kind)["v"])
    assert rows.element_spec == tf.SparseTensorSpec([None], tf.int64)
    (batch,) = rows.batch(3)
    assert dense(batch) == [[4, 5], [6, 0], [0, 0]]
    (parsed,) = slices(records).batch(3).map(lambda x: tf.io.parse_example(x, kind)["v"])
    assert dense(parsed) == dense(batch)
    with pytest.raises(ValueError, match="elements must be dense"):
        list(rows.padded_batch(2))
    (padded,) = rows.map(tf.sparse.to_dense).padded_batch(3, padding_values=-1)
    assert padded.numpy().tolist() == [[4, 5], [6, -1], [-1, -1]]


def test_generators_give_what_their_signature_says() -> None:
    def rows() -> Any:
        yield sparse()

    spec = tf.SparseTensorSpec([None, 3], tf.int32)
    made = tf.data.Dataset.from_generator(rows, output_signature=spec)
    assert made.element_spec is spec and [dense(x) for x in made] == [DENSE.tolist()]
    for wrong in (tf.SparseTensorSpec([2, 3], tf.int32), tf.SparseTensorSpec([3, 3], tf.int64)):
        assert not wrong.is_compatible_with(sparse())
        with pytest.raises(ValueError, match="must be"):
            list(tf.data.Dataset.from_generator(rows, output_signature=wrong))


def test_places_and_values_of_an_example_are_one_sparse_tensor() -> None:
    wanted = {
        "s": tf.io.SparseFeature(["row", "column"], "x", tf.int64, [9, 8]),
        "row": tf.io.VarLenFeature(tf.int64),
    }
    full = tf.train.Example({"row": [3, 1], "column": [4, 5], "x": [7, 8]}).SerializeToString()
    one = tf.io.parse_single_example(full, wanted)
    assert one["s"].indices.numpy().tolist() == [[1, 5], [3, 4]] and one["s"].shape == (9, 8)
    assert one["s"].values.numpy().tolist() == [8, 7] and one["row"].values.shape == (2,)
    both = tf.io.parse_example([b"", full], wanted)["s"]
    assert both.indices.numpy().tolist() == [[1, 1, 5], [1, 3, 4]] and both.shape == (2, 9, 8)
    for wrong, said in (({"row": [1], "x": [7]}, "a place for each"), ({"row": [9], "column": [0], "x": [1]}, "within")):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            tf.io.parse_single_example(tf.train.Example(wrong).SerializeToString(), wanted)


def test_a_ragged_feature_gives_rows_of_several_examples() -> None:
    records = [tf.train.Example({"v": v}).SerializeToString() for v in ([4, 5], [], [6])]
    wanted = {"w": tf.io.RaggedFeature(tf.int64, value_key="v"), "v": tf.io.RaggedFeature(tf.int64)}
    found = tf.io.parse_example(records, wanted)
    assert found["w"].to_list() == found["v"].to_list() == [[4, 5], [], [6]]
    assert found["w"].row_splits.dtype == tf.int32
    assert tf.io.parse_single_example(records[0], wanted)["w"].numpy().tolist() == [4, 5]
    parted = {"v": tf.io.RaggedFeature(tf.int64, partitions=[1])}
    with pytest.raises(ValueError, match="partitions must be left out"):
        tf.io.parse_example(records, parted)


def test_they_are_bytes_and_tensors_again() -> None:
    for array in (DENSE, np.array([["a", ""], ["", "b"]], object)):
        x = sparse(array)
        dtype = x.dtype
        whole, rows = tf.io.serialize_sparse(x), tf.io.serialize_many_sparse(x)
        assert whole.shape == (3,) and rows.shape == (len(array), 3)
        again = tf.io.deserialize_many_sparse(rows, dtype)
        assert dense(again) == dense(x) and again.dtype == dtype
        assert dense(tf.io.deserialize_many_sparse([whole], dtype, rank=2)) == [dense(x)]
    with pytest.raises(ValueError, match="dtype"):
        tf.io.deserialize_many_sparse(tf.io.serialize_many_sparse(sparse()), tf.float32)


def test_a_compiled_function_sees_the_values_of_each_call() -> None:
    @tf.function(input_signature=[tf.SparseTensorSpec([None, 3], tf.int32)])
    def total(x: Any) -> Any:
        return tf.sparse.reduce_sum(x)

    assert [int(total(sparse(DENSE * n))) for n in (1, 2)] == [6, 12]
    with pytest.raises(TypeError, match="input_signature says"):
        total(sparse([[1, 2]]))
    with pytest.raises(TypeError, match="input_signature says"):
        total(DENSE)
    free = tf.function(lambda parts: tf.sparse.to_dense(parts["x"]) + 1)
    assert [int(tf.reduce_sum(free({"x": sparse(DENSE * n)}))) for n in (1, 2)] == [15, 21]


def test_sizes_and_functions_number_by_number_take_them(capsys: Any) -> None:
    x = sparse(-DENSE)
    assert dense(tf.abs(x)) == DENSE.tolist() and dense(tf.negative(x)) == DENSE.tolist()
    assert tf.shape(x).numpy().tolist() == [3, 3] and tf.size(x) == 9
    tf.print(x)
    assert capsys.readouterr().err.startswith("'SparseTensor(indices=[[0 0]\n [0 2]\n [2 1]], ")


def test_lookups_of_sparse_strings_are_sparse() -> None:
    words = tf.SparseTensor([[0, 0], [1, 1]], ["b", "z"], [2, 2])
    look = tf.keras.layers.StringLookup(vocabulary=["a", "b"])
    assert dense(look(words)) == [[2, 0], [0, 0]] and look(words).values.numpy().tolist() == [2, 0]
    with pytest.raises(TypeError, match="dense strings"):
        tf.keras.layers.TextVectorization(vocabulary=["a"])(words)
