"""The compiled product of a dense layer: NumPy's numbers at every size, in one order of sums."""

from __future__ import annotations

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nacre
from nacre import layers, ops
from nacre.ops.kernels import products
from nacre.ops.kernels.native import library, table
from nacre.ops.kernels.placement import own_program, plain_xla
from nacre.ops.products import matrix_axes
from tests import native
from tests.ops.test_kernels import assert_close


@pytest.fixture(autouse=True)
def _kernel():
    native.need(library.DENSE)


def draw(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def assert_sums(actual, factors, exact):
    """Within what rounding each of the products and sums may cost."""
    first, second = (np.abs(np.asarray(f, "float64")) for f in factors)
    bound = 2e-7 * (first @ second) * (4 + np.sqrt(first.shape[-1])) + 1e-30
    assert actual.shape == exact.shape
    assert (np.abs(np.asarray(actual, "float64") - exact) <= bound).all()


def check(rows, features, units):
    """Forward and both gradients of one size against NumPy in float64."""
    x, kernel, g = draw(0, rows, features), draw(1, features, units), draw(2, rows, units)
    bias = draw(3, units)
    wide = [np.asarray(a, "float64") for a in (x, kernel, g)]
    assert_sums(products._forward(x, kernel, None), (x, kernel), wide[0] @ wide[1])
    y = np.asarray(products._forward(x, kernel, bias))
    np.testing.assert_allclose(y, products._forward(x, kernel, None) + bias, rtol=1e-6, atol=1e-6)
    assert_sums(products._input_gradient(g, kernel), (g, kernel.T), wide[2] @ wide[1].T)
    d_kernel, d_bias = products._kernel_gradient(x, g)
    assert_sums(d_kernel, (x.T, g), wide[0].T @ wide[2])
    assert_sums(d_bias[None], (np.ones((1, rows)), g), wide[2].sum(0, keepdims=True))


SIZES = st.one_of(st.integers(1, 40), st.sampled_from([48, 63, 64, 65, 100, 128, 130]))


@settings(max_examples=12, deadline=None)
@given(rows=SIZES, features=SIZES, units=SIZES)
def test_products_of_any_size_are_those_of_numpy(rows, features, units):
    check(rows, features, units)


@pytest.mark.parametrize(
    ("rows", "features", "units"),
    # Several blocks of the depth, chunks of rows and panels of columns, and one of each.
    [
        (3, 1300, 70),
        (1300, 5, 33),
        (600, 17, 200),
        (1, 2000, 1),
        (13, 513, 129),
        (505, 512, 16),
        (15, 67, 300),
        (8, 5, 257),
        (1, 130, 256),
    ],  # few rows by long columns of the kernel
)
def test_products_of_many_blocks_are_those_of_numpy(rows, features, units):
    check(rows, features, units)


@pytest.mark.parametrize(("rows", "units"), [(37, 53), (13, 270)])
def test_what_is_no_number_goes_where_numpy_lets_it_go(rows, units):
    x, kernel, g = draw(0, rows, 70), draw(1, 70, units), draw(2, rows, units)
    x[5, 69], x[11, 3], kernel[2, -1], g[12, -1] = np.nan, np.inf, -np.inf, np.nan
    with np.errstate(invalid="ignore"):
        pairs = [
            (products._forward(x, kernel, None), x @ kernel),
            (products._input_gradient(g, kernel), g @ kernel.T),
            (products._kernel_gradient(x, g)[0], x.T @ g),
            (products._kernel_gradient(x, g)[1], g.sum(0)),
        ]
    for actual, expected in pairs:
        for kind in (np.isnan, np.isposinf, np.isneginf):
            np.testing.assert_array_equal(kind(actual), kind(expected))
        assert 0 < np.isfinite(actual).sum()


def run(function, *arrays):
    with own_program():
        program = jax.make_jaxpr(function)(*arrays)
        return "ffi_call" in str(program), jax.jit(function)(*arrays)


def test_inputs_that_lie_transposed_are_read_as_they_are_meant():
    x, kernel = draw(0, 40, 33), draw(1, 24, 40)
    used, y = run(lambda x, k: layers_dense(x.T, k.T), x, kernel)
    assert used
    np.testing.assert_allclose(y, x.T @ kernel.T, rtol=1e-4, atol=1e-4)


def layers_dense(x, kernel, bias=None):
    from nacre.ops.products import dense

    return dense(x, kernel, bias)


EQUATIONS = {
    "abc,cde->abde": [(2, 30, 20), (20, 3, 8)],
    "abcd,cde->abe": [(2, 30, 4, 5), (4, 5, 24)],
    "...x,xy->...y": [(2, 5, 6, 20), (20, 24)],
    "ab,bc->ac": [(60, 20), (20, 24)],
}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_an_einsum_that_is_a_product_by_a_matrix_is_one(equation):
    arrays = [draw(i, *shape) for i, shape in enumerate(EQUATIONS[equation])]
    slopes = jax.grad(lambda x, y: (ops.einsum(equation, x, y) ** 2).sum(), argnums=(0, 1))
    used, compiled = run(lambda *a: (ops.einsum(equation, *a), slopes(*a)), *arrays)
    assert used
    with plain_xla():
        assert_close(compiled, (ops.einsum(equation, *arrays), slopes(*arrays)))


@pytest.mark.parametrize(
    ("bias_axes", "calls"), [("de", 1), ("e", 2), ("d", 2), ("bde", 2), (None, 1)]
)
def test_a_bias_of_other_axes_than_the_kernels_own_is_added_as_it_is_meant(bias_axes, calls):
    layer = layers.EinsumDense(
        "abc,cde->abde", (30, 3, 8), bias_axes=bias_axes, bias_initializer="random_normal"
    )
    x = jnp.asarray(draw(0, 2, 30, 20))
    layer.build(x.shape)
    with own_program():
        y = layer(x)
        program = str(jax.make_jaxpr(lambda x: layer(x))(x))
    assert program.count("dense_forward") == 1
    assert (" add " in program) == (calls == 2)
    expected = jnp.einsum("abc,cde->abde", x, layer.kernel.value)
    expected = expected if bias_axes is None else expected + layer.bias.value
    assert_close(y, expected)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("abc,bcd->ad", [(64, 4, 6), (6, 4, 24)]),  # as many numbers, on other axes
        ("abc,cbd->ad", [(64, 6, 4), (4, 6, 24)]),  # summed in another order
        ("abc,cd->adb", [(64, 4, 24), (24, 24)]),
        ("abc,abd->acd", [(8, 16, 32), (8, 16, 32)]),
        ("aab,bc->ac", [(32, 32, 16), (16, 24)]),
    ],
)
def test_any_other_einsum_is_left_to_xla(equation, shapes):
    arrays = [jnp.asarray(draw(i, *shape)) for i, shape in enumerate(shapes)]
    with own_program():
        try:
            expected = np.einsum(equation, *arrays)
        except ValueError:  # sizes that do not fit
            with pytest.raises(ValueError):
                ops.einsum(equation, *arrays)
            return
        program = jax.make_jaxpr(lambda *a: ops.einsum(equation, *a))(*arrays)
        assert "ffi_call" not in str(program)
        np.testing.assert_allclose(ops.einsum(equation, *arrays), expected, rtol=1e-3, atol=1e-3)


