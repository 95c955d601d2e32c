"""Pictures of random sizes, means of tensors and SAM, which Keras 3 dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import ArgumentError, ShapeError, TracedValueError

LAYERS = tf.keras.layers


@pytest.mark.parametrize(("kind", "axis"), [("RandomHeight", 1), ("RandomWidth", 2)])
def test_pictures_of_random_sizes(kind: str, axis: int) -> None:
    make = getattr(LAYERS, kind)
    x = np.random.RandomState(0).rand(2, 20, 30, 3).astype("float32")
    layer = make((0.1, 0.5), seed=1)
    sizes = {layer(x, training=True).shape[axis] for _ in range(6)}
    assert len(sizes) > 1
    assert all(x.shape[axis] * 1.1 - 1 <= n <= x.shape[axis] * 1.5 for n in sizes)
    assert layer(x[0], training=True).shape[2] == 3  # one picture alone
    fixed = make((0.5, 0.5), interpolation="nearest")(x, training=True)
    expected = tf.image.resize(x, [30, 30] if axis == 1 else [20, 45], method="nearest")
    np.testing.assert_array_equal(fixed, expected)
    np.testing.assert_array_equal(layer(x, training=False), x)
    assert getattr(LAYERS.experimental.preprocessing, kind) is make
    again = make.from_config(layer.get_config())
    assert tuple(again.factor) == (0.1, 0.5)


def test_pictures_of_random_sizes_in_pipelines_and_models(tmp_path: Path) -> None:
    x = np.ones((4, 8, 8, 1), "float32")
    layer = LAYERS.RandomHeight((0.5, 0.5))
    data = tf.data.Dataset.from_tensor_slices(x).batch(2)
    shapes = {tuple(b.shape) for b in data.map(lambda b: layer(b, training=True))}
    assert shapes == {(2, 12, 8, 1)}
    head = [LAYERS.GlobalAveragePooling2D(), LAYERS.Dense(1)]
    model = tf.keras.Sequential([tf.keras.Input((8, 8, 1)), layer, *head])
    assert model.layers[0].output.shape == (None, None, 8, 1)
    model.compile("sgd", "mse")
    with pytest.raises(TracedValueError, match="dataset.map"):
        model.fit(x, np.ones((4, 1)), verbose=0)
    assert model.predict(x, verbose=0).shape == (4, 1)  # sizes stay as they are
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(x, np.ones((4, 1)), verbose=0)
    model.save(tmp_path / "m.keras")
    again = tf.keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"factor": -1.5, "interpolation": "cubic"}, "interpolation"),
        ({"factor": (0.5, 0.1)}, "factor"),
        ({"factor": (-2.0, 0.1)}, "factor"),
    ],
)
def test_arguments_of_random_sizes_are_checked(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        LAYERS.RandomWidth(**given)


def test_means_of_tensors() -> None:
    mean = tf.keras.metrics.MeanTensor()
    assert mean.total is None and mean.count is None
    with pytest.raises(ArgumentError, match="there must be values"):
        mean.result()
    mean.update_state([[1.0, 2.0], [3.0, 4.0]])
    mean.update_state([[3.0, 2.0], [5.0, 0.0]], sample_weight=[3.0, 1.0])
    np.testing.assert_allclose(mean.result(), [[2.5, 2.0], [4.0, 2.0]])
    np.testing.assert_array_equal(mean.count, [[4.0, 4.0], [2.0, 2.0]])
    with pytest.raises(ShapeError, match="as before"):
        mean.update_state([1.0, 2.0])
    mean.reset_state()
    np.testing.assert_array_equal(mean.result(), np.zeros((2, 2)))
    mean.update_state(np.full((2, 2), 7.0))
    np.testing.assert_array_equal(mean.result(), np.full((2, 2), 7.0))
    known = tf.keras.metrics.MeanTensor(shape=(2,))
    np.testing.assert_array_equal(known.result(), [0.0, 0.0])

    @tf.function
    def step(values):
        known.update_state(values)

    step(tf.constant([1.0, 2.0]))
    step(tf.constant([3.0, 2.0]))
    np.testing.assert_array_equal(known.result(), [2.0, 2.0])


def _by_hand(x: Any, y: Any, w: Any, b: Any, splits: int, rho: float, rate: float) -> Any:
    """A step of SAM for mean((x·w + b - y)²)."""

    def gradients(x: Any, y: Any, w: Any, b: Any) -> tuple[Any, Any]:
        error = 2 * (x @ w + b - y) / y.size
        return x.T @ error, error.sum(0)

    total = [0.0, 0.0]
    for xs, ys in zip(np.split(x, splits), np.split(y, splits), strict=True):
        first = gradients(xs, ys, w, b)
        scale = rho / np.sqrt(sum((g**2).sum() for g in first))
        at = gradients(xs, ys, w + first[0] * scale, b + first[1] * scale)
        total = [t + g / splits for t, g in zip(total, at, strict=True)]
    return w - rate * total[0], b - rate * total[1]


@pytest.mark.parametrize("splits", [None, 2])
def test_sharpness_aware_minimization(splits: int | None) -> None:
    random = np.random.RandomState(0)
    x, y = random.randn(8, 3).astype("float32"), random.randn(8, 2).astype("float32")
    inner = tf.keras.Sequential([tf.keras.Input((3,)), LAYERS.Dense(2)])
    w, b = inner.get_weights()
    kind = tf.keras.models.experimental.SharpnessAwareMinimization
    model = kind(inner, rho=0.5, num_batch_splits=splits)
    model.compile(tf.keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    for _ in range(2):
        for i in (0, 4):
            w, b = _by_hand(x[i : i + 4], y[i : i + 4], w, b, splits or 1, 0.5, 0.1)
    for have, wanted in zip(inner.get_weights(), (w, b), strict=True):
        np.testing.assert_allclose(have, wanted, rtol=1e-5, atol=1e-5)
    assert "mae" in history.history and "loss" in history.history
    np.testing.assert_allclose(model.predict(x, verbose=0), x @ w + b, rtol=1e-4, atol=1e-5)
    again = kind.from_config(model.get_config())
    assert (again.rho, again.num_batch_splits) == (0.5, splits)
    assert len(again.model.weights) == 2


def test_sharpness_aware_minimization_refuses_batches_that_do_not_split() -> None:
    inner = tf.keras.Sequential([tf.keras.Input((3,)), LAYERS.Dense(2)])
    model = tf.keras.models.experimental.SharpnessAwareMinimization(inner, num_batch_splits=3)
    model.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(ArgumentError, match="split into 3"):
        model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)


@pytest.mark.parametrize("kind", ["gaussian", "laplacian"])
def test_random_fourier_features_come_near_their_kernel(kind: str) -> None:
    tf.keras.utils.set_random_seed(0)
    x = np.random.RandomState(0).randn(2, 6).astype("float32") / 3
    layer = LAYERS.experimental.RandomFourierFeatures(20000, kind, scale=2.0)
    y = layer(x).numpy()
    apart = x[0] - x[1]
    wanted = (
        np.exp(-(apart**2).sum() / 8) if kind == "gaussian" else np.exp(-np.abs(apart).sum() / 2)
    )
    np.testing.assert_allclose(2 * (y[0] * y[1]).mean(), wanted, atol=0.03)
    kernel, bias, scale = layer.unscaled_kernel, layer.bias, layer.kernel_scale
    np.testing.assert_allclose(y, np.cos(x @ (kernel.numpy() / scale.numpy()) + bias), atol=2e-2)


def test_random_fourier_features_in_a_model(tmp_path: Path) -> None:
    make = LAYERS.experimental.RandomFourierFeatures
    layer = make(8, trainable=True)
    model = tf.keras.Sequential([tf.keras.Input((4,)), layer, LAYERS.Dense(1)])
    assert float(layer.kernel_scale[0]) == pytest.approx(2**0.5)
    assert [w.shape for w in layer.trainable_weights] == [(1,)]
    assert make(8)(np.ones((1, 4), "float32")).shape == (1, 8)
    before = layer.kernel_scale.numpy()
    model.compile("sgd", "mse")
    model.fit(np.random.RandomState(0).randn(8, 4), np.ones((8, 1)), verbose=0)
    assert not np.array_equal(layer.kernel_scale.numpy(), before)
    model.save(tmp_path / "m.keras")
    again = tf.keras.models.load_model(tmp_path / "m.keras")
    x = np.ones((2, 4), "float32")
    np.testing.assert_allclose(again(x), model(x), atol=1e-6)
    with pytest.raises(ShapeError, match="batch, features"):
        make(8)(np.ones((1, 2, 4), "float32"))


def test_transposed_convolutions_of_the_backend() -> None:
    x, kernel = tf.ones([1, 2, 2, 1]), tf.ones([2, 2, 3, 1])
    found = tf.keras.backend.conv2d_transpose(x, kernel, (None, 4, 4, 3), strides=(2, 2))
    np.testing.assert_array_equal(found, np.ones((1, 4, 4, 3)))


def test_names_begin_anew_after_reset_uids() -> None:
    backend = tf.keras.backend
    backend.reset_uids()
    first = [backend.get_uid("cell"), backend.get_uid("cell")]
    backend.reset_uids()
    assert first == [1, 2] and backend.get_uid("cell") == 1
