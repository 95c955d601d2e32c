"""The compiled convolution gives the numbers of plain XLA, in every map and at every edge."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre.ops.kernels import (
    convolution,
    pooling,
)
from nacre.ops.kernels.native import library
from tests import native
from tests.effort import LITTLE
from tests.ops.test_kernels import (
    CONVOLUTIONS,
    assert_close,
    compiled_quickly,
    gradients,
    plain_convolution,
    random,
)

LANES = 16  # floats of the widest vectors; sizes below lie on both sides of its multiples
CASES = [
    # spatial, channels, filters, window, strides, padding, dilation, groups
    *CONVOLUTIONS,
    ((17, 33), 64, 64, (3, 3), (1, 1), "same", (1, 1), 1),
    ((5, 7), 1, LANES, (3, 3), (1, 1), "valid", (1, 1), 1),
    ((20, 19), 3, 64, (7, 7), (2, 2), "same", (1, 1), 1),
    ((9, 9), 48, 40, (3, 3), (2, 2), "same", (1, 1), 1),
    ((9, 9), 4, 8, (2, 2), (3, 3), "valid", (1, 1), 1),  # a stride longer than the window
    ((8, 8), 32, 96, (1, 1), (2, 2), "same", (1, 1), 1),
    ((4, 4), 520, 17, (3, 3), (1, 1), "same", (1, 1), 1),  # deeper than one panel
    ((40,), LANES, 10, (4,), (3,), "same", (1,), 1),
    ((70,), 33, 50, (5,), (1,), "causal", (2,), 1),
    ((5, 6), 8, 2, (3, 3), (1, 1), ((3, 0), (0, 4)), (1, 1), 1),  # few filters, uneven padding
    ((7, 6), 8, 3, (2, 3), (1, 1), "same", (1, 2), 1),
    ((6, 6), 32, 64, (3, 3), (1, 1), "same", (1, 1), 8),
    ((6, 5), 12, 24, (3, 3), (2, 2), "same", (1, 1), 6),
    ((12, 11), 2 * LANES, 2 * LANES, (3, 3), (1, 1), "same", (1, 1), 2 * LANES),  # depthwise
    ((9, 10), LANES + 3, LANES + 3, (5, 5), (2, 2), "same", (1, 1), LANES + 3),
    ((9, 8), LANES, LANES, (3, 3), (1, 1), "same", (2, 3), LANES),
    ((5, 4, 6), LANES, LANES, (2, 3, 2), (1, 2, 1), "same", (1, 1, 1), LANES),
    ((8,), LANES, 3 * LANES, (3,), (1,), "same", (1,), LANES),  # a multiplier of three
    ((3, 3), 4, 4, (5, 5), (1, 1), "same", (1, 1), 1),  # a window larger than the input
    ((5, 2), 3, 4, (3, 3), (1, 1), "valid", (1, 1), 1),  # one that fits nowhere
    ((5, 2), LANES, LANES, (3, 3), (1, 1), "valid", (1, 1), LANES),
]


@pytest.fixture(autouse=True)
def compiled():
    """Native kernels, or no test."""
    native.need(library.CONVOLUTION, library.POOLING)


def in_loop(case):
    *_, strides, padding, dilation, groups = case
    arguments = dict(strides=strides, padding=padding, dilation=dilation, groups=groups)
    ours = functools.partial(convolution.convolution, placement="loop", **arguments)
    return ours, functools.partial(plain_convolution, **arguments)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_compiled_convolution_gives_the_numbers_of_plain_xla(case):
    spatial, channels, filters, window, *_, groups = case
    x, kernel = random(0, 3, *spatial, channels), random(1, *window, channels // groups, filters)
    ours, plain = in_loop(case)
    step = jax.grad(lambda *a: jnp.sum(jnp.sin(ours(*a))), (0, 1))
    program = str(jax.make_jaxpr(step)(x, kernel))
    assert program.count("ffi_call[") == 3  # what follows compares no plain XLA with itself
    assert_close(gradients(ours, x, kernel), gradients(plain, x, kernel))


@pytest.mark.parametrize("batch", [1, 5, 64])
def test_compiled_convolution_is_right_however_the_work_is_cut(batch):
    case = ((15, 9), 8, 20, (3, 3), (2, 1), "same", (1, 1), 1)
    x, kernel = random(0, batch, 15, 9, 8), random(1, 3, 3, 8, 20)
    ours, plain = in_loop(case)
    assert_close(gradients(ours, x, kernel), gradients(plain, x, kernel))


def test_compiled_convolution_repeats_to_the_bit():
    ours, _ = in_loop(CASES[0][:1] + (8, 20, (3,), (1,), "same", (1,), 1))
    x, kernel = random(0, 64, 200, 8), random(1, 3, 8, 20)
    once = jax.tree.leaves(gradients(ours, x, kernel))
    for _ in range(5):
        again = jax.tree.leaves(gradients(ours, x, kernel))
        assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))


def test_compiled_convolution_has_second_derivatives_and_maps_over_a_batch():
    ours, plain = in_loop(((6, 5), 3, 4, (3, 3), (2, 1), "same", (1, 1), 1))
    x, kernel = random(0, 2, 6, 5, 3), random(1, 3, 3, 3, 4)

    def penalty(function):
        inner = lambda x, k: jnp.sum(jnp.sin(function(x, k)))
        return jax.grad(lambda x, k: sum(jnp.sum(g**2) for g in jax.grad(inner, (0, 1))(x, k)))

    penalties = (compiled_quickly(penalty(f), x, kernel) for f in (ours, plain))
    assert_close(*penalties, 1e-4)
    kernels = random(2, 3, 3, 3, 3, 4)
    slope = lambda f: jax.grad(lambda k: jnp.sum(jnp.sin(f(x, k))))
    mapped = lambda f: compiled_quickly(jax.vmap(slope(f)), kernels)
    assert_close(mapped(ours), mapped(plain))


TRANSPOSED = [
    # window, strides, padding, output_padding
    (4, 2, "same", None),
    (3, 2, "same", 1),
    (3, 2, "valid", None),
    (3, 2, "valid", 1),
    (2, 3, "valid", None),
    (3, 1, "same", None),
]


@pytest.mark.parametrize(("window", "stride", "padding", "extra"), TRANSPOSED)
@pytest.mark.parametrize("filters", [3, 20])
def test_compiled_transposed_convolution_gives_the_numbers_of_plain_xla(
    window, stride, padding, extra, filters, monkeypatch
):
    x, kernel = random(0, 2, 5, 6, 18), random(1, window, window, filters, 18)
    ours = functools.partial(
        convolution.transposed_convolution,
        strides=(stride,) * 2,
        padding=padding,
        output_padding=extra,
        placement="loop",
    )
    got = gradients(ours, x, kernel)
    monkeypatch.setenv("NACRE_KERNELS", "xla")
    assert_close(got, gradients(lambda *a: ours(*a), x, kernel))


@pytest.mark.parametrize("window", [(3, 3), (2, 4)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_compiled_average_gives_the_numbers_of_plain_xla(window, padding, monkeypatch):
    x = random(0, 2, 9, 8, 20)
    ours = functools.partial(
        pooling.average_pool, window=window, strides=(2, 1), padding=padding, placement="loop"
    )
    assert "ffi_call[" in str(jax.make_jaxpr(ours)(x))
    got = gradients(ours, x)
    monkeypatch.setenv("NACRE_KERNELS", "xla")
    assert_close(got, gradients(lambda x: ours(x), x))


POOLINGS = [
    # spatial, channels, window, strides, padding
    ((9, 8), 20, (3, 3), (2, 1), "same"),
    ((9, 8), LANES, (3, 2), (2, 1), "valid"),
    ((7, 6), 5 * LANES + 3, (5, 5), (1, 1), "same"),
    ((20,), 2 * LANES, (4,), (3,), "valid"),
    ((20,), LANES, (2,), (3,), "same"),  # a stride longer than the window
    ((4, 5, 6), LANES + 1, (2, 3, 2), (1, 2, 1), "same"),
    ((3, 3), LANES, (4, 4), (2, 2), ((3, 1), (0, 3))),
]


@pytest.mark.parametrize("case", POOLINGS, ids=str)
@pytest.mark.parametrize("batch", [1, 3])
def test_compiled_maximum_gives_the_numbers_of_the_plain_form(case, batch, monkeypatch):
    spatial, channels, window, strides, padding = case
    # Whole numbers: equal values are the rule, and the first of them has the gradient.
    x = jnp.round(2 * random(0, batch, *spatial, channels))
    ours = functools.partial(
        pooling.max_pool, window=window, strides=strides, padding=padding, placement="loop"
    )
    step = jax.grad(lambda x: jnp.sum(jnp.sin(ours(x))))
    assert str(jax.make_jaxpr(step)(x)).count("ffi_call[") == 2
    got = gradients(ours, x)
    monkeypatch.setenv("NACRE_NATIVE", "0")
    assert_close(got, gradients(lambda x: ours(x), x))


def test_compiled_maximum_has_second_derivatives_and_a_map(monkeypatch):
    ours = functools.partial(pooling.max_pool, window=(3, 3), strides=(2, 2), placement="plain")
    x, direction = random(0, 2, 2, 7, 7, LANES), random(1, 2, 2, 7, 7, LANES)
    slope = lambda x: jax.grad(lambda x: jnp.sum(jax.vmap(ours)(x) ** 3))(x)
    twice = lambda x: jax.grad(lambda x: jnp.vdot(slope(x), direction))(x)
    both = lambda: compiled_quickly(lambda x: (slope(x), twice(x)), x)
    got = both()
    monkeypatch.setenv("NACRE_NATIVE", "0")
    assert_close(got, both())


def test_nothing_but_infinities_and_a_nan(monkeypatch):
    x = jnp.full((1, 4, 4, LANES), -jnp.inf).at[0, 1, 1, 0].set(jnp.nan).at[0, 2].set(jnp.inf)
    ours = functools.partial(pooling.max_pool, window=(2, 2), strides=(1, 1), placement="loop")
    got = ours(x)
    monkeypatch.setenv("NACRE_NATIVE", "0")
    np.testing.assert_array_equal(got, ours(x))
    assert np.isnan(got).sum() == 4


def test_tiles_few_channels_and_16_bits_stay_in_plain_jax():
    def compiled(shape, strides, dtype="float32"):
        ours = lambda x: pooling.max_pool(x, window=(2, 2), strides=strides, placement="loop")
        return "ffi_call[" in str(jax.make_jaxpr(ours)(jnp.zeros(shape, dtype)))

    assert compiled((1, 6, 6, LANES), (1, 1))
    assert not compiled((1, 6, 6, LANES), (2, 2))
    assert not compiled((1, 6, 6, LANES - 1), (1, 1))
    assert not compiled((1, 6, 6, LANES), (1, 1), "float16")


def calls(place, dtype="float32", batch=2):
    """How often the compiled kernels appear in a forward pass and in a training step."""
    ours = lambda x, k: convolution.convolution(
        x, k, strides=(1, 1), padding="same", placement=place
    )
    x = jnp.zeros((batch, 5, 5, 3), dtype)
    kernel = jnp.zeros((3, 3, 3, 4), dtype)
    step = jax.grad(lambda x, k: jnp.sum(jnp.sin(ours(x, k))), (0, 1))
    return [str(jax.make_jaxpr(f)(x, kernel)).count("ffi_call[") for f in (ours, step)]


def test_outside_loops_only_gradients_are_compiled():
    assert calls("plain") == [0, 3]
    assert calls("loop") == [1, 3]


@pytest.mark.parametrize(("dtype", "batch"), [("float16", 2), ("float32", 0)])
def test_other_dtypes_and_empty_batches_stay_in_plain_jax(dtype, batch):
    assert calls("loop", dtype, batch) == [0, 0]


@pytest.mark.parametrize("name", ["NACRE_NATIVE", "NACRE_KERNELS"])
def test_switches_turn_the_compiled_kernels_off(name, monkeypatch):
    monkeypatch.setenv(name, "0" if name == "NACRE_NATIVE" else "xla")
    assert calls("loop") == [0, 0]


def test_without_a_compiler_the_numbers_come_from_plain_jax(monkeypatch):
    monkeypatch.setenv("NACRE_NATIVE", "0")
    assert calls("loop") == [0, 0]


def test_compiled_convolution_runs_in_a_loop_body():
    x, kernel = random(0, 2, 6, 6, 4), random(1, 3, 3, 4, 4)
    ours, plain = in_loop(((6, 6), 4, 4, (3, 3), (1, 1), "same", (1, 1), 1))

    def descend(function):
        step = jax.grad(lambda k: jnp.mean(jnp.square(function(x, k))))
        loop = lambda k: jax.lax.fori_loop(0, 4, lambda _, k: k - 0.05 * step(k), k)
        return jax.jit(loop, compiler_options=LITTLE)(kernel)

    assert_close(descend(ours), descend(plain), 1e-4)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_is_not_finite_stays_in_its_group(value):
    case = ((6, 5), 32, 32, (3, 3), (1, 1), "same", (1, 1), 8)
    x = random(0, 2, 6, 5, 32).at[0, 2, 2, 9].set(value)  # the third group's
    y = in_loop(case)[0](x, random(1, 3, 3, 4, 32))
    broken = ~np.isfinite(y)
    assert broken[0, 1:4, 1:4, 8:12].all()
    assert broken.sum() == 9 * 4


def test_a_kernel_for_other_channels_never_reaches_the_compiled_one():
    case = ((6, 5), 32, 32, (3, 3), (1, 1), "same", (1, 1), 1)
    with pytest.raises((TypeError, ValueError)):
        in_loop(case)[0](random(0, 2, 6, 5, 8), random(1, 3, 3, 32, 32))
