"""`jax.vmap` of compiled kernels: the numbers of each sample, from one call for all of them."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre import ops
from nacre.ops.kernels.mapping import over_rows
from nacre.ops.kernels.native import library
from nacre.ops.kernels.placement import own_program
from nacre.ops.products import dense
from tests import native
from tests.ops.test_kernels import assert_close


@pytest.fixture(autouse=True)
def _kernel():
    native.need(library.DENSE, library.LAYER_NORM, library.ACTIVATION)


def draw(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


def attended(query, key, mask):
    return ops.dot_product_attention(query, key, key[..., :3], mask=mask > -0.5)


# A function of arrays; the shapes of one sample.
CASES = {
    "gelu": (functools.partial(ops.gelu, approximate=False), [(70, 61)]),
    "layer norm": (ops.layer_normalization, [(70, 61), (61,), (61,)]),
    "layer norm alone": (ops.layer_normalization, [(3, 30, 61)]),
    "RMS norm": (ops.rms_normalization, [(2, 40, 61), (61,)]),
    "dense": (dense, [(21, 33), (33, 70), (70,)]),
    "dense of three axes": (dense, [(3, 7, 33), (33, 70)]),
    "few rows": (dense, [(8, 300), (300, 70), (70,)]),
    "attention": (attended, [(2, 9, 4, 5), (2, 20, 2, 5), (2, 1, 9, 20)]),
    "one mask": (attended, [(2, 9, 4, 5), (2, 20, 2, 5), (1, 1, 9, 20)]),
    "attention of few": (attended, [(2, 3, 4, 5), (2, 110, 2, 5), (2, 1, 3, 110)]),
    "convolution": (functools.partial(ops.conv, padding="same"), [(2, 9, 8, 5), (3, 3, 5, 17)]),
    "max pooling": (lambda x: ops.max_pool(x, 3, 2, padding="same"), [(2, 9, 8, 17)]),
    "average pooling": (lambda x: ops.average_pool(x, 3, 2, padding="same"), [(2, 9, 8, 17)]),
}


def run(function, *arrays):
    """What a program of ours gives, and its text."""
    with own_program():
        compiled = jax.jit(lambda *a: function(*a)).lower(*arrays).compile()
    return compiled(*arrays), compiled.as_text()


def with_slopes(function):
    """The outputs, and the gradients of a sum of them."""

    def total(*arrays):
        outputs = function(*arrays)
        return (jnp.tanh(outputs) ** 2).sum(), outputs

    def both(*arrays):
        slopes, outputs = jax.grad(total, range(len(arrays)), has_aux=True)(*arrays)
        return outputs, slopes

    return both


def assert_each(function, axes, arrays):
    """Mapped, the function gives what it gives of each sample."""
    together, _ = run(jax.vmap(function, axes), *arrays)
    for i in range(3):
        each = [
            a if axis is None else jnp.take(a, i, axis)
            for a, axis in zip(arrays, axes, strict=True)
        ]
        assert_close(jax.tree.map(lambda a: a[i], together), run(function, *each)[0])  # noqa: B023


@pytest.mark.parametrize("name", CASES)
def test_all_mapped_is_each_sample(name):
    function, shapes = CASES[name]
    arrays = [draw(i, 3, *shape) for i, shape in enumerate(shapes)]
    assert_each(with_slopes(function), (0,) * len(arrays), arrays)


@pytest.mark.parametrize("name", [name for name in CASES if len(CASES[name][1]) > 1])
def test_some_mapped_along_any_axis_is_each_sample(name):
    function, shapes = CASES[name]
    one = [draw(i, *shape) for i, shape in enumerate(shapes)]
    last = jnp.stack([one[0], -one[0], 2 * one[0]], -1)
    assert_each(with_slopes(function), (last.ndim - 1, *(None for _ in one[1:])), [last, *one[1:]])
    second = jnp.stack([one[1], -one[1], 2 * one[1]], 1)
    axes = (None, 1, *(None for _ in one[2:]))
    assert_each(with_slopes(function), axes, [one[0], second, *one[2:]])


@pytest.mark.parametrize("name", CASES)
def test_maps_within_maps_over_other_arrays_are_each_sample(name):
    function, shapes = CASES[name]
    first, *rest = [draw(i, 2, *shape) for i, shape in enumerate(shapes)]
    first = jnp.stack([first, -first, first + 1])  # (3, 2, ...)
    inner = jax.vmap(function)
    together, text = run(jax.vmap(inner, (0, *(None for _ in rest))), first, *rest)
    assert "custom-call" in text
    for i in range(3):
        for j in range(2):
            alone, _ = run(function, first[i, j], *(a[j] for a in rest))
            assert_close(together[i, j], alone)


@pytest.mark.parametrize("name", CASES)
def test_one_call_runs_all_samples_and_no_loop_goes_through_them(name):
    function, shapes = CASES[name]
    arrays = [draw(i, *shape) for i, shape in enumerate(shapes)]
    axes = (0, *(None for _ in arrays[1:]))
    several = jnp.stack([arrays[0]] * 3)
    _, text = run(jax.vmap(function, axes), several, *arrays[1:])
    assert text.count('custom_call_target="nacre_') == 1
    assert " while(" not in text


@pytest.mark.parametrize("name", ["gelu", "layer norm", "RMS norm", "dense", "few rows"])
def test_gradients_of_each_sample_go_through_no_loop_either(name):
    function, shapes = CASES[name]
    arrays = [draw(i, 3, *shape) for i, shape in enumerate(shapes)]
    for axes in [(0,) * len(arrays), (0, *(None for _ in arrays[1:]))]:
        given = [a if axis == 0 else a[0] for a, axis in zip(arrays, axes, strict=True)]
        _, text = run(jax.vmap(with_slopes(function), axes), *given)
        assert 'custom_call_target="nacre_' in text
        assert " while(" not in text


@pytest.mark.parametrize("name", CASES)
def test_no_samples_give_no_numbers(name):
    function, shapes = CASES[name]
    arrays = [draw(i, *shape) for i, shape in enumerate(shapes)]
    none = jnp.zeros((0, *shapes[0]), jnp.float32)
    both = with_slopes(function)
    (outputs, slopes), _ = run(
        jax.vmap(both, (0, *(None for _ in arrays[1:])), axis_size=0), none, *arrays[1:]
    )
    assert outputs.shape[0] == 0
    assert [slope.shape for slope in slopes] == [(0, *shape) for shape in shapes]


@pytest.mark.parametrize("name", ["layer norm", "dense", "few rows"])
def test_a_sample_has_the_bits_that_it_has_alone(name):
    function, shapes = CASES[name]
    arrays = [draw(i, 3, *shape) for i, shape in enumerate(shapes)]
    together, _ = run(jax.vmap(function), *arrays)
    for i in range(3):
        np.testing.assert_array_equal(together[i], run(function, *(a[i] for a in arrays))[0])


def test_a_sample_without_numbers_spoils_no_other():
    for name in ("layer norm", "dense"):
        function, shapes = CASES[name]
        arrays = [draw(i, 3, *shape).at[1].set(jnp.nan) for i, shape in enumerate(shapes)]
        outputs, slopes = run(jax.vmap(with_slopes(function)), *arrays)[0]
        for found in (outputs, *slopes):
            bad = np.isnan(found).reshape(3, -1)
            assert bad[1].all() and not bad[[0, 2]].any()


def test_tangents_and_second_derivatives_of_maps_are_those_of_plain_xla(monkeypatch):
    arrays = draw(0, 3, 20, 40), draw(1, 3, 40, 30), draw(2, 30)

    def one(x, kernel, offset):
        y = ops.gelu(ops.layer_normalization(dense(x, kernel, offset), offset, offset))
        return (y**2).sum()

    def all_of(x, kernel, offset):
        mapped = jax.vmap(jax.grad(one, (0, 1, 2)), (0, 0, None))
        penalty = lambda *a: sum((slope**2).sum() for slope in mapped(*a))
        pushed = jax.jvp(jax.vmap(one, (0, 0, None)), arrays, (x, 2 * kernel, offset))
        return pushed, jax.grad(penalty, (0, 1, 2))(x, kernel, offset)

    compiled = run(all_of, *arrays)[0]
    monkeypatch.setenv("NACRE_NATIVE", "0")
    assert_close(compiled, run(all_of, *arrays)[0])


def test_rows_that_stand_for_all_are_repeated():
    product = lambda x, factors: over_rows(jnp.multiply, (True, True), x, factors)
    x, factors = draw(0, 5, 2, 3), draw(1, 1, 3)
    np.testing.assert_array_equal(jax.vmap(product, (0, None))(x, factors), x * factors)
    np.testing.assert_array_equal(jax.vmap(product, (None, 0))(x[0], x), x[0] * x)
