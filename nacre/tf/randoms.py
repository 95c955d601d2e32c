"""`tf.random`: draws from nacre's generators, with TensorFlow's arguments.

Numbers of `Generator`, `stateless_uniform`, `stateless_normal` and `stateless_truncated_normal` are
TensorFlow's (`philox.py`); all others are not. What is kept is when they repeat:
`tf.random.set_seed` begins all anew, and a seed of an op's own gives one sequence, a further part
of it at each call.
"""

from __future__ import annotations

import math
import os
import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre import random
from nacre.core.errors import ArgumentError, ShapeError, TracedValueError, message
from nacre.core.random import (
    SeedGenerator,
    first_state,
    global_generator,
    set_own_seed,
    user_seed,
)
from nacre.core.tracing import is_tracer
from nacre.core.variable import Variable
from nacre.data.dataset.elements import sealed
from nacre.tf import philox
from nacre.tf.dtypes import as_dtype
from nacre.tf.sizes import plain, sizes_of
from nacre.tf.values import landed, tensor

_of_ops: dict[tuple[int | None, int], SeedGenerator] = {}
# Those of seeds that were set before, which functions that are compiled go on drawing from.
_former: list[tuple[weakref.ref[Variable], int]] = []


def set_seed(seed: Any) -> None:
    """Begin the random numbers of nacre anew; Python's and NumPy's go on.

    A function that is compiled keeps the seeds its ops were traced with, and begins with them anew.
    """
    _former.extend((weakref.ref(g.state), _start_of(*key)) for key, g in _of_ops.items())
    _of_ops.clear()
    _former[:] = [(state, start) for state, start in _former if state() is not None]
    for state, start in _former:
        if (variable := state()) is not None:
            variable.assign(first_state(start))
    set_own_seed(int(plain(seed)) % 2**32)


def op_seed(seed: Any) -> Any:
    """What draws with a seed of their own use: a generator each, for as long as the global seed."""
    if seed is None or isinstance(seed, SeedGenerator):
        return seed
    key = (user_seed(), int(plain(seed)) % 2**32)
    if key not in _of_ops:
        _of_ops[key] = SeedGenerator(_start_of(*key))
    return _of_ops[key]


def _start_of(of_all: int | None, of_op: int) -> int:
    return of_op if of_all is None else (of_all * 31 + of_op) % 2**32


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
    first, second = _numbers_of(seed)
    if isinstance(first, int) and isinstance(second, int):
        first, second = (np.uint32(number % 2**32) for number in (first, second))
    return jax.random.fold_in(jax.random.key(first), second)


def _numbers_of(seed: Any) -> tuple[Any, Any]:
    """The two whole numbers of a seed: Python's, where they are known."""
    if isinstance(seed, list | tuple) and any(map(is_tracer, seed)):
        first, second = (jnp.asarray(number) for number in seed)
        return first, second
    found = tensor(seed)
    if tuple(found.shape) != (2,):
        rule = "seed must be two whole numbers"
        fix = "Pass seed=[1, 2]."
        raise ShapeError(message("tf.random", rule, f"shape {tuple(found.shape)}", fix))
    if is_tracer(found):
        return found[0], found[1]
    first, second = np.asarray(found).tolist()
    return int(first), int(second)


def _source(seed: Any) -> philox.Source:
    return philox.of_seed(*_numbers_of(seed))


def _placed(drawn: Any) -> Any:
    """Numbers of the host where tensors of their dtype are."""
    return drawn if isinstance(drawn, jax.Array) else landed(np.asarray(drawn))


