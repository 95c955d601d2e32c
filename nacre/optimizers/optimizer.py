"""The base of all optimizers: their arguments, and the ways to apply gradients.

A built-in optimizer says three things: which state each trainable variable needs (`make_states`),
which scalars a step needs (`prepare`, computed once, not once a variable) and the formula for one
array (`update_array`). What happens around the formula, and in which order, is in
`update_order.py`. A subclass written for Keras overrides `build` and `update_step` instead.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self, Unpack, cast

import jax.numpy as jnp
import numpy as np

from nacre.core.changes import Contents
from nacre.core.config import floatx
from nacre.core.errors import ArgumentError, NotBuiltError, message, refuse_unknown
from nacre.core.names import auto_name, name_scope
from nacre.core.numbers import whole_number
from nacre.core.program import CallProgram, Programs
from nacre.core.protocols import speaks_for
from nacre.core.registry import deserialize_keras_object, plain_config
from nacre.core.safety import reads_config
from nacre.core.scope import StatelessScope, in_stateless_scope
from nacre.core.state import State
from nacre.core.tracing import is_tracer
from nacre.core.typed_jax import grad
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.optimizers import gradients as clipping
from nacre.optimizers.arguments import (
    OldApplyKeywords,
    OptimizerKeywords,
    check_common,
    learning_rate_of,
    multipliers_of,
    refuse_negative_rate,
)
from nacre.optimizers.by_path import as_expression
from nacre.optimizers.schedules.base import LearningRateSchedule
from nacre.optimizers.update_order import UpdateOrder, Values

COMMON_ARGUMENTS = (
    "name",
    "learning_rate",
    "weight_decay",
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)


class Optimizer(UpdateOrder):
    """Changes trainable variables so that the loss falls.

    Args:
        learning_rate: Step size: a number, a variable, a schedule, or a function without
            arguments. A number lives in a variable, so changing it later needs no new compilation.
            A variable of your own is read at each step. A function is asked when a step is
            compiled.
        weight_decay: Each step first takes this share, times the learning rate, off every
            variable (decoupled from the gradient).
        clipnorm: Longest norm allowed for each gradient.
        clipvalue: Largest absolute value allowed in a gradient.
        global_clipnorm: Longest norm allowed for all gradients together.
        use_ema: Whether to keep a moving average of the variables.
        ema_momentum: Share of the old average in the new one.
        ema_overwrite_frequency: Every so many updates the variables become their averages.
        loss_scale_factor: The loss is multiplied, and gradients divided, by this.
        gradient_accumulation_steps: Update once every so many calls, with the mean gradient of
            these calls: `k` equal batches give what one batch of all their samples gives. Between
            updates nothing moves. Schedules, averages, bias corrections and `iterations` count
            updates. (In Keras schedules count calls and averages move in every call.) Sums go on
            from one epoch, and from one `fit`, to the next, and are saved with the optimizer; a
            last group that is not complete waits there.
        name: Name of the optimizer, first part of its variables' paths.
        kwargs: `learning_rate_multipliers`, which Keras has not: a mapping from parts of a model to
            what the learning rate, and with it the decay, of their variables is multiplied by, as
            parameter groups of PyTorch do. A part is a layer, or a regular expression for the whole
            path of a variable, such as `"encoder/.*"`. What no key holds for has the learning rate
            itself. Files keep it; Keras refuses such a file unless it opens it with
            `compile=False`. Further `lr` and `decay`, spellings of tf.keras 2.

    Attributes:
        skips_non_finite_steps: Whether it leaves out a step whose gradients are not finite, as one
            that searches for a loss scale does. Else `fit` ends with an error where a loss or
            gradient stops being a number.
        is_plain_apply: Said by a class whose `apply` and `apply_gradients` change nothing about the
            update. Those of a subclass that does not say it are called in `fit` too.

    Formula:
        g ← mean of k calls of (gradient / loss scale)
        then once: clip g, decay w, apply the rule, move the average, apply the constraint
    Raises:
        ArgumentError: An argument is unknown or breaks its rule.
    Example:
        >>> from nacre.optimizers import SGD
        >>> weight = Variable([1.0, 2.0], name="weight")
        >>> _ = SGD(learning_rate=0.5).apply_gradients([(np.array([1.0, 1.0]), weight)])
        >>> weight.numpy()
        array([0.5, 1.5], dtype=float32)
    """

    _config_module = "keras.optimizers"
    _config_class_name = "Optimizer"
    skips_non_finite_steps: bool = False
    is_plain_apply: bool = True

    def __init__(
        self,
        learning_rate: Any,
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
        rate = learning_rate_of(self, learning_rate, kwargs)
        multipliers = multipliers_of(type(self).__name__, kwargs.get("learning_rate_multipliers"))
        check_common(
            type(self).__name__,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            gradient_accumulation_steps,
        )
        super().__init__(name or auto_name(type(self).__name__))
        self.learning_rate_multipliers = multipliers
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        if use_ema and ema_overwrite_frequency is not None:
            ema_overwrite_frequency = int(ema_overwrite_frequency)
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        if gradient_accumulation_steps is not None:
            gradient_accumulation_steps = int(gradient_accumulation_steps)
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._exclusions: list[str] = []
        with name_scope(self.name):
            self._iterations = self._own_scalar(0, "int32", "iteration")
            self._learning_rate = self._rate_holder(rate)

    def _own_scalar(self, value: float, dtype: str, name: str) -> Variable:
        variable = Variable(
            np.asarray(value, dtype=dtype),
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
            name=name,
        )
        self._variables.append(variable)
        return variable

    def _rate_holder(self, rate: Any) -> Any:
        """A variable for a number; schedules, functions and the user's variables stay."""
        if isinstance(rate, dict):
            rate = deserialize_keras_object(rate)
        if isinstance(rate, Variable):
            self._variables.append(rate)
            return rate
        if callable(rate):
            return rate
        if rate is None or np.ndim(rate) or isinstance(rate, str):
            raise ArgumentError(
                message(
                    type(self).__name__,
                    "learning_rate must be a number, a schedule or a function without arguments",
                    repr(rate),
                    "Pass learning_rate=0.001.",
                )
            )
        refuse_negative_rate(type(self).__name__, rate)
        return self._own_scalar(float(rate), floatx(), "learning_rate")

    # Step size and step number ------------------------------------------------------------------

    @property
    def iterations(self) -> Any:
        """Number of updates done so far; with accumulation fewer than calls, as in Keras."""
        steps = self.gradient_accumulation_steps
        return self._iterations if not steps else self._iterations.value // steps

    @iterations.setter
    def iterations(self, value: Any) -> None:
        """Set the number of updates, also in the middle of a training: schedules and bias
        corrections go on from there, and what was accumulated is dropped. A variable in its place
        is possible before the first update alone."""
        who = f"optimizer '{self.name}'"
        if not isinstance(value, Variable):
            updates = whole_number(who, "iterations", value, 0)
            self._iterations.assign(updates * (self.gradient_accumulation_steps or 1))
            for accumulator in self._accumulators:
                accumulator.assign(np.zeros(accumulator.shape))
            return
        if self.built:
            rule = "a variable must be set as iterations before the optimizer's variables are made"
            fix = "Set the number: optimizer.iterations = int(variable)."
            raise ArgumentError(message(who, rule, value.path, fix))
        self._variables = [value if v is self._iterations else v for v in self._variables]
        self._iterations = value

    @property
    def learning_rate(self) -> Variable:
        """The step size: a variable, or a schedule's value at the present step.

        Set to a number, or to the `learning_rate` of another optimizer, it takes the value; a
        variable of your own is kept, as one given to the constructor is, so that assigning to it
        changes the step size (Keras copies its value once).
        """
        if isinstance(self._learning_rate, Variable):
            return self._learning_rate
        # Of a schedule an array: it can be read as a variable can, and not be assigned to.
        return cast("Variable", self._rate({id(self._iterations): self._iterations.value}))

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        current = self._learning_rate
        if callable(learning_rate):
            if isinstance(current, Variable):
                self._variables = [v for v in self._variables if v is not current]
            self._learning_rate = learning_rate
        elif isinstance(current, Variable):
            if _is_users_scalar(learning_rate):
                self._variables = [learning_rate if v is current else v for v in self._variables]
                self._learning_rate = learning_rate
                return
            refuse_negative_rate(f"optimizer '{self.name}'", learning_rate)
            current.assign(learning_rate)
        else:
            raise ArgumentError(
                message(
                    f"optimizer '{self.name}'",
                    "the learning rate cannot be set where a schedule decides it",
                    f"{learning_rate!r} for {type(current).__name__}",
                    "Make the optimizer with a number, or assign another schedule.",
                )
            )

    lr = learning_rate  # tf.keras spelling

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
        """One call through the methods of a subclass, its assignments kept in a scope."""
        own, trainable = self.variables, self._trainable_variables
        state = [(v, values[id(v)]) for v in own]
        with StatelessScope([*state, *zip(trainable, parameters, strict=True)]) as scope:
            self.apply_gradients(zip(gradients, trainable, strict=True))
            for variable in own:
                values[id(variable)] = scope.get_current_value(variable)
            return [scope.get_current_value(v) for v in trainable]

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
            index = self._index_of(variable)
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
        shown = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
        warn(
            f"{who}: {len(missing)} variables have no gradient and stay as they are: {shown}. "
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
                    "; ".join(wrong[:10]),
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

    # Averages and decay ---------------------------------------------------------------------------

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[Variable] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        """Leave variables out of weight decay. Files keep it (in Keras they do not).

        Args:
            var_list: The variables.
            var_names: Regular expressions searched in names and paths, such as 'bias'.
        """
        exact = [f"^{re.escape(variable.path)}$" for variable in var_list or []]
        self._exclusions = [*exact, *(var_names or [])]

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Put the moving averages into the variables; nothing without `use_ema`.

        Before the first update there are no averages yet, and the variables stay as they are.
        """
        if self.use_ema and int(self._iterations.value) >= (self.gradient_accumulation_steps or 1):
            for variable in var_list:
                variable.assign(self._averages[self._index_of(variable)].value)

    # Config ---------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = {name: getattr(self, name) for name in COMMON_ARGUMENTS if name != "learning_rate"}
        holder = self._learning_rate
        if isinstance(holder, Variable):
            config["learning_rate"] = float(holder.numpy())
        else:
            config["learning_rate"] = plain_config(holder)
        for name in list(inspect.signature(type(self).__init__).parameters)[1:]:
            if name not in config and name != "kwargs" and hasattr(self, name):
                config[name] = plain_config(getattr(self, name))
        if self.learning_rate_multipliers is not None:
            pairs = self.learning_rate_multipliers.items()
            config["learning_rate_multipliers"] = {as_expression(self.name, k): v for k, v in pairs}
        if self._exclusions:
            config["exclude_from_weight_decay"] = list(self._exclusions)
        return config

    @classmethod
    @reads_config
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """Make the optimizer a config describes."""
        config = dict(config)
        rate = config.get("learning_rate")
        if isinstance(rate, dict):
            config["learning_rate"] = deserialize_keras_object(rate, custom_objects=custom_objects)
        excluded = config.pop("exclude_from_weight_decay", None)
        made = cls(**config)
        if excluded:
            made.exclude_from_weight_decay(var_names=excluded)
        return made

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _in_place(optimizer: Optimizer, is_missing: list[bool]) -> CallProgram:
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


def _is_users_scalar(value: Any) -> bool:
    """Whether it is a variable of the user's own: those of optimizers belong to one replica."""
    return isinstance(value, Variable) and not value.shape and value.aggregation == "none"
