"""The state of training: the values of all variables a step reads and changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nacre.core.variable import Variable

Values = dict[str, list[Any]]


class State:
    """Variables of a model in training, in four groups.

    Attributes:
        groups: 'trainable', 'other' (batch statistics, seeds), 'optimizer', 'metrics'.
    """

    def __init__(self, model: Any, optimizer: Any, metrics: list[Any]) -> None:
        trainable = model.trainable_variables
        metric_variables = [v for metric in metrics for v in metric.variables]
        taken = {id(v) for v in trainable} | {id(v) for v in metric_variables}
        self.groups: dict[str, list[Variable]] = {
            "trainable": trainable,
            "other": [v for v in model.non_trainable_variables if id(v) not in taken],
            "optimizer": list(optimizer.variables) if optimizer is not None else [],
            "metrics": metric_variables,
        }

    def key(self) -> tuple[Any, ...]:
        """What a compiled program depends on: which variables stand in which group."""
        return tuple(tuple(id(v) for v in group) for group in self.groups.values())

    def lend(self) -> Values:
        """The values for a program that overwrites them."""
        return {name: [v.lend() for v in group] for name, group in self.groups.items()}

    def peek(self) -> Values:
        """The values for a program that only reads them."""
        return {name: [v.peek() for v in group] for name, group in self.groups.items()}

    def holds(self, values: Values, names: Iterable[str]) -> bool:
        """Whether the variables of these groups still hold these very arrays."""
        return all(
            variable.holds(value)
            for name in names
            for variable, value in zip(self.groups[name], values[name], strict=True)
        )

    def take_back(self, values: Values) -> None:
        """Put values from a program into the variables."""
        for name, group in self.groups.items():
            for variable, value in zip(group, values[name], strict=True):
                variable.take_back(value)

    def pairs(self, values: Values) -> list[tuple[Variable, Any]]:
        """(variable, value) for a functional scope."""
        return [
            pair
            for name, group in self.groups.items()
            for pair in zip(group, values[name], strict=True)
        ]
