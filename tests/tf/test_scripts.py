"""What scripts do with several of the names at once."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
import nacre.tf as tf
from nacre.core.errors import ArgumentError


def test_a_vectorizer_standardizes_and_splits_with_ops_of_strings() -> None:
    layer = tf.keras.layers.TextVectorization(
        standardize=lambda text: tf.strings.regex_replace(tf.strings.lower(text), "[.!]", ""),
        split=lambda text: tf.strings.split(text, sep="-"),
    )
    layer.adapt(tf.data.Dataset.from_tensor_slices(["A-b!", "B-é."]).batch(2))
    assert layer.get_vocabulary()[2:] == ["b", "é", "a"]


def test_a_function_that_gives_no_text_is_refused() -> None:
    layer = nacre.layers.TextVectorization(standardize=len)
    with pytest.raises(ArgumentError, match="standardize must give texts"):
        layer.adapt(["a b"])


def test_a_table_of_the_host_is_cut_at_a_size_that_is_not_known() -> None:
    class Positions(tf.keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.table = tf.cast(np.ones((8, 4)), tf.float32)

        def call(self, x):
            return x + self.table[tf.newaxis, : tf.shape(x)[1], :]

    inputs = tf.keras.Input((None, 4))
    model = tf.keras.Model(inputs, Positions()(inputs))
    assert model.predict(np.zeros((2, 3, 4)), verbose=0).sum() == 24


def test_a_module_finds_its_variables() -> None:
    class Line(tf.Module):
        def __init__(self):
            super().__init__()
            self.w = tf.Variable(1.0)
            self.parts = [{"b": tf.Variable(2.0, trainable=False)}, self.w]
            self.layer = tf.keras.layers.Dense(2)

        @tf.function
        def __call__(self, x):
            return self.layer(x * self.w)

    line = Line()
    assert line.name == "line" and len(line.variables) == 2
    line(tf.ones([1, 3]))
    assert len(line.variables) == 4 and len(line.trainable_variables) == 3
    assert line.submodules == (line.layer,)
    line.w.assign(0.0)
    assert not line(tf.ones([1, 3])).numpy().any()


def test_a_pipeline_of_pictures() -> None:
    def prepared(image, label):
        image = tf.image.convert_image_dtype(image, tf.float32)
        image = tf.image.random_flip_left_right(tf.image.resize(image, [6, 6]))
        return tf.image.random_crop(image, [4, 4, 3]), tf.one_hot(label, 3)

    images = np.full((4, 5, 5, 3), 255, "uint8")
    data = tf.data.Dataset.from_tensor_slices((images, [0, 1, 2, 0])).map(prepared).batch(2)
    pixels, labels = next(iter(data))
    assert pixels.shape == (2, 4, 4, 3) and pixels.dtype == tf.float32
    assert np.allclose(pixels.numpy(), 1) and labels.numpy().tolist() == [[1, 0, 0], [0, 1, 0]]


def test_seeds_repeat_as_tensorflows_do() -> None:
    def draw(seed=None):
        return tf.random.normal([2], seed=seed).numpy().tolist()

    tf.random.set_seed(3)
    first = [draw(), draw(1), draw(1)]
    assert first[1] != first[2]
    tf.random.set_seed(3)
    assert [draw(), draw(1), draw(1)] == first
    state = np.random.get_state()[1].tolist()
    tf.random.set_seed(4)
    assert np.random.get_state()[1].tolist() == state
    kernel = [tf.keras.layers.Dense(2) for _ in range(2)]
    for layer in kernel:
        tf.random.set_seed(5)
        layer.build((None, 2))
    assert (kernel[0].kernel.numpy() == kernel[1].kernel.numpy()).all()


def test_errors_are_caught_by_tensorflows_names() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.reshape(tf.ones([2]), [3])
    with pytest.raises(tf.errors.NotFoundError):
        tf.io.read_file("/none")
    iterator = iter(tf.data.Dataset.range(1))
    iterator.get_next()
    with pytest.raises(tf.errors.OutOfRangeError):
        iterator.get_next()
