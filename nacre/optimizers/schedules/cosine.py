"""Half a cosine wave from the initial rate down, with warm-up or with restarts."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.optimizers.schedules.base import LearningRateSchedule, as_float


def cosine_factor(fraction: jax.Array, alpha: float) -> jax.Array:
    """From 1 at fraction 0 down to `alpha` at fraction 1, along half a cosine wave.

    Formula:
        (1 - alpha) · (1 + cos(π · fraction)) / 2 + alpha
    """
    return (1.0 - alpha) * 0.5 * (1.0 + jnp.cos(math.pi * fraction)) + alpha


def _check_positive(who: str, name: str, value: float) -> None:
    if not value > 0:
        raise ArgumentError(message(who, f"{name} must be positive", repr(value)))


@register("optimizers.schedules/CosineDecay")
class CosineDecay(LearningRateSchedule):
    """Warm up in a straight line, then decay along half a cosine wave.

    Args:
        initial_learning_rate: Rate at step 0.
        decay_steps: Steps of decay, counted after the warm-up.
        alpha: The end rate as a share of the rate at which decay begins.
        name: Kept in the config.
        warmup_target: Rate at the end of the warm-up; None leaves the warm-up out.
        warmup_steps: Steps of warm-up.

    Source:
        Loshchilov & Hutter 2016, arXiv:1608.03983, equation 5; the warm-up is an addition.
    Example:
        >>> round(float(CosineDecay(0.1, 100)(50)), 6)
        0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        _check_positive("CosineDecay", "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> jax.Array:
        step = as_float(step)
        if self.warmup_target is None:
            fraction = jnp.minimum(step, self.decay_steps) / self.decay_steps
            return self.initial_learning_rate * cosine_factor(fraction, self.alpha)
        after = jnp.clip(step - self.warmup_steps, 0.0, self.decay_steps) / self.decay_steps
        decayed = self.warmup_target * cosine_factor(after, self.alpha)
        if not self.warmup_steps:
            return decayed
        rise = (self.warmup_target - self.initial_learning_rate) * step / self.warmup_steps
        return jnp.where(step < self.warmup_steps, self.initial_learning_rate + rise, decayed)


@register("optimizers.schedules/CosineDecayRestarts")
class CosineDecayRestarts(LearningRateSchedule):
    """Decay along half a cosine wave, then start again, each period longer and lower.

    Args:
        initial_learning_rate: Rate at step 0.
        first_decay_steps: Length of the first period.
        t_mul: Each period is this many times as long as the one before. Below 1 they come to an
            end, and the rate stays at `alpha` of the first from there on (NaN in Keras).
        m_mul: Each period starts at this share of the start of the one before.
        alpha: The end rate of a period as a share of `initial_learning_rate`, before `m_mul`.
        name: Kept in the config.

    Formula:
        With t = step / first_decay_steps, period i starts at t = (1 - t_mul^i) / (1 - t_mul),
        so i = floor(log(1 - t · (1 - t_mul)) / log t_mul); for t_mul = 1, i = floor(t).
    Source:
        Loshchilov & Hutter 2016, arXiv:1608.03983 (SGDR); `m_mul` is an addition.
    Example:
        >>> rate = CosineDecayRestarts(0.1, 10)
        >>> round(float(rate(0)), 4), round(float(rate(10)), 4)
        (0.1, 0.1)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        _check_positive("CosineDecayRestarts", "first_decay_steps", first_decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: Any) -> jax.Array:
        time = as_float(step) / self.first_decay_steps
        left = 1.0 - time * (1.0 - self.t_mul)
        if self.t_mul == 1.0:
            period = jnp.floor(time)
            fraction = time - period
        else:
            logarithm = jnp.log(jnp.maximum(left, 1e-6)) / math.log(self.t_mul)
            period = jnp.floor(logarithm)
            length = jnp.power(jnp.float32(self.t_mul), period)
            start = (1.0 - length) / (1.0 - self.t_mul)
            fraction = (time - start) / length
        height = jnp.power(jnp.float32(self.m_mul), period)
        factor = (1.0 - self.alpha) * 0.5 * height * (1.0 + jnp.cos(math.pi * fraction))
        if self.t_mul < 1.0:
            factor = jnp.where(left > 1e-6, factor, 0.0)
        return self.initial_learning_rate * (factor + self.alpha)
