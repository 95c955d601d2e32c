"""The state of training: all variables that a step reads and changes, in four groups."""

from __future__ import annotations

from typing import Any

from nacre.core.state import OUTSIDE, State

# What steps change besides the trainable variables and those of the optimizer: batch statistics
# and seeds, the metrics, and what code uses that nothing holds.
CHANGING = ("other", "metrics", OUTSIDE)


def training_state(model: Any, optimizer: Any, metrics: list[Any]) -> State:
    """The variables of a model in training: 'trainable', 'metrics', 'other', 'optimizer'.

    A variable that two of them have (a learning rate that is also a layer's weight) is kept once.
    """
    return State(
        {
            "trainable": model.trainable_variables,
            "metrics": [v for metric in metrics for v in metric.variables],
            "other": model.non_trainable_variables,
            "optimizer": [] if optimizer is None else optimizer.variables,
        }
    )


def is_in_training(state: State) -> bool:
    """Whether a training with these metrics is under way, so that a callback of it is asking."""
    return any(variable.hold is not None for variable in state.groups["metrics"])


__all__ = ["CHANGING", "is_in_training", "training_state"]
