"""Names of `keras.utils` that tf.keras 2 has and Keras 3 does not, and its older forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, DataError, SerializationError, ShapeError
from nacre.utils import legacy, to_categorical, to_ordinal, warmstart_embedding_matrix


def test_to_categorical_takes_the_dtype_of_tf_keras() -> None:
    assert to_categorical([0, 2], 3, "int8").dtype == np.int8
    assert to_categorical([0, 2], dtype="bool").tolist() == [
        [True, False, False],
        [False, False, True],
    ]


def test_to_ordinal_says_which_classes_are_reached() -> None:
    assert to_ordinal([[3], [0]], num_classes=4).tolist() == [[1, 1, 1], [0, 0, 0]]
    with pytest.raises(DataError, match="to_ordinal: indices must be from 0 to 1"):
        to_ordinal([2], num_classes=2)


def test_words_of_both_vocabularies_keep_their_rows(tmp_path: Path) -> None:
    old = np.arange(6.0).reshape(3, 2)
    found = warmstart_embedding_matrix(["a", "b", "c"], np.array(["c", "x", "a"]), old)
    assert found[[0, 2]].tolist() == [[4, 5], [0, 1]]
    assert (np.abs(found[1]) <= 0.05).all() and found.dtype == np.float32
    file = tmp_path / "words.txt"
    file.write_text("c\nx\n")
    rows = np.ones((2, 2))
    assert warmstart_embedding_matrix(["a", "b", "c"], file, old, rows).tolist() == [[4, 5], [1, 1]]
    assert (rows == 1).all()


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"base_embeddings": np.ones((2, 2))}, ShapeError, r"\(3, dim\)"),
        ({"new_vocabulary": ["x", "x"]}, ArgumentError, "'x' twice"),
        ({"base_vocabulary": []}, ArgumentError, "none"),
        ({"new_embeddings_initializer": np.ones((5, 2))}, ShapeError, r"shape \(1, 2\)"),
    ],
)
def test_vocabularies_that_do_not_fit_are_told(
    change: dict[str, Any], error: Any, text: str
) -> None:
    given = {
        "base_vocabulary": ["a", "b", "c"],
        "new_vocabulary": ["a"],
        "base_embeddings": np.ones((3, 2)),
        **change,
    }
    with pytest.raises(error, match=text):
        warmstart_embedding_matrix(**given)


def test_scopes_of_custom_objects_take_several_dicts() -> None:
    with nacre.utils.custom_object_scope({"a": abs}, {"b": max}):
        assert nacre.utils.get_registered_object("b") is max
    assert nacre.utils.get_registered_object("a") is None


def test_old_forms_go_there_and_back() -> None:
    layer = nacre.layers.Dense(3, activation="relu", name="d")
    again = legacy.deserialize_keras_object(legacy.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    assert legacy.serialize_keras_object(nacre.activations.relu) == "relu"
    assert legacy.serialize_keras_object(None) is None


def test_old_forms_name_what_they_are_given() -> None:
    class Own:
        def __init__(self, size: int = 1) -> None:
            self.size = size

        def get_config(self) -> dict[str, Any]:
            return {"size": self.size}

        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Own:
            return cls(**config)

    form = {"class_name": "Own", "config": {"size": 4}}
    assert legacy.deserialize_keras_object(form, {"Own": Own}).size == 4
    assert legacy.deserialize_keras_object("Own", custom_objects={"Own": Own}).size == 1
    assert legacy.deserialize_keras_object(Own) is Own
    with pytest.raises(SerializationError, match=r"\(layer\): the name must be known.*'Owm'"):
        legacy.deserialize_keras_object("Owm", {"Own": Own}, printable_module_name="layer")
    with pytest.raises(SerializationError, match="'class_name' and 'config'"):
        legacy.deserialize_keras_object({"class_name": "Own"})
    with pytest.raises(SerializationError, match="get_config"):
        legacy.serialize_keras_object(3)
