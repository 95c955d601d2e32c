"""`x == 0` and `x != 0` of a symbolic tensor are ops, as `x > 0` is; and a symbolic tensor is still
found in a list, a dict and a set."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, models, ops, saving
from nacre.core.operators import OPERATIONS

X = np.array([[1, 0, 3], [0, 5, 0]], "float32")


def model_of(compare: Any) -> nacre.Model:
    inputs = nacre.Input((3,))
    return nacre.Model(inputs, ops.cast(compare(inputs), "float32"))


@pytest.mark.parametrize(
    ("compare", "expected"),
    [
        (lambda x: x == 0, X == 0),
        (lambda x: x != 0, X != 0),
        (lambda x: 0 == x, X == 0),
        (lambda x: x == x[:, ::-1], X == X[:, ::-1]),
        (lambda x: x != np.float32(3), X != 3),
        (lambda x: np.array([1, 0, 0], "float32") == x, X == np.array([1, 0, 0])),
        (lambda x: x != nacre.ops.array([1.0, 0.0, 0.0]), X != np.array([1, 0, 0])),
        (lambda x: ~((x == 0) | (x == 3)), (X != 0) & (X != 3)),
        (lambda x: (x == 0) == (x[:, :1] == 0), (X == 0) == (X[:, :1] == 0)),
    ],
)
def test_equality_of_a_symbolic_tensor_is_of_its_values(compare: Any, expected: Any) -> None:
    model = model_of(compare)
    np.testing.assert_array_equal(model(X), expected)
    np.testing.assert_array_equal(model.predict(X, verbose=0), expected)


def test_it_is_saved_and_cloned(tmp_path: Path) -> None:
    inputs = nacre.Input((3,), name="x")
    kept = layers.Multiply()([inputs, ops.cast(inputs != 3, "float32")])
    model = nacre.Model(inputs, layers.Dense(2)(kept))
    model.save(tmp_path / "m.keras")
    for copied in (saving.load_model(tmp_path / "m.keras"), copy.deepcopy(model)):
        np.testing.assert_array_equal(copied.predict(X, verbose=0), model.predict(X, verbose=0))
    assert len(models.clone_model(model).layers) == len(model.layers)


def test_symbolic_tensors_are_found_where_they_are() -> None:
    x, y, z = (nacre.Input((3,)) for _ in range(3))
    assert y in [x, y] and z not in [x, y] and [x, y].index(y) == 1
    assert {x: 1, y: 2}[y] == 2 and len({x, y, x}) == 2
    assert [x, y] == [x, y] and [x, y] != [y, x]
    assert (x == x) and not (x == y) and (x != y) and not (x != x)
    assert (x == None) is False and (x != "x") is True  # noqa: E711
    tensors = [x, y]
    tensors.remove(y)
    assert tensors == [x]


def test_a_search_records_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = nacre.Input((3,)), nacre.Input((3,))
    monkeypatch.setitem(OPERATIONS, "eq", lambda *_: pytest.fail("an op was recorded"))
    assert y in [x, y] and x not in [y]
