"""Functions of tensors on ragged ones give what TensorFlow 2.21 gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import ArgumentError, DTypeError, ShapeError

LOW = np.iinfo(np.int32).min


def _of() -> dict[str, Any]:
    r = tf.ragged.constant
    return {
        "tf": tf,
        "r": r([[1, 2], [], [3]]),
        "f": r([[1.0, 2.0], [], [3.0]]),
        "n": r([[[1], [2, 3]], [[4]]]),
        "s": r([["a"], ["b", "c"]]),
        "u": r([[[1, 2], [3, 4]], [[5, 6]]], ragged_rank=1),
    }


# What TensorFlow 2.21 printed for r, f, n, s and u above: lists of rows, or of a dense tensor.
_CASES: dict[str, Any] = {
    "tf.reduce_sum(r, 1)": [3, 0, 3],
    "tf.reduce_sum(r, -1)": [3, 0, 3],
    "tf.reduce_sum(r)": 6,
    "tf.reduce_sum(r, axis=1, keepdims=True)": [[3], [0], [3]],
    "tf.reduce_max(r, 1)": [2, LOW, 3],
    "tf.reduce_prod(r, 1)": [2, 1, 3],
    "tf.reduce_mean(r)": 2.0,
    "tf.reduce_mean(f, 0)": [2.0, 2.0],
    "tf.reduce_sum(f, 0)": [4.0, 2.0],
    "tf.reduce_sum(n, 1)": [[3, 3], [4]],
    "tf.reduce_sum(n, 2)": [[1, 5], [4]],
    "tf.reduce_sum(n, [1, 2])": [6, 4],
    "tf.reduce_sum(u, 1)": [[4, 6], [5, 6]],
    "tf.reduce_sum(u, 2)": [[3, 7], [11]],
    "tf.reduce_any(r > 1, 1)": [True, False, True],
    "tf.size(r)": 3,
    "tf.rank(n)": 3,
    "tf.concat([r, r], -1)": [[1, 2, 1, 2], [], [3, 3]],
    "tf.concat([r, [[9]]], 0)": [[1, 2], [], [3], [9]],
    "tf.concat([n, n], 2)": [[[1, 1], [2, 3, 2, 3]], [[4, 4]]],
    "tf.concat([u, u], 2)": [[[1, 2, 1, 2], [3, 4, 3, 4]], [[5, 6, 5, 6]]],
    "tf.stack([r, r], 0)": [[[1, 2], [], [3]], [[1, 2], [], [3]]],
    "tf.stack([r, r], 1)": [[[1, 2], [1, 2]], [[], []], [[3], [3]]],
    "tf.gather(r, [[0, 2]])": [[[1, 2], [3]]],
    "tf.gather(r, 0)": [1, 2],
    "tf.gather([10, 20, 30, 40], r)": [[20, 30], [], [40]],
    "tf.where(r > 1, r, 0)": [[0, 2], [], [3]],
    "tf.where(r > 1)": [[0, 1], [2, 0]],
    "tf.expand_dims(r, 0)": [[[1, 2], [], [3]]],
    "tf.expand_dims(r, 1)": [[[1, 2]], [[]], [[3]]],
    "tf.expand_dims(r, -1)": [[[1], [2]], [], [[3]]],
    "tf.reverse(r, [0])": [[3], [], [1, 2]],
    "tf.reverse(r, [1])": [[2, 1], [], [3]],
    "tf.nn.relu(-f)": [[0.0, 0.0], [], [0.0]],
    "tf.square(r)": [[1, 4], [], [9]],
    "tf.add(r, 1)": [[2, 3], [], [4]],
    "tf.add(f, [[1.0], [2.0], [3.0]])": [[2.0, 3.0], [], [6.0]],
    "tf.maximum(r, 2)": [[2, 2], [], [3]],
    "tf.equal(n, n)": [[[True], [True, True]], [[True]]],
    "tf.clip_by_value(r, 0, 2)": [[1, 2], [], [2]],
    "tf.cast(f > 1, tf.int32)": [[0, 1], [], [1]],
    "tf.ones_like(r)": [[1, 1], [], [1]],
    "tf.one_hot(r, 2)": [[[0.0, 1.0], [0.0, 0.0]], [], [[0.0, 0.0]]],
    "tf.nn.embedding_lookup(tf.constant([[0.0], [1.0], [2.0], [3.0]]), r)": [[[1.0], [2.0]], [], [[3.0]]],
    "tf.reshape(r, [-1])": [1, 2, 3],
    "tf.squeeze(tf.expand_dims(r, -1), -1)": [[1, 2], [], [3]],
    "tf.strings.upper(s)": [[b"A"], [b"B", b"C"]],
    "tf.strings.length(s)": [[1], [1, 1]],
    "tf.strings.join([s, s])": [[b"aa"], [b"bb", b"cc"]],
    "tf.strings.reduce_join(s, axis=-1, separator=' ')": [b"a", b"b c"],
    "tf.map_fn(lambda t: t + 1, r)": [[2, 3], [], [4]],
    "tf.map_fn(lambda t: tf.size(t), r, fn_output_signature=tf.int32)": [2, 0, 1],
    "n.row_lengths(axis=2)": [[1, 2], [1]],
    "u.values": [[1, 2], [3, 4], [5, 6]],
    "tf.RaggedTensor.from_row_starts([1, 2, 3], [0, 2])": [[1, 2], [3]],
    "tf.RaggedTensor.from_row_limits([1, 2, 3], [2, 3])": [[1, 2], [3]],
    "tf.RaggedTensor.from_uniform_row_length([1, 2, 3, 4], 2)": [[1, 2], [3, 4]],
    "tf.RaggedTensor.from_nested_row_splits([1, 2, 3], [[0, 1, 2], [0, 2, 3]])": [[[1, 2]], [[3]]],
    "tf.RaggedTensor.from_nested_row_lengths([1, 2, 3], [[2], [1, 2]])": [[[1], [2, 3]]],
    "r.to_sparse().indices": [[0, 0], [0, 1], [2, 0]],
    "n.to_sparse().indices": [[0, 0, 0], [0, 1, 0], [0, 1, 1], [1, 0, 0]],
    "n.nested_row_splits[1]": [0, 1, 3, 4],
    "n.nested_row_lengths()[0]": [2, 1],
    "tf.is_tensor(r)": True,
    "tf.nest.flatten([r, 1])[0]": [[1, 2], [], [3]],
    "tf.nest.map_structure(lambda x: x * 2, [r])[0]": [[2, 4], [], [6]],
}  # fmt: skip


@pytest.mark.parametrize("code", _CASES)
def test_functions_of_rows(code: str) -> None:
    found = eval(code, _of())
    listed = found.to_list() if isinstance(found, tf.RaggedTensor) else np.asarray(found).tolist()
    assert listed == _CASES[code]


def test_means_and_spreads_of_rows() -> None:
    of = _of()
    mean = tf.reduce_mean(of["r"], 1)
    np.testing.assert_array_equal(mean, [1.5, np.nan, 3.0])
    np.testing.assert_array_equal(tf.reduce_mean(of["f"], 1), [1.5, np.nan, 3.0])
    np.testing.assert_array_equal(tf.math.reduce_std(of["f"], 1), [0.5, np.nan, 0.0])
    np.testing.assert_allclose(
        tf.nn.softmax(of["f"]).to_list()[0], [0.26894143, 0.7310586], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("code", "error", "told"),
    [
        ("tf.sort(r)", ArgumentError, "to_tensor"),
        ("tf.matmul(f, f)", ArgumentError, "no ragged"),
        ("tf.gather(r, [5])", ArgumentError, "0 to 2"),
        ("tf.where(r > 1, r, r[:1])", ShapeError, "equally long"),
        ("tf.add(r, [1, 2, 3])", ShapeError, "a column"),
        ("tf.concat([r, r[:1]], 1)", ShapeError, "as many rows"),
        ("tf.concat([r, f], 0)", DTypeError, "one dtype"),
        ("tf.reduce_sum(r, 5)", ArgumentError, "from -2 to 1"),
        ("tf.RaggedTensor.from_uniform_row_length([1, 2, 3], 2)", ArgumentError, "whole rows"),
        ("tf.RaggedTensor.from_row_starts([1, 2, 3], [1, 2])", ArgumentError, "rise from 0"),
        ("tf.ragged.constant([[1, 2]], ragged_rank=2)", ArgumentError, "ragged_rank=2"),
    ],
)
def test_what_has_no_form_for_rows_says_so(code: str, error: Any, told: str) -> None:
    with pytest.raises(error, match=told):
        eval(code, _of())


def test_rows_are_printed(capfd: pytest.CaptureFixture[str]) -> None:
    of = _of()
    tf.print("rows", of["r"], of["s"], of["f"], of["n"])
    expected = "rows [[1, 2], [], [3]] [['a'], ['b', 'c']] [[1.000000, 2.000000], [], [3.000000]] "
    assert capfd.readouterr().err == expected + "[[[1], [2, 3]], [[4]]]\n"


def test_rows_of_pipelines_are_mapped() -> None:
    data = tf.data.Dataset.from_tensor_slices(_of()["n"])
    sums = [tf.reduce_sum(row, 1).numpy().tolist() for row in data]
    assert sums == [[1, 5], [4]]


# As TensorFlow 2.15.1 reads them: without a mark the highest byte is first.
@pytest.mark.parametrize(
    ("encoding", "data", "points"),
    [
        ("UTF8", b"caf\xc3\xa9", [99, 97, 102, 233]),
        ("latin1", b"caf\xe9", [99, 97, 102, 233]),
        ("windows-1252", b"\x80", [0x20AC]),
        ("UTF-16", b"\x00a\x00b", [97, 98]),
        ("UTF-16", b"\xff\xfea\x00b\x00", [97, 98]),
        ("UTF16BE", b"\x00a", [97]),
        ("UTF-16LE", b"a\x00", [97]),
    ],
)
def test_texts_are_read_by_any_name_of_an_encoding(
    encoding: str, data: bytes, points: list[int]
) -> None:
    assert tf.strings.unicode_decode(tf.constant(data), encoding).numpy().tolist() == points


def test_other_encodings_are_refused() -> None:
    with pytest.raises(ArgumentError, match="the encoding b'nope'"):
        tf.strings.unicode_decode(tf.constant([b"a"]), "nope")
    with pytest.raises(ArgumentError, match="UTF-8, UTF-16-BE or UTF-32-BE"):
        tf.strings.unicode_encode([97], "UTF-16")
