"""The compiled product of 8-bit numbers: the bits of the plain form at every size."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nacre
from nacre import layers, ops
from nacre.layers.adapters import products as adapters
from nacre.ops.kernels import quantized
from nacre.ops.kernels.native import library
from nacre.ops.kernels.placement import own_program, plain_xla
from nacre.quantizers import AbsMaxQuantizer, Int8QuantizationConfig, Quantizer
from tests import native

ROUNDING = quantized.Rounding(-127, 127, 1e-7)


@pytest.fixture(autouse=True)
def _kernel():
    native.need(library.QUANTIZED)


def draw(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def draw_bytes(seed, *shape):
    return np.random.default_rng(seed).integers(-128, 128, shape, dtype="int8")


def expected(x, numbers, scale, bias=None, low=-127, high=127, epsilon=1e-7):
    """The formula in NumPy, each step in float32."""
    with np.errstate(invalid="ignore", over="ignore"):
        scale_x = np.float32(high) / (np.abs(x).max(1, keepdims=True) + np.float32(epsilon))
        whole = np.clip(np.round(x * scale_x), low, high)
        whole = np.where(np.isnan(whole), 0, whole).astype("int32")
        y = (whole @ numbers.astype("int32")).astype("float32") / (scale_x * scale)
        return y if bias is None else y + bias


def check(rows, features, units):
    x, numbers = draw(0, rows, features), draw_bytes(1, features, units)
    scale, bias = np.abs(draw(2, units)) + 1, draw(3, units)
    for given_bias in (None, bias):
        y = np.asarray(quantized.quantized_dense(x, numbers, scale, given_bias, ROUNDING))
        exact = expected(x, numbers, scale, given_bias)
        np.testing.assert_array_equal(y.view("int32"), exact.view("int32"))
        table = np.ascontiguousarray(numbers.T)
        y = np.asarray(quantized.quantized_dense(x, table, scale, given_bias, ROUNDING, True))
        np.testing.assert_array_equal(y.view("int32"), exact.view("int32"))
    whole = draw_bytes(4, rows, features)
    sums = quantized.int8_matmul(whole, numbers)
    assert sums.dtype == jnp.int32
    np.testing.assert_array_equal(sums, whole.astype("int32") @ numbers.astype("int32"))


SIZES = st.one_of(st.integers(1, 40), st.sampled_from([48, 63, 64, 65, 100, 128, 130]))


@settings(max_examples=12, deadline=None)
@given(rows=st.integers(1, 20), features=SIZES, units=SIZES)
def test_products_of_any_size_have_the_bits_of_numpy(rows, features, units):
    check(rows, features, units)


@pytest.mark.parametrize(
    ("rows", "features", "units"),
    # One row by many panels, few rows by some and a rest, many rows, chunks of rows, several threads.
    [
        (1, 67, 1300),
        (1, 386, 1024),
        (2, 65, 200),
        (3, 5, 257),
        (4, 34, 144),
        (7, 1030, 70),
        (13, 513, 129),
        (2, 9, 4100),
        (4, 34, 4200),
        (8, 67, 1100),
        (16, 5, 1300),
        (600, 17, 200),
        (520, 130, 64),
        (1, 1, 1),
    ],
)
def test_products_of_many_panels_have_the_bits_of_numpy(rows, features, units):
    check(rows, features, units)


@pytest.mark.parametrize("rows", [1, 2, 4, 9])
def test_the_largest_numbers_are_not_cut(rows):
    for left in (-128, 127):
        for right in (-128, 127):
            x = np.full((rows, 131), left, "int8")
            numbers = np.full((131, 80), right, "int8")
            assert (np.asarray(quantized.int8_matmul(x, numbers)) == 131 * left * right).all()


def test_a_sum_beyond_32_bits_is_that_of_numpy():
    x, numbers = np.full((1, 140_000), -128, "int8"), np.full((140_000, 1), -128, "int8")
    whole = 140_000 * 2**14
    assert quantized.int8_matmul(x, numbers).item() == whole - 2**32


SPECIAL = {
    "zeros": lambda x: 0 * x,
    "minus zeros": lambda x: -0.0 * x,
    "no number": lambda x: np.where(np.arange(70) == 69, np.nan, x),
    "infinity": lambda x: np.where(np.arange(70) == 3, np.inf, x),
    "minus infinity": lambda x: np.where(np.arange(70) == 68, -np.inf, x),
    "both": lambda x: np.where(np.arange(70) == 5, np.nan, np.inf * x),
    "huge": lambda x: x * np.float32(1e37),
    "tiny": lambda x: x * np.float32(1e-38),
    # Numbers that lie half way between two whole ones, or as near as floats can.
    "halves": lambda x: np.nextafter(np.arange(70) + 0.5, np.arange(70) % 3).astype("float32"),
    "exact halves": lambda x: (np.arange(70) % 5 + 0.5) * np.where(np.arange(70) % 2, 1, -1),
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_special_rows_have_the_bits_of_the_plain_form(kind):
    x = draw(0, 5, 70)
    with np.errstate(invalid="ignore"):
        x[1] = SPECIAL[kind](x[1]).astype("float32")
    numbers, scale, bias = draw_bytes(1, 70, 83), np.abs(draw(2, 83)) + 1, draw(3, 83)
    y = np.asarray(quantized.quantized_dense(x, numbers, scale, bias, ROUNDING))
    form = adapters.ProductForm(_dense(70, 83))
    plain = adapters.integer_product(form, AbsMaxQuantizer(), x, numbers, scale, bias)
    for other in (expected(x, numbers, scale, bias), plain):
        np.testing.assert_array_equal(y, other)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_rounded_is_the_rounded_product(seed):
    # Rows of few numbers by the unit matrix show each whole number; a product and a sum put together
    # by the compiler round halves another way, once in some thousand numbers.
    x = draw(seed, 300, 64)
    scale = np.ones(64, "float32")
    y = quantized.quantized_dense(x, np.eye(64, dtype="int8"), scale, None, ROUNDING)
    np.testing.assert_array_equal(y, expected(x, np.eye(64, dtype="int8"), scale))


@pytest.mark.parametrize(
    ("low", "high", "epsilon"), [(-128, 127, 1e-3), (-8, 7, 1e-7), (0, 1, 0.5)]
)
def test_other_ranges_are_kept(low, high, epsilon):
    x, numbers, scale = draw(0, 9, 33), draw_bytes(1, 33, 20), np.abs(draw(2, 20)) + 1
    y = quantized.quantized_dense(x, numbers, scale, None, quantized.Rounding(low, high, epsilon))
    np.testing.assert_array_equal(y, expected(x, numbers, scale, None, low, high, epsilon))


def _dense(features, units, **options):
    layer = layers.Dense(units, bias_initializer="random_normal", **options)
    layer.build((None, features))
    return layer


def program_of(function, *arrays):
    return str(jax.make_jaxpr(lambda *a: function(*a))(*arrays))


LAYERS = {
    "dense": (lambda: layers.Dense(80, activation="relu"), (6, 70)),
    "dense of steps": (lambda: layers.Dense(80, use_bias=False), (2, 5, 70)),
    "of one row": (lambda: layers.Dense(200), (1, 64)),
    "heads": (
        lambda: layers.EinsumDense("abc,cde->abde", (None, 4, 20), bias_axes="de"),
        (2, 9, 64),
    ),
    "heads, a bias of each": (
        lambda: layers.EinsumDense("abc,cde->abde", (None, 4, 20), bias_axes="e"),
        (2, 9, 64),
    ),
    "of a kernel by rows": (
        lambda: layers.EinsumDense("abc,dc->abd", (None, 80), bias_axes="d"),
        (2, 9, 70),
    ),
    "of heads": (
        lambda: layers.EinsumDense("abcd,cde->abe", (None, 80), bias_axes="e"),
        (2, 9, 4, 20),
    ),
}


# In 4 bits a kernel by rows has a scale for each input, which sums of ints do not allow.
BY_ROWS = "of a kernel by rows"
MODES = [("int8", name) for name in LAYERS]
MODES += [("int4/-1", name) for name in LAYERS if name != BY_ROWS]


@pytest.mark.parametrize(("mode", "name"), MODES)
def test_a_quantized_layer_has_the_bits_of_its_plain_form(name, mode):
    make, shape = LAYERS[name]
    layer, x = make(), draw(0, *shape)
    layer.build(shape)
    if layer.bias is not None:
        layer.bias.assign(draw(1, *layer.bias.shape))
    config = nacre.quantizers.Int4QuantizationConfig(block_size=-1) if mode != "int8" else None
    if config is not None:
        config.activation_quantizer = AbsMaxQuantizer()
    layer.quantize(mode.partition("/")[0], config=config)
    with own_program():
        handler = "quantized_table" if name == BY_ROWS else "quantized_dense"
        assert program_of(layer, x).count(handler) == 1
        y = jax.jit(lambda x: layer(x))(x)
    with plain_xla():
        assert "ffi_call" not in program_of(layer, x)
        np.testing.assert_array_equal(y, jax.jit(lambda x: layer(x))(x))


def _rounding_inputs():
    """4 bits by whole columns, with inputs of 8 bits: float16 has no int8 mode."""
    config = nacre.quantizers.Int4QuantizationConfig(block_size=-1)
    config.activation_quantizer = AbsMaxQuantizer()
    return config


@pytest.mark.parametrize(
    ("policy", "mode"),
    [("mixed_bfloat16", "int8"), ("bfloat16", "int8"), ("mixed_float16", "int4")],
)
def test_inputs_of_16_bits_take_the_kernel_with_the_bits_of_the_plain_form(policy, mode):
    layer, x = _dense(70, 80, dtype=policy), draw(0, 6, 70)
    layer.quantize(mode, config=_rounding_inputs() if mode == "int4" else None)
    with own_program():
        assert program_of(layer, x).count("quantized_dense") == 1
        y = jax.jit(lambda x: layer(x))(x)
        moved = jax.jit(jax.grad(lambda x: jnp.sum(layer(x).astype("float32") ** 2)))(x)
    assert y.dtype == layer.compute_dtype
    with plain_xla():
        np.testing.assert_array_equal(y, jax.jit(lambda x: layer(x))(x))
    numbers, scale = layer._adapter.stored[0].numbers()
    inputs = np.asarray(jnp.asarray(x, layer.compute_dtype), "float32")
    bias = np.asarray(layer.bias.value, "float32")
    exact = expected(inputs, np.asarray(numbers), np.asarray(scale, "float32"), bias)
    np.testing.assert_allclose(np.asarray(y, "float32"), exact, rtol=2**-8, atol=1e-3)
    assert np.isfinite(np.asarray(moved)).all() and np.asarray(moved).any()


@pytest.mark.parametrize("place", [own_program, plain_xla])
def test_small_inputs_of_float16_are_not_lost(place):
    # 127 / 0.001 is more than float16 holds: divided by such a scale a product was 0.
    layer, x = layers.Dense(80, dtype="mixed_float16", use_bias=False), draw(0, 6, 70)
    layer.build((None, 70))
    layer.kernel.assign(16 * layer.kernel.numpy())
    layer.quantize("int4", config=_rounding_inputs())
    with place():
        small = jax.jit(lambda x: layer(x))(np.float32(2**-12) * x)
        large = jax.jit(lambda x: layer(x))(x)
    assert np.asarray(large).any()
    expected_ = np.asarray(large, "float32") * 2**-12
    np.testing.assert_allclose(np.asarray(small, "float32"), expected_, rtol=0.02, atol=2e-5)


def test_a_table_of_the_way_back_has_the_bits_of_its_plain_form():
    x = draw(0, 3, 48)
    for tie_weights in (True, False):
        layer = layers.ReversibleEmbedding(200, 48, tie_weights=tie_weights)
        layer.build((None,))
        layer.quantize("int8")
        back = lambda x: layer(x, reverse=True)  # noqa: B023
        handler = "quantized_table" if tie_weights else "quantized_dense"
        with own_program():
            assert program_of(back, x).count(handler) == 1
            y = jax.jit(lambda x: back(x))(x)  # noqa: B023
        with plain_xla():
            np.testing.assert_array_equal(y, jax.jit(lambda x: back(x))(x))  # noqa: B023


def test_gradients_of_inputs_and_bias_are_those_of_the_plain_form():
    layer, x = _dense(70, 80), jnp.asarray(draw(0, 6, 70))
    layer.quantize("int8")
    form, (stored,), bias = layer._adapter.form, layer._adapter.stored, layer.bias.value

    def total(x, bias):
        y = adapters.integer_product(form, AbsMaxQuantizer(), x, *stored.numbers(), bias)
        return jnp.sum(jnp.tanh(y) ** 2)

    def all_of(x, bias):
        moved = jax.jvp(total, (x, bias), (x + 1, bias))[1]
        return jax.grad(total, argnums=(0, 1))(x, bias), moved

    with own_program():
        assert "quantized_dense" in program_of(all_of, x, bias)
        compiled = jax.jit(lambda *a: all_of(*a))(x, bias)
    plain = jax.jit(lambda *a: all_of(*a))(x, bias)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), compiled, plain
    )


def test_several_products_at_once_are_those_of_each():
    x, numbers, scale = draw(0, 3, 7, 70), draw_bytes(1, 3, 70, 65), np.abs(draw(2, 3, 65)) + 1
    run = lambda x, numbers, scale: quantized.quantized_dense(x, numbers, scale, None, ROUNDING)
    together = jax.jit(jax.vmap(run, (0, None, None)))(x, numbers[0], scale[0])
    each = jax.jit(jax.vmap(run))(x, numbers, scale)
    for i in range(3):
        np.testing.assert_array_equal(together[i], expected(x[i], numbers[0], scale[0]))
        np.testing.assert_array_equal(each[i], expected(x[i], numbers[i], scale[i]))


def test_products_of_bytes_are_compiled_in_programs_of_ones_own():
    x, numbers = draw_bytes(0, 2, 3, 70), draw_bytes(1, 70, 80)
    exact = x.astype("int32") @ numbers.astype("int32")
    ways = [
        ops.matmul,
        lambda x, y: ops.einsum("abc,cd->abd", x, y),
        lambda x, y: jax.vmap(lambda x: ops.matmul(x, y))(jnp.reshape(x, (6, 70))).reshape(
            2, 3, 80
        ),
    ]
    for way, is_compiled in zip(ways, (True, True, False), strict=True):
        with own_program():
            assert ("quantized_matmul" in program_of(way, x, numbers)) == is_compiled
            found = jax.jit(lambda *a: way(*a))(x, numbers)  # noqa: B023
        assert found.dtype == jnp.int32
        np.testing.assert_array_equal(found, exact)
        np.testing.assert_array_equal(way(x, numbers), exact)


def test_elsewhere_the_plain_form_runs():
    layer, x = _dense(70, 80), jnp.asarray(draw(0, 6, 70))
    layer.quantize("int8")
    uses = lambda x, layer=layer: "ffi_call" in program_of(layer, x)
    assert not uses(x)  # somebody else's program, which may be exported
    small = _dense(30, 40)
    small.quantize("int8")
    own = _dense(70, 80)
    own.quantize("int8", config=Int8QuantizationConfig(activation_quantizer=Whole()))
    with own_program():
        assert uses(x)
        assert not uses(x[:0])
        assert not uses(x[:, :30], small)
        assert not uses(x, own)
        with plain_xla():
            assert not uses(x)


class Whole(Quantizer):
    """A quantizer of one's own, by one scale for all inputs."""

    def __call__(self, x, axis=None, to_numpy=False):
        return nacre.quantizers.abs_max_quantize(x, None)


