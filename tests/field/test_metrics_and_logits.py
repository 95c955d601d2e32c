"""Metrics of probabilities beside a loss that takes logits, and scores where classes belong."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest

import nacre
from nacre import layers, losses, metrics
from nacre.core.errors import LossInputError

RNG = np.random.default_rng(3)
LOGITS = np.linspace(-4.0, 3.0, 24).astype("float32")[:, None]
Y = (RNG.random((24, 1)) < 1 / (1 + np.exp(-LOGITS))).astype("float32")
P = (1 / (1 + np.exp(-LOGITS.astype("float64")))).astype("float32")
WEIGHTS = RNG.random(24).astype("float32")


def compiled(metric=None, loss=None, weighted=None, columns=1):
    """A model that gives its input back."""
    model = nacre.Sequential([nacre.Input((columns,)), layers.Identity(), layers.Rescaling(1.0)])
    if loss is None:
        loss = losses.BinaryCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=metric, weighted_metrics=weighted)
    return model


def evaluated(*made, x=LOGITS, y=Y, weight=None, **kwargs):
    """What `evaluate` reports for each metric: a number, or all of them for several."""
    names = [f"m{i}" for i in range(len(made))]
    for metric, name in zip(made, names, strict=True):
        metric.name = name
    given = {"metric": list(made)} if weight is None else {"weighted": list(made)}
    model = compiled(**given, **kwargs)
    logs = model.evaluate(x, y, sample_weight=weight, verbose=0, return_dict=True)
    return logs["m0"] if len(made) == 1 else [logs[name] for name in names]


def alone(metric, x=P, y=Y, weight=None):
    metric.update_state(y, x, sample_weight=weight)
    return np.asarray(metric.result())


PROBABILITY_METRICS = {
    "Precision": metrics.Precision,
    "Recall": metrics.Recall,
    "TruePositives": metrics.TruePositives,
    "TrueNegatives": metrics.TrueNegatives,
    "FalsePositives": metrics.FalsePositives,
    "FalseNegatives": metrics.FalseNegatives,
    "AUC": metrics.AUC,
    "AUC of precision and recall": lambda: metrics.AUC(curve="PR", num_thresholds=50),
    "BinaryAccuracy": metrics.BinaryAccuracy,
    "BinaryIoU": metrics.BinaryIoU,
    "BinaryCrossentropy": metrics.BinaryCrossentropy,
    "SensitivityAtSpecificity": lambda: metrics.SensitivityAtSpecificity(0.5),
    "SpecificityAtSensitivity": lambda: metrics.SpecificityAtSensitivity(0.5),
    "PrecisionAtRecall": lambda: metrics.PrecisionAtRecall(0.5),
    "RecallAtPrecision": lambda: metrics.RecallAtPrecision(0.5),
    "function": lambda: metrics.MeanMetricWrapper(metrics.binary_accuracy),
    "loss function": lambda: metrics.MeanMetricWrapper(losses.binary_focal_crossentropy),
}


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["unweighted", "weighted"])
def test_default_thresholds_are_of_probabilities_beside_a_loss_with_logits(weight):
    found = evaluated(*(make() for make in PROBABILITY_METRICS.values()), weight=weight)
    for (name, make), value in zip(PROBABILITY_METRICS.items(), found, strict=True):
        np.testing.assert_allclose(value, alone(make(), weight=weight), rtol=1e-5, err_msg=name)


def test_a_metric_by_itself_is_left_alone():
    for make in (metrics.BinaryCrossentropy, metrics.AUC):
        assert not np.allclose(alone(make(), LOGITS), alone(make()))


def test_names_are_resolved_for_logits_too():
    accuracy, entropy = alone(metrics.BinaryAccuracy()), alone(metrics.BinaryCrossentropy())
    expected = {
        "accuracy": accuracy,
        "binary_accuracy": accuracy,
        "auc": alone(metrics.AUC()),
        "ce": entropy,
        "binary_crossentropy": entropy,
    }
    logs = compiled(list(expected)).evaluate(LOGITS, Y, verbose=0, return_dict=True)
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-5, err_msg=name)


def test_a_threshold_that_was_given_is_left_alone():
    makers = (
        lambda: metrics.Precision(thresholds=0.0),
        lambda: metrics.Precision(thresholds=0.5),
        lambda: metrics.Recall(thresholds=[0.0, 0.7]),
        lambda: metrics.BinaryAccuracy(threshold=0.0),
        lambda: metrics.BinaryIoU(threshold=0.0),
        lambda: metrics.AUC(thresholds=[0.2, 0.8]),
        lambda: metrics.AUC(from_logits=True),
        lambda: metrics.F1Score(threshold=0.5),
    )
    found = evaluated(*(make() for make in makers))
    for index, (make, value) in enumerate(zip(makers, found, strict=True)):
        np.testing.assert_allclose(value, alone(make(), LOGITS), rtol=1e-5, err_msg=str(index))


def test_without_logits_nothing_changes():
    for loss in ("binary_crossentropy", losses.Hinge()):
        found = evaluated(metrics.Precision(), x=P, loss=loss)
        np.testing.assert_allclose(found, alone(metrics.Precision()))


class OwnLoss(losses.Loss):
    def __init__(self):
        super().__init__()
        self.from_logits = True

    def call(self, y_true, y_pred):
        return losses.binary_crossentropy(y_true, y_pred, from_logits=True)


def test_losses_that_say_logits_are_known_in_every_form():
    expected = alone(metrics.Precision())
    for loss in (
        losses.BinaryFocalCrossentropy(from_logits=True),
        functools.partial(losses.binary_crossentropy, from_logits=True),
        {"class_name": "BinaryCrossentropy", "config": {"from_logits": True}},
        OwnLoss(),
        [losses.BinaryCrossentropy(from_logits=True)],
    ):
        np.testing.assert_allclose(evaluated(metrics.Precision(), loss=loss), expected)


def test_several_classes_go_through_softmax():
    logits = RNG.normal(size=(12, 3)).astype("float32") * 3
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    y = np.eye(3, dtype="float32")[RNG.integers(0, 3, 12)]
    makers = (
        metrics.Precision,
        metrics.AUC,
        metrics.BinaryAccuracy,
        metrics.CategoricalCrossentropy,
        metrics.KLDivergence,
        metrics.F1Score,
        lambda: metrics.Recall(top_k=2),
    )
    loss = losses.CategoricalCrossentropy(from_logits=True)
    found = evaluated(*(make() for make in makers), x=logits, y=y, loss=loss, columns=3)
    for make, value in zip(makers, found, strict=True):
        np.testing.assert_allclose(value, alone(make(), p, y), rtol=1e-4)


def test_cross_entropy_of_large_logits_stays_exact():
    x, y = np.array([[60.0], [-60.0]], "float32"), np.array([[0.0], [0.0]], "float32")
    np.testing.assert_allclose(evaluated(metrics.BinaryCrossentropy(), x=x, y=y), 30.0, rtol=1e-6)


def test_each_output_goes_by_its_own_loss():
    x = nacre.Input((1,))
    outputs = {"logits": layers.Identity(name="a")(x), "scores": layers.Identity(name="b")(x)}
    model = nacre.Model(x, outputs)
    model.compile(
        "sgd",
        {"logits": losses.BinaryCrossentropy(from_logits=True), "scores": "mse"},
        metrics={"logits": [metrics.Precision(name="p")], "scores": [metrics.Precision(name="p")]},
    )
    logs = model.evaluate(LOGITS, {"logits": Y, "scores": Y}, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["logits_p"], alone(metrics.Precision()))
    np.testing.assert_allclose(logs["scores_p"], alone(metrics.Precision(), LOGITS))


class Compensating(metrics.Precision):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true, nacre.ops.sigmoid(y_pred), sample_weight)


class Renamed(metrics.Precision):
    pass


def test_an_update_of_the_users_own_is_left_alone_and_a_mere_subclass_is_not():
    expected = alone(metrics.Precision())
    patched = metrics.Precision()
    update = patched.update_state
    patched.update_state = lambda y, p, sample_weight=None: update(
        y, nacre.ops.sigmoid(p), sample_weight
    )
    found = evaluated(Compensating(), Renamed(), patched)
    np.testing.assert_allclose(found, [expected] * 3)


def test_the_metric_and_what_is_saved_stay_as_the_user_wrote_them(tmp_path):
    metric = metrics.Precision(name="p")
    before = metric.get_config()
    model = compiled([metric, metrics.BinaryAccuracy(name="b")])
    first = model.evaluate(LOGITS, Y, verbose=0, return_dict=True)
    assert metric.get_config() == before and metric.thresholds == [0.5]
    model.save(tmp_path / "m.keras")
    loaded = nacre.models.load_model(tmp_path / "m.keras")
    saved = loaded.get_compile_config()["metrics"]
    assert [
        entry["config"].get("thresholds", entry["config"].get("threshold")) for entry in saved
    ] == [
        None,
        0.5,
    ]
    assert loaded.evaluate(LOGITS, Y, verbose=0, return_dict=True) == first


def test_what_is_done_is_said_once(capsys):
    model = compiled([metrics.Precision(name="p"), metrics.F1Score(threshold=0.5, name="f")])
    model.evaluate(LOGITS, Y, verbose=0)
    assert capsys.readouterr().out == ""
    model.evaluate(LOGITS, Y, verbose=2)
    said = capsys.readouterr().out
    assert "p = Precision of sigmoid(predictions)" in said
    assert "f = F1Score of logits" in said and "given threshold 0.5" in said
    model.evaluate(LOGITS, Y, verbose=2)
    assert "Precision of" not in capsys.readouterr().out


def test_fit_eager_steps_and_masks_take_logits_into_account():
    y = (RNG.random((4, 3, 1)) < 0.5).astype("float32")
    x = RNG.normal(size=(4, 3, 1)).astype("float32")
    x[:, 2] = 0.0
    model = nacre.Sequential([nacre.Input((3, 1)), layers.Masking(), layers.Dense(1)])
    loss = losses.BinaryCrossentropy(from_logits=True)
    found = []
    for eager in (False, True):
        model.compile(
            nacre.optimizers.SGD(0.0), loss, [metrics.TruePositives(name="tp")], run_eagerly=eager
        )
        found.append(model.fit(x, y, verbose=0).history["tp"][0])
    logits = model.predict(x, verbose=0)
    expected = ((logits > 0) & (y == 1))[:, :2].sum()
    assert found == [expected, expected]


# ---------------------------------------------------------------- scores where classes belong


IOUS = {
    "MeanIoU": lambda **k: metrics.MeanIoU(2, **k),
    "IoU": lambda **k: metrics.IoU(2, [1], **k),
    "OneHotIoU": lambda **k: metrics.OneHotIoU(2, [1], sparse_y_pred=True, **k),
    "OneHotMeanIoU": lambda **k: metrics.OneHotMeanIoU(2, sparse_y_pred=True, **k),
}


@pytest.mark.parametrize("name", IOUS)
def test_scores_are_refused_where_class_indices_are_read(name):
    y = [[1, 0], [0, 1]] if "OneHot" in name else [0, 1]
    with pytest.raises(LossInputError, match=r"class indices.*0\.2 at \(0,\).*BinaryIoU"):
        IOUS[name]().update_state(y, [0.2, 0.9])
    whole = IOUS[name]()
    whole.update_state(y, [0.0, 1.0])
    assert float(whole.result()) == 1.0


def test_scores_of_a_model_are_refused_when_training_starts():
    model = compiled([metrics.MeanIoU(2)], loss="mse")
    with pytest.raises(LossInputError, match=r"\(batch, 1\), float32.*BinaryIoU"):
        model.fit(P, Y, verbose=0)
    model = compiled([metrics.MeanIoU(3)], loss="mse", columns=3)
    with pytest.raises(LossInputError, match="sparse_y_pred=False"):
        model.evaluate(RNG.random((4, 3)), np.eye(3)[:3].repeat(2, 0)[:4], verbose=0)


class Rounded(metrics.MeanIoU):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true, nacre.ops.cast(y_pred > 0.5, "float32"), sample_weight)


def test_whole_floats_of_a_traced_step_are_taken_and_others_give_nan():
    logs = compiled([Rounded(2, name="m")], loss="mse").evaluate(P, Y, verbose=0, return_dict=True)
    reference = metrics.BinaryIoU()
    np.testing.assert_allclose(logs["m"], alone(reference), rtol=1e-6)
    metric = metrics.MeanIoU(2)
    state = [v.value for v in metric.variables]
    step = jax.jit(metric.stateless_update_state)
    for scores, is_nan in (([0.0, 1.0], False), ([0.2, 0.9], True), ([0.0, 1.0], True)):
        state = step(state, np.array([0, 1]), np.array(scores, "float32"))
        assert np.isnan(float(metric.stateless_result(state))) == is_nan


def test_labels_that_are_no_class_are_refused_unless_they_do_not_count():
    for wrong in (-1, 2, 255):
        with pytest.raises(LossInputError, match=rf"from 0 to 1.*{wrong} at \(1,\)"):
            metrics.MeanIoU(2).update_state([0, wrong], [0, 1])
    ignoring = metrics.MeanIoU(2, ignore_class=255)
    ignoring.update_state([0, 255, 1], [0, 1, 1])
    ignoring.update_state([0, 7], [0, 1], sample_weight=[1, 0])
    assert float(ignoring.result()) == 1.0


def test_one_metric_object_given_twice_counts_apart():
    x = nacre.Input((1,))
    model = nacre.Model(x, [layers.Identity(name="a")(x), layers.Rescaling(-1.0, name="b")(x)])
    metric = metrics.Precision(name="p")
    model.compile("sgd", "mse", metrics=[metric], weighted_metrics=[[metric], []])
    logs = model.evaluate(P, [Y, Y], verbose=0, return_dict=True)
    expected = alone(metrics.Precision())
    assert (logs["a_p"], logs["a_weighted_p"], logs["b_p"]) == (expected, expected, 0.0)


@pytest.mark.parametrize("make", [metrics.R2Score, lambda: metrics.F1Score(threshold=0.5)])
def test_one_number_a_sample_is_one_column_also_for_metrics_of_columns(make):
    x, y = np.array([[-2.0], [1.0], [2.0], [-1.0]]), np.array([0.0, 1.0, 1.0, 1.0])
    model = nacre.Sequential([nacre.Input((1,)), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "mse", metrics=[make()])
    flat = model.evaluate(x, y, verbose=0)[1]
    np.testing.assert_allclose(flat, model.evaluate(x, y[:, None], verbose=0)[1])


def test_metrics_of_columns_refuse_class_indices_with_the_shapes_a_user_knows():
    model = nacre.Sequential([nacre.Input((1,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[metrics.F1Score()])
    with pytest.raises(
        LossInputError, match=r"targets \(batch,\), predictions \(batch, 3\).*to_ca"
    ):
        model.evaluate(np.ones((2, 1)), np.array([0, 1]), verbose=0)
