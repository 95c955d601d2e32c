"""Names of tf.keras 2.15 that Keras 3 dropped."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import ArgumentError, ShapeError


def _by_hand(x: np.ndarray, kernel: np.ndarray, size: Any, steps: Any) -> np.ndarray:
    """A kernel for each place, one place after another."""
    places = [(n - k) // s + 1 for n, k, s in zip(x.shape[1:], size, steps, strict=False)]
    out = []
    for number, at in enumerate(np.ndindex(*places)):
        cut = tuple(slice(a * s, a * s + k) for a, s, k in zip(at, steps, size, strict=True))
        out.append(x[(slice(None), *cut)].reshape(len(x), -1) @ kernel[number])
    return np.stack(out, 1).reshape(len(x), *places, kernel.shape[-1])


@pytest.mark.parametrize("rank", [1, 2])
def test_locally_connected_layers(rank: int, tmp_path: Path) -> None:
    size, steps = ((3,), (2,)) if rank == 1 else ((3, 2), (2, 1))
    x = np.random.RandomState(0).randn(2, *(9, 6)[:rank], 3).astype("float32")
    kind = getattr(tf.keras.layers, f"LocallyConnected{rank}D")
    model = tf.keras.Sequential([tf.keras.Input(x.shape[1:]), kind(4, size, steps)])
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(model(x).numpy(), _by_hand(x, kernel, size, steps), atol=1e-5)
    model.compile("sgd", "mse")
    model.fit(x, np.ones(model.output_shape[1:], "float32")[None].repeat(2, 0), verbose=0)
    assert not np.array_equal(model.get_weights()[1], bias)
    model.save(tmp_path / "m.keras")
    again = tf.keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again(x), model(x), atol=1e-6)
    first = kind(4, size, steps, data_format="channels_first")
    assert first(np.moveaxis(x, -1, 1)).shape[1] == 4
    with pytest.raises(ArgumentError, match="'valid'"):
        kind(4, size, padding="same")
    with pytest.raises(ShapeError, match="as large as the kernel"):
        kind(4, size).build((2, *(2,) * rank, 3))


def test_a_cell_of_ones_own() -> None:
    class Cell(tf.keras.layers.AbstractRNNCell):
        def __init__(self, units):
            super().__init__()
            self.units = units

        @property
        def state_size(self):
            return self.units

        @property
        def output_size(self):
            return self.units

        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], self.units), initializer="ones")

        def call(self, inputs, states):
            out = tf.matmul(inputs, self.kernel) + states[0]
            return out, [out]

    out = tf.keras.layers.RNN(Cell(2))(np.ones((1, 4, 3), "float32"))
    assert out.numpy().tolist() == [[12.0, 12.0]]


def test_labels_that_ctc_finds_have_64_bits() -> None:
    scores = np.array([[[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.7, 0.2, 0.1]]], "float32")
    for is_greedy in (True, False):
        labels, _ = tf.keras.backend.ctc_decode(scores, np.array([3]), greedy=is_greedy)
        assert labels[0].dtype == "int64" and labels[0].numpy()[0, :2].tolist() == [1, 0]


def test_metrics_and_functions() -> None:
    metric = tf.keras.metrics.MeanRelativeError([1.0, 0.0, 3.0, 2.0])
    metric.update_state([1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 5.0, 5.0])
    # (1 + 0 + 2/3 + 1/2) / 4
    assert abs(float(metric.result().numpy()) - 0.541667) < 1e-5
    backend, t, p = tf.keras.backend, np.float32([[1.0, 0.0]]), np.float32([[0.8, 0.4]])
    wanted = [[-(0.2**2) * np.log(0.8), -(0.4**2) * np.log(0.6)]]
    np.testing.assert_allclose(backend.binary_focal_crossentropy(t, p), wanted, rtol=1e-5)
    sparse = backend.ctc_label_dense_to_sparse([[1, 2, 3], [4, 5, 6]], [2, 3])
    assert np.asarray(sparse.values).tolist() == [1, 2, 4, 5, 6]
    assert backend.experimental.is_tf_random_generator_enabled()
    layer = tf.keras.layers.experimental.SyncBatchNormalization(momentum=0.5)
    assert layer.synchronized and layer.momentum == 0.5
    assert tf.keras.callbacks.BaseLogger(["lr"]).stateful_metrics == {"lr"}


@pytest.mark.parametrize("name", ["backend.set_learning_phase", "backend.gradients"])
def test_other_names_say_what_to_write(name: str) -> None:
    module, _, last = name.partition(".")
    with pytest.raises(AttributeError, match=r"tf\.GradientTape|model\(x, training=True\)"):
        getattr(getattr(tf.keras, module), last)


def test_locally_connected_layers_take_the_global_data_format() -> None:
    layers, backend = tf.keras.layers, tf.keras.backend
    backend.set_image_data_format("channels_first")
    try:
        layer = layers.LocallyConnected2D(5, 2)
        assert tuple(layer(np.ones((1, 3, 4, 4), "float32")).shape) == (1, 5, 3, 3)
    finally:
        backend.set_image_data_format("channels_last")
    with pytest.raises(ValueError, match="data_format"):
        layers.LocallyConnected1D(5, 2, data_format="first")


def test_layers_merge_by_a_function_of_a_subclass() -> None:
    class Between(tf.keras.layers._Merge):
        def _merge_function(self, inputs):
            return 0.25 * inputs[0] + 0.75 * inputs[1]

    x, y = np.ones((2, 3), "float32"), np.full((2, 3), 5.0, "float32")
    first, second = tf.keras.Input((3,)), tf.keras.Input((3,))
    model = tf.keras.Model([first, second], Between()([first, second]))
    np.testing.assert_allclose(Between()([x, y]), np.full((2, 3), 4.0))
    np.testing.assert_allclose(model.predict([x, y], verbose=0), np.full((2, 3), 4.0))
    with pytest.raises(ShapeError, match="one size"):
        Between()([x, np.ones((2, 4), "float32")])


def test_sizes_of_states_are_joined() -> None:
    join = importlib.import_module("nacre.tf.namespaces").find("python.rnn_cell_impl", "_concat")
    assert join(2, [3, 4]).numpy().tolist() == [2, 3, 4] and join(2, [3]).dtype == tf.int32
    assert join(tf.constant(2), tf.TensorShape([3])).numpy().tolist() == [2, 3]
    assert join(None, [3], static=True).as_list() == [None, 3]
