"""What a training goes on from: every variable, seed and counter by its path, and the same bits."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import callbacks, layers, ops
from nacre.core.errors import ArgumentError, DataError, WeightsMismatchError
from nacre.core.random import global_generator
from nacre.training import fitting, loop
from nacre.training.state import TrainingState, training_state, variables_by_path

RNG = np.random.default_rng(0)
X = RNG.normal(size=(22, 4)).astype("float32")  # batches of 4: 5, and one of 2
Y = X.sum(axis=1, keepdims=True)


class Noise(layers.Layer):
    def call(self, inputs: Any) -> Any:
        return inputs + 0.1 * nacre.random.normal(ops.shape(inputs))


class Squares:
    """A loss that uses a variable nothing holds, and counts its uses in another one."""

    __name__ = "squares"

    def __init__(self) -> None:
        self.scale = nacre.Variable(1.0, trainable=False, name="scale")

    def __call__(self, y: Any, predictions: Any) -> Any:
        self.scale.assign(self.scale * 0.9)
        return self.scale * ops.square(predictions - y)


def model(width: int = 3, own: type[layers.Layer] = Noise) -> nacre.Model:
    """The same model in a process that made others before, whose seeds are elsewhere."""
    nacre.utils.clear_session()
    inputs = nacre.Input((4,))
    inner = nacre.Sequential([layers.Dense(width), layers.Dropout(0.2)])
    hidden = layers.Dropout(0.1)(own()(layers.BatchNormalization()(inner(inputs))))
    made = nacre.Model(inputs, layers.Dense(1)(hidden))
    made.compile(nacre.optimizers.Adam(0.01), Squares(), metrics=["mae"])
    return made


class Batches(nacre.utils.PyDataset):
    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        return X[4 * index : 4 * index + 4], Y[4 * index : 4 * index + 4]


class Look(callbacks.Callback):
    """Takes states after batches and epochs."""

    remembers = ("seen",)

    def __init__(self, *places: Any) -> None:
        super().__init__()
        self.places, self.seen = places, []
        self.run: Any = None
        self.found: dict[Any, TrainingState] = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch
        self._look((epoch, "begin"))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen.append([self.epoch, batch, logs["loss"]])
        self._look((self.epoch, batch))

    def on_train_end(self, logs: Any = None) -> None:
        self._look("end")

    def _look(self, place: Any) -> None:
        if place in self.places:
            self.found[place] = self.run.taken()


class Run(loop.TrainRun):
    """One that looking callbacks are told of."""

    def run(self, runner: Any, *rest: Any) -> Any:
        for callback in runner.callbacks:
            if isinstance(callback, Look):
                callback.run = self
        return super().run(runner, *rest)


def fit(made: nacre.Model, look: Look, x: Any = X, y: Any = Y, **changed: Any) -> Any:
    """The history of `fit` with a callback that looks, and maybe a state to go on from."""
    options: dict[str, Any] = {
        "batch_size": 4, "epochs": 3, "verbose": 0, "callbacks": [look],
        "validation_split": 0.0, "validation_data": (X[:5], Y[:5]), "shuffle": True,
        "class_weight": None, "sample_weight": None, "initial_epoch": 0,
        "steps_per_epoch": None, "validation_steps": None, "validation_batch_size": None,
        "validation_freq": 1, **changed,
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "TrainRun", Run)
        return fitting.fit(made, x, y, **options).history


def values(made: nacre.Model) -> dict[str, np.ndarray]:
    state = training_state(made, made.optimizer, made.metrics)
    return {path: v.numpy() for path, v in variables_by_path(made, state).items()}


PLACES: list[Any] = [(0, 2), (1, 0), (1, 5), (2, "begin"), "end"]
SOURCES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "arrays": lambda: (X, Y),
    "py_dataset": lambda: (Batches(), None),
}


@functools.cache
def unbroken(source: str, form: str) -> tuple[Any, ...]:
    """History, what was seen, values and the loss's variable of a whole training; and its states."""
    nacre.utils.set_random_seed(1)
    made, look = model(), Look(*PLACES)
    history = fit(made, look, *SOURCES[source]())
    return (history, look.seen, values(made), made.loss.scale.numpy()), look.found


