"""Quantizers against numbers of real Keras, and on their own."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from nacre import quantizers
from nacre.core.errors import ArgumentError, DTypeError, ShapeError, UnknownNameError
from tests.cases.reading import REFERENCE_FOLDER

REFERENCE = np.load(REFERENCE_FOLDER / "quantization.npz")
X = REFERENCE["functions/x"]


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_abs_max_quantize_gives_keras_numbers(axis: int | None) -> None:
    numbers, scale = quantizers.abs_max_quantize(X, axis=axis)
    assert (np.asarray(numbers) == REFERENCE[f"functions/abs_max_{axis}/values"]).all()
    np.testing.assert_array_equal(scale, REFERENCE[f"functions/abs_max_{axis}/scale"])
    on_host = quantizers.abs_max_quantize(X, axis=axis, to_numpy=True)
    assert (np.asarray(on_host[0]) == np.asarray(numbers)).all()


@pytest.mark.parametrize(("block", "to_numpy"), itertools.product([3, 4, 128], [False, True]))
def test_grouped_quantization_gives_keras_numbers(block: int, to_numpy: bool) -> None:
    found = quantizers.abs_max_quantize_grouped_with_zero_point(X, block, to_numpy=to_numpy)
    for key, value in zip(("values", "scale", "zero"), found, strict=True):
        np.testing.assert_array_equal(
            value, REFERENCE[f"functions/grouped_{block}_{to_numpy}/{key}"]
        )


def test_a_block_that_has_zero_inside_loses_at_most_half_a_step() -> None:
    x = np.random.default_rng(0).uniform(-1, 2, (8, 5)).astype("float32")
    x[::4], x[1::4] = -1, 2
    q, s, z = quantizers.abs_max_quantize_grouped_with_zero_point(x, 4)
    scale, zero = np.repeat(s, 4, 0), np.repeat(np.asarray(z).astype(int), 4, 0)
    again = (np.asarray(q) - zero) * scale
    assert (abs(again - x) <= scale * 1.001).all()
    with pytest.raises(ShapeError, match="inputs must be a matrix.*\\(2, 3, 4\\)"):
        quantizers.abs_max_quantize_grouped_with_zero_point(np.ones((2, 3, 4)), 2)


# Odd and even sizes, and one: each shape is compiled for, so few shapes and many numbers.
PACKED_SHAPES = [(1, 1), (1, 4), (2, 3), (5, 2)]


@given(
    arrays_of.arrays("int8", st.sampled_from(PACKED_SHAPES), elements=st.integers(-8, 7)),
    st.sampled_from([0, 1, -1]),
)
def test_packing_loses_nothing(numbers: np.ndarray, axis: int) -> None:
    packed, shape, size = quantizers.pack_int4(numbers, axis)
    assert packed.shape == shape and packed.dtype == "int8" and size == numbers.shape[axis]
    assert shape[axis] == (size + 1) // 2
    assert (np.asarray(quantizers.unpack_int4(packed, size, axis)) == numbers).all()
    unsigned = (numbers + 8).astype("uint8")
    packed, _, size = quantizers.pack_int4(unsigned, axis, "uint8")
    assert (np.asarray(quantizers.unpack_int4(packed, size, axis, "uint8")) == unsigned).all()


def test_packing_refuses_other_dtypes() -> None:
    with pytest.raises(DTypeError, match="arr must be int8. Got float32"):
        quantizers.pack_int4(np.ones((2, 2), "float32"))
    with pytest.raises(ArgumentError, match="dtype must be 'int8' or 'uint8'. Got 'int16'"):
        quantizers.pack_int4(np.ones((2, 2), "int8"), dtype="int16")
    with pytest.raises(DTypeError, match="packed must be int8 or uint8. Got int32"):
        quantizers.unpack_int4(np.ones((2, 2), "int32"), 4)


@pytest.mark.parametrize("ends", [(-1, 1.5, 8, False), (-1, 1.5, 4, True), (0.5, 2, 8, False)])
def test_fake_quantization_gives_keras_numbers(ends: tuple[float, float, int, bool]) -> None:
    low, high, bits, narrow = ends
    got = quantizers.fake_quant_with_min_max_vars(X, low, high, bits, narrow)
    expected = REFERENCE[f"functions/fake_{low}_{high}_{bits}_{narrow}"]
    np.testing.assert_allclose(got, expected, atol=3e-7)


def test_fake_quantization_by_channel_and_its_gradients() -> None:
    low, high = REFERENCE["functions/low"], REFERENCE["functions/high"]
    got = quantizers.fake_quant_with_min_max_vars(X, low, high, axis=-1)
    np.testing.assert_allclose(got, REFERENCE["functions/fake_channel"], atol=3e-7)
    x, weights = jnp.array([[-2.0, 0.1, 3.0]]), jnp.array([[1.0, 10.0, 100.0]])
    total = lambda *given: jnp.sum(weights * quantizers.fake_quant_with_min_max_vars(*given))
    dx, dlow, dhigh = jax.grad(total, argnums=(0, 1, 2))(x, -1.0, 1.0)
    assert dx.tolist() == [[0.0, 10.0, 0.0]] and (float(dlow), float(dhigh)) == (1.0, 100.0)
    forwards = jax.jacfwd(total, argnums=(0, 1, 2))(x, -1.0, 1.0)
    assert [value.tolist() for value in forwards] == [[[0.0, 10.0, 0.0]], 1.0, 100.0]


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
def test_8_bit_floats_there_and_back(dtype: str) -> None:
    got = quantizers.quantize_and_dequantize(100 * X, np.float32(0.3), dtype, "float32")
    np.testing.assert_array_equal(got, REFERENCE[f"functions/there_and_back_{dtype}"])


def test_float8_scales_follow_the_history() -> None:
    assert float(quantizers.compute_float8_scale(896.0, 1.0, 448.0)) == 2.0
    assert float(quantizers.compute_float8_scale(896.0, 1.0, 448.0, margin=2)) == 8.0
    for useless in (0.0, np.inf, np.nan):
        assert float(quantizers.compute_float8_scale(useless, 7.0, 448.0)) == 7.0
    history = quantizers.compute_float8_amax_history(jnp.array([-5.0]), jnp.array([1.0, 2.0, 3.0]))
    assert history.tolist() == [5.0, 3.0, 1.0]


# ---------------------------------------------------------------- objects


def test_quantizers_and_settings_survive_their_configs() -> None:
    quantizer = quantizers.AbsMaxQuantizer(axis=0, value_range=(-7, 7))
    data = quantizers.serialize(quantizer)
    assert data["module"] == "keras.quantizers" and data["config"]["axis"] == [0]
    assert quantizers.deserialize(data).get_config() == quantizer.get_config()
    assert "axis" not in quantizers.AbsMaxQuantizer().get_config()
    for given_settings in (
        quantizers.Int8QuantizationConfig(quantizer, None),
        quantizers.Int4QuantizationConfig(block_size=64),
        quantizers.Float8QuantizationConfig(),
        quantizers.GPTQConfig(None, None, weight_bits=8),
        quantizers.AWQConfig(None, None, group_size=-1),
    ):
        twin = quantizers.deserialize(quantizers.serialize(given_settings))
        assert type(twin) is type(given_settings) and twin.mode == given_settings.mode
        assert quantizers.serialize(twin) == quantizers.serialize(given_settings)


def test_get_takes_names_configs_classes_and_objects() -> None:
    quantizer = quantizers.AbsMaxQuantizer(axis=1)
    assert quantizers.get(quantizer) is quantizer and quantizers.get(None) is None
    assert quantizers.get("abs_max_quantizer", axis=0).axis == (0,)
    assert quantizers.get(quantizers.AbsMaxQuantizer).axis is None
    assert quantizers.get({"class_name": "AbsMaxQuantizer", "config": {"axis": 0}}).axis == (0,)
    with pytest.raises(
        UnknownNameError, match="Got 'abs_max_quantiser'. Did you mean 'abs_max_quantizer'"
    ):
        quantizers.get("abs_max_quantiser")


def test_settings_refuse_what_cannot_be() -> None:
    with pytest.raises(ArgumentError, match="block_size must be a positive int, -1 or None. Got 0"):
        quantizers.Int4QuantizationConfig(block_size=0)
    with pytest.raises(ArgumentError, match="quantizers are fixed.*Pass block_size=-1"):
        quantizers.Int4QuantizationConfig(weight_quantizer=quantizers.AbsMaxQuantizer(axis=0))
    with pytest.raises(ArgumentError, match="must give int8 numbers.*'uint8'"):
        quantizers.Int8QuantizationConfig(quantizers.AbsMaxQuantizer(axis=0, output_dtype="uint8"))
    with pytest.raises(ArgumentError, match="weight_bits must be among 4. Got 3"):
        quantizers.AWQConfig(None, None, weight_bits=3)
    with pytest.raises(ArgumentError, match="hessian_damping must be in"):
        quantizers.GPTQConfig(None, None, hessian_damping=2.0)
    with pytest.raises(ArgumentError, match="num_samples must be a positive int. Got 'all'"):
        quantizers.GPTQConfig(None, None, num_samples="all")
    with pytest.raises(ArgumentError, match="Use Int8QuantizationConfig"):
        quantizers.QuantizationConfig().mode  # noqa: B018