def _uniform(source: philox.Source, shape: Any, low: Any, high: Any, dtype: Any) -> Any:
    kind, sizes = as_dtype(dtype), sizes_of(shape)
    if not kind.is_integer:
        return _between(_placed(philox.fractions(source, sizes, kind._dtype)), low, high)
    if low is None and high is None:
        return _placed(philox.whole(source, sizes, kind._dtype))
    if low is None or high is None:
        rule = "minval and maxval must both be told for whole numbers, or neither"
        raise ArgumentError(message("tf.random", rule, f"minval={low}, maxval={high}"))
    least, most = (x if is_tracer(x) else np.asarray(tensor(x)) for x in (low, high))
    if not is_tracer(least) and not is_tracer(most) and not (least < most).all():
        rule = "minval must be below maxval"
        raise ArgumentError(message("tf.random", rule, f"minval={low}, maxval={high}"))
    return _placed(philox.whole_between(source, sizes, least, most, kind._dtype))


def stateless_normal(
    shape: Any, seed: Any, mean: Any, stddev: Any, dtype: Any, alg: Any = None
) -> Any:
    """The same draws for the same two numbers of `seed`."""
    _require_philox("tf.random.stateless_normal", alg)
    found = philox.normal(_source(seed), sizes_of(shape), as_dtype(dtype)._dtype)
    return _moved(_placed(found), stddev, mean)


def stateless_truncated_normal(
    shape: Any, seed: Any, mean: Any, stddev: Any, dtype: Any, alg: Any = None
) -> Any:
    """The same of the truncated normal distribution."""
    _require_philox("tf.random.stateless_truncated_normal", alg)
    found = philox.truncated_normal(_source(seed), sizes_of(shape), as_dtype(dtype)._dtype)
    return _moved(_placed(found), stddev, mean)


def stateless_uniform(
    shape: Any, seed: Any, low: Any, high: Any, dtype: Any, alg: Any = None
) -> Any:
    """The same from an interval, or whole numbers; all there are where no limit is told."""
    _require_philox("tf.random.stateless_uniform", alg)
    return _uniform(_source(seed), shape, low, high, dtype)


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
    return _binomial(_key(seed), sizes_of(shape), counts, probs, dtype)


def _binomial(key: Any, shape: Any, counts: Any, probs: Any, dtype: Any) -> Any:
    counts, probs = (jnp.asarray(tensor(v), jnp.float32) for v in (counts, probs))
    drawn = jax.random.binomial(key, counts, probs, shape)
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
    dtype = "int64" if as_dtype(getattr(tensor(seed), "dtype", "int32")) == "int64" else "int32"
    return _uniform(_source(seed), (plain(count), 2), None, None, dtype)


def fold_in(seed: Any, data: Any) -> Any:
    """A seed of two numbers, made of one and a number."""
    number = tensor(data)
    first = _uniform(_source(seed), (), None, None, number.dtype)
    if is_tracer(first) or is_tracer(number):
        return jnp.stack([jnp.asarray(first), jnp.asarray(number)])
    return landed(np.stack([np.asarray(first), np.asarray(number)]))


def create_rng_state(seed: Any, alg: Any = "philox") -> Any:
    """The state of a generator that begins at a seed: three whole numbers of 64 bits.

    Args:
        seed: A whole number, or up to three of them.
        alg: 'philox', or what `Algorithm` calls so.
    """
    _require_philox("tf.random.create_rng_state", alg)
    return tensor(_state_of(seed), "int64")


def _state_of(seed: Any) -> np.ndarray:
    numbers = plain(seed)
    if isinstance(numbers, tuple):
        if len(numbers) > 3:
            rule = "a seed must be up to three whole numbers"
            raise ArgumentError(message("tf.random.Generator", rule, f"{len(numbers)} of them"))
        found = [0] * (3 - len(numbers)) + [_of_64_bits(n) for n in numbers]
    else:  # one number, as wide as the state: the sign goes on
        found = [_of_64_bits(int(numbers) >> (64 * place)) for place in range(3)]
    return np.asarray(found, np.int64)


def _of_64_bits(number: Any) -> int:
    found = int(number) % 2**64
    return found - 2**64 if found >= 2**63 else found


