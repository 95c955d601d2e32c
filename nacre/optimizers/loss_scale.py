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
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.ops.control import cond
from nacre.optimizers.arguments import OptimizerKeywords
from nacre.optimizers.by_path import Paths
from nacre.optimizers.optax_optimizer import as_optimizer
from nacre.optimizers.optimizer import COMMON_ARGUMENTS, Optimizer
from nacre.optimizers.update_order import Values
from nacre.optimizers.variable_list import VariableList

# What configs of Keras before 3.9 hold, where no moving average is kept.
_IDLE = ("ema_momentum", 0.99)
_FIRST_SCALE = 32768.0  # tf.keras default


@register("optimizers/LossScaleOptimizer")
class LossScaleOptimizer(Optimizer):
    """Multiplies the loss by a scale that halves after an overflow and doubles after calm steps.

    Choose it for training in float16; bfloat16 does not need it.

    Args:
        inner_optimizer: The optimizer that makes the steps.
        initial_scale: First scale.
        dynamic_growth_steps: The scale doubles after so many finite steps in a row.
        name: Name of the optimizer.
        kwargs: `dynamic`, of tf.keras 2: False keeps `initial_scale`, which must then be given.

    In a loop or `train_step` of your own take the gradients of `optimizer.scale_loss(loss)` and
    give them to `apply_gradients`, as in Keras 3; or, as in tf.keras 2, those of
    `optimizer.get_scaled_loss(loss)`, and give it `optimizer.get_unscaled_gradients(gradients)`.
    Gradients of a loss that was never scaled are taken as they are, which is told. (Keras divides
    them by the scale all the same, and the model hardly learns.)

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
    is_plain_apply = True
    __slots__ = (
        "_has_scaled_by_hand",
        "_has_scaled_loss",
        "_has_unscaled_gradients",
        "_has_warned",
        "_is_applying",
    )

    def __init__(
        self,
        inner_optimizer: Any,
        initial_scale: float = _FIRST_SCALE,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Unpack[OptimizerKeywords],
    ) -> None:
        old: dict[str, Any] = dict(kwargs)
        is_dynamic = bool(old.pop("dynamic", True))
        if not is_dynamic and initial_scale == _FIRST_SCALE:
            rule = "a scale that stays must be given"
            fix = "Pass initial_scale=1024.0 with it."
            raise ArgumentError(message("LossScaleOptimizer", rule, "dynamic=False alone", fix))
        for key, value in old.items():
            is_of_inner = key in (*COMMON_ARGUMENTS, "learning_rate_multipliers")
            if is_of_inner and value not in (None, False) and (key, value) != _IDLE:
                rule = f"{key} must be set on the inner optimizer"
                raise ArgumentError(message("LossScaleOptimizer", rule, f"{key}={value!r}"))
        rest = {key: value for key, value in old.items() if key not in COMMON_ARGUMENTS}
        super().__init__(0.0, name=name, **cast("OptimizerKeywords", rest))
        if isinstance(inner_optimizer, dict):
            inner_optimizer = deserialize_keras_object(inner_optimizer)
        inner_optimizer = as_optimizer(inner_optimizer)
        if not isinstance(inner_optimizer, Optimizer):
            rule = "inner_optimizer must be an optimizer"
            raise ArgumentError(message("LossScaleOptimizer", rule, repr(inner_optimizer)))
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        self.dynamic = is_dynamic
        self._has_scaled_loss = False  # since the last update
        self._has_scaled_by_hand = self._has_unscaled_gradients = False
        self._is_applying = self._has_warned = False

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state of both optimizers."""
        if not self.built:
            with name_scope(self.name):
                self.step_counter = self._own_scalar(0, "int32", "step_counter")
                scale = self._own_scalar(self.initial_scale, "float32", "dynamic_scale")
                self._dynamic_scale = scale
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
    def variables(self) -> VariableList:
        """Own variables, then those of the inner optimizer."""
        return VariableList([*self._variables, *self.inner_optimizer.variables])

    @property
    def moving_averages(self) -> list[Variable]:
        """The inner optimizer's averages."""
        return self.inner_optimizer.moving_averages

    @property
    def averaged_variables(self) -> list[Variable]:
        """The variables of which it keeps averages."""
        return self.inner_optimizer.averaged_variables

    def know_paths(self, paths: Paths) -> None:
        """Tell the inner optimizer under which paths variables lie in a model."""
        self.inner_optimizer.know_paths(paths)

    @property
    def iterations(self) -> Any:
        """Number of updates done so far; steps left out do not count."""
        return self.inner_optimizer.iterations

    @iterations.setter
    def iterations(self, value: Any) -> None:
        self.inner_optimizer.iterations = value

    @property
    def learning_rate(self) -> Any:
        """The inner optimizer's learning rate."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    lr = learning_rate

    @property
    def dynamic_scale(self) -> Variable:
        """The variable that holds the present scale; there is one once the optimizer is built."""
        self._note_reading()
        return self._dynamic_scale

    @property
    def dynamic_counter(self) -> Variable | None:
        """How many finite steps there were in a row (tf.keras 2); None of a scale that stays."""
        if not self.dynamic:
            return None
        return self.step_counter if self.built else Variable(np.int32(0), trainable=False)

    @property
    def loss_scale(self) -> Any:
        """The present scale, a float32 scalar (tf.keras 2)."""
        self._note_reading()
        return self._scale()

    def _scale(self) -> Any:
        return self._dynamic_scale.value if self.built else np.float32(self.initial_scale)

    def _note_reading(self) -> None:
        # Who reads the scale multiplies a loss by it; but for a log, after a step without it.
        if not self._has_warned:
            self._has_scaled_loss = True

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the present scale."""
        self._has_scaled_loss = True
        return loss * self._scale()

    def get_scaled_loss(self, loss: Any) -> Any:
        """The loss times the present scale (tf.keras 2).

        Args:
            loss: The loss, or a function without arguments that gives it: then such a function is
                given back.
        """
        if callable(loss):
            return lambda: self.scale_loss(loss())
        return self.scale_loss(loss)

    def get_unscaled_gradients(self, grads: Sequence[Any]) -> list[Any]:
        """Gradients of a scaled loss divided by the present scale (tf.keras 2).

        From the first call on `apply_gradients` takes gradients as they are, as there.
        """
        scale = self._scale()
        self._has_unscaled_gradients = True

        def unscaled(gradient: Any) -> Any:
            array = jnp.asarray(gradient)
            return (array.astype(jnp.float32) / scale).astype(array.dtype)

        return [None if g is None else unscaled(g) for g in grads]

    def apply(
        self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None
    ) -> None:
        """Update variables in place, unless a gradient is not finite; see `Optimizer.apply`."""
        self._is_applying = True
        self._has_scaled_by_hand = self._has_scaled_by_hand or self._has_scaled_loss
        if not self._has_scaled_by_hand and not self._has_warned:
            self._has_warned = True
            warn(
                message(
                    f"optimizer '{self.name}'",
                    "the loss should be scaled, or small float16 gradients are lost; these "
                    "gradients are taken as they are",
                    "gradients before the first call of scale_loss",
                    "Take the gradients of optimizer.scale_loss(loss).",
                )
            )
        try:
            super().apply(grads, trainable_variables)
        finally:
            self._is_applying = False

    def stateless_apply(
        self,
        optimizer_variables: Sequence[Any],
        grads: Sequence[Any],
        trainable_variables: Sequence[Any],
    ) -> tuple[list[Any], list[Any]]:
        """One update as a pure function, of gradients of a scaled loss; see
        `Optimizer.stateless_apply`."""
        if not self._is_applying:  # a loss that `fit` scaled says nothing of those given to apply
            self._has_scaled_loss = False
        return super().stateless_apply(optimizer_variables, grads, trainable_variables)

    def _takes_unscaled(self) -> bool:
        is_unscaled = self._has_unscaled_gradients or not self._has_scaled_by_hand
        return self._is_applying and is_unscaled

    def stateless_scale_loss(self, optimizer_variables: Sequence[Any], loss: Any) -> Any:
        """`scale_loss` as a pure function of the values of `variables`."""
        position = next(i for i, v in enumerate(self.variables) if v is self._dynamic_scale)
        return loss * optimizer_variables[position].astype(jnp.result_type(loss))

    def _advance(self, values: Values, gradients: list[Any], parameters: list[Any]) -> list[Any]:
        scale, counter = values[id(self._dynamic_scale)], values[id(self.step_counter)]
        finite = [jnp.all(jnp.isfinite(g)) for g in gradients if g is not None]
        keys = list(values)

        def apply() -> tuple[list[Any], list[Any]]:
            local = dict(values)
            divisor = jnp.float32(1.0) if self._takes_unscaled() else scale
            small = self._divided(
                gradients, lambda g, v: (g.astype(jnp.float32) / divisor).astype(v.own_dtype)
            )
            new = self.inner_optimizer._advance_as_part(local, small, parameters)
            if not self.dynamic:
                return new, [local[key] for key in keys]
            is_calm = counter + 1 >= self.dynamic_growth_steps
            local[id(self.step_counter)] = jnp.where(is_calm, 0, counter + 1).astype(counter.dtype)
            local[id(self._dynamic_scale)] = jnp.where(is_calm, scale * 2.0, scale)
            return new, [local[key] for key in keys]

        def skip() -> tuple[list[Any], list[Any]]:
            local = dict(values)
            if self.dynamic:
                local[id(self.step_counter)] = jnp.zeros_like(counter)
                local[id(self._dynamic_scale)] = scale / 2.0
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
        config = {
            "name": self.name,
            "inner_optimizer": plain_config(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }
        return config if self.dynamic else {**config, "dynamic": False}
