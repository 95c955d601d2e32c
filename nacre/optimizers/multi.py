"""Several optimizers, each for the variables whose path it is given."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from typing import Any

import jax.numpy as jnp

from nacre.core.errors import ArgumentError, NotThereError, message
from nacre.core.registry import deserialize_keras_object, plain_config, register
from nacre.core.safety import reads_config
from nacre.core.variable import Variable
from nacre.optimizers.by_path import Key, as_expression, check_key, find_key, matching, the_only
from nacre.optimizers.optax_optimizer import as_optimizer
from nacre.optimizers.optimizer import Optimizer
from nacre.optimizers.update_order import Values
from nacre.optimizers.variable_list import VariableList


def _check_optimizer(who: str, value: Any) -> Optimizer:
    if isinstance(value, dict):
        value = deserialize_keras_object(value)
    value = as_optimizer(value)
    if not isinstance(value, Optimizer):
        raise ArgumentError(message(who, "every value must be an optimizer", repr(value)))
    if type(value).scale_loss is not Optimizer.scale_loss:
        raise ArgumentError(
            message(
                who,
                "a loss scale must be around all optimizers, as they share one loss",
                repr(value),
                "Use LossScaleOptimizer(MultiOptimizer(...)), with plain optimizers inside.",
            )
        )
    return value


@register("optimizers/OptimizerMap")
class OptimizerMap(MutableMapping[Any, Optimizer]):
    """Parts of a model, with the optimizer for each.

    Args:
        default_optimizer: For variables that no key holds for.
        optimizer_map: part -> optimizer. A part is a regular expression that must match the whole
            path of a variable, or (not in Keras) a layer or model.

    Raises:
        ArgumentError: A key or a value is neither, or two keys hold for one variable.
    Example:
        >>> from nacre.optimizers import SGD, Adam
        >>> chosen = OptimizerMap(SGD(), {"encoder/.*": Adam()})
        >>> type(chosen["encoder/dense/kernel"]).__name__, type(chosen["head/kernel"]).__name__
        ('Adam', 'SGD')
    """

    def __init__(self, default_optimizer: Any, optimizer_map: dict[str, Any] | None = None) -> None:
        self.default_optimizer = _check_optimizer("OptimizerMap", default_optimizer)
        self._by_key: dict[Key, Optimizer] = {}
        self.update(optimizer_map or {})

    def __getitem__(self, key: Any) -> Optimizer:
        """The optimizer of a key, or for a path."""
        if key in self._by_key:
            return self._by_key[key]
        found = matching(self._by_key, key)
        if not found:
            return self.default_optimizer
        return self._by_key[the_only("OptimizerMap", found, key)]

    def optimizer_for(self, variable: Variable, paths: Iterable[str] = ()) -> Optimizer:
        """The optimizer for a variable.

        Args:
            variable: The variable.
            paths: Other paths of it than its own.
        """
        key = find_key("OptimizerMap", self._by_key, variable, paths)
        return self.default_optimizer if key is None else self._by_key[key]

    def __setitem__(self, key: Any, optimizer: Any) -> None:
        checked = _check_optimizer("OptimizerMap", optimizer)
        self._by_key[check_key("OptimizerMap", key)] = checked

    def __delitem__(self, key: Any) -> None:
        del self._by_key[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        pairs = self._by_key.items()
        table = {as_expression("OptimizerMap", k): plain_config(value) for k, value in pairs}
        default = plain_config(self.default_optimizer)
        return {"default_optimizer": default, "optimizer_map": table}

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> OptimizerMap:
        """Make the map a config describes."""
        return cls(config["default_optimizer"], config.get("optimizer_map"))


@register("optimizers/MultiOptimizer")
class MultiOptimizer(Optimizer):
    """Gives every variable to the optimizer chosen for it.

    Choose it for a pretrained part that should learn more slowly than the rest.

    Args:
        optimizer_map: An `OptimizerMap`, or a function from a variable to its optimizer.
        loss_scale_factor: Loss scale of all of them.
        name: Name of the optimizer.

    Raises:
        ArgumentError: `optimizer_map` is neither.
    Example:
        >>> from nacre.optimizers import SGD, Adam
        >>> both = MultiOptimizer(OptimizerMap(SGD(), {"encoder/.*": Adam()}))
        >>> weight = Variable([1.0], name="weight")
        >>> _ = both.apply_gradients([([1.0], weight)])
        >>> weight.numpy()
        array([0.99], dtype=float32)
    """

    def __init__(
        self,
        optimizer_map: OptimizerMap | Callable[[Variable], Optimizer] | dict[str, Any],
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(learning_rate=0.0, loss_scale_factor=loss_scale_factor, name=name)
        if isinstance(optimizer_map, dict):
            optimizer_map = deserialize_keras_object(optimizer_map)
        if not isinstance(optimizer_map, OptimizerMap) and not callable(optimizer_map):
            rule = "optimizer_map must be an OptimizerMap or a function of a variable"
            raise ArgumentError(message("MultiOptimizer", rule, repr(optimizer_map)))
        self.optimizer_map = optimizer_map
        self._parts: list[tuple[Optimizer, list[int]]] = []  # with positions of its variables
        self._excluded: tuple[Any, Any] | None = None

    @property
    def optimizers(self) -> list[Optimizer]:
        """The optimizers in use, in the order of their first variables."""
        return [optimizer for optimizer, _ in self._parts]

    def _optimizer_for(self, variable: Variable) -> Optimizer:
        if isinstance(self.optimizer_map, OptimizerMap):
            return self.optimizer_map.optimizer_for(variable, self._paths.get(id(variable), ()))
        return _check_optimizer("MultiOptimizer", self.optimizer_map(variable))

    def build(self, variables: Sequence[Variable]) -> None:
        """Choose the optimizers and make their states."""
        if self.built:
            super().build(variables)
            return
        super().build(variables)
        self._assign_variables(self._trainable_variables)
        for optimizer, positions in self._parts:
            optimizer.build([self._trainable_variables[i] for i in positions])

    def rebuild(self, variables: Sequence[Variable]) -> None:
        """Go on with other trainable variables, each with the optimizer chosen for it."""
        if not self.built:
            self.build(variables)
            return
        self._trainable_variables, self._parts = list(variables), []
        self._assign_variables(variables)
        for optimizer, positions in self._parts:
            optimizer.rebuild([self._trainable_variables[i] for i in positions])

    def _assign_variables(self, variables: Sequence[Variable]) -> None:
        for position, variable in enumerate(variables):
            chosen = self._optimizer_for(variable)
            positions = next((p for o, p in self._parts if o is chosen), None)
            if positions is None:
                positions = list[int]()
                self._parts.append((chosen, positions))
            positions.append(position)
        for optimizer in self.optimizers:
            optimizer.know_paths(self._paths)
            if self._excluded is not None:
                optimizer.exclude_from_weight_decay(*self._excluded)

    def _keys(self) -> list[Key]:
        return list(self.optimizer_map) if isinstance(self.optimizer_map, OptimizerMap) else []

    @property
    def variables(self) -> VariableList:
        """Own variables, then those of the optimizers in use."""
        of_others = [v for optimizer in self.optimizers for v in optimizer.variables]
        return VariableList(self._variables + of_others)

    @property
    def moving_averages(self) -> list[Variable]:
        """The averages of those of its optimizers that keep any."""
        return [average for optimizer in self.optimizers for average in optimizer.moving_averages]

    @property
    def averaged_variables(self) -> list[Variable]:
        """The variables of which averages are kept."""
        return [v for optimizer in self.optimizers for v in optimizer.averaged_variables]

    @property
    def iterations(self) -> Any:
        """Number of updates done so far: the most that one of the optimizers has made."""
        if not any(optimizer.gradient_accumulation_steps for optimizer in self.optimizers):
            return self._iterations
        return jnp.max(jnp.asarray([jnp.asarray(o.iterations) for o in self.optimizers]))

    @iterations.setter
    def iterations(self, value: Any) -> None:
        raise NotThereError(
            message(
                f"optimizer '{self.name}'",
                "iterations must be set on one of its optimizers",
                fix="Use optimizer.optimizers[0].iterations = 0.",
            )
        )

    @property
    def learning_rate(self) -> Any:
        """Not one number here: each of `optimizers` has its own."""
        raise self._no_one_rate("read from")

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        raise self._no_one_rate("set on")

    def _no_one_rate(self, what: str) -> NotThereError:
        return NotThereError(
            message(
                f"optimizer '{self.name}'",
                f"a learning rate must be {what} one of its optimizers",
                fix="Use optimizer.optimizers[0].learning_rate.",
            )
        )

    lr = learning_rate

    def _advance_unscaled(
        self, values: Values, gradients: list[Any], parameters: list[Any]
    ) -> list[Any]:
        new = list(parameters)
        for optimizer, positions in self._parts:
            own = [gradients[i] for i in positions]
            if all(gradient is None for gradient in own):
                continue
            own_parameters = [parameters[i] for i in positions]
            results = optimizer._advance_as_part(values, own, own_parameters)
            for position, result in zip(positions, results, strict=True):
                new[position] = result
        values[id(self._iterations)] = values[id(self._iterations)] + 1
        return new

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Put each optimizer's averages, where it keeps them, into its variables."""
        for optimizer, positions in self._parts:
            own = [self._trainable_variables[i] for i in positions]
            wanted = [v for v in own if any(v is given for given in var_list)]
            optimizer.finalize_variable_values(wanted)

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[Variable] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        """Leave variables out of the weight decay of all optimizers."""
        self._excluded = var_list, var_names
        for optimizer in self.optimizers:
            optimizer.exclude_from_weight_decay(var_list, var_names)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {
            "optimizer_map": plain_config(self.optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }
