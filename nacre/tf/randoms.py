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
from nacre.core.random import SeedGenerator, set_own_seed, user_seed
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
