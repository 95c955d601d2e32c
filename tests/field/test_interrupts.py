"""Ctrl-C is raised again, always, and leaves the model, its history and its callbacks in order."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import nacre as keras
from nacre import layers, ops
from nacre.callbacks import Callback, EarlyStopping, LambdaCallback
from nacre.training.deferred_signals import DeferredSignals

X = np.linspace(0, 1, 64, dtype=np.float32)[:, None]


def dense(optimizer="sgd", loss="mse", **compiled):
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile(optimizer, loss, **compiled)
    return model


def raises(kind=KeyboardInterrupt, when=0):
    """A hook that raises at its call number `when`."""
    calls = []

    def hook(*_):
        calls.append(1)
        if len(calls) == when + 1:
            raise kind

    return hook


class Ends(Callback):
    def __init__(self):
        self.ended = 0

    def on_train_end(self, logs=None):
        self.ended += 1


@pytest.mark.parametrize("verbose", [0, 1, 2])
@pytest.mark.parametrize(
    "hook", ["on_epoch_begin", "on_epoch_end", "on_train_batch_end", "on_test_begin"]
)
def test_ctrl_c_in_a_callback_is_raised_again_whatever_verbose(hook, verbose, capsys):
    model, ends = dense(), Ends()
    when = {"on_train_batch_end": 5}.get(hook, 1)
    callbacks = [LambdaCallback(**{hook: raises(when=when)}), ends]
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, X, epochs=9, verbose=verbose, callbacks=callbacks, validation_data=(X, X))
    assert ends.ended == 1
    assert len(model.history.history["loss"]) == (2 if hook == "on_train_batch_end" else 1)
    steps = {"on_epoch_begin": 2, "on_train_batch_end": 6}.get(hook, 4)
    assert model.optimizer.iterations.numpy() == steps
    assert ("Stopped by Ctrl-C" in capsys.readouterr().out) == (verbose > 0)
    model.fit(X, X, verbose=0)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_in_a_generator_is_raised_again(kind):
    def batches():
        for _ in range(3):
            yield X, X
        raise kind

    model, ends = dense(), Ends()
    with pytest.raises(kind):
        model.fit(batches(), verbose=0, steps_per_epoch=9, callbacks=[ends])
    assert ends.ended == 1 and model.optimizer.iterations.numpy() == 3


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_while_compiling_leaves_the_model_as_it_was(kind):
    def loss(y_true, y_pred):
        if armed:
            raise kind
        return ops.mean((y_true - y_pred) ** 2)

    armed = []
    model, ends = dense(loss=loss), Ends()
    before = model.get_weights()
    armed.append(1)
    with pytest.raises(kind):
        model.fit(X, X, verbose=0, callbacks=[ends])
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    armed.clear()
    model.fit(X, X, verbose=0)


def test_the_best_weights_are_restored_after_ctrl_c():
    model = dense()
    best = EarlyStopping("loss", mode="max", patience=9, restore_best_weights=True)
    kept = []
    keeps = LambdaCallback(on_epoch_end=lambda e, logs: kept.append(model.get_weights()))
    with pytest.raises(KeyboardInterrupt):
        model.fit(
            X,
            X,
            epochs=9,
            verbose=0,
            callbacks=[keeps, best, LambdaCallback(on_epoch_begin=raises(when=3))],
        )
    np.testing.assert_array_equal(kept[best.best_epoch][0], model.get_weights()[0])


def test_an_error_of_a_callback_at_the_end_does_not_take_the_place_of_ctrl_c():
    def fails(logs):
        raise ValueError("disk full")

    ends = Ends()
    callbacks = [LambdaCallback(on_train_end=fails, on_epoch_begin=raises()), ends]
    with pytest.raises(KeyboardInterrupt) as caught:
        dense().fit(X, X, verbose=0, callbacks=callbacks)
    assert ends.ended == 1
    assert any("on_train_end failed too" in n and "disk full" in n for n in caught.value.__notes__)


def test_a_second_ctrl_c_leaves_at_once():
    ends = Ends()
    callbacks = [LambdaCallback(on_epoch_begin=raises(), on_train_end=raises()), ends]
    with pytest.raises(KeyboardInterrupt):
        dense().fit(X, X, verbose=0, callbacks=callbacks)
    assert ends.ended == 0


def test_callbacks_that_had_begun_end_when_another_cannot_begin():
    ends, never = Ends(), Ends()
    callbacks = [ends, LambdaCallback(on_train_begin=raises(OSError)), never]
    with pytest.raises(OSError):
        dense().fit(X, X, verbose=0, callbacks=callbacks)
    assert (ends.ended, never.ended) == (1, 0)


@pytest.mark.parametrize("method", ["evaluate", "predict"])
def test_averages_leave_the_model_when_what_shows_them_is_interrupted(method):
    model = dense(keras.optimizers.SGD(0.1, use_ema=True))
    model.fit(X, X, verbose=0, epochs=2)
    model.set_weights([np.full((1, 1), 7.0), np.full(1, 7.0)])
    hook = {"evaluate": "on_test_batch_end", "predict": "on_predict_batch_end"}[method]
    callbacks = [keras.callbacks.SwapEMAWeights(), LambdaCallback(**{hook: raises()})]
    with pytest.raises(KeyboardInterrupt):
        getattr(model, method)(X, verbose=0, callbacks=callbacks, **_targets(method))
    np.testing.assert_array_equal(model.get_weights()[0], [[7.0]])


def _targets(method):
    return {"y": X} if method == "evaluate" else {}


def test_averages_leave_the_model_when_validation_is_interrupted():
    model = dense(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    seen = []
    callbacks = [
        LambdaCallback(on_test_begin=lambda logs: seen.append(model.get_weights()[0])),
        keras.callbacks.SwapEMAWeights(),
        LambdaCallback(on_test_begin=raises()),
    ]
    # At its end a training with averages puts them in the variables: not asked about here.
    model.optimizer.finalize_variable_values = lambda variables: None
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, X, verbose=0, validation_data=(X, X), callbacks=callbacks)
    np.testing.assert_array_equal(model.get_weights()[0], seen[0])


# ------------------------------------------------------------------ signals


def test_a_signal_between_a_program_and_its_result_waits():
    seen = []

    def program(values):
        values[0].delete()
        signal.raise_signal(signal.SIGINT)
        return "new"

    with pytest.raises(KeyboardInterrupt), DeferredSignals() as signals:
        signals.run(seen.append, program, [ops.ones(2) + 1])
    assert seen == ["new"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_before_the_arrays_are_taken_acts_at_once():
    seen = []

    def program(values):
        signal.raise_signal(signal.SIGINT)
        seen.append("went on")

    with pytest.raises(KeyboardInterrupt), DeferredSignals() as signals:
        signals.run(seen.append, program, [ops.ones(2) + 1])
    assert seen == []


def test_a_handler_of_the_users_own_is_called_and_stays():
    calls = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: calls.append(number))
    try:
        hook = LambdaCallback(on_epoch_end=lambda *_: signal.raise_signal(signal.SIGTERM))
        model = dense()
        own = signal.getsignal(signal.SIGTERM)
        model.fit(X, X, epochs=2, verbose=0, callbacks=[hook])
        assert calls == [signal.SIGTERM] * 2 and signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


class Left:
    """An object that is asked for at its end, as Python's own caches ask for many."""


