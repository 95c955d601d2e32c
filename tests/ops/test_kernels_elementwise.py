"""The compiled activations and normalisations: right to the last bits, and at the ends."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.ops.kernels import activation, layer_norm
from nacre.ops.kernels.native import library
from nacre.ops.kernels.placement import own_program, plain_xla
from tests import native
from tests.ops.test_kernels import assert_close

KINDS = ("gelu", "tanh_gelu", "silu")


@pytest.fixture(autouse=True)
def _kernel():
    native.need(library.ACTIVATION, library.LAYER_NORM)


def draw(seed, *shape, scale=1.0):
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype("float32")


def run(function, *arrays):
    """Whether compiled calls are in a program of ours, and what it gives."""
    with own_program():
        program = jax.make_jaxpr(lambda *a: function(*a))(*arrays)
        return "ffi_call" in str(program), jax.jit(lambda *a: function(*a))(*arrays)


def exact(kind, x):
    """The activation and its derivative in float64."""
    x = np.asarray(x, "float64")
    if kind == "gelu":
        share = 0.5 * np.vectorize(math.erfc)(-x / math.sqrt(2))
        return x * share, share + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    rate = 2 * math.sqrt(2 / math.pi)
    inner, slope = (
        (x, 1.0)
        if kind == "silu"
        else (rate * (x + 0.044715 * x**3), rate * (1 + 3 * 0.044715 * x * x))
    )
    share = 1 / (1 + np.exp(-inner))
    return x * share, share + x * share * (1 - share) * slope


SPREAD = np.concatenate([np.linspace(-12.6, 12.6, 20011), draw(0, 5000), [0.0, -0.0, 1e-30]])


@pytest.mark.parametrize("kind", KINDS)
def test_activations_are_right_to_the_last_bits(kind):
    x = SPREAD.astype("float32")  # a count that fills no last vector
    y, slope = exact(kind, x)
    actual = np.asarray(activation._forward(kind, x), "float64")
    # Where sigmoid takes the exponential of a rounded number, its error is that of the number.
    units = {"gelu": 6, "silu": 8, "tanh_gelu": 8}[kind] + (0 if kind == "gelu" else np.abs(x) ** 3)
    assert (np.abs(actual - y) <= units * np.spacing(np.abs(y).astype("float32")) + 1e-33).all()
    g = draw(1, *x.shape)
    gradient = np.asarray(activation._gradient(kind, x, g), "float64")
    assert (np.abs(gradient - g * slope) <= 1e-6 * np.abs(g) * (1 + np.abs(slope))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_at_the_ends_activations_give_what_the_plain_form_gives(kind):
    x = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e4, -1e4, -20, -100, 20, 100], "float32")
    expected = jax.jit(functools.partial(activation._plain, kind))(x)
    np.testing.assert_allclose(activation._forward(kind, x), expected, atol=1e-6)
    slopes = np.asarray(activation._gradient(kind, x, np.ones_like(x)))
    np.testing.assert_array_equal(np.isnan(slopes), ~np.isfinite(x))
    np.testing.assert_allclose(slopes[3:], [1, 0, 1, 0, 0, 0, 1, 1], atol=1e-6)


@pytest.mark.parametrize("size", [1, 15, 16, 17, 2**14, 2**14 + 1, 3 * 2**14 - 7])
def test_every_number_of_any_count_is_reached_once(size):
    x, g = draw(0, size), draw(1, size)
    y, slope = exact("silu", x)
    np.testing.assert_allclose(activation._forward("silu", x), y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(activation._gradient("silu", x, g), g * slope, rtol=1e-4, atol=1e-5)


def normalized(x, scale, offset, epsilon, is_centred):
    x = np.asarray(x, "float64")
    centred = x - x.mean(-1, keepdims=True) if is_centred else x
    outputs = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
    outputs = outputs if scale is None else outputs * scale
    return outputs if offset is None else outputs + offset


@pytest.mark.parametrize("is_centred", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (3, 16), (33, 17), (70, 64), (5, 7, 100), (2, 1000)])
def test_normalisation_of_any_size_is_that_of_numpy(shape, is_centred):
    x, g = draw(0, *shape) + 3, draw(1, *shape)
    scale, offset = draw(2, shape[-1]), draw(3, shape[-1])
    y, _ = layer_norm._kept_forward(1e-3, is_centred, x, scale, offset)
    np.testing.assert_allclose(
        y, normalized(x, scale, offset, 1e-3, is_centred), rtol=1e-4, atol=1e-4
    )
    statistics = layer_norm._kept_forward(1e-3, is_centred, x, None, None)[1]
    arrays = x, scale, offset, statistics, g
    assert_close(
        layer_norm._gradients(1e-3, is_centred, *arrays),
        layer_norm._gradients_by_xla(1e-3, is_centred, *arrays),
    )


@pytest.mark.parametrize("mean", [0.0, 100.0, 1e6, -3e7])
@pytest.mark.parametrize("size", [3, 64, 1021])
def test_rows_far_from_zero_are_normalized_as_exactly_as_those_around_it(mean, size):
    x, g = (mean + draw(0, 33, size)).astype("float32"), draw(1, 33, size)
    x[5] = x[5, 0]  # a row of one number
    y, statistics = layer_norm._kept_forward(1e-6, True, x, None, None)
    n = normalized(x, None, None, 1e-6, True)
    np.testing.assert_allclose(y, n, atol=1e-6 * np.abs(n).max())
    d_x, d_scale, _ = layer_norm._gradients(1e-6, True, x, None, None, statistics, g)
    inverse = 1 / np.sqrt(np.var(x.astype("float64"), -1, keepdims=True) + 1e-6)
    slope = inverse * (g - g.mean(-1, keepdims=True) - n * (g * n).mean(-1, keepdims=True))
    np.testing.assert_allclose(d_x, slope, atol=1e-6 * np.abs(slope).max())
    np.testing.assert_allclose(d_scale, (g * n).sum(0), atol=1e-5 * np.abs(g * n).max())


def test_rows_that_hold_no_number_spoil_no_other_row():
    x = draw(0, 40, 33)
    x[3, 32], x[7, 0] = np.nan, np.inf
    y, statistics = layer_norm._kept_forward(1e-3, True, x, None, None)
    assert np.isnan(y[3]).all() and np.isnan(y[7]).all()
    rest = np.delete(np.arange(40), [3, 7])
    np.testing.assert_allclose(y[rest], normalized(x[rest], None, None, 1e-3, True), atol=1e-5)
    d_x, *_ = layer_norm._gradients(1e-3, True, x, None, None, statistics, draw(1, 40, 33))
    assert np.isnan(d_x[3]).all() and np.isfinite(d_x[rest]).all()


FUNCTIONS = {
    "gelu": lambda x, s, o: ops.gelu(x, approximate=False),
    "tanh gelu": lambda x, s, o: ops.gelu(x),
    "silu": lambda x, s, o: ops.silu(x),
    "layer norm": lambda x, s, o: ops.layer_normalization(x, s, o, epsilon=1e-3),
    "layer norm alone": lambda x, s, o: ops.layer_normalization(x),
    "RMS norm": lambda x, s, o: ops.rms_normalization(x, s),
}
ARRAYS = draw(0, 3, 60, 40), draw(1, 40), draw(2, 40)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_every_kind_are_those_of_the_plain_form(name, monkeypatch):
    function = FUNCTIONS[name]
    total = lambda x, s, o: (jnp.tanh(function(x, s, o)) ** 2).sum()

    def all_of(x, s, o):
        moved = jax.jvp(total, (x, s, o), (x, o, s))[1]
        penalty = jax.grad(lambda x: (jax.grad(total)(x, s, o) ** 2).sum())(x)
        return function(x, s, o), jax.grad(total, argnums=(0, 1, 2))(x, s, o), moved, penalty

    used, compiled = run(all_of, *ARRAYS)
    together = run(jax.vmap(lambda x: all_of(x, *ARRAYS[1:])[:2]), np.stack([ARRAYS[0]] * 2))[1]
    assert used
    monkeypatch.setenv("NACRE_NATIVE", "0")
    used, plain = run(all_of, *ARRAYS)
    assert not used
    assert_close(compiled, plain)
    assert_close(jax.tree.map(lambda a: a[1], together), plain[:2])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_elsewhere_the_plain_form_runs(name):
    x, s, o = map(jnp.asarray, ARRAYS)
    uses = lambda *a: "ffi_call" in str(jax.make_jaxpr(lambda *a: FUNCTIONS[name](*a))(*a))
    assert not uses(x, s, o)  # somebody else's program, which may be exported
    with own_program():
        assert uses(x, s, o)
        assert not uses(*(a.astype("float16") for a in (x, s, o)))
        assert not uses(x[:0], s, o)
        with plain_xla():
            assert not uses(x, s, o)


def test_normalisation_over_other_axes_is_left_to_xla():
    x = jnp.asarray(draw(0, 40, 60, 40))
    for axis in (1, (1, 2), (-2, -1), None):
        used, y = run(lambda x: ops.layer_normalization(x, axis=axis), x)  # noqa: B023
        assert not used
        with plain_xla():
            assert_close(y, ops.layer_normalization(x, axis=axis))
    assert run(lambda x: ops.layer_normalization(x, axis=(2,)), x)[0]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("layer", "handler"),
    [
        (layers.LayerNormalization(), "layer_norm"),
        (layers.LayerNormalization(center=False, scale=False), "layer_norm"),
        (layers.RMSNormalization(), "layer_norm"),
        (layers.Activation("gelu"), "activation"),
        (layers.Dense(64, activation="silu"), "activation"),
    ],
)
def test_layers_reach_the_compiled_calls_in_training_too(layer, handler, training):
    x = jnp.asarray(draw(0, 16, 12, 32))
    layer.build(x.shape)
    values = [[v.value for v in layer.trainable_variables], []]

    def total(values, x):
        return jnp.sum(layer.stateless_call(*values, x, training=training)[0] ** 2)

    with own_program():
        program = str(jax.make_jaxpr(jax.grad(total, argnums=(0, 1)))(values, x))
    for way in ("forward", "backward" if handler == "layer_norm" else "gradient"):
        assert f"nacre_{handler}_{way}" in program


def test_a_block_that_is_trained_learns_the_same(monkeypatch):
    def trained():
        nacre.utils.set_random_seed(0)
        model = nacre.Sequential(
            [
                nacre.Input((12, 32)),
                layers.LayerNormalization(),
                layers.Dense(64, activation="gelu"),
                layers.RMSNormalization(),
                layers.Dense(4, activation="silu"),
            ]
        )
        model.compile("adam", "mse")
        x, y = draw(0, 24, 12, 32), draw(1, 24, 12, 4)
        losses = model.fit(x, y, batch_size=12, epochs=2, verbose=0).history["loss"]
        return losses, model.predict(x[:13], verbose=0), model.get_weights()

    compiled = trained()
    monkeypatch.setenv("NACRE_NATIVE", "0")
    assert_close(compiled, trained())
