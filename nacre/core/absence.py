"""Samples and steps that are absent: of weight 0, or left out by a mask.

Their values, NaN too, must reach no result and no gradient, and 0 times NaN is NaN. So they are
replaced before anything is computed, by the value at a valid position, which is one the formula can
take. A constant would not do, as the logarithm of 0 shows.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nacre.core.typed_jax import largest


def samples_absent(weights: Any) -> Any:
    """(batch,), True for samples whose every weight is 0.

    Example:
        >>> samples_absent(jnp.array([[0.0, 1.0], [0.0, 0.0]])).tolist()
        [False, True]
    """
    weights = jnp.atleast_1d(weights)
    return jnp.all(weights.reshape(weights.shape[0], -1) == 0, axis=1)


class Absent(NamedTuple):
    """What is absent from a step of training or evaluation.

    Attributes:
        samples: (batch,), True for absent samples.
        steps: (batch, time), True for absent steps; None where weights have no time axis, or it is
            not known to be that of the inputs.
    """

    samples: Any
    steps: Any = None

    def positions(self, shape: tuple[int, ...]) -> Any:
        """True at absent positions of the first axes of an array; None where its axes are others.

        Args:
            shape: The array's shape without the axes of features.

        Example:
            >>> absent = Absent(jnp.array([True, False]), jnp.array([[True] * 3, [False] * 3]))
            >>> [p is not None and p.shape for p in map(absent.positions, ((2, 3), (2, 4), (6,)))]
            [(2, 3), (2,), False]
        """
        for positions in (self.steps, self.samples):
            if positions is not None and shape[: positions.ndim] == positions.shape:
                return positions
        return None

    def of_steps(self, count: int) -> Any:
        """(batch, count), True for absent steps of sequences of `count` steps."""
        steps = self.samples[:, None] if self.steps is None else self.steps
        return jnp.broadcast_to(steps, (len(self.samples), count))


def is_unsafe(x: Any, dtype: Any = None) -> Any:
    """True for NaN, infinities, and numbers so large that a product of two is infinite.

    Args:
        x: An array.
        dtype: What is computed in, where that is not the dtype of `x`.
    """
    return ~(jnp.abs(x) <= math.sqrt(largest(x.dtype if dtype is None else dtype)))


def with_safe_values(x: Any, absent: Any, places: Any = None, *, zeros: bool = False) -> Any:
    """`x` with the value at the first valid position in place of those at absent ones.

    Positions that were replaced have no gradient.

    Args:
        x: An array.
        absent: True at absent positions; of the shape of the first axes of `x`.
        places: The absent positions to replace; all by default.
        zeros: Replace by zeros instead, for sums over all positions; so they also are where no
            position is valid.

    Example:
        >>> x, absent = jnp.array([[jnp.nan], [2.0]]), jnp.array([True, False])
        >>> with_safe_values(x, absent).tolist(), with_safe_values(x, absent, zeros=True).tolist()
        ([[2.0], [2.0]], [[0.0], [2.0]])
    """
    first_axes = x.shape[: absent.ndim]
    absent = jnp.broadcast_to(absent, first_axes)
    places = absent if places is None else jnp.broadcast_to(places, first_axes)
    value: Any = jnp.zeros((), x.dtype)
    if not zeros and x.size:
        place = jnp.unravel_index(jnp.argmin(absent), first_axes)
        value = jnp.where(jnp.all(absent), value, jax.lax.stop_gradient(x[place]))
    return jnp.where(places.reshape(first_axes + (1,) * (x.ndim - places.ndim)), value, x)
