"""Metrics: names, masks, counting by buckets, areas against a brute-force count, custom ones."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import metrics
from nacre.core.errors import ArgumentError, LossInputError, UnknownNameError
from nacre.core.scope import set_mask
from nacre.metrics._counts import count, spread_thresholds


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("acc", "Accuracy"),
        ("accuracy", "Accuracy"),
        ("mse", "MeanSquaredError"),
        ("MAE", "MeanAbsoluteError"),
        ("auc", "AUC"),
        ("AUC", "AUC"),
        ("f1_score", "F1Score"),
        ("binary_accuracy", "BinaryAccuracy"),
        ("kullback_leibler_divergence", "KLDivergence"),
        ("logcosh", "LogCoshError"),
        ("top_k_categorical_accuracy", "TopKCategoricalAccuracy"),
        ("true_positives", "TruePositives"),
    ],
)
def test_names_and_short_names(name, found):
    assert type(metrics.get(name)).__name__ == found


def test_get_other_things():
    assert metrics.get(None) is None
    assert metrics.get("huber") is metrics.huber
    assert isinstance(metrics.get(metrics.Mean), metrics.Mean)
    with pytest.raises(UnknownNameError, match="Did you mean 'accuracy'"):
        metrics.get("acuracy")
    with pytest.raises(ArgumentError, match=r"Pass an object: nacre.metrics.MeanIoU"):
        metrics.get("MeanIoU")


def brute_force(y_true, y_pred, weights, thresholds):
    rows = []
    for threshold in thresholds:
        above = y_pred > threshold
        cells = [above & (y_true == 1), above & (y_true == 0), ~above & (y_true == 0), ~above & (y_true == 1)]  # fmt: skip
        rows.append([(weights * cell).sum(0) for cell in cells])
    return np.moveaxis(np.array(rows), 1, 0)


@pytest.mark.parametrize("kind", ["spread", "few", "many", "unsorted"])
def test_counts_equal_brute_force(kind):
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 2, (500, 3)).astype("float32")
    y_pred = rng.uniform(0, 1, (500, 3)).astype("float32")
    weights = rng.uniform(0, 2, (500, 3)).astype("float32")
    thresholds = {
        "spread": spread_thresholds(50),
        "few": [0.1, 0.7],
        "many": np.sort(rng.uniform(0, 1, 20)),
        "unsorted": rng.uniform(0, 1, 20),
    }[kind]
    found = count(jnp.asarray(y_true), jnp.asarray(y_pred), jnp.asarray(weights), thresholds, True)
    expected = brute_force(y_true, y_pred, weights, thresholds)
    np.testing.assert_allclose(np.stack(found), expected, rtol=1e-4, atol=1e-3)


def test_counting_needs_no_table_of_thresholds_by_samples():
    # 200 thresholds and 1000 samples: no array of 200 000 may appear in the program.
    metric = metrics.AUC()
    program = jax.make_jaxpr(metric.stateless_update_state)(
        [v.value for v in metric.variables], jnp.ones(1000), jnp.ones(1000)
    )
    assert "f32[200,1000" not in str(program) and "f32[1000" in str(program)


def test_auc_is_near_the_exact_area():
    rng = np.random.default_rng(1)
    y_true = rng.integers(0, 2, 400)
    y_pred = np.clip(0.3 * y_true + rng.uniform(0, 0.7, 400), 0, 1)
    metric = metrics.AUC(num_thresholds=2000)
    metric.update_state(y_true, y_pred)
    higher = y_pred[y_true == 1][:, None] > y_pred[y_true == 0][None]
    np.testing.assert_allclose(metric.result(), higher.mean(), atol=2e-3)


def test_auc_refuses_other_label_counts():
    metric = metrics.AUC(multi_label=True, num_labels=3)
    with pytest.raises(LossInputError, match="must have 3 labels"):
        metric.update_state(np.ones((2, 4)), np.ones((2, 4)))
    with pytest.raises(UnknownNameError, match="Did you mean 'ROC'"):
        metrics.AUC(curve="RCO")


@pytest.mark.parametrize(
    "metric",
    [
        metrics.MeanSquaredError(),
        metrics.SparseCategoricalAccuracy(),
        metrics.RootMeanSquaredError(),
        metrics.Precision(),
        metrics.AUC(),
    ],
    ids=lambda m: type(m).__name__,
)
def test_masked_equals_left_out(metric):
    rng = np.random.default_rng(0)
    y_pred = jnp.asarray(rng.dirichlet(np.ones(3), (2, 4)), "float32")
    sparse = isinstance(metric, metrics.SparseCategoricalAccuracy)
    y_true = rng.integers(0, 2, (2, 4) if sparse else (2, 4, 3))
    mask = np.array([[True, True, True, False], [True, False, False, False]])
    weights = rng.uniform(0.5, 2, (2, 4))
    metric.reset_state()
    metric.update_state(y_true[mask], y_pred[mask], sample_weight=weights[mask])
    expected = np.asarray(metric.result())
    metric.reset_state()
    masked = y_pred + 0.0
    set_mask(masked, jnp.asarray(mask))
    metric.update_state(y_true, masked, sample_weight=weights)
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-5)


def test_mean_reduces_first_where_a_weight_belongs_to_several_values():
    mean, total = metrics.Mean(), metrics.Sum()
    for metric in (mean, total):
        metric.update_state(np.arange(6.0).reshape(2, 3), sample_weight=[1.0, 2.0])
    assert float(mean.result()) == 3.0
    assert float(total.result()) == 27.0
    assert float(metrics.Mean().result()) == 0.0


def test_top_k_shares_places():
    scores = np.array([[0.3, 0.3, 0.3], [0.2, 0.3, 0.5]], "float32")
    assert metrics.sparse_top_k_categorical_accuracy([2, 0], scores, k=1).tolist() == [1.0, 0.0]
    ids = np.array([[2, 1, 0], [2, 1, 0]])
    right = metrics.sparse_top_k_categorical_accuracy([1, 0], ids, k=2, from_sorted_ids=True)
    assert right.tolist() == [1.0, 0.0]


def test_accuracy_of_large_whole_numbers_is_exact():
    assert metrics.Accuracy()([2**24], [2**24 + 1]) == 0.0


def test_f_score_of_one_class_needs_a_threshold():
    with pytest.raises(LossInputError, match=r"Pass threshold=0\.5"):
        metrics.F1Score().update_state(np.ones((3, 1)), np.ones((3, 1)))


def test_f_score_by_hand():
    y_true = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 0]], "float32")
    y_pred = np.array([[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]], "float32")
    metric = metrics.FBetaScore(beta=2.0, threshold=0.5)
    metric.update_state(y_true, y_pred)
    found = y_pred > 0.5
    precision = (found * y_true).sum(0) / found.sum(0)
    recall = (found * y_true).sum(0) / y_true.sum(0)
    expected = 5 * precision * recall / (4 * precision + recall)
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-5)


def test_iou_weights_and_unknown_classes():
    metric = metrics.MeanIoU(2, dtype="float32")
    metric.update_state([0, 0, 1, 1], [0, 1, 0, 1], sample_weight=[0.3, 0.3, 0.3, 0.1])
    np.testing.assert_allclose(metric.result(), (0.3 / 0.9 + 0.1 / 0.7) / 2, rtol=1e-5)
    ignoring = metrics.MeanIoU(2, ignore_class=255)
    ignoring.update_state([0, 1, 255], [0, 1, 1])
    assert float(ignoring.result()) == 1.0


def test_correlation_equals_numpy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 20)), rng.normal(size=(3, 20))
    expected = [np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(metrics.pearson_correlation(a, b), expected, rtol=1e-4)


def test_custom_metric_with_keras_habits():
    class Largest(metrics.Metric):
        def __init__(self, name="largest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.largest = self.add_weight(name="largest", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.largest.assign(jnp.maximum(self.largest.value, jnp.max(y_pred)))

        def result(self):
            return self.largest.value

    metric = Largest()
    metric.update_state(None, jnp.array([1.0, 5.0]))
    assert float(metric.result()) == 5.0
    assert len(metric.variables) == 1
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_metric_of_metrics_counts_their_variables():
    class Both(metrics.Metric):
        def __init__(self):
            super().__init__(name="both")
            self.first, self.second = metrics.Mean(), metrics.Sum()

    assert [v.name for v in Both().variables] == ["total", "count", "total"]


def test_add_variable_refuses_unknown_initializers():
    with pytest.raises(UnknownNameError, match="Did you mean 'zeros'"):
        metrics.Mean().add_variable((), "zeroes")


def test_wrapper_of_function_round_trips():
    metric = metrics.MeanMetricWrapper(nacre.losses.huber, name="robust", delta=0.5)
    again = metrics.deserialize(metrics.serialize(metric))
    assert float(again([0.0], [2.0])) == float(metric([0.0], [2.0]))
    assert again.name == "robust"


def test_directions_for_callbacks():
    assert metrics.AUC().direction == "max"
    assert metrics.MeanSquaredError().direction == "min"
    assert metrics.Mean().direction is None


@pytest.mark.parametrize(
    ("y_true", "y_pred", "found"),
    [
        ((4,), (4, 1), "BinaryAccuracy"),
        ((4, 1), (4, 1), "BinaryAccuracy"),
        ((4, 3), (4, 3), "CategoricalAccuracy"),
        ((4,), (4, 3), "SparseCategoricalAccuracy"),
        ((4, 1), (4, 3), "SparseCategoricalAccuracy"),
        ((4, 5), (4, 5, 1), "BinaryAccuracy"),
        ((4, 5), (4, 5, 3), "SparseCategoricalAccuracy"),
        ((4, 5, 3), (4, 5, 3), "CategoricalAccuracy"),
        ((None,), (None,), "BinaryAccuracy"),
    ],
)
def test_accuracy_is_chosen_by_shapes(y_true, y_pred, found):
    for name in ("accuracy", "acc"):
        metric, why = metrics.resolve_accuracy(name, y_true, y_pred)
        assert type(metric).__name__ == found
        assert metric.name == name
        assert why.startswith(found) and why.endswith(".")


def test_choice_knows_the_loss():
    logits = nacre.losses.BinaryCrossentropy(from_logits=True)
    metric, why = metrics.resolve_accuracy("accuracy", (4,), (4, 1), loss=logits)
    assert metric.threshold == 0.0 and "threshold is 0" in why
    metric, _ = metrics.resolve_accuracy("ce", (4,), (4, 1), loss=logits)
    assert type(metric).__name__ == "BinaryCrossentropy" and metric.from_logits
    binary = nacre.losses.binary_crossentropy
    _, why = metrics.resolve_accuracy("acc", (4, 3), (4, 3), loss=binary)
    assert "BinaryAccuracy()" in why
    with pytest.raises(UnknownNameError):
        metrics.resolve_accuracy("precision", (4,), (4, 1))


@pytest.mark.parametrize("number", [2, 3, 5, 201])
def test_scores_of_exactly_0_are_above_no_threshold_from_0(number):
    scores = np.array([0, 1e-9, 0.25, 0.5, 0.75, 1.0, 0.3, 0.9], "float32")
    labels = np.array([0, 1, 1, 0, 1, 1, 0, 1])
    thresholds = np.linspace(0, 1, number)
    at = metrics.SpecificityAtSensitivity(1.0, num_thresholds=number)
    precision = metrics.Precision(thresholds=thresholds.tolist())
    for metric in (at, precision):
        metric.update_state(labels, scores)
        np.testing.assert_allclose(metric.thresholds, thresholds)
        for name, label in (("true_positives", 1), ("false_positives", 0)):
            above = [(scores[labels == label] > t).sum() for t in thresholds.astype("float32")]
            assert np.asarray(getattr(metric, name)).tolist() == above
    np.testing.assert_allclose(at.result(), 1 / 3)  # one negative score is 0; Keras says the same


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16"])
def test_counts_do_not_saturate_in_16_bits(dtype):
    many = np.ones((5000, 1), "float32")
    for make in (
        metrics.AUC,
        metrics.Precision,
        metrics.TruePositives,
        lambda dtype: metrics.PrecisionAtRecall(0.5, dtype=dtype),
    ):
        metric = make(dtype=dtype)
        for _ in range(2):
            metric.update_state(many, many)
        variable = metric.variables[0]
        assert variable.dtype == "float32" and float(np.max(variable)) == 10000
        assert metric.result().dtype == "float32"
    r2 = metrics.R2Score(dtype=dtype)
    r2.update_state(many, many)
    assert {v.dtype for v in r2.variables} == {"float32"}


def test_a_mean_of_whole_numbers_has_a_fraction():
    assert float(metrics.Mean(dtype="int32")([1, 2])) == 1.5


class Several(metrics.Metric):
    def __init__(self):
        super().__init__(name="several")
        self.parts = [metrics.Mean("a"), metrics.Sum("b")]
        self.named = {"c": metrics.Mean("c")}
        self.parts.append(metrics.Sum("d"))
        self.own = self.add_variable((), "zeros", name="own")

    def update_state(self, y_true, y_pred, sample_weight=None):
        for part in [*self.parts, *self.named.values()]:
            part.update_state(y_pred)

    def result(self):
        return self.parts[0].result()


def test_metrics_in_lists_and_dicts_are_part_of_their_owner():
    metric = Several()
    paths = [v.path for v in metric.variables]
    assert paths == [
        "several/own",
        "a/total",
        "a/count",
        "b/total",
        "c/total",
        "c/count",
        "d/total",
    ]
    assert float(metric([1.0], [3.0])) == 3.0
    metric.reset_state()
    assert all(float(v) == 0 for v in metric.variables)


def test_merged_metrics_are_one_over_all_batches():
    first, second = metrics.Mean(), metrics.Mean()
    first.update_state([1.0, 2.0, 3.0])
    second.update_state([10.0])
    first.merge_state([second])
    assert float(first.result()) == 4.0
    with pytest.raises(ArgumentError, match="same variables"):
        first.merge_state([metrics.Sum()])


def test_thresholds_that_are_no_numbers_are_refused():
    for make in (
        lambda: metrics.Precision(thresholds="a"),
        lambda: metrics.Recall(thresholds=[0.5, None]),
        lambda: metrics.F1Score(threshold="a"),
    ):
        with pytest.raises(ArgumentError, match="threshold"):
            make()
