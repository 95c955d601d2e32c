"""Trainings that begin while a model is saved wait: what is saved is what one step left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.state import State, standing_still
from nacre.core.variable import RunningTraining

X, Y = np.ones((16, 1), np.float32), np.full((16, 1), -1e9, np.float32)


class Alike(nacre.layers.Layer):
    """Weights that every step changes by one amount, so that those of two steps differ."""

    def build(self, input_shape: Any) -> None:
        self.all = [self.add_weight(f"w{i}", (4,), initializer="zeros") for i in range(20)]

    def call(self, inputs: Any) -> Any:
        return inputs + sum(nacre.ops.sum(weight) for weight in self.all)


def made() -> Any:
    model = nacre.Sequential([nacre.Input((1,)), Alike()])
    model.compile(nacre.optimizers.SGD(1.0), "mean_absolute_error")
    return model


def by_function(model: Any) -> Callable[[], Any]:
    @nacre.function
    def step() -> None:
        for weight in model.trainable_variables:
            weight.assign_add(nacre.ops.ones((4,)))

    return step


TRAININGS: dict[str, Callable[[Any], Callable[[], Any]]] = {
    "train_on_batch": lambda model: lambda: model.train_on_batch(X, Y),
    "short fits": lambda model: lambda: model.fit(X, Y, batch_size=8, verbose=0),
    "function": by_function,
}


def weights_saved(model: Any, path: Path) -> list[Any]:
    model.save_weights(path)
    other = made()
    other.load_weights(path)
    return other.get_weights()


@pytest.mark.parametrize("training", TRAININGS)
def test_what_is_saved_while_trainings_begin_and_end_is_of_one_step(
    training: str, tmp_path: Path
) -> None:
    model = made()
    step, is_over, errors = TRAININGS[training](model), threading.Event(), []
    step()

    def train() -> None:
        try:
            while not is_over.is_set():
                step()
        except BaseException as error:
            errors.append(error)

    trainer = threading.Thread(target=train)
    trainer.start()
    found = []
    try:
        for _ in range(4):
            found.append(model.get_weights())
            found += [weights_saved(model, tmp_path / name) for name in ("a.weights.h5", "b")]
    finally:
        is_over.set()
        trainer.join()
    assert not errors
    assert [len({float(weight[0]) for weight in weights}) for weights in found] == [1] * len(found)
    assert found[0][0][0] != found[-1][0][0]  # it trained meanwhile


def test_a_training_that_begins_while_a_thread_saves_waits_for_its_end() -> None:
    model, begun = made(), threading.Event()
    model.train_on_batch(X, Y)

    def train() -> None:
        begun.set()
        model.train_on_batch(X, Y)

    trainer = threading.Thread(target=train)
    with standing_still(model.variables):
        before = model.get_weights()[0].copy()
        trainer.start()
        begun.wait()
        trainer.join(0.3)
        assert trainer.is_alive()
        np.testing.assert_array_equal(model.get_weights()[0], before)
    trainer.join()
    assert (model.get_weights()[0] != before).all()


def test_who_waits_for_two_trainings_takes_their_locks_in_one_order() -> None:
    one, other = nacre.Variable(0.0), nacre.Variable(1.0)
    taken: list[Any] = []

    class Lock:
        def __enter__(self) -> None:
            taken.append(self)

        def __exit__(self, *_: Any) -> None: ...

    for variable in (one, other):
        training: Any = RunningTraining(threading.get_ident(), lambda: None)
        training.lock, variable.trained_by = Lock(), training

    def first_two(wait: Callable[[], object]) -> list[Any]:
        taken.clear()
        wait()
        return taken[:2]

    def stand_still(variables: list[Any]) -> None:
        with standing_still(variables):
            pass

    waits: list[Callable[[], object]] = [
        lambda: stand_still([one, other]),
        lambda: stand_still([other, one]),
        State({"a": [one], "b": [other]}).read,
        State({"a": [other], "b": [one]}).read,
    ]
    orders = [first_two(wait) for wait in waits]
    assert len(set(orders[0])) == 2
    assert orders == [orders[0]] * 4


def test_a_callback_saves_and_trains_while_another_thread_saves(tmp_path: Path) -> None:
    model, done = made(), []

    class SavesAndTrains(nacre.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.save_weights(tmp_path / "own.weights.h5")
            self.model.train_on_batch(X, Y)
            saver = threading.Thread(target=save)
            saver.start()
            saver.join()

    def save() -> None:
        model.save_weights(tmp_path / "other.weights.h5")
        done.append(True)

    other = threading.Thread(target=lambda: [save() for _ in range(4)])
    other.start()
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[SavesAndTrains()])
    other.join()
    assert len(done) == 7