def test_letters_that_are_twice_in_one_factor_make_no_product():
    assert matrix_axes("aa,ab->ab", 2, 2) is None
    assert matrix_axes("ab,bb->a", 2, 2) is None
    assert matrix_axes("ab,cd->abcd", 2, 2) is None
    assert matrix_axes("...b,bc->bc", 3, 2) is None


ARRAYS = draw(0, 3, 20, 40), draw(1, 40, 24), draw(2, 24)


def test_derivatives_of_every_kind_are_those_of_the_plain_form(monkeypatch):
    total = lambda x, kernel, bias: (jnp.tanh(layers_dense(x, kernel, bias) / 9) ** 2).sum()

    def all_of(x, kernel, bias):
        moved = jax.jvp(total, (x, kernel, bias), (bias[0] * x, kernel, bias))[1]
        penalty = lambda k: (jax.grad(total, argnums=1)(x, k, bias) ** 2).sum()
        return jax.grad(total, argnums=(0, 1, 2))(x, kernel, bias), moved, jax.grad(penalty)(kernel)

    used, compiled = run(all_of, *ARRAYS)
    assert used
    monkeypatch.setenv("NACRE_NATIVE", "0")
    used, plain = run(lambda *a: all_of(*a), *ARRAYS)
    assert not used
    assert_close(compiled, plain)


@pytest.mark.parametrize("axes", [(0, None, None), (None, 0, None), (0, 0, 0)])
def test_several_products_at_once_are_those_of_each(axes):
    several = [
        a if axis is None else np.stack([a, 2 * a + 1, -a])
        for a, axis in zip(ARRAYS, axes, strict=True)
    ]
    one = lambda *a: jax.value_and_grad(lambda *a: layers_dense(*a).sum(), argnums=(0, 1, 2))(*a)
    used, together = run(jax.vmap(one, axes), *several)
    assert used
    for i in range(3):
        each = [a if axis is None else a[i] for a, axis in zip(several, axes, strict=True)]
        assert_close(jax.tree.map(lambda a: a[i], together), run(one, *each)[1])  # noqa: B023


def test_elsewhere_the_plain_form_runs():
    x, kernel, bias = (jnp.asarray(a) for a in ARRAYS)
    # A new function each time: JAX keeps what it has traced.
    uses = lambda *a: "ffi_call" in str(jax.make_jaxpr(lambda *a: layers_dense(*a))(*a))
    assert not uses(x, kernel, bias)  # somebody else's program, which may be exported
    with own_program():
        assert uses(x, kernel, bias)
        assert not uses(x.astype("float16"), kernel.astype("float16"))
        assert not uses(x, kernel.astype("float16"), bias)
        assert not uses(x[:0], kernel, bias)
        with plain_xla():
            assert not uses(x, kernel, bias)
    slope = jax.jit(jax.grad(lambda k: layers_dense(x, k, bias).sum())).lower(kernel).compile()
    text = slope.as_text()
    assert "dense_kernel_gradient" in text and "dense_input_gradient" not in text


def test_layers_that_are_trained_use_it_and_learn_the_same(monkeypatch):
    def trained():
        nacre.utils.set_random_seed(0)
        inputs = nacre.Input((12, 16))
        x = layers.MultiHeadAttention(2, 8)(layers.Dense(24, activation="relu")(inputs), inputs)
        model = nacre.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
        model.compile("sgd", "mse")
        x, y = draw(0, 12, 12, 16), draw(1, 12, 3)
        losses = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0).history["loss"]
        return losses, model.predict(x[:5], verbose=0), model.evaluate(x, y, verbose=0)

    calls = []
    real = products._call
    monkeypatch.setattr(products, "_call", lambda *a: calls.append(a[0]) or real(*a))
    compiled = trained()
    assert {"forward", "input_gradient", "kernel_gradient"} == set(calls)
    monkeypatch.setenv("NACRE_NATIVE", "0")
    calls.clear()
    assert_close(compiled, trained())
    assert not calls


THREADS = """
import os, sys
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])
import jax, numpy as np
from nacre.ops.kernels import products
draw = lambda *shape: np.random.default_rng(0).standard_normal(shape).astype("float32")
x, kernel, g = draw(700, 600), draw(600, 200), draw(700, 200)
run = lambda x, kernel, g: (
    products._forward(x, kernel, g[0]), products._input_gradient(g, kernel),
    products._kernel_gradient(x, g))
for array in jax.tree.leaves(jax.jit(run)(x, kernel, g)):
    sys.stdout.buffer.write(np.asarray(array).tobytes())
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cannot choose cores here")
def test_a_sum_has_the_same_bits_on_any_number_of_cores():
    run = lambda cores: (
        subprocess.run(
            [sys.executable, "-c", THREADS, str(cores)], check=True, capture_output=True
        ).stdout
    )
    assert len(run(1)) > 2**20 and run(1) == run(64)


def test_the_table_says_where_it_is_used():
    x, kernel, bias = (jnp.asarray(a) for a in ARRAYS)
    assert table.DENSE.when_used(table.DenseWork(x, kernel, bias), "own") == "always"
    assert table.DENSE.when_used(table.DenseWork(x, kernel, bias), "plain") == "in gradients"
