"""Muon: momentum made orthogonal for matrices, Adam for everything else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Unpack

import jax

from nacre.core.registry import register
from nacre.core.variable import Variable
from nacre.optimizers import adam
from nacre.optimizers.arguments import OptimizerKeywords
from nacre.optimizers.gradients import norm
from nacre.optimizers.optimizer import Optimizer
from nacre.optimizers.update_order import Values


class MuonState(NamedTuple):
    """Momentum of one matrix."""

    momentum: Any


class MuonScalars(NamedTuple):
    """Step size of matrices, bias-corrected step size of Adam."""

    learning_rate: jax.Array
    adam_rate: jax.Array


def orthogonalized(
    matrix: jax.Array, coefficients: tuple[float, float, float], steps: int
) -> jax.Array:
    """A matrix near the orthogonal factor of `matrix`, by Newton-Schulz iteration.

    Formula:
        X ← a · X + (b · A + c · A²) · X with A = X Xᵀ, from X = matrix / ‖matrix‖
    """
    a, b, c = coefficients
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if is_tall else matrix
    x = x / (norm(x).astype(x.dtype) + 1e-7)  # 1e-7: keeps a zero gradient finite
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if is_tall else x


def update(
    gradient: jax.Array,
    state: MuonState,
    parameter: jax.Array,
    learning_rate: jax.Array,
    momentum: float,
    nesterov: bool,
    coefficients: tuple[float, float, float],
    ns_steps: int,
    rms_rate: float | None,
) -> tuple[jax.Array, MuonState]:
    """One step for one matrix: the new parameter and the new state."""
    velocity = momentum * state.momentum + gradient
    direction = gradient + momentum * velocity if nesterov else velocity
    step = orthogonalized(direction, coefficients, ns_steps)
    factor = 1.0 if rms_rate is None else rms_rate * max(parameter.shape) ** 0.5
    return parameter - learning_rate * factor * step, MuonState(velocity)


@register("optimizers/Muon")
class Muon(Optimizer):
    """Orthogonal steps for hidden matrices; embeddings, vectors and chosen layers use AdamW.

    Choose it for transformers, with the output layer named in `exclude_layers`.

    Args:
        learning_rate: Step size.
        adam_beta_1, adam_beta_2: Adam's shares of the old means.
        adam_weight_decay: Weight decay of the variables that use Adam.
        epsilon: Added to Adam's root.
        weight_decay: Weight decay of the matrices.
        exclude_layers: Regular expressions; variables whose path matches one use Adam.
        exclude_embeddings: Whether variables with 'embedding' in their path use Adam.
        muon_a, muon_b, muon_c: Coefficients of the iteration.
        adam_lr_ratio: Adam's learning rate as a multiple of `learning_rate`.
        momentum: Share of the old momentum in the new one.
        ns_steps: Number of iterations.
        nesterov: Whether to look ahead along the momentum.
        rms_rate: Makes a step's root mean square that of Adam; None leaves the step orthogonal.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: See
            `Optimizer`.

    Source:
        Jordan 2024, "Muon: an optimizer for hidden layers"; scaling by `rms_rate`: Liu et al.
        2025, arXiv:2502.16982, section 2.2.
    Example:
        >>> Muon(exclude_layers=["output"]).ns_steps
        5
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
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
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = list(exclude_layers or [])
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def uses_adam(self, variable: Variable) -> bool:
        """Whether a variable takes Adam's step."""
        if len(variable.shape) != 2:
            return True
        if self.exclude_embeddings and "embedding" in variable.path.lower():
            return True
        return any(re.search(text, variable.path) for text in self.exclude_layers)

    def make_states(self, variables: list[Variable]) -> list[Any]:
        states: list[Any] = []
        for variable in variables:
            momentum = self.add_variable_from_reference(variable, "momentum")
            if self.uses_adam(variable):
                velocity = self.add_variable_from_reference(variable, "velocity")
                states.append(adam.AdamState(momentum, velocity))
            else:
                states.append(MuonState(momentum))
        return states

    def decay_of(self, variable: Variable) -> float | None:
        return self.adam_weight_decay if self.uses_adam(variable) else self.weight_decay

    def prepare(self, values: Values, step: jax.Array, learning_rate: jax.Array) -> MuonScalars:
        adam_rate = learning_rate * self.adam_lr_ratio
        corrected = adam.corrected_rate(step, adam_rate, self.adam_beta_1, self.adam_beta_2)
        return MuonScalars(learning_rate, corrected)

    def update_array(
        self, gradient: jax.Array, state: Any, parameter: jax.Array, scalars: Any
    ) -> tuple[jax.Array, Any]:
        if isinstance(state, adam.AdamState):
            rate = scalars.adam_rate
            betas = self.adam_beta_1, self.adam_beta_2
            return adam.update(gradient, state, parameter, rate, *betas, self.epsilon)
        return update(
            gradient,
            state,
            parameter,
            scalars.learning_rate,
            self.momentum,
            self.nesterov,
            (self.muon_a, self.muon_b, self.muon_c),
            self.ns_steps,
            self.rms_rate,
        )
