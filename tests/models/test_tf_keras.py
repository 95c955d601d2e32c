"""`keras.backend` as scripts for tf.keras 2 use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import backend as K
from nacre import layers, ops
from nacre.core import tree
from nacre.core.errors import ArgumentError, ShapeError
from tests.cases.backend import CASES, X

REFERENCE = np.load(Path(__file__).parents[1] / "reference" / "backend.npz")


@pytest.mark.parametrize("name", CASES)
def test_what_tf_keras_gives_is_given(name: str) -> None:
    leaves = tree.flatten(CASES[name](K))
    for place, value in enumerate(leaves):
        wanted = REFERENCE[f"{name}/{place}"]
        found = np.asarray(value)
        assert found.shape == wanted.shape
        assert found.dtype.kind == wanted.dtype.kind
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert f"{name}/{len(leaves)}" not in REFERENCE


def test_losses_and_metrics_of_old_scripts_train() -> None:
    def dice(y_true: Any, y_pred: Any) -> Any:
        both = K.sum(K.flatten(y_true) * K.flatten(y_pred))
        return 1 - (2.0 * both + 1) / (K.sum(K.flatten(y_true) + K.flatten(y_pred)) + 1)

    def recall(y_true: Any, y_pred: Any) -> Any:
        found = K.sum(K.round(K.clip(y_true * y_pred, 0, 1)))
        return found / (K.sum(K.round(K.clip(y_true, 0, 1))) + K.epsilon())

    model = nacre.Sequential([nacre.Input((4,)), layers.Dense(4, activation="sigmoid")])
    model.compile("sgd", dice, metrics=[recall])
    history = model.fit(np.abs(X), (X > 0).astype("float32"), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all() and "recall" in history


def test_a_variational_layer_of_old_scripts_samples() -> None:
    def sample(parts: Any) -> Any:
        mean, log_variance = parts
        epsilon = K.random_normal(shape=(K.shape(mean)[0], K.int_shape(mean)[1]))
        return mean + K.exp(0.5 * log_variance) * epsilon

    x = nacre.Input((4,))
    z = layers.Lambda(sample)([layers.Dense(2)(x), layers.Dense(2)(x)])
    model = nacre.Model(x, z)
    first, second = (model.predict(X, verbose=0) for _ in range(2))
    assert first.shape == (3, 2) and not np.allclose(first, second)


def test_functions_give_what_is_on_the_way() -> None:
    model = nacre.Sequential([nacre.Input((4,)), layers.Dense(3, name="inner"), layers.Dense(2)])
    inner = K.function([model.input], [model.get_layer("inner").output])([X])
    assert isinstance(inner, list) and isinstance(inner[0], np.ndarray)
    np.testing.assert_allclose(inner[0], model.get_layer("inner")(X), rtol=1e-5)
    assert K.function(model.input, model.output)(X).shape == (3, 2)
    with pytest.raises(ArgumentError, match=r"symbolic tensors.*training=True"):
        K.function([model.input, K.learning_phase()], [model.output])


def test_phases_follow_what_the_model_does() -> None:
    class Noisy(layers.Layer):
        def call(self, x: Any) -> Any:
            return K.in_train_phase(lambda: x + 1, x)

    layer = Noisy()
    assert float(layer(np.zeros(1), training=True)[0]) == 1
    assert float(layer(np.zeros(1), training=False)[0]) == 0
    assert K.learning_phase() == 0


def test_symbolic_tensors_are_taken() -> None:
    x = nacre.Input((4,))
    y = K.switch(K.greater(x, 0.0), K.relu(x, alpha=0.1), K.l2_normalize(x, axis=-1))
    y = K.batch_dot(K.repeat(y, 2), K.expand_dims(y), axes=(2, 1))
    assert K.int_shape(y) == (None, 2, 1) and K.is_keras_tensor(y)
    assert nacre.Model(x, y)(X).shape == (3, 2, 1)


def test_lists_are_taken_as_tensors() -> None:
    assert K.l2_normalize([3.0, 4.0]).tolist() == pytest.approx([0.6, 0.8])
    assert K.batch_flatten([[[1, 2], [3, 4]]]).tolist() == [[1, 2, 3, 4]]
    assert K.int_shape([[1, 2]]) == (1, 2)
    assert K.batch_dot([[1.0, 2.0]], [[3.0, 4.0]]).tolist() == [[11.0]]


def test_printing_works_where_it_is_computed(capfd: pytest.CaptureFixture[str]) -> None:
    traced = nacre.function(lambda x: K.print_tensor(x * 2, "twice {x}:"))
    assert traced(ops.ones(2)).tolist() == [2.0, 2.0]
    import jax

    jax.effects_barrier()
    assert "twice {x}: [2. 2.]" in capfd.readouterr().out


def test_random_numbers_follow_their_seed() -> None:
    for draw in (K.random_normal, K.random_uniform, K.truncated_normal):
        np.testing.assert_array_equal(draw((3,), seed=1), draw((3,), seed=1))
        assert not np.allclose(draw((3,)), draw((3,)))
    assert set(np.unique(K.random_bernoulli((200,), p=0.5))) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("use", "error", "text"),
    [
        (lambda: K.batch_dot(X, X, axes=0), ArgumentError, "the batch axis"),
        (lambda: K.batch_dot(X[0], X), ShapeError, "a batch axis and one more"),
        (lambda: K.pool2d(X, 2, pool_mode="mean"), ArgumentError, "'max' or 'avg'"),
        (lambda: K.gradients, AttributeError, "GradientTape"),
        (lambda: K.placeholder, AttributeError, "nacre.Input"),
        (lambda: K.set_learning_phase, AttributeError, "training="),
        (lambda: K.meen, AttributeError, "Did you mean 'mean'"),
    ],
)
def test_what_cannot_be_says_what_to_do(use: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        use()


def test_a_second_text_is_the_name_as_in_tf_keras_2():
    model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)], "course")
    assert (model.name, model.trainable) == ("course", True)
