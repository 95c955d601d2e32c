"""Numbers that a script's code counts in steps that are compiled: told, as they stand still."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops

X = np.linspace(0, 1, 16, dtype="float32")[:, None]


class EverySecond(nacre.Model):
    """Gradients are applied in every second step, as scripts for tf.keras try to have it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count = 0

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        self.count += 1
        with nacre.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        if self.count == 2:
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            self.count = 0
        return {"loss": loss}


def fit(cls: Any, part: Any = None, **compiled: Any) -> Any:
    inputs = nacre.Input((1,))
    hidden = inputs if part is None else part(inputs)
    model = cls(inputs, layers.Dense(1, kernel_initializer="ones")(hidden))
    model.compile(nacre.optimizers.SGD(0.1), "mse", **compiled)
    model.fit(X, X, batch_size=4, epochs=2, verbose=0)
    return model


def test_a_counter_in_a_step_is_told_of_and_what_to_do_instead() -> None:
    with pytest.warns(UserWarning, match=r"EverySecond 'every.*'\.count: .*stands still.*run_eag"):
        fit(EverySecond)


def test_it_counts_where_steps_run_eagerly() -> None:
    assert int(fit(EverySecond, run_eagerly=True).optimizer.iterations) == 4


class Calls(layers.Layer):
    calls = 0

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def call(self, inputs: Any) -> Any:
        self.calls += 1
        return inputs * (1.0 if self.calls < 3 else 0.0)


def test_a_counter_in_a_layer_is_told_of_once_a_program() -> None:
    with pytest.warns(UserWarning, match=r"Calls 'calls.*'\.calls: ") as told:
        model = fit(nacre.Model, Calls())
    assert len(told) == 1
    with pytest.warns(UserWarning, match=r"Calls 'calls.*'\.calls: "):
        model.predict(X, verbose=0)


class Table(layers.Layer):
    """Remembers the size it made its table for, and makes it once a size."""

    def __init__(self) -> None:
        super().__init__()
        self.size, self.scale, self.is_made = 0, 1.0, False
        self.table: Any = None

    def call(self, inputs: Any) -> Any:
        if self.size != inputs.shape[-1]:
            self.size = inputs.shape[-1]
            self.table = np.ones(self.size, "float32")
        if not self.is_made:
            self.is_made = True
        self.scale = self.scale * 1.0
        return inputs * ops.convert_to_tensor(self.table) * self.scale


def test_what_is_remembered_of_shapes_is_no_counter() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(nacre.Model, Table()).predict(X, verbose=0)
