"""Layers of 4 bits in blocks: few rows by the compiled kernel, as by the float weight."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.ops.kernels.native import library
from nacre.ops.kernels.placement import own_program, plain_xla
from tests import native


@pytest.fixture(autouse=True)
def _kernel() -> None:
    native.need(library.NIBBLES)


def draw(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def dense(features: int, units: int, block: int = 128) -> Any:
    nacre.utils.set_random_seed(1)
    layer = layers.Dense(units, bias_initializer="uniform")
    layer.build((None, features))
    layer.quantize(config=nacre.quantizers.Int4QuantizationConfig(block_size=block))
    return layer


def both(function: Any, *arrays: Any) -> tuple[Any, Any]:
    """By the kernel, and by plain XLA."""
    with own_program():
        assert "nacre_nibbles" in str(jax.make_jaxpr(lambda *a: function(*a))(*arrays))
        found = jax.jit(lambda *a: function(*a))(*arrays)
    with plain_xla():
        return found, jax.jit(lambda *a: function(*a))(*arrays)


def assert_close(found: Any, expected: Any) -> None:
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=3e-6 * float(np.abs(b).max()))


@pytest.mark.parametrize(
    ("rows", "features", "units", "block"),
    # One row and several, blocks that end within the depth, columns beyond whole vectors, odd ones.
    [
        (1, 64, 128, 128),
        (2, 130, 64, 32),
        (5, 300, 65, 128),
        (8, 97, 130, 7),
        (64, 70, 129, 128),
        (3, 2050, 5, 64),
    ],
)
def test_few_rows_are_as_by_the_float_weight(
    rows: int, features: int, units: int, block: int
) -> None:
    layer = dense(features, units, block)
    assert_close(*both(layer.call, draw(0, rows, features)))


def test_axes_of_an_equation_are_joined() -> None:
    layer = layers.EinsumDense("abcd,cdef->abef", output_shape=(None, 6, 16), bias_axes="ef")
    layer.build((None, 3, 8, 16))
    layer.quantize("int4")
    assert_close(*both(layer.call, draw(0, 2, 3, 8, 16)))


def test_derivatives_and_maps_are_those_of_the_plain_form() -> None:
    layer = dense(130, 66)
    x = draw(0, 4, 130)
    assert_close(*both(jax.grad(lambda x: jnp.sum(jnp.tanh(layer.call(x)) ** 2)), x))
    assert_close(*both(lambda x: jax.jvp(layer.call, (x,), (x,)), x))
    assert_close(*both(jax.vmap(lambda row: layer.call(row[None])), x))


def test_what_is_no_number_stays_in_its_row() -> None:
    x = draw(0, 6, 130)
    x[2, 5], x[4, 129] = np.nan, np.inf
    found, expected = both(dense(130, 66).call, x)
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
    assert not np.isfinite(np.asarray(found)[[2, 4]]).any()
    assert np.isfinite(np.asarray(found)[[0, 1, 3, 5]]).all()


def test_programs_of_others_and_many_rows_are_left_to_xla() -> None:
    layer = dense(130, 66)
    assert "nacre_nibbles" not in str(jax.make_jaxpr(layer.call)(draw(0, 4, 130)))
    with own_program():
        assert "nacre_nibbles" not in str(jax.make_jaxpr(layer.call)(draw(0, 65, 130)))


def test_a_model_that_is_loaded_and_one_whose_weights_are_set_compute_anew(tmp_path: Any) -> None:
    model = nacre.Sequential([nacre.Input((130,)), layers.Dense(66), layers.Dense(130)])
    model.quantize("int4")
    x = draw(0, 4, 130)
    before = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = nacre.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), before)
    (scale,) = (w for w in model.layers[0].weights if w.name == "kernel_scale")
    scale.assign(scale * 2)
    bias = model.layers[0].bias
    changed = model.predict(x, verbose=0)
    assert bias is not None and np.abs(changed - before).max() > 0.1
    model.layers[0].enable_lora(2)
    model.compile("sgd", "mse")
    model.fit(x, draw(1, 4, 130), epochs=2, verbose=0)
    assert np.abs(model.predict(x, verbose=0) - changed).max() > 0


def weights_of_bytes(features: int, units: int) -> Any:
    nacre.utils.set_random_seed(1)
    layer = layers.Dense(units, bias_initializer="uniform")
    layer.build((None, features))
    config = nacre.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    layer.quantize("int8", config=config)
    return layer


@pytest.mark.parametrize(
    ("rows", "features", "units"),
    [(1, 64, 128), (2, 130, 64), (5, 300, 65), (8, 97, 130), (64, 70, 129), (3, 2050, 5)],
)
def test_few_rows_by_bytes_are_as_by_the_float_weight(rows: int, features: int, units: int) -> None:
    layer, x = weights_of_bytes(features, units), draw(0, rows, features)
    assert_close(*both(layer.call, x))
    assert_close(*both(jax.grad(lambda x: jnp.sum(jnp.tanh(layer.call(x)) ** 2)), x))
    assert_close(*both(jax.vmap(lambda row: layer.call(row[None])), x))


def test_axes_of_an_equation_are_joined_by_bytes_too() -> None:
    # The scale stands beside the outputs, in their order.
    for equation, shape in (("abcd,cdef->abef", (None, 6, 16)), ("abcd,cdef->abfe", (None, 16, 6))):
        layer = layers.EinsumDense(equation, output_shape=shape, bias_axes="ef")
        layer.build((None, 3, 8, 16))
        config = nacre.quantizers.Int8QuantizationConfig(activation_quantizer=None)
        layer.quantize("int8", config=config)
        x = draw(0, 2, 3, 8, 16)
        with own_program():
            found = jax.jit(lambda x: layer(x))(x)  # noqa: B023
        with plain_xla():
            assert_close(found, jax.jit(lambda x: layer(x))(x))  # noqa: B023


@pytest.mark.parametrize(
    ("mode", "policy"), [("int8", "mixed_bfloat16"), ("int4", "mixed_float16")]
)
def test_inputs_of_16_bits_take_the_kernel_and_keep_their_dtype(mode: str, policy: str) -> None:
    nacre.utils.set_random_seed(1)
    layer, x = layers.Dense(66, dtype=policy), draw(0, 4, 130)
    layer.build((None, 130))
    of_bytes = nacre.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    layer.quantize(mode, config=of_bytes if mode == "int8" else None)
    with own_program():
        assert "nacre_nibbles" in str(jax.make_jaxpr(lambda x: layer(x))(x))
        found = jax.jit(lambda x: layer(x))(x)
    with plain_xla():
        plain = jax.jit(lambda x: layer(x))(x)
    assert found.dtype == plain.dtype == layer.compute_dtype
    found, plain = np.asarray(found, "float32"), np.asarray(plain, "float32")
    np.testing.assert_allclose(found, plain, rtol=2**-6, atol=2**-7 * np.abs(plain).max())
