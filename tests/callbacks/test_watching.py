"""Callbacks that watch one quantity: stopping, lowering the rate, writing the best model."""

from __future__ import annotations

import pytest

from nacre.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from nacre.core.errors import ArgumentError, MonitorError
from nacre.optimizers import schedules

from .host import Host, train


@pytest.mark.parametrize(
    ("arguments", "values", "stopped", "best"),
    [
        # (epoch from 0 in which it stopped, best value) as Keras 3.15 gives them.
        ({"patience": 2}, [5, 4, 3, 4, 5, 6], 4, 3),
        ({"patience": 0}, [5, 4, 4, 3], 2, 4),
        ({"patience": 1, "baseline": 2.0}, [5, 4, 3, 2], 0, 2),
        ({"patience": 1, "baseline": 4.5}, [5, 4, 3, 6, 7, 8], 3, 3),
        ({"patience": 1, "start_from_epoch": 2}, [1, 5, 4, 4, 4, 4], 3, 4),
        ({"patience": 1, "min_delta": 1}, [5, 4.5, 4.2, 3], 1, 5),
        ({"patience": 2, "min_delta": 0.5}, [5, 4, 3.9, 3.8, 3], 3, 4),
    ],
)
def test_early_stopping_stops_where_keras_does(arguments, values, stopped, best):
    callback = EarlyStopping(**arguments)
    train(callback, values)
    assert (callback.stopped_epoch, callback.best) == (stopped, best)


@pytest.mark.parametrize("values", [[5, 3, 4, 4.5], [5, 3, 4], [5, 4, 3]])
def test_best_weights_are_restored_on_every_way_out(values):
    host = train(EarlyStopping(patience=2, restore_best_weights=True), values)
    assert host.weight == values.index(3) + 1


def test_best_weights_are_restored_after_an_interrupt():
    host = Host()
    with pytest.raises(KeyboardInterrupt):
        train(EarlyStopping(patience=9, restore_best_weights=True), [3, 4, 5], host=host, fail_in=2)
    assert host.weight == 1


def test_nan_is_never_the_best():
    nan = float("nan")
    host = train(EarlyStopping(patience=9, restore_best_weights=True), [nan, 2, nan])
    assert host.weight == 2


@pytest.mark.parametrize("monitor", ["loss", "val_loss", "head_loss", "val_head_loss"])
def test_auto_mode_minimises_losses(monitor):
    assert not EarlyStopping(monitor).more_is_better()


@pytest.mark.parametrize("direction", ["max", "min"])
def test_auto_mode_asks_the_metric(direction):
    class Score:
        name = "my_score"

    Score.direction = direction
    callback, host = EarlyStopping("val_my_score"), Host()
    host.metrics = [Score()]
    callback.set_model(host)
    assert callback.more_is_better() == (direction == "max")


def test_missing_validation_is_said_before_the_first_step():
    with pytest.raises(MonitorError) as caught:
        train(EarlyStopping(), [1.0], name="accuracy")
    text = str(caught.value)
    assert text.startswith("EarlyStopping: monitor must be one of this run's logs: loss, accuracy")
    assert "Got 'val_loss' (no validation runs)" in text
    assert text.endswith("Pass validation_data to fit(), or set monitor='loss'.")


def test_misspelt_monitor_is_guessed():
    with pytest.raises(MonitorError, match="Did you mean 'val_accuracy'"):
        train(EarlyStopping("val_accurac", mode="max"), [1.0], name="val_accuracy")


def test_bad_arguments_are_refused():
    with pytest.raises(ArgumentError, match="Did you mean 'max'"):
        EarlyStopping(mode="maxx")
    with pytest.raises(ArgumentError, match="patience must be an int from 0 on"):
        EarlyStopping(patience=-1)
    with pytest.raises(ArgumentError, match="factor must be below 1"):
        ReduceLROnPlateau(factor=1.0)
    with pytest.raises(ArgumentError, match="save_freq must be a positive int .* or 'epoch'"):
        ModelCheckpoint("m.keras", save_freq="batch")


@pytest.mark.parametrize(
    ("arguments", "rates"),
    [
        # As Keras 3.15 sets them for eight epochs of the same loss.
        ({"patience": 2}, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.0001, 0.0001]),
        (
            {"patience": 1, "factor": 0.5, "cooldown": 2},
            [0.1, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125, 0.00625],
        ),
        ({"patience": 1, "factor": 0.5, "min_lr": 0.04}, [0.1, 0.05] + [0.04] * 6),
    ],
)
def test_plateau_lowers_the_rate_as_keras_does(arguments, rates):
    host = train(ReduceLROnPlateau(**arguments), [5.0] * 8)
    seen = host.history.history["learning_rate"][1:] + [float(host.optimizer.learning_rate)]
    assert seen == pytest.approx(rates)


def test_plateau_on_a_schedule_says_what_to_do():
    from nacre.optimizers import SGD

    host = Host(SGD(schedules.ExponentialDecay(0.1, 10, 0.9)))
    with pytest.raises(ArgumentError, match="cannot be set where a schedule decides it"):
        train(ReduceLROnPlateau(patience=1), [1.0, 1.0, 1.0], host=host)


def test_checkpoint_writes_every_epoch_with_its_numbers(tmp_path):
    path = tmp_path / "new" / "m_{epoch:02d}_{val_loss:.2f}.keras"
    assert train(ModelCheckpoint(path), [5, 4]).saved == ["m_01_5.00.keras", "m_02_4.00.keras"]
    assert path.parent.is_dir()


def test_checkpoint_writes_only_the_best(tmp_path):
    best = ModelCheckpoint(tmp_path / "m.keras", save_best_only=True)
    assert train(best, [5, 4, 6, 3]).saved == ["m.keras"] * 3
    better = {"save_best_only": True, "save_weights_only": True, "initial_value_threshold": 4.0}
    callback = ModelCheckpoint(tmp_path / "m.weights.h5", **better)
    assert train(callback, [5, 4, 3]).saved == ["weights m.weights.h5"]


def test_checkpoint_counts_batches_only_when_asked(tmp_path):
    by_epoch = ModelCheckpoint(tmp_path / "m.keras")
    by_batch = ModelCheckpoint(tmp_path / "{epoch}-{batch}.keras", save_freq=3)
    assert by_epoch.batch_hooks() == set()
    assert by_batch.batch_hooks() == {"on_train_batch_end"}
    assert train(by_batch, [1.0] * 3).saved == ["2-1.keras", "3-2.keras"]


def test_checkpoint_path_names_are_checked_first(tmp_path):
    with pytest.raises(MonitorError, match="Did you mean {val_loss}"):
        train(ModelCheckpoint(tmp_path / "{val_los:.2f}.keras"), [1.0])


def test_messages_are_said(capsys, tmp_path):
    callbacks = [
        EarlyStopping(patience=1, verbose=1, restore_best_weights=True),
        ModelCheckpoint(tmp_path / "m.keras", save_best_only=True, verbose=1),
        ReduceLROnPlateau(patience=1, verbose=1),
    ]
    train(callbacks, [1.0, 2.0])
    text = capsys.readouterr().out
    assert "Epoch 1: val_loss 1.0000 is best, saved" in text
    assert "Epoch 2: val_loss 2.0000 is not better." in text
    assert "Epoch 2: learning rate lowered to 0.01." in text
    assert "Epoch 2: early stopping, best val_loss 1.0000 in epoch 1." in text
    assert "Weights of epoch 1, the best one, are restored." in text
