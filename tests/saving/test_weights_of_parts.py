"""Weights of a model that is never called itself: a class that holds the parts of a GAN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import callbacks, layers, ops
from nacre.core.errors import NotBuiltError


class Scale(nacre.Model):
    def __init__(self) -> None:
        super().__init__()
        self.strength = nacre.Variable(0.25, name="strength")
        self.inner = nacre.Sequential([nacre.Input((3,)), layers.Dense(3)])

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs) * self.strength


class Parts(nacre.Model):
    def __init__(self) -> None:
        super().__init__()
        self.first = Scale()
        self.second = nacre.Sequential([nacre.Input((3,)), layers.Dense(1)])

    def train_step(self, data: Any) -> Any:
        self.first(data)
        loss = ops.mean(self.second(data))
        self.first.strength.assign(loss * 0.0 + 0.5)
        return {"loss": loss}


ROWS = np.ones((8, 3), "float32")


@pytest.mark.parametrize("name", ["m.weights.h5", "m.npz", "m.safetensors", "checkpoint"])
def test_weights_of_parts_are_saved_in_fit_and_loaded(name: str, tmp_path: Path) -> None:
    model = Parts()
    model.compile("sgd")
    path = str(tmp_path / name)
    if name == "m.weights.h5":
        keep: list[Any] = [callbacks.ModelCheckpoint(path, save_weights_only=True)]
        model.fit(ROWS, verbose=0, callbacks=keep)
    else:
        model.fit(ROWS, verbose=0)
        model.save_weights(path, save_format="tf") if name == "checkpoint" else (
            model.save_weights(path)
        )
    kept = [np.array(w) for w in model.get_weights()]
    assert len(kept) == 5
    model.set_weights([w * 0 for w in kept])
    model.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(kept, model.get_weights(), strict=True))
    assert float(model.first.strength.numpy()) == 0.5


def test_parts_that_are_not_built_are_told(tmp_path: Path) -> None:
    class Later(Parts):
        def __init__(self) -> None:
            super().__init__()
            self.third = nacre.Sequential([layers.Dense(1)])

    with pytest.raises(NotBuiltError, match="Got one with parts that are not"):
        Later().save_weights(tmp_path / "m.weights.h5")


def test_a_model_with_a_call_is_called_first(tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match="must be built"):
        Scale().save_weights(tmp_path / "m.weights.h5")
