"""Callbacks whose settings do nothing, or never write, say so before the first step."""

from __future__ import annotations

import os

import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.callbacks import Callback, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from nacre.core.errors import ArgumentError, FileFormatError, MonitorError

X = np.linspace(0, 1, 64, dtype=np.float32)[:, None]


def dense(optimizer="sgd", **compiled):
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile(optimizer, "mse", **compiled)
    return model


def fit(model, *callbacks, **arguments):
    arguments = {"batch_size": 2, "verbose": 0, **arguments}
    return model.fit(X, X, callbacks=list(callbacks), **arguments)


class Stop(Exception):
    pass


class Stops(Callback):
    def on_train_begin(self, logs=None):
        raise Stop


def begin(model, *callbacks, **arguments):
    """Only what happens before the first step, which needs no compiling."""
    with pytest.raises(Stop):
        fit(model, *callbacks, Stops(), **arguments)


def written(folder):
    return sorted(os.listdir(folder))


# ------------------------------------------------------------------ files that never come


def test_save_freq_counts_batches_not_calls(tmp_path):
    path = tmp_path / "{epoch}-{batch}.keras"
    fit(dense(steps_per_execution=8), ModelCheckpoint(path, save_freq=16), epochs=2)
    assert written(tmp_path) == ["1-16.keras", "1-32.keras", "2-16.keras", "2-32.keras"]


def test_save_freq_between_two_executions_writes_at_the_next(tmp_path):
    path = tmp_path / "{batch}.keras"
    fit(dense(steps_per_execution=8), ModelCheckpoint(path, save_freq=10))
    assert written(tmp_path) == ["16.keras", "32.keras"]


def test_best_by_validation_cannot_be_known_between_batches(tmp_path):
    model = dense()
    callback = ModelCheckpoint(tmp_path / "m.keras", save_best_only=True, save_freq=4)
    with pytest.raises(MonitorError, match=r"'val_loss'.*when an epoch ends.*monitor='loss'"):
        fit(model, callback, validation_data=(X, X))
    fit(model, ModelCheckpoint(tmp_path / "m.keras", "loss", save_best_only=True, save_freq=4))
    assert written(tmp_path) == ["m.keras"]


@pytest.mark.parametrize("name", ["m-{val_loss:.2f}.keras", "m-{mine:.2f}.keras"])
def test_names_of_the_epochs_end_are_refused_for_files_between_batches(tmp_path, name):
    with pytest.raises(MonitorError, match="names in filepath"):
        fit(dense(), ModelCheckpoint(tmp_path / name, save_freq=4), validation_data=(X, X))


def test_a_batch_number_is_refused_for_files_of_epochs(tmp_path):
    with pytest.raises(MonitorError, match=r"\{batch\}.*another save_freq"):
        fit(dense(), ModelCheckpoint(tmp_path / "{batch}.keras"))


@pytest.mark.parametrize("weights_only", [False, True])
@pytest.mark.parametrize("name", ["best.txt", "best.npy", "best.pt"])
def test_an_ending_that_is_no_format_is_refused_before_the_first_step(tmp_path, name, weights_only):
    model = dense()
    with pytest.raises(FileFormatError, match="must end in"):
        fit(model, ModelCheckpoint(tmp_path / name, save_weights_only=weights_only))
    assert model.optimizer.iterations.numpy() == 0


@pytest.mark.parametrize("name", ["a.weights.h5", "a.h5", "cp.ckpt", "best"])
def test_endings_of_weights_are_taken(tmp_path, name):
    begin(dense(), ModelCheckpoint(tmp_path / name, save_weights_only=True))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("m-{loss:d}.keras", "filepath must be a format"),
        ("m-{loss.keras", "braces in filepath"),
        ("m-{}.keras", "must be given"),
        ("m-{0}.keras", "must be given"),
    ],
)
def test_a_path_that_cannot_be_filled_in_is_refused_at_once(tmp_path, name, words):
    with pytest.raises(ArgumentError, match=words):
        fit(dense(), ModelCheckpoint(tmp_path / name))


def test_a_folder_that_cannot_be_made_is_refused_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("")
    model = dense()
    with pytest.raises(OSError):
        fit(model, ModelCheckpoint(tmp_path / "file" / "m.keras"))
    assert model.optimizer.iterations.numpy() == 0


def test_more_batches_than_there_are_is_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="save_freq=100, 64 batches in this training"):
        begin(dense(), ModelCheckpoint(tmp_path / "m.keras", save_freq=100), epochs=2)
    begin(dense(), ModelCheckpoint(tmp_path / "m.keras", save_freq=64), epochs=2)


def test_a_threshold_without_best_only_is_warned_of(tmp_path):
    callback = ModelCheckpoint(tmp_path / "m.keras", initial_value_threshold=1.0)
    with pytest.warns(UserWarning, match="only with save_best_only=True"):
        begin(dense(), callback)


def test_a_threshold_nothing_can_beat_is_refused(tmp_path):
    best = {"monitor": "loss", "save_best_only": True}
    callback = ModelCheckpoint(tmp_path / "m.keras", initial_value_threshold=float("-inf"), **best)
    with pytest.raises(ArgumentError, match="better than initial_value_threshold"):
        fit(dense(), callback)
    with pytest.raises(ArgumentError, match="initial_value_threshold must be a number"):
        ModelCheckpoint(tmp_path / "m.keras", initial_value_threshold=float("nan"), **best)


