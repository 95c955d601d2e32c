"""Trials leave no trace: `fit(fast_dev_run=...)` and `lr_find`; `overfit_batches` keeps few."""

from __future__ import annotations

import random

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.callbacks import Callback, CSVLogger, EarlyStopping, LambdaCallback, ModelCheckpoint
from nacre.core.errors import ArgumentError, MonitorError, NonFiniteError
from nacre.core.random import global_generator

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype("float32")
Y = (X.sum(axis=1) > 0).astype("int32")


@pytest.fixture(scope="module")
def trained():
    nacre.utils.set_random_seed(3)
    model = nacre.Sequential(
        [
            nacre.Input((3,)),
            layers.Dense(4, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, Y, batch_size=8, verbose=0)
    return model


def everything(model):
    """All that a training could change, as plain data."""
    variables = [*model.variables, *model.optimizer.variables, global_generator().state]
    variables += [v for metric in model.metrics for v in metric.variables]
    variables += [layer.seed_generator.state for layer in model.layers if "dropout" in layer.name]
    return (
        [v.numpy().tolist() for v in variables],
        id(model.history),
        dict(model.history.history),
        model.stop_training,
        random.getstate(),
        np.random.get_state()[1].tolist(),
    )


class Noisy(Callback):
    """Does what a user's callback may do."""

    def on_train_batch_end(self, batch, logs=None):
        random.random(), np.random.rand()
        self.model.optimizer.learning_rate = 0.5


TRIALS = {
    "fast_dev_run": lambda model, **more: model.fit(
        X, Y, batch_size=8, validation_data=(X, Y), fast_dev_run=2, verbose=0, **more
    ),
    "lr_find": lambda model, **more: model.lr_find(X, Y, batch_size=8, steps=12),
}


@pytest.mark.parametrize("trial", TRIALS)
def test_a_trial_leaves_everything_as_it_was(trained, trial):
    before = everything(trained)
    TRIALS[trial](trained, **({"callbacks": [Noisy()]} if trial == "fast_dev_run" else {}))
    assert everything(trained) == before


def raising(error):
    def hook(*_):
        raise error

    return LambdaCallback(on_train_batch_end=hook)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_trial_that_ends_early_leaves_everything_as_it_was(trained, error):
    before = everything(trained)
    with pytest.raises(error):
        TRIALS["fast_dev_run"](trained, callbacks=[raising(error)])
    assert everything(trained) == before


def test_ctrl_c_in_the_data_of_lr_find_leaves_everything_as_it_was(trained):
    def batches():
        yield from ((X[:8], Y[:8]), (X[8:16], Y[8:16]))
        raise KeyboardInterrupt

    before = everything(trained)
    with pytest.raises(KeyboardInterrupt):
        trained.lr_find(batches(), steps=9)
    assert everything(trained) == before


def test_nan_in_a_trial_leaves_everything_as_it_was(trained):
    before = everything(trained)
    spoiled = X.copy()
    spoiled[:8] = np.nan
    with pytest.raises(NonFiniteError):
        trained.fit(spoiled, Y, batch_size=8, shuffle=False, fast_dev_run=True, verbose=0)
    with pytest.raises(ArgumentError, match="explain_nan"):
        trained.lr_find(spoiled[:8], Y[:8], steps=9)
    assert everything(trained) == before


@pytest.mark.full_effort
def test_training_after_trials_gives_the_bits_of_one_without_them():
    def run(with_trials):
        nacre.utils.set_random_seed(5)
        model = nacre.Sequential([layers.Dense(3), layers.Dropout(0.5), layers.Dense(1)])
        model.compile("adam", "mse")
        if with_trials:
            model.fit(X, Y, batch_size=8, fast_dev_run=True, verbose=0)
            model.lr_find(X, Y, batch_size=8, steps=9)
        model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
        return model.get_weights(), random.random()

    (plain, drawn), (tried, drawn_after) = run(False), run(True)
    assert all(np.array_equal(a, b) for a, b in zip(plain, tried, strict=True))
    assert drawn == drawn_after


def test_what_a_loss_changes_outside_of_the_model_is_put_back_too():
    calls = nacre.Variable(0.0, trainable=False)

    def loss(y_true, y_pred):
        calls.assign_add(1.0)
        return nacre.ops.mean(nacre.ops.square(y_true - y_pred), axis=-1)

    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(1)])
    model.compile("sgd", loss)
    model.fit(X, Y, batch_size=8, fast_dev_run=2, verbose=0)
    assert calls.numpy() == 0
    model.fit(X, Y, batch_size=8, verbose=0)
    assert calls.numpy() == 5


# ------------------------------------------------------------------ fast_dev_run


