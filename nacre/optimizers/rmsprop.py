"""RMSprop: steps divided by the root of a running mean of squared gradients."""

from __future__ import annotations

from typing import Any, NamedTuple, Unpack

import jax
from jax import lax

from nacre.core.registry import register
from nacre.core.variable import Variable
from nacre.optimizers.arguments import OptimizerKeywords
from nacre.optimizers.optimizer import Optimizer


class RMSpropState(NamedTuple):
    """Running means of one array: of squares, of steps, of gradients."""

    velocity: Any
    momentum: Any = None
    average_gradient: Any = None


def update(
    gradient: jax.Array,
    state: RMSpropState,
    parameter: jax.Array,
    learning_rate: jax.Array,
    rho: float,
    momentum: float,
    epsilon: float,
) -> tuple[jax.Array, RMSpropState]:
    """One step for one array: the new parameter and the new state."""
    velocity = rho * state.velocity + (1 - rho) * lax.square(gradient)
    average = state.average_gradient
    variance = velocity
    if average is not None:
        average = rho * average + (1 - rho) * gradient
        variance = velocity - lax.square(average)
    step = learning_rate * gradient * lax.rsqrt(variance + epsilon)
    if state.momentum is not None:
        step = momentum * state.momentum + step
        return parameter - step, RMSpropState(velocity, step, average)
    return parameter - step, RMSpropState(velocity, None, average)


@register("optimizers/RMSprop")
class RMSprop(Optimizer):
    """Gradient descent with each weight's step divided by its recent root mean square gradient.

    Choose it for recurrent models and reinforcement learning.

    Args:
        learning_rate: Step size.
        rho: Share of the old mean of squares in the new one.
        momentum: Share of the last step kept in the next.
        epsilon: Added to the mean square, inside the root.
        centered: Whether to subtract the squared mean gradient, leaving the variance.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: See
            `Optimizer`.

    Formula:
        v ← rho · v + (1 - rho) · g²
        w ← w - learning_rate · g / sqrt(v + epsilon)
    Source:
        Hinton 2012, lecture 6e of "Neural Networks for Machine Learning".
    Example:
        >>> RMSprop(0.01, rho=0.8).rho
        0.8
    """

    arguments_of_state = (*Optimizer.arguments_of_state, "momentum", "centered")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
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
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def make_states(self, variables: list[Variable]) -> list[RMSpropState]:
        velocities = self.add_optimizer_variables(variables, "velocity")
        momentums: list[Any] = [None] * len(variables)
        averages: list[Any] = [None] * len(variables)
        if self.momentum > 0:
            momentums = self.add_optimizer_variables(variables, "momentum")
        if self.centered:
            averages = self.add_optimizer_variables(variables, "average_gradient")
        return [RMSpropState(*parts) for parts in zip(velocities, momentums, averages, strict=True)]

    def update_array(
        self, gradient: jax.Array, state: Any, parameter: jax.Array, scalars: Any
    ) -> tuple[jax.Array, Any]:
        return update(gradient, state, parameter, scalars, self.rho, self.momentum, self.epsilon)
