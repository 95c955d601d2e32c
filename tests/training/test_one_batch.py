"""A call for one small batch, as in reinforcement learning: what it costs besides its program."""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import jax
import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core.errors import NacreError, NonFiniteError

FOLDER = str(Path(keras.__file__).parent)
X, Y = np.ones((4, 3), np.float32), np.ones((4, 1), np.float32)


def chain(depth: int) -> Any:
    model = keras.Sequential([keras.Input((3,)), *[layers.Dense(3) for _ in range(depth)]])
    model.add(layers.Dense(1))
    model.compile("adam", "mse")
    return model


def functions_entered(call: Callable[[], Any]) -> int:
    """How many functions written in Python a call enters, when nothing is left to compile."""
    count = 0

    def enter(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_filename.startswith(FOLDER)

    for _ in range(3):
        call()
    sys.setprofile(enter)
    try:
        call()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(  # some 4 % above a new process: what ran before in one adds a few
    ("method", "most"), [("fit", 675), ("train_on_batch", 415), ("test_on_batch", 415)]
)
def test_one_batch_takes_few_functions_and_as_many_for_a_deep_model(method: str, most: int) -> None:
    options = {"verbose": 0} if method == "fit" else {}
    found = []
    for depth in (1, 9):
        run = getattr(chain(depth), method)
        found.append(functions_entered(lambda run=run: run(X, Y, **options)))
    assert found[0] == found[1] and found[0] <= most


class Steps(keras.Model):
    """A step written by hand."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.chain = chain(depth)

    def call(self, inputs: Any) -> Any:
        return self.chain(inputs)

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with keras.GradientTape() as tape:
            loss = keras.ops.mean((self.chain(x, training=True) - y) ** 2)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


@pytest.mark.parametrize("method", ["fit", "train_on_batch"])
def test_a_step_of_the_users_takes_as_many_functions_for_a_deep_model(method: str) -> None:
    options = {"verbose": 0} if method == "fit" else {}
    found = []
    for depth in (1, 9):
        model = Steps(depth)
        model.compile("adam")
        run = getattr(model, method)
        found.append(functions_entered(lambda run=run: run(X, Y, **options)))
    assert found[0] == found[1]


def test_calls_and_predictions_take_few_functions_and_as_many_for_a_deep_model() -> None:
    runs: list[Callable[[Any], Any]] = [
        lambda m: m(X),
        lambda m: m.predict(X, verbose=0),
        lambda m: m.predict_on_batch(X),
        lambda m: m.evaluate(X, Y, verbose=0),
    ]
    for run, most in zip(runs, (60, 60, 250, 900), strict=True):
        calls = [functools.partial(run, chain(depth)) for depth in (1, 9)]
        shallow, deep = map(functions_entered, calls)
        assert shallow == deep <= most


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_states_are_whole_after_a_batch_was_tested(run_eagerly: bool, monkeypatch: Any) -> None:
    model = keras.Sequential([keras.Input((3,)), layers.BatchNormalization(), layers.Dropout(0.5)])
    model.add(layers.Dense(1))
    model.compile("adam", "mse", metrics=["mae"], run_eagerly=run_eagerly)
    model.fit(X, Y, verbose=0)
    before = [v.numpy() for v in model.variables]
    results = [model.test_on_batch(X, Y), model.test_on_batch(X, Y)]
    assert results[0] == results[1] == model.evaluate(X, Y, verbose=0)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    if not run_eagerly:
        sent: list[Any] = []
        put = jax.device_put
        monkeypatch.setattr(jax, "device_put", lambda *a, **k: (sent.append(a), put(*a, **k))[1])
        model.test_on_batch(X, Y)
        assert not sent  # states are handed to the program as they are


def test_a_batch_of_a_generator_takes_few_functions_and_as_many_for_a_deep_model() -> None:
    def of_batches(model: Any, count: int) -> int:
        return functions_entered(lambda: model.fit(iter([(X, Y)] * count), verbose=0))

    shallow, deep = ((of_batches(m, 60) - of_batches(m, 20)) / 40 for m in (chain(1), chain(9)))
    assert abs(shallow - deep) < 5  # now and then losses are looked at
    assert shallow < 125


def test_a_hook_that_a_class_gets_between_two_trainings_is_called() -> None:
    class Counts(keras.callbacks.Callback):
        steps = 0

    def count(self: Counts, batch: int, logs: Any = None) -> None:
        self.steps += 1

    model, counts = chain(1), Counts()
    model.fit(X, Y, verbose=0, callbacks=[counts])
    Counts.on_train_batch_end = count  # type: ignore[method-assign]
    model.fit(X, Y, verbose=0, callbacks=[counts])
    assert counts.steps == 1
    counts.on_train_batch_begin = lambda batch, logs=None: count(counts, batch)  # type: ignore[method-assign]
    model.fit(X, Y, verbose=0, callbacks=[counts])
    assert counts.steps == 3


def test_a_handler_of_a_signal_that_a_callback_sets_stays() -> None:
    before = signal.getsignal(signal.SIGINT)

    def mine(number: int, frame: FrameType | None) -> None: ...

    set_mine = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: signal.signal(signal.SIGINT, mine)
    )
    try:
        chain(1).fit(X, Y, verbose=0, callbacks=[set_mine])
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("x", [np.array([[1], [3]]), np.array([[1.0], [3.0]]), [[1], [3]]])
def test_whole_numbers_and_floats_reach_an_input_of_whole_numbers(x: Any) -> None:
    inputs = keras.Input((1,), dtype="int32")
    model = keras.Model(inputs, layers.Embedding(4, 2)(inputs))
    model.compile("sgd", "mse")
    before = model.get_weights()[0]
    model.fit(x, np.ones((2, 1, 2), np.float32), verbose=0)
    changed = (model.get_weights()[0] != before).any(axis=1)
    np.testing.assert_array_equal(changed, [False, True, False, True])
    with pytest.raises(NacreError, match="must fit into int32"):
        model.fit(np.array([[1], [2**31]]), np.ones((2, 1, 2)), verbose=0)


def _of_one_weight(own_code: bool = False) -> Any:
    """A model of one weight; with a loss of a script's own its step is not nacre's alone."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False)])
    loss: Any = (lambda y, y_pred: keras.ops.mean(y_pred * y)) if own_code else "mse"
    model.compile(keras.optimizers.SGD(1.0, momentum=0.5), loss)
    model.set_weights([np.ones((1, 1), np.float32)])
    model.fit(*ONE, verbose=0)
    return model


ONE = np.ones((1, 1), np.float32), np.ones((1, 1), np.float32)


@pytest.mark.parametrize("own_code", [False, True])
def test_a_spoiled_step_of_one_batch_leaves_all_as_it_was_and_the_next_goes_on(
    own_code: bool,
) -> None:
    model = _of_one_weight(own_code)
    before = [v.numpy() for v in (*model.variables, *model.optimizer.variables)]
    with pytest.raises(NonFiniteError, match="nan or inf at step 1"):
        model.fit(ONE[0] * np.nan, ONE[1], verbose=0)
    model.optimizer.learning_rate = 1e38
    with pytest.raises(NonFiniteError, match="a gradient that is nan or inf"):
        model.fit(4 * ONE[0], ONE[1], verbose=0)
    model.optimizer.learning_rate = 1.0
    after = [v.numpy() for v in (*model.variables, *model.optimizer.variables)]
    for a, b in zip(after, before, strict=True):
        np.testing.assert_array_equal(a, b)
    twin = _of_one_weight(own_code)
    losses = [m.fit(ONE[0], 2 * ONE[1], verbose=0).history["loss"] for m in (model, twin)]
    assert losses[0] == losses[1]


def test_weights_that_a_script_spoiled_itself_do_not_stop_the_training_of_others() -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.5), lambda y, y_pred: keras.ops.mean(y_pred[:, 0] * y))
    model.set_weights([np.array([[1, np.nan], [1, np.nan]], np.float32)])
    x, y = np.ones((1, 2), np.float32), np.ones((1,), np.float32)
    model.fit(x, y, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0][:, 0], [0.5, 0.5])


def test_code_of_a_script_that_fails_in_the_step_of_one_batch_leaves_the_model_its_weights() -> (
    None
):
    fails = [False]

    def seen(value: Any) -> None:
        if fails[0]:
            raise ValueError("no host today")

    def loss(y: Any, y_pred: Any) -> Any:
        jax.debug.callback(seen, y_pred)
        return keras.ops.mean(y_pred)

    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile("sgd", loss)
    model.fit(*ONE, verbose=0)
    jax.effects_barrier()
    fails[0] = True
    with contextlib.suppress(Exception):  # JAX tells it when it pleases
        model.fit(*ONE, verbose=0)
        jax.effects_barrier()
    assert np.isfinite(model.get_weights()[0]).all()
