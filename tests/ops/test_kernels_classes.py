"""Rows of scores: the highest one's place and the cross-entropy of a label, as NumPy has them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nacre
from nacre import layers, ops
from nacre.ops.kernels import classes
from nacre.ops.kernels.native import library
from nacre.ops.kernels.placement import own_program, plain_xla
from tests import native
from tests.ops.test_kernels import assert_close


@pytest.fixture(autouse=True)
def _kernel():
    native.need(library.CLASSES)


def draw(seed, *shape, scale=1.0):
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype("float32")


def run(function, *arrays):
    """Whether compiled calls are in a program of ours, and what it gives."""
    with own_program():
        program = jax.make_jaxpr(lambda *a: function(*a))(*arrays)
        return "ffi_call" in str(program), jax.jit(lambda *a: function(*a))(*arrays)


SIZES = st.one_of(st.integers(1, 70), st.sampled_from([127, 128, 129, 1000, 4099]))


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 9), size=SIZES, values=st.sampled_from([1, 3, 10**6]), seed=SIZES)
def test_the_first_of_the_highest_is_found_in_rows_of_any_size(rows, size, values, seed):
    x = np.random.default_rng(seed).integers(-values, values, (rows, size)).astype("float32")
    np.testing.assert_array_equal(classes._highest(x), x.argmax(-1))
    np.testing.assert_array_equal(classes._highest(-0.0 * x), np.zeros(rows))


@pytest.mark.parametrize("size", [1, 5, 64, 65, 130])
def test_places_of_no_numbers_and_of_infinite_ones_are_those_of_numpy(size):
    for odd in (np.nan, np.inf, -np.inf):
        x = np.repeat(draw(0, 1, size), size, 0)
        x[np.arange(size), np.arange(size)] = odd
        np.testing.assert_array_equal(classes._highest(x), x.argmax(-1))
        x[:, 0] = odd
        np.testing.assert_array_equal(classes._highest(x), x.argmax(-1))
        np.testing.assert_array_equal(classes._highest(np.full_like(x, odd)), np.zeros(size))
    two = draw(1, 1, 130)
    two[0, 70], two[0, 3] = np.nan, np.inf
    assert classes._highest(two)[0] == 70


def exact(logits, labels):
    """Cross-entropy and softmax in float64."""
    wide = np.asarray(logits, "float64")
    shifted = wide - wide.max(-1, keepdims=True)
    powers = np.exp(shifted)
    sums = powers.sum(-1, keepdims=True)
    picked = np.take_along_axis(shifted, labels[..., None], -1)
    return (np.log(sums) - picked)[..., 0], powers / sums


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 9), size=SIZES, scale=st.sampled_from([0.0, 1.0, 30.0, 1e4]))
def test_cross_entropy_and_its_gradient_are_those_of_float64(rows, size, scale):
    logits, slopes = draw(0, rows, size, scale=scale) + scale, draw(1, rows)
    labels = np.random.default_rng(2).integers(0, size, rows).astype("int32")
    values, norms = classes._kept_forward(logits, labels)
    expected, shares = exact(logits, labels)
    np.testing.assert_allclose(values, expected, rtol=2e-6, atol=2e-6 * (1 + scale * 1e-3))
    gradient = classes._gradient(logits, labels, norms, slopes)
    shares[np.arange(rows), labels] -= 1
    np.testing.assert_allclose(gradient, slopes[:, None] * shares, atol=3e-6, rtol=2e-5)


def test_logits_at_the_ends_give_what_the_plain_form_gives():
    logits = np.repeat(draw(0, 1, 97), 7, 0)
    logits[1, 3], logits[2, 96], logits[3, 5] = np.nan, np.inf, -np.inf
    logits[4], logits[5], logits[6, 10] = -np.inf, 3e38, -3e38
    for label in (0, 3, 5, 10, 96):
        labels = np.full((7,), label, "int32")
        plain = jax.vmap(jax.value_and_grad(classes._plain_entropy))
        values, slopes = plain(logits, labels)
        ours, norms = classes._kept_forward(logits, labels)
        np.testing.assert_allclose(ours, values, rtol=1e-5)
        ones = np.ones(7, "float32")
        found = np.asarray(classes._gradient(logits, labels, norms, ones))
        np.testing.assert_array_equal(np.isnan(found).any(-1), np.isnan(slopes).any(-1))
        fine = ~np.isnan(slopes).any(-1)
        np.testing.assert_allclose(found[fine], slopes[fine], atol=1e-6)


def test_a_label_of_no_class_is_told_and_moves_nothing_of_other_rows():
    logits = draw(0, 60, 100)
    labels = np.random.default_rng(1).integers(0, 100, 60)
    labels[3], labels[7] = -1, 100

    def losses(logits):
        values = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        return jnp.where(jnp.isnan(values), 0.0, values).sum(), values

    used, (slopes, values) = run(jax.grad(losses, has_aux=True), logits)
    assert used
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(values)), [3, 7])
    with plain_xla():
        assert_close((slopes, values), jax.grad(losses, has_aux=True)(logits))


LABELS = np.random.default_rng(5).integers(0, 130, (4, 16))


def everything(logits):
    """Values, gradients of several orders, tangents; what is mapped is a row of its own."""
    entropy = lambda x, labels: ops.sparse_categorical_crossentropy(labels, x, from_logits=True)
    total = lambda x: (jnp.tanh(entropy(x, LABELS)) ** 2).sum()
    one = lambda x, label: entropy(x[None], label[None])[0]
    return (
        entropy(logits, LABELS),
        jax.grad(total)(logits),
        jax.jvp(total, (logits,), (jnp.sin(logits),))[1],
        jax.grad(lambda x: (jax.grad(total)(x) ** 2).sum())(logits),
        jax.vmap(jax.grad(lambda x, labels: entropy(x, labels).sum()))(logits, LABELS),
        jax.vmap(one, (1, 0))(logits[:, 0].T, LABELS[:, 0]),
        ops.argmax(logits, axis=-1),
        ops.argmax(logits, axis=2, keepdims=True),
        jax.vmap(lambda x: ops.argmax(x, axis=1), 1)(logits),
        jax.grad(lambda x: (x * ops.argmax(x, axis=-1, keepdims=True)).sum())(logits),
    )


def test_derivatives_and_maps_of_every_kind_are_those_of_the_plain_form(monkeypatch):
    logits = draw(0, 4, 16, 130, scale=3.0)
    used, compiled = run(everything, logits)
    assert used
    monkeypatch.setenv("NACRE_NATIVE", "0")
    used, plain = run(everything, logits)
    assert not used
    assert_close(compiled, plain)


def test_elsewhere_the_plain_form_runs():
    x, labels = jnp.asarray(draw(0, 60, 100)), np.zeros(60, "int32")
    functions = (
        lambda x: ops.argmax(x, axis=-1),
        lambda x: ops.sparse_categorical_crossentropy(labels, x, from_logits=True),
    )
    for function in functions:
        uses = lambda x: "ffi_call" in str(jax.make_jaxpr(lambda x: function(x))(x))  # noqa: B023
        assert not uses(x)  # somebody else's program, which may be exported
        with own_program():
            assert uses(x)
            assert not uses(x.astype("bfloat16"))
            with plain_xla():
                assert not uses(x)
    with own_program():
        program = lambda f, x: str(jax.make_jaxpr(f)(x))
        assert "ffi_call" not in program(lambda x: ops.argmax(x, axis=0), x)
        assert "ffi_call" not in program(lambda x: ops.argmax(x), x)
        assert "ffi_call" not in program(lambda x: ops.argmax(x, axis=-1), x[:, :20])
        assert "ffi_call" not in program(lambda x: ops.argmax(x, axis=-1), x.astype("int32"))


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_a_model_of_many_classes_learns_and_is_judged_the_same(activation, monkeypatch):
    calls = []
    real = classes._call
    monkeypatch.setattr(classes, "_call", lambda *a: calls.append(a[0]) or real(*a))

    def trained():
        nacre.utils.set_random_seed(0)
        model = nacre.Sequential([nacre.Input((8,)), layers.Dense(120, activation=activation)])
        loss = nacre.losses.SparseCategoricalCrossentropy(from_logits=activation is None)
        model.compile("sgd", loss, metrics=["accuracy", "sparse_top_k_categorical_accuracy"])
        x, y = draw(0, 100, 8, scale=3.0), np.arange(100) % 5
        logs = model.fit(x, y, batch_size=48, epochs=3, shuffle=False, verbose=0).history
        return logs, model.evaluate(x, y, batch_size=64, verbose=0), model.get_weights()

    compiled = trained()
    assert set(calls) == {"classes_highest", "classes_entropy", "classes_entropy_gradient"}
    monkeypatch.setenv("NACRE_NATIVE", "0")
    calls.clear()
    assert_close(compiled, trained())
    assert not calls