def test_epochs_without_validation_write_no_file_that_is_named_by_it(tmp_path):
    callback = ModelCheckpoint(tmp_path / "{epoch}-{val_loss:.1f}.keras")
    with pytest.warns(UserWarning, match="1 of 3 epochs are validated"):
        fit(dense(), callback, epochs=3, validation_data=(X, X), validation_freq=2)
    assert len(written(tmp_path)) == 1 and written(tmp_path)[0].startswith("2-")


@pytest.mark.parametrize("freq", [5, [7, 9]])
def test_validation_that_never_runs_is_warned_of(freq):
    with pytest.warns(UserWarning, match="'val_loss' never comes"):
        begin(dense(), EarlyStopping(), epochs=3, validation_data=(X, X), validation_freq=freq)
    begin(dense(), EarlyStopping(), epochs=3, validation_data=(X, X), validation_freq=[3])


# ------------------------------------------------------------------ settings without effect


def test_a_start_behind_the_last_epoch_is_warned_of():
    with pytest.warns(UserWarning, match="start_from_epoch=3, epochs=3"):
        begin(dense(), EarlyStopping("loss", start_from_epoch=3), epochs=3)
    begin(dense(), EarlyStopping("loss", start_from_epoch=2, patience=50), epochs=3)


def test_a_learning_rate_that_cannot_fall_is_warned_of():
    with pytest.warns(UserWarning, match="min_lr=0.01, a learning rate of 0.01"):
        begin(dense(keras.optimizers.SGD(0.01)), ReduceLROnPlateau("loss", min_lr=0.01))


def test_a_plateau_callback_and_a_schedule_are_refused_before_the_first_step():
    model = dense(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)))
    with pytest.raises(ArgumentError, match="where a schedule decides it"):
        fit(model, ReduceLROnPlateau("loss"))
    assert model.optimizer.iterations.numpy() == 0


def test_averages_that_nobody_keeps_are_missed_before_the_first_step():
    model = dense()
    with pytest.raises(ArgumentError, match="use_ema=True"):
        fit(model, keras.callbacks.SwapEMAWeights())
    assert model.optimizer.iterations.numpy() == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: EarlyStopping(patience=-1),
        lambda: EarlyStopping(patience="3"),
        lambda: EarlyStopping(patience=1.5),
        lambda: EarlyStopping(min_delta=None),
        lambda: EarlyStopping(baseline=float("nan")),
        lambda: EarlyStopping(baseline="best"),
        lambda: EarlyStopping(monitor=["val_loss"]),
        lambda: EarlyStopping(start_from_epoch=-2),
        lambda: ReduceLROnPlateau(factor=1.0),
        lambda: ReduceLROnPlateau(factor=-0.1),
        lambda: ReduceLROnPlateau(patience=True),
        lambda: ReduceLROnPlateau(cooldown=-1),
        lambda: ReduceLROnPlateau(min_lr="0"),
        lambda: ModelCheckpoint("m.keras", save_freq=0),
        lambda: ModelCheckpoint("m.keras", save_freq=2.5),
        lambda: ModelCheckpoint("m.keras", save_freq="batch"),
        lambda: ModelCheckpoint("m.keras", save_freq=None),
        lambda: keras.callbacks.LambdaCallback(epoch_end=print),
        lambda: keras.callbacks.LambdaCallback(on_epoch_end="print"),
        lambda: keras.callbacks.LearningRateScheduler(0.1),
        lambda: keras.callbacks.CSVLogger(3),
        lambda: keras.callbacks.CSVLogger("log.csv", separator=", "),
        lambda: ModelCheckpoint(None),
    ],
)
def test_arguments_that_cannot_mean_anything_are_refused_when_given(make):
    with pytest.raises(ArgumentError):
        make()


def test_whole_floats_and_infinite_patience_are_numbers():
    callback = EarlyStopping(patience=np.inf, start_from_epoch=2.0, baseline=np.float32(1.0))
    assert callback.start_from_epoch == 2 and callback.patience > 10**9
    assert ModelCheckpoint("m.keras", save_freq=4.0).save_freq == 4


# ------------------------------------------------------------------ one object, many trainings


def test_one_checkpoint_writes_the_best_of_every_fold(tmp_path):
    path = tmp_path / "best.keras"
    callback = ModelCheckpoint(path, "loss", save_best_only=True)
    good, bad = dense(), dense()
    good.set_weights([np.ones((1, 1)), np.zeros(1)])
    bad.set_weights([np.full((1, 1), 9.0), np.zeros(1)])
    for model in (good, bad):  # the second is worse, and is not the first
        fit(model, callback)
        kept = keras.models.load_model(path)
        np.testing.assert_array_equal(kept.get_weights()[0], model.get_weights()[0])


def test_going_on_does_not_overwrite_a_better_file(tmp_path):
    path = tmp_path / "best.keras"
    callback, model = ModelCheckpoint(path, "loss", save_best_only=True), dense()
    model.set_weights([np.ones((1, 1)), np.zeros(1)])
    fit(model, callback)
    before = path.read_bytes()
    model.set_weights([np.full((1, 1), 9.0), np.zeros(1)])
    fit(model, callback)
    assert path.read_bytes() == before


def test_the_same_callbacks_serve_five_folds(tmp_path):
    stop = EarlyStopping("loss", patience=0, min_delta=100.0, restore_best_weights=True)
    lower = ReduceLROnPlateau("loss", patience=1, min_delta=100.0, factor=0.5)
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    seen = []
    for _ in range(5):
        model = dense(keras.optimizers.SGD(0.5))
        fit(model, stop, lower, log, epochs=4, batch_size=64)
        seen.append((stop.stopped_epoch, stop.best_epoch, float(model.optimizer.learning_rate)))
        assert (tmp_path / "log.csv").read_text().count("\n") == 3
    assert seen == [(1, 0, 0.25)] * 5
