"""`tf.random`: draws from nacre's generators, with TensorFlow's arguments.

Numbers are not TensorFlow's. What is kept is when they repeat: `tf.random.set_seed` begins all
anew, and a seed of an op's own gives one sequence, a further part of it at each call.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre import random
from nacre.core.errors import ArgumentError, message
from nacre.core.random import SeedGenerator, global_generator, set_own_seed, user_seed
from nacre.data.dataset.elements import sealed
from nacre.tf.dtypes import as_dtype
from nacre.tf.sizes import plain, sizes_of
from nacre.tf.values import tensor

_of_ops: dict[tuple[int | None, int], SeedGenerator] = {}


def set_seed(seed: Any) -> None:
    """Begin the random numbers of nacre anew; Python's and NumPy's go on."""
    _of_ops.clear()
    set_own_seed(int(plain(seed)) % 2**32)


def op_seed(seed: Any) -> Any:
    """What draws with a seed of their own use: a generator each, for as long as the global seed."""
    if seed is None or isinstance(seed, SeedGenerator):
        return seed
    key = (user_seed(), int(plain(seed)) % 2**32)
    if key not in _of_ops:
        _of_ops[key] = SeedGenerator(key[1] if key[0] is None else (key[0] * 31 + key[1]) % 2**32)
    return _of_ops[key]


class Stateless:
    """A seed of two numbers in the place of one: what is drawn is always the same.

    Args:
        seed: The two numbers.
    """

    def __init__(self, seed: Any) -> None:
        self.seed = seed


def drawn(shape: Any, seed: Any, low: float = 0.0, high: float = 1.0) -> Any:
    """Numbers from an interval, by a seed of either kind."""
    if isinstance(seed, Stateless):
        return stateless_uniform(shape, seed.seed, low, high, "float32")
    return random.uniform(shape, low, high, seed=op_seed(seed))


def normal(shape: Any, mean: Any, stddev: Any, dtype: Any, seed: Any) -> Any:
    """Draws from the normal distribution."""
    kind = as_dtype(dtype).name
    drawn = random.normal(sizes_of(shape), dtype=kind, seed=op_seed(seed))
    return _moved(drawn, stddev, mean)


def truncated_normal(shape: Any, mean: Any, stddev: Any, dtype: Any, seed: Any) -> Any:
    """The same, without what is more than two deviations away."""
    kind = as_dtype(dtype).name
    drawn = random.truncated_normal(sizes_of(shape), dtype=kind, seed=op_seed(seed))
    return _moved(drawn, stddev, mean)


def _moved(drawn: Any, factor: Any, offset: Any) -> Any:
    return drawn * jnp.asarray(factor, drawn.dtype) + jnp.asarray(offset, drawn.dtype)


def uniform(shape: Any, low: Any, high: Any, dtype: Any, seed: Any) -> Any:
    """Draws from an interval, its end left out; whole numbers for dtypes of these."""
    kind = as_dtype(dtype)
    if kind.is_integer:
        if high is None:
            rule = "maxval must be told for whole numbers"
            raise ArgumentError(message("tf.random.uniform", rule, "None"))
        return random.randint(sizes_of(shape), plain(low), plain(high), kind.name, op_seed(seed))
    drawn = random.uniform(sizes_of(shape), dtype=kind.name, seed=op_seed(seed))
    return _between(drawn, low, high)


def _between(drawn: Any, low: Any, high: Any) -> Any:
    low, high = (jnp.asarray(v, drawn.dtype) for v in (low, 1 if high is None else high))
    return drawn * (high - low) + low


def gamma(shape: Any, alpha: Any, beta: Any, dtype: Any, seed: Any) -> Any:
    """Draws from gamma distributions, of `shape` for each pair of parameters."""
    kind = as_dtype(dtype).name
    alpha = jnp.asarray(tensor(alpha), kind)
    beta = jnp.asarray(1 if beta is None else tensor(beta), kind)
    alpha, beta = jnp.broadcast_arrays(alpha, beta)
    drawn = random.gamma((*sizes_of(shape), *alpha.shape), alpha, kind, op_seed(seed))
    return drawn / beta


def dropout(x: Any, rate: Any, noise_shape: Any, seed: Any) -> Any:
    """Zeros in random places; what stays is scaled, so that the mean is kept."""
    shape = None if noise_shape is None else sizes_of(noise_shape)
    return random.dropout(x, rate, shape, op_seed(seed))


def poisson(shape: Any, rate: Any, dtype: Any, seed: Any) -> Any:
    """Draws from Poisson distributions, of `shape` for each rate."""
    return _poisson(_next_key(seed), shape, rate, dtype)


def _poisson(key: Any, shape: Any, rate: Any, dtype: Any) -> Any:
    rate = jnp.asarray(tensor(rate), jnp.float32)
    drawn = jax.random.poisson(key, rate, (*sizes_of(shape), *rate.shape))
    return drawn.astype(as_dtype(dtype)._dtype)


def _next_key(seed: Any) -> Any:
    generator = op_seed(seed)
    data = (global_generator() if generator is None else generator).next()
    return jax.random.wrap_key_data(jnp.asarray(data))


# --- without a state ------------------------------------------------------------------------------


def _key(seed: Any) -> Any:
    first, second = jnp.asarray(seed).reshape(2)
    return jax.random.fold_in(jax.random.key(first), second)


def stateless_normal(shape: Any, seed: Any, mean: Any, stddev: Any, dtype: Any) -> Any:
    """The same draws for the same two numbers of `seed`."""
    return _moved(
        jax.random.normal(_key(seed), sizes_of(shape), as_dtype(dtype).name), stddev, mean
    )


def stateless_truncated_normal(shape: Any, seed: Any, mean: Any, stddev: Any, dtype: Any) -> Any:
    """The same of the truncated normal distribution."""
    kind = as_dtype(dtype).name
    drawn = jax.random.truncated_normal(_key(seed), -2.0, 2.0, sizes_of(shape), kind)
    return _moved(drawn, stddev, mean)


def stateless_uniform(shape: Any, seed: Any, low: Any, high: Any, dtype: Any) -> Any:
    """The same from an interval, or whole numbers."""
    kind = as_dtype(dtype)
    if kind.is_integer:
        limits = np.iinfo(np.int32)
        low, high = (limits.min, limits.max) if high is None else (low, high)
        return jax.random.randint(_key(seed), sizes_of(shape), low, high, kind.name)
    return _between(jax.random.uniform(_key(seed), sizes_of(shape), kind.name), low, high)


def stateless_poisson(shape: Any, seed: Any, rate: Any, dtype: Any) -> Any:
    """The same of Poisson distributions; `shape` is that of all draws."""
    rate = jnp.asarray(tensor(rate), jnp.float32)
    drawn = jax.random.poisson(_key(seed), rate, sizes_of(shape))
    return drawn.astype(as_dtype(dtype)._dtype)


def stateless_gamma(shape: Any, seed: Any, alpha: Any, beta: Any, dtype: Any) -> Any:
    """The same of gamma distributions; `shape` is that of all draws."""
    kind = as_dtype(dtype).name
    drawn = jax.random.gamma(
        _key(seed), jnp.asarray(tensor(alpha), kind), sizes_of(shape), jnp.dtype(kind)
    )
    return drawn if beta is None else drawn / jnp.asarray(tensor(beta), kind)


def stateless_binomial(shape: Any, seed: Any, counts: Any, probs: Any, dtype: Any) -> Any:
    """The same of binomial distributions; `shape` is that of all draws."""
    counts, probs = (jnp.asarray(tensor(v), jnp.float32) for v in (counts, probs))
    drawn = jax.random.binomial(_key(seed), counts, probs, sizes_of(shape))
    return drawn.astype(as_dtype(dtype)._dtype)


def stateless_categorical(logits: Any, count: Any, seed: Any, dtype: Any) -> Any:
    """The same of classes, `count` for each row of logits."""
    shape = (plain(count), logits.shape[0])
    drawn = jax.random.categorical(_key(seed), jnp.asarray(logits), shape=shape)
    return drawn.T.astype(as_dtype(dtype)._dtype)


def shuffled(value: Any, seed: Any) -> Any:
    """The rows in an order that is drawn; strings stay on the host."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        order = np.asarray(random.shuffle(jnp.arange(len(value)), seed=seed))
        return sealed(value.view(np.ndarray)[order])
    return random.shuffle(value, seed=seed)


