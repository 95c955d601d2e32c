"""What the script says is what runs: in `fit`, beside it, in other threads and in eager calls."""

from __future__ import annotations

import contextlib
import gc
import io
import pdb
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import callbacks, layers, ops
from nacre.core.errors import BusyError, NonFiniteError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def compiled(*parts: layers.Layer, **options: Any) -> nacre.Model:
    model = nacre.Sequential([nacre.Input((4,)), *parts])
    model.compile(nacre.optimizers.SGD(0.01), "mse", **options)
    return model


def small() -> nacre.Model:
    return compiled(layers.Dense(3), layers.Dropout(0.1), layers.BatchNormalization(),
                    layers.Dense(1))  # fmt: skip


class Act(callbacks.Callback):
    """Calls a function when an epoch begins, in this thread or in another one."""

    def __init__(self, act: Callable[[], Any], in_thread: bool = False) -> None:
        super().__init__()
        self.act, self.in_thread, self.results = act, in_thread, []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if not self.in_thread:
            self.results.append(self.act())
            return
        thread = threading.Thread(target=lambda: self.results.append(self.act()))
        thread.start()
        thread.join(60)


def refused(act: Callable[[], Any]) -> bool:
    try:
        act()
    except BusyError:
        return True
    return False


# --- other threads --------------------------------------------------------------------------------


def test_whoever_reads_during_a_training_gets_a_committed_step() -> None:
    model, stopped, errors = small(), threading.Event(), []

    def read() -> None:
        while not stopped.is_set():
            try:
                assert np.isfinite(model.predict(X, verbose=0)).all()
                model.evaluate(X, Y, verbose=0)
                model(X)
                assert all(np.isfinite(w.numpy()).all() for w in model.weights)
            except Exception as error:
                errors.append(error)
                return

    model.predict(X, verbose=0)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        losses = model.fit(X, Y, epochs=40, batch_size=8, verbose=0).history["loss"]
    finally:
        stopped.set()
        reader.join(60)
    assert errors == [] and losses[-1] < losses[0]


def test_what_another_thread_assigns_during_a_training_stays() -> None:
    model, started = small(), threading.Event()
    model.optimizer.learning_rate = 0.0
    kernel = model.layers[0].kernel

    def assign() -> None:
        started.wait(60)
        time.sleep(0.05)
        kernel.assign(np.zeros(kernel.shape))

    writer = threading.Thread(target=assign)
    writer.start()
    model.fit(X, Y, epochs=40, batch_size=8, verbose=0, callbacks=[Act(started.set)])
    writer.join(60)
    model.fit(X, Y, verbose=0)
    assert not kernel.numpy().any()


def sharing() -> tuple[nacre.Model, nacre.Model]:
    shared = layers.Dense(3)
    return compiled(shared, layers.Dense(1)), compiled(shared, layers.Dense(1))


def test_a_second_training_of_a_model_or_of_a_layer_it_shares_is_refused_to_other_threads() -> None:
    one, other = sharing()
    act = Act(lambda: (refused(lambda: one.fit(X, Y, verbose=0)),
                       refused(lambda: other.train_on_batch(X, Y))), in_thread=True)  # fmt: skip
    one.fit(X, Y, verbose=0, callbacks=[act])
    assert act.results == [(True, True)]
    assert not refused(lambda: other.train_on_batch(X, Y))  # when the training is over


def test_a_callback_trains_another_model_with_a_shared_layer() -> None:
    one, other = sharing()
    one.optimizer.learning_rate = 0.0
    kernel = one.layers[0].kernel
    before = kernel.numpy()
    one.fit(X, Y, epochs=2, verbose=0, callbacks=[Act(lambda: other.train_on_batch(X, Y))])
    assert not np.array_equal(kernel.numpy(), before)


def test_a_training_within_a_training_keeps_the_history_of_the_outer_one() -> None:
    model = small()
    act = Act(lambda: len(model.fit(X, Y, epochs=3, verbose=0).history["loss"]))
    history = model.fit(X, Y, epochs=2, verbose=0, callbacks=[act])
    assert act.results == [3, 3]
    assert len(history.history["loss"]) == 2 and model.history is history


# --- what code changes ----------------------------------------------------------------------------


class Counts(layers.Layer):
    """Counts its calls in a variable that no layer holds."""

    def __init__(self) -> None:
        super().__init__()
        count = nacre.Variable(0.0, trainable=False)
        self.count = lambda: count

    def call(self, inputs: Any) -> Any:
        self.count().assign_add(1.0)
        return inputs


@pytest.mark.parametrize("eager", [False, True])
def test_a_variable_of_the_script_is_counted_up_at_every_step(eager: bool) -> None:
    counts = Counts()
    model = compiled(layers.Dense(1), counts, run_eagerly=eager)
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert float(counts.count()) == 8
    model.evaluate(X, Y, batch_size=8, verbose=0)
    assert float(counts.count()) == 12
    model.predict(X, batch_size=8, verbose=0)
    model.train_on_batch(X, Y)
    model(X)
    assert float(counts.count()) == 18


