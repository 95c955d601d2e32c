"""Layers frozen and freed at given epochs within one fit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import nacre
from nacre import layers, optimizers
from nacre.callbacks import TrainableSchedule
from nacre.core.errors import ArgumentError
from tests.tiers import first_of_each_is_quick

RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=(20, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def make():
    nacre.utils.set_random_seed(2)
    return nacre.Sequential(
        [
            nacre.Input((3,)),
            layers.Dense(4, name="base"),
            layers.BatchNormalization(name="norm"),
            layers.Dense(1, name="head"),
        ]
    )


def fit(model, **arguments):
    model.fit(X, Y, batch_size=8, shuffle=False, verbose=0, **arguments)


SCHEDULE = {0: {"base|norm": False}, 2: {"base": True, "norm": True}, 4: {"head": False}}
OPTIMIZERS = {
    "adam": lambda: optimizers.Adam(0.01),
    "busy": lambda: optimizers.SGD(
        optimizers.schedules.ExponentialDecay(0.1, 2, 0.9),
        momentum=0.9,
        use_ema=True,
        gradient_accumulation_steps=2,
    ),
    "parts": lambda: optimizers.MultiOptimizer(
        optimizers.OptimizerMap(optimizers.SGD(0.1), {"base/.*": optimizers.Adam(0.01)})
    ),
    "loss_scale": lambda: optimizers.LossScaleOptimizer(optimizers.Adam(0.01)),
}


@pytest.mark.parametrize("name", first_of_each_is_quick(OPTIMIZERS, lambda name: None))
def test_one_fit_with_a_schedule_is_fits_with_compile_between(name):
    scheduled, parted = make(), make()
    scheduled.compile(OPTIMIZERS[name](), "mse")
    callback = TrainableSchedule(SCHEDULE)
    fit(scheduled, epochs=6, callbacks=[callback], validation_data=(X, Y))
    optimizer = OPTIMIZERS[name]()
    if name == "busy":  # a training ends with its averages in place: not before the last one
        optimizer.finalize_variable_values = lambda variables: None
    for begin in (0, 2, 4):
        for layer in parted.layers:
            flags = [f for e, f in SCHEDULE.items() if e <= begin and layer.name in "|".join(f)]
            for table in flags:
                for key, flag in table.items():
                    if layer.name in key.split("|"):
                        layer.trainable = flag
        parted.compile(optimizer, "mse")
        if begin == 4 and name == "busy":
            del optimizer.finalize_variable_values
        fit(parted, initial_epoch=begin, epochs=begin + 2)
    for a, b in zip(scheduled.get_weights(), parted.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert [layer.trainable for layer in scheduled.layers] == [True, True, False]
    assert int(scheduled.optimizer.iterations) == int(optimizer.iterations)
    fit(scheduled)  # what is trainable now goes on, without compile


def test_each_change_compiles_the_step_once(monkeypatch):
    traced = []

    def loss(y_true, y_pred):
        traced.append(1)
        return nacre.ops.mean((y_true - y_pred) ** 2, axis=-1)

    model = make()
    model.compile("sgd", loss)
    fit(model, epochs=1)
    before = len(traced)
    per_compilation = before  # of both batch sizes
    traced.clear()
    fit(model, epochs=6, callbacks=[TrainableSchedule({3: {"base": False}})])
    assert 0 < len(traced) <= per_compilation


def test_a_later_beginning_makes_the_changes_before_it():
    model = make()
    model.compile("sgd", "mse")
    fit(model, initial_epoch=3, epochs=4, callbacks=[TrainableSchedule(SCHEDULE)])
    assert all(layer.trainable for layer in model.layers)


def test_layers_as_objects_and_within_models():
    inner = nacre.Sequential([layers.Dense(4, name="low"), layers.Dense(4, name="high")], name="in")
    inputs = nacre.Input((3,))
    model = nacre.Model(inputs, layers.Dense(1, name="head")(inner(inputs)))
    inner.trainable = False
    model.compile("adam", "mse")
    before = [v.numpy() for v in model.variables]
    callback = TrainableSchedule({1: {inner.layers[1]: True}, 2: {"low": True}}, verbose=1)
    fit(model, epochs=2, callbacks=[TrainableSchedule({1: {inner: True}})])
    assert all(not np.array_equal(v.numpy(), b) for v, b in zip(model.variables, before))
    fit(model, epochs=3, callbacks=[callback])


def test_weights_are_current_in_callbacks_and_in_threads_of_validation():
    model, seen = make(), []
    model.compile("sgd", "mse")

    class Look(nacre.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model.get_layer("base").kernel.numpy())

    fit(model, epochs=2, callbacks=[TrainableSchedule({1: {"base": False}}), Look()])
    moved = [not np.array_equal(a, b) for a, b in itertools.pairwise(seen)]
    assert moved == [True, True, False, False, False]


def test_ctrl_c_after_a_change_leaves_the_last_step():
    model = make()
    model.compile("adam", "mse")

    class Stop(nacre.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(model, epochs=3, callbacks=[TrainableSchedule({1: {"base": False}}), Stop()])
    assert int(model.optimizer.iterations) == 6
    fit(model)
    assert int(model.optimizer.iterations) == 9


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ([1], "a mapping from epochs"),
        ({-1: {"base": True}}, "an epoch must be"),
        ({1: "base"}, "a mapping from layers"),
        ({1: {"base": "yes"}}, "a mapping from layers"),
    ],
)
def test_bad_schedules_are_refused(schedule, words):
    with pytest.raises(ArgumentError, match=words):
        TrainableSchedule(schedule)


def test_unknown_layers_are_refused_before_the_first_step():
    model = make()
    model.compile("sgd", "mse")
    with pytest.raises(ArgumentError, match="Did you mean 'base'"):
        fit(model, epochs=2, callbacks=[TrainableSchedule({1: {"bose": True}})])
    other = layers.Dense(1, name="stranger")
    with pytest.raises(ArgumentError, match="one of the model's.*stranger"):
        fit(model, epochs=2, callbacks=[TrainableSchedule({1: {other: True}})])
    assert int(model.optimizer.iterations) == 0


@pytest.mark.parametrize("stop", [(1, None), (2, 1)])
def test_a_training_that_is_resumed_has_the_layers_that_were_trained(stop, tmp_path):
    """Stopped at the end of an epoch, and within one, before the change and after it."""

    class Stop(nacre.callbacks.Callback):
        remembers = ()

        def on_epoch_end(self, epoch, logs=None):
            if (epoch, None) == stop:
                raise KeyboardInterrupt

    class StopWithin(Stop):
        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == stop:
                raise KeyboardInterrupt

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

    def run(*callbacks, **arguments):
        nacre.utils.clear_session()  # as in a process of its own
        model = make()
        model.compile(optimizers.Adam(0.01), "mse")
        schedule = TrainableSchedule({0: {"base": False}, 2: {"base": True}})
        fit(model, epochs=4, callbacks=[schedule, *callbacks], **arguments)
        return model.get_weights()

    whole = run()
    stopper = Stop() if stop[1] is None else StopWithin()
    with pytest.raises(KeyboardInterrupt):
        run(stopper, resume=tmp_path, resume_every_steps=1)
    resumed = run(resume=tmp_path)
    with pytest.warns(UserWarning, match="came to its end"):
        again = run(resume=tmp_path)
    for a, b, c in zip(whole, resumed, again, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
