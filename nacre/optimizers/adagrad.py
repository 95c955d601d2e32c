"""Adagrad: steps divided by the root of the sum of all squared gradients so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Unpack

import jax
import numpy as np
from jax import lax

from nacre.core.registry import register
from nacre.core.variable import Variable
from nacre.optimizers.arguments import OptimizerKeywords
from nacre.optimizers.optimizer import Optimizer


class AdagradState(NamedTuple):
    """Sum of squared gradients of one array."""

    accumulator: Any


def update(
    gradient: jax.Array,
    state: AdagradState,
    parameter: jax.Array,
    learning_rate: jax.Array,
    epsilon: float,
) -> tuple[jax.Array, AdagradState]:
    """One step for one array: the new parameter and the new state."""
    total = state.accumulator + lax.square(gradient)
    return parameter - learning_rate * gradient * lax.rsqrt(total + epsilon), AdagradState(total)


def filled(value: float) -> Callable[..., np.ndarray]:
    """An initializer that fills an array with `value`."""

    def fill(shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
        return np.full(shape, value, dtype)

    return fill


@register("optimizers/Adagrad")
class Adagrad(Optimizer):
    """Steps that shrink for weights whose gradients were often large.

    Choose it for sparse features.

    Args:
        learning_rate: Step size.
        initial_accumulator_value: Start of the sum of squares.
        epsilon: Added to the sum, inside the root.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: See
            `Optimizer`.

    Formula:
        a ← a + g²
        w ← w - learning_rate · g / sqrt(a + epsilon)
    Source:
        Duchi, Hazan & Singer 2011, "Adaptive subgradient methods", figure 1.
    Example:
        >>> Adagrad(0.5).initial_accumulator_value
        0.1
    """

    arguments_of_state = (*Optimizer.arguments_of_state, "initial_accumulator_value")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
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
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def make_states(self, variables: list[Variable]) -> list[AdagradState]:
        first = filled(self.initial_accumulator_value)
        accumulators = self.add_optimizer_variables(variables, "accumulator", first)
        return [AdagradState(accumulator) for accumulator in accumulators]

    def update_array(
        self, gradient: jax.Array, state: Any, parameter: jax.Array, scalars: Any
    ) -> tuple[jax.Array, Any]:
        return update(gradient, state, parameter, scalars, self.epsilon)