def test_fast_dev_run_runs_as_many_batches_and_says_what_it_did(trained, capsys, tmp_path):
    counted = []
    hooks = {
        name: lambda *_, name=name: counted.append(name)
        for name in ("on_train_batch_end", "on_test_batch_end", "on_epoch_end")
    }
    writers = [CSVLogger(tmp_path / "a.csv"), ModelCheckpoint(tmp_path / "m.keras")]
    count = LambdaCallback(**{k: v for k, v in hooks.items() if k != "on_test_batch_end"})
    history = trained.fit(
        X,
        Y,
        batch_size=8,
        epochs=7,
        validation_split=0.2,
        callbacks=[count, writers],
        fast_dev_run=3,
        verbose=2,
    )
    assert counted == ["on_train_batch_end"] * 3 + ["on_epoch_end"]
    assert len(history.history["val_loss"]) == 1 and history is not trained.history
    out = capsys.readouterr().out
    assert "3 batches of training and 1 of validation" in out
    assert "left out, as they write or freeze: CSVLogger, ModelCheckpoint" in out
    assert list(tmp_path.iterdir()) == []


def test_fast_dev_run_lets_writing_callbacks_refuse_what_they_could_not_do(trained, tmp_path):
    wrong = ModelCheckpoint(tmp_path / "m.keras", monitor="val_acuracy", save_best_only=True)
    with pytest.raises(MonitorError, match="val_accuracy"):
        trained.fit(X, Y, validation_split=0.2, callbacks=[wrong], fast_dev_run=True, verbose=0)


def test_fast_dev_run_freezes_nothing():
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(2, name="first"), layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    before = [(id(v), v.numpy().tolist()) for v in model.optimizer.variables]

    class Freezes(Callback):
        def on_train_end(self, logs=None):
            self.model.layers[1].trainable = False

    schedule = nacre.callbacks.TrainableSchedule({0: {"first": False}})
    model.fit(X, Y, callbacks=[schedule, Freezes()], fast_dev_run=True, verbose=0)
    assert all(layer.trainable for layer in model.layers)
    assert [(id(v), v.numpy().tolist()) for v in model.optimizer.variables] == before
    model.fit(X, Y, verbose=0)


def test_fast_dev_run_looks_at_all_labels(trained):
    labels = Y.copy()
    labels[-1] = 7
    with pytest.raises(ValueError, match="7"):
        trained.fit(X, labels, fast_dev_run=True, verbose=0)


@pytest.mark.parametrize("value", [-1, 1.5, "yes"])
def test_fast_dev_run_refuses_what_is_no_number_of_batches(trained, value):
    with pytest.raises(ArgumentError, match="fast_dev_run"):
        trained.fit(X, Y, fast_dev_run=value)


# ------------------------------------------------------------------ overfit_batches


def rows_seen(fit):
    """The rows of each epoch, as a training sees them."""
    seen = []

    class Sees(layers.Layer):
        def call(self, x, training=False):
            if training:
                seen.append(sorted(np.asarray(x)[:, 0].tolist()))
            return x

    model = nacre.Sequential([nacre.Input((1,)), Sees(), layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    fit(model)
    return seen[-6:]  # without the trial that finds shapes


ROWS = np.arange(12, dtype="float32")[:, None] / 12


def pairs(size=2):
    return ((ROWS[i : i + size], ROWS[i : i + size]) for i in range(0, 12, size))


class Pairs(nacre.utils.PyDataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return list(pairs())[index]


@pytest.mark.parametrize(
    ("data", "share"),
    [
        (lambda: (ROWS, ROWS), 2),
        (lambda: (ROWS, ROWS), 0.34),
        (lambda: (pairs(),), 2),
        (lambda: (Pairs(),), 0.34),
    ],
)
def test_overfit_batches_trains_on_the_same_first_batches(data, share):
    seen = rows_seen(
        lambda m: m.fit(*data(), batch_size=2, epochs=3, overfit_batches=share, verbose=0)
    )
    first = [sorted(ROWS[i : i + 2, 0].tolist()) for i in (0, 2)]
    assert seen == first * 3


def test_overfit_batches_validates_on_as_many_batches(trained):
    history = trained.fit(
        X, Y, batch_size=8, validation_data=(X, Y), overfit_batches=1, verbose=0
    ).history
    expected = trained.evaluate(X[:8], Y[:8], verbose=0)
    np.testing.assert_allclose([history["val_loss"][0], history["val_accuracy"][0]], expected, 1e-5)


def test_a_share_of_an_unknown_number_of_batches_is_refused(trained):
    with pytest.raises(ArgumentError, match="overfit_batches=4"):
        trained.fit(((X[:8], Y[:8]) for _ in range(3)), overfit_batches=0.5)


@pytest.mark.parametrize("value", [True, 1.5, -2])
def test_overfit_batches_refuses_what_is_no_number(trained, value):
    with pytest.raises(ArgumentError, match="overfit_batches"):
        trained.fit(X, Y, overfit_batches=value)


def test_early_stopping_still_works_after_a_trial(trained):
    stop = EarlyStopping(monitor="loss", patience=0)
    trained.fit(X, Y, callbacks=[stop], fast_dev_run=True, verbose=0)
    trained.fit(X, Y, callbacks=[stop], epochs=2, verbose=0)
    assert stop.best is not None
