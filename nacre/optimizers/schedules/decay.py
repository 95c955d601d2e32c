"""Exponential and inverse-time decay: one factor that depends on step / decay_steps."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.registry import register
from nacre.optimizers.schedules.base import LearningRateSchedule, as_float


@register("optimizers.schedules/ExponentialDecay")
class ExponentialDecay(LearningRateSchedule):
    """Multiply the rate by `decay_rate` every `decay_steps` steps.

    Args:
        initial_learning_rate: Rate at step 0.
        decay_steps: Steps for one factor of `decay_rate`.
        decay_rate: The factor.
        staircase: Whether the factor is applied in jumps, at the end of each period.
        name: Kept in the config.

    Formula:
        rate = initial · decay_rate ^ (step / decay_steps)
    Example:
        >>> round(float(ExponentialDecay(0.1, 10, 0.5)(20)), 6)
        0.025
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: Any) -> jax.Array:
        periods = as_float(step) / self.decay_steps
        if self.staircase:
            periods = jnp.floor(periods)
        return self.initial_learning_rate * jnp.power(jnp.float32(self.decay_rate), periods)


@register("optimizers.schedules/InverseTimeDecay")
class InverseTimeDecay(LearningRateSchedule):
    """Divide the rate by a number that grows in proportion to the step.

    Args:
        initial_learning_rate: Rate at step 0.
        decay_steps: Steps after which the divisor has grown by `decay_rate`.
        decay_rate: Growth of the divisor.
        staircase: Whether the divisor grows in jumps, at the end of each period.
        name: Kept in the config.

    Formula:
        rate = initial / (1 + decay_rate · step / decay_steps)
    Example:
        >>> round(float(InverseTimeDecay(0.1, 10, 1.0)(10)), 6)
        0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: Any) -> jax.Array:
        periods = as_float(step) / self.decay_steps
        if self.staircase:
            periods = jnp.floor(periods)
        return self.initial_learning_rate / (1.0 + self.decay_rate * periods)
