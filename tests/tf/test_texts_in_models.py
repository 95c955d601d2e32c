"""Strings within models: parts and comparisons of inputs, functions in Lambda, layers of users."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
import nacre.tf as tf

ROWS = [["a", "bb"], ["c", "d"], ["a", "a"]]


def model_of(make: Callable[[Any], Any]) -> Any:
    x = tf.keras.Input((2,), dtype=tf.string)
    return tf.keras.Model(x, make(x))


PARTS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "a column": (lambda x: tf.strings.length(x[:, 1]), [2, 1, 1]),
    "a new axis": (lambda x: tf.strings.length(x[:, tf.newaxis]), [[[1, 2]], [[1, 1]], [[1, 1]]]),
    "the last": (lambda x: tf.strings.length(x[..., -1]), [2, 1, 1]),
    "equal": (lambda x: x == "a", [[1, 0], [0, 0], [1, 1]]),
    "not equal": (lambda x: x != "a", [[0, 1], [1, 1], [0, 0]]),
    "joined": (lambda x: tf.strings.length("<" + x + ">"), [[3, 4], [3, 3], [3, 3]]),
    "chosen": (
        lambda x: tf.strings.length(tf.where(x == "a", tf.constant("long"), x)),
        [[4, 2], [1, 1], [4, 4]],
    ),
    "read as numbers": (
        lambda x: tf.strings.to_number(tf.strings.regex_replace(x, "[a-z]", "3")),
        [[3, 33], [3, 3], [3, 3]],
    ),
    "in a Lambda": (
        lambda x: tf.keras.layers.Lambda(lambda s: tf.strings.length(s))(x),
        [[1, 2], [1, 1], [1, 1]],
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_parts_and_operators_of_an_input_of_strings(case: str) -> None:
    make, wanted = PARTS[case]
    model = model_of(make)
    found = model(tf.constant(ROWS))
    assert isinstance(found, tf.Tensor)
    assert found.numpy().tolist() == wanted
    assert model.predict(tf.constant(ROWS[:1]), verbose=0).tolist() == wanted[:1]


def test_such_a_model_is_loaded_again(tmp_path: Path) -> None:
    model = model_of(lambda x: tf.strings.length(tf.where(x[:, :1] == "a", tf.constant("long"), x)))
    model.save(tmp_path / "m.keras")
    loaded = tf.keras.models.load_model(tmp_path / "m.keras")
    assert loaded(tf.constant(ROWS)).numpy().tolist() == [[4, 4], [1, 1], [4, 4]]


def test_two_symbols_still_tell_whether_they_are_one() -> None:
    x, y = (tf.keras.Input((2,), dtype=tf.string) for _ in range(2))
    assert x in [x, y]
    assert [x, y].index(y) == 1


class Scores(nacre.layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.lookup = tf.keras.layers.StringLookup(vocabulary=["a", "c"])
        self.embedding = tf.keras.layers.Embedding(3, 1, embeddings_initializer="ones")

    def call(self, texts: Any) -> Any:
        lengths = tf.cast(tf.strings.length(texts), tf.float32)
        return self.embedding(self.lookup(tf.strings.lower(texts))) * lengths[..., None]


def test_a_users_layer_computes_with_strings_in_fit_and_predict() -> None:
    x = tf.constant([["A", "BB"], ["c", "dddd"]])
    assert Scores()(x).numpy()[..., 0].tolist() == [[1, 2], [1, 4]]
    for model in (tf.keras.Sequential([Scores()]), model_of(lambda texts: Scores()(texts))):
        model.compile(tf.keras.optimizers.SGD(0.1), "mse")
        model.fit(x, np.full((2, 2, 1), 2.0), epochs=3, verbose=0)
        found = model.predict(x[:1], verbose=0)
        assert found.shape == (1, 2, 1)
        assert 1.0 < found[0, 0, 0] < 2.0  # it learnt
        np.testing.assert_allclose(model(x[:1]).numpy(), found, rtol=1e-6)
