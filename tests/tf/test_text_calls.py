"""Functions of `tf` on a model's inputs of strings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
import nacre.tf as tf
from nacre.core.errors import DTypeError, ShapeError
from nacre.tf.text_calls import TextCall


def texts(shape: tuple[int, ...] = ()) -> Any:
    return tf.keras.Input(shape, dtype=tf.string)


WORDS = np.array(["A", "b", "CCC"], object)


@pytest.fixture
def model() -> Any:
    x = texts()
    lookup = tf.keras.layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")
    vectors = lookup(tf.expand_dims(tf.strings.lower(x), -1))
    lengths = tf.cast(tf.strings.length(x), tf.float32)[:, tf.newaxis]
    return tf.keras.Model(x, tf.keras.layers.concatenate([vectors, lengths]))


WANTED = [[0, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 3]]


def test_strings_are_changed_before_they_become_numbers(model: Any) -> None:
    assert model.predict(WORDS, verbose=0).tolist() == WANTED
    assert model(tf.constant(WORDS)).numpy().tolist() == WANTED
    assert model.predict(WORDS[:1], verbose=0).tolist() == WANTED[:1]  # another batch size
    assert model.output_shape == (None, 4)


def test_such_a_model_is_loaded_again(model: Any, tmp_path: Path) -> None:
    model.save(tmp_path / "m.keras")
    loaded = nacre.models.load_model(tmp_path / "m.keras")
    assert loaded.predict(WORDS, verbose=0).tolist() == WANTED


def test_several_tensors_meet_and_buckets_are_tensorflows() -> None:
    a, b = texts((1,)), texts((1,))
    joined = tf.strings.join([a, b], separator="_")
    both = tf.concat([a, joined], axis=1)
    buckets = tf.strings.to_hash_bucket_fast(both, 10)
    model = tf.keras.Model([a, b], [buckets, tf.cast(tf.equal(a, "u"), tf.float32)])
    found = model.predict([np.array([["u"], ["w"]]), np.array([["v"], ["v"]])], verbose=0)
    assert [x.tolist() for x in found] == [[[9, 6], [9, 1]], [[1.0], [0.0]]]
    assert both.shape == (None, 2) and buckets.shape == (None, 2)


def test_strings_feed_a_model_that_trains() -> None:
    x = texts()
    buckets = tf.strings.to_hash_bucket_fast(tf.strings.lower(x), 5)
    rows = tf.keras.layers.Embedding(5, 2)(buckets)
    model = tf.keras.Model(x, tf.keras.layers.Dense(1)(rows))
    model.compile("sgd", "mse")
    losses = model.fit(WORDS, np.ones(3), epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_rows_of_different_lengths_are_refused_by_name() -> None:
    rule = r"tf.strings.split: it must give rows of one length"
    with pytest.raises(ValueError, match=rule):
        tf.strings.split(texts())
    with pytest.raises(ValueError, match=rule):
        TextCall("tf.strings.split", [[{"tensor": 0}], {}])(texts())


def _words() -> Any:
    class Words(tf.Module):
        """Looks words up beside a number it multiplies."""

        def __init__(self) -> None:
            super().__init__()
            pairs = tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2])
            self.table, self.scale = tf.lookup.StaticHashTable(pairs, -1), tf.Variable(2.0)

        @tf.function(
            input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.float32)]
        )
        def both(self, words: Any, x: Any) -> Any:
            return self.table.lookup(words), x * self.scale

    return Words()


def test_a_signature_may_say_strings() -> None:
    module = _words()
    for words in (["b", "z"], tf.constant(["b", "z"]), np.array(["b", "z"])):
        places, scaled = module.both(words, [1, 2])
        assert np.asarray(places).tolist() == [2, -1]
        assert np.asarray(scaled).tolist() == [2.0, 4.0]
        assert scaled.dtype == tf.float32
    with tf.GradientTape() as tape:
        scaled = module.both(["a"], [3.0])[1]
    assert float(tape.gradient(scaled, module.scale)) == 3.0
    with pytest.raises(ShapeError, match=r"strings of shape \(None,\).*\(1, 1\)"):
        module.both([["a"]], [1.0])
    with pytest.raises(DTypeError, match="string"):
        module.both([1], [1.0])
