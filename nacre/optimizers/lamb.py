"""LAMB: Adam's direction, scaled for each layer by the size of its weights."""

from __future__ import annotations

from typing import Any, NamedTuple, Unpack

import jax
import jax.numpy as jnp
from jax import lax

from nacre.core.registry import register
from nacre.core.variable import Variable
from nacre.optimizers.arguments import OptimizerKeywords
from nacre.optimizers.gradients import norm
from nacre.optimizers.optimizer import Optimizer
from nacre.optimizers.update_order import Values


class LambState(NamedTuple):
    """Running means of one array: of the gradient and of its square."""

    momentum: Any
    velocity: Any


class LambScalars(NamedTuple):
    """Step size and both bias corrections of one step."""

    learning_rate: jax.Array
    momentum_correction: jax.Array
    velocity_correction: jax.Array


def update(
    gradient: jax.Array,
    state: LambState,
    parameter: jax.Array,
    scalars: LambScalars,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[jax.Array, LambState]:
    """One step for one array: the new parameter and the new state."""
    momentum = state.momentum + (gradient - state.momentum) * (1 - beta_1)
    velocity = state.velocity + (lax.square(gradient) - state.velocity) * (1 - beta_2)
    root = lax.sqrt(velocity * scalars.velocity_correction)
    direction = momentum * scalars.momentum_correction / (root + epsilon)
    size, length = norm(parameter), norm(direction)
    is_usable = (size > 0) & (length > 0)
    ratio = jnp.where(is_usable, size / jnp.where(is_usable, length, 1.0), 1.0)
    step = ratio.astype(parameter.dtype) * scalars.learning_rate * direction
    return parameter - step, LambState(momentum, velocity)


@register("optimizers/Lamb")
class Lamb(Optimizer):
    """Adam whose step for each array is as long as the array's own norm times the rate.

    Choose it for very large batches.

    Args:
        learning_rate: Step size relative to the norm of the weights.
        beta_1: Share of the old mean of gradients in the new one.
        beta_2: The same for the mean of squares.
        epsilon: Added to the root.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: See
            `Optimizer`.

    Formula:
        r = Adam's bias-corrected direction
        w ← w - learning_rate · ‖w‖ / ‖r‖ · r, the ratio being 1 where either norm is 0
    Source:
        You et al. 2019, arXiv:1904.00962, algorithm 2. Differs: weight decay stays outside r.
    Example:
        >>> Lamb(0.01).epsilon
        1e-07
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
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

    def make_states(self, variables: list[Variable]) -> list[LambState]:
        pairs = zip(*self.add_optimizer_variables(variables, ["momentum", "velocity"]), strict=True)
        return [LambState(*pair) for pair in pairs]

    def prepare(self, values: Values, step: jax.Array, learning_rate: jax.Array) -> LambScalars:
        count = (step + 1).astype(jnp.float32)
        corrections = [
            1.0 / (1.0 - jnp.power(jnp.float32(beta), count)) for beta in (self.beta_1, self.beta_2)
        ]
        return LambScalars(learning_rate, *corrections)

    def update_array(
        self, gradient: jax.Array, state: Any, parameter: jax.Array, scalars: Any
    ) -> tuple[jax.Array, Any]:
        return update(gradient, state, parameter, scalars, self.beta_1, self.beta_2, self.epsilon)
