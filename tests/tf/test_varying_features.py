"""What `tf.io.parse_*` give for a VarLenFeature, read as the sparse tensors of TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nacre import tf

FEATURES = {"v": [3, 4], "w": [0.5], "s": [b"a", b"b", b"c"]}


def kinds() -> dict[str, Any]:
    names = (("v", tf.int64), ("w", tf.float32), ("s", tf.string), ("none", tf.int64))
    return {name: tf.io.VarLenFeature(dtype) for name, dtype in names}


def serialized(features: Any) -> bytes:
    return tf.train.Example(features).SerializeToString()


def parts(found: Any) -> dict[str, Any]:
    return {
        name: tuple(np.asarray(x).tolist() for x in (f.values, f.indices, f.dense_shape))
        for name, f in found.items()
    }


@pytest.mark.parametrize("where", ["function", "dataset", "next map", "tf.function"])
def test_a_feature_of_any_length_has_values_and_places(where: str) -> None:
    wanted = {
        "v": ([3, 4], [[0], [1]], [2]), "w": ([0.5], [[0]], [1]),
        "s": ([b"a", b"b", b"c"], [[0], [1], [2]], [3]), "none": ([], [], [0]),
    }  # fmt: skip
    record = serialized(FEATURES)

    def parsed(x: Any) -> Any:
        return tf.io.parse_single_example(x, kinds())

    if where == "function":
        assert parts(parsed(record)) == wanted
    elif where == "dataset":
        (found,) = tf.data.Dataset.from_tensors(record).map(parsed)
        assert parts(found) == wanted
    elif where == "next map":
        both = (
            tf.data.Dataset.from_tensors(record)
            .map(parsed)
            .map(lambda x: (x["v"].values, x["v"].dense_shape))
        )
        ((values, shape),) = both.as_numpy_iterator()
        assert (values.tolist(), shape.tolist()) == ([3, 4], [2])
    else:
        total = tf.function(lambda x: tf.reduce_sum(parsed(x)["w"].values) * 2.0)
        assert float(total(record)) == 1.0


def test_those_of_several_examples_are_rows() -> None:
    records = [serialized(FEATURES), serialized({"v": [7]})]
    found = parts(tf.io.parse_example(records, kinds()))
    assert found["v"] == ([3, 4, 7], [[0, 0], [0, 1], [1, 0]], [2, 2])
    assert found["none"] == ([], [], [2, 0])


def test_a_dense_tensor_of_other_rank_has_none_of_these() -> None:
    assert not any(hasattr(tf.zeros((2, 2)), name) for name in ("values", "indices", "dense_shape"))
