"""The list of callbacks: order, hooks, checks."""

from __future__ import annotations

import pytest

from nacre.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    ModelCheckpoint,
    ProgbarLogger,
    TerminateOnNaN,
)
from nacre.core.errors import ArgumentError
from nacre.core.protocols import TrainingHost

from .host import Host, train


def test_host_has_what_the_protocol_asks():
    assert isinstance(Host(), TrainingHost)


def test_built_in_callbacks_need_no_batch_hooks():
    quiet = [EarlyStopping(), ModelCheckpoint("m.keras"), CSVLogger("x"), TerminateOnNaN()]
    runner = CallbackList([*quiet, Callback()], add_history=True, add_progbar=True)
    assert not runner.has_train_batch_hooks
    assert not runner.has_test_batch_hooks
    assert not runner.has_predict_batch_hooks


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ("on_train_batch_end", (True, False, False)),
        ("on_batch_begin", (True, False, False)),
        ("on_test_batch_begin", (False, True, False)),
        ("on_predict_batch_end", (False, False, True)),
    ],
)
def test_overridden_batch_hooks_are_seen(hook, expected):
    callback = type("Mine", (Callback,), {hook: lambda self, batch, logs=None: None})()
    runner = CallbackList([callback])
    found = (
        runner.has_train_batch_hooks,
        runner.has_test_batch_hooks,
        runner.has_predict_batch_hooks,
    )
    assert found == expected


def test_old_batch_hooks_are_called():
    seen = []

    class Old(Callback):
        def on_batch_end(self, batch, logs=None):
            seen.append((batch, logs["loss"]))

    train(Old(), [1.0], steps=3)
    assert seen == [(0, 1.0), (1, 1.0), (2, 1.0)]


def test_history_sees_what_callbacks_add_and_is_not_doubled():
    class Adds(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["mine"] = 7

    own = History()
    host = train([own, Adds()], [1.0])
    assert host.history is own and own.history["mine"] == [7]
    runner = CallbackList([own, ProgbarLogger()], add_history=True, add_progbar=True)
    assert len(runner.callbacks) == 2


def test_every_callback_ends_even_when_one_fails():
    ended = []

    class Fails(Callback):
        def on_train_end(self, logs=None):
            raise ValueError("first")

    class Ends(Callback):
        def on_train_end(self, logs=None):
            ended.append(True)

    with pytest.raises(ValueError, match="first"):
        train([Fails(), Ends()], [1.0])
    assert ended == [True]


def test_classes_and_strangers_are_refused():
    with pytest.raises(ArgumentError, match=r"Call it: EarlyStopping\(\)"):
        CallbackList([EarlyStopping])
    with pytest.raises(ArgumentError, match="LambdaCallback"):
        CallbackList(["csv"])


def test_one_callback_and_nested_lists_are_taken():
    assert len(CallbackList(History()).callbacks) == 1
    assert len(CallbackList([[Callback()], None, [Callback()]]).callbacks) == 2


def test_params_and_model_reach_callbacks_without_own_init():
    class Quiet(Callback):
        def __init__(self):  # as many people write it: no super().__init__()
            self.seen = None

        def on_train_begin(self, logs=None):
            self.seen = (self.params["epochs"], self.model.weight)

    callback = Quiet()
    train(callback, [1.0, 1.0])
    assert callback.seen == (2, 0.0)


def test_logs_are_fetched_only_when_somebody_looks():
    runner = CallbackList([EarlyStopping()], add_history=True, model=Host())
    runner.progress(1, lambda: pytest.fail("nobody asked"))
