"""Lion: steps of one size, in the direction of the sign of the momentum."""

from __future__ import annotations

from typing import Any, NamedTuple, Unpack

import jax
from jax import lax

from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.core.variable import Variable
from nacre.optimizers.arguments import OptimizerKeywords
from nacre.optimizers.optimizer import Optimizer


class LionState(NamedTuple):
    """Running mean of gradients of one array."""

    momentum: Any


def update(
    gradient: jax.Array,
    state: LionState,
    parameter: jax.Array,
    learning_rate: jax.Array,
    beta_1: float,
    beta_2: float,
) -> tuple[jax.Array, LionState]:
    """One step for one array: the new parameter and the new state."""
    direction = beta_1 * state.momentum + (1 - beta_1) * gradient
    momentum = beta_2 * state.momentum + (1 - beta_2) * gradient
    return parameter - learning_rate * lax.sign(direction), LionState(momentum)


@register("optimizers/Lion")
class Lion(Optimizer):
    """Sign of the momentum as the step: half the state of Adam.

    Choose it for large models; its learning rate should be 3 to 10 times smaller than Adam's.

    Args:
        learning_rate: Step size.
        beta_1: Share of the momentum in the direction.
        beta_2: Share of the old momentum in the new one.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: See
            `Optimizer`.

    Formula:
        w ← w - learning_rate · sign(beta_1 · m + (1 - beta_1) · g)
        m ← beta_2 · m + (1 - beta_2) · g
    Raises:
        ArgumentError: `beta_1` is not in (0, 1].
    Source:
        Chen et al. 2023, arXiv:2302.06675, algorithm 2.
    Example:
        >>> Lion(1e-4).beta_2
        0.99
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
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
        if not 0 < beta_1 <= 1:
            rule = "beta_1 must be above 0 and at most 1"
            raise ArgumentError(message("Lion", rule, repr(beta_1), "Use SGD for none."))
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def make_states(self, variables: list[Variable]) -> list[LionState]:
        return [LionState(v) for v in self.add_optimizer_variables(variables, "momentum")]

    def update_array(
        self, gradient: jax.Array, state: Any, parameter: jax.Array, scalars: Any
    ) -> tuple[jax.Array, Any]:
        return update(gradient, state, parameter, scalars, self.beta_1, self.beta_2)
