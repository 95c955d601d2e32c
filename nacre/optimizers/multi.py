"""Several optimizers, each for the variables whose path it is given."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any

import jax.numpy as jnp

from nacre.core.errors import ArgumentError, NotThereError, message
from nacre.core.registry import deserialize_keras_object, plain_config, register
from nacre.core.safety import reads_config
from nacre.core.variable import Variable
from nacre.optimizers.optimizer import Optimizer
from nacre.optimizers.update_order import Values


def _check_optimizer(who: str, value: Any) -> Optimizer:
    if isinstance(value, dict):
        value = deserialize_keras_object(value)
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
class OptimizerMap(MutableMapping[str, Optimizer]):
    """Regular expressions for variable paths, with the optimizer for each.

    Args:
        default_optimizer: For paths that no expression matches.
        optimizer_map: expression -> optimizer. An expression must match the whole path.

    Raises:
        ArgumentError: A value is no optimizer, or two expressions match one path.
    Example:
        >>> from nacre.optimizers import SGD, Adam
        >>> chosen = OptimizerMap(SGD(), {"encoder/.*": Adam()})
        >>> type(chosen["encoder/dense/kernel"]).__name__, type(chosen["head/kernel"]).__name__
        ('Adam', 'SGD')
    """

    def __init__(self, default_optimizer: Any, optimizer_map: dict[str, Any] | None = None) -> None:
        self.default_optimizer = _check_optimizer("OptimizerMap", default_optimizer)
        self._by_expression: dict[str, Optimizer] = {}
        self.update(optimizer_map or {})

    def __getitem__(self, key: str) -> Optimizer:
        if key in self._by_expression:
            return self._by_expression[key]
        matches = [text for text in self._by_expression if re.fullmatch(text, key)]
        if len(matches) > 1:
            rule = f"only one expression may match '{key}'"
            raise ArgumentError(message("OptimizerMap", rule, ", ".join(matches)))
        return self._by_expression[matches[0]] if matches else self.default_optimizer

    def __setitem__(self, key: str, optimizer: Any) -> None:
        self._by_expression[key] = _check_optimizer("OptimizerMap", optimizer)

    def __delitem__(self, key: str) -> None:
        del self._by_expression[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_expression)

    def __len__(self) -> int:
        return len(self._by_expression)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        table = {key: plain_config(value) for key, value in self._by_expression.items()}
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

    @property
    def optimizers(self) -> list[Optimizer]:
        """The optimizers in use, in the order of their first variables."""
        return [optimizer for optimizer, _ in self._parts]

    def _optimizer_for(self, variable: Variable) -> Optimizer:
        if isinstance(self.optimizer_map, OptimizerMap):
            return self.optimizer_map[variable.path]
        return _check_optimizer("MultiOptimizer", self.optimizer_map(variable))

    def build(self, variables: Sequence[Variable]) -> None:
        """Choose the optimizers and make their states."""
        if self.built:
            super().build(variables)
            return
        super().build(variables)
        self._assign_variables(variables)
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

    @property
    def variables(self) -> list[Variable]:
        """Own variables, then those of the optimizers in use."""
        return self._variables + [v for optimizer in self.optimizers for v in optimizer.variables]

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
            results = optimizer._advance_unscaled(values, own, own_parameters)
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
        for optimizer in self.optimizers:
            optimizer.exclude_from_weight_decay(var_list, var_names)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {
            "optimizer_map": plain_config(self.optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }
