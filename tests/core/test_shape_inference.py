"""Shapes are found by running a function once; twice more where sizes not known yet are in the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import ShapeError, TracedValueError
from nacre.core.shape_inference import infer
from nacre.core.symbolic import KerasTensor

TABLE = np.ones((64, 4), "float32")
Case = tuple[Callable[..., Any], list[tuple[int | None, ...]], tuple[int | None, ...]]


class Counted:
    """A user's function, and how often it ran."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.runs = 0

    def __call__(self, *args: Any) -> Any:
        self.runs += 1
        return self.function(*args)


ONCE: list[Case] = [
    (lambda x: x * 2, [(None, 4)], (None, 4)),
    (lambda x: ops.matmul(x, jnp.ones((4, 3))), [(None, None, 4)], (None, None, 3)),
    (lambda x: x + ops.take(TABLE, ops.arange(x.shape[1]), 0), [(None, None, 4)], (None, None, 4)),
    (lambda x: ops.map(lambda row: row[0], x), [(None, 4)], (None,)),
]
BY_EXAMPLE: list[Case] = [
    # sizes are compared
    (lambda x: x[:, :4] if x.shape[1] > 4 else x, [(None, None)], (None, 4)),
    # a size has a limit
    (lambda x: x + jnp.asarray(TABLE)[: x.shape[1]], [(None, None, 4)], (None, None, 4)),
    (lambda x: x + ops.slice(TABLE, (0, 0), (x.shape[1], 4)), [(None, None, 4)], (None, None, 4)),
    (lambda x: x + jnp.asarray(TABLE)[:3][: x.shape[1]], [(None, None, 4)], (None, None, 4)),
    # a size is a multiple of a number
    (lambda x: ops.reshape(x, (-1, 3)), [(None, 4)], (None, 3)),
    (lambda x: ops.reshape(x, (x.shape[0], -1, 5, 4)), [(None, None, 4)], (None, None, 5, 4)),
    (lambda x: ops.split(x, 11, axis=1)[0], [(None, None, 4)], (None, None, 4)),
    # sizes of different axes are equal
    (lambda x, y: x + y, [(None, None, None, 3), (None, None, 3)], (None, None, None, 3)),
    (lambda x, y: x @ y, [(None, None, None), (None, None, 3)], (None, None, 3)),
    (
        lambda x, y: ops.einsum("bij,bjk->bik", x, y),
        [(None, None, None), (None, None, 3)],
        (None, None, 3),
    ),
    # a size is that of another tensor, or of an array the function holds
    (lambda x, y: x + y, [(None, None, 4), (None, 7, 4)], (None, 7, 4)),
    (lambda x, y: x @ y, [(None, None, None), (None, 5, 3)], (None, None, 3)),
    (lambda x: x + jnp.ones((7, 4)), [(None, None, 4)], (None, 7, 4)),
    # Python asks for a number
    (lambda x: sum(x[:, i] for i in range(x.shape[1])), [(None, None, 4)], (None, 4)),
]


@pytest.mark.parametrize(("function", "given", "expected"), ONCE)
def test_a_function_that_takes_any_size_runs_once(
    function: Any, given: list[Any], expected: tuple[int | None, ...]
) -> None:
    counted = Counted(function)
    assert infer(counted, *(KerasTensor(shape) for shape in given)).shape == expected
    assert counted.runs == 1


@pytest.mark.parametrize(("function", "given", "expected"), BY_EXAMPLE)
def test_a_function_that_asks_for_sizes_runs_for_one_pair_of_examples(
    function: Any, given: list[Any], expected: tuple[int | None, ...]
) -> None:
    counted = Counted(function)
    assert infer(counted, *(KerasTensor(shape) for shape in given)).shape == expected
    assert counted.runs == 3


def no_such_attribute(x: Any) -> Any:
    return x * nacre.no_such_name


def no_such_name(x: Any) -> Any:
    return x * unheard_of  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize("function", [no_such_attribute, no_such_name, lambda x: x * float(x[0])])
def test_an_error_that_has_nothing_to_do_with_sizes_comes_at_once(function: Any) -> None:
    counted = Counted(function)
    with pytest.raises((AttributeError, NameError, TypeError)):
        infer(counted, KerasTensor((None,)))
    assert counted.runs == 1


def test_a_mistake_is_told_with_the_sizes_that_are_known() -> None:
    counted = Counted(lambda x: x + jnp.ones(7))
    with pytest.raises(ValueError, match=r"\(b, 3\), \(7,\)"):
        infer(counted, KerasTensor((None, 3)))
    assert counted.runs == 2


def test_a_mistake_behind_an_unknown_size_is_told_and_not_the_size() -> None:
    def function(x: Any) -> Any:
        short = x[:, :4] if x.shape[1] > 4 else x
        return ops.matmul(short, jnp.ones((5, 2)))

    with pytest.raises(ShapeError, match="matmul: ") as caught:
        infer(function, KerasTensor((None, None, 3)))
    assert "Sizes not known yet were tried as" in " ".join(caught.value.__notes__)


# --------------------------------------------------------------- users' code in models


class Own(layers.Layer):
    """A layer of a user's, which counts how often its `call` runs."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = layers.Dense(3)
        self.runs = 0

    def call(self, x: Any) -> Any:
        self.runs += 1
        return self.dense(x)


def test_describing_a_model_runs_a_users_call_once() -> None:
    own, again = Own(), Own()
    counted = [Counted(lambda x: x * 2) for _ in range(3)]
    inputs = nacre.Input((4,))
    x = layers.Lambda(counted[0])(own(inputs))
    x = layers.Dense(2, activation=counted[1])(x)
    nacre.Model(inputs, ops.vectorized_map(counted[2], x))
    nacre.Sequential([nacre.Input((4,)), again, layers.Dense(2)])
    assert [own.runs, again.runs, *(c.runs for c in counted)] == [1, 1, 1, 1, 1]


def test_describing_a_model_whose_layer_is_wrong_runs_it_at_most_twice() -> None:
    counted = Counted(lambda x: x + np.ones(7, "float32"))
    with pytest.raises(ValueError):
        layers.Lambda(counted)(nacre.Input((4,)))
    decides = Counted(lambda x: x if ops.sum(x) > 0 else -x)
    with pytest.raises(TracedValueError):
        layers.Lambda(decides)(nacre.Input((4,)))
    assert (counted.runs, decides.runs) == (2, 1)
