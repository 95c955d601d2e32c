"""Callbacks in ordinary scripts: used again, copied, setting the learning rate, freezing layers."""

from __future__ import annotations

import copy
import pickle
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre import backend, callbacks, layers
from nacre.callbacks import Callback, CallbackList, EarlyStopping, History, LambdaCallback
from nacre.core.errors import ArgumentError, MonitorError
from tests.contracts.test_callback_contract import MAKERS

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X[:, :1]
FOLDER = str(Path(callbacks.__file__).parent)


def model(**compiled: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.Dense(1)])
    made.compile(
        **{"optimizer": keras.optimizers.SGD(0.1, use_ema=True), "loss": "mse", **compiled}
    )
    return made


def fit(made: keras.Model, *given: Any, **arguments: Any) -> History:
    arguments = {"batch_size": 8, "verbose": 0, "validation_data": (X, Y), **arguments}
    return made.fit(X, Y, callbacks=list(given), **arguments)


@pytest.fixture(scope="module")
def models() -> list[tuple[keras.Model, list[np.ndarray]]]:
    """Two models, and the values they start with: compiling new ones would take long."""
    made = [model(), model()]
    for each in made:
        fit(each)
    start = [v.numpy() for v in (*made[0].variables, *made[0].optimizer.variables)]
    return [(each, start) for each in made]


def outcome(
    callback: Callback, made: keras.Model, start: list[np.ndarray], epochs: int = 3
) -> tuple[Any, ...]:
    for variable, value in zip((*made.variables, *made.optimizer.variables), start, strict=True):
        variable.assign(value)
    history = fit(made, callback, epochs=epochs, shuffle=False)
    weights = [weight.tolist() for weight in made.get_weights()]
    return weights, history.history, history.epoch, float(made.optimizer.learning_rate)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.filterwarnings("ignore:RemoteMonitor")
def test_one_object_does_in_another_model_what_a_fresh_one_does(
    name: str, models: list[Any], tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("used", "fresh")]
    for folder in folders:
        folder.mkdir()
    used, fresh = (MAKERS[name](folder) for folder in folders)
    outcome(used, *models[0], epochs=2)
    copied = copy.deepcopy(used)  # as tuners of hyper-parameters do it
    wanted = outcome(fresh, *models[1])
    assert outcome(used, *models[1]) == wanted
    assert outcome(copied, *models[1]) == wanted
    if name not in ("LambdaCallback", "LearningRateScheduler"):  # pickle takes no lambda
        pickle.loads(pickle.dumps(used))


# ------------------------------------------------------- what scripts do in them


def test_each_fit_has_a_history_of_its_own_and_the_model_has_the_last() -> None:
    made = model()
    first, second = fit(made, epochs=2), fit(made, epochs=3, initial_epoch=2)
    assert first.epoch == [0, 1] and second.epoch == [2]
    assert len(first.history["loss"]) == 2 and made.history is second
    kept = History()
    assert fit(made, kept) is kept and made.history is kept


def test_a_learning_rate_set_in_the_middle_of_an_epoch_counts_from_the_next_step() -> None:
    def set_rate(batch: int, logs: Any) -> None:
        weights.append(made.get_weights()[0])
        if batch == 1:
            made.optimizer.learning_rate = 0.0

    made, weights = model(optimizer="sgd"), []
    fit(made, LambdaCallback(on_train_batch_end=set_rate), shuffle=False)
    assert not np.array_equal(weights[0], weights[1])
    np.testing.assert_array_equal(weights[1], weights[3])
    assert float(made.optimizer.learning_rate) == 0.0


def test_rates_are_read_and_set_as_in_tf_keras_2() -> None:
    def halve(epoch: int, logs: Any) -> None:
        rate = backend.get_value(made.optimizer.lr)
        seen.append(float(rate))
        backend.set_value(made.optimizer.lr, rate / 2)

    made, seen = model(optimizer=keras.optimizers.Adam(0.5)), []
    fit(made, LambdaCallback(on_epoch_begin=halve), epochs=2)
    assert seen == [0.5, 0.25] and backend.get_value(made.optimizer.learning_rate) == 0.125
    kernel, bias = made.layers[0].weights
    backend.batch_set_value([(kernel, np.ones((3, 2))), (bias, [2.0, 3.0])])
    values = backend.batch_get_value([kernel, bias])
    assert values[0].sum() == 6 and values[1].tolist() == [2.0, 3.0]
    with pytest.raises(ArgumentError, match="must be a variable"):
        backend.set_value(0.1, 0.2)


