"""A metric object that is asked for twice: the second has the same settings and its own state."""

from __future__ import annotations

import copy
from typing import Any

from nacre.core.variable import Variable
from nacre.metrics.metric import Metric


def with_own_state(metric: Metric) -> Metric:
    """A copy that shares everything but the variables, its own and those of metrics within.

    It is made from the object, not from its config, which of a user's class may not tell all.

    Example:
        >>> from nacre.metrics.reduction import Mean
        >>> mean = Mean(name="m")
        >>> mean.update_state([4.0])
        >>> twin = with_own_state(mean)
        >>> twin.name, float(twin.result()), float(mean.result())
        ('m', 0.0, 4.0)
    """
    twin = _copied(metric, {id(variable): copy.copy(variable) for variable in metric.variables})
    twin.reset_state()
    return twin


def _copied(metric: Metric, made: dict[int, Any]) -> Metric:
    """The metric's copy, with what was made for each variable and metric so far."""
    twin = made[id(metric)] = copy.copy(metric)

    def own(value: Any) -> Any:
        if isinstance(value, Variable):
            return made.get(id(value), value)
        if isinstance(value, Metric):
            return made[id(value)] if id(value) in made else _copied(value, made)
        if type(value) in (list, tuple, set):
            return type(value)(map(own, value))
        return {key: own(item) for key, item in value.items()} if type(value) is dict else value

    for name, value in {
        **vars(metric),
        **{s: getattr(metric, s) for s in Metric.__slots__},
    }.items():
        object.__setattr__(twin, name, own(value))
    return twin


__all__ = ["with_own_state"]
