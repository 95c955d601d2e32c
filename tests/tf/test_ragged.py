"""Ragged tensors in ops, layers and functions: rows that happen to be equally long stay rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import ArgumentError, ShapeError

EVEN = [[1.0, 2.0], [3.0, 4.0]]
UNEVEN = [[1.0, 2.0], [3.0]]
DEEP = [[[1.0], [2.0, 3.0]], [[4.0]]]


def listed(x: Any) -> Any:
    return x.to_list() if isinstance(x, tf.RaggedTensor) else x.numpy().tolist()


def ragged(rows: Any) -> Any:
    return tf.ragged.constant(rows)


# Numbers: TensorFlow 2.15.1.
OF_EACH = {
    "square": lambda x: tf.square(x),
    "cast": lambda x: tf.cast(x, tf.int32),
    "clip_by_value": lambda x: tf.clip_by_value(x, 1.5, 2.5),
    "where": lambda x: tf.where(x > 1.5, x, x * 0.0),
    "relu": lambda x: tf.nn.relu(x - 2.0),
    "identity": lambda x: tf.identity(x),
    "ones_like": lambda x: tf.ones_like(x),
    "one_hot": lambda x: tf.one_hot(tf.cast(x, tf.int32), 5),
    "reversed minus": lambda x: 1.0 - x,
    "negative": lambda x: -x,
    "as_string": lambda x: tf.strings.length(tf.strings.as_string(tf.cast(x, tf.int32))),
}


@pytest.mark.parametrize("op", OF_EACH.values(), ids=OF_EACH)
def test_an_op_of_each_number_keeps_rows_also_equally_long_ones(op: Any) -> None:
    for rows in (EVEN, UNEVEN):
        found = op(ragged(rows))
        assert isinstance(found, tf.RaggedTensor)
        assert listed(found) == [listed(op(tf.constant(row))) for row in rows]


REDUCED = [
    ("reduce_sum", UNEVEN, None, 6.0),
    ("reduce_sum", UNEVEN, 0, [4.0, 2.0]),
    ("reduce_sum", UNEVEN, -1, [3.0, 3.0]),
    ("reduce_sum", DEEP, 1, [[3.0, 3.0], [4.0]]),
    ("reduce_sum", DEEP, 2, [[1.0, 5.0], [4.0]]),
    ("reduce_sum", DEEP, [1, 2], [6.0, 4.0]),
    ("reduce_mean", EVEN, 1, [1.5, 3.5]),
    ("reduce_mean", UNEVEN, 0, [2.0, 2.0]),
    ("reduce_mean", DEEP, [1, 2], [2.0, 4.0]),
    ("reduce_max", UNEVEN, 1, [2.0, 3.0]),
    ("reduce_min", UNEVEN, 0, [1.0, 2.0]),
    ("reduce_prod", EVEN, 1, [2.0, 12.0]),
    ("reduce_variance", UNEVEN, 1, [0.25, 0.0]),
    ("reduce_std", UNEVEN, 1, [0.5, 0.0]),
]


@pytest.mark.parametrize(("name", "rows", "axis", "wanted"), REDUCED)
def test_reductions_along_rows(name: str, rows: Any, axis: Any, wanted: Any) -> None:
    found = getattr(tf.math, name)(ragged(rows), axis=axis)
    assert listed(found) == wanted


def test_empty_rows_are_reduced_to_what_tensorflow_gives_for_them() -> None:
    x = tf.ragged.constant([[1.0], []], dtype=tf.float32)
    assert listed(tf.reduce_sum(x, axis=1)) == [1.0, 0.0]
    assert np.isnan(tf.reduce_mean(x, axis=1).numpy()[1])
    assert listed(tf.reduce_max(x, axis=1))[1] == np.finfo("float32").min
    assert listed(tf.reduce_any(x > 0.0, axis=1)) == [True, False]
    assert listed(tf.reduce_all(x > 2.0, axis=1)) == [False, True]
    assert listed(tf.reduce_sum(x, axis=1, keepdims=True)) == [[1.0], [0.0]]


def test_rows_are_joined_picked_and_turned() -> None:
    x, y = ragged(UNEVEN), ragged(EVEN)
    assert listed(tf.concat([x, y], 0)) == UNEVEN + EVEN
    assert listed(tf.concat([x, y], -1)) == [[1.0, 2.0, 1.0, 2.0], [3.0, 3.0, 4.0]]
    assert listed(tf.concat([x, tf.constant([[9.0], [8.0]])], 1)) == [[1.0, 2.0, 9.0], [3.0, 8.0]]
    assert listed(tf.stack([y, y])) == [EVEN, EVEN]
    assert listed(tf.gather(x, [1, 0])) == [[3.0], [1.0, 2.0]]
    assert listed(tf.gather(tf.constant([9.0, 8.0, 7.0]), ragged([[0], [1, 2]]))) == [
        [9.0],
        [8.0, 7.0],
    ]
    assert listed(tf.expand_dims(x, 0)) == [UNEVEN]
    assert listed(tf.expand_dims(x, 1)) == [[[1.0, 2.0]], [[3.0]]]
    assert listed(tf.expand_dims(y, -1)) == [[[1.0], [2.0]], [[3.0], [4.0]]]
    assert listed(tf.tile(x, [1, 2])) == [[1.0, 2.0, 1.0, 2.0], [3.0, 3.0]]
    assert listed(tf.reverse(x, [1])) == [[2.0, 1.0], [3.0]]
    assert listed(tf.cumsum(y, axis=1)) == [[1.0, 3.0], [3.0, 7.0]]
    np.testing.assert_allclose(tf.reduce_sum(tf.nn.softmax(x), axis=1), [1.0, 1.0], rtol=1e-6)
    assert int(tf.size(x)) == 3 and int(tf.rank(x)) == 2
    words = ragged([["a"], ["b", "z"], []])
    assert listed(tf.strings.reduce_join(words, axis=-1, separator=" ")) == [b"a", b"b z", b""]
    assert listed(tf.strings.split(ragged([["a b"], []]))) == [[[b"a", b"b"]], []]


def test_map_fn_over_rows() -> None:
    spec = tf.RaggedTensorSpec([None], tf.float32)
    for rows in (EVEN, UNEVEN):
        x = ragged(rows)
        sums = tf.map_fn(tf.reduce_sum, x, fn_output_signature=tf.float32)
        assert listed(sums) == [sum(row) for row in rows]
        for told in (None, spec):
            twice = tf.map_fn(lambda row: row * 2.0, x, fn_output_signature=told)
            assert listed(twice) == [[2 * n for n in row] for row in rows]
    counts = tf.map_fn(tf.range, tf.constant([1, 3]), fn_output_signature=spec)
    assert listed(counts) == [[0], [0, 1, 2]]


@pytest.mark.parametrize("rows", [EVEN, UNEVEN])
def test_what_takes_no_ragged_tensor_refuses_equally_long_rows_too(rows: Any) -> None:
    x = ragged(rows)
    for call in (
        lambda: tf.matmul(x, x),
        lambda: tf.argmax(x, axis=1),
        lambda: tf.convert_to_tensor(x),
        lambda: tf.shape(x),
    ):
        with pytest.raises(ArgumentError, match=r"to_tensor|bounding_shape"):
            call()
    with pytest.raises(ShapeError, match="equally long"):
        tf.add(x, ragged([[1.0], [2.0]]))
    with pytest.raises(ShapeError, match="a tensor of shape"):
        _ = x + tf.constant([1.0, 2.0])


@pytest.mark.parametrize("rows", [[[0, 1], [1, 2]], [[0], [1, 2]]])
def test_a_tape_follows_values_through_rows(rows: Any) -> None:
    table = tf.Variable([[1.0], [2.0], [3.0]])
    with tf.GradientTape(persistent=True) as tape:
        looked_up = tf.nn.embedding_lookup(table, ragged(rows))
        loss = tf.reduce_sum(tf.square(tf.reduce_mean(looked_up, axis=1)))
        padded = tf.reduce_sum(looked_up.to_tensor() ** 2)
        first = tf.reduce_sum(looked_up[:, :1].flat_values)
    means = [np.mean(row) + 1 for row in rows]
    wanted = np.zeros((3, 1), "float32")
    squares = np.zeros((3, 1), "float32")
    for row, mean in zip(rows, means):
        for index in row:
            wanted[index] += 2 * mean / len(row)
            squares[index] += 2 * (index + 1)
    dense = lambda loss: tf.convert_to_tensor(tape.gradient(loss, table)).numpy()
    np.testing.assert_allclose(dense(loss), wanted, rtol=1e-6)
    np.testing.assert_allclose(dense(padded), squares, rtol=1e-6)
    np.testing.assert_allclose(dense(first), [[1.0], [1.0], [0.0]], rtol=1e-6)


def test_functions_take_rows_anew_at_each_call() -> None:
    @tf.function
    def sums(x: Any) -> Any:
        return tf.reduce_sum(x, axis=1), x * 2.0

    for rows in (EVEN, UNEVEN, EVEN):
        total, twice = sums(ragged(rows))
        assert listed(total) == [sum(row) for row in rows]
        assert listed(twice) == [[2 * n for n in row] for row in rows]


def test_functions_give_texts_and_numbers_of_python_as_tensors() -> None:
    @tf.function
    def told(x: Any) -> Any:
        return {"name": "a", "raw": b"b", "whole": 1, "half": 2.5, "is": True, "none": None, "x": x}

    for _ in range(2):
        found = told(tf.constant(3.0))
        assert found["name"].numpy() == b"a" and found["name"].dtype == tf.string
        assert found["raw"].numpy() == b"b" and found["none"] is None
        assert found["whole"].dtype == tf.int32 and found["half"].dtype == tf.float32
        assert found["is"].dtype == tf.bool and float(found["x"]) == 3.0


# --- layers ---------------------------------------------------------------------------------------

WORDS = {"even": [["a", "b"], ["b", "z"]], "uneven": [["a"], ["b", "z"], []]}
NUMBERS = {"even": [[10, 20], [20, 7]], "uneven": [[10], [20, 7], []]}
FOUND = {"even": [[1, 2], [2, 0]], "uneven": [[1], [2, 0], []]}
COUNTED = {"even": [[0, 1, 1], [1, 0, 1]], "uneven": [[0, 1, 0], [1, 0, 1], [0, 0, 0]]}


@pytest.mark.parametrize("kind", ["even", "uneven"])
def test_lookups_give_rows_for_rows(kind: str) -> None:
    layers = tf.keras.layers
    for rows, make, known in (
        (WORDS[kind], layers.StringLookup, ["a", "b"]),
        (NUMBERS[kind], layers.IntegerLookup, [10, 20]),
    ):
        lookup = make(vocabulary=known)
        for _ in range(2):
            found = lookup(ragged(rows))
            assert isinstance(found, tf.RaggedTensor) and listed(found) == FOUND[kind]
        for mode in ("count", "multi_hot"):
            assert listed(make(vocabulary=known, output_mode=mode)(ragged(rows))) == COUNTED[kind]
        with pytest.raises(ArgumentError, match="output_mode='one_hot'"):
            make(vocabulary=known, output_mode="one_hot")(ragged(rows))
    bins = layers.Hashing(8)(ragged(WORDS[kind]))
    assert isinstance(bins, tf.RaggedTensor)
    assert bins.row_lengths().numpy().tolist() == [len(row) for row in WORDS[kind]]


def test_lookups_give_texts_back_in_rows_and_take_rows_of_rows() -> None:
    back = tf.keras.layers.StringLookup(vocabulary=["a", "b"], invert=True)
    assert listed(back(ragged([[1], [2, 0]]))) == [[b"a"], [b"b", b"[UNK]"]]
    lookup = tf.keras.layers.StringLookup(vocabulary=["a", "b"])
    assert listed(lookup(ragged([[["a"], ["b", "z"]], []]))) == [[[1], [2, 0]], []]


@pytest.mark.parametrize("kind", ["even", "uneven"])
def test_lookups_of_a_data_set_of_rows(kind: str) -> None:
    lookup = tf.keras.layers.StringLookup()
    data = tf.data.Dataset.from_tensors(ragged(WORDS[kind]))
    lookup.adapt(data)
    assert lookup.get_vocabulary() == [
        "[UNK]",
        *(["b", "z", "a"] if kind == "even" else ["z", "b", "a"]),
    ]
    found = next(iter(data.map(lookup)))
    assert found.row_lengths().tolist() == [len(row) for row in WORDS[kind]]


@pytest.mark.parametrize("kind", ["even", "uneven"])
def test_texts_that_are_not_split_are_filled_up(kind: str) -> None:
    layer = tf.keras.layers.TextVectorization(vocabulary=["a", "b"], split=None, standardize=None)
    wanted = {"even": [[2, 3], [3, 1]], "uneven": [[2, 0], [3, 1], [0, 0]]}[kind]
    assert listed(layer(ragged(WORDS[kind]))) == wanted
    splits = tf.keras.layers.TextVectorization(vocabulary=["a", "b"])
    with pytest.raises(ShapeError, match="split=None"):
        splits(ragged(WORDS[kind]))


def test_a_ragged_tensor_prints_in_lines_as_tensorflow_does() -> None:
    words = [["a" * 30, "b" * 30], ["c" * 30, "d"]]
    told = str(tf.ragged.constant(words)).replace("a" * 30, "a").replace("b" * 30, "b")
    assert told == f"<tf.RaggedTensor [[b'a', b'b'],\n [b'{'c' * 30}', b'd']]>"
    assert str(ragged(UNEVEN)) == "<tf.RaggedTensor [[1.0, 2.0], [3.0]]>"
    assert repr(tf.ragged.constant([[], [1]])) == "<tf.RaggedTensor [[], [1]]>"


@pytest.mark.parametrize("axis", [None, 0, 1, [0, 1]])
def test_the_mean_of_whole_numbers_is_no_whole_number(axis: Any) -> None:
    mean = tf.reduce_mean(tf.ragged.constant([[1, 2], [4]]), axis=axis)
    assert mean.dtype == tf.float64
    want = {None: 7 / 3, 0: [2.5, 2], 1: [1.5, 4]}.get(axis if axis in (None, 0, 1) else None)
    assert mean.numpy() == pytest.approx(want)


def test_a_vector_meets_the_sizes_within_the_rows() -> None:
    rows = tf.ragged.constant([[[1], [2]], [[3]]], ragged_rank=1)
    assert (rows + tf.constant([10, 20])).to_list() == [[[11, 21], [12, 22]], [[13, 23]]]
    with pytest.raises(ShapeError, match="rows as long"):
        tf.ragged.constant([[1, 2], [3]]) + tf.constant([1, 2])


def test_rows_of_nested_partitions_and_of_sparse_tensors() -> None:
    cls = tf.RaggedTensor
    want = [[[1], []], [[2, 3]]]
    assert (
        cls.from_nested_row_splits([1, 2, 3], nested_row_splits=[[0, 2, 3], [0, 1, 1, 3]]).to_list()
        == want
    )
    assert (
        cls.from_nested_row_lengths([1, 2, 3], nested_row_lengths=[[2, 1], [1, 0, 2]]).to_list()
        == want
    )
    ids = [[0, 0, 1], [0, 2, 2]]
    assert cls.from_nested_value_rowids([1, 2, 3], nested_value_rowids=ids).to_list() == want
    sparse = tf.SparseTensor([[0, 0], [2, 0], [2, 1]], ["a", "b", "c"], [3, 4])
    assert cls.from_sparse(sparse).to_list() == [[b"a"], [], [b"b", b"c"]]
    with pytest.raises(ArgumentError, match="without gaps"):
        cls.from_sparse(tf.SparseTensor([[0, 1]], [1], [1, 2]))


def test_texts_give_rows_as_long_as_they_are() -> None:
    layer = tf.keras.layers.TextVectorization(ragged=True)
    layer.adapt(["a b c", "b c", "c"])
    rows = layer(["a b", "c c c a", ""])
    assert isinstance(rows, tf.RaggedTensor) and rows.dtype == tf.int64
    assert rows.to_list() == [[4, 3], [2, 2, 2, 4], []]
    assert layer(tf.constant([["a"], ["b zz"]])).to_list() == [[4], [3, 1]]
    assert layer("a c").numpy().tolist() == [4, 2]
    texts = tf.data.Dataset.from_tensor_slices(["a b", "c", "b b b"]).batch(2)
    assert [x.to_list() for x in texts.map(layer)] == [[[4, 3], [2]], [[3, 3, 3]]]
    (padded, _) = texts.map(lambda x: layer(x).to_tensor())
    assert padded.numpy().tolist() == [[4, 3], [2, 0]]
    again = tf.keras.layers.TextVectorization.from_config(layer.get_config())
    again.set_vocabulary(layer.get_vocabulary())
    assert again(["c a"]).to_list() == [[2, 4]]
