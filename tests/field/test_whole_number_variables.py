"""Variables of integers have no gradient: whatever their `trainable` says, training leaves them to
the code that assigns to them, and says so."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops

X = np.ones((4, 2), "float32")


class Counts(layers.Layer):
    def __init__(self, trainable_count: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.trainable_count = trainable_count
        self.steps = self.add_weight((), "zeros", "int32", trainable=trainable_count, name="steps")
        self.factor = nacre.Variable(2, name="factor", trainable=trainable_count)  # of 2, not 2.0
        self.scale = self.add_weight((2,), "ones", name="scale")

    def call(self, inputs: Any) -> Any:
        self.steps.assign_add(1)
        return inputs * ops.cast(self.factor, "float32") * self.scale


def model_of(part: layers.Layer, **options: Any) -> nacre.Model:
    model = nacre.Sequential([nacre.Input((2,)), part])
    model.compile("sgd", "mse", **options)
    return model


@pytest.mark.parametrize("eager", [False, True])
def test_trainable_whole_numbers_are_left_alone_and_told_of(eager: bool) -> None:
    part = Counts()
    model = model_of(part, run_eagerly=eager)
    with pytest.warns(UserWarning, match=r"counts.*/steps, factor.*trainable=False"):
        model.fit(X, X, epochs=2, batch_size=2, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, X, batch_size=2, verbose=0)  # said once
    assert part.steps.numpy() == 6 and part.factor.numpy() == 2
    assert (part.scale.numpy() < 1).all()
    assert [v.name for v in model.trainable_variables] == ["scale"]
    assert part.steps.trainable and len(model.non_trainable_variables) == 2


def test_flags_of_whole_numbers_that_say_so_are_quiet() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model_of(Counts(trainable_count=False)).fit(X, X, verbose=0)


def test_a_step_of_ones_own_gets_gradients_of_the_others() -> None:
    model = model_of(Counts())
    with nacre.GradientTape() as tape:
        loss = ops.sum(model(X))
    gradients = tape.gradient(loss, model.trainable_variables)
    model.optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    assert len(gradients) == 1


def test_files_keep_their_order(tmp_path: Path) -> None:
    part = Counts()
    model = model_of(part)
    part.steps.assign(7)
    for name in ("m.weights.h5", "m.h5"):
        model.save_weights(tmp_path / name) if "weights" in name else model.save(tmp_path / name)
        twin = Counts(name=part.name)
        model_of(twin).load_weights(tmp_path / name)
        assert twin.steps.numpy() == 7 and twin.factor.numpy() == 2
