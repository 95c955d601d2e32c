"""A penalty on outputs is kept in files and copies, whatever layer it was given to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, regularizers

X = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)
GIVEN: Any = {"activity_regularizer": regularizers.L2(0.3)}


@nacre.saving.register_keras_serializable("penalties_kept")
class Own(layers.Layer):
    def call(self, x: Any) -> Any:
        return x * 2


@nacre.saving.register_keras_serializable("penalties_kept")
class Chosen(layers.Layer):
    """Chooses the penalty itself, so that nobody may give it one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(activity_regularizer="l2", **kwargs)

    def call(self, x: Any) -> Any:
        return x * 2


MAKERS: dict[str, Callable[[], Any]] = {
    "Activation": lambda: layers.Activation("relu", **GIVEN),
    "BatchNormalization": lambda: layers.BatchNormalization(**GIVEN),
    "Bidirectional": lambda: layers.Bidirectional(layers.LSTM(2), **GIVEN),
    "Dense": lambda: layers.Dense(2, **GIVEN),
    "Dropout": lambda: layers.Dropout(0.5, **GIVEN),
    "Lambda": lambda: layers.Lambda(nacre.ops.abs, **GIVEN),
    "MaxPooling1D": lambda: layers.MaxPooling1D(**GIVEN),
    "Normalization": lambda: layers.Normalization(mean=0.0, variance=1.0, **GIVEN),
    "ReLU": lambda: layers.ReLU(**GIVEN),
    "RNN": lambda: layers.RNN(layers.LSTMCell(2), **GIVEN),
    "TimeDistributed": lambda: layers.TimeDistributed(layers.Dense(2), **GIVEN),
    "a class of the user's": lambda: Own(**GIVEN),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_config_keeps_the_penalty_on_outputs(make: Callable[[], Any]) -> None:
    layer = make()
    again = type(layer).from_config(layer.get_config())
    assert again.activity_regularizer.get_config() == GIVEN["activity_regularizer"].get_config()


def test_layers_without_a_penalty_do_not_speak_of_one() -> None:
    assert "activity_regularizer" not in layers.ReLU().get_config()
    assert "activity_regularizer" not in layers.ActivityRegularization(0.1).get_config()


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_file_gives_back_the_same_loss(ending: str, tmp_path: Path) -> None:
    parts = [layers.Dense(3, trainable=False), layers.ReLU(**GIVEN), Own(**GIVEN), Chosen()]
    model = nacre.Sequential([nacre.Input((4,)), *parts])
    model.compile("sgd", "mse")
    y = np.zeros((3, 3))
    model.save(tmp_path / f"model{ending}")
    again = nacre.models.load_model(tmp_path / f"model{ending}")
    assert again.evaluate(X, y, verbose=0) == model.evaluate(X, y, verbose=0) > 1.0
