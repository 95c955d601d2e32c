"""What is compiled gives what the same Python gives when it runs, whatever happens in between.

A table: each way to run a model, by what may happen between two of its runs (an attribute, a shape
or weights changed) or around one (a training of the same model, another thread). A fresh model that
runs eagerly says what the answer is.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import callbacks, layers, losses, metrics, ops, optimizers
from nacre.core.errors import BusyError
from nacre.models import generate

VOCAB = 16
RNG = np.random.default_rng(0)


class Scaled(layers.Layer):
    """Reads attributes of every kind: a number, a list, a dict, and those of an object it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.restore()

    def restore(self) -> None:
        self.scale, self.shifts, self.table = 1.0, [0.5], {"shift": 0.25}

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((1,), initializer="ones")

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, "float32") * self.kernel * self.scale
        return x + sum(self.shifts) + self.table["shift"]


class Nearest(layers.Layer):
    """Logits of tokens: the highest is that of the number itself."""

    def call(self, inputs: Any) -> Any:
        return -ops.square(ops.arange(VOCAB, dtype="float32") - inputs[..., None])


class Weighed(losses.Loss):
    factor = 1.0

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.square(y_true - y_pred), axis=-1) * self.factor


class Distance(metrics.Mean):
    factor = 1.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return super().update_state(ops.abs(y_true - y_pred) * self.factor)


def make(tokens: bool = False, eager: bool = False, learning_rate: float = 0.1) -> nacre.Model:
    inputs = nacre.Input((None,), dtype="int32" if tokens else "float32")
    model = nacre.Sequential([inputs, Scaled(), *([Nearest()] if tokens else [])])
    model.compile(
        optimizers.SGD(learning_rate),
        Weighed(),
        metrics=[Distance(name="distance")],
        run_eagerly=eager,
    )
    model.part = model.layers[0]
    return model


def restore(model: nacre.Model) -> None:
    model.part.restore()
    model.part.kernel.assign([1.0])
    model.loss.factor = 1.0
    model.metrics[-1].factor = 1.0
    model.optimizer.clipvalue = None


# --- the ways to run ------------------------------------------------------------------------------

Data = tuple[np.ndarray, np.ndarray, np.ndarray]  # inputs, targets, tokens


def data(batch: int, length: int) -> Data:
    x, y = (RNG.normal(size=(batch, length)).astype("float32") for _ in range(2))
    return x, y, RNG.integers(1, 4, (batch, length)).astype("int32")


DATA = data(3, 2)


def fit(model: nacre.Model, x: Any, y: Any, _: Any) -> Any:
    history = model.fit(x, y, batch_size=2, epochs=2, shuffle=False, verbose=0).history
    return history, model.get_weights()


PROGRAMS: dict[str, Callable[..., Any]] = {
    "fit": fit,
    "train_on_batch": lambda m, x, y, _: (m.train_on_batch(x, y), m.get_weights()),
    "evaluate": lambda m, x, y, _: m.evaluate(x, y, batch_size=2, verbose=0),
    "test_on_batch": lambda m, x, y, _: m.test_on_batch(x, y),
    "predict": lambda m, x, y, _: m.predict(x, batch_size=2, verbose=0),
    "predict_on_batch": lambda m, x, y, _: m.predict_on_batch(x),
    "model(x)": lambda m, x, y, _: m(x),
    "generate": lambda m, x, y, tokens: generate(m, tokens, tokens.shape[1] + 3),
}
TRAINING = ("fit", "train_on_batch")
WITH_LOSS = (*TRAINING, "evaluate", "test_on_batch")


def numbers(program: str, model: nacre.Model, given: Data = DATA) -> list[np.ndarray]:
    """All a run gives."""
    return [np.array(leaf) for leaf in jax.tree.leaves(PROGRAMS[program](model, *given))]


def answer(program: str, model: nacre.Model, given: Data = DATA) -> list[np.ndarray]:
    """The same, and the weights are as they were afterwards."""
    before = model.get_weights()
    result = numbers(program, model, given)
    model.set_weights(before)
    return result


def fresh(program: str, **options: Any) -> nacre.Model:
    return make(tokens=program == "generate", **options)


@functools.cache
def used(program: str) -> nacre.Model:
    """A model that has compiled this program before; each test leaves it as it was."""
    model = fresh(program)
    answer(program, model)
    return model


def assert_same(ours: list[np.ndarray], theirs: list[np.ndarray]) -> None:
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        # Compiled sums may be fused, and so round in another way.
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def are_same(ours: list[np.ndarray], theirs: list[np.ndarray]) -> bool:
    try:
        assert_same(ours, theirs)
    except AssertionError:
        return False
    return True


# --- something changed between two runs -----------------------------------------------------------


def set_layer_attribute(model: nacre.Model) -> None:
    model.part.scale = 3.0


def append_to_list(model: nacre.Model) -> None:
    model.part.shifts.append(2.0)


def set_dict_item(model: nacre.Model) -> None:
    model.part.table["shift"] = 2.0


def change_weights(model: nacre.Model) -> None:
    model.part.kernel.assign([3.0])


def set_loss_attribute(model: nacre.Model) -> None:
    model.loss.factor = 3.0


