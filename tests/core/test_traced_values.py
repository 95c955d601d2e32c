"""Code that asks a traced tensor for its value is named, with what to write instead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import TracedValueError

X = np.ones((4, 3), "float32")


class Runs(layers.Layer):
    """Runs a function of its input."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)


def decides(x: Any) -> Any:
    return x if ops.sum(x) > 0 else -x


def leaves_for_numpy(x: Any) -> Any:
    return np.tanh(x)


def indexes_a_list(x: Any) -> Any:
    return x * [1.0, 2.0][ops.argmax(x[0])]


def masks(x: Any) -> Any:
    return x + ops.sum(x[x > 0])


def asks_for_a_number(x: Any) -> Any:
    return x * float(ops.sum(x))


CASES = [
    (decides, ["an `if`", "`return x if ops.sum(x) > 0 else -x`", "nacre.ops.where"]),
    (leaves_for_numpy, ["given to NumPy", "`return np.tanh(x)`", "nacre.ops"]),
    (indexes_a_list, ["a Python int", "nacre.ops.take"]),
    (masks, ["a mask as an index", "nacre.ops.where"]),
    (asks_for_a_number, ["float()", "nacre.ops"]),
]


def said(pieces: list[str], where: str, act: Any) -> None:
    with pytest.raises(TracedValueError) as caught:
        act()
    text = str(caught.value)
    assert text.startswith(f"{where}, line "), text
    missing = [p for p in [*pieces, "for its value", "run_eagerly=True"] if p not in text]
    assert not missing, text


@pytest.mark.parametrize(("function", "pieces"), CASES, ids=[c[0].__name__ for c in CASES])
def test_in_a_layer(function: Any, pieces: list[str]) -> None:
    model = nacre.Sequential([Runs(function), layers.Dense(1)])
    model.compile("sgd", "mse")
    said(pieces, function.__name__, lambda: model.fit(X, X[:, :1], verbose=0))
    said(pieces, function.__name__, lambda: Runs(function)(nacre.Input((3,))))


def test_in_a_metric() -> None:
    def through_numpy(y_true: Any, y_pred: Any) -> Any:
        return np.mean(np.asarray(y_pred))

    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[through_numpy])
    said(
        ["NumPy"], "test_in_a_metric.through_numpy", lambda: model.evaluate(X, X[:, :1], verbose=0)
    )


def test_the_fix_it_names_works() -> None:
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(3)])
    model.add(Runs(lambda x: ops.where(ops.sum(x) > 0, x, -x)))
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(X, X, verbose=0).history["loss"][0])


def test_other_errors_stay_as_they_are() -> None:
    def refuses(x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Runs(refuses)(X)
