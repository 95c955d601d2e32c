"""Facts of activations that a table of numbers does not tell."""

from __future__ import annotations

import functools

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


RISING = ["silu", "squareplus", "sparse_plus", "softplus", "mish", "relu", "elu"]
RISING_FORMS = {
    "gelu": functools.partial(ops.gelu, approximate=False),
    "tanh_gelu": functools.partial(ops.gelu, approximate=True),
    **{name: getattr(activation, name) for name in RISING},
}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("name", RISING_FORMS)
def test_what_rises_from_zero_is_its_limit_for_large_numbers(name: str, dtype: str) -> None:
    sizes = 10.0 ** np.arange(2.5, np.log10(float(jnp.finfo(dtype).max)), 0.5)
    given, far = RISING_FORMS[name], -1.0 if name == "elu" else 0.0
    x = jnp.asarray(np.concatenate([-sizes, sizes]), dtype)
    y, pull = jax.jit(lambda x: jax.vjp(given, x))(x)
    (slope,) = pull(jnp.ones_like(y))
    tangent = jax.jvp(given, (x,), (jnp.ones_like(x),))[1]
    expected = np.where(x > 0, x.astype("float32"), far)
    np.testing.assert_allclose(y.astype("float32"), expected, rtol=1e-2, atol=4e-3)
    for found in (slope, tangent):
        np.testing.assert_allclose(found.astype("float32"), x > 0, atol=2e-5)


def test_gelu_of_16_bits_is_rounded_once() -> None:
    x = np.linspace(-4, 4, 200, dtype="float32")
    for approximate in (False, True):
        for dtype, step in (("bfloat16", 2**-8), ("float16", 2**-11)):
            given = jnp.asarray(x, dtype)
            y = ops.gelu(given, approximate=approximate).astype("float32")
            wide = ops.gelu(given.astype("float32"), approximate=approximate)
            np.testing.assert_allclose(y, wide, rtol=step, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_sparsemax_of_large_numbers_is_that_of_their_differences(dtype: str) -> None:
    x = np.array([[0.0, -0.5, -3.0, 0.25], [0, 0, 0, 0], [0, -1e4, -2, 0]], "float32")
    largest = {"float16": 2**14, "bfloat16": 2**5, "float32": 2**20}[dtype]
    y = ops.sparsemax(x)
    np.testing.assert_allclose(np.sum(y, -1), 1)
    for offset in (-largest, largest):
        given = jnp.asarray(x, dtype) + offset
        differences = (given - jnp.max(given, -1, keepdims=True)).astype("float32")
        found = ops.sparsemax(given)
        assert found.dtype == dtype
        np.testing.assert_allclose(found.astype("float32"), ops.sparsemax(differences), atol=4e-3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_lengths_of_16_bits_are_summed_in_32(dtype: str) -> None:
    x = np.zeros((4, 64), "float32")
    x[1], x[2], x[3, :2] = 300, 2**-12, [3, 4]  # the squares of the second are 0 in float16
    given = jnp.asarray(x, dtype)
    unit = ops.normalize(given)
    assert unit.dtype == dtype
    expected = np.zeros((4, 64), "float32")
    expected[1:3], expected[3, :2] = 1 / 8, [0.6, 0.8]
    np.testing.assert_allclose(unit.astype("float32"), expected, rtol=1e-2)
    length = ops.norm(given, axis=-1)
    assert length.dtype == dtype
    np.testing.assert_allclose(length.astype("float32"), [0, 2400, 2**-9, 5], rtol=1e-2)
    slope = jax.grad(lambda x: jnp.sum(ops.normalize(x)[0]))(given).astype("float32")
    assert np.isfinite(slope[1:]).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_sinc_and_its_slope_are_those_of_the_series_near_zero(dtype: str) -> None:
    x = np.array([0, 1e-30, 1e-6, 3e-4, 1e-2, 0.1, 0.2, 0.5], "float32")
    x = jnp.asarray(np.concatenate([-x, x]), dtype)
    y, slope = jax.vmap(jax.value_and_grad(ops.sinc))(x)
    wide = np.asarray(x, "float64")
    safe = np.where(wide == 0, 1.0, wide)
    series = -(np.pi**2) * wide / 3
    exact = np.where(
        np.abs(wide) < 1e-3, series, np.cos(np.pi * safe) / safe - np.sinc(safe) / safe
    )
    tolerance = 20 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(y.astype("float32"), np.sinc(wide), atol=tolerance)
    np.testing.assert_allclose(slope.astype("float32"), exact, atol=10 * tolerance)


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
