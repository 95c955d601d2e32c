"""The variables of an optimizer: made when the trainable ones are known, kept in one order."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypedDict, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.changes import Contents, Versioned, bookkeeping
from nacre.core.errors import (
    ArgumentError,
    NotBuiltError,
    WeightsMismatchError,
    listed,
    message,
    refuse_unknown,
)
from nacre.core.kinds import is_list
from nacre.core.names import name_scope
from nacre.core.program import Programs
from nacre.core.variable import Variable
from nacre.optimizers.by_path import Key, Paths, warn_of_unused
from nacre.optimizers.variable_list import VariableList


class OldReferenceKeywords(TypedDict, total=False):
    """How tf.keras 2 spells the arguments of `add_variable_from_reference`."""

    model_variable: Variable
    variable_name: str
    initial_value: Any


def _as_given(value: np.ndarray, shape: Any, dtype: Any = None) -> jax.Array:
    return jnp.broadcast_to(value.astype(dtype), shape)


def _as_list(value: Any) -> list[Any]:
    return list(value) if is_list(value) else [value]


def _zeros(shape: tuple[int, ...], dtype: str | None = None) -> np.ndarray:
    return np.zeros(shape, dtype)


def _ones(shape: tuple[int, ...], dtype: str | None = None) -> np.ndarray:
    return np.ones(shape, dtype)


def present_value(variable: Variable) -> Callable[..., np.ndarray]:
    """An initializer that gives a variable's value at the moment.

    A number also where a program is traced: an assignment there would be part of the program, which
    may be traced again when the state is made already.
    """
    value = np.asarray(variable.own_value())

    def initializer(shape: tuple[int, ...], dtype: str | None = None) -> np.ndarray:
        return value

    return initializer


_FIRST_VALUES: dict[str, Callable[..., np.ndarray]] = {"zeros": _zeros, "ones": _ones}


class OptimizerVariables(Versioned):
    """Makes, lists, saves and loads an optimizer's variables; `Optimizer` adds the mathematics.

    Args:
        name: Name of the optimizer, first part of the paths.
    """

    __slots__ = (
        "_accumulators",
        "_averages",
        "_has_told_of_paths",
        "_made_for",
        "_number_before_build",
        "_paths",
        "_programs",
        "_rate_of_update",
        "_states",
        "_trainable_variables",
        "_variables",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self._programs: tuple[Programs, Contents] | None = None
        self.built = False
        self._variables: list[Variable] = []
        self._trainable_variables: list[Variable] = []
        self._averages: list[Variable] = []
        self._accumulators: list[Variable] = []
        self._states: list[Any] = []
        self._made_for: list[tuple[Variable, Variable, str]] = []
        self._number_before_build = 0
        self._rate_of_update: Any = None  # while a rule of tf.keras 2 runs
        self._paths: Paths = {}
        self._has_told_of_paths = False

    use_ema: bool = False
    gradient_accumulation_steps: int | None = None
    # Arguments that decide which variables there are, or what they begin with. A subclass adds its.
    arguments_of_state: tuple[str, ...] = ("use_ema", "gradient_accumulation_steps")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.arguments_of_state and name in vars(self) and self.built:
            self._check_state_argument(name, vars(self)[name], value)
        super().__setattr__(name, value)

    def _check_state_argument(self, name: str, before: Any, value: Any) -> None:
        """Refuse what the variables that were made cannot follow; another number of steps or share
        of the momentum they can."""
        is_first_value = name.startswith("initial_")
        if before == value or (not is_first_value and bool(before) == bool(value)):
            return
        # A share of 0 needs none, and does no harm to what is there.
        if name == "momentum" and (not value or any(s == name for _, _, s in self._made_for)):
            return
        rule = f"{name} decides which variables it has, so it must be set before they are made"
        if is_first_value:
            rule = f"{name} is what its variables begin with, so it must be set before"
        fix = f"Make another one, {type(self).__name__}({name}={value!r}), and compile with it."
        raise ArgumentError(
            message(f"optimizer '{self.name}'", rule, f"{value!r} after {before!r}", fix)
        )

    def _structure(self) -> tuple[Any, ...]:
        constraints = [variable.constraint for variable in self._trainable_variables]
        return (*self._variables, *self._trainable_variables, *constraints)

    def __getstate__(self) -> dict[str, Any]:
        names = bookkeeping(type(self)) - {"__dict__", "__weakref__"}
        slots = {name: getattr(self, name) for name in names if hasattr(self, name)}
        return {**vars(self), **slots, "_programs": None}  # compiled programs cannot be copied

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    @property
    def variables(self) -> VariableList:
        """All own variables: step, learning rate, averages, sums, then the states; then those of
        optimizers that a subclass wraps and keeps as attributes (Keras leaves those out)."""
        found = {id(v): v for v in self._variables}
        for value in vars(self).values():
            if isinstance(value, OptimizerVariables) and value is not self:
                found |= {id(v): v for v in value.variables}
        return VariableList(found.values())

    @property
    def weights(self) -> VariableList:
        """The same (tf.keras 2 spelling)."""
        return self.variables

    @property
    def trained_variables(self) -> list[Variable]:
        """The variables it was built for; the same list until it is built for others."""
        return self._trainable_variables

    @property
    def moving_averages(self) -> list[Variable]:
        """The averages kept with `use_ema`, one for each of `averaged_variables`."""
        return list(self._averages)

    @property
    def averaged_variables(self) -> list[Variable]:
        """The variables of which averages are kept."""
        return list(self._trainable_variables) if self._averages else []

    def make_states(self, variables: list[Variable]) -> list[Any]:
        """The state of each trainable variable; optimizers override it."""
        return [None] * len(variables)

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state for these trainable variables. A second call only checks them.

        Raises:
            ArgumentError: Already built for other variables.
        """
        variables = list({id(v): v for v in variables}.values())  # each once
        if self.built:
            for variable in variables:
                self._get_variable_index(variable)
            return
        self._trainable_variables = variables
        self._number_before_build = len(self._variables)
        self.built = True
        with name_scope(self.name):
            if self.use_ema:
                self._averages = self.add_optimizer_variables(variables, "average")
            if self.gradient_accumulation_steps:
                self._accumulators = self.add_optimizer_variables(variables, "gradient_accumulator")
            self._states = self.make_states(variables)

    def know_paths(self, paths: Paths) -> None:
        """Learn under which paths variables lie in a model, before `build`.

        A variable's own path depends on where its layer was called first: `encoder/dense/kernel`
        may be `model/encoder/dense/kernel`, and `dense/kernel` after opening a file. Expressions
        are looked for in the model's names too. Those that match nothing in it are told, once.

        Args:
            paths: id(variable) -> its paths, of all variables of the model.
        """
        self._paths = paths
        if not self._has_told_of_paths:
            self._has_told_of_paths = True
            warn_of_unused(f"optimizer '{self.name}'", self._keys(), paths)

    def _keys(self) -> list[Key]:
        """The expressions and layers that say something of single variables."""
        return []

    def rebuild(self, variables: Sequence[Variable]) -> None:
        """Go on with other trainable variables, as after freezing or unfreezing layers.

        `iterations` and the learning rate go on. Variables that stay keep their state; new ones
        begin without; the state of those that left is dropped.

        Args:
            variables: All variables that are trained from now on.
        """
        if not self.built:
            self.build(variables)
            return
        slots, others = self._slots(), self._others()
        del self._variables[self._number_before_build :]
        kept = {id(v) for v in self._variables}
        self._made_for = [noted for noted in self._made_for if id(noted[0]) in kept]
        self._averages, self._accumulators, self._states = [], [], []
        self.built = False
        self.build(variables)
        for variable, new in zip(self._trainable_variables, self._slots().values(), strict=True):
            for slot, old in zip(new, slots.get(id(variable), ()), strict=False):
                slot.assign(old.value)
        for average, variable in zip(self._averages, self._trainable_variables, strict=False):
            if id(variable) not in slots:
                average.assign(variable.value)  # an average of zeros would count from now on
        known = {v.path: v for v in others}
        for variable in self._others():
            old = known.get(variable.path)
            if old is not None and old.shape == variable.shape:
                variable.assign(old.value)

    def _slots(self) -> dict[int, list[Variable]]:
        """id(trainable variable) -> its average, its sum and its state, as far as there are such.

        What a subclass made in a `build` of its own is not among them.
        """
        kept = [self._averages, self._accumulators, [jax.tree.leaves(s) for s in self._states]]
        columns = [column for column in kept if column]
        return {
            id(variable): [slot for column in columns for slot in _as_list(column[i])]
            for i, variable in enumerate(self._trainable_variables)
        }

    def slots_of_variables(self) -> dict[int, tuple[Variable, str]]:
        """id(own variable) -> the trainable variable it was made for, and what of it it is, such as
        'momentum'; without those that belong to no single one."""
        return {id(own): (variable, slot) for own, variable, slot in self._made_for}

    def _note_slot(self, own: Variable, variable: Variable, slot: str) -> Variable:
        """Remember what a variable of the optimizer was made for; gives it back."""
        self._made_for.append((own, variable, slot))
        return own

    def _others(self) -> list[Variable]:
        """Variables made in `build` that belong to no single trainable variable, or say so
        by their paths alone."""
        slots = {id(slot) for found in self._slots().values() for slot in found}
        return [v for v in self._variables[self._number_before_build :] if id(v) not in slots]

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable that belongs to the optimizer.

        Args:
            shape: Its shape.
            initializer: 'zeros', 'ones', or a function of shape and dtype.
            dtype: Its dtype.
            aggregation: How copies on several devices are joined.
            layout: Accepted for compatibility with Keras.
            name: Last part of its path.
        """
        if isinstance(initializer, str):
            if initializer not in _FIRST_VALUES:
                rule = f"initializer must be a function or one of {tuple(_FIRST_VALUES)}"
                raise ArgumentError(message(f"optimizer '{self.name}'", rule, repr(initializer)))
            initializer = _FIRST_VALUES[initializer]
        variable = Variable(
            initializer,
            shape=shape,
            dtype=dtype,
            trainable=False,
            autocast=False,
            aggregation=aggregation,
            name=name,
        )
        if not variable.path.startswith(f"{self.name}/"):  # made outside build()
            variable.path = f"{self.name}/{variable.name}"
        self._variables.append(variable)
        return variable

    def add_variable_from_reference(
        self,
        reference_variable: Any = None,
        name: str | None = None,
        initializer: Any = "zeros",
        **kwargs: Unpack[OldReferenceKeywords],
    ) -> Variable:
        """Make a variable of the shape and dtype of another one, named after it.

        Args:
            reference_variable: The other one.
            name: What its own part of the name is.
            initializer: What it begins as.
            kwargs: `model_variable`, `variable_name` and `initial_value`, as tf.keras 2 calls them.
        """
        reference_variable = kwargs.pop("model_variable", reference_variable)
        name = kwargs.pop("variable_name", name)
        begin = kwargs.pop("initial_value", None)
        refuse_unknown("add_variable_from_reference", kwargs, ("reference_variable", "name"))
        if begin is not None:
            initializer = functools.partial(_as_given, np.asarray(begin))
        base = reference_variable.path.replace("/", "_")
        made = self.add_variable(
            reference_variable.shape,
            initializer,
            dtype=reference_variable.own_dtype,
            name=f"{base}_{name}" if name else base,
        )
        return self._note_slot(made, reference_variable, name or "")

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Variable], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """One variable for each trainable one; a list of names gives one list for each name."""
        if isinstance(name, str):
            return [
                self.add_variable_from_reference(v, name, initializer) for v in trainable_variables
            ]
        names = list(name)
        firsts = initializer if is_list(initializer) else [initializer] * len(names)
        rows = [
            [self.add_variable_from_reference(v, n, f) for n, f in zip(names, firsts, strict=True)]
            for v in trainable_variables
        ]
        return tuple([row[i] for row in rows] for i in range(len(names)))

    def assign(self, variable: Variable, value: Any) -> None:
        """Set a variable."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable."""
        variable.assign_sub(value)

    def _get_variable_index(self, variable: Variable) -> int:
        """The place of a trainable variable, and of its state, among those it was built for.

        Keras's name: optimizers that users write after its own ones call it.
        """
        for index, known in enumerate(self._trainable_variables):
            if known is variable:
                return index
        raise ArgumentError(
            message(
                f"optimizer '{self.name}'",
                "variables must be those the optimizer was built with",
                f"'{getattr(variable, 'path', variable)}'",
                "Make a new optimizer for other variables, or call build(all_variables) first.",
            )
        )

    def _check_lengths(self, own: Sequence[Any], *given: Sequence[Any]) -> None:
        who = f"optimizer '{self.name}'"
        if not self.built:
            rule = "it must be built before stateless_apply()"
            raise NotBuiltError(message(who, rule, fix="Call optimizer.build(variables) first."))
        names = ("optimizer_variables", "grads", "trainable_variables")
        count = len(self._trainable_variables)
        for name, values, wanted in zip(names, given, (len(own), count, count), strict=True):
            if len(values) != wanted:
                rule = f"{name} must have {wanted} elements"
                raise ArgumentError(message(who, rule, str(len(values))))

    def save_own_variables(self, store: Any) -> None:
        """Put the variables into a mapping, under '0', '1', ..."""
        for index, variable in enumerate(self.variables):
            store[str(index)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take the variables from a mapping that `save_own_variables` filled.

        Raises:
            WeightsMismatchError: It holds another number of variables, or other shapes.
        """
        self._load([store[str(i)] for i in range(len(store.keys()))])

    def get_weights(self) -> list[np.ndarray]:
        """The values of the variables (tf.keras 2)."""
        return [variable.numpy() for variable in self.variables]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the variables from a list of arrays."""
        self._load(list(weights))

    def _load(self, values: list[Any]) -> None:
        own, who = self.variables, f"optimizer '{self.name}'"
        if len(values) != len(own):
            raise WeightsMismatchError(
                message(
                    who,
                    f"the saved state must have its {len(own)} variables",
                    f"{len(values)}",
                    "Use the same optimizer arguments, and build the model before loading."
                    if self.built
                    else "Call optimizer.build(model.trainable_variables) first.",
                )
            )
        wrong = [
            f"{v.path} {v.shape} from {tuple(np.shape(x))}"
            for v, x in zip(own, values, strict=True)
            if tuple(np.shape(x)) != v.shape
        ]
        if wrong:
            shown = listed(wrong, separator="; ")
            raise WeightsMismatchError(
                message(who, "saved shapes must be those of the variables", shown)
            )
        for variable, value in zip(own, values, strict=True):
            variable.assign(value)