def test_a_callback_with_epoch_hooks_alone_costs_nothing_at_a_step() -> None:
    def calls(rows: int, *given: Any) -> int:
        """How often Python enters a hook, or what calls one."""
        count = 0

        def enter(frame: FrameType, event: str, argument: Any) -> None:
            nonlocal count
            is_hook = frame.f_code.co_name.startswith(("on_", "_call", "<lambda>"))
            is_there = frame.f_code.co_filename.startswith((FOLDER, __file__))
            count += event == "call" and is_hook and is_there

        x = np.resize(X, (rows, 3))
        run = lambda: made.fit(x, x[:, :1], batch_size=8, verbose=0, callbacks=list(given))
        run()
        sys.setprofile(enter)
        try:
            run()
        finally:
            sys.setprofile(None)
        return count

    made = model()
    made.steps_per_execution = 1
    given = (EarlyStopping("loss"), LambdaCallback(on_epoch_end=lambda epoch, logs: None))
    assert calls(80, *given) == calls(800, *given)
    # Beside one that acts at every batch they are not called there either.
    hook = LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    assert calls(800, *given, hook) - calls(80, *given, hook) == calls(800, hook) - calls(80, hook)


def test_a_model_unfrozen_and_compiled_again_trains_all_of_it_with_the_same_callbacks() -> None:
    made = model(optimizer="sgd")
    made.layers[0].trainable = False
    made.compile(keras.optimizers.Adam(0.01), "mse")
    stops, rate = EarlyStopping(restore_best_weights=True), callbacks.ReduceLROnPlateau()
    frozen = made.layers[0].get_weights()[0]
    fit(made, stops, rate, epochs=2)
    np.testing.assert_array_equal(frozen, made.layers[0].get_weights()[0])
    made.layers[0].trainable = True
    made.compile(keras.optimizers.Adam(0.01), "mse")
    assert int(made.optimizer.iterations.numpy()) == 0
    history = fit(made, stops, rate, epochs=2)
    assert not np.array_equal(frozen, made.layers[0].get_weights()[0])
    assert history.epoch == [0, 1] and len(made.optimizer.variables) == 2 + 2 * 4


def test_a_list_of_callbacks_serves_a_loop_of_the_users_own() -> None:
    made, seen = model(), []
    listed = CallbackList(
        [LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"])))],
        add_history=True,
        model=made,
        epochs=1,
        steps=2,
    )
    listed.on_train_begin()
    listed.on_epoch_begin(0)
    for step in range(2):
        listed.on_train_batch_begin(step)
        logs = made.train_on_batch(X[:8], Y[:8], return_dict=True)
        listed.on_train_batch_end(step, logs)
    listed.on_epoch_end(0, logs)
    listed.on_train_end(logs)
    assert [batch for batch, _ in seen] == [0, 1]
    assert made.history.history["loss"] == [seen[-1][1]]


def test_a_list_that_a_user_made_is_given_what_it_lacks() -> None:
    made, stops = model(), EarlyStopping("loss")
    earlier = fit(made)
    listed = CallbackList([stops])
    history = made.fit(X, Y, epochs=2, verbose=0, callbacks=listed)
    assert stops.model is made and history is not earlier and history.epoch == [0, 1]
    assert stops.params == {"verbose": 0, "epochs": 2, "steps": 1}


def test_a_monitor_that_nothing_logs_is_refused_when_the_first_epoch_ends(tmp_path: Path) -> None:
    class Open(Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            ended.append(epoch)

    ended: list[int] = []
    watch: dict[str, Any] = {"monitor": "val_f1", "mode": "max", "save_best_only": True}
    for counted in ({"period": 3}, {}):
        checkpoint = callbacks.ModelCheckpoint(tmp_path / "a.keras", **watch, **counted)
        with pytest.raises(MonitorError, match="monitor must be one of the logs"):
            fit(model(), Open(), checkpoint, epochs=5)
    assert ended == [0, 0]


@pytest.mark.parametrize("way", ["patience", "last epoch", "another callback", "within an epoch"])
def test_the_best_weights_are_left_on_every_way_out(way: str) -> None:
    scores = [2.0, 1.0, 3.0, 4.0, 5.0]
    kept: list[Any] = []

    class Score(Callback):
        adds_logs = ("score",)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["score"] = scores[epoch]
            kept.append(self.model.get_weights())
            if way == "another callback" and epoch == 2:
                self.model.stop_training = True

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if way == "within an epoch" and len(kept) == 3:
                self.model.stop_training = True

    patience = 2 if way == "patience" else 9
    stops = EarlyStopping("score", mode="min", patience=patience, restore_best_weights=True)
    made = model(optimizer="sgd")
    history = fit(made, Score(), stops, epochs=5)
    ended = {"patience": 4, "last epoch": 5, "another callback": 3, "within an epoch": 4}[way]
    assert len(history.epoch) == ended and stops.best_epoch == 1
    for weight, best in zip(made.get_weights(), kept[1], strict=True):
        np.testing.assert_array_equal(weight, best)


def test_epochs_before_the_start_are_not_watched() -> None:
    late = EarlyStopping("loss", mode="min", patience=0, start_from_epoch=3, min_delta=9)
    assert fit(model(), late, epochs=9).epoch == [0, 1, 2, 3, 4]
