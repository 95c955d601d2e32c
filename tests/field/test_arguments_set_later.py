"""Arguments of losses and metrics that are set as attributes later hold from then on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, losses, metrics
from nacre.core.errors import ArgumentError

SCORES = np.random.default_rng(0).random((8, 4)).astype("float32")
SCORES /= SCORES.sum(axis=1, keepdims=True)
LABELS = np.arange(8) % 4
ONE_HOT = np.eye(4, dtype="float32")[LABELS]
ONE = ONE_HOT[:, :1], SCORES[:, :1]

CASES: list[tuple[type, dict[str, Any], Any]] = [
    (losses.Huber, {"delta": 0.2}, ONE),
    (losses.BinaryCrossentropy, {"label_smoothing": 0.3}, ONE),
    (losses.BinaryCrossentropy, {"from_logits": True}, ONE),
    (losses.BinaryFocalCrossentropy, {"gamma": 0.5}, ONE),
    (losses.BinaryFocalCrossentropy, {"apply_class_balancing": True}, ONE),
    (losses.CategoricalCrossentropy, {"label_smoothing": 0.3}, (ONE_HOT, SCORES)),
    (losses.CategoricalFocalCrossentropy, {"alpha": 0.9}, (ONE_HOT, SCORES)),
    (losses.SparseCategoricalCrossentropy, {"ignore_class": 1}, (LABELS, SCORES)),
    (losses.Tversky, {"alpha": 0.9}, (ONE_HOT, SCORES)),
    (losses.CosineSimilarity, {"axis": 0}, (ONE_HOT, SCORES)),
    (metrics.BinaryAccuracy, {"threshold": 0.1}, ONE),
    (metrics.BinaryCrossentropy, {"label_smoothing": 0.3}, ONE),
    (metrics.TopKCategoricalAccuracy, {"k": 1}, (ONE_HOT, SCORES)),
    (metrics.SparseTopKCategoricalAccuracy, {"k": 1}, (LABELS, SCORES)),
    (metrics.CosineSimilarity, {"axis": 0}, (ONE_HOT, SCORES)),
    (metrics.Precision, {"top_k": 2}, (ONE_HOT, SCORES)),
    (metrics.Recall, {"top_k": 2}, (ONE_HOT, SCORES)),
    (metrics.Precision, {"class_id": 2}, (ONE_HOT, SCORES)),
]
IDS = [f"{made.__module__.split('.')[1]}-{made.__name__}-{next(iter(a))}" for made, a, _ in CASES]


def value(of: Any, data: Any) -> float:
    return float(np.sum(of(*data)))


@pytest.mark.parametrize(("kind", "argument", "data"), CASES, ids=IDS)
def test_what_is_set_later_is_what_is_computed(
    kind: Callable[..., Any], argument: dict[str, Any], data: Any
) -> None:
    ((name, given),) = argument.items()
    changed, expected = kind(), value(kind(**argument), data)
    assert value(kind(), data) != expected
    setattr(changed, name, given)
    if isinstance(changed, metrics.Metric):
        changed.reset_state()
    assert value(changed, data) == expected
    assert getattr(changed, name) == getattr(kind(**argument), name)
    assert changed.get_config() == {**kind(**argument).get_config(), "name": changed.name}


@pytest.mark.parametrize("kind", [metrics.SensitivityAtSpecificity, metrics.PrecisionAtRecall])
def test_a_rate_that_is_set_later_is_the_one_that_counts(kind: Any) -> None:
    (argument,) = {"specificity", "recall"} & vars(kind(0.5)).keys()
    later = kind(0.5)
    setattr(later, argument, 0.95)
    truths = (SCORES + SCORES[::-1] > 0.5).astype("float32")
    assert value(later, (truths, SCORES)) == value(kind(0.95), (truths, SCORES))
    assert value(kind(0.5), (truths, SCORES)) != value(kind(0.95), (truths, SCORES))
    assert later.get_config()[argument] == 0.95


@pytest.mark.parametrize("make", [metrics.AUC, lambda: metrics.PrecisionAtRecall(0.5)])
def test_a_number_of_thresholds_is_refused_later(make: Callable[[], Any]) -> None:
    metric = make()
    metric.num_thresholds = metric.num_thresholds
    with pytest.raises(ArgumentError, match=r"num_thresholds decides.*num_thresholds=3"):
        metric.num_thresholds = 3


def test_a_fit_goes_on_with_what_a_callback_sets() -> None:
    def trained(change: bool) -> list[float]:
        nacre.utils.set_random_seed(0)
        model = nacre.Sequential([nacre.Input((1,)), layers.Dense(1)])
        loss, metric = losses.Huber(delta=9.0), metrics.BinaryAccuracy(threshold=0.5)
        model.compile(nacre.optimizers.SGD(0.0), loss, metrics=[metric])

        def begin(epoch: int, logs: Any = None) -> None:
            if change and epoch:
                loss.delta, metric.threshold = 0.01, -99.0

        callback = nacre.callbacks.LambdaCallback(on_epoch_begin=begin)
        x = np.linspace(-3, 3, 16, dtype="float32")[:, None]
        y = (x > 0).astype("float32")
        history = model.fit(x, y, epochs=2, verbose=0, shuffle=False, callbacks=[callback]).history
        return [*history["loss"], *history["binary_accuracy"]]

    first, later = trained(False), trained(True)
    assert first[0] == first[1] == later[0] and later[1] < 0.1 * later[0]
    assert later[2] == first[2] and later[3] == 0.5


def test_an_argument_of_a_function_of_the_users_can_be_set_too() -> None:
    loss = losses.LossFunctionWrapper(lambda t, p, factor: (t - p) ** 2 * factor, factor=1.0)
    before = value(loss, ONE)
    loss.factor = 3.0
    np.testing.assert_allclose(value(loss, ONE), 3 * before, rtol=1e-6)
    assert loss.factor == 3.0