def _interrupted_in_a_weak_reference():
    left = Left()
    watched = weakref.ref(left, lambda _: signal.raise_signal(signal.SIGINT))
    del left
    assert watched() is None


class Closing:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def _interrupted_while_garbage_is_searched():
    def look(phase, found):
        if phase == "start":
            signal.raise_signal(signal.SIGINT)

    gc.callbacks.append(look)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(look)


@pytest.mark.parametrize(
    "interrupted",
    [_interrupted_in_a_weak_reference, Closing, _interrupted_while_garbage_is_searched],
)
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_a_ctrl_c_that_python_loses_is_raised_after_the_step(method, interrupted):
    model, after, shown = dense(), [], []
    data = (X,) if method == "predict" else (X, X)
    before = sys.unraisablehook

    def hook(*_):
        after.append(1)
        if len(after) == 2:
            interrupted()

    hooks = {"fit": "train", "evaluate": "test", "predict": "predict"}
    callbacks = [LambdaCallback(**{f"on_{hooks[method]}_batch_end": hook})]
    try:
        sys.unraisablehook = mine = lambda lost: shown.append(lost.exc_type)
        with pytest.raises(KeyboardInterrupt):
            getattr(model, method)(*data, batch_size=4, verbose=0, callbacks=callbacks)
        assert sys.unraisablehook is mine
    finally:
        sys.unraisablehook = before
    assert len(after) <= 3 and shown == []
    model.fit(X, X, verbose=0)


@pytest.mark.parametrize("batch_size", [1, 16])  # in chunks, and batch by batch
def test_a_ctrl_c_that_python_loses_at_the_end_of_predict_is_raised(batch_size):
    model, rows = dense(), np.ones((2048, 1), "float32")
    model.predict(rows, batch_size=batch_size, verbose=0)
    hook = LambdaCallback(on_predict_end=lambda *_: Closing())
    with pytest.raises(KeyboardInterrupt):
        model.predict(rows, batch_size=batch_size, verbose=0, callbacks=[hook])


def test_what_else_is_lost_in_a_training_is_shown_as_ever():
    class Failing:
        def __del__(self):
            raise ValueError("in __del__")

    shown, before = [], sys.unraisablehook
    try:
        sys.unraisablehook = lambda lost: shown.append(lost.exc_type)
        dense().fit(X, X, verbose=0, callbacks=[LambdaCallback(on_epoch_end=lambda *_: Failing())])
    finally:
        sys.unraisablehook = before
    assert shown == [ValueError]


def press_ctrl_c_during(call, after):
    """Ctrl-C after so many seconds, and again should Python have lost it before the call began."""
    ended = threading.Event()

    def press():
        time.sleep(after)
        while not ended.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            ended.wait(3.0)

    def run():
        try:
            thread.start()
            call()
        finally:
            ended.set()

    thread = threading.Thread(target=press)
    with pytest.raises(KeyboardInterrupt):
        run()
    thread.join()


@pytest.mark.parametrize("hooks", [False, True])
def test_ctrl_c_at_any_moment_leaves_a_model_that_goes_on(hooks):
    model = dense("adam")
    model.fit(X, X, verbose=0)
    callbacks = [LambdaCallback(on_train_batch_end=lambda *_: None)] if hooks else []
    train = lambda: model.fit(X, X, epochs=10**5, verbose=0, callbacks=callbacks)
    for after in (0.003, 0.01, 0.02, 0.05):
        press_ctrl_c_during(train, after)
        assert np.isfinite(model.predict(X[:2], verbose=0)).all()
        steps = int(model.optimizer.iterations.numpy())
        model.train_on_batch(X, X)
        assert int(model.optimizer.iterations.numpy()) == steps + 1


def test_ctrl_c_during_evaluate_leaves_batch_statistics():
    model = keras.Sequential(
        [keras.Input((1,)), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    x = np.ones((4096, 1), "float32")
    evaluate = lambda: model.evaluate(x, x, batch_size=1, verbose=0)
    evaluate()
    press_ctrl_c_during(lambda: [evaluate() for _ in range(10**4)], 0.02)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    model.fit(x[:8], x[:8], verbose=0)
