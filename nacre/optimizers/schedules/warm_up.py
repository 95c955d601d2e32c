"""A warm-up in front of any schedule."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.core.kinds import is_number
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.optimizers.schedules.base import LearningRateSchedule, as_float, deserialize


@register("optimizers.schedules/WarmUp")
class WarmUp(LearningRateSchedule):
    """Go in a straight line up to a schedule's first rate, then follow the schedule.

    Choose it for transformers and large batches, whose first steps at the full rate may diverge.
    Keras has a warm-up in `CosineDecay` alone.

    Args:
        schedule: The schedule that follows, counted from its own step 0; or a number, for a
            constant rate.
        warmup_steps: Steps of the warm-up.
        initial_learning_rate: Rate at step 0.
        name: Kept in the config.

    Formula:
        step < warmup_steps: initial + (schedule(0) - initial) · step / warmup_steps
        else:                schedule(step - warmup_steps)
    Raises:
        ArgumentError: `schedule` is neither, or a number breaks its rule.
    Source:
        Goyal et al. 2017, arXiv:1706.02677, section 2.2.
    Example:
        >>> from nacre.optimizers.schedules import ExponentialDecay
        >>> rate = WarmUp(ExponentialDecay(0.1, 10, 0.5), warmup_steps=4)
        >>> [round(float(rate(step)), 4) for step in (0, 2, 4, 14)]
        [0.0, 0.05, 0.1, 0.05]
    """

    def __init__(
        self,
        schedule: LearningRateSchedule | float,
        warmup_steps: int,
        initial_learning_rate: float = 0.0,
        name: str = "WarmUp",
    ) -> None:
        found: Any = deserialize(schedule) if isinstance(schedule, dict) else schedule
        if not isinstance(found, LearningRateSchedule) and not is_number(found):
            raise ArgumentError(
                message(
                    "WarmUp",
                    "schedule must be a schedule or a number",
                    repr(schedule)[:100],
                    "Pass for example CosineDecay(0.1, decay_steps=1000).",
                )
            )
        if not initial_learning_rate >= 0:
            rule = "initial_learning_rate must not be negative"
            raise ArgumentError(message("WarmUp", rule, repr(initial_learning_rate)))
        self.schedule = found
        self.warmup_steps = whole_number("WarmUp", "warmup_steps", warmup_steps, 0)
        self.initial_learning_rate = initial_learning_rate
        self.name = name

    def _follow(self, step: Any) -> jax.Array:
        schedule = self.schedule
        rate = schedule(step) if isinstance(schedule, LearningRateSchedule) else schedule
        return jnp.asarray(rate).astype(jnp.float32)

    def __call__(self, step: Any) -> jax.Array:
        step = jnp.asarray(step)
        after = self._follow(jnp.maximum(step - self.warmup_steps, 0))
        if not self.warmup_steps:
            return after
        start = self.initial_learning_rate
        rise = (self._follow(jnp.zeros_like(step)) - start) * as_float(step) / self.warmup_steps
        return jnp.where(step < self.warmup_steps, start + rise, after)


__all__ = ["WarmUp"]
