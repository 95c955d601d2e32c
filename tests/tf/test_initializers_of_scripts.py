"""An initializer that a script calls gives a tensor; what a layer asks it for stays on the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre.tf as tf

KINDS = [
    "Zeros", "Ones", "Constant", "Identity", "Orthogonal", "RandomNormal", "RandomUniform",
    "TruncatedNormal", "VarianceScaling", "GlorotUniform", "HeNormal", "LecunUniform",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_an_initializer_gives_a_tensor(kind: str) -> None:
    values = getattr(tf.keras.initializers, kind)()((2, 2), dtype=tf.float32)
    assert isinstance(values, tf.Tensor)
    assert values.numpy().shape == (2, 2)
    assert tf.Variable(initial_value=values).dtype == tf.float32


def test_a_seed_draws_the_same_for_a_script_and_for_a_layer() -> None:
    drawn = tf.keras.initializers.GlorotUniform(seed=3)((2, 4)).numpy()
    layer = tf.keras.layers.Dense(4, kernel_initializer=tf.keras.initializers.GlorotUniform(seed=3))
    layer.build((None, 2))
    np.testing.assert_array_equal(layer.kernel.numpy(), drawn)


def test_a_class_of_the_scripts_own_is_asked_itself() -> None:
    class Twos(tf.keras.initializers.Ones):
        def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Any:
            return 2 * super().__call__(shape, dtype)

    layer = tf.keras.layers.Dense(1, kernel_initializer=Twos())
    layer.build((None, 2))
    np.testing.assert_array_equal(layer.kernel.numpy(), [[2.0], [2.0]])


def test_an_initializer_in_a_function_is_drawn_at_the_trace() -> None:
    @tf.function
    def started(x: Any) -> Any:
        return x + tf.ones_initializer()((2,))

    np.testing.assert_array_equal(started(tf.zeros((2,))).numpy(), [1.0, 1.0])
