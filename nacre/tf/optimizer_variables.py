"""Variables of optimizers, as a list and as a method."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nacre.core.variable import Variable
from nacre.optimizers.loss_scale import LossScaleOptimizer
from nacre.optimizers.multi import MultiOptimizer
from nacre.optimizers.variables import OptimizerVariables

OPTIMIZERS: tuple[type[Any], ...] = (OptimizerVariables, LossScaleOptimizer, MultiOptimizer)


class CallableVariables(list[Variable]):
    """An optimizer's variables, which tf.keras up to 2.15 has as a method too: without the learning
    rate, so that who sets them all to 0 goes on training."""

    def __init__(self, optimizer: Any, found: Iterable[Variable]) -> None:
        super().__init__(found)
        self._optimizer = optimizer

    def __call__(self) -> list[Variable]:
        rates = [getattr(o, "_learning_rate", None) for o in _with_inner(self._optimizer)]
        return [v for v in self if not any(v is rate for rate in rates)]


def _with_inner(optimizer: Any) -> list[Any]:
    """An optimizer and those within it."""
    inner = [getattr(optimizer, "inner_optimizer", None), *getattr(optimizer, "optimizers", ())]
    return [optimizer, *(o for one in inner if one is not None for o in _with_inner(one))]


__all__ = ["OPTIMIZERS", "CallableVariables"]
