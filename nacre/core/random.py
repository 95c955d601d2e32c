"""Seeds: one number in, the same bits out, in any fresh process.

Random numbers needed while a model is built (initial weights, shuffling) are drawn on the host with
NumPy's Philox generator: nothing has to be compiled for them. Random numbers needed inside a
compiled step (dropout, noise) come from JAX keys made from a `SeedGenerator`'s state variable.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false
# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false

from __future__ import annotations

import random as python_random
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Self, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from numpy.random.bit_generator import ISeedSequence

from nacre.core import scope
from nacre.core.errors import ArgumentError, message, refuse_unknown
from nacre.core.keywords import NoKeywords
from nacre.core.kinds import is_int
from nacre.core.names import auto_name
from nacre.core.registry import register
from nacre.core.safety import reads_config
from nacre.core.tracing import is_tracer, is_tracing
from nacre.core.typed_jax import as_key
from nacre.core.variable import Variable

_global_generator: list[SeedGenerator | None] = [None]
_user_seed: list[int | None] = [None]


_seeds_drawn = [0]
# Where seeds come from after `set_own_seed`.
_own_draws: list[python_random.Random | None] = [None]


def seeds_drawn() -> int:
    """How many seeds nacre itself has drawn from Python's generator."""
    return _seeds_drawn[0]


def make_default_seed() -> int:
    """A fresh seed from Python's own generator, which `set_random_seed` fixes; after
    `set_own_seed` from one that nobody else draws from."""
    _seeds_drawn[0] += 1
    return (_own_draws[0] or python_random).randint(1, int(1e9))


def set_random_seed(seed: int) -> None:
    """Fix Python's, NumPy's and nacre's random numbers at once.

    Args:
        seed: An int of 32 bits without sign.

    Raises:
        ArgumentError: `seed` is not an int from 0 to 2**32 - 1.
    """
    if not isinstance(seed, int | np.integer) or not 0 <= int(seed) < 2**32:
        raise ArgumentError(
            message("set_random_seed", "seed must be an int from 0 to 2**32 - 1", repr(seed))
        )
    seed = int(seed)
    python_random.seed(seed)
    np.random.seed(seed)
    _own_draws[0] = None
    _start_from(seed)


def set_own_seed(seed: int) -> None:
    """Fix nacre's random numbers, and leave Python's and NumPy's alone.

    Args:
        seed: An int of 32 bits without sign.

    Example:
        >>> with seeded(1):
        ...     set_own_seed(7)
        ...     first = draw_seed()
        ...     set_own_seed(7)
        ...     first == draw_seed()
        True
    """
    _own_draws[0] = python_random.Random(seed)
    _start_from(seed)


def _start_from(seed: int) -> None:
    _user_seed[0] = seed
    if _global_generator[0] is not None:  # the same one: programs that draw from it stay valid
        _global_generator[0]._start(seed)


@contextmanager
def seeded(seed: int | None) -> Generator[None]:
    """As after `set_random_seed` within; behind it all generators go on as if nothing had been.

    Args:
        seed: An int of 32 bits without sign; None changes nothing.

    Example:
        >>> with seeded(1):
        ...     first = draw_seed()
        >>> with seeded(1):
        ...     first == draw_seed()
        True
    """
    if seed is None:
        yield
        return
    python_state, numpy_state = python_random.getstate(), np.random.get_state()
    given, own = _user_seed[0], _own_draws[0]
    generator = global_generator()
    start, state = generator._initial_seed, generator.state.numpy()
    try:
        set_random_seed(seed)
        yield
    finally:
        python_random.setstate(python_state)
        np.random.set_state(numpy_state)
        _user_seed[0], _own_draws[0] = given, own
        generator._initial_seed = start
        generator.state.assign(state)


def user_seed() -> int | None:
    """The seed that `set_random_seed` was given last; None where it was not called."""
    return _user_seed[0]


def global_generator() -> SeedGenerator:
    """The generator used where no seed is given."""
    if _global_generator[0] is None:
        seed = _user_seed[0]
        with scope.running_program(None):  # it outlives the program that may be traced just now
            _global_generator[0] = SeedGenerator(
                make_default_seed() if seed is None else seed, name="global_seed_generator"
            )
    return _global_generator[0]


