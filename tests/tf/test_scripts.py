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


def test_a_tensor_array_is_written_in_loops() -> None:
    @tf.function
    def squares(x):
        found = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
        for i in tf.range(3):
            found = found.write(i, x * x + tf.cast(i, tf.float32))
        return found.stack()

    assert squares(tf.constant(2.0)).numpy().tolist() == [4.0, 5.0, 6.0]
    array = tf.TensorArray(tf.int32, 2).unstack([1, 2])
    assert array.read(1).numpy() == 2 and array.size().numpy() == 2
    with pytest.raises(IndexError):
        array.write(2, 3)


def test_strategies_of_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        v = tf.Variable(1.0)
    total = strategy.run(lambda x: x + v, args=(tf.constant(1.0),))
    assert strategy.reduce(tf.distribute.ReduceOp.SUM, total, axis=None).numpy() == 2
    assert strategy.num_replicas_in_sync == 1
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:1"]}}')
    with pytest.raises(NotImplementedError, match="each would train alone"):
        tf.distribute.MultiWorkerMirroredStrategy()


def test_a_generator_repeats_from_its_seed() -> None:
    first, second = (tf.random.Generator.from_seed(3) for _ in range(2))
    a, b = first.normal([2]).numpy(), first.normal([2]).numpy()
    assert a.tolist() != b.tolist() and second.normal([2]).numpy().tolist() == a.tolist()


def test_an_example_is_written_as_tensorflow_spells_it() -> None:
    features = tf.train.Features(
        feature={
            "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[3])),
            "size": tf.train.Feature(float_list=tf.train.FloatList(value=[1.5])),
            "raw": tf.train.Feature(
                bytes_list=tf.train.BytesList(value=[tf.constant("a").numpy()])
            ),
        }
    )
    data = tf.train.Example(features=features).SerializeToString()
    found = tf.io.parse_single_example(
        data,
        {
            "label": tf.io.FixedLenFeature([], tf.int64),
            "size": tf.io.FixedLenFeature([], tf.float32),
            "raw": tf.io.FixedLenFeature([], tf.string),
        },
    )
    assert found["label"].numpy() == 3 and found["size"].numpy() == 1.5
    assert found["raw"].numpy() == b"a"
