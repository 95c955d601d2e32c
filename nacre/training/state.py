"""The state of training: all variables that a step reads and changes, in four groups."""

from __future__ import annotations

from typing import Any

from nacre.core.state import OUTSIDE, State, Updates, Values

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


__all__ = ["CHANGING", "State", "Updates", "Values", "training_state"]
