"""Summaries in a `train_step`, as scripts of tf.keras write them: once a step that `fit` runs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import callbacks, layers, ops, summary
from nacre.summary.recording import put
from nacre.training.loop import TrainRun
from tests.summary.event_files import read, scalars

X = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
Y = np.ones((20, 1), "float32")


@pytest.fixture(autouse=True)
def _no_writer() -> Any:
    yield
    put(writer=None, step=None)


class Tells(nacre.Model):
    """Summarises its loss, in the tape and after the update."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(1)
        self.traced = 0

    def call(self, x: Any) -> Any:
        return self.dense(x)

    def train_step(self, data: Any) -> Any:
        x, y = data
        with nacre.GradientTape() as tape:
            loss = ops.mean((self(x, training=True) - y) ** 2)
            summary.scalar("loss_before", loss, step=self.optimizer.iterations)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        summary.histogram("kernel", self.dense.kernel, step=self.optimizer.iterations)
        return {"loss": loss}


class AddsOne(nacre.Model):
    """Adds to the built-in step; its summary has no step of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.dense(x)

    def train_step(self, data: Any) -> Any:
        logs = super().train_step(data)
        summary.scalar("twice", 2 * logs["loss"])
        return logs


def _compiled(cls: type[Any], **options: Any) -> Any:
    nacre.utils.set_random_seed(1)
    model = cls()
    model.compile("sgd", "mse", **options)
    return model


@pytest.mark.parametrize("options", [{}, {"steps_per_execution": 2}, {"run_eagerly": True}])
def test_each_step_is_written_under_its_number(tmp_path: Any, options: Any) -> None:
    model = _compiled(Tells, **options)
    with summary.create_file_writer(tmp_path).as_default():
        history = model.fit(X, Y, batch_size=5, epochs=2, verbose=0, shuffle=False)
    found = scalars(tmp_path)["loss_before"]
    assert [step for step, _ in found] == list(range(8))
    assert found[3][1] == pytest.approx(history.history["loss"][0])
    assert found[0][1] > found[-1][1] and set(history.history) == {"loss"}
    kernels = [w for w in read(tmp_path) if w.plugin == "histograms"]
    assert [w.step for w in kernels] == list(range(1, 9))
    assert kernels[-1].value[-1, 1] == pytest.approx(model.dense.kernel.numpy().max())


def test_without_a_writer_nothing_is_written_told_or_slowed(tmp_path: Any) -> None:
    model = _compiled(Tells)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y, batch_size=5, verbose=0)
        with summary.create_file_writer(tmp_path).as_default():
            model.fit(X, Y, batch_size=5, verbose=0)
            logs = model.train_on_batch(X, Y, return_dict=True)
    assert list(logs) == ["loss"]
    assert [step for step, _ in scalars(tmp_path)["loss_before"]] == [4, 5, 6, 7, 8]


class Silent(AddsOne):
    def train_step(self, data: Any) -> Any:
        return nacre.Model.train_step(self, data)


def test_a_step_without_any_is_slowed_for_one_epoch_alone(tmp_path: Any, monkeypatch: Any) -> None:
    counts: list[int] = []
    execute = TrainRun._execute

    def counted(self: Any, dispatch: Any) -> None:
        counts.append(dispatch.count)
        execute(self, dispatch)

    monkeypatch.setattr(TrainRun, "_execute", counted)
    with summary.create_file_writer(tmp_path).as_default():
        _compiled(Silent).fit(X, Y, batch_size=5, epochs=4, verbose=0)
    assert counts[:4] == [1, 1, 1, 1] and max(counts[4:]) > 1 and sum(counts) == 16


@pytest.mark.parametrize(("frequency", "steps"), [("batch", [0, 1, 2, 3]), (2, [0, 2])])
def test_the_callback_takes_steps_as_often_as_batches(
    tmp_path: Any, frequency: Any, steps: Any
) -> None:
    board = callbacks.TensorBoard(tmp_path, update_freq=frequency, write_graph=False)
    model = _compiled(AddsOne)
    history = model.fit(X, Y, batch_size=5, verbose=0, callbacks=[board])
    found = scalars(tmp_path, "train")
    assert [step for step, _ in found["twice"]] == steps
    assert set(history.history) == {"loss"}


def test_the_callback_of_epochs_alone_says_that_it_takes_none(tmp_path: Any) -> None:
    board = callbacks.TensorBoard(tmp_path, write_graph=False)
    with pytest.warns(UserWarning, match="twice.*update_freq='batch'.*left out"):
        _compiled(AddsOne).fit(X, Y, batch_size=5, verbose=0, callbacks=[board])
    assert "twice" not in scalars(tmp_path, "train")


def test_a_text_alone_is_written_and_a_condition_is_asked_at_each_step(tmp_path: Any) -> None:
    class Says(AddsOne):
        def train_step(self, data: Any) -> Any:
            logs = nacre.Model.train_step(self, data)
            summary.text("note", "a step", step=0)
            return logs

    asked: list[int] = []

    def is_second() -> bool:
        asked.append(1)
        return len(asked) == 2

    with summary.create_file_writer(tmp_path).as_default(), summary.record_if(is_second):
        _compiled(Says).fit(X, Y, batch_size=10, verbose=0)
    assert len(asked) == 2
    assert [w.tag for w in read(tmp_path) if w.plugin == "text"] == ["note"]