def stateless_shuffle(value: Any, seed: Any) -> Any:
    """The rows in an order that two numbers tell."""
    order = jax.random.permutation(_key(seed), value.shape[0])
    if isinstance(value, np.ndarray) and not isinstance(order, jax.core.Tracer):
        return sealed(value.view(np.ndarray)[np.asarray(order)])
    return jnp.asarray(value)[order]


def split_seed(seed: Any, count: Any) -> Any:
    """So many seeds of two numbers, made of one."""
    return jax.random.key_data(jax.random.split(_key(seed), plain(count))).astype("int32")


def fold_in(seed: Any, data: Any) -> Any:
    """A seed of two numbers, made of one and a number."""
    key = jax.random.fold_in(_key(seed), jnp.asarray(data))
    return jax.random.key_data(key).astype("int32")


def make_seed(seed: Any, alg: Any = "auto_select") -> Any:
    """A number as a seed of two.

    Args:
        seed: The number.
        alg: Accepted for compatibility.
    """
    number = int(plain(seed))
    return tensor([number, 0], "int64")


# --- with a state of one's own --------------------------------------------------------------------


class Generator:
    """`tf.random.Generator`: draws one after another from a state of its own.

    Args:
        seed: Where it begins; by default anywhere.
    """

    def __init__(self, seed: Any = None) -> None:
        self._seed = SeedGenerator(None if seed is None else int(plain(seed)) % 2**32)

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """One that begins at a seed."""
        return cls(seed)

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """One that begins anywhere."""
        return cls()

    def normal(
        self,
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = "float32",
        name: Any = None,
    ) -> Any:
        """Draws from the normal distribution."""
        return normal(shape, mean, stddev, dtype, self._seed)

    def truncated_normal(
        self,
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = "float32",
        name: Any = None,
    ) -> Any:
        """The same, without what is more than two deviations away."""
        return truncated_normal(shape, mean, stddev, dtype, self._seed)

    def uniform(
        self,
        shape: Any,
        minval: Any = 0,
        maxval: Any = None,
        dtype: Any = "float32",
        name: Any = None,
    ) -> Any:
        """Draws from an interval, or whole numbers."""
        return uniform(shape, minval, maxval, dtype, self._seed)

    def binomial(
        self, shape: Any, counts: Any, probs: Any, dtype: Any = "int32", name: Any = None
    ) -> Any:
        """Draws from binomial distributions."""
        return stateless_binomial(shape, self._pair(), counts, probs, dtype)

    def uniform_full_int(self, shape: Any, dtype: Any = "uint64", name: Any = None) -> Any:
        """Whole numbers, all of a dtype alike: of 32 bits."""
        key = jax.random.wrap_key_data(jnp.asarray(self._seed.next()))
        kind = as_dtype(dtype)._dtype
        return jax.random.bits(key, sizes_of(shape), jnp.uint32).astype(kind)

    def make_seeds(self, count: Any = 1) -> Any:
        """Seeds of two numbers for stateless draws: shape (2, count)."""
        pairs = [np.asarray(self._pair()) for _ in range(plain(count))]
        return jnp.stack([jnp.asarray(pair) for pair in pairs], 1)

    def split(self, count: Any = 1) -> list[Generator]:
        """Generators of their own, begun from this one."""
        return [Generator(int(np.asarray(self._pair())[0]) % 2**31) for _ in range(plain(count))]

    def reset_from_seed(self, seed: Any) -> None:
        """Begin anew at a seed."""
        self._seed._start(int(plain(seed)) % 2**32)

    @property
    def state(self) -> Any:
        """The variable of where it is."""
        return self._seed.state

    def _pair(self) -> Any:
        key = jax.random.wrap_key_data(jnp.asarray(self._seed.next()))
        return jax.random.bits(key, (2,), jnp.uint32).astype("int32")


class Algorithm:
    """How TensorFlow computes its random numbers; accepted for compatibility."""

    PHILOX = 1
    THREEFRY = 2
    AUTO_SELECT = 3


_generator: list[Generator] = []


def get_global_generator() -> Generator:
    """The generator that scripts share."""
    if not _generator:
        _generator.append(Generator(user_seed()))
    return _generator[0]


def set_global_generator(generator: Generator) -> None:
    """Let another generator be the one that scripts share."""
    _generator[:] = [generator]
