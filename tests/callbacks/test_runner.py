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


class Foreign:
    """The base class of another library of callbacks: its hooks do nothing."""

    def __init__(self):
        self.calls = []

    def set_params(self, params):
        self.params = params

    def set_model(self, model):
        self.model = model

    def on_train_batch_begin(self, batch, logs=None):
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self.on_batch_end(batch, logs)


for _name in dir(Callback):
    if _name.startswith("on_") and not hasattr(Foreign, _name) and "non_finite" not in _name:
        setattr(Foreign, _name, lambda self, *_, **__: None)


class ForeignEpochs(Foreign):
    def on_epoch_end(self, epoch, logs=None):
        self.calls.append((epoch, self.model, self.params["epochs"]))


class ForeignPredictions(Foreign):
    def on_predict_batch_end(self, batch, logs=None):
        self.calls.append(batch)


class ForeignOldBatches(Foreign):
    def on_batch_end(self, batch, logs=None):
        self.calls.append(batch)


def test_callbacks_of_other_libraries_are_called_at_the_batches_they_act_at():
    for foreign, expected in (
        (ForeignEpochs(), (False, False, False)),
        (ForeignPredictions(), (False, False, True)),
        (ForeignOldBatches(), (True, False, False)),
        (Foreign(), (True, True, True)),  # not a base of anything: its hooks are its own
    ):
        runner = CallbackList([foreign])
        found = runner.has_train_batch_hooks, runner.has_test_batch_hooks
        assert (*found, runner.has_predict_batch_hooks) == expected, type(foreign).__name__
    foreign = ForeignEpochs()
    host = train([foreign], [1.0])
    assert foreign.calls == [(0, host, 1)]
    foreign = ForeignOldBatches()
    train([foreign], [1.0])
    assert foreign.calls == [0, 1]
    foreign = ForeignEpochs()  # as callbacks made of functions do it
    foreign.on_test_batch_end = lambda batch, logs: None
    assert CallbackList([foreign]).has_test_batch_hooks


def test_an_object_with_a_few_hooks_is_called_at_these():
    class Few:
        def on_epoch_end(self, epoch, logs):
            seen.append(epoch)

    class Batches:
        def on_batch_end(self, batch, logs):
            seen.append(f"batch {batch}")

    seen = []
    train([Few(), Batches()], [1.0])
    assert seen == ["batch 0", "batch 1", 0]


def test_who_has_nothing_to_do_at_a_batch_is_not_called_there():
    class Counts(Callback):
        def on_train_batch_end(self, batch, logs=None):
            called.append(batch)

    class Epochs(Callback):
        def __getattribute__(self, name):
            if "batch" in name and name != "batch_hooks":
                asked.append(name)
            return super().__getattribute__(name)

    called, asked = [], []
    runner = CallbackList([Epochs(), Counts()])
    asked.clear()
    for batch in range(3):
        runner.on_train_batch_begin(batch)
        runner.on_train_batch_end(batch, {})
    assert called == [0, 1, 2] and asked == []


def test_ctrl_c_in_a_callback_at_the_end_lets_the_others_end():
    ended = []

    class Pressed(Callback):
        def on_train_end(self, logs=None):
            raise KeyboardInterrupt

    class Fails(Callback):
        def on_train_end(self, logs=None):
            raise ValueError("first")

    class Ends(Callback):
        def on_train_end(self, logs=None):
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        train([Fails(), Pressed(), Ends()], [1.0])
    assert ended == [True]


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
