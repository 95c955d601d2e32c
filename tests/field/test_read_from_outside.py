"""What a user's code reads from outside of it is what runs: global numbers, closures, class
attributes, objects of settings. Compiled programs read them once, and are made anew when they change.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import sys
import types
import typing
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import BusyError

X, Y = np.ones((4, 3), "float32"), np.zeros((4, 3), "float32")
SCALE = 2.0
SETTINGS = types.SimpleNamespace(scale=2.0)
CALLS = 0
SEEN: list[Any] = []


@dataclasses.dataclass(slots=True)
class Slotted:
    scale: float = 2.0


@dataclasses.dataclass
class Deep:
    inner: Any = dataclasses.field(default_factory=lambda: Deep(inner=2.0))


@dataclasses.dataclass
class Listed:
    scales: list[float] = dataclasses.field(default_factory=lambda: [2.0])


def scaled(x: Any, scale: float = 2.0) -> Any:
    return x * scale


def by_global(x: Any) -> Any:
    return x * SCALE


def by_helper(x: Any) -> Any:
    return by_global(x)


def by_settings(x: Any) -> Any:
    return x * SETTINGS.scale


def set_global(value: Any) -> None:
    globals()["SCALE"] = value


def rescaled(function: Callable[[Any], Any]) -> layers.Layer:
    return layers.Lambda(function)


def attribute(settings: Any, read: Callable[[Any], float]) -> Any:
    class Held(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.settings = settings

        def call(self, x: Any) -> Any:
            return x * read(self.settings)

    return Held()


def closure() -> tuple[Any, Callable[[], None]]:
    scale = 2.0

    def change() -> None:
        nonlocal scale
        scale = 5.0

    return rescaled(lambda x: x * scale), change


def closure_list() -> tuple[Any, Callable[[], None]]:
    scales = [2.0]
    return rescaled(lambda x: x * scales[0]), lambda: scales.__setitem__(0, 5.0)


def partial() -> tuple[Any, Callable[[], None]]:
    function = functools.partial(scaled, scale=2.0)
    return rescaled(function), lambda: function.keywords.update(scale=5.0)


def class_attribute() -> tuple[Any, Callable[[], None]]:
    class Own(layers.Layer):
        scale = 2.0

        def call(self, x: Any) -> Any:
            return x * self.scale

    return Own(), lambda: setattr(Own, "scale", 5.0)


def class_of_the_base() -> tuple[Any, Callable[[], None]]:
    layer, change = class_attribute()
    return type("Child", (type(layer),), {})(), change


def method_replaced() -> tuple[Any, Callable[[], None]]:
    layer, _ = class_attribute()
    return layer, lambda: setattr(type(layer), "call", lambda self, x: x * 5.0)


def inner_function() -> tuple[Any, Callable[[], None]]:
    class Own(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.map(lambda row: row * SCALE, x)

    return Own(), lambda: set_global(5.0)


def slotted() -> tuple[Any, Callable[[], None]]:
    settings = Slotted()
    return attribute(settings, lambda s: s.scale), lambda: setattr(settings, "scale", 5.0)


def deep() -> tuple[Any, Callable[[], None]]:
    settings = Deep()
    return attribute(settings, lambda s: s.inner.inner), lambda: setattr(
        settings.inner, "inner", 5.0
    )


def listed() -> tuple[Any, Callable[[], None]]:
    settings = Listed()
    return attribute(settings, lambda s: s.scales[0]), lambda: settings.scales.__setitem__(0, 5.0)


def global_of(first: Any, then: Any) -> Callable[[], tuple[Any, Callable[[], None]]]:
    def made() -> tuple[Any, Callable[[], None]]:
        set_global(first)
        return rescaled(by_global), lambda: set_global(then)

    return made


def number_of_numpy_in_settings() -> tuple[Any, Callable[[], None]]:
    settings = Deep(np.float32(2.0))
    layer = attribute(settings, lambda s: s.inner)
    return layer, lambda: setattr(settings, "inner", np.float32(5.0))


def array_in_settings() -> tuple[Any, Callable[[], None]]:
    settings = Deep(np.array([2.0], "f"))
    layer = attribute(settings, lambda s: s.inner)
    return layer, lambda: setattr(settings, "inner", np.array([5.0], "f"))


def closure_array_in_place() -> tuple[Any, Callable[[], None]]:
    scales = np.array([2.0], "f")
    return rescaled(lambda x: x * scales), lambda: scales.__setitem__(0, 5.0)


def attribute_array_in_place() -> tuple[Any, Callable[[], None]]:
    layer = attribute(np.array([2.0], "f"), lambda scales: scales)

    def change() -> None:
        layer.settings *= 2.5

    return layer, change


class Config:
    """As scripts keep their settings."""

    scale = 2.0
    scales: typing.ClassVar[list[float]] = [2.0]

    class Inner:
        scale = 2.0


class Factor:
    """An activation with a parameter of its own."""

    def __init__(self) -> None:
        self.scale = 2.0

    def __call__(self, x: Any) -> Any:
        return x * self.scale

    def get(self) -> float:
        return self.scale

    def __getitem__(self, index: int) -> float:
        return self.scale


FACTOR = Factor()


def set_of(owner: Any) -> Callable[[], None]:
    return lambda: setattr(owner, "scale", 5.0)


def scale_of_module() -> tuple[Any, Callable[[], None]]:
    module = types.ModuleType("settings_of_a_script")
    exec("scale = 2.0\ndef get(): return scale", vars(module))
    sys.modules[module.__name__] = module
    return rescaled(lambda x: x * (module.scale + module.get()) / 2), set_of(module)


def called(factor: Factor) -> tuple[Any, Callable[[], None]]:
    return attribute(factor, lambda f: f(1.0)), set_of(factor)


def activation() -> tuple[Any, Callable[[], None]]:
    factor = Factor()
    return layers.Activation(factor), set_of(factor)


def bound_method() -> tuple[Any, Callable[[], None]]:
    factor = Factor()
    return attribute(factor.get, lambda get: get()), set_of(factor)


def function_in_settings() -> tuple[Any, Callable[[], None]]:
    held = {"scale": 2.0}
    settings = types.SimpleNamespace(get=lambda: held["scale"])
    return attribute(settings, lambda s: s.get()), lambda: held.update(scale=5.0)


def callable_in_settings() -> tuple[Any, Callable[[], None]]:
    factor = Factor()
    return attribute(types.SimpleNamespace(f=factor), lambda s: s.f(1.0)), set_of(factor)


def class_of_settings_object() -> tuple[Any, Callable[[], None]]:
    class Own:
        scale = 2.0

    return attribute(Own(), lambda s: s.scale), set_of(Own)


PROGRAMS: dict[str, Callable[[], tuple[Any, Callable[[], None]]]] = {
    "global": lambda: (rescaled(by_global), lambda: set_global(5.0)),
    "global number of NumPy": global_of(np.float32(2.0), np.float32(5.0)),
    "global array": global_of(np.array([2.0], "f"), np.array([5.0], "f")),
    "global large array": global_of(np.full((4, 3), 2.0, "f"), np.full((4, 3), 5.0, "f")),
    "global tensor": global_of(ops.convert_to_tensor(2.0), ops.convert_to_tensor(5.0)),
    "global of a helper": lambda: (rescaled(by_helper), lambda: set_global(5.0)),
    "global settings": lambda: (rescaled(by_settings), lambda: setattr(SETTINGS, "scale", 5.0)),
    **{f.__name__.replace("_", " "): f for f in (closure, closure_list, partial, class_attribute,
       class_of_the_base, method_replaced, inner_function, slotted, deep, listed,
       number_of_numpy_in_settings, array_in_settings, closure_array_in_place,
       attribute_array_in_place, scale_of_module, activation, bound_method, function_in_settings,
       callable_in_settings, class_of_settings_object)},
    "class of settings": lambda: (rescaled(lambda x: x * Config.scale), set_of(Config)),
    "class within": lambda: (rescaled(lambda x: x * Config.Inner.scale), set_of(Config.Inner)),
    "list of a class": lambda: (
        rescaled(lambda x: x * Config.scales[0]), lambda: Config.scales.__setitem__(0, 5.0)
    ),
    "class held": lambda: (attribute(Config, lambda c: c.scale), set_of(Config)),
    "callable": lambda: called(Factor()),
    "callable that is indexed": lambda: (
        attribute(FACTOR, lambda f: f[0]), set_of(FACTOR)
    ),
    "global callable": lambda: (rescaled(lambda x: FACTOR(x)), set_of(FACTOR)),
}  # fmt: skip


@pytest.fixture(autouse=True)
def restored() -> Any:
    yield
    set_global(2.0)
    SETTINGS.scale = Config.scale = Config.Inner.scale = FACTOR.scale = Config.scales[0] = 2.0
    sys.modules.pop("settings_of_a_script", None)


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_code_reads_from_outside_is_what_runs(name: str) -> None:
    layer, change = PROGRAMS[name]()
    model = nacre.Sequential([nacre.Input((3,)), layer])
    for expected in (2.0, 5.0):
        for _ in range(2):
            np.testing.assert_allclose(model.predict(X, verbose=0), X * expected)
        np.testing.assert_allclose(model(X), X * expected)
        change()


@pytest.mark.parametrize("change", ["global", "closure"])
def test_losses_and_metrics_read_what_stands_there_now(change: str) -> None:
    factors = [2.0]

    def loss(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(y_pred) * (SCALE if change == "global" else factors[0])

    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(3, kernel_initializer="ones")])
    model.compile(nacre.optimizers.SGD(0.0), loss, metrics=[loss])
    assert model.evaluate(X, Y, verbose=0) == [6.0, 6.0]
    assert model.fit(X, Y, verbose=0).history["loss"] == [6.0]
    set_global(4.0)
    factors[0] = 4.0
    assert model.evaluate(X, Y, verbose=0) == [12.0, 12.0]
    assert model.fit(X, Y, verbose=0).history["loss"] == [12.0]


def test_a_callback_of_evaluate_that_sets_an_attribute_is_heard_at_the_next_batch() -> None:
    layer = layers.Rescaling(1.0)
    model = nacre.Sequential([nacre.Input((3,)), layer])
    model.compile("sgd", "mse")

    class Louder(nacre.callbacks.Callback):
        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            layer.scale = batch + 2.0

    loss = model.evaluate(X, Y, batch_size=1, verbose=0, callbacks=[Louder()])
    assert loss == pytest.approx(np.mean([1, 4, 9, 16]))


def test_records_that_code_keeps_while_it_is_traced_make_no_new_program() -> None:
    class Own(layers.Layer):
        calls = 0

        def call(self, x: Any) -> Any:
            global CALLS
            CALLS += 1
            Own.calls += 1
            SEEN.append(x.shape)
            times[0] += 1
            return x

    times = collections.deque([0])
    model = nacre.Sequential([nacre.Input((3,)), Own()])
    model.predict(X, verbose=0)
    first = CALLS
    for _ in range(3):
        SEEN.clear()
        times[0] = Own.calls = 0
        model.predict(X, verbose=0)
    assert first == CALLS


def test_an_optimizer_that_is_set_trains_from_the_next_fit_on() -> None:
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(3)])
    model.compile(nacre.optimizers.Adam(0.1), "mse")
    model.fit(X, Y, verbose=0)
    model.optimizer = nacre.optimizers.SGD(0.0)
    before = model.get_weights()
    model.fit(X, Y, epochs=2, verbose=0)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    model.optimizer = "adam"
    assert isinstance(model.optimizer, nacre.optimizers.Adam)
    model.train_on_batch(X, Y)
    assert model.optimizer.iterations.value == 1
    assert not np.array_equal(before[0], model.get_weights()[0])


def test_an_optimizer_set_by_a_callback_is_refused_and_set_between_fits_holds() -> None:
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(3)])
    first = nacre.optimizers.SGD(0.1)
    model.compile(first, "mse")
    swap = nacre.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(model, "optimizer", nacre.optimizers.SGD(0.0))
    )
    with pytest.raises(BusyError, match="set model.optimizer. Do so between two"):
        model.fit(X, Y, epochs=3, verbose=0, callbacks=[swap])
    model.optimizer = second = nacre.optimizers.SGD(0.0)
    model.fit(X, Y, epochs=3, verbose=0)
    assert (first.iterations.value, second.iterations.value) == (0, 3)


def test_a_loss_that_is_set_after_compile_is_said_to_change_nothing() -> None:
    model = nacre.Sequential([nacre.Input((3,)), layers.Rescaling(2.0)])
    model.compile("sgd", "mse")
    with pytest.warns(
        UserWarning, match=r"\.loss: fit and evaluate use the loss .* compile\(\) again"
    ):
        model.loss = "mae"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.loss = "mse"
        model.compile("sgd")
        model.loss = lambda y_true, y_pred: ops.mean(y_pred)  # for a train_step of the user's


def test_a_callable_that_counts_its_calls_makes_no_new_programs() -> None:
    class Counts(Factor):
        calls = 0

        def __call__(self, x: Any) -> Any:
            self.calls += 1
            return super().__call__(x)

    factor = Counts()
    model = nacre.Sequential([nacre.Input((3,)), layers.Activation(factor)])
    for _ in range(2):
        model.predict(X, verbose=0)
    before = factor.calls
    for _ in range(3):
        model.predict(X, verbose=0)
    assert factor.calls == before


WEIGHT = nacre.Variable(2.0, trainable=False)
HOLDS = types.SimpleNamespace(weight=nacre.Variable(2.0, trainable=False))


@pytest.mark.parametrize(
    ("place", "name", "read"),
    [
        (globals(), "WEIGHT", lambda: WEIGHT),
        (vars(HOLDS), "weight", lambda: HOLDS.weight),
    ],
    ids=["a global name", "an attribute"],
)
def test_another_variable_in_a_place_is_the_one_that_is_read(monkeypatch, place, name, read):
    def loss(y_true: Any, y_pred: Any) -> Any:
        return read() * ops.mean(ops.square(y_true - y_pred), axis=-1)

    model = nacre.Sequential([nacre.Input((3,)), layers.Lambda(lambda x: x * read())])
    model.compile("sgd", loss)
    assert model.evaluate(X, Y, verbose=0) == 8.0
    monkeypatch.setitem(place, name, nacre.Variable(3.0, trainable=False))
    assert model.evaluate(X, Y, verbose=0) == 27.0
    assert model.predict(X, verbose=0)[0, 0] == 3.0
    read().assign(1.0)
    assert model.evaluate(X, Y, verbose=0) == 1.0