def set_metric_attribute(model: nacre.Model) -> None:
    model.metrics[-1].factor = 3.0


def set_optimizer_attribute(model: nacre.Model) -> None:
    model.optimizer.clipvalue = 0.01


CHANGES: dict[Callable[[nacre.Model], None], tuple[str, ...]] = {
    set_layer_attribute: tuple(PROGRAMS),
    append_to_list: tuple(PROGRAMS),
    set_dict_item: tuple(PROGRAMS),
    change_weights: tuple(PROGRAMS),
    set_loss_attribute: WITH_LOSS,
    set_metric_attribute: WITH_LOSS,
    set_optimizer_attribute: TRAINING,
}
CELLS = [
    pytest.param(change, program, id=f"{change.__name__}-{program}")
    for change, programs in CHANGES.items()
    for program in programs
]


@pytest.mark.parametrize(("change", "program"), CELLS)
def test_a_change_reaches_the_next_run(change: Callable[[nacre.Model], None], program: str) -> None:
    model, eager = used(program), fresh(program, eager=True)
    before = answer(program, model)
    assert_same(before, answer(program, eager))  # metrics are bound to outputs at the first run
    try:
        change(model)
        change(eager)
        after = answer(program, model)
        assert_same(after, answer(program, eager))
        assert not are_same(before, after)  # the change is one that shows
    finally:
        restore(model)
    assert_same(answer(program, model), before)  # and back again


@pytest.mark.parametrize("program", PROGRAMS)
def test_another_shape_gets_a_program_of_its_own(program: str) -> None:
    model, eager = used(program), fresh(program, eager=True)
    for given in (data(5, 3), data(1, 2), DATA):
        assert_same(answer(program, model, given), answer(program, eager, given))


class AtSecondEpoch(callbacks.Callback):
    """Makes a change before the second epoch begins."""

    def __init__(self, change: Callable[[nacre.Model], None]) -> None:
        super().__init__()
        self.change = change

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            self.change(self.model)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_by_a_callback_reaches_the_rest_of_the_training(
    change: Callable[[nacre.Model], None],
) -> None:
    x, y, _ = DATA

    def trained(model: nacre.Model) -> list[np.ndarray]:
        before = model.get_weights()
        watching = [AtSecondEpoch(change)]
        record = model.fit(x, y, epochs=2, shuffle=False, verbose=0, callbacks=watching)
        result = jax.tree.leaves((record.history, model.get_weights()))
        restore(model)
        model.set_weights(before)
        return result

    assert_same(trained(used("fit")), trained(fresh("fit", eager=True)))


# --- something goes on around a run ---------------------------------------------------------------


class AtBatches(callbacks.Callback):
    """Does something after the first and the second batch of a training."""

    def __init__(self, act: Callable[[], Any]) -> None:
        super().__init__()
        self.act, self.results = act, []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch < 2:
            self.results.append(self.act())


def around(program: str) -> tuple[nacre.Model, Callable[..., dict[str, list[float]]]]:
    """A model, and a training of it that learns nothing, so that every answer is known."""
    model = fresh(program, learning_rate=0.0)
    x, y, tokens = data(7, 2)
    if program == "generate":
        x, y = tokens, RNG.normal(size=(7, 2, VOCAB)).astype("float32")

    def train(*given: callbacks.Callback) -> dict[str, list[float]]:
        return model.fit(x, y, batch_size=2, shuffle=False, verbose=0, callbacks=given).history

    return model, train


def eager_answer(program: str) -> list[np.ndarray]:
    return numbers(program, fresh(program, eager=True, learning_rate=0.0))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_run_inside_a_training_neither_sees_nor_spoils_it(program: str) -> None:
    model, train = around(program)
    alone = train()
    inside = AtBatches(lambda: numbers(program, model))
    assert_same(jax.tree.leaves(train(inside)), jax.tree.leaves(alone))
    for result in inside.results:
        assert_same(result, eager_answer(program))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_run_in_another_thread_neither_sees_nor_spoils_a_training(program: str) -> None:
    model, train = around(program)
    alone = train()

    def in_another_thread() -> list[np.ndarray] | BusyError:
        # The training waits here, so the other run falls into its middle.
        with ThreadPoolExecutor(1) as pool:
            try:
                return pool.submit(numbers, program, model).result(60)
            except BusyError as error:
                return error

    outside = AtBatches(in_another_thread)
    assert_same(jax.tree.leaves(train(outside)), jax.tree.leaves(alone))
    for result in outside.results:
        if program in TRAINING:
            assert isinstance(result, BusyError)
        else:
            assert_same(result, eager_answer(program))


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p not in TRAINING])
def test_runs_in_several_threads_give_what_each_gives_alone(program: str) -> None:
    model, several = used(program), [data(3, 2) for _ in range(4)]
    alone = [answer(program, model, given) for given in several]
    start = threading.Barrier(len(several))

    def run(given: Data) -> list[list[np.ndarray]]:
        start.wait(60)
        return [numbers(program, model, given) for _ in range(5)]

    with ThreadPoolExecutor(len(several)) as pool:
        for results, expected in zip(pool.map(run, several), alone, strict=True):
            for result in results:
                assert_same(result, expected)
