"""Adafactor: Adam's scaling with means of squares kept by row and by column only."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

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


class AdafactorState(NamedTuple):
    """Means of squares of one array: by row, by column (unused below two axes), by element."""

    row: Any
    column: Any
    velocity: Any


class AdafactorScalars(NamedTuple):
    """Relative step size, and share of the old means in the new ones."""

    relative_step: jax.Array
    decay: jax.Array


def root_mean_square(array: jax.Array) -> jax.Array:
    """sqrt(mean(x²)), a scalar."""
    return lax.sqrt(jnp.mean(lax.square(array)))


def update(
    gradient: jax.Array,
    state: AdafactorState,
    parameter: jax.Array,
    scalars: AdafactorScalars,
    epsilon_1: float,
    epsilon_2: float,
    clip_threshold: float,
) -> tuple[jax.Array, AdafactorState]:
    """One step for one array: the new parameter and the new state."""
    decay = scalars.decay
    squares = lax.square(gradient) + epsilon_1
    row, column = state.row, state.column
    if parameter.ndim >= 2:
        row = decay * row + (1 - decay) * jnp.mean(squares, axis=-1)  # (..., rows)
        column = decay * column + (1 - decay) * jnp.mean(squares, axis=-2)  # (..., columns)
        share = row / jnp.mean(row, axis=-1, keepdims=True)
        velocity = share[..., :, None] * column[..., None, :]
    else:
        velocity = decay * state.velocity + (1 - decay) * squares
    direction = gradient * lax.rsqrt(velocity)
    direction = direction / lax.max(
        jnp.ones((), parameter.dtype), root_mean_square(direction) / clip_threshold
    )
    size = lax.max(jnp.asarray(epsilon_2, parameter.dtype), root_mean_square(parameter))
    new = parameter - size * scalars.relative_step * direction
    return new, AdafactorState(row, column, velocity)


@register("optimizers/Adafactor")
class Adafactor(Optimizer):
    """Steps relative to the size of the weights, scaled by row and column means of squares.

    Choose it where memory is short, as in large language models.

    Args:
        learning_rate: Largest relative step size.
        beta_2_decay: Exponent of the step number in the share of new squares, negative.
        epsilon_1: Added to squared gradients.
        epsilon_2: Least size of the weights for the relative step.
        clip_threshold: Largest root mean square of the direction.
        relative_step: Whether the rate is min(learning_rate, 1 / sqrt(t)).
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: See
            `Optimizer`.

    Formula:
        β = 1 - t^beta_2_decay; R, C ← running row and column means of g² + epsilon_1
        U = g / sqrt(R Cᵀ / mean(R)), divided by max(1, rms(U) / clip_threshold)
        w ← w - max(epsilon_2, rms(w)) · rate · U
    Source:
        Shazeer & Stern 2018, arXiv:1804.04235, algorithms 4 and 5. Differs: the elementwise mean
        is kept as a variable too, so that state files are Keras's.
    Example:
        >>> Adafactor().beta_2_decay
        -0.8
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
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
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def make_states(self, variables: list[Variable]) -> list[AdafactorState]:
        return [self._make_state(variable) for variable in variables]

    def _make_state(self, variable: Variable) -> AdafactorState:
        shape, dtype = variable.shape, variable.own_dtype
        if len(shape) < 2:
            # Two unused numbers keep the order of variables that of Keras's files.
            row, column = (self.add_variable((), dtype="int32", name=variable.name) for _ in "rc")
        else:
            row = self.add_variable(shape[:-1], dtype=dtype, name=variable.name)
            column = self.add_variable(shape[:-2] + shape[-1:], dtype=dtype, name=variable.name)
        self._note_slot(row, variable, "row")
        self._note_slot(column, variable, "column")
        velocity = self.add_variable_from_reference(variable, "velocity")
        return AdafactorState(row, column, velocity)

    def prepare(
        self, values: Values, step: jax.Array, learning_rate: jax.Array
    ) -> AdafactorScalars:
        count = (step + 1).astype(jnp.float32)
        rate = lax.min(learning_rate, lax.rsqrt(count)) if self.relative_step else learning_rate
        return AdafactorScalars(rate, 1.0 - jnp.power(count, self.beta_2_decay))

    def update_array(
        self, gradient: jax.Array, state: Any, parameter: jax.Array, scalars: Any
    ) -> tuple[jax.Array, Any]:
        return update(
            gradient,
            state,
            parameter,
            scalars,
            self.epsilon_1,
            self.epsilon_2,
            self.clip_threshold,
        )
