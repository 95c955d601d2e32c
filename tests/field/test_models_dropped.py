"""Models made in a loop and dropped leave nothing behind, in nacre's caches and in JAX's."""

from __future__ import annotations

import collections
import gc
import types
import weakref
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core import program

X, Y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")


def small() -> nacre.Sequential:
    return nacre.Sequential(
        [nacre.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(1)]
    )


def compiled() -> nacre.Sequential:
    model = small()
    model.compile("adam", "mse")
    return model


class OwnStep(nacre.Model):
    def __init__(self) -> None:
        super().__init__()
        self.out = layers.Dense(1)

    def call(self, x):
        return self.out(x)

    def train_step(self, data):
        x, y = data
        with nacre.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


def own_step() -> None:
    model = OwnStep()
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)


def of_sequences() -> None:
    inputs = nacre.Input((None,), dtype="int32")
    hidden = layers.Embedding(9, 4, mask_zero=True)(inputs)
    hidden = layers.LayerNormalization()(layers.MultiHeadAttention(2, 2)(hidden, hidden))
    nacre.Model(inputs, layers.LSTM(2)(hidden))


def tape_by_hand() -> None:
    model = small()
    optimizer = nacre.optimizers.SGD()
    with nacre.GradientTape() as tape:
        loss = nacre.ops.mean(model(X) ** 2)
    variables = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))


def function() -> None:
    model = small()

    @nacre.function
    def run(x):
        return {"outputs": model(x), "name": model.name}

    run(X)


KINDS: dict[str, Callable[[], object]] = {
    "fit": lambda: compiled().fit(X, Y, verbose=0),
    "train_on_batch": lambda: compiled().train_on_batch(X, Y),
    "evaluate": lambda: compiled().evaluate(X, Y, verbose=0),
    "predict": lambda: small().predict(X, verbose=0),
    "call": lambda: small()(X),
    "own step": own_step,
    "tape by hand": tape_by_hand,
    "function": function,
    "sequences": of_sequences,
    "clone": lambda: nacre.models.clone_model(small()),
    "config": lambda: nacre.Sequential.from_config(small().get_config()),
}


def count_of_objects() -> collections.Counter[str]:
    gc.collect()
    return collections.Counter(type(o).__qualname__ for o in gc.get_objects())


def check(run: Callable[[], object], times: int = 3) -> None:
    """Of three rounds one leaves nothing: what is used for the first time may stay."""
    run()
    for _ in range(3):
        before = count_of_objects()
        for _ in range(times):
            run()
        left = count_of_objects() - before
        if all(count < times for count in left.values()):
            return
    pytest.fail(f"left behind by {times}: {left.most_common(10)}")


@pytest.mark.parametrize("kind", KINDS)
def test_models_that_are_dropped_leave_no_objects(kind):
    check(KINDS[kind])


def test_models_that_are_loaded_and_dropped_leave_no_objects(tmp_path):
    compiled().save(tmp_path / "model.keras")
    check(lambda: nacre.saving.load_model(tmp_path / "model.keras"))


def test_what_a_function_returned_goes_with_it():
    class Result:
        pass

    def made() -> tuple[weakref.ref[Result], weakref.ref[Result]]:
        first, second = Result(), Result()
        run = nacre.function(lambda x: (x + 1, first))
        both = nacre.function(lambda x: [second, x * 2])
        assert run(X)[1] is first and both(X)[0] is second
        assert run(X)[1] is first  # each its own, though the structure is the same to JAX
        return weakref.ref(first), weakref.ref(second)

    first, second = made()
    gc.collect()
    assert first() is None and second() is None


def test_a_derivative_is_there_though_the_model_is_gone():
    def made() -> tuple[nacre.GradientTape, Any, Any]:
        x, model = jnp.asarray(X), small()
        with nacre.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = model(x)
        return tape, y, x

    tape, y, x = made()
    gc.collect()
    assert tape.gradient(y, x).shape == X.shape
    assert tape.batch_jacobian(y, x).shape == (8, 1, 4)


def test_models_that_are_dropped_do_not_pile_up_until_python_looks_for_them(monkeypatch):
    models: list[weakref.ref[nacre.Sequential]] = []
    gc.collect()
    most = len(program._alive) + 4
    monkeypatch.setattr(program, "_FEW_PROGRAMS", most)
    monkeypatch.setattr(program, "_alive_at_most", [most])
    monkeypatch.setattr(program, "_SEARCHING", 1.0)
    monkeypatch.setattr(program, "_not_before", [0.0])
    before = gc.get_threshold()
    gc.set_threshold(0)  # Python itself looks for none
    try:
        for _ in range(3 * most):
            model = small()
            model(X[:1])
            models.append(weakref.ref(model))
            assert sum(model() is not None for model in models) <= 2 * most
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize(("making", "share"), [(0.5, 0.13), (0.01, 1.0)])
def test_searches_take_a_tenth_of_the_time_unless_programs_pile_up(monkeypatch, making, share):
    """Where a search takes a second, as among millions of objects, and all made was dropped."""
    now, searched, waiting, most = [0.0], [0], [], 0

    class Made:
        pass

    def search():
        waiting.clear()
        searched[0] += 1
        now[0] += 1.0

    monkeypatch.setattr(
        program, "gc", types.SimpleNamespace(collect=search, isenabled=lambda: True)
    )
    monkeypatch.setattr(program, "time", types.SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(program, "_alive", weakref.WeakSet())
    monkeypatch.setattr(program, "_alive_at_most", [program._FEW_PROGRAMS])
    monkeypatch.setattr(program, "_not_before", [0.0])
    for _ in range(400):
        now[0] += making
        waiting.append(Made())
        program._note_made(waiting[-1])
        most = max(most, len(waiting))
    assert most <= program._SEARCHED_AT * program._FEW_PROGRAMS
    assert 0 < searched[0] <= share * now[0]
