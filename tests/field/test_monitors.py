"""What callbacks watch: what is better is never guessed, what cannot come is refused in time."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import nacre as keras
from nacre import layers, metrics, ops
from nacre.callbacks import Callback, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from nacre.core.errors import MonitorError

X = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
Y = (X > 0.5).astype("float32")


def dense(**compiled):
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "mse", **compiled)
    return model


def watch(callback, model=None, **arguments):
    """Train, and give the callback."""
    arguments = {"epochs": 1, "verbose": 0, "validation_data": (X, Y), **arguments}
    (model or dense()).fit(X, Y, callbacks=callback, **arguments)
    return callback[-1] if isinstance(callback, list) else callback


class Stop(Exception):
    pass


class Stops(Callback):
    def on_train_begin(self, logs=None):
        raise Stop


def decide(model, *callbacks, y=Y):
    """Only what happens before the first step, which needs no compiling."""
    with pytest.raises(Stop):
        model.fit(X, y, validation_data=(X, y), verbose=0, callbacks=[*callbacks, Stops()])
    return [callback.more_is_better() for callback in callbacks]


def f1(y_true, y_pred):
    return ops.mean(y_pred)


def previous_error(y_true, y_pred):
    return ops.mean(ops.abs(y_true - y_pred))


def accuracy(y_true, y_pred):
    return ops.mean(y_pred)


class Score(metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_pred)


class AreaUnderCurve(metrics.AUC):
    pass


# ------------------------------------------------------------------------- direction


@pytest.mark.parametrize(
    ("metric", "monitor"),
    [
        (f1, "val_f1"),
        (previous_error, "val_previous_error"),  # "iou" stands in it
        (accuracy, "val_accuracy"),  # a function of that name is not the metric of that name
        (Score(name="a_layer2_mae"), "val_a_layer2_mae"),
        (Score(name="F1"), "val_F1"),
        (metrics.MeanMetricWrapper(f1, name="auc"), "val_auc"),
    ],
)
@pytest.mark.parametrize("kind", [EarlyStopping, ReduceLROnPlateau, ModelCheckpoint])
def test_a_metric_that_does_not_say_what_is_better_is_asked_about(metric, monitor, kind, tmp_path):
    model = dense(metrics=[metric])
    best = {"filepath": tmp_path / "m.keras", "save_best_only": True}
    extra = best if kind is ModelCheckpoint else {}
    with pytest.raises(MonitorError, match="Pass mode='max' or 'min'"):
        watch(kind(monitor=monitor, **extra), model)
    assert model.optimizer.iterations.numpy() == 0


@pytest.mark.parametrize(
    ("metric", "name", "is_more_better"),
    [
        ("accuracy", "accuracy", True),
        ("acc", "acc", True),
        ("mse", "mse", False),
        ("MAE", "MAE", False),
        ("AUC", "AUC", True),
        (metrics.mean_absolute_error, "mean_absolute_error", False),
        (metrics.binary_accuracy, "binary_accuracy", True),
        (keras.losses.Huber(), "huber_loss", False),
        (metrics.FalsePositives(name="Accuracy_lost"), "Accuracy_lost", False),
        (metrics.BinaryIoU(name="previous_error"), "previous_error", True),
        (AreaUnderCurve(name="Area"), "Area", True),
    ],
)
def test_a_metric_that_says_what_is_better_is_believed_whatever_its_name(
    metric, name, is_more_better
):
    model = dense(metrics=[metric])
    assert decide(model, EarlyStopping(f"val_{name}")) == [is_more_better]


def test_an_author_can_say_what_is_better():
    def agreement(y_true, y_pred):
        return ops.mean(y_pred)

    agreement.direction = "max"

    class Distance(Score):
        direction = "min"

    model = dense(metrics=[agreement, Distance(name="iou")])
    seen = [EarlyStopping("val_agreement"), EarlyStopping("val_iou"), EarlyStopping("agreement")]
    assert decide(model, *seen) == [True, False, True]


def test_what_keras_metrics_say_is_understood():
    class Old(Score):
        _direction = "up"

    assert decide(dense(metrics=[Old(name="old")]), EarlyStopping("val_old")) == [True]


def test_outputs_prefixes_do_not_hide_the_metric():
    x = keras.Input((1,))
    outputs = [layers.Dense(1, name="left")(x), layers.Dense(1, name="right")(x)]
    model = keras.Model(x, outputs)
    model.compile("sgd", "mse", metrics={"left": ["mae"], "right": [metrics.R2Score(name="q")]})
    seen = [EarlyStopping(m) for m in ("val_left_mae", "val_right_q", "val_left_loss", "loss")]
    assert decide(model, *seen, y=[Y, Y]) == [False, True, False, False]


def test_the_best_epoch_of_an_unknown_function_is_kept_when_mode_is_given():
    callback = EarlyStopping("val_f1", mode="max", patience=9)
    watch(callback, dense(metrics=[f1]), epochs=3)
    assert callback.best is not None and callback.more_is_better()


def test_one_object_watches_another_metric_in_its_next_training():
    callback = EarlyStopping("val_score")
    assert decide(dense(metrics=[metrics.AUC(name="score")]), callback) == [True]
    assert decide(dense(metrics=[metrics.MeanSquaredError(name="score")]), callback) == [False]


# ------------------------------------------------------------------------- what may come


class Adds(Callback):
    def on_epoch_end(self, epoch, logs=None):
        logs["mine"] = 1.0 / (epoch + 1)


class PrintsOnly(Callback):
    adds_logs = ()

    def on_epoch_end(self, epoch, logs=None):
        pass


def test_a_log_of_an_earlier_callback_is_watched():
    callback = watch([Adds(), EarlyStopping("mine", mode="min", patience=9)], epochs=2)
    assert callback.best == 0.5


def test_a_log_added_in_on_test_end_is_watched():
    class AddsToValidation(Callback):
        def on_test_end(self, logs=None):
            logs["f1"] = 0.25

    callback = watch([AddsToValidation(), EarlyStopping("val_f1", mode="max")])
    assert callback.best == 0.25


def test_a_log_of_a_function_callback_names_the_file(tmp_path):
    adds = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(f1=0.5))
    watch([adds, ModelCheckpoint(tmp_path / "m-{f1:.2f}.keras")])
    assert (tmp_path / "m-0.50.keras").exists()


def test_a_subclass_may_add_what_it_watches_itself():
    class Doubles(EarlyStopping):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, {**logs, "double": 2 * logs["loss"]})

    assert watch(Doubles("double", mode="min")).best is not None


def test_a_callback_can_be_pickled_after_its_training():
    callback = watch(EarlyStopping("val_loss", patience=4))
    callback.model = None
    assert pickle.loads(pickle.dumps(callback)).patience == 4


def test_a_callback_that_stands_behind_is_too_late():
    with pytest.raises(MonitorError, match="must be one of this run's logs"):
        watch([EarlyStopping("mine", mode="min"), Adds()])


def test_what_never_comes_is_refused_when_the_first_epoch_ends():
    model = dense()
    with pytest.raises(MonitorError, match=r"in epoch 1: .*mine.*Did you mean 'mine'"):
        watch([Adds(), EarlyStopping("mime", mode="min")], model, epochs=5)
    assert model.optimizer.iterations.numpy() == 1


def test_a_callback_that_says_it_adds_nothing_lets_the_misspelling_be_found_at_once():
    model = dense()
    with pytest.raises(MonitorError, match="Did you mean 'val_loss'"):
        watch([PrintsOnly(), EarlyStopping("val_los", mode="min")], model)
    assert model.optimizer.iterations.numpy() == 0


def test_built_in_callbacks_do_not_hide_a_misspelling(tmp_path):
    model = dense()
    quiet = [ModelCheckpoint(tmp_path / "m.keras"), ReduceLROnPlateau("loss", min_delta=0)]
    with pytest.raises(MonitorError, match="Did you mean 'val_loss'"):
        watch([*quiet, EarlyStopping("val_los", mode="min")], model)
    assert model.optimizer.iterations.numpy() == 0


def test_the_learning_rate_is_watched_only_behind_what_logs_it():
    rate = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate)
    watch([rate, EarlyStopping("learning_rate", mode="min")])
    with pytest.raises(MonitorError):
        watch([EarlyStopping("learning_rate", mode="min")])


def test_the_names_of_a_metric_that_gives_a_dict_are_known():
    class Two(metrics.Mean):
        direction = "max"

        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(y_pred)

        def result(self):
            return {"low": super().result(), "high": super().result() + 1}

    model = dense(metrics=[Two(name="two")])
    assert watch(EarlyStopping("val_high"), model).more_is_better()
    with pytest.raises(MonitorError, match="loss, high, low"):
        watch(EarlyStopping("val_two", mode="max"), dense(metrics=[Two(name="two")]))


def test_logs_of_compute_metrics_and_of_own_steps_are_watched():
    class Reports(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return {**super().compute_metrics(x, y, y_pred, sample_weight), "size": ops.sum(y_pred)}

    class Steps(Reports):
        def test_step(self, state, data):
            return {"gap": ops.sum(data[0])}, state

    for kind, monitor in ((Reports, "size"), (Reports, "val_loss"), (Steps, "val_gap")):
        model = kind()
        model.compile("sgd", "mse")
        assert watch(EarlyStopping(monitor, mode="min"), model).best is not None


def test_several_numbers_cannot_be_watched():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(3, activation="softmax")])
    score = metrics.F1Score(average=None, name="f1")
    model.compile("sgd", "categorical_crossentropy", metrics=[score])
    y = np.eye(3, dtype="float32")[np.arange(8) % 3]
    with pytest.raises(MonitorError, match="which is 3 numbers.*average='macro'"):
        model.fit(X, y, verbose=0, callbacks=[EarlyStopping("f1")])
    assert model.optimizer.iterations.numpy() == 0


def test_an_added_array_of_one_number_is_a_number():
    adds = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(one=np.ones(1))
    )
    assert watch([adds, EarlyStopping("one", mode="max")]).best == 1.0


def test_a_subclass_may_take_what_it_watches_from_somewhere_else():
    class Ratio(EarlyStopping):
        def get_monitor_value(self, logs):
            return logs["loss"] / logs["mae"]

    stops = Ratio("ratio", mode="min", patience=9)
    model = dense(metrics=["mae"])
    history = model.fit(X, X, epochs=2, verbose=0, callbacks=[stops]).history
    ratios = [a / b for a, b in zip(history["loss"], history["mae"], strict=True)]
    assert stops.best == pytest.approx(min(ratios))
    assert stops.get_monitor_value({"loss": 3.0, "mae": 2.0}) == 1.5
    assert EarlyStopping("loss").get_monitor_value({"loss": 3.0}) == 3.0


def test_a_log_that_a_later_callback_adds_is_told_to_come_too_late():
    class AddsLog(Callback):
        def on_epoch_end(self, epoch, logs=None):
            assert logs is not None
            logs["total"] = logs["loss"] + logs["val_loss"]

    watch([AddsLog(), EarlyStopping("total", mode="min")])
    with pytest.raises(MonitorError, match=r"'total'.*What AddsLog may add comes too late"):
        watch([EarlyStopping("total", mode="min"), AddsLog()])