def _require_philox(who: str, alg: Any) -> None:
    name = alg.lower() if isinstance(alg, str) else plain(alg)
    if name not in (None, "philox", "auto_select", 1, 3):
        rule = "numbers are drawn by Philox"
        raise ArgumentError(message(who, rule, f"alg={alg!r}", "Pass alg='philox'."))


# --- with a state of one's own --------------------------------------------------------------------


class Generator:
    """`tf.random.Generator`: draws one after another from a state of its own.

    Args:
        copy_from: A generator to begin where that one is.
        state: Where it begins: three whole numbers of 64 bits, the counter's two and the key.
        alg: 'philox', which is the only one.

    Source:
        TensorFlow 2.15 on a CPU: the same numbers, but for `binomial`.
    Example:
        >>> generator = Generator.from_seed(1)
        >>> [round(float(x), 4) for x in generator.uniform([2])]
        [0.7875, 0.3907]
    """

    def __init__(self, copy_from: Any = None, state: Any = None, alg: Any = None) -> None:
        who = "tf.random.Generator"
        _require_philox(who, alg)
        if (copy_from is None) == (state is None):
            rule = "it begins at a state, or where another generator is"
            fix = "Call tf.random.Generator.from_seed(1)."
            raise ArgumentError(message(who, rule, "both" if state is not None else "none", fix))
        words = _words(state) if copy_from is None else copy_from._state_var.value
        self._state_var = Variable(words, dtype="uint32", trainable=False, name="StateVar")
        self._state_var.is_seed = True

    @classmethod
    def from_state(cls, state: Any, alg: Any) -> Generator:
        """One that begins at a state: three whole numbers, the counter's two and the key."""
        return cls(state=state, alg=alg)

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """One that begins at a seed."""
        return cls(state=_state_of(seed), alg=alg)

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """One that begins anywhere."""
        return cls(state=np.frombuffer(os.urandom(24), np.int64), alg=alg)

    @classmethod
    def from_key_counter(cls, key: Any, counter: Any, alg: Any) -> Generator:
        """One of a key, and of a counter of two whole numbers."""
        return cls(state=[*plain(counter), plain(key)], alg=alg)

    def _children_in_checkpoints(self) -> dict[str, Any]:
        return {"_state_var": self._state_var}

    @property
    def algorithm(self) -> int:
        """1, Philox."""
        return Algorithm.PHILOX

    @property
    def state(self) -> Any:
        """Where it is: three whole numbers of 64 bits."""
        words = self._state_var.value
        if is_tracer(words):
            rule = "the state is three numbers of 64 bits, which no program holds"
            raise TracedValueError(message("tf.random.Generator.state", rule))
        return tensor(np.asarray(words).astype("<u4").view("<i8").astype(np.int64))

    @property
    def key(self) -> Any:
        """The last number of its state."""
        return self.state[2]

    def reset(self, state: Any) -> None:
        """Go on from another state.

        Args:
            state: Three whole numbers.
        """
        self._state_var.assign(_words(state))

    def reset_from_seed(self, seed: Any) -> None:
        """Begin anew at a seed.

        Args:
            seed: The seed.
        """
        self.reset(_state_of(seed))

    def reset_from_key_counter(self, key: Any, counter: Any) -> None:
        """Go on from a key, and a counter of two whole numbers.

        Args:
            key, counter: They.
        """
        self.reset([*plain(counter), plain(key)])

    def skip(self, delta: Any) -> Any:
        """Pass over so many numbers.

        Args:
            delta: How many, below 2**24.

        Returns:
            The state before; None in a compiled function.
        """
        words = self._state_var.value
        before = None if is_tracer(words) else self.state
        self._taken(int(plain(delta)))
        return before

    def _taken(self, count: int) -> philox.Source:
        """Where the next so many numbers come from; the state moves on."""
        words = self._state_var.value
        words = words if is_tracer(words) else np.asarray(words)
        source, steps = philox.of_state(words), 256 * count  # TensorFlow's: 256 for each number
        counter = philox.added(source.counter, np.uint32(steps % 2**32))
        if steps >> 32:
            counter = [counter[0], *philox.added(counter[1:], np.uint32(steps >> 32))]
        library = jnp if is_tracer(words) else np
        moved = library.stack([*counter, *source.key])
        self._state_var.assign(moved)
        return source

    def _of_shape(self, shape: Any) -> tuple[philox.Source, tuple[Any, ...]]:
        sizes = sizes_of(shape)
        return self._taken(math.prod(sizes)), sizes

    def normal(
        self,
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = "float32",
        name: Any = None,
    ) -> Any:
        """Draws from the normal distribution."""
        found = philox.normal(*self._of_shape(shape), as_dtype(dtype)._dtype)
        return _moved(_placed(found), stddev, mean)

    def truncated_normal(
        self,
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = "float32",
        name: Any = None,
    ) -> Any:
        """The same, without what is more than two deviations away."""
        found = philox.truncated_normal(*self._of_shape(shape), as_dtype(dtype)._dtype)
        return _moved(_placed(found), stddev, mean)

    def uniform(
        self,
        shape: Any,
        minval: Any = 0,
        maxval: Any = None,
        dtype: Any = "float32",
        name: Any = None,
    ) -> Any:
        """Draws from an interval, or whole numbers."""
        if as_dtype(dtype).is_integer and maxval is None:
            rule = "maxval must be told for whole numbers"
            raise ArgumentError(message("tf.random.Generator.uniform", rule, "None"))
        source, sizes = self._of_shape(shape)
        return _uniform(source, sizes, minval, maxval, dtype)

    def binomial(
        self, shape: Any, counts: Any, probs: Any, dtype: Any = "int32", name: Any = None
    ) -> Any:
        """Draws from binomial distributions."""
        source, sizes = self._of_shape(shape)
        key = jax.random.wrap_key_data(jnp.asarray(philox.bits(source, 2)))
        return _binomial(key, sizes, counts, probs, dtype)

    def uniform_full_int(self, shape: Any, dtype: Any = "uint64", name: Any = None) -> Any:
        """Whole numbers, all of a dtype alike; of 32 bits in a compiled function."""
        source, sizes = self._of_shape(shape)
        return _uniform(source, sizes, None, None, dtype)

    def make_seeds(self, count: Any = 1) -> Any:
        """Seeds of two numbers for stateless draws: shape (2, count)."""
        numbers = self.uniform_full_int([plain(count)], "int64")
        if is_tracer(numbers):
            return jnp.stack([numbers, jnp.zeros_like(numbers)])
        return tensor(np.stack([np.asarray(numbers), np.zeros_like(numbers)]), "int64")

    def split(self, count: Any = 1) -> list[Generator]:
        """Generators of their own, begun from this one."""
        keys = np.asarray(self.uniform_full_int([plain(count)], "int64")).tolist()
        return [Generator(state=[0, 0, key]) for key in keys]


def _words(state: Any) -> np.ndarray:
    """A state as six numbers of 32 bits, which programs hold."""
    numbers = np.asarray(plain(state))
    if numbers.shape != (3,):
        rule, got = "a state must be three whole numbers", f"shape {numbers.shape}"
        raise ShapeError(message("tf.random.Generator", rule, got))
    wide = np.asarray([_of_64_bits(n) for n in numbers.tolist()], "<i8")
    return wide.view("<u4").astype(np.uint32)


class Algorithm:
    """How TensorFlow computes its random numbers; accepted for compatibility."""

    PHILOX = 1
    THREEFRY = 2
    AUTO_SELECT = 3


_generator: list[Generator] = []


def get_global_generator() -> Generator:
    """The generator that scripts share."""
    if not _generator:
        seed = user_seed()
        made = Generator.from_non_deterministic_state
        _generator.append(made() if seed is None else Generator.from_seed(seed))
    return _generator[0]


def set_global_generator(generator: Generator) -> None:
    """Let another generator be the one that scripts share."""
    _generator[:] = [generator]
