"""Loops, branches, conversions: what takes functions or asks questions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
import nacre.ops as ops
from nacre import layers
from nacre.core.errors import ArgumentError, DTypeError
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable


def test_scan_carries_a_state() -> None:
    total, running = ops.scan(lambda s, x: (s + x, s + x), 0.0, np.arange(4.0, dtype="float32"))
    assert float(total) == 6.0
    assert running.tolist() == [0.0, 1.0, 3.0, 6.0]


def test_associative_scan_gives_running_results() -> None:
    x = np.arange(1, 5)
    assert ops.associative_scan(lambda a, b: a + b, x).tolist() == [1, 3, 6, 10]
    assert ops.associative_scan(lambda a, b: a + b, x, reverse=True).tolist() == [10, 9, 7, 4]


def test_map_and_vectorized_map_agree() -> None:
    x = np.arange(6.0, dtype="float32").reshape(3, 2)
    one = ops.map(lambda row: row.sum(), x)
    other = ops.vectorized_map(lambda row: row.sum(), x)
    assert one.tolist() == other.tolist() == [1.0, 5.0, 9.0]


def test_vectorized_map_takes_several_arrays() -> None:
    x = np.arange(3.0, dtype="float32")
    assert ops.vectorized_map(lambda pair: pair[0] * pair[1], (x, x)).tolist() == [0, 1, 4]


@pytest.mark.parametrize("pred", [True, np.array(True), jnp.array([True])])
def test_cond_takes_one_branch(pred: object) -> None:
    assert float(ops.cond(pred, lambda: 1.0, lambda: 2.0)) == 1.0


def test_cond_gives_arrays_whatever_it_is_asked() -> None:
    for pred in (True, jnp.array(True)):
        assert isinstance(ops.cond(pred, lambda: 1, lambda: 2), jax.Array)


def test_vectorized_map_and_jvp_are_symbolic() -> None:
    x = KerasTensor((None, 3))
    assert ops.vectorized_map(lambda row: ops.sum(row), x).shape == (None,)
    value, slope = ops.jvp(lambda v: v[:, :2], (x,), (x,))
    assert value.shape == slope.shape == (None, 2)


@pytest.mark.parametrize("walk", ["map", "scan"])
def test_what_has_no_slices_is_refused(walk: str) -> None:
    call = {
        "map": lambda xs: ops.map(lambda x: x, xs),
        "scan": lambda xs: ops.scan(lambda s, x: (s, x), 0, xs),
    }[walk]
    with pytest.raises(ValueError, match=rf"{walk}: xs must be tensors .* convert_to_tensor"):
        call([1, 2, 3])
    with pytest.raises(ValueError, match=rf"{walk}: the first axes of xs"):
        call((np.ones(2), np.ones(3)))


def test_scan_wants_a_length_and_an_unroll_that_counts() -> None:
    with pytest.raises(ValueError, match="must say how many steps"):
        ops.scan(lambda s, x: (s, x), 0)
    with pytest.raises(ValueError, match="unroll must be a bool or an int"):
        ops.scan(lambda s, x: (s, x), 0, np.ones(2), unroll="all")


def test_cond_is_symbolic() -> None:
    x = KerasTensor((), "bool")
    assert ops.cond(x, lambda: ops.ones((2,)), lambda: ops.zeros((2,))).shape == (2,)


def test_switch_takes_the_branch_with_the_number() -> None:
    branches = [lambda x: x + 1, lambda x: x * 10]
    assert int(ops.switch(1, branches, 5)) == 50


def test_while_loop_keeps_the_form_of_its_variables() -> None:
    out = ops.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s + i), (0, 0))
    assert [int(v) for v in out] == [4, 6]
    assert int(ops.while_loop(lambda i: i < 9, lambda i: i + 2, 0)) == 10
    stopped = ops.while_loop(lambda i: i < 9, lambda i: i + 1, 0, maximum_iterations=3)
    assert int(stopped) == 3


def test_fori_loop_counts() -> None:
    assert int(ops.fori_loop(1, 4, lambda i, s: s + i, 0)) == 6


def test_custom_gradient_is_used() -> None:
    @ops.custom_gradient
    def clipped(x):
        return x * 1.0, lambda upstream: ops.clip(upstream, -0.1, 0.1)

    assert float(clipped(3.0)) == 3.0
    assert float(jax.grad(lambda x: clipped(x) * 5)(3.0)) == pytest.approx(0.1)


def test_custom_gradient_takes_variables() -> None:
    @ops.custom_gradient
    def doubled(x):
        return x * 2, lambda upstream: upstream

    assert doubled.__name__ == "doubled"
    assert float(doubled(Variable(3.0))) == 6.0


def test_stop_gradient_is_a_constant_for_gradients() -> None:
    assert float(jax.grad(lambda x: x * ops.stop_gradient(x))(3.0)) == 3.0


def test_jvp_gives_value_and_direction() -> None:
    value, slope = ops.linalg.jvp(lambda x: x**2, (3.0,), (1.0,))
    assert (float(value), float(slope)) == (9.0, 6.0)


def test_vectorize_broadcasts() -> None:
    larger = ops.vectorize(lambda a, b: jnp.where(a > b, a, b))
    assert larger([1, 5], 3).tolist() == [3, 5]


def test_conversions() -> None:
    assert ops.convert_to_tensor([1, 2]).dtype == "int32"
    assert ops.convert_to_tensor([1.0, 2]).dtype == "float32"
    assert ops.convert_to_tensor(np.float64(2.0)).dtype == "float32"
    assert ops.convert_to_tensor([1], dtype="float16").dtype == "float16"
    assert isinstance(ops.convert_to_numpy(Variable([1.0])), np.ndarray)
    assert ops.is_tensor(ops.ones(1))
    assert ops.is_tensor(KerasTensor((2,)))
    assert not ops.is_tensor(np.ones(1))
    assert not ops.is_tensor(3)


def test_what_no_tensor_can_be_is_refused() -> None:
    with pytest.raises(ValueError, match="out of bounds for uint8"):
        ops.convert_to_tensor(300, dtype="uint8")
    with pytest.raises(ValueError, match="rows must be equally long"):
        ops.convert_to_tensor([[1]], ragged=True)
    for question in (ops.shape, ops.dtype):
        with pytest.raises((ValueError, TypeError), match="a tensor must be numbers"):
            question(None)


@pytest.mark.parametrize("text", ["cat", ["cat", "dog"], [["cat"], ["dog"]], np.array(["cat"])])
def test_convert_to_tensor_makes_arrays_of_strings(text: object) -> None:
    made = ops.convert_to_tensor(text)
    assert isinstance(made, np.ndarray)
    np.testing.assert_array_equal(made, np.asarray(text))
    np.testing.assert_array_equal(ops.convert_to_tensor(text, dtype="string"), made)
    with pytest.raises(DTypeError, match="strings"):
        ops.convert_to_tensor(text, dtype="float32")


def test_questions_about_symbolic_tensors() -> None:
    x = KerasTensor((None, 3), "bfloat16")
    assert ops.shape(x) == (None, 3)
    assert ops.ndim(x) == 2
    assert isinstance(ops.size(x), KerasTensor) and ops.size(x).shape == ()
    assert ops.dtype(x) == "bfloat16"
    assert ops.shape([[1, 2, 3]]) == (1, 3)
    assert ops.size([[1, 2, 3]]) == 3


def test_an_unknown_reduction_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="reduction must be one of"):
        ops.scatter_update(np.zeros(3), [[0]], [1.0], reduction="mean")


def test_training_through_a_loop_of_unknown_length_is_told_what_has_a_gradient() -> None:
    def grown(x: Any) -> Any:
        return ops.while_loop(lambda a: ops.max(a) < 9, lambda a: (a * 2,), (x,))[0]

    dense = layers.Dense(2, kernel_initializer="ones")
    model = nacre.Sequential([nacre.Input((2,)), dense, layers.Lambda(grown)])
    model.compile("sgd", "mse")
    x = np.ones((2, 2), "float32")
    assert model.predict(x * 9, verbose=0).shape == (2, 2)
    with pytest.raises(ArgumentError, match=r"^while_loop: .* no gradient.*fori_loop"):
        model.fit(x, x, verbose=0)
