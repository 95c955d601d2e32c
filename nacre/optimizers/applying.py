"""The ways to give an optimizer gradients: as a pure function, in place, and from a loss."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np

from nacre.core.changes import Contents
from nacre.core.errors import ArgumentError, NotBuiltError, listed, message, refuse_unknown
from nacre.core.program import CallProgram, Programs
from nacre.core.protocols import speaks_for
from nacre.core.scope import StatelessScope, in_stateless_scope
from nacre.core.state import State
from nacre.core.tracing import is_tracer
from nacre.core.typed_jax import grad
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.optimizers import gradients as clipping
from nacre.optimizers.arguments import OldApplyKeywords
from nacre.optimizers.schedules.base import LearningRateSchedule
from nacre.optimizers.update_order import UpdateOrder, Values


class Applying(UpdateOrder):
    """What people call with gradients or a loss; `Optimizer` adds arguments and settings."""

    is_plain_apply: bool = True

    # One step as a pure function ------------------------------------------------------------------

    def stateless_apply(
        self,
        optimizer_variables: Sequence[Any],
        grads: Sequence[Any],
        trainable_variables: Sequence[Any],
    ) -> tuple[list[Any], list[Any]]:
        """One update as a pure function of arrays.

        Args:
            optimizer_variables: Values of `variables`, in order.
            grads: A gradient, or None, for each variable the optimizer was built with.
            trainable_variables: Values of those variables.

        Raises:
            NotBuiltError: `build(variables)` was not called.
        """
        own = self.variables
        self._check_lengths(own, optimizer_variables, grads, trainable_variables)
        values = {id(v): x for v, x in zip(own, optimizer_variables, strict=True)}
        advance = self._advance_by_hand if self._has_own_way() else self._advance
        new = advance(values, clipping.as_arrays(grads), list(trainable_variables))
        return new, [values[id(v)] for v in own]

    def _has_own_way(self) -> bool:
        """Whether a subclass of the user's overrides `apply` or `apply_gradients`."""
        return not all(
            speaks_for(self, "is_plain_apply", method) for method in ("apply", "apply_gradients")
        )

    def _advance_by_hand(
        self, values: Values, gradients: list[Any], parameters: list[Any]
    ) -> list[Any]:
        """One call through the methods of a subclass."""
        pairs = zip(gradients, self._trainable_variables, strict=True)
        return self._assigned_by(lambda: self.apply_gradients(pairs), values, parameters)

    def _advance_as_part(
        self, values: Values, gradients: list[Any], parameters: list[Any]
    ) -> list[Any]:
        """One call of an optimizer that is within another one, which has unscaled the gradients."""
        advance = self._advance_by_hand if self._has_own_way() else self._advance_unscaled
        return advance(values, gradients, parameters)

    def stateless_scale_loss(self, optimizer_variables: Sequence[Any], loss: Any) -> Any:
        """`scale_loss` as a pure function of the values of `variables`."""
        return self.scale_loss(loss)

    def scale_loss(self, loss: Any) -> Any:
        """The loss times `loss_scale_factor`; gradients are divided by it in `apply`."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    # The same step, in place ----------------------------------------------------------------------

    def apply_gradients(
        self, grads_and_vars: Iterable[tuple[Any, Variable]], **kwargs: Unpack[OldApplyKeywords]
    ) -> Any:
        """Update variables from pairs (gradient, variable); gives the step counter.

        A variable that is there twice with the same gradient, as where two models share a layer, is
        updated once (Keras makes both updates); with two gradients their sum is taken.

        Args:
            grads_and_vars: The pairs: a list, a zip, a generator. A gradient may be None: its
                variable stays as it is, which is told. Without any pair nothing happens.
            kwargs: `name`, `skip_gradients_aggregation` and `experimental_aggregate_gradients` of
                tf.keras are accepted and change nothing.

        Raises:
            ArgumentError: See `apply`.
        """
        known = OldApplyKeywords.__annotations__
        unknown = {key: value for key, value in kwargs.items() if key not in known}
        refuse_unknown(f"optimizer '{self.name}'.apply_gradients", unknown, self.apply_gradients)
        pairs = [tuple(pair) for pair in grads_and_vars]
        for pair in pairs:
            if len(pair) != 2 or not isinstance(pair[1], Variable):
                raise ArgumentError(
                    message(
                        f"optimizer '{self.name}'",
                        "apply_gradients takes pairs of a gradient and its variable",
                        f"({', '.join(type(item).__name__ for item in pair)})",
                        "optimizer.apply_gradients(zip(gradients, variables))",
                    )
                )
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self._iterations

    def aggregate_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> list[Any]:
        """The pairs as they are (tf.keras 2): gradients are those of all devices already."""
        return list(grads_and_vars)

    def apply(
        self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None
    ) -> None:
        """Update variables in place.

        Args:
            grads: A gradient, or None, for each variable.
            trainable_variables: The variables; by default those of `build`.

        Raises:
            ArgumentError: No gradient at all, a wrong number of them, or an unknown variable.
        """
        given = list(grads)
        if trainable_variables is None:
            if not self.built:
                rule = "variables must be given in the first apply()"
                raise NotBuiltError(message(f"optimizer '{self.name}'", rule))
            variables = self._trainable_variables
        else:
            variables = list(trainable_variables)
            if not given and not variables:
                return
            self.build(variables)
        if len(given) != len(variables):
            got = f"{len(given)} gradients for {len(variables)} variables"
            rule = "there must be one gradient, or None, for each variable"
            raise ArgumentError(message(f"optimizer '{self.name}'", rule, got))
        self._check_missing(given, variables)
        self._check_shapes(given, variables)
        gradients: list[Any] = [None] * len(self._trainable_variables)
        seen: set[tuple[int, int]] = set()
        for gradient, variable in zip(given, variables, strict=True):
            index = self._get_variable_index(variable)
            earlier, pair = gradients[index], (index, id(gradient))
            if earlier is None:
                gradients[index] = gradient
            elif gradient is not None and pair not in seen:
                gradients[index] = jnp.asarray(earlier) + jnp.asarray(gradient)
            seen.add(pair)
        self._apply_in_place(clipping.as_arrays(gradients))

    def _check_missing(self, gradients: list[Any], variables: list[Variable]) -> None:
        missing = [v.path for g, v in zip(gradients, variables, strict=True) if g is None]
        if not missing:
            return
        who = f"optimizer '{self.name}'"
        if len(missing) == len(variables):
            raise ArgumentError(
                message(
                    who,
                    "at least one variable must have a gradient",
                    "None for all of them",
                    "Compute the loss from the model's output, inside the tape.",
                )
            )
        warn(
            f"{who}: {len(missing)} variables have no gradient and stay as they are: "
            f"{listed(missing)}. "
            "The loss does not depend on them; set trainable=False on their layers if that is "
            "meant.",
        )

    def _check_shapes(self, gradients: list[Any], variables: list[Variable]) -> None:
        wrong = [
            f"{v.path} {v.shape} from {np.shape(g)}"
            for g, v in zip(gradients, variables, strict=True)
            if g is not None and not _fits(np.shape(g), v.shape)
        ]
        if wrong:
            rule = "a gradient must have its variable's shape"
            raise ArgumentError(
                message(
                    f"optimizer '{self.name}'",
                    rule,
                    listed(wrong, separator="; "),
                    "Give the pairs in one order: zip(gradients, variables).",
                )
            )

    def _apply_in_place(self, gradients: list[Any]) -> None:
        is_traced = in_stateless_scope() or any(map(is_tracer, gradients))
        # A function as learning rate may ask for the time of day: it runs at every step.
        rate = self._learning_rate
        is_fixed = not callable(rate) or isinstance(rate, LearningRateSchedule)
        if is_traced or not is_fixed or self._has_own_update_step():
            self._assign_step(gradients)
            return
        program = self._program([g is None for g in gradients])
        program.run([g for g in gradients if g is not None])

    def _assign_step(self, gradients: list[Any]) -> None:
        """Apply gradients by assigning to the variables."""
        own, trainable = self.variables, self._trainable_variables
        values = {id(v): v.raw_value for v in own}
        new = self._advance(values, gradients, [v.raw_value for v in trainable])
        state = [values[id(v)] for v in own]
        for variable, value in zip(own + trainable, state + new, strict=True):
            if value is not variable.raw_value:
                variable.assign(value)

    def _takes_unscaled(self) -> bool:
        """Whether the gradients given to `apply` at the moment are those of a loss that was not
        scaled, though the optimizer scales it."""
        return False

    def _program(self, is_missing: list[bool]) -> Any:
        """The compiled step in place for this pattern of gradients."""
        if self._programs is None:
            self._programs = Programs(), Contents()
        programs, contents = self._programs
        key = (contents.token([self]), tuple(is_missing), self._takes_unscaled())
        return programs.get(key, lambda: _in_place(self, is_missing))

    def minimize(
        self,
        loss: Any,
        var_list: Sequence[Variable] | Callable[[], Sequence[Variable]],
        tape: Any = None,
    ) -> Any:
        """Compute gradients of `loss` and apply them (tf.keras 2).

        Args:
            loss: A function without arguments that gives the loss, or its value with `tape`. It is
                the loss itself: a loss scale of the optimizer is put on here.
            var_list: The variables to change.
            tape: The gradient tape that saw `loss`.
        """
        return self.apply_gradients(self.compute_gradients(loss, var_list, tape))

    def compute_gradients(
        self,
        loss: Any,
        var_list: Sequence[Variable] | Callable[[], Sequence[Variable]],
        tape: Any = None,
    ) -> list[tuple[Any, Variable]]:
        """The pairs for `apply_gradients` that `minimize` takes (tf.keras 2).

        Args:
            loss, var_list, tape: See `minimize`.
        """
        found: Any = var_list() if callable(var_list) else var_list
        variables: list[Variable] = [found] if isinstance(found, Variable) else list(found)
        if tape is not None:
            scale = self.scale_loss(jnp.ones_like(jnp.asarray(loss)))
            gradients = tape.gradient(loss, variables, output_gradients=scale)
            return list(zip(gradients, variables, strict=True))
        if not callable(loss):
            raise ArgumentError(
                message(
                    f"optimizer '{self.name}'",
                    "minimize takes a function that gives the loss, or its value and the tape that "
                    "saw it",
                    f"{type(loss).__name__} without a tape",
                    "optimizer.minimize(loss, variables, tape=tape)",
                )
            )

        def value(arrays: list[Any]) -> Any:
            with StatelessScope(zip(variables, arrays, strict=True)):
                return self.scale_loss(jnp.sum(jnp.asarray(loss())))

        arrays: list[Any] = grad(value)([v.value for v in variables])
        return list(zip(arrays, variables, strict=True))


def _in_place(optimizer: Applying, is_missing: list[bool]) -> CallProgram:
    """A program that applies gradients to the optimizer's and the trainable variables."""
    own, trainable = optimizer.variables, optimizer._trainable_variables

    def step(given: list[Any]) -> None:
        remaining = iter(given)
        gradients = [None if missing else next(remaining) for missing in is_missing]
        optimizer._assign_step(gradients)

    state = State({"optimizer": own, "trainable": trainable})
    return CallProgram(step, state, name=f"optimizer '{optimizer.name}'")


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a gradient of `shape` broadcasts to `wanted`, as Keras allows."""
    missing = len(wanted) - len(shape)
    pairs = zip(shape, wanted[max(missing, 0) :], strict=False)
    return missing >= 0 and all(n in (1, m) for n, m in pairs)


__all__ = ["Applying"]
