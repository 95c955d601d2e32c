"""Python's operators on symbolic tensors and variables."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable

_ARITHMETIC = (
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
)
_COMPARISONS = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)
VALUES = np.array([1.0, 2.0, 4.0], "float32")
OTHER = np.array([3.0, 2.0, 0.5], "float32")


@pytest.mark.parametrize("function", _ARITHMETIC + _COMPARISONS)
def test_variable_operators_use_the_value(function: object) -> None:
    v = Variable(VALUES)
    for other in (OTHER, 2.0, Variable(OTHER)):
        plain = other.numpy() if isinstance(other, Variable) else other
        np.testing.assert_allclose(function(v, other), function(VALUES, plain), rtol=1e-6)
        np.testing.assert_allclose(function(other, v), function(plain, VALUES), rtol=1e-6)


@pytest.mark.parametrize("function", _ARITHMETIC)
def test_symbolic_operators_work_on_both_sides(function: object) -> None:
    x = KerasTensor((None, 3))
    for other in (2, OTHER, x):
        assert function(x, other).shape == (None, 3)
        assert function(other, x).shape == (None, 3)


def test_symbolic_logic_and_single_operators() -> None:
    x = KerasTensor((2, 3), "bool")
    assert (x & x).dtype == (x | x).dtype == (x ^ x).dtype == (~x).dtype == "bool"
    y = KerasTensor((2, 3))
    assert (-y).shape == abs(y).shape == (2, 3)
    assert (y < 1).dtype == "bool"
    assert (y @ KerasTensor((3, 5))).shape == (2, 5)


def test_symbolic_tensors_are_indexed() -> None:
    x = KerasTensor((None, 5, 3))
    assert x[:, 1:3].shape == (None, 2, 3)
    assert x[..., 0].shape == (None, 5)
    assert x[:, None].shape == (None, 1, 5, 3)


def test_symbolic_tensors_are_found_in_lists() -> None:
    x, y = KerasTensor((2,)), KerasTensor((2,))
    assert [x, y].index(y) == 1
    assert len({x, y, x}) == 2


def test_variables_are_indexed_and_hashed() -> None:
    v = Variable(VALUES)
    assert float(v[1]) == 2.0
    assert {v: 1}[v] == 1
