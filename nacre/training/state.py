"""The state of training: the values of all variables a step reads and changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from nacre.core.variable import Variable, private_copy

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


@contextmanager
def kept_in_training(model: Any, *groups: str) -> Iterator[None]:
    """What a callback computes with the model that is in training stays out of that training.

    Args:
        model: Nothing is kept where this thread is not training it.
        groups: What comes back afterwards: "metrics", or "other" for statistics, counts and seeds.
    """
    if not model._is_in_training():
        yield
        return
    state = State(model, None, model.metrics)
    variables = [v for name in groups for v in state.groups[name]]
    values = [private_copy(v.peek()) for v in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, values, strict=True):
            variable.take_back(value)
