"""Facts of activations that a table of numbers does not tell."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre.ops as ops
from nacre.ops import activation


def test_relu_has_gradient_0_at_0_and_keeps_nan() -> None:
    assert jax.grad(ops.relu)(0.0) == 0.0
    assert jax.grad(ops.relu)(2.0) == 1.0
    assert np.isnan(ops.relu(float("nan")))


@pytest.mark.parametrize("name", ["elu", "selu", "softplus", "log_sigmoid", "mish", "celu", "silu"])
@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_gradient_is_finite_far_out(name: str, value: float) -> None:
    assert np.isfinite(jax.grad(getattr(activation, name))(value))


def test_sparsemax_is_the_nearest_point_of_the_simplex() -> None:
    x = np.random.default_rng(0).normal(size=(50, 6)).astype("float32")
    y = np.asarray(ops.sparsemax(x))
    np.testing.assert_allclose(y.sum(1), 1, rtol=1e-5)
    assert (y >= 0).all()
    # The projection: x - y is one number where y > 0, and not larger elsewhere.
    surplus = np.where(y > 0, x - y, np.nan)
    level = np.nanmean(surplus, 1, keepdims=True)
    np.testing.assert_allclose(np.where(y > 0, surplus, level), level + 0 * y, atol=1e-5)
    assert (np.where(y > 0, -np.inf, x) <= level + 1e-5).all()


def test_whole_ops_take_lists_numbers_and_half_floats() -> None:
    assert ops.softmax([1, 2]).dtype == "float32"
    assert float(ops.relu(-3)) == 0
    assert ops.gelu(jnp.ones(2, "bfloat16")).dtype == "bfloat16"
