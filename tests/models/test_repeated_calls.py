"""A call like the one before runs its program at once; whatever changed since, it is noticed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.training.repeated import Repeated, wait_briefly

ROW = np.linspace(-1.0, 1.0, 6, dtype="float32").reshape(1, 6)


def make() -> nacre.Sequential:
    nacre.utils.set_random_seed(2)
    return nacre.Sequential(
        [
            nacre.Input((6,)),
            layers.Dense(5, activation="tanh", name="hidden"),
            layers.LayerNormalization(name="norm"),
            layers.Dense(3, name="out"),
        ]
    )


def plainly(model: nacre.Model, x: Any) -> np.ndarray:
    """What a call computes where no program is repeated."""
    with jax.disable_jit():
        return np.asarray(model.call(ops.convert_to_tensor(x)))


def called(model: nacre.Model, x: Any) -> np.ndarray:
    return np.asarray(model(x))


def predicted(model: nacre.Model, x: Any) -> np.ndarray:
    return model.predict(x, verbose=0)


DOORS = pytest.mark.parametrize("door", [called, predicted])

CHANGES: dict[str, Callable[[Any], object]] = {
    "weights": lambda m: m.set_weights([w + 0.5 for w in m.get_weights()]),
    "a variable": lambda m: m.get_layer("out").bias.assign([1.0, 2.0, 3.0]),
    "an attribute": lambda m: setattr(m.get_layer("norm"), "epsilon", 0.5),
    "an activation": lambda m: setattr(m.get_layer("hidden"), "activation", nacre.ops.relu),
    "code of the user's": lambda m: setattr(m.get_layer("hidden"), "activation", lambda x: x * 2),
    "a method": lambda m: setattr(m.get_layer("norm"), "call", lambda x: x * 3),
    "a frozen layer": lambda m: setattr(m.get_layer("norm"), "trainable", False),
    "a compile": lambda m: m.compile("sgd", "mse", run_eagerly=True),
    "training": lambda m: (m.compile("sgd", "mse"), m.fit(ROW, np.ones((1, 3)), verbose=0)),
    "one more layer": lambda m: m.add(layers.Dense(3)),
    "one layer less": lambda m: m.pop(),
    "8-bit weights": lambda m: m.get_layer("out").quantize("int8"),
}


@DOORS
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_between_two_calls_is_noticed(
    change: str, door: Callable[[nacre.Model, Any], np.ndarray]
) -> None:
    model = make()
    for _ in range(3):
        door(model, ROW)
    assert model._repeated_call or model._repeated_prediction
    CHANGES[change](model)
    for _ in range(2):
        np.testing.assert_allclose(door(model, ROW), plainly(model, ROW), rtol=2e-5, atol=2e-5)


ARRAYS: dict[str, Any] = {
    "other numbers": ROW * 3,
    "another batch size": np.tile(ROW, (3, 1)),
    "another dtype": ROW.astype("float64"),
    "whole numbers": np.arange(6).reshape(1, 6),
    "a view with strides": np.tile(ROW, (1, 2))[:, ::2],
    "the other memory order": np.asfortranarray(np.tile(ROW, (2, 1)))[:1],
    "a list": ROW.tolist(),
    "an array of JAX": jax.numpy.asarray(ROW) + 1,
}


@DOORS
@pytest.mark.parametrize("array", ARRAYS)
def test_other_arrays_are_computed_as_ever(
    array: str, door: Callable[[nacre.Model, Any], np.ndarray]
) -> None:
    model = make()
    for _ in range(3):
        door(model, ROW)
    x = ARRAYS[array]
    if isinstance(x, list):
        x = np.asarray(x) if door is called else x
    wanted = plainly(model, np.asarray(x, "float32"))
    for _ in range(2):
        np.testing.assert_allclose(door(model, x), wanted, rtol=1e-5, atol=1e-6)


@DOORS
def test_another_number_of_features_is_refused_as_ever(
    door: Callable[[nacre.Model, Any], np.ndarray],
) -> None:
    model = make()
    for _ in range(3):
        door(model, ROW)
    with pytest.raises(ValueError, match="6"):
        door(model, ROW[:, :5])


def test_what_is_under_way_is_noticed() -> None:
    model = make()
    wanted = called(model, ROW)
    assert isinstance(model._repeated_call, Repeated)
    with nacre.StatelessScope([(v, v.value * 0) for v in model.trainable_variables]):
        assert not np.asarray(model(ROW)).any()
    grown = jax.grad(lambda scale: model(ROW * scale).sum())(1.0)
    assert grown.shape == () and np.isfinite(grown)
    with nacre.GradientTape() as tape:
        loss = ops.sum(model(ROW))
    kernel = model.get_layer("out").kernel
    assert np.asarray(tape.gradient(loss, kernel)).any()
    np.testing.assert_array_equal(called(model, ROW), wanted)
    found: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: found.append(called(model, ROW)))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(found[0], wanted)


@DOORS
def test_settings_of_the_process_are_noticed(
    door: Callable[[nacre.Model, Any], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = nacre.Sequential([nacre.Input((6,)), layers.UnitNormalization()])
    for _ in range(3):
        door(model, ROW)
    monkeypatch.setenv("NACRE_KERNELS", "xla")
    assert not (model._repeated_call or model._repeated_prediction).fits(ROW)
    np.testing.assert_allclose(door(model, ROW), ROW / np.linalg.norm(ROW), rtol=1e-5)


def test_losses_added_in_a_call_are_those_of_the_last_one() -> None:
    model = nacre.Sequential(
        [nacre.Input((6,)), layers.Dense(4, activity_regularizer=nacre.regularizers.L2(1.0))]
    )
    for scale in (1.0, 1.0, 2.0, 3.0):
        model(ROW * np.float32(scale))
    wanted = float(np.sum(np.asarray(model(ROW * np.float32(3))) ** 2))
    assert len(model.losses) == 1
    np.testing.assert_allclose(float(model.losses[0]), wanted, rtol=1e-5)


def test_noise_and_states_go_on_from_call_to_call() -> None:
    noisy = nacre.Sequential(
        [nacre.Input((6,)), layers.Lambda(lambda x: x + nacre.random.normal((1, 6)))]
    )
    assert not np.array_equal(predicted(noisy, ROW), predicted(noisy, ROW))
    assert not np.array_equal(predicted(noisy, ROW), predicted(noisy, ROW))
    steps = ROW.reshape(1, 3, 2)
    inputs = nacre.Input(batch_shape=(1, 3, 2))
    stateful = nacre.Model(inputs, layers.GRU(3, stateful=True)(inputs))
    whole = nacre.Sequential([nacre.Input((12, 2)), layers.GRU(3)])
    whole.set_weights(stateful.get_weights())
    for _ in range(4):
        last = predicted(stateful, steps)
    np.testing.assert_allclose(last, predicted(whole, np.tile(steps, (1, 4, 1))), rtol=1e-5)


@DOORS
def test_results_and_arguments_are_nobody_elses(
    door: Callable[[nacre.Model, Any], np.ndarray],
) -> None:
    model, row = make(), ROW.copy()
    first = [door(model, row) for _ in range(3)][-1]
    kept = first.copy()
    row[:] = 7
    door(model, row)
    np.testing.assert_array_equal(first, kept)


def test_a_callback_of_fit_sees_the_last_committed_step() -> None:
    model = make()
    model.compile("sgd", "mse")
    for _ in range(3):
        model(ROW)
        predicted(model, ROW)

    class Looks(nacre.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            np.testing.assert_allclose(called(model, ROW), plainly(model, ROW), atol=1e-5)
            np.testing.assert_allclose(predicted(model, ROW), plainly(model, ROW), atol=1e-5)

    model.fit(np.tile(ROW, (8, 1)), np.ones((8, 3)), epochs=3, verbose=0, callbacks=[Looks()])


def test_an_output_that_takes_long_is_looked_at_a_limited_number_of_times() -> None:
    class Late:
        looks = 0

        def is_ready(self) -> bool:
            self.looks += 1
            return False

    late = Late()
    assert wait_briefly(late) is late
    assert late.looks < 1000
    model = make()
    for _ in range(3):
        assert isinstance(model(ROW), jax.Array)


def test_several_outputs_are_repeated_too() -> None:
    inputs = nacre.Input((6,))
    model = nacre.Model(inputs, {"one": layers.Dense(2)(inputs), "two": layers.Dense(3)(inputs)})
    wanted = {name: np.asarray(y) for name, y in model(ROW).items()}
    for _ in range(3):
        for found in (model(ROW), model.predict(ROW, verbose=0)):
            assert {name: np.shape(y) for name, y in found.items()} == {
                "one": (1, 2),
                "two": (1, 3),
            }
            for name, y in found.items():
                np.testing.assert_allclose(y, wanted[name], rtol=1e-6)
