"""Seeds of what is drawn: one for each transformation, and a number for each pass over it.

The numbers follow from a seed, the number of the pass and their place alone, so a position is a few
whole numbers. They are not TensorFlow's: the same seed gives another order there.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import as_whole
from nacre.core.random import keyed_generator, make_default_seed, user_seed

_BLOCK = 1024  # random numbers that are drawn at once
_MOST_PASSES = 1 << 20  # over one data set that a function made
_place: ContextVar[Place | None] = ContextVar("_place", default=None)  # whose function is called


def seed_of(seed: Any, who: str) -> int:
    """The seed of a transformation: its own, together with that of `set_random_seed`.

    Without one of its own it is drawn from Python's generator, which `set_random_seed` fixes; or,
    where a function makes a data set of an element, from the place of that.

    Raises:
        ArgumentError: It is no whole number.
    """
    if seed is None:
        place = _place.get()
        return make_default_seed() if place is None else place.drawn()
    found = as_whole(seed)
    if found is None:
        raise ArgumentError(message(who, "seed must be a whole number or None", repr(seed)[:60]))
    return _with_user(found, user_seed() or 0)


def _with_user(seed: int, user: int) -> int:
    return _mixed(abs(seed), int(seed < 0), user)


class Passes:
    """The seed of a transformation, and how many passes over it were begun.

    Args:
        seed: The seed.
        varies: Whether each pass draws other numbers.

    Attributes:
        given, user: The seed as it was given, None for none, and that of `set_random_seed`.
        made_at: The key of the place whose function made it, if one did.
    """

    def __init__(self, seed: Any, varies: bool = True, who: str = "Dataset") -> None:
        self.seed, self.varies, self.count = seed_of(seed, who), varies, 0
        self.given, self.user = as_whole(seed), user_seed() or 0
        place = _place.get()
        self.made_at = None if place is None else place.key

    def begin(self, is_peek: bool) -> int:
        """The number of a new pass; one that only looks does not count."""
        number = self.count if self.varies else 0
        if not is_peek and self.varies:
            self.count += 1
        return number

    def draws(self, number: int) -> Draws:
        """The numbers of a pass."""
        return Draws(self.seed, number)

    def place(self, pass_number: int, number: int) -> Place:
        """Where the data set begins that a function makes of an element."""
        return Place(self, pass_number, number)

    def state(self, number: int) -> dict[str, int]:
        """The pass with a number, and what is drawn in data sets that functions make."""
        return {"seed": self.seed, "pass": number, "user": self.user}

    def restored(self, state: Any) -> int:
        """The number of the pass that `state` was made of."""
        self.user = int(state["user"])
        return self.resume(state["seed"], state["pass"]).number

    def resume(self, seed: int, number: int) -> Draws:
        """The numbers of a pass that was begun elsewhere; those after it follow on from it."""
        self.seed, self.count = int(seed), int(number) + 1 if self.varies else 0
        return self.draws(int(number))


class Place:
    """An element of which a function makes a data set: what is drawn in that follows from here.

    A function draws a new seed in each call where it gives none, or holds a data set that was gone
    over before, and neither could be told in a state.

    Args:
        outer: The passes over the transformation whose function it is.
        pass_number: The number of the one under way.
        number: The number of the element.
    """

    def __init__(self, outer: Passes, pass_number: int, number: int) -> None:
        self.key, self._user = (outer.seed, pass_number, number), outer.user
        self._drawn = 0
        self._passes: dict[Passes, Passes] = {}

    @contextmanager
    def calling(self) -> Generator[None]:
        """A block that calls the function."""
        token = _place.set(self)
        try:
            yield
        finally:
            _place.reset(token)

    def drawn(self) -> int:
        """Another seed."""
        self._drawn += 1
        return _mixed(*self.key, self._drawn)

    def passes(self, given: Passes) -> Passes:
        """What stands for the passes over a part of the data set."""
        if given not in self._passes:
            seed, pass_number, number = self.key
            own = copy.copy(given)
            own.count, own.user = 0, self._user
            is_held = given.made_at != self.key  # by the function, from before
            if given.given is not None:
                own.seed = _with_user(given.given, self._user)
            elif is_held and given.varies:
                own.seed = _mixed(seed, len(self._passes))
            if is_held and given.varies:  # other passes than those for other elements
                own.count = _mixed(pass_number, number) // _MOST_PASSES * _MOST_PASSES
            self._passes[given] = own
        return self._passes[given]


def _mixed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


class Draws:
    """Random numbers from 0 to 1, by their place.

    Args:
        seed: A seed.
        number: The number of the pass.

    Example:
        >>> Draws(1, 0).at(5) == Draws(1, 0).at(5) != Draws(1, 1).at(5)
        True
    """

    def __init__(self, seed: int, number: int) -> None:
        self.seed, self.number = seed, number
        self._block, self._numbers = -1, []

    def generator(self, stream: int) -> np.random.Generator:
        """A generator of its own for something else that is drawn."""
        return keyed_generator(self.seed, self.number, [0, 0, stream, 1])

    def block(self, number: int) -> list[float]:
        """The random numbers from `number * 1024` on."""
        if number != self._block:
            self._block, self._numbers = number, self.generator(number).random(_BLOCK).tolist()
        return self._numbers

    def at(self, place: int) -> float:
        """The random number at a place."""
        return self.block(place // _BLOCK)[place % _BLOCK]

    def permuted(self, values: np.ndarray) -> np.ndarray:
        """Values in an order of their own."""
        return self.generator(2**40).permutation(values)


def probabilities(weights: Any, count: int, who: str) -> list[float]:
    """Weights as what they add up to from the first on, ending at 1.

    Raises:
        ArgumentError: They are not one non-negative number for each of `count`.
    """
    values = np.asarray(weights, np.float64).reshape(-1)
    is_right = len(values) == count and (values >= 0).all() and 0 < values.sum() < math.inf
    if not is_right:
        raise ArgumentError(
            message(
                who,
                f"weights must be {count} numbers from 0 on, not all 0",
                f"{values.tolist()}"[:80],
            )
        )
    return (np.cumsum(values) / values.sum()).tolist()


__all__ = ["Draws", "Passes", "Place", "probabilities", "seed_of"]
