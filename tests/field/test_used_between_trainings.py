"""A model answers in some threads while steps begin and end in another, as in a server that learns."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

import nacre

X, Y = np.ones((16, 4), np.float32), np.zeros((16, 1), np.float32)

USES: dict[str, Callable[[Any], Any]] = {
    "predict": lambda model: model.predict(X, verbose=0),
    "predict_on_batch": lambda model: model.predict_on_batch(X),
    "call": lambda model: np.asarray(model(X)),
    "evaluate": lambda model: model.evaluate(X, Y, batch_size=2, verbose=0),
    "test_on_batch": lambda model: model.test_on_batch(X, Y),
}


def test_a_model_is_used_in_threads_while_another_thread_trains_it_batch_by_batch() -> None:
    layers = [nacre.layers.Dense(8, "relu"), nacre.layers.BatchNormalization()]
    model = nacre.Sequential([nacre.Input((4,)), *layers, nacre.layers.Dense(1)])
    model.compile("adam", "mse")
    model.train_on_batch(X, Y)
    for use in USES.values():
        use(model)
    is_over, errors, done = threading.Event(), list[str](), list[str]()

    def train() -> None:
        try:
            while not is_over.is_set():
                model.train_on_batch(X, Y)
        except Exception as error:
            errors.append(f"train_on_batch: {error}")

    def use_often(name: str) -> None:
        for _ in range(40):
            try:
                USES[name](model)
                done.append(name)
            except Exception as error:
                errors.append(f"{name}: {error}")

    trainer = threading.Thread(target=train)
    users = [threading.Thread(target=use_often, args=(name,)) for name in USES]
    for thread in (trainer, *users):
        thread.start()
    for user in users:
        user.join()
    is_over.set()
    trainer.join()
    assert not errors, errors[:3]
    assert len(done) == 40 * len(USES)


def test_a_thread_that_trained_and_ended_costs_later_uses_nothing() -> None:
    model = nacre.Sequential([nacre.Input((4,)), nacre.layers.Dense(1)])
    model.compile("adam", "mse")
    trainer = threading.Thread(target=lambda: model.train_on_batch(X, Y))
    trainer.start()
    trainer.join()
    model.predict(X, verbose=0)
    variables = [*model.weights, *model.optimizer.variables]
    assert not any(variable._was_read for variable in variables)  # the next step copies none
