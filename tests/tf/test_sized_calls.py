"""Sizes that only a batch tells, in models of functions: any batch size, also after loading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.tf.sized_calls import PATH, _run

# What is described, and what NumPy has for it; x is (batch, 3, 4).
CASES: list[tuple[str, Callable[[Any], Any], Callable[[np.ndarray], np.ndarray]]] = [
    ("zeros", lambda x: tf.concat([x[:, 0], tf.zeros((tf.shape(x)[0], 1))], 1),
     lambda x: np.concatenate([x[:, 0], np.zeros((len(x), 1))], 1)),
    ("ones", lambda x: x * 2 + tf.ones([tf.shape(x)[0], 3, 1]), lambda x: x * 2 + 1),
    ("fill", lambda x: tf.fill([tf.shape(x)[0], 2], 7.0), lambda x: np.full((len(x), 2), 7.0)),
    ("range", lambda x: x + tf.cast(tf.range(tf.shape(x)[0]), tf.float32)[:, None, None],
     lambda x: x + np.arange(len(x))[:, None, None]),
    ("reshape", lambda x: tf.reshape(x, [tf.shape(x)[0], -1]), lambda x: x.reshape(len(x), -1)),
    ("flat", lambda x: tf.reshape(x, [tf.shape(x)[0] * 3, 4]), lambda x: x.reshape(-1, 4)),
    ("tile", lambda x: tf.tile(tf.reduce_max(x, 0, keepdims=True), [tf.shape(x)[0], 1, 1]),
     lambda x: np.tile(x.max(0, keepdims=True), [len(x), 1, 1])),
    ("broadcast_to", lambda x: tf.broadcast_to(tf.constant([[1.0, 2.0]]), [tf.shape(x)[0], 2]),
     lambda x: np.tile([[1.0, 2.0]], [len(x), 1])),
    ("number", lambda x: x / tf.cast(tf.shape(x)[0], tf.float32), lambda x: x / len(x)),
    ("eye", lambda x: tf.eye(tf.shape(x)[0]) @ x[:, 0], lambda x: x[:, 0]),
    ("one_hot", lambda x: tf.one_hot(tf.argmax(x, -1), depth=tf.shape(x)[2]),
     lambda x: np.eye(4)[x.argmax(-1)]),
    ("product", lambda x: tf.reshape(x, (tf.shape(x)[0], tf.reduce_prod(tf.shape(x)[1:]))),
     lambda x: x.reshape(len(x), 12)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "describe", "wanted"), CASES, ids=[c[0] for c in CASES])
def test_a_size_of_the_batch_is_that_of_each_batch(
    name: str, describe: Any, wanted: Any, tmp_path: Path
) -> None:
    x = tf.keras.Input((3, 4))
    model = tf.keras.Model(x, describe(x))
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    for batch in (1, 5):
        data = np.random.default_rng(batch).normal(size=(batch, 3, 4)).astype("float32")
        for one in (model, loaded):
            np.testing.assert_allclose(one(data), wanted(data), rtol=1e-6)
    np.testing.assert_allclose(loaded.predict(data, verbose=0), wanted(data), rtol=1e-6)


def test_noise_has_the_shape_of_the_batch_and_is_new_each_time() -> None:
    x = tf.keras.Input((4,))
    model = tf.keras.Model(x, x * 0 + tf.random.normal(tf.shape(x)))
    data = np.zeros((64, 4), "float32")
    first, second = model(data).numpy(), model(data).numpy()
    assert first.shape == (64, 4) and not np.array_equal(first, second)
    assert abs(first.std() - 1) < 0.2


def test_a_layer_that_divides_by_the_size_of_the_batch_does_so_in_predict() -> None:
    class Share(tf.keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, inputs):  # type: ignore[no-untyped-def]
            return inputs / tf.cast(tf.shape(inputs)[0], tf.float32)

    model = tf.keras.Sequential([tf.keras.Input((2,)), Share()])
    for rows in (5, 3, 4):
        found = model.predict(np.ones((rows, 2), "float32"), verbose=0)
        np.testing.assert_allclose(found, 1 / rows)


def test_two_models_that_are_described_in_turn_have_their_own_sizes() -> None:
    a, b = tf.keras.Input((2,)), tf.keras.Input((3,))
    rows, others = tf.shape(a)[0], tf.shape(b)[0]
    second = tf.keras.Model(b, tf.concat([b, tf.zeros((others, 1))], 1))
    assert second(np.ones((7, 3), "float32")).shape == (7, 4)
    third = tf.keras.Input((2,))
    with pytest.raises(ValueError):  # another model's size
        tf.keras.Model(third, tf.concat([third, tf.zeros((rows, 1))], 1))


def test_lengths_that_vary_are_sizes_too() -> None:
    x = tf.keras.Input((None, 2))
    places = tf.cast(tf.range(tf.shape(x)[1]), tf.float32)
    model = tf.keras.Model(x, x + places[None, :, None])
    for length in (3, 6):
        found = model(np.zeros((2, length, 2), "float32")).numpy()
        assert found[1, :, 0].tolist() == list(range(length))


def test_a_file_may_name_no_function_that_opens_files() -> None:
    for path in ("tf.io.read_file", "tf.py_function", "tf.keras.models.load_model", "os.system"):
        with pytest.raises(ValueError, match="functions of tensors only"):
            _run([], {"path": path, "args": [], "kwargs": {}}, {})
    assert PATH.startswith("tf.")
