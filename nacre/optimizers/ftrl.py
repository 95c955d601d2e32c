"""FTRL-Proximal: follow the regularized leader, with weights that become exactly zero."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from typing import Any, NamedTuple, Unpack

import jax
import jax.numpy as jnp
from jax import lax

from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.core.variable import Variable
from nacre.optimizers.adagrad import filled
from nacre.optimizers.arguments import OptimizerKeywords
from nacre.optimizers.optimizer import Optimizer


class FtrlState(NamedTuple):
    """Sum of squared gradients and the linear term of one array."""

    accumulator: Any
    linear: Any


class FtrlConstants(NamedTuple):
    """The arguments of the formula."""

    power: float
    l1: float
    l2: float
    l2_shrinkage: float
    beta: float


def update(
    gradient: jax.Array,
    state: FtrlState,
    parameter: jax.Array,
    learning_rate: jax.Array,
    constants: FtrlConstants,
) -> tuple[jax.Array, FtrlState]:
    """One step for one array: the new parameter and the new state."""
    power, l1, l2, l2_shrinkage, beta = constants
    total = state.accumulator + lax.square(gradient)
    after = jnp.power(total, -power)
    growth = (after - jnp.power(state.accumulator, -power)) / learning_rate
    shrunk = gradient + 2 * l2_shrinkage * parameter
    linear = state.linear + shrunk - growth * parameter
    quadratic = after / learning_rate + 2 * (l2 + beta / (2 * learning_rate))
    most = l1 * jnp.ones((), linear.dtype)  # of a variable too
    new = (jnp.clip(linear, -most, most) - linear) / quadratic
    return new, FtrlState(total, linear)


@register("optimizers/Ftrl")
class Ftrl(Optimizer):
    """Per-weight step sizes with regularization built into the step.

    Choose it for wide linear models with sparse features.

    Args:
        learning_rate: Step size.
        learning_rate_power: How the step shrinks with the sum of squares; 0 keeps it fixed, never
            positive.
        initial_accumulator_value: Start of the sum of squares.
        l1_regularization_strength: L1 penalty; weights below it become zero.
        l2_regularization_strength: L2 penalty, kept steady.
        l2_shrinkage_regularization_strength: L2 penalty that acts through the gradient.
        beta: Added to the root of the sum of squares.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: See
            `Optimizer`.

    Formula:
        n' = n + g²; z ← z + g + 2 · shrinkage · w - (n'^-p - n^-p) / learning_rate · w
        w ← (clip(z, -l1, l1) - z) / ((beta + n'^-p) / learning_rate + 2 · l2)
    Raises:
        ArgumentError: A strength is negative or `learning_rate_power` positive.
    Source:
        McMahan et al. 2013, "Ad click prediction: a view from the trenches", algorithm 1.
        Differs: p and the shrinkage are additions.
    Example:
        >>> Ftrl(0.1, l1_regularization_strength=0.01).beta
        0.0
    """

    arguments_of_state = (*Optimizer.arguments_of_state, "initial_accumulator_value")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
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
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        self._check()

    def _check(self) -> None:
        least_zero = (
            "initial_accumulator_value",
            "l1_regularization_strength",
            "l2_regularization_strength",
            "l2_shrinkage_regularization_strength",
        )
        for name in least_zero:
            if getattr(self, name) < 0:
                rule = f"{name} must not be negative"
                raise ArgumentError(message("Ftrl", rule, repr(getattr(self, name))))
        if self.learning_rate_power > 0:
            rule = "learning_rate_power must not be positive"
            raise ArgumentError(message("Ftrl", rule, repr(self.learning_rate_power)))

    def make_states(self, variables: list[Variable]) -> list[FtrlState]:
        firsts = [filled(self.initial_accumulator_value), "zeros"]
        slots = self.add_optimizer_variables(variables, ["accumulator", "linear"], firsts)
        return [FtrlState(*pair) for pair in zip(*slots, strict=True)]

    def update_array(
        self, gradient: jax.Array, state: Any, parameter: jax.Array, scalars: Any
    ) -> tuple[jax.Array, Any]:
        constants = FtrlConstants(
            self.learning_rate_power,
            self.l1_regularization_strength,
            self.l2_regularization_strength,
            self.l2_shrinkage_regularization_strength,
            self.beta,
        )
        return update(gradient, state, parameter, scalars, constants)
