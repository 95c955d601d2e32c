"""Python code that a compiled step calls while it runs, and that fails there."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import layers


class Host:
    """Code on the host, which fails at one of its calls.

    It counts in a queue: an attribute of what a layer holds that changes makes a new program.
    """

    def __init__(self) -> None:
        self.fails: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def __call__(self, x: Any) -> Any:
        if not self.fails.empty() and self.fails.get():
            raise RuntimeError("the sensor is gone")
        return np.asarray(x) + 1

    def fail_after(self, calls: int) -> None:
        for number in range(calls):
            self.fails.put(number == calls - 1)


class Calls(layers.Layer):
    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host

    def call(self, x: Any) -> Any:
        found = jax.pure_callback(self.host, jax.ShapeDtypeStruct(x.shape, x.dtype), *[_still(x)])
        return found - _still(x) + x


class Prints(Calls):
    def call(self, x: Any) -> Any:
        jax.debug.callback(self.host, x)
        return x


def _still(x: Any) -> Any:
    return jax.lax.stop_gradient(x)


def numbers(model: Any) -> list[Any]:
    return [np.array(v) for v in [*model.weights, *model.optimizer.variables]]


X = np.random.default_rng(0).random((40, 4), "float32")
Y = X[:, :1]


def a_function(model: Any) -> Callable[[], Any]:
    @nacre.function
    def step() -> Any:
        model.trainable_variables[0].assign_add(model.trainable_variables[0] * 0.1)
        return model(X[:4])

    return step


DOORS: dict[str, Callable[[Any], Callable[[], Any]]] = {
    "fit of many steps": lambda m: lambda: m.fit(X, Y, batch_size=4, verbose=0),
    "fit of one step": lambda m: lambda: m.fit(X, Y, batch_size=40, verbose=0),
    "fit of a generator": lambda m: (
        lambda: m.fit(iter([(X[:4], Y[:4])] * 9), steps_per_epoch=9, verbose=0)
    ),
    "fit by blocks": lambda m: (
        lambda: (
            m.compile("adam", "mse", steps_per_execution=5),
            m.fit(X, Y, batch_size=4, verbose=0),
        )
    ),
    "train_on_batch": lambda m: lambda: m.train_on_batch(X, Y),
    "a function": a_function,
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize("layer", [Calls, Prints])
def test_code_that_fails_within_a_step_leaves_a_model_that_trains_on(layer: Any, door: Any) -> None:
    host = Host()
    model = nacre.Sequential(
        [
            nacre.Input((4,)),
            layers.Dense(4),
            layer(host),
            layers.BatchNormalization(),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    once = door(model)

    def run() -> None:
        once()
        jax.effects_barrier()

    run()
    before = numbers(model)
    host.fail_after(1)
    with pytest.raises(Exception, match="the sensor is gone"):
        run()
    after = numbers(model)
    assert all(np.isfinite(a).all() for a in after)
    if layer is Calls:  # what prints may run when the step has ended
        for old, new in zip(before[: len(model.weights)], after, strict=False):
            np.testing.assert_array_equal(old, new)
    run()
    assert any((a != b).any() for a, b in zip(before, numbers(model), strict=False))


def test_an_evaluation_that_fails_leaves_metrics_that_work() -> None:
    host = Host()
    model = nacre.Sequential([nacre.Input((4,)), layers.Dense(4), Calls(host), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    expected = model.evaluate(X, Y, batch_size=4, verbose=0)
    host.fail_after(3)
    with pytest.raises(Exception, match="the sensor is gone"):
        model.evaluate(X, Y, batch_size=4, verbose=0)
    assert model.evaluate(X, Y, batch_size=4, verbose=0) == expected
