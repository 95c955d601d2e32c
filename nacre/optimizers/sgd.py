"""Gradient descent, with momentum if wanted."""

from __future__ import annotations

from typing import Any, NamedTuple, Unpack

import jax

from nacre.core.registry import register
from nacre.core.variable import Variable
from nacre.optimizers.arguments import OptimizerKeywords, check_range
from nacre.optimizers.optimizer import Optimizer


class SGDState(NamedTuple):
    """Momentum of one array."""

    momentum: Any


def update(
    gradient: jax.Array,
    state: SGDState | None,
    parameter: jax.Array,
    learning_rate: jax.Array,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> tuple[jax.Array, SGDState | None]:
    """One step for one array: the new parameter and the new state."""
    if state is None:
        return parameter - learning_rate * gradient, None
    velocity = momentum * state.momentum - learning_rate * gradient
    delta = momentum * velocity - learning_rate * gradient if nesterov else velocity
    return parameter + delta, SGDState(velocity)


@register("optimizers/SGD")
class SGD(Optimizer):
    """Gradient descent.

    Choose it with momentum for image models trained long; it needs a well-chosen learning rate.

    Args:
        learning_rate: Step size.
        momentum: Share of the last step kept in the next, 0 to 1.
        nesterov: Whether to look ahead along the momentum.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: See
            `Optimizer`.

    Formula:
        v ← momentum · v - learning_rate · g
        w ← w + v, or w + momentum · v - learning_rate · g with nesterov
    Source:
        Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
        Differs: the learning rate is inside the velocity, as in Keras.
    Example:
        >>> weight = Variable([1.0], name="weight")
        >>> _ = SGD(0.1, momentum=0.9).apply_gradients([([1.0], weight)])
        >>> weight.numpy()
        array([0.9], dtype=float32)
    """

    arguments_of_state = (*Optimizer.arguments_of_state, "momentum")

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
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
        check_range("SGD", "momentum", momentum)
        self.momentum = momentum
        self.nesterov = nesterov

    def make_states(self, variables: list[Variable]) -> list[SGDState | None]:
        if not self.momentum:
            return [None] * len(variables)
        return [SGDState(v) for v in self.add_optimizer_variables(variables, "momentum")]

    def update_array(
        self, gradient: jax.Array, state: Any, parameter: jax.Array, scalars: Any
    ) -> tuple[jax.Array, Any]:
        return update(gradient, state, parameter, scalars, self.momentum, self.nesterov)
