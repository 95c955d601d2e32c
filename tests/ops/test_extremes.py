"""The gradient of an extreme goes to the elements that are it, however a program is compiled.

Here XLA computes what is compared twice, and in JAX 0.12 rounds the two differently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import ops
from tests.ops.test_kernels import assert_close, random

GROUPS = np.arange(64) % 5
EXTREMES: dict[str, Callable[[Any], Any]] = {
    "max": lambda x: ops.max(x, (1, 2)),
    "min": lambda x: ops.min(x, (1, 2)),
    "amax": lambda x: ops.amax(x, (1, 2)),
    "amin": lambda x: ops.amin(x, (1, 2)),
    "ptp": lambda x: ops.ptp(x, (1, 2)),
    "nanmax": lambda x: ops.nanmax(x, (1, 2)),
    "nanmin": lambda x: ops.nanmin(x, (1, 2)),
    "segment max": lambda x: ops.segment_max(x[0].reshape(64, -1), GROUPS, 5),
    "segment min": lambda x: ops.segment_min(x[0].reshape(64, -1), GROUPS, 5),
    "global pooling": lambda x: nacre.layers.GlobalMaxPooling2D()(x),
    "pooling": lambda x: ops.max_pool(x, 2),
    "graph pooling": lambda x: nacre.layers.GraphMaxPooling()(
        {"node_features": x.reshape(x.shape[0], 64, -1), "node_mask": np.ones((x.shape[0], 64))}
    ),
}


def normalized(x: Any, scale: Any, offset: Any) -> Any:
    """A normalization whose way to the numbers is one multiplication and one addition."""
    mean = jnp.mean(x, (0, 1, 2))
    factor = jax.lax.rsqrt(jnp.mean((x - mean) ** 2, (0, 1, 2)) + 1e-3) * scale
    return x * factor + (offset - mean * factor)


# Those of other names are the same functions, or go through them.
@pytest.mark.full_effort  # it is fusing that rounds a number in two ways
@pytest.mark.parametrize("name", sorted(EXTREMES.keys() - {"amax", "amin", "nanmin"}))
def test_extremes_of_normalized_numbers_have_one_gradient_compiled_or_not(name: str) -> None:
    function = lambda *arrays: EXTREMES[name](normalized(*arrays))
    arrays = random(0, 2, 8, 8, 3), random(1, 3), random(2, 3)
    y, pull = jax.vjp(function, *arrays)
    gradient = random(3, *y.shape)
    compiled = jax.jit(lambda gradient, *a: jax.vjp(function, *a)[1](gradient))
    assert_close(compiled(gradient, *arrays), pull(gradient), 1e-4)


@pytest.mark.full_effort
@pytest.mark.parametrize("layer", ["GlobalMaxPooling1D", "reduced"])
def test_what_is_added_and_normalized_before_an_extreme_is_trained_alike_compiled_or_not(
    layer: str,
) -> None:
    random_numbers = np.random.default_rng(0)
    x = random_numbers.normal(size=(8, 5, 6)).astype("float32")
    y = random_numbers.normal(size=(8, 3)).astype("float32")

    def weights(run_eagerly: bool) -> list[np.ndarray]:
        nacre.utils.set_random_seed(0)
        inputs = nacre.Input((5, 6))
        parts = nacre.layers.Reshape((5, 2, 3))(inputs)
        mixed = nacre.layers.EinsumDense("abcd,cde->abe", output_shape=(None, 6), bias_axes="e")(
            parts
        )
        mixed = nacre.layers.LayerNormalization()(nacre.layers.Add()([inputs, mixed]))
        if layer == "reduced":
            pooled = ops.max(mixed, axis=1)
        else:
            pooled = getattr(nacre.layers, layer)()(mixed)
        model = nacre.Model(inputs, nacre.layers.Dense(3)(pooled))
        model.compile("sgd", "mse", run_eagerly=run_eagerly)
        model.train_on_batch(x, y)
        return model.get_weights()

    for compiled, eager in zip(weights(False), weights(True), strict=True):
        np.testing.assert_allclose(compiled, eager, atol=1e-6)


@pytest.mark.parametrize("name", ["max", "segment max", "graph pooling"])
def test_extremes_without_a_gradient_put_nothing_in_the_way_of_the_compiler(name: str) -> None:
    x = random(0, 2, 8, 8, 3)
    assert "optimization_barrier" not in str(jax.make_jaxpr(EXTREMES[name])(x))


@pytest.mark.parametrize("axis", [None, -1, (0, 2)])
def test_extremes_have_the_derivatives_of_jax_in_all_directions(axis: Any) -> None:
    x = random(0, 3, 4, 5)
    for found, wanted in ((ops.max, jnp.max), (ops.min, jnp.min)):
        ours = lambda x, found=found: jnp.sum(found(x, axis) ** 2)
        theirs = lambda x, wanted=wanted: jnp.sum(wanted(x, axis=axis) ** 2)
        slope = jax.grad(theirs)(x)
        assert_close(jax.jit(jax.grad(ours))(x), slope, 1e-6)
        assert_close(jax.jacfwd(ours)(x), slope, 1e-6)
        assert_close(jax.hessian(ours)(x), jax.hessian(theirs)(x), 1e-6)
        both = jax.jit(jax.vmap(jax.grad(ours), 1, 2))(jnp.stack([x, -x], 1))
        assert_close(both, jnp.stack([slope, jax.grad(theirs)(-x)], 2), 1e-6)


def test_extremes_of_what_has_nan_or_nothing() -> None:
    x = np.array([[1.0, np.nan], [np.nan, np.nan]], "float32")
    np.testing.assert_array_equal(ops.nanmax(x, 1), [1.0, np.nan])
    np.testing.assert_array_equal(jax.grad(lambda x: ops.nanmin(x[0]))(x), [[1.0, 0.0], [0.0, 0.0]])
    assert np.isnan(ops.max(x, 1)).all()
    assert ops.max(np.zeros((0, 2), "float32"), 0, initial=3.0).tolist() == [3.0, 3.0]
    assert ops.max(np.array([1, 5]), initial=7).dtype == "int32"


def test_equal_extremes_share_the_gradient_and_second_derivatives_exist() -> None:
    x = jnp.array([1.0, 3.0, 3.0])
    assert jax.grad(ops.max)(x).tolist() == [0.0, 0.5, 0.5]
    squared = lambda x: ops.max(x) ** 2
    np.testing.assert_allclose(jax.hessian(squared)(x), jax.hessian(lambda x: jnp.max(x) ** 2)(x))
    both = jax.vmap(jax.grad(ops.max), 1)(jnp.stack([x, -x], 1))
    assert both.tolist() == [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]
