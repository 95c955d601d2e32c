"""The one-cycle policy: up to a largest rate and down to almost nothing, within one training."""

from __future__ import annotations

import math
from typing import Any, Literal

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.optimizers.schedules.base import LearningRateSchedule, as_float


@register("optimizers.schedules/OneCycle")
class OneCycle(LearningRateSchedule):
    """Go from a small rate up to the largest and, by the last step, down to a far smaller one.

    Choose it for short trainings of known length, with a largest rate found by `model.lr_find()`.
    Keras has no such schedule.

    Args:
        max_learning_rate: The largest rate.
        total_steps: Steps of the whole training, epochs times steps an epoch. Later steps keep the
            last rate (PyTorch raises).
        pct_start: Share of the steps on the way up.
        anneal_strategy: 'cos' for half a cosine wave, 'linear' for straight lines.
        div_factor: The first rate is the largest divided by this.
        final_div_factor: The last rate is the first divided by this.
        three_phase: Whether the way down first mirrors the way up, and the rest goes from the first
            rate to the last.
        name: Kept in the config.

    Raises:
        ArgumentError: An argument breaks its rule.
    Formula:
        up to step pct_start · total_steps - 1, then down to step total_steps - 1; with three phases
        back to the first rate at step 2 · pct_start · total_steps - 2, then down
    Source:
        Smith & Topin 2017, arXiv:1708.07120; numbers are those of PyTorch's `OneCycleLR`. Momentum
        stays as it is (`cycle_momentum=False` there).
    Example:
        >>> rate = OneCycle(1.0, total_steps=10)
        >>> [round(float(rate(step)), 3) for step in (0, 2, 9)]
        [0.04, 1.0, 0.0]
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 10000.0,
        three_phase: bool = False,
        name: str = "OneCycle",
    ) -> None:
        rules = {
            "max_learning_rate must be positive": max_learning_rate > 0,
            "total_steps must be at least 2": total_steps >= 2,
            "pct_start must be a share from 0 to 1": 0 <= pct_start <= 1,
            "pct_start must be at most 0.5 with three_phase": not three_phase or pct_start <= 0.5,
            "div_factor and final_div_factor must be positive": (
                div_factor > 0 and final_div_factor > 0
            ),
            "anneal_strategy must be 'cos' or 'linear'": anneal_strategy in ("cos", "linear"),
        }
        for rule, holds in rules.items():
            if not holds:
                argument = rule.split()[0]
                raise ArgumentError(message("OneCycle", rule, repr(locals()[argument])))
        self.max_learning_rate = max_learning_rate
        self.total_steps = total_steps
        self.pct_start = pct_start
        self.anneal_strategy = anneal_strategy
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        self.three_phase = three_phase
        self.name = name

    def __call__(self, step: Any) -> jax.Array:
        first = self.max_learning_rate / self.div_factor
        last = first / self.final_div_factor
        up = self.pct_start * self.total_steps - 1.0
        # (step at its end, rate there) of each phase, from the rate before it.
        phases = [(up, self.max_learning_rate)]
        if self.three_phase:
            phases.append((2.0 * self.pct_start * self.total_steps - 2.0, first))
        phases.append((self.total_steps - 1.0, last))
        step = as_float(step)
        found, begin, before = jnp.float32(last), 0.0, first
        rates: list[tuple[float, jax.Array]] = []
        for end, after in phases:
            if end > begin:
                rates.append((end, self._between(before, after, (step - begin) / (end - begin))))
            begin, before = max(end, begin), after
        for end, rate in reversed(rates):
            found = jnp.where(step <= end, rate, found)
        return found

    def _between(self, before: float, after: float, fraction: jax.Array) -> jax.Array:
        if self.anneal_strategy == "linear":
            return before + (after - before) * fraction
        return after + (before - after) * 0.5 * (1.0 + jnp.cos(math.pi * fraction))


__all__ = ["OneCycle"]
