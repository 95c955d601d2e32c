"""Dynamic loss scaling: keeps float16 gradients away from zero and infinity."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack, cast

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.core.names import name_scope
from nacre.core.registry import deserialize_keras_object, plain_config, register
from nacre.core.typed_jax import cond
from nacre.core.variable import Variable
from nacre.optimizers.arguments import OldOptimizerKeywords
from nacre.optimizers.optimizer import COMMON_ARGUMENTS, Optimizer
from nacre.optimizers.update_order import Values


@register("optimizers/LossScaleOptimizer")
class LossScaleOptimizer(Optimizer):
    """Multiplies the loss by a scale that halves after an overflow and doubles after calm steps.

    Choose it for training in float16; bfloat16 does not need it.

    Args:
        inner_optimizer: The optimizer that makes the steps.
        initial_scale: First scale.
        dynamic_growth_steps: The scale doubles after so many finite steps in a row.
        name: Name of the optimizer.

    Formula:
        any gradient not finite: the step is left out, scale ← scale / 2
        else: gradients / scale go to the inner optimizer
    Raises:
        ArgumentError: An argument that belongs to the inner optimizer.
    Source:
        Micikevicius et al. 2017, arXiv:1710.03740, section 3.2.
    Example:
        >>> from nacre.optimizers import SGD
        >>> float(LossScaleOptimizer(SGD(), initial_scale=8.0).scale_loss(2.0))
        16.0
    """

    skips_non_finite_steps = True

    def __init__(
        self,
        inner_optimizer: Any,
        initial_scale: float = 32768.0,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Unpack[OldOptimizerKeywords],
    ) -> None:
        for key, value in kwargs.items():
            if key in COMMON_ARGUMENTS and value not in (None, False):
                rule = f"{key} must be set on the inner optimizer"
                raise ArgumentError(message("LossScaleOptimizer", rule, f"{key}={value!r}"))
        rest = {key: value for key, value in kwargs.items() if key not in COMMON_ARGUMENTS}
        super().__init__(0.0, name=name, **cast("OldOptimizerKeywords", rest))
        if isinstance(inner_optimizer, dict):
            inner_optimizer = deserialize_keras_object(inner_optimizer)
        if not isinstance(inner_optimizer, Optimizer):
            rule = "inner_optimizer must be an optimizer"
            raise ArgumentError(message("LossScaleOptimizer", rule, repr(inner_optimizer)))
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state of both optimizers."""
        if not self.built:
            with name_scope(self.name):
                self.step_counter = self._own_scalar(0, "int32", "step_counter")
                scale = self._own_scalar(self.initial_scale, "float32", "dynamic_scale")
                self.dynamic_scale = scale
        super().build(variables)
        self.inner_optimizer.build(variables)

    def rebuild(self, variables: Sequence[Variable]) -> None:
        """Go on with other trainable variables; the scale goes on too."""
        if not self.built:
            self.build(variables)
            return
        self._trainable_variables = list(variables)
        self.inner_optimizer.rebuild(variables)

    @property
    def variables(self) -> list[Variable]:
        """Own variables, then those of the inner optimizer."""
        return [*self._variables, *self.inner_optimizer.variables]

    @property
    def moving_averages(self) -> list[Variable]:
        """The inner optimizer's averages."""
        return self.inner_optimizer.moving_averages

    @property
    def iterations(self) -> Any:
        """Number of updates done so far; steps left out do not count."""
        return self.inner_optimizer.iterations

    @iterations.setter
    def iterations(self, variable: Variable) -> None:
        self.inner_optimizer.iterations = variable

    @property
    def learning_rate(self) -> Any:
        """The inner optimizer's learning rate."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    lr = learning_rate

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the present scale."""
        return loss * (self.dynamic_scale.value if self.built else np.float32(self.initial_scale))

    def stateless_scale_loss(self, optimizer_variables: Sequence[Any], loss: Any) -> Any:
        """`scale_loss` as a pure function of the values of `variables`."""
        position = next(i for i, v in enumerate(self.variables) if v is self.dynamic_scale)
        return loss * optimizer_variables[position].astype(jnp.result_type(loss))

    def _advance(self, values: Values, gradients: list[Any], parameters: list[Any]) -> list[Any]:
        scale, counter = values[id(self.dynamic_scale)], values[id(self.step_counter)]
        finite = [jnp.all(jnp.isfinite(g)) for g in gradients if g is not None]
        keys = list(values)

        def apply() -> tuple[list[Any], list[Any]]:
            local = dict(values)
            small = self._divided(
                gradients, lambda g, v: (g.astype(jnp.float32) / scale).astype(v.own_dtype)
            )
            new = self.inner_optimizer._advance_unscaled(local, small, parameters)
            is_calm = counter + 1 >= self.dynamic_growth_steps
            local[id(self.step_counter)] = jnp.where(is_calm, 0, counter + 1).astype(counter.dtype)
            local[id(self.dynamic_scale)] = jnp.where(is_calm, scale * 2.0, scale)
            return new, [local[key] for key in keys]

        def skip() -> tuple[list[Any], list[Any]]:
            local = dict(values)
            local[id(self.step_counter)] = jnp.zeros_like(counter)
            local[id(self.dynamic_scale)] = scale / 2.0
            return list(parameters), [local[key] for key in keys]

        new, slots = cond(jnp.all(jnp.stack(finite)), apply, skip)
        values.update(zip(keys, slots, strict=True))
        return new

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[Variable] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        """Leave variables out of the inner optimizer's weight decay."""
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Put the inner optimizer's averages into the variables."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {
            "name": self.name,
            "inner_optimizer": plain_config(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }
