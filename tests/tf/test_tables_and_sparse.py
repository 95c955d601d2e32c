"""`tf.lookup`, `tf.sparse`, `tf.sets` and `tf.io`: numbers of TensorFlow 2.15.1."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import ArgumentError, DTypeError, ShapeError


def _sparse() -> tuple[Any, Any]:
    a = tf.SparseTensor([[0, 1], [2, 0], [2, 3]], [1.0, 2.0, 3.0], [3, 4])
    return a, tf.SparseTensor([[0, 1], [1, 1]], [5.0, -2.0], [3, 4])


def _dense(x: Any) -> Any:
    x = tf.sparse.to_dense(x) if isinstance(x, tf.SparseTensor) else x
    return np.asarray(x).tolist()


A, B = [[0, 1, 0, 0], [0, 0, 0, 0], [2, 0, 0, 3]], [[0, 5, 0, 0], [0, -2, 0, 0], [0, 0, 0, 0]]
SPARSE: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "dense": (lambda a, b: a, lambda a, b: a),
    "from_dense": (lambda a, b: tf.sparse.from_dense(A), lambda a, b: a),
    "add": (lambda a, b: tf.sparse.add(a, b), lambda a, b: a + b),
    "add_dense": (lambda a, b: tf.sparse.add(a, tf.ones([3, 4])), lambda a, b: a + 1),
    "reshape": (lambda a, b: tf.sparse.reshape(a, [2, -1]), lambda a, b: a.reshape(2, -1)),
    "transpose": (lambda a, b: tf.sparse.transpose(a), lambda a, b: a.T),
    "slice": (lambda a, b: tf.sparse.slice(a, [1, 0], [5, 3]), lambda a, b: a[1:, :3]),
    "concat": (lambda a, b: tf.sparse.concat(1, [a, b]), lambda a, b: np.hstack([a, b])),
    "matmul": (lambda a, b: tf.sparse.sparse_dense_matmul(a, tf.ones([4, 2])),
               lambda a, b: a @ np.ones((4, 2))),
    "adjoint": (lambda a, b: tf.sparse.sparse_dense_matmul(a, tf.ones([3, 2]), adjoint_a=True),
                lambda a, b: a.T @ np.ones((3, 2))),
    "dense_first": (lambda a, b: tf.sparse.sparse_dense_matmul(tf.ones([2, 3]), a),
                    lambda a, b: np.ones((2, 3)) @ a),
    "sum": (lambda a, b: tf.sparse.reduce_sum(a, 1), lambda a, b: a.sum(1)),
    "sum_all": (lambda a, b: tf.sparse.reduce_sum(a), lambda a, b: a.sum()),
    "kept": (lambda a, b: tf.sparse.reduce_sum(a, 0, keepdims=True),
             lambda a, b: a.sum(0, keepdims=True)),
    "expand": (lambda a, b: tf.sparse.expand_dims(a, 1), lambda a, b: a[:, None]),
    "map": (lambda a, b: tf.sparse.map_values(tf.square, a), lambda a, b: a**2),
    "times": (lambda a, b: a * tf.reshape(tf.range(12.0), [3, 4]),
              lambda a, b: a * np.arange(12.0).reshape(3, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SPARSE))
def test_sparse_tensors_compute_as_dense_ones(name: str) -> None:
    ours, dense = SPARSE[name]
    assert _dense(ours(*_sparse())) == dense(np.array(A, "f4"), np.array(B, "f4")).tolist()


def test_sparse_tensors_that_are_wrong_are_told() -> None:
    with pytest.raises(ShapeError, match=r"\(3, 4\).*\(3, 0\)"):
        tf.SparseTensor([[3, 0]], [1.0], [3, 4])
    with pytest.raises(ShapeError, match="one value for each place"):
        tf.SparseTensor([[0, 0]], [1.0, 2.0], [3, 4])
    twice = tf.SparseTensor([[1, 0], [0, 0]], [1.0, 2.0], [2, 2])
    with pytest.raises(ArgumentError, match=r"tf\.sparse\.reorder"):
        tf.sparse.to_dense(twice)
    assert _dense(tf.sparse.reorder(twice)) == [[2, 0], [1, 0]]


def test_gradients_go_through_values() -> None:
    values = tf.Variable([1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        x = tf.SparseTensor([[0, 1], [2, 0], [2, 3]], values.value, [3, 4])
        y = tf.reduce_sum(tf.sparse.sparse_dense_matmul(x, tf.ones([4, 2])) ** 2)
    assert tape.gradient(y, values).numpy().tolist() == [4.0, 20.0, 20.0]


def test_sets_row_by_row() -> None:
    p, q = tf.constant([[1, 2, 2], [3, 4, 5]]), tf.constant([[2, 3], [5, 9]])
    assert _dense(tf.sets.intersection(p, q)) == [[2], [5]]
    assert _dense(tf.sets.union(p, q)) == [[1, 2, 3, 0], [3, 4, 5, 9]]
    assert _dense(tf.sets.difference(p, q)) == [[1, 0], [3, 4]]
    assert _dense(tf.sets.difference(p, q, aminusb=False)) == [[3], [9]]
    assert np.asarray(tf.sets.size(tf.sets.union(p, q))).tolist() == [3, 4]


def test_tables_look_up(tmp_path: Path) -> None:
    words = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([0, 1], tf.int64))
    table = tf.lookup.StaticHashTable(words, -1)
    found = table.lookup(tf.constant([["b", "z"]]))
    assert found.dtype == tf.int64 and np.asarray(found).tolist() == [[1, -1]]
    assert int(table.size()) == 2 and int(table[tf.constant("a")]) == 0
    vocabulary = tf.lookup.StaticVocabularyTable(words, 3)
    keys = tf.constant(["b", "zz", "q"])
    found = np.asarray(vocabulary.lookup(keys)).tolist()
    hashed = np.asarray(tf.strings.to_hash_bucket_fast(keys, 3)).tolist()
    assert found == [1, hashed[1] + 2, hashed[2] + 2]
    (tmp_path / "w.txt").write_text("x\t1.5\ny\t2.5\n")
    lines = tf.lookup.TextFileInitializer(str(tmp_path / "w.txt"), tf.string, 0, tf.float32, 1)
    numbers = tf.lookup.StaticHashTable(lines, 0.0).lookup(tf.constant(["y", "q"]))
    assert np.asarray(numbers).tolist() == [2.5, 0.0]
    batches = tf.data.Dataset.from_tensor_slices(["b", "q"]).map(table.lookup)
    assert [int(x) for x in batches] == [1, -1]
    with pytest.raises(DTypeError, match="keys must be string"):
        table.lookup(tf.constant([1]))
    again = tf.lookup.KeyValueTensorInitializer(["a", "a"], [1, 2])
    with pytest.raises(ArgumentError, match="one value"):
        tf.lookup.StaticHashTable(again, -1)


def test_tables_that_change() -> None:
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, [0.0, 0.0])
    table.insert(tf.constant([3, 4], tf.int64), [[1.0, 2.0], [3.0, 4.0]])
    table.remove(tf.constant([4], tf.int64))
    found = table.lookup(tf.constant([3, 4], tf.int64))
    assert np.asarray(found).tolist() == [[1.0, 2.0], [0.0, 0.0]] and int(table.size()) == 1
    dense = tf.lookup.experimental.DenseHashTable(tf.int64, tf.int64, -1, -5, -6)
    with pytest.raises(ArgumentError, match="empty_key"):
        dense.insert(tf.constant([-5], tf.int64), tf.constant([1], tf.int64))


def test_csv_tensors_as_bytes_and_packed_bytes() -> None:
    ints, floats, texts = tf.io.decode_csv(["1,2.5,a", '3,,"b,c"'], [[0], [9.0], ["x"]])
    assert np.asarray(ints).tolist() == [1, 3] and np.asarray(floats).tolist() == [2.5, 9.0]
    assert np.asarray(texts).tolist() == [b"a", b"b,c"]
    with pytest.raises(ArgumentError, match="must have 1 fields"):
        tf.io.decode_csv("1,2", [[0]])
    with pytest.raises(ArgumentError, match="must be a int32"):
        tf.io.decode_csv("q", [[0]])
    with pytest.raises(ArgumentError, match="default"):
        tf.io.decode_csv("1,", [[0], tf.constant([], tf.int32)])
    for value in (tf.constant([[1.5, 2.0]]), tf.constant(["a", "bc"])):
        packed = tf.io.serialize_tensor(value)
        again = tf.io.parse_tensor(packed, value.dtype)
        assert np.asarray(again).tolist() == np.asarray(value).tolist()
    with pytest.raises(ArgumentError, match="dtype int32"):
        tf.io.parse_tensor(packed, tf.int32)
    assert np.asarray(tf.io.decode_compressed([zlib.compress(b"hey")], "ZLIB")).tolist() == [b"hey"]


@pytest.mark.parametrize(
    ("read", "rule"),
    [
        (lambda: tf.io.decode_csv([str(2**40)], [np.int32(0)]), "must be a int32"),
        (lambda: tf.io.decode_csv(["1_000"], [[0]]), "must be a int32"),
        (lambda: tf.io.decode_csv(["1\n2"], [[0]]), "lines of CSV"),
        (lambda: tf.io.decode_csv(['"a"b'], [[""]]), "lines of CSV"),
        (lambda: tf.io.decode_csv(["1;;2"], [[0], [0]], field_delim=";;"), "one character"),
        (lambda: tf.io.decode_compressed(b"plain", "ZLIB"), "packed as ZLIB"),
        (lambda: tf.io.decode_compressed(b"plain", "GZIP"), "packed as GZIP"),
        (lambda: tf.io.decode_json_example("{"), "JSON of a tf.train.Example"),
        (lambda: tf.io.decode_json_example(_json(noList=[1])), "noList"),
        (lambda: tf.io.decode_json_example(_json(int64List=[1.5])), "1.5"),
        (lambda: tf.io.decode_json_example(_json(bytesList=["?"])), "Error"),
    ],
)
def test_what_cannot_be_read_is_told(read: Callable[[], Any], rule: str) -> None:
    with pytest.raises(ArgumentError, match=rule):
        read()


def _json(**lists: Any) -> str:
    feature = {name: {"value": values} for name, values in lists.items()}
    return json.dumps({"features": {"feature": {"a": feature}}})


def test_examples_of_json_keep_their_bytes() -> None:
    raw = bytes([251, 255, 190, 7])
    for text in (base64.b64encode(raw), base64.urlsafe_b64encode(raw).rstrip(b"=")):
        example = tf.io.decode_json_example(_json(bytesList=[text.decode()]))
        kinds = {"a": tf.io.FixedLenFeature([], tf.string)}
        assert np.asarray(tf.io.parse_single_example(example, kinds)["a"]).item() == raw


@pytest.mark.parametrize("line", ["b", "b 1.5", "b 5000000000"])
def test_a_table_tells_lines_it_cannot_read(line: str, tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text(f"a 1\n{line}\n")
    with pytest.raises(ArgumentError, match=r"words\.txt"):
        tf.lookup.TextFileInitializer(str(file), tf.string, 0, tf.int32, 1, delimiter=" ")


def test_a_model_takes_sparse_tensors_as_dense_ones() -> None:
    x = tf.SparseTensor([[0, 1], [2, 0], [2, 2]], [1.0, 2.0, 3.0], [3, 3])
    inputs = tf.keras.Input([3], sparse=True)
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(1, kernel_initializer="ones")(inputs))
    assert model(x).numpy().tolist() == [[1.0], [0.0], [5.0]]
    assert model.predict(x, verbose=0).tolist() == [[1.0], [0.0], [5.0]]
    model.compile("sgd", "mse")
    losses = model.fit(x, np.zeros([3, 1]), epochs=2, verbose=0).history["loss"]
    assert losses[0] == pytest.approx(26 / 3) and losses[1] < losses[0]
    rows = tf.data.Dataset.from_tensor_slices((x, np.zeros([3, 1], np.float32))).batch(2)
    (more,) = model.fit(rows, verbose=0).history["loss"]
    assert more < losses[1]