def test_a_layer_that_keeps_what_it_saw_is_not_compiled_at_every_step() -> None:
    class Keeps(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.seen, self.calls = [], 0

        def call(self, inputs: Any) -> Any:
            self.seen.append(inputs)
            self.last, self.calls = inputs, self.calls + 1
            return inputs

    keeps = Keeps()
    model = compiled(layers.Dense(1), keeps)
    model.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    calls = keeps.calls
    for _ in range(3):
        model.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    assert keeps.calls == calls


def test_an_attribute_a_callback_sets_holds_from_the_next_step() -> None:
    class Scaled(layers.Layer):
        scale = 1.0

        def call(self, inputs: Any) -> Any:
            return inputs * self.scale

    scaled = Scaled()
    model = compiled(layers.Dense(1, kernel_initializer="ones"), scaled)
    model.optimizer.learning_rate = 0.0
    act = Act(lambda: setattr(scaled, "scale", scaled.scale - 0.5))  # 0.5, then 0
    losses = model.fit(X, Y, epochs=2, verbose=0, callbacks=[act]).history["loss"]
    np.testing.assert_allclose(losses, [np.mean((Y / 2) ** 2), np.mean(Y**2)], rtol=1e-5)


# --- eager calls ----------------------------------------------------------------------------------


class NeedsValues(layers.Layer):
    """Code as people write it to look at numbers."""

    def call(self, inputs: Any) -> Any:
        if float(ops.sum(inputs)) > 1e9:
            return inputs * 0
        return inputs + np.asarray(inputs).max()


def test_code_that_needs_real_values_runs_in_every_kind_of_model_called_on_arrays() -> None:
    class Own(nacre.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(2, kernel_initializer="ones")
            self.needs = NeedsValues()

        def call(self, inputs: Any) -> Any:
            return self.needs(self.dense(inputs))

    stack = nacre.Sequential([layers.Dense(2, kernel_initializer="ones"), NeedsValues()])
    wanted = np.repeat(Y, 2, axis=1) + Y.max()
    for model in (Own(), stack):
        for _ in range(2):
            np.testing.assert_allclose(model(X), wanted, rtol=1e-5, atol=1e-5)


def test_the_users_own_transformations_see_plain_jax() -> None:
    model = small()
    np.testing.assert_allclose(jax.jit(lambda x: model(x))(X), model(X), rtol=1e-5, atol=1e-6)
    rows = jax.vmap(lambda row: model(row[None])[0])(X)
    np.testing.assert_allclose(rows, model(X), rtol=1e-5, atol=1e-6)
    slope = jax.grad(lambda x: ops.sum(model(x)))(X)
    step = 1e-2 * np.ones_like(X)
    rise = np.asarray(model(X + step) - model(X)).sum()
    np.testing.assert_allclose(np.sum(slope * step), rise, rtol=1e-2)


def test_a_model_that_is_gone_takes_its_programs_along() -> None:
    model = small()
    model.fit(X, Y, verbose=0)
    model.predict(X, verbose=0)
    model(X)
    kept = list(model._programs._kept.values())
    alive = [weakref.ref(model), *(weakref.ref(p) for p in kept if hasattr(p, "__weakref__"))]
    assert len(alive) >= 4
    del model, kept
    gc.collect()
    assert [ref() for ref in alive if ref() is not None] == []


@pytest.mark.parametrize("source", ["rows", "rows_and_validation", "batches", "one_batch"])
def test_what_a_training_had_on_the_device_goes_with_its_end(source: str) -> None:
    x, y = np.tile(X, (64, 1)), np.tile(Y, (64, 1))
    given: dict[str, dict[str, Any]] = {
        "rows": {"x": x, "y": y},
        "rows_and_validation": {"x": x, "y": y, "validation_data": (x, y)},
        "batches": {"x": nacre.data.Dataset.from_tensor_slices((x, y)).batch(64)},
        "one_batch": {"x": X, "y": Y},
    }
    model = small()
    model.fit(**given[source], verbose=0)
    gc.collect()
    gc.disable()  # a collector of cycles may not come for a long time
    try:
        before = len(jax.live_arrays())
        for _ in range(3):
            model.fit(**given[source], verbose=0)
        assert len(jax.live_arrays()) <= before + 1  # the seed of the order, on the host at times
    finally:
        gc.enable()


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, NonFiniteError])
def test_what_a_training_that_failed_had_on_the_device_goes_with_its_error(
    error: type[BaseException],
) -> None:
    x, y = np.tile(X, (64, 1)), np.tile(Y, (64, 1))
    if error is NonFiniteError:
        x[-1] = np.nan

    def fail(epoch: int, logs: Any) -> None:
        raise error

    model = small()
    gc.collect()
    gc.disable()
    try:
        counts = []
        for _ in range(3):
            with contextlib.suppress(error):
                model.fit(x, y, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_end=fail)])
            counts.append(len(jax.live_arrays()))
        assert counts[2] <= counts[0] + 1
    finally:
        gc.enable()


class Stops(layers.Layer):
    """Enters a debugger in each call, which is given its commands."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def call(self, inputs: Any) -> Any:
        output, commands = io.StringIO(), io.StringIO("p float(inputs[0, 0])\ncontinue\n")
        debugger = pdb.Pdb(stdin=commands, stdout=output, nosigint=True, readrc=False)
        debugger.use_rawinput = False
        debugger.set_trace()
        outputs = inputs * 2.0
        self.shown.append(output.getvalue())
        return outputs


def test_a_debugger_within_a_call_shows_real_values() -> None:
    part, before = Stops(), sys.gettrace()
    x = np.full((4, 2), 3.25, "float32")
    model = nacre.Sequential([part, layers.Dense(1)])
    try:
        model(x)  # the first time it is described, too
        model.compile("sgd", "mse", run_eagerly=True)
        runs = [
            lambda: model(x),
            lambda: model.predict(x, verbose=0),
            lambda: model.evaluate(x, x[:, :1], verbose=0),
            lambda: model.fit(x, x[:, :1], verbose=0),
        ]
        for run in runs:
            part.shown.clear()
            run()
            assert len(part.shown) == 1
            assert "call()" in part.shown[0] and "3.25" in part.shown[0]
    finally:
        sys.settrace(before)
