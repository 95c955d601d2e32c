"""Nadam: Adam that looks ahead along its momentum."""

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


class NadamState(NamedTuple):
    """Running means of one array: of the gradient and of its square."""

    momentum: Any
    velocity: Any


class NadamScalars(NamedTuple):
    """Factors of one step: on the momentum, on the gradient, and on the mean of squares."""

    momentum_rate: jax.Array
    gradient_rate: jax.Array
    velocity_correction: jax.Array


def update(
    gradient: jax.Array,
    state: NadamState,
    parameter: jax.Array,
    scalars: NadamScalars,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[jax.Array, NadamState]:
    """One step for one array: the new parameter and the new state."""
    momentum = state.momentum + (gradient - state.momentum) * (1 - beta_1)
    velocity = state.velocity + (lax.square(gradient) - state.velocity) * (1 - beta_2)
    ahead = scalars.momentum_rate * momentum + scalars.gradient_rate * gradient
    root = lax.sqrt(velocity * scalars.velocity_correction)
    return parameter - ahead / (root + epsilon), NadamState(momentum, velocity)


@register("optimizers/Nadam")
class Nadam(Optimizer):
    """Adam with Nesterov momentum, whose share grows during the first steps.

    Args:
        learning_rate: Step size.
        beta_1: Share of the old mean of gradients in the new one.
        beta_2: The same for the mean of squares.
        epsilon: Added to the root.
        schedule_decay: How fast the share of momentum grows: factor of t in 0.96^t. It is 0.004 in
            Keras 1, and in `keras.optimizers.legacy` of tf.keras 2.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: See
            `Optimizer`.

    Formula:
        u_t = beta_1 · (1 - 0.5 · 0.96^(t · schedule_decay)), U_t = u_1 · … · u_t
        m, v as in Adam
        step = u_{t+1} · m / (1 - U_{t+1}) + (1 - u_t) · g / (1 - U_t)
        w ← w - learning_rate · step / (sqrt(v / (1 - beta_2^t)) + epsilon)
    Source:
        Dozat 2015, "Incorporating Nesterov momentum into Adam".
    Example:
        >>> Nadam().beta_2
        0.999
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
        *,
        schedule_decay: float = 1.0,
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
        self.schedule_decay = schedule_decay

    def momentum_share(self, time: Any) -> Any:
        """u of the formula at update `time`, counted from 1; of an array for each."""
        return self.beta_1 * (1.0 - 0.5 * 0.96 ** (time * self.schedule_decay))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data; Keras's alone where nothing else was set."""
        config = super().get_config()
        if self.schedule_decay == 1.0:
            del config["schedule_decay"]
        return config

    def make_states(self, variables: list[Variable]) -> list[NadamState]:
        pairs = zip(*self.add_optimizer_variables(variables, ["momentum", "velocity"]), strict=True)
        states = [NadamState(*pair) for pair in pairs]
        # The product U; its name is the one files of Keras have.
        self._product = self.add_variable((), "ones", dtype="float32", name="variable")
        return states

    def prepare(self, values: Values, step: jax.Array, learning_rate: jax.Array) -> NadamScalars:
        count = (step + 1).astype(jnp.float32)

        now, following = self.momentum_share(count), self.momentum_share(count + 1.0)
        product = values[id(self._product)] * now
        values[id(self._product)] = product
        return NadamScalars(
            learning_rate * following / (1.0 - product * following),
            learning_rate * (1.0 - now) / (1.0 - product),
            1.0 / (1.0 - jnp.power(jnp.float32(self.beta_2), count)),
        )

    def update_array(
        self, gradient: jax.Array, state: Any, parameter: jax.Array, scalars: Any
    ) -> tuple[jax.Array, Any]:
        return update(gradient, state, parameter, scalars, self.beta_1, self.beta_2, self.epsilon)