def _language_model(config=None):
    nacre.utils.set_random_seed(0)
    inputs = nacre.Input((None,), dtype="int32")
    x = layers.TokenAndPositionEmbedding(50, 32, 64)(inputs)
    x = layers.TransformerDecoder(128, 4, activation="gelu", normalize_first=True)(x)
    model = nacre.Model(inputs, layers.Dense(50)(x))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what keeps its float weights
        model.quantize("int8", config=config)
    return model


def test_a_quantized_language_model_is_called_on_one_step_at_a_time():
    from nacre.models import generation_graph

    model, prompt = _language_model(), np.array([[3, 7, 9]], "int32")
    assert generation_graph.can_cache(model, None)
    quick = nacre.models.generate(model, prompt, max_new_tokens=9)
    slow = nacre.models.generate(model, prompt, max_new_tokens=9, use_cache=False)
    np.testing.assert_array_equal(quick, slow)
    config = Int8QuantizationConfig(activation_quantizer=Whole())
    assert not generation_graph.can_cache(_language_model(config), None)


def test_predictions_follow_the_numbers_that_are_loaded(tmp_path):
    model = nacre.Sequential([nacre.Input((70,)), layers.Dense(80), layers.Dense(60)])
    model.quantize("int8")
    x, path = draw(0, 9, 70), tmp_path / "model.keras"
    first = model.predict(x, verbose=0)
    model.save(path)
    model.set_weights([np.flip(w, 0) for w in model.get_weights()])
    assert not np.array_equal(model.predict(x, verbose=0), first)
    model.load_weights(path)
    np.testing.assert_array_equal(model.predict(x, verbose=0), first)
    np.testing.assert_array_equal(nacre.models.load_model(path).predict(x, verbose=0), first)
    np.testing.assert_array_equal(model.predict(x[:1], verbose=0), first[:1])


THREADS = """
import os, sys
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])
import jax, numpy as np
from nacre.ops.kernels import quantized
draw = lambda *shape: np.random.default_rng(0).integers(-128, 128, shape, dtype="int8")
x, numbers = draw(700, 600), draw(600, 200)
rounding = quantized.Rounding(-127, 127, 1e-7)
scale = np.ones(200, "float32")
run = lambda x, numbers: (
    quantized.int8_matmul(x, numbers),
    quantized.quantized_dense(x.astype("float32"), numbers, scale, None, rounding),
    quantized.quantized_dense(x[:1].astype("float32"), numbers, scale, None, rounding))
for array in jax.tree.leaves(jax.jit(run)(x, numbers)):
    sys.stdout.buffer.write(np.asarray(array).tobytes())
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cannot choose cores here")
def test_a_product_has_the_same_bits_on_any_number_of_cores():
    run = lambda cores: (
        subprocess.run(
            [sys.executable, "-c", THREADS, str(cores)], check=True, capture_output=True
        ).stdout
    )
    assert len(run(1)) > 2**20 and run(1) == run(64)
