"""A row of zeros, such as padding, has a length without a slope: no NaN comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import ops

ROWS = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]], "float32")

LENGTHS: dict[str, Callable[[Any], Any]] = {
    "norm": lambda x: ops.norm(x, axis=-1),
    "norm of order 2": lambda x: ops.norm(x, 2, axis=-1),
    "norm of order 3": lambda x: ops.norm(x, 3, axis=-1),
    "norm of all": lambda x: ops.norm(x[1]),
    "norm of Frobenius": lambda x: ops.norm(x[:, None, :], "fro", axis=(1, 2)),
    "normalize": ops.normalize,
    "normalize by order 3": lambda x: ops.normalize(x, order=3),
    "std": lambda x: ops.std(x, axis=-1),
    "cosines": lambda x: nacre.layers.Dot(axes=-1, normalize=True)([x, x[:, ::-1]]),
    "distances": lambda x: ops.cdist(x[1:], x[1:]),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_a_row_of_zeros_has_a_gradient_of_zero(name: str) -> None:
    length = LENGTHS[name]
    slopes = np.asarray(jax.grad(lambda x: jnp.sum(length(x) ** 2))(jnp.asarray(ROWS)))
    assert np.isfinite(slopes).all()
    np.testing.assert_array_equal(slopes[1], 0)


@pytest.mark.parametrize("order", [None, 1, 2, 2.5, 3, np.inf, -np.inf, 0])
@pytest.mark.parametrize("axis", [0, -1, (1,)])
def test_norms_are_those_of_numpy(order: Any, axis: Any) -> None:
    at = axis[0] if isinstance(axis, tuple) else axis
    wanted = np.linalg.norm(ROWS, order, at, keepdims=True)
    np.testing.assert_allclose(ops.norm(ROWS, order, axis, keepdims=True), wanted, rtol=1e-6)


@pytest.mark.parametrize("order", [None, "fro", "nuc", 1, 2, np.inf, -1])
def test_norms_of_matrices_are_those_of_numpy(order: Any) -> None:
    wanted = np.linalg.norm(ROWS, order)
    np.testing.assert_allclose(ops.norm(ROWS, order), wanted, rtol=1e-5)
    np.testing.assert_allclose(ops.norm(ROWS[None], order, (1, 2)), [wanted], rtol=1e-5)


def test_the_norm_of_complex_numbers_is_real() -> None:
    found = ops.norm(np.array([3 + 4j, 0], "complex64"))
    assert found.dtype == "float32" and found == 5


def test_slopes_and_curvatures_elsewhere_are_those_of_the_formula() -> None:
    row = jnp.asarray(ROWS[0])
    unit = ROWS[0] / 5
    np.testing.assert_allclose(jax.grad(ops.norm)(row), unit, rtol=1e-6)
    curvature = (np.eye(3) - np.outer(unit, unit)) / 5
    np.testing.assert_allclose(jax.hessian(ops.norm)(row), curvature, atol=1e-6)
    np.testing.assert_allclose(jax.jacobian(ops.normalize)(row), curvature, atol=1e-6)
    assert np.isfinite(jax.hessian(ops.norm)(jnp.zeros(3))).all()


def test_a_model_with_padded_rows_trains_on() -> None:
    x = nacre.Input((3,))
    unit = nacre.layers.Lambda(ops.normalize)(nacre.layers.Dense(3, use_bias=False)(x))
    model = nacre.Model(x, nacre.layers.Dense(1)(unit))
    model.compile("sgd", "mse")
    model.fit(ROWS, np.ones((2, 1)), verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
