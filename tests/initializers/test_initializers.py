"""Initializers: seeds, dtypes, fans, and the numbers real Keras gives."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import nacre
from nacre import initializers
from nacre.core.errors import ArgumentError, ShapeError, UnknownNameError
from nacre.core.random import SeedGenerator, set_random_seed
from nacre.core.registry import register_keras_serializable
from nacre.core.variable import Variable
from tests.cases import Spec, build, load_facts, load_reference
from tests.cases.functions import INITIALIZER_CASES

EXACT = [case for case in INITIALIZER_CASES if case.is_exact]
RANDOM = [case for case in INITIALIZER_CASES if not case.is_exact]
FACTS = load_facts("functions")


def made(case, **changes):
    kwargs = {**case.kwargs, **changes}
    return build(Spec(case.initializer, kwargs, namespace="initializers"), nacre)


@pytest.mark.parametrize("case", EXACT, ids=lambda case: case.id)
def test_exact_values_are_keras_values(case):
    expected = load_reference("functions")[f"initializer_{case.id}"]["output"]
    # 3e-6: Keras takes sines in float32, we in float64.
    np.testing.assert_allclose(made(case)(case.shape), expected, atol=3e-6)


@pytest.mark.parametrize("case", RANDOM, ids=lambda case: case.id)
def test_statistics_are_keras_statistics(case):
    expected = FACTS[f"initializer_{case.id}"]["statistics"]
    draws = np.stack([made(case, seed=seed)(case.shape) for seed in range(8)])
    # Standard errors of n independent draws: std/√n for the mean, std/√(2n) for the deviation.
    error = expected["std"] / np.sqrt(draws.size)
    assert abs(draws.mean() - expected["mean"]) < 6 * error
    assert abs(draws.std() - expected["std"]) < 6 * error
    if "uniform" in case.id or "_truncated" in case.id or case.id.startswith("truncated"):
        assert draws.max() <= expected["max"] * 1.01


@pytest.mark.parametrize("case", INITIALIZER_CASES, ids=lambda case: case.id)
def test_config_is_keras_config(case):
    expected = FACTS.get(f"initializer_{case.id}", {}).get("config")
    config = initializers.serialize(made(case))
    if (
        expected is not None and case.kwargs.get("gain", 1.0) == 1.0
    ):  # Keras forgets Identity's gain
        assert config == expected
    again = initializers.deserialize(config)
    if case.kwargs.get("seed") is not None or case.is_exact:
        np.testing.assert_array_equal(again(case.shape), made(case)(case.shape))


def test_int_seed_repeats_and_none_does_not():
    fixed, fresh = initializers.GlorotUniform(seed=3), initializers.GlorotUniform()
    np.testing.assert_array_equal(fixed((4, 5)), fixed((4, 5)))
    assert not np.array_equal(fresh((4, 5)), fresh((4, 5)))


def test_global_seed_fixes_unseeded_draws():
    set_random_seed(11)
    first = initializers.HeNormal()((4, 5))
    set_random_seed(11)
    np.testing.assert_array_equal(first, initializers.HeNormal()((4, 5)))


def test_philox_numbers_stay_what_they_are():
    # Written down once: the same seed must give the same weights on every machine and version.
    numbers = initializers.RandomUniform(0.0, 1.0, seed=1337)((3,))
    np.testing.assert_array_equal(numbers, np.random.Generator(np.random.Philox(1337)).random(3, "float32"))  # fmt: skip


def test_seed_generator_moves_on():
    initializer = initializers.RandomNormal(seed=SeedGenerator(5))
    first, second = initializer((3,)), initializer((3,))
    assert not np.array_equal(first, second)
    again = initializers.RandomNormal(seed=SeedGenerator(5))
    np.testing.assert_array_equal(first, again((3,)))
    assert initializers.deserialize(initializers.serialize(again)).seed is not None


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize("name", ["zeros", "ones", "glorot_uniform", "orthogonal", "identity"])
def test_dtype_is_the_one_asked_for(name, dtype):
    value = initializers.get(name)((4, 4), dtype=dtype)
    assert isinstance(value, np.ndarray)
    assert value.dtype == (ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype))


def test_orthogonal_of_wide_and_tall_shapes():
    for shape in ((3, 8), (8, 3), (2, 3, 4)):
        matrix = initializers.Orthogonal(gain=2.0, seed=0)(shape).reshape(-1, shape[-1])
        small = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
        np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-5)


def test_input_and_output_axes_count_together_only():
    assert initializers.compute_fans((16, 4, 8), (0,), (1, 2)) == (16.0, 32.0)
    assert initializers.compute_fans((16, 4, 8), (0,)) == initializers.compute_fans((16, 4, 8))


def test_get_accepts_what_keras_accepts():
    assert initializers.get(None) is None
    assert isinstance(initializers.get(initializers.Zeros), initializers.Zeros)
    assert initializers.get({"class_name": "Constant", "config": {"value": 3}}).value == 3
    np.testing.assert_array_equal(initializers.get(np.ones((2, 2)))((2, 2)), np.ones((2, 2)))

    def tens(shape, dtype=None):
        return np.full(shape, 10.0)

    assert initializers.get(tens) is tens
    variable = Variable(initializers.get("he_normal"), shape=(2, 3))
    assert variable.numpy().shape == (2, 3)


def test_old_spellings():
    for old, name in (("zero", "Zeros"), ("normal", "RandomNormal"), ("uniform", "RandomUniform")):
        assert type(initializers.get(old)).__name__ == name


def test_registered_names_come_first():
    @register_keras_serializable("test_initializers")
    class Sevens(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return np.full(shape, 7.0, "float32")

    config = initializers.serialize(Sevens())
    assert initializers.deserialize(config)((1,))[0] == 7.0
    assert initializers.get("test_initializers>Sevens")((1,))[0] == 7.0


def test_unknown_name_says_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'glorot_uniform'"):
        initializers.get("glorot_unifrom")


def test_errors_name_rule_and_fix():
    with pytest.raises(ShapeError, match="two axes"):
        initializers.Orthogonal()((3,))
    with pytest.raises(ShapeError, match="two axes"):
        initializers.Identity()((3, 3, 3))
    with pytest.raises(ArgumentError, match="scale must be positive"):
        initializers.VarianceScaling(scale=0.0)
    with pytest.raises(ArgumentError, match="seed must be an int"):
        initializers.GlorotUniform(seed="seven")
    with pytest.raises(ArgumentError, match="variable's shape"):
        initializers.get(np.ones((2, 2)))((3, 2))


@pytest.mark.parametrize("wrong", [(None, 2), (-1,), ("a",), (2.0, 3), None])
def test_a_shape_that_is_none_is_refused(wrong):
    for initializer in (initializers.Zeros(), initializers.HeNormal(seed=1)):
        with pytest.raises(ShapeError, match="tuple of whole numbers"):
            initializer(wrong)


def test_a_number_is_a_shape_of_one_axis():
    assert initializers.Zeros()(3).shape == initializers.GlorotUniform()(np.int64(3)).shape == (3,)


def test_random_fractions_are_not_cut_to_whole_numbers():
    for name in ("he_normal", "glorot_uniform", "random_normal", "truncated_normal", "orthogonal"):
        with pytest.raises(TypeError, match="need a float dtype"):
            initializers.get(name)((2, 2), dtype="int32")
    assert initializers.RandomUniform(0, 5, seed=1)((4,), dtype="int32").dtype == "int32"


def test_a_constant_must_fit_its_shape():
    for value in ([1, 2, 3], "a"):
        with pytest.raises(ShapeError, match="must be a number, or numbers that broadcast"):
            initializers.Constant(value)((2,))
