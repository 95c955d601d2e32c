"""Weights of losses that a function gives: computed in each step."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from nacre.core.changes import Versioned
from nacre.core.errors import ArgumentError, message
from nacre.core.names import called_name
from nacre.core.protocols import TrainingOptimizer
from nacre.core.variable import Variable
from nacre.optimizers.schedules import LearningRateSchedule


class WeightFunction(Versioned):
    """The weight of a loss as a schedule, or as a function without arguments.

    It is computed in the step: a schedule by the optimizer's `iterations`, a function from the
    variables it reads. What else a function reads is looked at before each call of the compiled
    step, which is compiled anew where that changed; for a number that moves a variable is quicker.

    Args:
        function: The function or the schedule.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def value(self, optimizer: TrainingOptimizer | None) -> Any:
        """The weight at this step, a float32 scalar.

        Args:
            optimizer: Whose steps a schedule counts; without one it stays at its first value.

        Raises:
            ArgumentError: It is not one number.
        """
        if isinstance(self.function, LearningRateSchedule):
            steps = 0 if optimizer is None else optimizer.iterations
            found = self.function(steps.value if isinstance(steps, Variable) else steps)
        else:
            found = self.function()
        weight = jnp.asarray(found.value if isinstance(found, Variable) else found)
        if weight.shape:
            who = f"loss_weights, {called_name(self.function)}"
            raise ArgumentError(message(who, "it must give one number", f"shape {weight.shape}"))
        return weight.astype(jnp.float32)


def is_weight_function(value: object) -> bool:
    """Whether it is a schedule, or something to be called without arguments.

    Example:
        >>> is_weight_function(lambda: 0.5), is_weight_function(lambda y_true, y_pred: 0.5)
        (True, False)
    """
    if isinstance(value, LearningRateSchedule):
        return True
    if isinstance(value, Variable | type) or not callable(value):
        return False
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):  # some that are written in C have no signature
        return False
    collected = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    return all(p.default is not p.empty or p.kind in collected for p in parameters)


__all__ = ["WeightFunction", "is_weight_function"]
