"""Metrics that are attributes of a model keep what they counted in files of whole models."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, saving

X = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)


@saving.register_keras_serializable("metrics_kept")
class Counting(layers.Layer):
    """Keeps the mean of all it was called on."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mean = nacre.metrics.Mean(name="mean")
        self.recall = nacre.metrics.Recall(name="recall")

    def call(self, inputs: Any) -> Any:
        return inputs * 1.0


def counted() -> Any:
    model = nacre.Sequential([nacre.Input((4,)), Counting(), layers.Dense(2)])
    model.layers[0].mean.update_state([1.0, 2.0, 6.0])
    model.layers[0].recall.update_state([1, 1, 0, 1], [0.9, 0.1, 0.2, 0.8])
    return model


@pytest.mark.parametrize("kind", ["m.keras", "folder", "pickle"])
def test_what_metrics_counted_comes_back(kind: str, tmp_path: Any) -> None:
    model = counted()
    if kind == "pickle":
        again = pickle.loads(pickle.dumps(model))
    else:
        model.save(tmp_path / kind)
        again = saving.load_model(tmp_path / kind)
    assert float(again.layers[0].mean.result()) == 3.0
    assert float(again.layers[0].recall.result()) == float(model.layers[0].recall.result()) > 0
    again.layers[0].mean.update_state([3.0, 5.0])
    assert abs(float(again.layers[0].mean.result()) - 17 / 5) < 1e-6


def test_a_format_without_place_for_them_says_so(tmp_path: Any) -> None:
    model = counted()
    with pytest.warns(UserWarning, match=r"what metrics counted.*mean, recall.*\.keras"):
        model.save(tmp_path / "m.h5")
    for metric in (model.layers[0].mean, model.layers[0].recall):
        metric.reset_state()
    model.save(tmp_path / "m.h5")  # without a word


def test_weights_loaded_leave_metrics_as_they_are(tmp_path: Any) -> None:
    model = counted()
    model.save(tmp_path / "m.keras")
    other = counted()
    other.layers[0].mean.update_state([9.0])
    other.load_weights(tmp_path / "m.keras")
    assert float(other.layers[0].mean.result()) == 4.5
