"""Adamax: Adam with the largest recent gradient in place of the root mean square."""

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


class AdamaxState(NamedTuple):
    """Running mean of gradients and decaying largest absolute gradient of one array."""

    momentum: Any
    norm: Any


def update(
    gradient: jax.Array,
    state: AdamaxState,
    parameter: jax.Array,
    rate: jax.Array,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[jax.Array, AdamaxState]:
    """One step for one array; `rate` is learning_rate / (1 - beta_1^t)."""
    momentum = state.momentum + (gradient - state.momentum) * (1 - beta_1)
    largest = lax.max(beta_2 * state.norm, lax.abs(gradient))
    return parameter - rate * momentum / (largest + epsilon), AdamaxState(momentum, largest)


@register("optimizers/Adamax")
class Adamax(Optimizer):
    """Adam with the infinity norm.

    Choose it for embeddings and noisy, sparse gradients.

    Args:
        learning_rate: Step size.
        beta_1: Share of the old mean of gradients in the new one.
        beta_2: Decay of the largest absolute gradient.
        epsilon: Added to the divisor.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: See
            `Optimizer`.

    Formula:
        m ← beta_1 · m + (1 - beta_1) · g
        u ← max(beta_2 · u, |g|)
        w ← w - learning_rate / (1 - beta_1^t) · m / (u + epsilon)
    Source:
        Kingma & Ba 2014, arXiv:1412.6980, section 7.1. Differs: epsilon, which the paper omits.
    Example:
        >>> Adamax().beta_1
        0.9
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

    def make_states(self, variables: list[Variable]) -> list[AdamaxState]:
        pairs = zip(*self.add_optimizer_variables(variables, ["momentum", "norm"]), strict=True)
        return [AdamaxState(*pair) for pair in pairs]

    def prepare(self, values: Values, step: jax.Array, learning_rate: jax.Array) -> jax.Array:
        count = (step + 1).astype(jnp.float32)
        return learning_rate / (1.0 - jnp.power(jnp.float32(self.beta_1), count))

    def update_array(
        self, gradient: jax.Array, state: Any, parameter: jax.Array, scalars: Any
    ) -> tuple[jax.Array, Any]:
        return update(gradient, state, parameter, scalars, self.beta_1, self.beta_2, self.epsilon)
