"""A sample, or step, of weight 0 is absent for every loss, its gradient and every metric."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import losses, metrics
from nacre.core.scope import CallContext, entered_call, set_mask
from tests.cases import Spec, build, load_reference, numbered
from tests.cases.losses import LOSS_CASES
from tests.cases.metrics import METRIC_CASES

LOSSES = list({case.loss: case for case in reversed(LOSS_CASES)}.values())
METRICS = list({case.metric: case for case in reversed(METRIC_CASES)}.values())
HOLES = (np.nan, np.inf, -np.inf, 3e38, -1.0)
ABSENT = 1


def with_hole(array, hole):
    array = np.array(array)
    if array.dtype.kind == "f":
        array[ABSENT] = hole
    return array


def check_loss(loss, y_true, y_pred, weights=None):
    """Value and gradient are those of any other content of the absent sample."""
    if weights is None:
        weights = np.ones(len(y_pred), "float32")
        weights[ABSENT] = 0
    both = jax.jit(jax.value_and_grad(lambda p, t: loss(t, p, sample_weight=weights)))
    # Targets as floats, so that NaN can stand in them.
    y_true, y_pred = np.asarray(y_true, "float32"), np.asarray(y_pred)
    expected = both(y_pred, y_true)
    assert np.isfinite(expected[1]).all()
    assert np.abs(expected[1]).sum() > 0
    for hole in HOLES:
        for t, p in ((hole, None), (None, hole), (hole, hole)):
            found = both(
                y_pred if p is None else with_hole(y_pred, p),
                y_true if t is None else with_hole(y_true, t),
            )
            for one, wanted in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, wanted, rtol=1e-6)


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.loss)
def test_a_loss_and_its_gradient_know_nothing_of_a_sample_of_weight_0(case):
    arrays = load_reference("losses")[case.id]
    y_true = arrays["y_true"]
    if case.loss == "Circle":
        y_true = np.array([0, 0, 0, 1, 1, 1][: len(y_true)])
    loss = build(Spec(case.loss, dict(case.kwargs), namespace="losses"), nacre)
    check_loss(loss, y_true, arrays["y_pred"])


EMBEDDINGS = np.random.default_rng(0).normal(size=(5, 3, 2)).astype("float32")


@pytest.mark.parametrize(
    ("loss", "y_pred"),
    [
        (losses.TripletLoss(), EMBEDDINGS),
        (losses.TripletLoss(mining="semi_hard"), EMBEDDINGS[:, 0]),
        (losses.NTXentLoss(), EMBEDDINGS[:, :2]),
        (losses.ContrastiveLoss(), np.abs(EMBEDDINGS[:, 0, :1])),
        (losses.LossFunctionWrapper(lambda t, p: jnp.mean(-jnp.log(jnp.abs(p)), -1)), EMBEDDINGS),
        (losses.LossFunctionWrapper(lambda t, p: jnp.mean(jnp.square(p))), EMBEDDINGS),
    ],
    ids=["triplet", "semi_hard", "nt_xent", "contrastive", "own_logarithm", "own_single_number"],
)
def test_samples_of_weight_0_are_no_partners_of_others(loss, y_pred):
    check_loss(loss, np.array([0, 0, 0, 1, 1]), y_pred)


def test_comparing_losses_are_as_without_the_absent_samples():
    labels, kept = np.array([0, 0, 0, 1, 1]), np.array([0, 2, 3, 4])
    weights = np.ones(5, "float32")
    weights[ABSENT] = 0
    for loss, y_pred in (
        (losses.Circle(reduction="sum"), EMBEDDINGS[:, 0]),
        (losses.TripletLoss(mining="semi_hard", reduction="sum"), EMBEDDINGS[:, 0]),
        (losses.NTXentLoss(reduction="sum"), EMBEDDINGS[:, :2]),
        (losses.Dice(), np.abs(EMBEDDINGS[:, 0])),
        (losses.Tversky(), np.abs(EMBEDDINGS[:, 0])),
    ):
        y_true = np.abs(EMBEDDINGS[:, 1]) if y_pred.min() >= 0 else labels
        found = loss(y_true, y_pred, sample_weight=weights)
        if np.shape(loss.reduction) == () and loss.reduction != "sum":
            found = found / weights.mean()  # one number for the batch, times the mean weight
        np.testing.assert_allclose(found, loss(y_true[kept], y_pred[kept]), rtol=1e-5)


SEQUENCES = np.random.default_rng(1).uniform(0.1, 0.9, (4, 5, 3)).astype("float32")
STEPS = np.ones((4, 5), "float32")
STEPS[ABSENT], STEPS[2, 3] = 0, 0


def hollow(array, hole):
    array = np.array(array)
    array[STEPS == 0] = hole
    return array


@pytest.mark.parametrize("kind", ["weights", "mask", "both"])
@pytest.mark.parametrize(
    "loss",
    [
        losses.MeanSquaredError(),
        losses.CategoricalCrossentropy(),
        losses.CosineSimilarity(reduction="sum"),
        losses.LossFunctionWrapper(lambda t, p: jnp.mean(-jnp.log(p) * t, -1)),
    ],
    ids=["mse", "categorical_crossentropy", "cosine", "own"],
)
def test_a_loss_knows_nothing_of_steps_that_are_absent(loss, kind):
    y_true = np.eye(3, dtype="float32")[np.arange(20).reshape(4, 5) % 3]

    @jax.jit
    def both(p, t):
        def value(p):
            p = p + 0.0
            if kind != "weights":
                set_mask(p, jnp.asarray(STEPS if kind == "mask" else STEPS[:, :1] != 0) != 0)
            return loss(t, p, sample_weight=None if kind == "mask" else STEPS)

        with entered_call(CallContext(None, True)):  # in which masks travel with traced arrays
            return jax.value_and_grad(value)(p)

    expected = both(SEQUENCES, y_true)
    for hole in (np.nan, np.inf, 3e38, 0.0):
        found = both(hollow(SEQUENCES, hole), hollow(y_true, hole))
        for one, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, wanted, rtol=1e-6)


def test_weights_of_steps_belong_to_the_axes_beside_that_of_the_classes():
    pixels = np.moveaxis(SEQUENCES, -1, 1)  # (batch, classes, places)
    y_true = np.moveaxis(np.eye(3, dtype="float32")[np.arange(20).reshape(4, 5) % 3], -1, 1)
    loss = losses.CategoricalCrossentropy(axis=1)
    gradient = jax.grad(lambda p, t: loss(t, p, sample_weight=STEPS))
    expected = gradient(pixels, y_true)
    pixels, y_true = pixels.copy(), y_true.copy()
    for array in (pixels, y_true):
        np.moveaxis(array, 1, -1)[STEPS == 0] = np.nan
    np.testing.assert_allclose(gradient(pixels, y_true), expected, rtol=1e-6)


def test_what_is_predicted_for_an_ignored_label_reaches_no_gradient():
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    y_true, y_pred = np.array([0, -1, 2]), SEQUENCES[0, :3].copy()
    expected = jax.grad(lambda p: loss(y_true, p))(y_pred)
    y_pred[1] = np.nan
    np.testing.assert_allclose(jax.grad(lambda p: loss(y_true, p))(y_pred), expected, rtol=1e-6)


@pytest.mark.parametrize("case", METRICS, ids=lambda case: case.metric)
def test_a_metric_knows_nothing_of_a_sample_of_weight_0(case):
    arrays = load_reference("metrics")[case.id]
    batch = [np.asarray(a) for a in numbered(arrays, "batch_0_argument")]
    weights = np.ones(len(batch[0]), "float32")
    weights[ABSENT] = 0

    @jax.jit
    def after(values):
        metric = build(Spec(case.metric, dict(case.kwargs), namespace="metrics"), nacre)
        if hasattr(metric, "build"):
            metric.build(*(np.shape(a) for a in batch))
        return metric.stateless_update_state(
            [v.value for v in metric.variables], *values, sample_weight=weights
        )

    batch = [a.astype("float32") for a in batch]
    expected = after(batch)
    for hole in HOLES:
        for one, wanted in zip(after([with_hole(a, hole) for a in batch]), expected, strict=True):
            np.testing.assert_allclose(one, wanted, rtol=1e-6)


def test_metrics_of_nothing_but_absent_samples_are_those_of_none():
    for metric in (metrics.R2Score(), metrics.F1Score(), metrics.AUC(), metrics.MeanSquaredError()):
        metric.update_state(
            np.full((3, 2), np.nan), np.full((3, 2), np.inf), sample_weight=[0.0] * 3
        )
        values = [np.asarray(v) for v in metric.variables if not v.path.endswith("num_samples")]
        assert all(np.all(v == 0) for v in values), metric.name


@pytest.mark.parametrize("kind", ["weights", "mask"])
@pytest.mark.parametrize("axis", [None, (1, 2), (0, 1), [2]])
def test_sums_over_regions_know_nothing_of_steps_that_are_absent(axis, kind):
    y_true = np.eye(3, dtype="float32")[np.arange(20).reshape(4, 5) % 3]
    # What is left of the predictions' axes is what the loss gives a number for.
    weights = {None: STEPS, (1, 2): STEPS[:, 0], (0, 1): np.array([1, 0, 1])}.get(
        axis if axis is None else tuple(axis), STEPS
    )
    absent = np.zeros((4, 5, 3), bool)
    if kind == "mask":
        absent |= (STEPS == 0)[..., None]
    elif axis == (0, 1):
        absent |= (weights == 0)[None, None]
    else:
        absent |= (weights == 0).reshape(*weights.shape, *(1,) * (3 - weights.ndim))

    if kind == "mask" and axis == (0, 1):  # the axes of the mask are gone, so it has no meaning
        return
    asked = [losses.Dice(axis=axis), losses.Tversky(axis=axis)]
    if not (axis is None and kind == "weights"):  # one number has no weights of steps
        asked.append(metrics_of("dice", axis))
    for loss in asked:

        def value(hole, loss=loss):
            y, p = (np.where(absent, hole, array) for array in (y_true, SEQUENCES))
            p = jnp.asarray(p)
            if kind == "weights":
                return loss(y, p, sample_weight=weights)
            set_mask(p, jnp.asarray(STEPS != 0))
            return loss(y, p)

        expected = value(0.0)
        assert np.isfinite(expected)
        for hole in (np.nan, 7.0):
            np.testing.assert_allclose(value(hole), expected, rtol=1e-5)


def metrics_of(name, axis):
    def value(y_true, y_pred, sample_weight=None):
        metric = metrics.MeanMetricWrapper(getattr(losses, name), axis=axis)
        metric.update_state(y_true, y_pred, sample_weight=sample_weight)
        return metric.result()

    return value
