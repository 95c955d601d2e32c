"""Tables of `tf.lookup` and `tf.shape` on a model's inputs of strings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
import nacre.tf as tf
from nacre.core.errors import DTypeError

WORDS = np.array(["a", "b", "z"], object)


def _text() -> Any:
    return tf.keras.Input((), dtype=tf.string)


def _table(values: Any, default: Any) -> Any:
    initializer = tf.lookup.KeyValueTensorInitializer(["a", "b"], values)
    return tf.lookup.StaticHashTable(initializer, default)


def _layer() -> Any:
    class OneHotOfTable(tf.keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.table = _table([3, 7], -1)
            self.project = tf.keras.layers.Dense(2, kernel_initializer="ones")

        def call(self, words: Any) -> Any:
            is_first = tf.cast(self.table.lookup(words) == 3, tf.float32)
            rows = tf.zeros((tf.shape(words)[0], 2))
            return rows + self.project(tf.expand_dims(is_first, 1))

    return OneHotOfTable()


def test_a_layer_of_a_script_looks_words_up_and_learns() -> None:
    x = _text()
    model = tf.keras.Model(x, _layer()(x))
    assert model.predict(WORDS, verbose=0).tolist() == [[1, 1], [0, 0], [0, 0]]
    model.compile("sgd", "mse")
    words = np.array(["a", "b", "z", "a", "q"], object)
    model.fit(words, np.ones((5, 2)), batch_size=2, epochs=2, verbose=0, shuffle=False)
    found = model.predict(WORDS, verbose=0)
    wanted = [[1.0389, 1.0389], [0.0391, 0.0391], [0.0391, 0.0391]]  # TensorFlow 2.15.1
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert model.predict(WORDS[:1], verbose=0).shape == (1, 2)  # another batch size


def test_a_saved_model_keeps_its_tables(tmp_path: Path) -> None:
    x = _text()
    numbers = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([0, 1], tf.int64))
    buckets = tf.lookup.StaticVocabularyTable(numbers, 3)
    length = tf.strings.length(_table(["x", "yy"], "none").lookup(x))
    outputs = [_table([0.5, 1.5], -1.0).lookup(x), buckets.lookup(x), length]
    model = tf.keras.Model(x, outputs)
    assert [output.dtype.name for output in outputs] == ["float32", "int32", "int32"]
    model.save(tmp_path / "m.keras")
    loaded = nacre.models.load_model(tmp_path / "m.keras")
    for each in (model, loaded):
        values, places, lengths = each.predict(WORDS, verbose=0)
        assert values.tolist() == [0.5, 1.5, -1.0] and lengths.tolist() == [1, 2, 4]
        assert places.tolist() == buckets.lookup(tf.constant(WORDS)).numpy().tolist()


def test_a_table_that_changes_is_asked_as_it_is() -> None:
    x = _text()
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    model = tf.keras.Model(x, table.lookup(x))
    assert model.predict(WORDS, verbose=0).tolist() == [-1, -1, -1]
    table.insert(tf.constant(["z"]), tf.constant([5], tf.int64))
    assert model.predict(WORDS, verbose=0).tolist() == [-1, -1, 5]


def test_strings_are_no_keys_of_a_table_of_numbers() -> None:
    initializer = tf.lookup.KeyValueTensorInitializer([1, 2], [3, 7])
    with pytest.raises(DTypeError, match="keys must be int32"):
        tf.lookup.StaticHashTable(initializer, -1).lookup(_text())


def test_sizes_of_strings_are_sizes_in_a_model() -> None:
    x = _text()
    lengths = tf.cast(tf.strings.length(x), tf.float32)[:, tf.newaxis]
    model = tf.keras.Model(x, lengths + tf.zeros((tf.shape(x)[0], 2)))
    assert model.predict(np.array(["a", "bbb"], object), verbose=0).tolist() == [[1, 1], [3, 3]]
    assert model.predict(np.array(["cc"], object), verbose=0).tolist() == [[2, 2]]
