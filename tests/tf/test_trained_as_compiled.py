"""What is trained is what was trainable at `compile`, where scripts of TensorFlow run."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import nacre
import nacre.tf as tf
from nacre.tf.methods import take_methods_back

X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
Z = np.ones((8, 2), "float32")


def moved(model: Any, train: Any) -> bool:
    """Whether a training changes any weight of a model."""
    before = [w.copy() for w in model.get_weights()]
    train()
    return any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


TRACED: list[int] = []


def traced() -> Any:
    """A loss whose code tells that it runs: when a step is compiled."""

    def loss(wanted: Any, found: Any) -> Any:
        TRACED.append(1)
        return tf.keras.losses.binary_crossentropy(wanted, found)

    return loss


def nets() -> tuple[Any, Any, Any]:
    """A discriminator, a generator, and both in one, as in many a GAN."""
    layers = tf.keras.layers
    discriminator = tf.keras.Sequential(
        [tf.keras.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1, "sigmoid")]
    )
    discriminator.compile("adam", traced(), metrics=["accuracy"])
    discriminator.trainable = False
    generator = tf.keras.Sequential([tf.keras.Input((2,)), layers.Dense(3)])
    noise = tf.keras.Input((2,))
    both = tf.keras.Model(noise, discriminator(generator(noise)))
    both.compile("adam", traced())
    return discriminator, generator, both


def test_a_discriminator_frozen_after_compile_trains_alone_and_not_within_the_gan() -> None:
    discriminator, generator, both = nets()
    with pytest.warns(UserWarning, match="what was trainable at compile is trained"):
        assert moved(discriminator, lambda: discriminator.train_on_batch(X, Y))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        for _ in range(2):
            assert not moved(discriminator, lambda: both.train_on_batch(Z, Y))
            assert moved(generator, lambda: both.train_on_batch(Z, Y))
            assert moved(discriminator, lambda: discriminator.train_on_batch(X, Y))
            assert moved(discriminator, lambda: discriminator.fit(X, Y, verbose=0))
    assert not discriminator.trainable_variables
    assert len(both.trainable_variables) == 2


def test_steps_in_turn_compile_nothing_anew() -> None:
    discriminator, _, both = nets()
    with pytest.warns(UserWarning, match="as in tf.keras 2"):
        discriminator.train_on_batch(X, Y)
    both.train_on_batch(Z, Y)
    TRACED.clear()
    for _ in range(3):
        discriminator.train_on_batch(X, Y)
        both.train_on_batch(Z, Y)
    assert not TRACED


def test_what_is_unfrozen_counts_when_compiled_again() -> None:
    layers = tf.keras.layers
    model = tf.keras.Sequential([tf.keras.Input((3,)), layers.Dense(4), layers.Dense(1)])
    base = model.layers[0]
    base.trainable = False
    model.compile("sgd", "mse")
    base.trainable = True
    with pytest.warns(UserWarning, match="Call compile again"):
        assert not moved(base, lambda: model.fit(X, Y, verbose=0))
    assert base.trainable
    model.compile("sgd", "mse")
    assert moved(base, lambda: model.fit(X, Y, verbose=0))


def test_flags_come_back_from_a_training_that_fails() -> None:
    discriminator, *_ = nets()
    with pytest.warns(UserWarning, match="tf.keras 2"), pytest.raises(ValueError):
        discriminator.fit(np.ones((8, 5), "float32"), Y, verbose=0)
    assert not discriminator.trainable


def test_those_who_only_import_nacre_train_what_is_trainable_when_fit_begins() -> None:
    take_methods_back()
    model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.trainable = False
    with pytest.warns(UserWarning, match="nothing to train"):
        assert not moved(model, lambda: model.train_on_batch(X, Y))
