"""Adadelta: steps in the unit of the weights, from running means of squares."""

from __future__ import annotations

from typing import Any, NamedTuple, Unpack

import jax
from jax import lax

from nacre.core.registry import register
from nacre.core.variable import Variable
from nacre.optimizers.arguments import OptimizerKeywords, check_range
from nacre.optimizers.optimizer import Optimizer


class AdadeltaState(NamedTuple):
    """Running means of one array: of squared gradients and of squared steps."""

    accumulated_grad: Any
    accumulated_delta_var: Any


def update(
    gradient: jax.Array,
    state: AdadeltaState,
    parameter: jax.Array,
    learning_rate: jax.Array,
    rho: float,
    epsilon: float,
) -> tuple[jax.Array, AdadeltaState]:
    """One step for one array: the new parameter and the new state."""
    squares = rho * state.accumulated_grad + (1 - rho) * lax.square(gradient)
    steps = state.accumulated_delta_var
    delta = gradient * lax.sqrt(steps + epsilon) * lax.rsqrt(squares + epsilon)
    steps = rho * steps + (1 - rho) * lax.square(delta)
    return parameter - learning_rate * delta, AdadeltaState(squares, steps)


@register("optimizers/Adadelta")
class Adadelta(Optimizer):
    """Steps sized by the ratio of recent steps to recent gradients.

    Choose it where no learning rate is known; `learning_rate=1.0` is the paper's method.

    Args:
        learning_rate: Factor on the step.
        rho: Share of the old means in the new ones.
        epsilon: Added inside both roots.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: See
            `Optimizer`.

    Formula:
        a ← rho · a + (1 - rho) · g²
        Δ = g · sqrt(d + epsilon) / sqrt(a + epsilon)
        d ← rho · d + (1 - rho) · Δ²
        w ← w - learning_rate · Δ
    Source:
        Zeiler 2012, arXiv:1212.5701, algorithm 1. Differs: the learning rate, 1 in the paper.
    Example:
        >>> Adadelta(1.0).rho
        0.95
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
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
        check_range("Adadelta", "rho", rho)
        self.rho = rho
        self.epsilon = epsilon

    def make_states(self, variables: list[Variable]) -> list[AdadeltaState]:
        names = ["accumulated_grad", "accumulated_delta_var"]
        pairs = zip(*self.add_optimizer_variables(variables, names), strict=True)
        return [AdadeltaState(*pair) for pair in pairs]

    def update_array(
        self, gradient: jax.Array, state: Any, parameter: jax.Array, scalars: Any
    ) -> tuple[jax.Array, Any]:
        return update(gradient, state, parameter, scalars, self.rho, self.epsilon)