@register("SeedGenerator", module="keras.random")
class SeedGenerator:
    """A source of fresh random keys, whose state is a variable and so is saved and resumed.

    Args:
        seed: Starting number; None takes a fresh one.
        name: Name of the state's variable scope.

    Shapes:
        state (2,) uint32: the seed and the count of keys given out
    Example:
        >>> generator = SeedGenerator(7)
        >>> [int(n) for n in generator.next()], [int(n) for n in generator.next()]
        ([7, 0], [7, 1])
    """

    _is_part = True  # see core/changes.py

    def __init__(
        self, seed: int | None = None, name: str | None = None, **kwargs: Unpack[NoKeywords]
    ) -> None:
        refuse_unknown("SeedGenerator", kwargs, SeedGenerator)
        is_fresh = seed is None
        if seed is None:
            seed = make_default_seed()
        if not isinstance(seed, int | np.integer):
            raise ArgumentError(message("SeedGenerator", "seed must be an int", repr(seed)))
        if seed < 0:
            raise ArgumentError(message("SeedGenerator", "seed must not be negative", repr(seed)))
        self.name = name or auto_name("seed_generator")
        self._initial_seed = int(seed)
        self.state = Variable(
            first_state(seed),
            dtype="uint32",
            trainable=False,
            autocast=False,
            name="seed_generator_state",
        )
        self.state.is_seed = True
        if is_fresh and scope.is_tracing_program() and scope.in_stateless_scope():
            scope.begin_with_key(self.state, global_generator().next())

    def _start(self, seed: int) -> None:
        """Begin anew from a seed."""
        self._initial_seed = seed
        self.state.assign(first_state(seed))

    def next(self, ordered: bool = True) -> Any:
        """The next key, uint32 of shape (2,); the count goes up by one."""
        if scope.in_stateless_scope():
            return scope.next_key_data(self.state)
        state = self.state.value
        one = np.array([0, 1], dtype="uint32")
        if is_tracing() and not is_tracer(state):
            # In a function that somebody traces without a scope the count is still a number here,
            # and must stay one: each trace gets a key of its own.
            self.state.assign(np.asarray(state) + one)
        else:
            self.state.assign(state + one)
        return state

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the generator a config describes."""
        return cls(**config)


def first_state(seed: int) -> np.ndarray:
    return np.array([int(seed) & 0xFFFFFFFF, 0], dtype="uint32")


def draw_key(seed: Any = None) -> jax.Array:
    """A JAX key from None (global generator), an int, a `SeedGenerator` or a key.

    Example:
        >>> bool((draw_key(3) == draw_key(3)).all())
        True
    """
    if seed is None:
        seed = global_generator()
    if isinstance(seed, SeedGenerator):
        data = seed.next()
    elif is_int(seed):
        data = np.array([int(seed) & 0xFFFFFFFF, 0], dtype="uint32")
    elif not isinstance(seed, jax.Array | np.ndarray | Variable):
        raise ArgumentError(
            message(
                "seed", "it must be None, an int, a SeedGenerator or a JAX key",
                f"{seed!r} ({type(seed).__name__})",
            )
        )  # fmt: skip
    else:
        data = seed.value if isinstance(seed, Variable) else jnp.asarray(seed)
        if jnp.issubdtype(data.dtype, jax.dtypes.prng_key):
            return data
        data = data.astype("uint32")
    return as_key(data)


def draw_seed() -> int:
    """A seed from the global generator, for what is drawn on the host, such as orders of samples.

    Example:
        >>> set_random_seed(1)
        >>> first, second = draw_seed(), draw_seed()
        >>> set_random_seed(1)
        >>> first == draw_seed(), first == second
        (True, False)
    """
    state = global_generator().state
    key = state.numpy()
    state.assign(key + np.array([0, 1], dtype="uint32"))
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]) >> 1


class _Key(ISeedSequence):
    """The key of a generator, in the place of a seed that it would be made from."""

    def __init__(self, words: np.ndarray) -> None:
        self._words = words

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> np.ndarray:
        """The key."""
        return self._words


def keyed_generator(
    seed: int, number: int, counter: Sequence[int] | None = None
) -> np.random.Generator:
    """NumPy's Philox generator with the key (seed, number), at a place of its stream.

    The same as `Philox(key=..., counter=...)`, which asks the system for a seed that it then does
    not use, and so takes four times as long.

    Example:
        >>> key = np.array([7, 1], dtype=np.uint64)
        >>> slow = np.random.Generator(np.random.Philox(key=key))
        >>> keyed_generator(7, 1).random() == slow.random()
        True
    """
    key: Any = _Key(np.array([seed, number], dtype=np.uint64))  # NumPy's types know no such seeds
    return np.random.Generator(np.random.Philox(key, counter=counter))


def host_generator(seed: int | None = None) -> np.random.Generator:
    """NumPy's Philox generator for `seed`: the same numbers on every machine."""
    if seed is None:
        seed = make_default_seed()
    return np.random.Generator(np.random.Philox(int(seed)))


__all__ = [
    "SeedGenerator",
    "draw_key",
    "draw_seed",
    "first_state",
    "global_generator",
    "host_generator",
    "keyed_generator",
    "make_default_seed",
    "seeded",
    "set_random_seed",
    "user_seed",
]
