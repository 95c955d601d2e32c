"""Polynomial decay down to an end rate, once or in cycles."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.registry import register
from nacre.optimizers.schedules.base import LearningRateSchedule, as_float


@register("optimizers.schedules/PolynomialDecay")
class PolynomialDecay(LearningRateSchedule):
    """Go from one rate to another along a power curve; `power=1` is a straight line.

    Args:
        initial_learning_rate: Rate at step 0.
        decay_steps: Steps until the end rate.
        end_learning_rate: Rate at the end.
        power: Exponent of the curve.
        cycle: Whether to begin again with a longer period each time the end is reached; otherwise
            the end rate is kept.
        name: Kept in the config.

    Formula:
        rate = (initial - end) · (1 - step / decay_steps) ^ power + end
        with cycle=True, decay_steps is multiplied by ceil(step / decay_steps)
    Example:
        >>> round(float(PolynomialDecay(0.1, 10, end_learning_rate=0.0)(5)), 6)
        0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: Any) -> jax.Array:
        step, period = as_float(step), jnp.float32(self.decay_steps)
        if self.cycle:
            period = period * jnp.maximum(jnp.ceil(step / period), 1.0)
        else:
            step = jnp.minimum(step, period)
        left = jnp.power(1.0 - step / period, self.power)
        return (self.initial_learning_rate - self.end_learning_rate) * left + self.end_learning_rate
