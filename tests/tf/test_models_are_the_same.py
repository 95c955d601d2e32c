"""Scripts of TensorFlow get the numbers that `import nacre` gives: JAX's 64 bits change none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import nacre as keras
import nacre.tf as tf
from nacre.tf.methods import lend_methods, take_methods_back

L = keras.layers
IMAGES = np.random.default_rng(0).uniform(0, 255, (4, 9, 9, 3)).astype("float32")
STEPS = np.random.default_rng(0).uniform(-1, 1, (4, 5, 3)).astype("float32")
PIXELS = {"value_range": (0, 255), "seed": 3}


def numbers(make: Callable[[], Any]) -> list[np.ndarray]:
    keras.utils.set_random_seed(7)
    return [np.asarray(leaf) for leaf in jax.tree.leaves(make())]


def both_ways(make: Callable[[], Any]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What it gives with the methods of tensors, and without."""
    as_script = numbers(make)
    take_methods_back()
    try:
        return as_script, numbers(make)
    finally:
        lend_methods()


def assert_same(make: Callable[[], Any]) -> None:
    as_script, as_library = both_ways(make)
    assert [a.dtype for a in as_script] == [a.dtype for a in as_library]
    for one, other in zip(as_script, as_library, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: L.RandomCrop(5, 5, seed=3), id="RandomCrop"),
        pytest.param(lambda: L.RandomPosterization(4, **PIXELS), id="RandomPosterization"),
        pytest.param(lambda: L.RandomColorJitter(**PIXELS), id="RandomColorJitter"),
        pytest.param(lambda: L.RandAugment(**PIXELS), id="RandAugment"),
        pytest.param(lambda: L.AugMix(**PIXELS), id="AugMix"),
        pytest.param(
            lambda: L.RandomGaussianBlur(seed=3, value_range=(0, 255)), id="RandomGaussianBlur"
        ),
        pytest.param(lambda: L.CutMix(seed=3), id="CutMix"),
        pytest.param(lambda: L.MixUp(seed=3), id="MixUp"),
        pytest.param(lambda: L.RandomRotation(0.2, seed=3), id="RandomRotation"),
        *(
            pytest.param(lambda m=m: L.Resizing(5, 13, interpolation=m), id=f"Resizing-{m}")
            for m in ("nearest", "bilinear", "bicubic", "lanczos3")
        ),
    ],
)
def test_pictures_are_changed_as_the_library_changes_them(make: Callable[[], Any]) -> None:
    assert_same(lambda: make()(IMAGES, training=True))


@pytest.mark.parametrize("kind", [L.LSTM, L.GRU, L.SimpleRNN])
def test_recurrent_dropout_draws_the_same(kind: Any) -> None:
    assert_same(lambda: kind(2, dropout=0.3, recurrent_dropout=0.3)(STEPS, training=True))


def test_pictures_of_64_bits_are_weighed_in_64_bits() -> None:
    row = tf.constant([[[0.0], [1.0]]], tf.float64)
    weighed = keras.ops.image.resize(row, (1, 6)).numpy()
    assert weighed.dtype == "float64"
    wanted = np.clip((np.arange(6) + 0.5) / 3 - 0.5, 0, 1)
    np.testing.assert_allclose(weighed[0, :, 0], wanted, 1e-14)


def fitted() -> list[Any]:
    model = keras.Sequential(
        [
            keras.Input((9, 9, 3)),
            L.Rescaling(1 / 255),
            L.Conv2D(2, 3, activation="relu"),
            L.BatchNormalization(),
            L.Dropout(0.3),
            L.Flatten(),
            L.Dense(2),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    targets = np.array([0, 1, 1, 0])
    history = model.fit(IMAGES, targets, batch_size=2, epochs=2, verbose=0).history
    states = [np.asarray(v) for v in (*model.weights, *model.optimizer.variables)]
    return [
        history,
        states,
        model.predict(IMAGES, verbose=0),
        model.evaluate(IMAGES, targets, verbose=0),
    ]


def test_training_gives_the_same_numbers_and_dtypes() -> None:
    assert_same(fitted)


def test_relu6_of_whole_numbers_is_in_32_bits() -> None:
    whole = np.array([-1, 3, 9], "int32")
    assert_same(lambda: keras.ops.relu6(whole))
    assert keras.ops.relu6(whole).numpy().dtype == "float32"
