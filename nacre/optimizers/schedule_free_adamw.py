"""Schedule-free AdamW: an average of the path takes the place of a falling learning rate."""

from __future__ import annotations

from typing import Any, NamedTuple, Unpack

import jax
import jax.numpy as jnp
from jax import lax

from nacre.core.registry import register
from nacre.core.variable import Variable
from nacre.optimizers.arguments import OptimizerKeywords
from nacre.optimizers.optimizer import Optimizer
from nacre.optimizers.update_order import Values
from nacre.optimizers.variables import present_value


class ScheduleFreeState(NamedTuple):
    """The fast point z of one array (`momentum` in files) and its running mean of squares."""

    momentum: Any
    velocity: Any


class ScheduleFreeScalars(NamedTuple):
    """Step size, bias correction of the mean of squares, weight of the newest point."""

    learning_rate: jax.Array
    velocity_correction: jax.Array
    newest: jax.Array


def update(
    gradient: jax.Array,
    state: ScheduleFreeState,
    parameter: jax.Array,
    scalars: ScheduleFreeScalars,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[jax.Array, ScheduleFreeState]:
    """One step for one array. The parameter is y = (1 - beta_1) · z + beta_1 · x."""
    fast = state.momentum
    velocity = beta_2 * state.velocity + (1 - beta_2) * lax.square(gradient)
    average = (parameter - (1 - beta_1) * fast) / beta_1
    root = lax.sqrt(velocity * scalars.velocity_correction)
    fast = fast - scalars.learning_rate * gradient / (root + epsilon)
    average = (1 - scalars.newest) * average + scalars.newest * fast
    new = (1 - beta_1) * fast + beta_1 * average
    return new, ScheduleFreeState(fast, velocity)


@register("optimizers/ScheduleFreeAdamW")
class ScheduleFreeAdamW(Optimizer):
    """AdamW that needs no learning-rate schedule and no training length known beforehand.

    Args:
        learning_rate: Step size, larger than for AdamW.
        beta_1: Share of the average in the point where gradients are taken.
        beta_2: Share of the old mean of squares in the new one.
        epsilon: Added to the root.
        warmup_steps: Steps over which the rate rises in a straight line.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: See
            `Optimizer`.

    Formula:
        z ← z - rate · g / (sqrt(v / (1 - beta_2^t)) + epsilon)
        x ← (1 - 1/t) · x + 1/t · z
        w = (1 - beta_1) · z + beta_1 · x
    Source:
        Defazio et al. 2024, arXiv:2405.15682, algorithm 1. Differs: weights of the average are
        1/t, as in Keras, not proportional to the squared rate.
    Example:
        >>> ScheduleFreeAdamW().warmup_steps
        0
    """

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Unpack[OptimizerKeywords],
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            clipnorm=clipnorm,
            clipvalue=clipvalue,
            global_clipnorm=global_clipnorm,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            ema_overwrite_frequency=ema_overwrite_frequency,
            loss_scale_factor=loss_scale_factor,
            gradient_accumulation_steps=gradient_accumulation_steps,
            name=name,
            **kwargs,
        )
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    def make_states(self, variables: list[Variable]) -> list[ScheduleFreeState]:
        return [
            ScheduleFreeState(
                # z starts where the weights are.
                self.add_variable_from_reference(v, "momentum", present_value(v)),
                self.add_variable_from_reference(v, "velocity"),
            )
            for v in variables
        ]

    def prepare(
        self, values: Values, step: jax.Array, learning_rate: jax.Array
    ) -> ScheduleFreeScalars:
        count = (step + 1).astype(jnp.float32)
        if self.warmup_steps:
            learning_rate = learning_rate * lax.min(jnp.float32(1.0), count / self.warmup_steps)
        correction = 1.0 / (1.0 - jnp.power(jnp.float32(self.beta_2), count))
        return ScheduleFreeScalars(learning_rate, correction, 1.0 / count)

    def update_array(
        self, gradient: jax.Array, state: Any, parameter: jax.Array, scalars: Any
    ) -> tuple[jax.Array, Any]:
        return update(gradient, state, parameter, scalars, self.beta_1, self.beta_2, self.epsilon)
