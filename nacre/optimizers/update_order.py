"""One update of every optimizer, in its order:

    unscale → accumulate → clip → decay → apply → average → constrain

Unscaling and accumulating happen in every call; the rest in every update, which is every call, or
every n-th one with `gradient_accumulation_steps=n`. Schedules, bias corrections, averages and
`iterations` count updates.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import inspect
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.core.scope import StatelessScope
from nacre.core.variable import Variable
from nacre.ops.control import cond
from nacre.optimizers import gradients as clipping
from nacre.optimizers.by_path import Key, find_key
from nacre.optimizers.schedules.base import LearningRateSchedule
from nacre.optimizers.variables import OptimizerVariables

# id(variable) -> its value during one step
Values = dict[int, Any]


class UpdateOrder(OptimizerVariables):
    """The mathematics that all optimizers share, on arrays; `Optimizer` adds what people call.

    Methods take the present values of the optimizer's own variables in `values` and put the new
    ones there. Gradients and parameters are lists in the order of the variables it was built for;
    None stands for a variable without gradient.
    """

    weight_decay: float | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    _iterations: Variable  # counts calls
    _learning_rate: Any  # a variable, a schedule or a function
    learning_rate_multipliers: dict[Key, float] | None
    _exclusions: list[str]

    # The order ------------------------------------------------------------------------------------

    def _advance(self, values: Values, gradients: list[Any], parameters: list[Any]) -> list[Any]:
        """One call: gives the new parameters."""
        gradients = self._unscale(gradients)
        return self._advance_unscaled(values, gradients, parameters)

    def _advance_unscaled(
        self, values: Values, gradients: list[Any], parameters: list[Any]
    ) -> list[Any]:
        gradients, parameters = self._overwrite(gradients, parameters)
        if self.gradient_accumulation_steps:
            new = self._accumulate(values, gradients, parameters)  # updates when it is due
        else:
            new = self._update(values, gradients, parameters)
        calls = values[id(self._iterations)]
        values[id(self._iterations)] = calls + jnp.ones((), calls.dtype)
        return new

    def _update(
        self,
        values: Values,
        gradients: list[Any],
        parameters: list[Any],
        is_absent: Sequence[Any] = (),
    ) -> list[Any]:
        """One update. `is_absent`: see `_leave_absent`."""
        step, rate, before = self._step(values), self._rate(values), dict(values)
        gradients = self._clip(gradients)
        decays = self._decays(gradients, rate)
        new = self._apply_rule(values, gradients, parameters, decays, step, rate)
        new = self._leave_absent(values, before, new, parameters, is_absent)
        new = self._average(values, new, step)
        return self._constrain(new)

    # What it is made of ---------------------------------------------------------------------------

    def _step(self, values: Values) -> jax.Array:
        """Number of updates before this call."""
        calls = values[id(self._iterations)]
        steps = self.gradient_accumulation_steps
        return calls // steps if steps else calls

    def _rate(self, values: Values) -> jax.Array:
        """The learning rate of this update, a float32 scalar."""
        holder = self._learning_rate
        if holder is None:
            rule = "an optimizer must have a learning rate"
            fix = "Pass it on: super().__init__(learning_rate=learning_rate)."
            raise ArgumentError(message(type(self).__name__, rule, "None", fix))
        if isinstance(holder, LearningRateSchedule):
            rate = holder(self._step(values))
        elif isinstance(holder, Variable):
            rate = values[id(holder)]
        else:
            rate = holder()
        return jnp.asarray(rate).astype(jnp.float32)

    def _multiplier_of(self, variable: Variable) -> float:
        """What the learning rate of one variable is multiplied by."""
        multipliers = self.learning_rate_multipliers
        if not multipliers:
            return 1.0
        paths = self._paths.get(id(variable), ())
        key = find_key(f"optimizer '{self.name}'", multipliers, variable, paths)
        return 1.0 if key is None else multipliers[key]

    def _keys(self) -> list[Key]:
        return list(self.learning_rate_multipliers or ())

    def _unscale(self, gradients: list[Any]) -> list[Any]:
        factor = self.loss_scale_factor
        return gradients if factor is None else self._divided(gradients, lambda g, _: g / factor)

    def _divided(self, gradients: list[Any], divide: Callable[[Any, Variable], Any]) -> list[Any]:
        """Gradients without a loss scale; values to overwrite a variable with have none."""
        pairs = zip(gradients, self._trainable_variables, strict=True)
        return [g if g is None or v.overwrite_with_gradient else divide(g, v) for g, v in pairs]

    def _overwrite(
        self, gradients: list[Any], parameters: list[Any]
    ) -> tuple[list[Any], list[Any]]:
        """Variables whose "gradient" is their next value take it in every call, as it is."""
        left, new = list(gradients), list(parameters)
        for i, variable in enumerate(self._trainable_variables):
            if variable.overwrite_with_gradient and gradients[i] is not None:
                left[i], new[i] = None, gradients[i].astype(parameters[i].dtype)
        return left, new

    def _accumulate(self, values: Values, gradients: list[Any], parameters: list[Any]) -> list[Any]:
        """Add to the sums; at every n-th call update with their means and begin again."""
        steps = self.gradient_accumulation_steps
        pairs = zip(self._accumulators, gradients, strict=True)
        sums = [values[id(a)] if g is None else values[id(a)] + g.astype(a.dtype) for a, g in pairs]
        keys = list(values)

        def update() -> tuple[list[Any], list[Any]]:
            local = dict(values)
            means = [s / steps for s in sums]
            is_absent = [
                None if g is not None else ~jnp.any(s) for s, g in zip(sums, gradients, strict=True)
            ]
            new = self._update(local, means, parameters, is_absent)
            for accumulator, total in zip(self._accumulators, sums, strict=True):
                local[id(accumulator)] = jnp.zeros_like(total)
            return new, [local[key] for key in keys]

        def wait() -> tuple[list[Any], list[Any]]:
            local = dict(values)
            for accumulator, total in zip(self._accumulators, sums, strict=True):
                local[id(accumulator)] = total
            return list(parameters), [local[key] for key in keys]

        is_due = (values[id(self._iterations)] + 1) % steps == 0
        new, slots = cond(is_due, update, wait)
        values.update(zip(keys, slots, strict=True))
        return new

    def _clip(self, gradients: list[Any]) -> list[Any]:
        if self.clipnorm is not None:
            return clipping.clip_by_norm(gradients, self.clipnorm)
        if self.global_clipnorm is not None:
            return clipping.clip_by_global_norm(gradients, self.global_clipnorm)
        if self.clipvalue is not None:
            return clipping.clip_by_value(gradients, self.clipvalue)
        return gradients

    def _decays(self, gradients: list[Any], rate: jax.Array) -> list[Any]:
        """Learning rate · share for parameters that have a gradient and a decay, else None."""
        pairs = zip(gradients, self._trainable_variables, strict=True)
        return [None if g is None else self._decay(v, rate) for g, v in pairs]

    def _decay(self, variable: Variable, rate: jax.Array) -> Any:
        share = self.decay_of(variable)
        names = (variable.name, variable.path, *self._paths.get(id(variable), ()))
        if (
            share is None
            or _is_zero(share)
            or any(re.search(text, n) for text in self._exclusions for n in names)
        ):
            return None
        return _times(rate, self._multiplier_of(variable)) * share

    def _apply_rule(
        self,
        values: Values,
        gradients: list[Any],
        parameters: list[Any],
        decays: list[Any],
        step: jax.Array,
        rate: jax.Array,
    ) -> list[Any]:
        """Decay and the formula, for every array that has a gradient."""
        if self._has_own_update_step():
            return self._update_by_hook(values, gradients, decayed(parameters, decays), rate)
        before, new = dict(values), list(parameters)
        scalars = {1.0: self.prepare(values, step, rate)}  # multiplier -> scalars
        groups: dict[tuple[float, Any], list[int]] = {}  # variables whose scalars are the same
        for i, variable in enumerate(self._trainable_variables):
            if gradients[i] is not None:
                key = self._multiplier_of(variable), parameters[i].dtype
                groups.setdefault(key, []).append(i)
        for (factor, dtype), group in groups.items():
            if factor not in scalars:  # what else it changes is the same for all
                scalars[factor] = self.prepare(dict(before), step, _times(rate, factor))
            narrow = jax.tree.map(operator.methodcaller("astype", dtype), scalars[factor])
            updated = self._update_group(
                values,
                [gradients[i] for i in group],
                [parameters[i] for i in group],
                [self._states[i] for i in group],
                [decays[i] for i in group],
                narrow,
            )
            for i, parameter in zip(group, updated, strict=True):
                new[i] = parameter
        return new

    def _update_group(
        self,
        values: Values,
        gradients: list[Any],
        parameters: list[Any],
        states: list[Any],
        decays: list[Any],
        scalars: Any,
    ) -> list[Any]:
        """New parameters; new states are put in `values`."""

        def value_of(variable: Variable) -> Any:
            return values[id(variable)]

        arrays = jax.tree.map(value_of, states)
        pairs = zip(gradients, parameters, strict=True)
        gradients = [jnp.asarray(g).astype(p.dtype) for g, p in pairs]
        updated = self._update_arrays(gradients, arrays, parameters, decays, scalars)
        new_arrays = jax.tree.leaves([new_state for _, new_state in updated])
        for variable, array in zip(jax.tree.leaves(states), new_arrays, strict=True):
            values[id(variable)] = array
        return [parameter for parameter, _ in updated]

    def _update_arrays(
        self,
        gradients: list[jax.Array],
        states: list[Any],
        parameters: list[jax.Array],
        decays: list[Any],
        scalars: Any,
    ) -> list[tuple[jax.Array, Any]]:
        """Decay and `update_array` for each of several arrays with the same scalars."""
        triples = zip(gradients, states, decayed(parameters, decays), strict=True)
        return [self.update_array(*triple, scalars) for triple in triples]

    def _has_own_update_step(self) -> bool:
        """Whether a subclass brought its own rule the Keras way."""
        return type(self).update_step is not UpdateOrder.update_step

    def _update_by_hook(
        self, values: Values, gradients: list[Any], parameters: list[Any], rate: jax.Array
    ) -> list[Any]:
        """The subclass's `update_step` for each variable.

        Raises:
            ArgumentError: It takes other arguments than Keras's rules or those of tf.keras 2.11 to
                2.15, which read `self.learning_rate` and so know no multipliers.
        """
        takes_rate = self._takes_rate()

        def act() -> None:
            for gradient, variable in zip(gradients, self._trainable_variables, strict=True):
                if gradient is not None:
                    own_rate = _times(rate, self._multiplier_of(variable))
                    self._call_rule(gradient, variable, own_rate, takes_rate)

        return self._assigned_by(act, values, parameters)

    def _call_rule(self, gradient: Any, variable: Variable, rate: Any, takes_rate: bool) -> None:
        if takes_rate:
            self.update_step(gradient, variable, rate)
            return
        # Its `self.learning_rate` is the rate of this update: a schedule would be asked one later.
        self._rate_of_update = rate
        try:
            self.update_step(gradient, variable)  # pyright: ignore[reportCallIssue]
        finally:
            self._rate_of_update = None

    def _takes_rate(self) -> bool:
        signature = inspect.signature(self.update_step)
        try:
            signature.bind(None, None, None)
            return True
        except TypeError:
            pass
        rule = "update_step must take (gradient, variable, learning_rate)"
        fix = "Use learning_rate in the place of self.learning_rate."
        try:
            signature.bind(None, None)
        except TypeError:
            raise ArgumentError(message(type(self).__name__, rule, f"{signature}", fix)) from None
        if self.learning_rate_multipliers:
            rule += " where there are learning_rate_multipliers"
            raise ArgumentError(message(type(self).__name__, rule, f"{signature}", fix))
        return False

    def _assigned_by(
        self, act: Callable[[], Any], values: Values, parameters: list[Any]
    ) -> list[Any]:
        """What a subclass's code assigns, kept in a scope: new parameters are returned, new values
        of own variables put in `values`. Other variables, such as those of an optimizer that it
        wraps, are assigned."""
        own, trainable = self.variables, self._trainable_variables
        state = [(v, values[id(v)]) for v in own]
        with StatelessScope([*state, *zip(trainable, parameters, strict=True)]) as scope:
            known = {id(v) for v in scope.assigned()}
            act()
            for variable in own:
                values[id(variable)] = scope.get_current_value(variable)
            new = [scope.get_current_value(v) for v in trainable]
            others = [(v, scope.get_current_value(v)) for v in scope.assigned()]
        for variable, value in others:
            if id(variable) not in known:
                variable.assign(value)
        return new

    def _leave_absent(
        self,
        values: Values,
        before: Values,
        new: list[Any],
        parameters: list[Any],
        is_absent: Sequence[Any],
    ) -> list[Any]:
        """Of variables that had no gradient in the last of several calls, `is_absent` says whether
        they had none in any of them: such a variable stays as it is, and so does its state."""
        new = list(new)
        for i, absent in enumerate(is_absent):
            if absent is not None:
                new[i] = jnp.where(absent, parameters[i], new[i])
                for state in map(id, jax.tree.leaves(self._states[i])):
                    values[state] = jnp.where(absent, before[state], values[state])
        return new

    def _average(self, values: Values, parameters: list[Any], step: jax.Array) -> list[Any]:
        """Move the averages towards the parameters; now and then put them in their place."""
        if not self.use_ema:
            return parameters
        # The first average is the first value: an average that starts at zero would be too small.
        momentum = jnp.where(step == 0, jnp.float32(0.0), jnp.float32(self.ema_momentum))
        averages: list[Any] = []
        for variable, parameter in zip(self._averages, parameters, strict=True):
            share = momentum.astype(parameter.dtype)
            average = share * values[id(variable)] + (1 - share) * parameter
            values[id(variable)] = average
            averages.append(average)
        if not self.ema_overwrite_frequency:
            return parameters
        is_due = (step + 1) % self.ema_overwrite_frequency == 0
        return [jnp.where(is_due, a, p) for a, p in zip(averages, parameters, strict=True)]

    def _constrain(self, parameters: list[Any]) -> list[Any]:
        pairs = zip(self._trainable_variables, parameters, strict=True)
        return [p if v.constraint is None else v.constraint(p) for v, p in pairs]

    # What built-in optimizers write ---------------------------------------------------------------

    def make_states(self, variables: list[Variable]) -> list[Any]:
        """One named tuple of variables (or None) for each trainable variable."""
        return [None] * len(variables)

    def decay_of(self, variable: Variable) -> float | None:
        """The weight decay of one variable, before exclusions."""
        return self.weight_decay

    def prepare(self, values: Values, step: jax.Array, learning_rate: jax.Array) -> Any:
        """The float32 scalars of one step, any structure. `step` is 0 at the first update."""
        return learning_rate

    def update_array(
        self, gradient: jax.Array, state: Any, parameter: jax.Array, scalars: Any
    ) -> tuple[jax.Array, Any]:
        """The formula for one array: the new parameter and the new state."""
        raise NotImplementedError(
            message(
                type(self).__name__,
                "an optimizer must have update_step(gradient, variable, learning_rate)",
                fix="Write it, or derive from a built-in optimizer.",
            )
        )

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Update one variable in place. Subclasses may override it, as in Keras."""
        values = {id(v): v.value for v in self.variables}
        scalars = self.prepare(values, self._step(values), jnp.asarray(learning_rate))
        state = self._states[self._get_variable_index(variable)]
        one = [gradient], [variable.value], [state], [None]
        (new,) = self._update_group(values, *one, scalars)
        variable.assign(new)
        for own in jax.tree.leaves(state) + self._variables:
            own.assign(values[id(own)])


def decayed(parameters: list[Any], decays: list[Any]) -> list[Any]:
    """Parameters less their decay: w - w · decay; None is no decay."""
    pairs = zip(parameters, decays, strict=True)
    return [p if decay is None else p - p * decay.astype(p.dtype) for p, decay in pairs]


def _times(rate: jax.Array, factor: float) -> jax.Array:
    return rate if factor == 1.0 else rate * factor


def _is_zero(share: object) -> bool:
    return isinstance(share, int | float) and not share  # a variable may become another number


__all__ = ["UpdateOrder", "Values", "decayed"]
