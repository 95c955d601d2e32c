"""Constant rates between given steps."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.optimizers.schedules.base import LearningRateSchedule


@register("optimizers.schedules/PiecewiseConstantDecay")
class PiecewiseConstantDecay(LearningRateSchedule):
    """One constant rate up to each boundary, the last one after all of them.

    Args:
        boundaries: Increasing step numbers.
        values: Rates, one more than boundaries. A rate holds up to and including its boundary.
        name: Kept in the config.

    Raises:
        ArgumentError: There is not exactly one value more than boundaries.
    Example:
        >>> rate = PiecewiseConstantDecay([100, 200], [0.1, 0.01, 0.001])
        >>> round(float(rate(100)), 4), round(float(rate(101)), 4)
        (0.1, 0.01)
    """

    def __init__(
        self,
        boundaries: Sequence[float],
        values: Sequence[float],
        name: str = "PiecewiseConstant",
    ) -> None:
        if len(boundaries) != len(values) - 1:
            raise ArgumentError(
                message(
                    "PiecewiseConstantDecay",
                    "values must have one element more than boundaries",
                    f"{len(boundaries)} boundaries and {len(values)} values",
                )
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: Any) -> jax.Array:
        values = jnp.asarray(list(self.values), dtype=jnp.float32)
        if not len(self.boundaries):
            return values[0]
        passed = jnp.asarray(step) > jnp.asarray(list(self.boundaries))  # (boundaries,)
        return values[jnp.sum(passed)]
