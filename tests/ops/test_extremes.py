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


@pytest.mark.full_effort  # it is fusing that rounds a number in two ways
@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_of_normalized_numbers_have_one_gradient_compiled_or_not(name: str) -> None:
    function = lambda *arrays: EXTREMES[name](normalized(*arrays))
    arrays = random(0, 2, 8, 8, 3), random(1, 3), random(2, 3)
    y, pull = jax.vjp(function, *arrays)
    gradient = random(3, *y.shape)
    compiled = jax.jit(lambda gradient, *a: jax.vjp(function, *a)[1](gradient))
    assert_close(compiled(gradient, *arrays), pull(gradient), 1e-4)


@pytest.mark.parametrize("name", ["max", "segment max", "graph pooling"])
def test_extremes_without_a_gradient_put_nothing_in_the_way_of_the_compiler(name: str) -> None:
    x = random(0, 2, 8, 8, 3)
    barrier = "optimization_barrier"
    assert barrier not in str(jax.make_jaxpr(EXTREMES[name])(x))
    assert barrier in str(jax.make_jaxpr(jax.grad(lambda x: EXTREMES[name](x).sum()))(x))


def test_equal_extremes_share_the_gradient_and_second_derivatives_exist() -> None:
    x = jnp.array([1.0, 3.0, 3.0])
    assert jax.grad(ops.max)(x).tolist() == [0.0, 0.5, 0.5]
    squared = lambda x: ops.max(x) ** 2
    np.testing.assert_allclose(jax.hessian(squared)(x), jax.hessian(lambda x: jnp.max(x) ** 2)(x))
    both = jax.vmap(jax.grad(ops.max), 1)(jnp.stack([x, -x], 1))
    assert both.tolist() == [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]
