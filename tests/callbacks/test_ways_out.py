"""Whatever ends a training, and wherever: it is raised, and model, history and callbacks are in
order."""

from __future__ import annotations

import errno
import linecache
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre import callbacks, layers
from nacre.core import context
from nacre.core.not_yet import __file__ as core_file

X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
Y = X[:, :1]
PACKAGE = str(Path(core_file).parents[1]) + os.sep


class Records(callbacks.Callback):
    adds_logs = ()

    def __init__(self) -> None:
        self.begun = self.ended = 0
        self.epochs: list[tuple[float, list[np.ndarray]]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.begun += 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append((logs["val_loss"], self.model.get_weights()))

    def on_train_end(self, logs: Any = None) -> None:
        self.ended += 1


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    made = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(1),
        ]
    )
    made.compile("adam", "mse", metrics=["mae"])
    return made


class Training:
    """A training with callbacks that have something to put in order when it ends."""

    def __init__(self, model: keras.Model, folder: Path, *others: Any) -> None:
        self.model, self.folder = model, folder
        self.records, self.last = Records(), Records()
        # The worst epoch as the best, so that the weights are not those of the last one anyway.
        self.stops = callbacks.EarlyStopping(mode="max", patience=9, restore_best_weights=True)
        self.file = folder / "m.weights.h5"
        self.callbacks = [
            self.records,
            self.stops,
            callbacks.CSVLogger(folder / "log.csv"),
            *others,
            callbacks.ModelCheckpoint(self.file, save_weights_only=True),
            self.last,
        ]

    def fit(self, x: Any = X, y: Any = Y, **arguments: Any) -> Any:
        arguments = {"batch_size": 8, "epochs": 3, "validation_data": (X, Y), **arguments}
        return self.model.fit(x, y, verbose=0, callbacks=self.callbacks, **arguments)

    def check(self) -> None:
        """What must hold after any end, and that the model trains on."""
        model, records = self.model, self.records
        assert (records.begun, self.last.begun) == (records.ended, self.last.ended)
        assert isinstance(model.history, callbacks.History)
        if records.begun:
            assert len(records.epochs) - 1 <= len(model.history.epoch) <= len(records.epochs)
        if self.stops.best is not None:
            best = next(w for value, w in records.epochs if value == self.stops.best)
            for kept, weight in zip(best, model.get_weights(), strict=True):
                np.testing.assert_array_equal(kept, weight)
        if self.file.exists():
            keras.models.clone_model(model).load_weights(self.file)
        assert {path.name for path in self.folder.iterdir()} <= {"log.csv", "m.weights.h5"}
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert context.current() is context.NOTHING_UNDER_WAY
        steps = int(model.optimizer.iterations.numpy())
        model.train_on_batch(X[:8], Y[:8])
        assert int(model.optimizer.iterations.numpy()) == steps + 1
        assert all(np.isfinite(weight).all() for weight in model.get_weights())


def lines_run(work: Callable[[], Any], press_at: int = 0) -> int:
    """How many lines of nacre's a piece of work runs; Ctrl-C comes at one of them."""
    count = 0

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(PACKAGE) else None

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        # No signal comes between the end of a block and a lock's `__exit__`, a line event does.
        text = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        if event != "line" or text.lstrip().startswith("with "):
            return line
        count += 1
        if count == press_at:
            sys.settrace(None)
            handler = signal.getsignal(signal.SIGINT)
            assert callable(handler)
            handler(signal.SIGINT, frame)
        return line

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def batches() -> Any:
    while True:
        for row in range(0, 24, 8):
            yield X[row : row + 8], Y[row : row + 8]


