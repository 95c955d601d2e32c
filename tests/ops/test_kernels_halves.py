"""The compiled product of bfloat16: sums of float32, rounded once; in one order of sums."""

from __future__ import annotations

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from nacre.ops.kernels import products
from nacre.ops.kernels.native import library
from tests import native
from tests.ops.test_kernels_dense import SIZES, THREADS

HALF_STEP = 2.0**-8  # of a bfloat16, relative


@pytest.fixture(autouse=True)
def _kernel():
    native.need(library.HALVES)


def draw(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), "bfloat16")


def assert_rounded_sums(actual, first, second):
    """The product of two matrices, rounded once, but for what float32 loses in sums."""
    assert actual.dtype == jnp.bfloat16
    first, second = (np.asarray(factor, "float64") for factor in (first, second))
    exact = first @ second
    lost = 2e-7 * (abs(first) @ abs(second)) * (4 + np.sqrt(first.shape[-1]))
    assert actual.shape == exact.shape
    assert (abs(np.asarray(actual, "float64") - exact) <= HALF_STEP * abs(exact) + lost).all()


def check(rows, features, units):
    x, kernel, g = draw(0, rows, features), draw(1, features, units), draw(2, rows, units)
    bias = draw(3, units)
    assert_rounded_sums(products._forward(x, kernel, None), x, kernel)
    # The bias is added before the sum is rounded.
    beside, below = jnp.ones((rows, 1), "bfloat16"), bias[None]
    with_one = jnp.concatenate([x, beside], 1), jnp.concatenate([kernel, below])
    assert_rounded_sums(products._forward(x, kernel, bias), *with_one)
    assert_rounded_sums(products._input_gradient(g, kernel), g, kernel.T)
    d_kernel, d_bias = products._kernel_gradient(x, g)
    assert_rounded_sums(d_kernel, x.T, g)
    assert_rounded_sums(d_bias[None], np.ones((1, rows)), g)


@settings(max_examples=12, deadline=None)
@given(rows=SIZES, features=SIZES, units=SIZES)
def test_products_of_any_size_are_those_of_numpy(rows, features, units):
    check(rows, features, units)


@pytest.mark.parametrize(
    ("rows", "features", "units"),
    # Several blocks of the depth, chunks of rows and panels of columns; whole pairs and a lone one.
    [(3, 2301, 70), (2302, 5, 33), (600, 17, 200), (1, 2000, 1), (13, 1025, 129), (505, 512, 16)],
)
def test_products_of_many_blocks_are_those_of_numpy(rows, features, units):
    check(rows, features, units)


@pytest.mark.parametrize("features", [70, 71])
def test_what_is_no_number_goes_where_numpy_lets_it_go(features):
    x, kernel, g = draw(0, 37, features), draw(1, features, 53), draw(2, 37, 53)
    # The first number of a row follows the last one of the row before.
    x = x.at[5, -1].set(jnp.nan).at[11, 0].set(jnp.inf)
    kernel, g = kernel.at[2, -1].set(-jnp.inf), g.at[12, 0].set(jnp.nan)
    wide = [np.asarray(array, "float32") for array in (x, kernel, g)]
    with np.errstate(invalid="ignore"):
        pairs = [
            (products._forward(x, kernel, None), wide[0] @ wide[1]),
            (products._input_gradient(g, kernel), wide[2] @ wide[1].T),
            (products._kernel_gradient(x, g)[0], wide[0].T @ wide[2]),
            (products._kernel_gradient(x, g)[1], wide[2].sum(0)),
        ]
    for actual, expected in pairs:
        actual = np.asarray(actual, "float32")
        for kind in (np.isnan, np.isposinf, np.isneginf):
            np.testing.assert_array_equal(kind(actual), kind(expected))
        assert 0 < np.isfinite(actual).sum()


def test_samples_of_a_map_have_products_of_their_own():
    x, kernel, g = draw(0, 3, 21, 33), draw(1, 3, 33, 18), draw(2, 3, 21, 18)
    y = jax.vmap(lambda x, k: products._forward(x, k, None))(x, kernel)
    d_kernel, _ = jax.vmap(products._kernel_gradient)(x, g)
    for i in range(3):
        assert_rounded_sums(y[i], x[i], kernel[i])
        assert_rounded_sums(d_kernel[i], x[i].T, g[i])


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cannot choose cores here")
def test_a_sum_has_the_same_bits_on_any_number_of_cores():
    program = THREADS.replace('.astype("float32")', ".astype(jax.numpy.bfloat16)")
    assert program != THREADS
    command = [sys.executable, "-c", program]
    one, many = (
        subprocess.run([*command, str(cores)], check=True, capture_output=True).stdout
        for cores in (1, 64)
    )
    assert len(one) > 2**19 and one == many
