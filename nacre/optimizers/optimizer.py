"""The base of all optimizers: their arguments, learning rate, number of updates and config.

A built-in optimizer says three things: which state each trainable variable needs (`make_states`),
which scalars a step needs (`prepare`, computed once, not once a variable) and the formula for one
array (`update_array`). What happens around the formula, and in which order, is in
`update_order.py`, the ways to give it gradients in `applying.py`. A subclass written for Keras
overrides `build` and `update_step` instead.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

import jax.numpy as jnp
import numpy as np

from nacre.core.config import floatx
from nacre.core.dtypes import standardize_dtype
from nacre.core.errors import ArgumentError, NotThereError, message
from nacre.core.kinds import is_dict
from nacre.core.names import auto_name, name_scope
from nacre.core.numbers import whole_number
from nacre.core.registry import plain_config
from nacre.core.safety import reads_config
from nacre.core.variable import Variable
from nacre.optimizers.applying import Applying
from nacre.optimizers.arguments import (
    OptimizerKeywords,
    check_common,
    learning_rate_of,
    multipliers_of,
    refuse_negative_rate,
)
from nacre.optimizers.by_path import as_expression
from nacre.optimizers.schedules.base import deserialize as schedule_from_config

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


class Optimizer(Applying):
    """Changes trainable variables so that the loss falls.

    Args:
        learning_rate: Step size: a number, a variable, a schedule, or a function without
            arguments. A number lives in a variable, so changing it later needs no new compilation.
            A variable of your own is read at each step. A function is asked when a step is
            compiled. A subclass that leaves it out sets `_learning_rate` itself, by
            `_build_learning_rate(rate)`, as in tf.keras 2.11 to 2.15.
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

    _config_role = "optimizer"
    _config_module = "keras.optimizers"
    _config_class_name = "Optimizer"
    skips_non_finite_steps: bool = False

    def __init__(
        self,
        learning_rate: Any = None,
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
            sets_it_later = rate is None and self._has_own_update_step()
            self._learning_rate = None if sets_it_later else self._rate_holder(rate)

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
        if is_dict(rate):
            rate = schedule_from_config(rate)
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

    # What optimizers written for tf.keras 2.11 to 2.15 call ---------------------------------------

    def _build_learning_rate(self, learning_rate: Any) -> Any:
        """What holds a rate: set it as `self._learning_rate`."""
        with name_scope(self.name):
            return self._rate_holder(learning_rate)

    def _var_key(self, variable: Variable) -> int:
        """What `_index_dict` knows a variable by."""
        return id(variable)

    @property
    def _index_dict(self) -> dict[int, int]:
        """The place of each trained variable, by its key."""
        return {id(v): index for index, v in enumerate(self._trainable_variables)}

    def _decayed_lr(self, var_dtype: Any) -> Any:
        """The present rate, in a dtype."""
        return jnp.asarray(self.learning_rate).astype(standardize_dtype(var_dtype))

    def _serialize_hyperparameter(self, hyperparameter: Any) -> Any:
        """A rate, or another number or variable, as plain data."""
        if isinstance(hyperparameter, Variable):
            return hyperparameter.numpy().item()
        return plain_config(hyperparameter) if callable(hyperparameter) else hyperparameter

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
        if self._rate_of_update is not None:
            return self._rate_of_update
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
                variable.assign(self._averages[self._get_variable_index(variable)].value)

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
        if is_dict(rate):
            config["learning_rate"] = schedule_from_config(rate, custom_objects)
        excluded = config.pop("exclude_from_weight_decay", None)
        made = cls(**config)
        if excluded:
            made.exclude_from_weight_decay(var_names=excluded)
        return made

    if not TYPE_CHECKING:  # a checker would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            if name in _OF_TF_KERAS_2:
                rule = f"`{name}`, of optimizers written for tf.keras 2, is not here"
                raise NotThereError(message(type(self).__name__, rule, fix=_OF_TF_KERAS_2[name]))
            return object.__getattribute__(self, name)  # raises Python's error, or a property's

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


_RULE = (
    "Make the state in build(variables), with add_variable_from_reference, and write the rule in "
    "update_step(gradient, variable, learning_rate)."
)
_OF_TF_KERAS_2 = {
    **dict.fromkeys(("add_slot", "get_slot", "_create_slots", "_set_hyper", "_get_hyper"), _RULE),
}


def _is_users_scalar(value: Any) -> bool:
    """Whether it is a variable of the user's own: those of optimizers belong to one replica."""
    return isinstance(value, Variable) and not value.shape and value.aggregation == "none"
