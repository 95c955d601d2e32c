"""Targets and predictions that do not fit are refused, with the likely fix."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre import losses, metrics
from nacre.core.errors import LossInputError

ELEMENTWISE = [
    "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error", "huber", "log_cosh", "cosine_similarity", "hinge",
    "squared_hinge", "poisson", "kl_divergence", "binary_crossentropy",
    "binary_focal_crossentropy", "dice", "tversky",
]  # fmt: skip
ONE_HOT = ["categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge"]


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize(
    ("target", "prediction"),
    [
        ((6,), (6, 3)),
        ((6, 1), (6, 3)),
        ((6, 3), (6, 1)),
        ((6, 3), (6, 5)),
        ((6, 3), (1, 3)),
        ((1,), (6,)),
        ((6, 1, 3), (6, 3)),
    ],
)
def test_nothing_broadcasts_silently(name, target, prediction):
    with pytest.raises(LossInputError, match="targets must have the predictions' shape"):
        getattr(losses, name)(np.ones(target, "float32"), np.ones(prediction, "float32"))


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize(
    ("target", "prediction"), [((6,), (6, 1)), ((6, 1), (6,)), ((6, 4, 1), (6, 4))]
)
def test_one_trailing_axis_is_squeezed_as_in_keras(name, target, prediction):
    value = getattr(losses, name)(np.ones(target, "float32"), np.full(prediction, 0.5, "float32"))
    assert value.shape in ((), (6,))


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("shape", [(3, 1), (2, 3), (4,)])
def test_one_number_is_the_target_of_all_predictions(name, shape):
    loss, scores = getattr(losses, name), np.linspace(0.1, 0.9, np.prod(shape)).reshape(shape)
    for target in (1.0, 0, np.float32(0.9), jnp.asarray(1)):
        every = np.full(shape, np.asarray(target), "float32")
        assert np.array_equal(loss(target, scores), loss(every, scores))


def test_one_number_is_the_target_in_loss_and_metric_objects() -> None:
    scores, weights = np.array([[0.2], [0.7], [0.9]], "float32"), np.array([1.0, 2.0, 4.0])
    accuracy = metrics.BinaryAccuracy()
    accuracy.update_state(1.0, scores)
    accuracy.update_state(0.0, scores[:1], sample_weight=[3.0])
    assert float(accuracy.result()) == pytest.approx(5 / 6)
    # TensorFlow 2.15 gives 0.879620 for BinaryCrossentropy()(1.0, scores, [1., 2., 3.]).
    weighted = losses.BinaryCrossentropy()(1.0, scores, sample_weight=[1.0, 2.0, 3.0])
    assert float(weighted) == pytest.approx(0.879620, abs=1e-5)
    found = jax.jit(lambda t: losses.MeanSquaredError()(t, scores, sample_weight=weights))(1.0)
    assert float(found) == pytest.approx((0.64 + 2 * 0.09 + 4 * 0.01) / 3)


@pytest.mark.parametrize("name", ONE_HOT)
def test_class_indices_for_a_one_hot_loss(name):
    y = np.arange(600).reshape(600, 1) % 10
    with pytest.raises(LossInputError) as caught:
        getattr(losses, name)(y, np.full((600, 10), 0.1, "float32"))
    text = str(caught.value)
    assert text.startswith(f"loss '{name}': targets must have the predictions' shape (batch, 10).")
    assert "values 0…9, which look like class indices" in text
    assert "Use loss='sparse_categorical_crossentropy'" in text
    assert "nacre.utils.to_categorical(y, 10)" in text


def test_one_hot_targets_for_the_sparse_loss():
    with pytest.raises(LossInputError, match="look one-hot.*loss='categorical_crossentropy'"):
        losses.sparse_categorical_crossentropy(np.eye(10), np.full((10, 10), 0.1))


def test_wrong_number_of_units():
    with pytest.raises(LossInputError, match="Give the last layer 10 units instead of 5"):
        losses.categorical_crossentropy(np.ones((6, 10)), np.ones((6, 5)))


def test_one_unit_with_a_loss_for_classes():
    for name in ("categorical_crossentropy", "sparse_categorical_crossentropy"):
        with pytest.raises(LossInputError, match="at least two classes.*binary_crossentropy"):
            getattr(losses, name)(np.ones((6, 1)), np.ones((6, 1)))


def test_different_batches():
    with pytest.raises(LossInputError, match="same samples"):
        losses.mean_squared_error(np.ones((6, 2)), np.ones((5, 2)))


def test_errors_come_at_trace_time():
    step = jax.jit(lambda t, p: losses.MeanSquaredError()(t, p))
    with pytest.raises(LossInputError, match=r"predictions' shape \(batch, 3\)"):
        step(jnp.ones((6,)), jnp.ones((6, 3)))


def test_metrics_refuse_too_and_speak_of_metrics():
    with pytest.raises(LossInputError, match=r"SparseCategoricalAccuracy\(\)"):
        metrics.CategoricalAccuracy().update_state(np.arange(4), np.ones((4, 5)))
    with pytest.raises(LossInputError, match=r"CategoricalAccuracy\(\)"):
        metrics.SparseCategoricalAccuracy().update_state(np.eye(4), np.ones((4, 4)))
    for metric in (metrics.Precision(), metrics.AUC(), metrics.BinaryAccuracy()):
        with pytest.raises(LossInputError, match=f"metric '{metric.name}'"):
            metric.update_state(np.ones((4, 1)), np.ones((4, 3)))
    with pytest.raises(LossInputError, match=r"\(batch, classes\)"):
        metrics.F1Score().update_state(np.ones(4), np.ones((4, 3)))


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 1, 1)])
def test_class_indices_fit_beside_axes_of_one(shape: tuple[int, ...]) -> None:
    """As in tf.keras 2.15: a decoder's single step, (batch, 1, vocab), with targets (batch,)."""
    rng = np.random.default_rng(0)
    scores, indices = rng.normal(size=(3, 1, 4)).astype("float32"), np.array([1, 0, 2])
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    weights = np.array([1, 0, 2])
    wanted = loss(indices, scores[:, 0], sample_weight=weights)
    got = loss(indices.reshape(shape), scores, sample_weight=weights)
    np.testing.assert_allclose(got, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "scores"), [((4,), (2, 2, 3)), ((2, 2), (4, 3)), ((1, 3), (3, 4))]
)
def test_class_indices_of_another_order_are_refused(
    shape: tuple[int, ...], scores: tuple[int, ...]
) -> None:
    with pytest.raises(LossInputError, match="targets must be class indices"):
        losses.sparse_categorical_crossentropy(np.zeros(shape, "int32"), np.ones(scores, "float32"))
