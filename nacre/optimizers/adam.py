"""Adam and AdamW: steps scaled by running means of the gradient and of its square."""

# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false

from __future__ import annotations

from typing import Any, NamedTuple, Unpack

import jax
import jax.numpy as jnp
from jax import lax

from nacre.core.errors import ArgumentError, message
from nacre.core.protocols import speaks_for
from nacre.core.registry import register
from nacre.core.variable import Variable
from nacre.ops.kernels import adam_native
from nacre.ops.kernels.adam_native import Arrays
from nacre.ops.kernels.native.table import AdamWork
from nacre.optimizers.arguments import OptimizerKeywords
from nacre.optimizers.optimizer import Optimizer
from nacre.optimizers.update_order import Values


class AdamState(NamedTuple):
    """Running means of one array: of the gradient, of its square, and the largest of the latter."""

    momentum: Any
    velocity: Any
    velocity_hat: Any = None


def corrected_rate(
    step: jax.Array, learning_rate: jax.Array, beta_1: float, beta_2: float
) -> jax.Array:
    """The step size with both bias corrections in it, for the step numbered from 0.

    Formula:
        learning_rate · sqrt(1 - beta_2^t) / (1 - beta_1^t), t = step + 1
    """
    count = (step + 1).astype(jnp.float32)
    first = 1.0 - jnp.power(jnp.float32(beta_1), count)
    second = 1.0 - jnp.power(jnp.float32(beta_2), count)
    return learning_rate * lax.sqrt(second) / first


def update(
    gradient: jax.Array,
    state: AdamState,
    parameter: jax.Array,
    rate: jax.Array,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[jax.Array, AdamState]:
    """One step for one array, `rate` from `corrected_rate`."""
    momentum = state.momentum + (gradient - state.momentum) * (1 - beta_1)
    velocity = state.velocity + (lax.square(gradient) - state.velocity) * (1 - beta_2)
    largest = state.velocity_hat
    if largest is not None:
        largest = lax.max(largest, velocity)
    root = lax.sqrt(velocity if largest is None else largest)
    new = parameter - momentum * rate / (root + epsilon)
    return new, AdamState(momentum, velocity, largest)


@register("optimizers/Adam")
class Adam(Optimizer):
    """Step sizes adapted to each weight from running means of the gradient and its square.

    Choose it when in doubt.

    Args:
        learning_rate: Step size.
        beta_1: Share of the old mean of gradients in the new one.
        beta_2: The same for the mean of squares.
        epsilon: Added to the root ("epsilon hat" of the paper, before its section 2.1).
        amsgrad: Whether to divide by the largest mean of squares seen.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: See
            `Optimizer`.

    Formula:
        m ← beta_1 · m + (1 - beta_1) · g
        v ← beta_2 · v + (1 - beta_2) · g²
        w ← w - learning_rate · sqrt(1 - beta_2^t) / (1 - beta_1^t) · m / (sqrt(v) + epsilon)
    Source:
        Kingma & Ba 2014, arXiv:1412.6980; amsgrad: Reddi et al. 2018, arXiv:1904.09237.
    Attributes:
        is_plain_update: Said by a class whose `update_array` is this formula, so that a compiled
            kernel may run it.
    Example:
        >>> weight = Variable([1.0], name="weight")
        >>> _ = Adam(0.1).apply_gradients([([5.0], weight)])
        >>> weight.numpy().round(4)
        array([0.9], dtype=float32)
    """

    is_plain_update: bool = True

    arguments_of_state = (*Optimizer.arguments_of_state, "amsgrad")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
        self.amsgrad = amsgrad

    def make_states(self, variables: list[Variable]) -> list[AdamState]:
        momentums, velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        largest: list[Any] = [None] * len(variables)
        if self.amsgrad:
            largest = self.add_optimizer_variables(variables, "velocity_hat")
        return [AdamState(*parts) for parts in zip(momentums, velocities, largest, strict=True)]

    def prepare(self, values: Values, step: jax.Array, learning_rate: jax.Array) -> jax.Array:
        return corrected_rate(step, learning_rate, self.beta_1, self.beta_2)

    def update_array(
        self, gradient: jax.Array, state: Any, parameter: jax.Array, scalars: Any
    ) -> tuple[jax.Array, Any]:
        return update(gradient, state, parameter, scalars, self.beta_1, self.beta_2, self.epsilon)

    def _update_arrays(
        self,
        gradients: list[jax.Array],
        states: list[Any],
        parameters: list[jax.Array],
        decays: list[Any],
        scalars: Any,
    ) -> list[tuple[jax.Array, Any]]:
        by_array = super()._update_arrays
        constants = self.beta_1, self.beta_2, self.epsilon
        is_classic = (
            not self.amsgrad
            and speaks_for(self, "is_plain_update", "update_array")
            and all(isinstance(constant, int | float) for constant in constants)
        )
        means = list(zip(*states, strict=True)) if is_classic else [(), ()]
        work = AdamWork(parameters, means[0], means[1], gradients, is_classic)
        if not adam_native.is_used(work):
            return by_array(gradients, states, parameters, decays, scalars)

        def formula(
            rate: jax.Array, decays: list[Any], *arrays: Arrays
        ) -> tuple[Arrays, Arrays, Arrays]:
            parameters, momentums, velocities, gradients = map(list, arrays)
            states = [AdamState(*means) for means in zip(momentums, velocities, strict=True)]
            new = by_array(gradients, states, parameters, decays, rate)
            momentums, velocities = ([state[i] for _, state in new] for i in range(2))
            return [parameter for parameter, _ in new], momentums, velocities

        new = adam_native.update(formula, constants, scalars, decays, work)
        return [(parameter, AdamState(*means)) for parameter, *means in zip(*new, strict=True)]


@register("optimizers/AdamW")
class AdamW(Adam):
    """Adam with weight decay taken off the weights, not mixed into the gradient.

    Choose it for transformers and wherever Adam overfits.

    Args:
        learning_rate: Step size.
        weight_decay: Share of each weight taken off a step, times the learning rate.
        beta_1, beta_2, epsilon, amsgrad: See `Adam`.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: See
            `Optimizer`.

    Formula:
        w ← w - learning_rate · weight_decay · w, then Adam
    Raises:
        ArgumentError: `weight_decay` is None.
    Source:
        Loshchilov & Hutter 2017, arXiv:1711.05101.
    Example:
        >>> AdamW(weight_decay=0.01).weight_decay
        0.01
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            amsgrad=amsgrad,
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
        if weight_decay is None:
            rule = "weight_decay must be a number"
            raise ArgumentError(message("AdamW", rule, "None", "Use Adam for none."))
