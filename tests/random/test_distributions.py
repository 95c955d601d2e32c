"""Draws repeat with a seed, differ without, and have the moments they should."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from nacre import ops, random
from nacre.core.errors import DTypeError
from nacre.core.symbolic import KerasTensor
from nacre.layers import Lambda

N = (20_000,)
# draw, mean, standard deviation
_DRAWS = {
    "normal": (lambda s: random.normal(N, 1.0, 2.0, seed=s), 1.0, 2.0),
    "truncated_normal": (lambda s: random.truncated_normal(N, seed=s), 0.0, 0.8796),
    "uniform": (lambda s: random.uniform(N, -1.0, 3.0, seed=s), 1.0, 4 / 12**0.5),
    "randint": (lambda s: random.randint(N, 0, 10, seed=s), 4.5, 8.25**0.5),
    "gamma": (lambda s: random.gamma(N, 3.0, seed=s), 3.0, 3**0.5),
    "beta": (lambda s: random.beta(N, 2.0, 3.0, seed=s), 0.4, 0.2),
    "binomial": (lambda s: random.binomial(N, 10.0, 0.3, seed=s), 3.0, 2.1**0.5),
}


@pytest.mark.parametrize("name", _DRAWS)
def test_moments_and_repetition(name: str) -> None:
    draw, mean, deviation = _DRAWS[name]
    one = np.asarray(draw(1), "float64")
    assert one.mean() == pytest.approx(mean, abs=5 * deviation / N[0] ** 0.5)
    assert one.std() == pytest.approx(deviation, rel=0.05)
    np.testing.assert_array_equal(one, draw(1))
    assert (one != np.asarray(draw(2))).any()


def test_a_generator_goes_on_and_none_is_the_global_one() -> None:
    generator = random.SeedGenerator(3)
    first, second = (random.normal((4,), seed=generator) for _ in range(2))
    assert (first != second).any()
    assert (random.normal((4,)) != random.normal((4,))).any()


def test_categorical_follows_the_logits() -> None:
    logits = np.log([[0.1, 0.2, 0.7]]).astype("float32")
    draws = random.categorical(logits, 20_000, seed=0)
    assert draws.shape == (1, 20_000)
    assert draws.dtype == "int32"
    np.testing.assert_allclose(np.bincount(draws[0]) / 20_000, [0.1, 0.2, 0.7], atol=0.02)


def test_shuffle_keeps_the_rows() -> None:
    x = np.arange(12).reshape(6, 2)
    shuffled = np.asarray(random.shuffle(x, seed=0))
    assert sorted(map(tuple, shuffled)) == sorted(map(tuple, x))
    assert (shuffled != x).any()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean(rate: float) -> None:
    y = np.asarray(random.dropout(np.ones((200, 200), "float32"), rate, seed=1))
    assert (y == 0).mean() == pytest.approx(rate, abs=0.02)
    np.testing.assert_allclose(y[y > 0], 1 / (1 - rate), rtol=1e-6)


def test_dropout_edges() -> None:
    x = np.ones((4, 3), "float32")
    np.testing.assert_array_equal(random.dropout(x, 0.0), x)
    same = np.asarray(random.dropout(x, 0.5, noise_shape=(None, 1), seed=0))
    assert (same == same[:, :1]).all()
    assert random.dropout(KerasTensor((None, 3)), 0.5).shape == (None, 3)
    assert jax.grad(lambda v: random.dropout(v, 0.5, seed=0).sum())(x).max() == 2.0


def test_a_shape_is_one_size_or_several() -> None:
    assert random.normal(3, seed=1).shape == (3,)
    assert random.randint(np.array([2, 1]), 0, 5, None, seed=1).shape == (2, 1)
    for shape in ((None, 2), (-1, 2), "ab", 1.5):
        with pytest.raises(ValueError, match=r"uniform: shape must be whole numbers .*ops\.shape"):
            random.uniform(shape)
    noisy = Lambda(lambda x: x + random.normal(ops.shape(x), seed=1))
    assert noisy(KerasTensor((None, 3))).shape == (None, 3)


@pytest.mark.parametrize("seed", ["abc", 1.5, [1, 2]])
def test_a_seed_is_an_int_or_a_generator(seed: object) -> None:
    with pytest.raises(ValueError, match=r"seed: it must be None, an int, a SeedGenerator"):
        random.normal((2,), seed=seed)
    assert random.normal((2,), seed=np.int32(3))[0] == random.normal((2,), seed=3)[0]


def test_dtypes() -> None:
    assert random.normal((2,), dtype="bfloat16").dtype == "bfloat16"
    with pytest.raises(ValueError, match="Use randint"):
        random.uniform((2,), dtype="int32")
    with pytest.raises(ValueError, match="Use uniform"):
        random.randint((2,), 0, 3, dtype="float32")
    with pytest.raises(ValueError, match="randint: dtype must be an integer"):
        random.randint((2,), 0, 3, dtype="bool")
    for draw in (random.normal, random.truncated_normal):
        with pytest.raises(ValueError, match=r"normal: dtype must be a float\. Got 'int32'"):
            draw((2,), dtype="int32")


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_limits_of_whole_numbers_that_the_device_has_no_bits_for_are_refused(dtype: str) -> None:
    for limits in ((0, 2**40), (np.int64(2**33), 2**40)):
        with pytest.raises(DTypeError, match="randint, m..val.*int32"):
            random.randint((2,), *limits, dtype=dtype)
    assert int(random.randint((50,), 0, 200, dtype=dtype, seed=1).max()) > 127
