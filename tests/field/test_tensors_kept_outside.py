"""Tensors that compiled code keeps outside of itself: in a script's list, a dict, a global name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import TracedValueError

X, Y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
SEEN: list[Any] = []
LAST: Any = None


@pytest.fixture(autouse=True)
def _nothing_seen() -> Any:
    global LAST
    SEEN.clear()
    LAST = None


def _refused(value: Any, where: str) -> None:
    for use in (np.asarray, float, lambda t: t + 1):
        with pytest.raises(
            TracedValueError, match=rf"{where}: .* Return it as an output of what is compiled"
        ):
            use(value)


def test_a_list_a_dict_and_names_of_a_function() -> None:
    table: dict[str, Any] = {"n": 0}
    inner = None

    @nacre.function
    def step(x: Any) -> Any:
        global LAST
        nonlocal inner
        SEEN.append(2 * x)
        table["both"] = (x, [x])
        LAST = inner = x
        return x + 1

    np.testing.assert_array_equal(step(X), X + 1)
    assert len(SEEN) == 1 and SEEN[0].shape == (4, 2)
    _refused(SEEN[0], r"'SEEN'\[0\]")
    _refused(table["both"][1][0], r"'table'\['both'\]\[1\]\[0\]")
    _refused(LAST, "'LAST'")
    _refused(inner, "'inner'")
    np.testing.assert_array_equal(step(X), X + 1)
    assert len(SEEN) == 1  # its Python runs once for each kind of call


class Looks(layers.Layer):
    def call(self, x: Any) -> Any:
        SEEN.append(x)
        return x


class LooksInItsStep(nacre.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.dense(x)

    def train_step(self, data: Any) -> Any:
        SEEN.append(data[0])
        return super().train_step(data)


def test_a_list_that_a_layer_adds_to_in_fit() -> None:
    model = nacre.Sequential([nacre.Input((2,)), Looks(), layers.Dense(1)])
    assert SEEN == []  # describing it leaves nothing behind
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    _refused(SEEN[0], r"'SEEN'\[0\]")
    model(X)
    np.testing.assert_array_equal(SEEN[-1], X)


def test_a_list_that_a_train_step_adds_to() -> None:
    model = LooksInItsStep()
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    _refused(SEEN[0], r"'SEEN'\[0\]")


def test_what_is_no_tensor_of_a_trace_stays() -> None:
    table: dict[str, Any] = {"n": 0, "array": X}
    table["self"] = table

    @nacre.function
    def step(x: Any) -> Any:
        table["n"] += 1
        table["last"] = x
        return x

    step(X)
    assert table["array"] is X and table["self"] is table and table["n"] >= 1
    _refused(table["last"], r"'table'\['last'\]")


def test_a_function_that_fails_leaves_the_list_as_it_was() -> None:
    @nacre.function
    def step(x: Any) -> Any:
        SEEN.append(x)
        raise KeyError("of the user's")

    with pytest.raises(KeyError, match="of the user's"):
        step(X)
    assert SEEN == []


def test_reading_what_the_call_before_kept_is_told() -> None:
    @nacre.function
    def step(x: Any) -> Any:
        y = x + SEEN[-1] if SEEN else x
        SEEN.append(x)
        return y

    with pytest.warns(UserWarning, match="what a call keeps must not be read by the next one"):
        step(X)