@pytest.mark.parametrize(
    ("source", "form", "at"),
    [
        *[("arrays", "counted", at) for at in PLACES],
        ("py_dataset", "counted", (1, 0)),
        ("arrays", "fixed", (0, 2)),
    ],
    ids=str,
)
def test_a_training_taken_up_by_a_new_model_gives_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, source: str, form: str, at: Any
) -> None:
    monkeypatch.setenv("NACRE_LOOPS", form)
    expected, states = unbroken(source, form)
    nacre.utils.set_random_seed(2)
    made, look = model(), Look()
    history = fit(made, look, *SOURCES[source](), state=states[at])
    assert (history, look.seen) == expected[:2]
    for path, value in values(made).items():
        np.testing.assert_array_equal(value, expected[2][path], err_msg=path)
    np.testing.assert_array_equal(made.loss.scale.numpy(), expected[3])


@functools.cache
def taken() -> TrainingState:
    """A state in the middle of an epoch."""
    return unbroken("arrays", "counted")[1][1, 0]


def test_a_state_names_every_variable_once_and_is_not_changed_by_later_steps() -> None:
    made, look = model(), Look((0, 1))
    fit(made, look, epochs=1)
    state = look.found[0, 1]
    before = {path: value.copy() for path, value in state.as_dict().items()}
    own = {id(v) for v in [*made.variables, *made.optimizer.variables, global_generator().state]}
    assert len(before) == len(own) + 4 + 1  # loss and mae, and the scale
    assert {path.split("/")[0] for path in before} == {
        "model", "metrics", "optimizer", "outside", "seeds",
    }  # fmt: skip
    assert {
        "seeds/global", "outside/scale", "metrics/loss/total", "optimizer/iteration",
        "model/sequential/dropout/seed_generator_state", "model/dropout_1/seed_generator_state",
    } < before.keys()  # fmt: skip
    assert (state.epoch, state.step) == (0, 2)
    made.fit(X, Y, verbose=0)
    for path, value in state.as_dict().items():
        np.testing.assert_array_equal(value, before[path])


def test_everything_that_does_not_fit_is_listed_and_nothing_is_changed() -> None:
    other = model(5)
    other.compile(nacre.optimizers.SGD(0.01), "mse", metrics=["mse"])
    other.train_on_batch(X, Y)
    before = values(other)
    with pytest.raises(WeightsMismatchError) as raised:
        fit(other, Look(), state=taken())
    text = str(raised.value)
    assert "2 missing in the state: metrics/mean_squared_error/count" in text
    assert "not in the model: metrics/mean_absolute_error/count" in text and " more" in text
    assert "model/sequential/dense/kernel (state (4, 3) float32, model (4, 5) float32)" in text
    for path, value in values(other).items():
        if path != "seeds/global":  # fit draws the seed of its order before it looks
            np.testing.assert_array_equal(value, before[path])


@pytest.mark.parametrize(
    ("changed", "error", "text"),
    [
        ({"x": X[:20], "y": Y[:20]}, DataError, "samples 22, batch size 4.*samples 20"),
        ({"batch_size": 5}, DataError, "batch size 4"),
        ({"callbacks": [callbacks.EarlyStopping("loss")]}, ArgumentError, "Look, History"),
    ],
)
def test_other_data_and_other_callbacks_are_refused_before_anything_changes(
    changed: dict[str, Any], error: type[Exception], text: str
) -> None:
    other = model()
    before = other.get_weights()
    with pytest.raises(error, match=text):
        fit(other, Look(), state=taken(), **changed)
    for one, value in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, value)


def test_a_variable_from_outside_that_is_gone_is_refused_before_a_step_runs() -> None:
    other = model()
    other.compile(nacre.optimizers.Adam(0.01), "mse", metrics=["mae"])
    before = other.get_weights()
    with pytest.raises(WeightsMismatchError, match="1 not in the model: outside/scale"):
        fit(other, Look(), state=taken())
    for one, value in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, value)


def test_two_processes_agree_about_the_paths() -> None:
    script = "from tests.training.test_state import *; m = model(); m.optimizer.build(m.trainable_variables); "
    found = [
        subprocess.run(
            [sys.executable, "-c", f"{script}print(sorted(values(m)))"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert found[0] == found[1] and "seed_generator_state" in found[0]