@pytest.mark.parametrize("kind", ["arrays", "hooks", "generator"])
def test_ctrl_c_at_any_line_leaves_everything_in_order(
    model: keras.Model, kind: str, tmp_path: Path
) -> None:
    def training(folder: Path) -> tuple[Training, Callable[[], Any]]:
        folder.mkdir()
        hooks = [callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)]
        made = Training(model, folder, *(hooks if kind == "hooks" else []))
        if kind != "generator":
            return made, made.fit
        arguments: dict[str, Any] = {"y": None, "batch_size": None, "steps_per_epoch": 3}
        return made, lambda: made.fit(batches(), **arguments)

    training(tmp_path / "warm")[1]()
    total = lines_run(training(tmp_path / "counted")[1])
    assert total > 5000
    points = random.Random(kind).sample(range(1, total * 99 // 100), 10)
    for point in points:
        made, fit = training(tmp_path / str(point))
        with pytest.raises(KeyboardInterrupt):
            lines_run(fit, point)
        made.check()


@pytest.mark.parametrize("method", ["evaluate", "predict", "train_on_batch", "test_on_batch"])
def test_ctrl_c_at_any_line_of_what_runs_once(model: keras.Model, method: str) -> None:
    work = {
        "evaluate": lambda: model.evaluate(X, Y, batch_size=8, verbose=0),
        "predict": lambda: model.predict(X, batch_size=8, verbose=0),
        "train_on_batch": lambda: model.train_on_batch(X[:8], Y[:8]),
        "test_on_batch": lambda: model.test_on_batch(X[:8], Y[:8]),
    }[method]
    work()
    work()  # the first run that needs no trace ends the looking at reads, in lines of its own
    total = lines_run(work)
    for point in random.Random(1).sample(range(1, total * 99 // 100), 20):
        with pytest.raises(KeyboardInterrupt):
            lines_run(work, point)
        assert context.current() is context.NOTHING_UNDER_WAY
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        work()


HOOKS = {
    "on_train_begin": 0,
    "on_epoch_begin": 2,
    "on_train_batch_begin": 4,
    "on_train_batch_end": 4,
    "on_test_begin": 1,
    "on_test_batch_begin": 2,
    "on_test_batch_end": 2,
    "on_test_end": 1,
    "on_epoch_end": 1,
    "on_train_end": 0,
}


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("hook", HOOKS)
def test_what_a_callback_raises_leaves_everything_in_order(
    model: keras.Model, hook: str, kind: type[BaseException], tmp_path: Path
) -> None:
    calls: list[Any] = []

    def fails(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == HOOKS[hook] + 1:
            raise kind("stop")

    training = Training(model, tmp_path, callbacks.LambdaCallback(**{hook: fails}))
    with pytest.raises(kind, match="stop"):
        training.fit()
    assert training.records.ended == 1
    if hook == "on_train_begin":  # those behind had not begun
        training.last.ended = training.last.begun
    training.check()


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_what_a_source_raises_leaves_everything_in_order(
    model: keras.Model, kind: type[BaseException], tmp_path: Path
) -> None:
    def fails() -> Any:
        source = batches()
        for _ in range(7):
            yield next(source)
        raise kind("stop")

    training = Training(model, tmp_path)
    with pytest.raises(kind, match="stop"):
        training.fit(fails(), None, batch_size=None, steps_per_epoch=3)
    assert len(training.records.epochs) == 2
    training.check()


class FailingSource(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        if self.fails and index == 1:
            raise ValueError("stop")
        return X[index * 8 : index * 8 + 8], Y[index * 8 : index * 8 + 8]

    fails = False

    def on_epoch_end(self) -> None:
        self.fails = True


def test_what_a_worker_raises_leaves_everything_in_order(
    model: keras.Model, tmp_path: Path
) -> None:
    training = Training(model, tmp_path)
    with pytest.raises(ValueError, match="stop"):
        training.fit(FailingSource(workers=2), None, batch_size=None)
    training.check()


# ------------------------------------------------------------------ saving


@pytest.mark.parametrize(
    "kind", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt("stop")]
)
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_save_that_fails_leaves_the_file_of_before(
    model: keras.Model, moment: str, kind: BaseException, tmp_path: Path, monkeypatch: Any
) -> None:
    training = Training(model, tmp_path)
    real, contents = getattr(os, moment), []

    def fails(*arguments: Any, **keywords: Any) -> Any:
        if training.file.exists():
            contents.append(training.file.read_bytes())
            raise kind
        return real(*arguments, **keywords)

    monkeypatch.setattr(os, moment, fails)
    with pytest.raises(type(kind)) as caught:
        training.fit()
    if isinstance(kind, OSError):
        assert "is as it was before" in str(caught.value)
        assert "Make room on the disk" in str(caught.value)
    assert training.file.read_bytes() == contents[0]
    monkeypatch.undo()
    training.check()


def test_a_disk_that_is_full_is_told_of_by_its_name(model: keras.Model, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    training = Training(model, tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match=r"saving 'm.weights.h5'.*was not made"):
            training.fit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    training.check()


def test_the_error_at_the_end_of_a_save_takes_no_place_from_the_first(
    model: keras.Model, tmp_path: Path
) -> None:
    def fails(logs: Any) -> None:
        raise OSError("disk full")

    training = Training(model, tmp_path, callbacks.LambdaCallback(on_train_end=fails))
    with pytest.raises(OSError, match="disk full"):
        training.fit()
    training.check()
