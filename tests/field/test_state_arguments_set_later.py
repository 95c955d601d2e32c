"""Arguments of optimizers that are set as attributes later hold, or are refused where the variables
that are there cannot follow."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import optimizers
from nacre.core.errors import ArgumentError

# (made, attribute, value)
REFUSED: list[tuple[Callable[[], Any], str, Any]] = [
    (optimizers.SGD, "momentum", 0.9),
    (optimizers.RMSprop, "momentum", 0.9),
    (optimizers.RMSprop, "centered", True),
    (lambda: optimizers.RMSprop(centered=True), "centered", False),
    (optimizers.Adam, "amsgrad", True),
    (lambda: optimizers.AdamW(amsgrad=True), "amsgrad", False),
    (optimizers.Adagrad, "initial_accumulator_value", 0.7),
    (optimizers.Ftrl, "initial_accumulator_value", 0.7),
    (optimizers.Lion, "use_ema", True),
    (lambda: optimizers.Nadam(use_ema=True), "use_ema", False),
    (optimizers.SGD, "gradient_accumulation_steps", 2),
    (lambda: optimizers.SGD(gradient_accumulation_steps=2), "gradient_accumulation_steps", None),
]
VALUES: dict[str, Any] = {
    "learning_rate": 0.5, "momentum": 0.7, "nesterov": True, "beta_1": 0.5, "beta_2": 0.5,
    "epsilon": 0.3, "weight_decay": 0.3, "clipnorm": 0.01, "clipvalue": 0.001,
    "global_clipnorm": 0.01, "rho": 0.3, "beta": 0.3, "ema_momentum": 0.1,
    "learning_rate_power": -0.3, "l1_regularization_strength": 0.3,
    "l2_regularization_strength": 0.3, "l2_shrinkage_regularization_strength": 0.3,
    "clip_threshold": 0.1, "beta_2_decay": -0.3, "epsilon_1": 0.1, "epsilon_2": 0.1,
}  # fmt: skip
KINDS = [
    optimizers.SGD, optimizers.RMSprop, optimizers.Adam, optimizers.AdamW, optimizers.Adamax,
    optimizers.Nadam, optimizers.Lamb, optimizers.Ftrl, optimizers.Adagrad, optimizers.Adadelta,
    optimizers.Adafactor, optimizers.Lion,
]  # fmt: skip


def weight() -> nacre.Variable:
    return nacre.Variable(np.linspace(-1, 2, 6).reshape(2, 3), name="w", dtype="float32")


def step(optimizer: Any, variable: nacre.Variable) -> None:
    gradient = np.cos(np.arange(6) * (1 + float(optimizer.iterations))).astype("float32")
    optimizer.apply([gradient.reshape(2, 3)], [variable])


def after(optimizer: Any, variable: nacre.Variable, steps: int) -> np.ndarray:
    for _ in range(steps):
        step(optimizer, variable)
    return np.asarray(variable.numpy())


@pytest.mark.parametrize(("make", "name", "value"), REFUSED)
def test_what_decides_which_variables_there_are_is_refused_once_they_are_there(
    make: Callable[[], Any], name: str, value: Any
) -> None:
    optimizer = make()
    before = getattr(optimizer, name)
    setattr(optimizer, name, value)  # none are there yet
    setattr(optimizer, name, before)
    step(optimizer, weight())
    setattr(optimizer, name, before)
    with pytest.raises(ArgumentError, match=rf"{name} .*must be set before.*{name}={value!r}"):
        setattr(optimizer, name, value)
    assert getattr(optimizer, name) == before


def test_a_share_of_momentum_may_rise_again_and_steps_of_accumulation_change() -> None:
    optimizer = optimizers.SGD(momentum=0.9, gradient_accumulation_steps=2)
    step(optimizer, weight())
    for share in (0.0, 0.5):
        optimizer.momentum = share
    optimizer.gradient_accumulation_steps = 4
    assert optimizer.momentum == 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_set_before_or_between_steps_is_what_is_computed(kind: Any) -> None:
    compared = 0
    for name in set(inspect.signature(kind.__init__).parameters) & VALUES.keys():
        more = {"use_ema": True, "ema_overwrite_frequency": 2} if name == "ema_momentum" else {}
        if "momentum" in inspect.signature(kind.__init__).parameters:
            more["momentum"] = 0.9
        made = after(kind(**{**more, name: VALUES[name]}), weight(), 3)
        if np.array_equal(made, after(kind(**more), weight(), 3)):
            continue  # the number makes no difference here, as the sign of Lion's step
        later = kind(**more)
        setattr(later, name, VALUES[name])
        np.testing.assert_array_equal(after(later, weight(), 3), made)
        between, variable = kind(**more), weight()
        after(between, variable, 1)
        setattr(between, name, VALUES[name])
        assert not np.array_equal(after(between, variable, 2), after(kind(**more), weight(), 3))
        compared += 1
    assert compared >= 2
