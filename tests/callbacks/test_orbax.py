"""OrbaxCheckpoint writes all of a model in the background, and all of it comes back."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.callbacks import Callback, OrbaxCheckpoint
from nacre.core.errors import (
    ArgumentError,
    FileFormatError,
    MissingPackageError,
    WeightsMismatchError,
)

pytest.importorskip("orbax.checkpoint")
REFERENCE = Path(__file__).parents[1] / "reference" / "orbax.zip"
X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = X[:, :1]


def model(**compiled: Any) -> keras.Model:
    made = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4),
            layers.BatchNormalization(),
            layers.Dropout(0.1, seed=3),
            layers.Dense(1),
        ]
    )
    made.compile(**{"optimizer": "adam", "loss": "mse", "metrics": ["mae"], **compiled})
    return made


def fit(made: keras.Model, *callbacks: Callback, **arguments: Any) -> Any:
    arguments = {"epochs": 2, "batch_size": 4, "shuffle": False, **arguments}
    return made.fit(X, Y, verbose=0, callbacks=list(callbacks), **arguments)


def state(made: keras.Model) -> list[np.ndarray]:
    return [v.numpy() for v in (*made.variables, *made.optimizer.variables)]


def assert_same(found: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


class States(Callback):
    def __init__(self) -> None:
        self.seen: list[list[np.ndarray]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seen.append(state(self.model))


@pytest.mark.parametrize("background", [True, False])
def test_the_state_at_the_moment_of_saving_comes_back_with_the_optimizer(
    background: bool, tmp_path: Path
) -> None:
    made, states = model(), States()
    saves = OrbaxCheckpoint(tmp_path, max_to_keep=None, save_on_background=background)
    fit(made, saves, states, epochs=3)
    assert sorted(os.listdir(tmp_path)) == ["0", "1", "2"]
    for number, wanted in enumerate(states.seen):
        assert_same(state(keras.models.load_model(tmp_path / str(number))), wanted)
    newest = keras.models.load_model(tmp_path)
    fit(made, epochs=1)
    fit(newest, epochs=1)  # trains on as the one that stayed in memory
    assert_same(state(newest), state(made))


def test_weights_go_into_a_model_made_alike_whatever_its_names_and_frozen_parts(
    tmp_path: Path,
) -> None:
    made = model()
    fit(made, OrbaxCheckpoint(tmp_path))
    fresh = model()
    fresh.load_weights(tmp_path)
    assert_same(state(fresh), state(made))
    uncompiled = keras.models.clone_model(made)
    uncompiled.layers[-1].trainable = False
    uncompiled.load_weights(tmp_path)
    for a, b in zip(uncompiled.layers, made.layers, strict=True):
        assert_same(a.get_weights(), b.get_weights())


def test_weights_that_do_not_fit_are_listed_and_nothing_changes(tmp_path: Path) -> None:
    fit(model(), OrbaxCheckpoint(tmp_path))
    other = keras.Sequential([keras.Input((3,)), layers.Dense(5), layers.Dense(1)])
    before = other.get_weights()
    with pytest.raises(WeightsMismatchError, match=r"file \(3, 4\)   model \(3, 5\)"):
        other.load_weights(tmp_path)
    assert_same(other.get_weights(), before)


def test_folders_have_the_number_of_the_epoch_or_batch_and_only_the_newest_stay(
    tmp_path: Path,
) -> None:
    made = model()
    saves = OrbaxCheckpoint(tmp_path, save_freq=3, max_to_keep=2)
    fit(made, saves)
    assert sorted(os.listdir(tmp_path)) == ["3", "6"]
    fit(made, saves)
    assert sorted(os.listdir(tmp_path), key=int) == ["12", "15"]


def test_numbers_go_on_behind_those_that_are_there(tmp_path: Path) -> None:
    fit(model(), OrbaxCheckpoint(tmp_path, max_to_keep=3))
    made = model()
    fit(made, OrbaxCheckpoint(tmp_path, max_to_keep=3))
    assert sorted(os.listdir(tmp_path)) == ["1", "2", "3"]
    assert_same(state(keras.models.load_model(tmp_path)), state(made))


def test_only_the_best_is_written(tmp_path: Path) -> None:
    class Score(Callback):
        adds_logs = ("score",)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["score"] = (3.0, 1.0, 2.0)[epoch]

    best = OrbaxCheckpoint(tmp_path, monitor="score", mode="min", save_best_only=True)
    fit(model(), Score(), best, epochs=3)
    assert os.listdir(tmp_path) == ["1"] and best.best == 1.0


def test_weights_alone_are_no_model(tmp_path: Path) -> None:
    made = model()
    fit(made, OrbaxCheckpoint(tmp_path, save_weights_only=True))
    with pytest.raises(FileFormatError, match=r"weights alone.*load_weights"):
        keras.models.load_model(tmp_path)
    fresh = model()
    fresh.load_weights(tmp_path)
    assert_same(fresh.get_weights(), made.get_weights())


def test_damaged_checkpoints_are_told_of(tmp_path: Path) -> None:
    fit(model(), OrbaxCheckpoint(tmp_path))
    (tmp_path / "1" / "pytree" / "_METADATA").write_text("{}")
    with pytest.raises(FileFormatError, match=r"1/pytree.*whole checkpoint of Orbax"):
        keras.models.load_model(tmp_path)


def test_lacking_the_package_is_known_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
    made = model()
    with pytest.raises(MissingPackageError, match=r"nacre\[orbax\]"):
        fit(made, OrbaxCheckpoint(tmp_path))
    assert made.optimizer.iterations.numpy() == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"directory": 3}, "directory must be a path"),
        ({"max_to_keep": 0}, "max_to_keep must be"),
        ({"save_freq": "batch"}, "save_freq must be"),
    ],
)
def test_arguments_that_cannot_mean_anything_are_refused(
    arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ArgumentError, match=words):
        OrbaxCheckpoint(**{"directory": "there", **arguments})


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArgumentError, match="a file"):
        fit(model(), OrbaxCheckpoint(tmp_path / "file"))


def test_a_checkpoint_of_keras_opens_with_its_weights_and_its_optimizer(tmp_path: Path) -> None:
    shutil.unpack_archive(REFERENCE, tmp_path)
    with np.load(tmp_path / "values.npz") as values:
        wanted = dict(values)
    opened = keras.models.load_model(tmp_path / "saved")
    for i, weight in enumerate(opened.get_weights()):
        np.testing.assert_array_equal(weight, wanted[f"weight_{i}"])
    for i, variable in enumerate(opened.optimizer.variables):
        np.testing.assert_array_equal(variable.numpy(), wanted[f"optimizer_{i}"])
    x = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
    np.testing.assert_allclose(opened.predict(x, verbose=0), wanted["predicted"], atol=1e-6)


def test_nested_models_shared_layers_and_wrapped_optimizers_come_back(tmp_path: Path) -> None:
    inputs = keras.Input((3,))
    encoder = keras.Sequential([layers.Dense(3, name="same")], name="encoder")
    decoder = keras.Sequential([layers.Dense(3, name="same")], name="decoder")
    shared = layers.Dense(3)
    outputs = layers.Dense(1)(shared(shared(decoder(layers.Dropout(0.1)(encoder(inputs))))))
    made = keras.Model(inputs, outputs)
    inner = keras.optimizers.Adam(0.01, use_ema=True)
    made.compile(keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0), "mse")
    fit(made, OrbaxCheckpoint(tmp_path))
    opened = keras.models.load_model(tmp_path)
    for a, b in zip(made.optimizer.variables, opened.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    fresh = keras.models.clone_model(made)
    fresh.load_weights(tmp_path)
    assert_same(fresh.get_weights(), opened.get_weights())


@pytest.mark.parametrize("background", [True, False])
def test_what_cannot_be_written_is_told_of_and_earlier_folders_stay_whole(
    background: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import orbax.checkpoint as orbax

    made = model()
    fit(made, OrbaxCheckpoint(tmp_path, max_to_keep=5), epochs=1)
    wanted = state(made)
    name = "wait_until_finished" if background else "save"

    def fails(*_: Any, **__: Any) -> None:
        raise ValueError("OUT_OF_RANGE: No space left on device")

    monkeypatch.setattr(orbax.CheckpointManager, name, fails)
    with pytest.raises(OSError, match=r"OrbaxCheckpoint.*No space left.*room on the disk"):
        fit(made, OrbaxCheckpoint(tmp_path, max_to_keep=5), epochs=1)
    monkeypatch.undo()
    assert_same(state(keras.models.load_model(tmp_path / "0")), wanted)
