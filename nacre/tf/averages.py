"""`tf.train.ExponentialMovingAverage`: a running mean of variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nacre.core.errors import ArgumentError, message
from nacre.tf.variable import Variable


class ExponentialMovingAverage:
    """Keeps for each variable `average = decay · average + (1 - decay) · value`.

    Args:
        decay: How much of the average stays, near 1.
        num_updates: How often was updated: the decay is at most (1 + n) / (10 + n).
        zero_debias: Whether averages begin at zero and are scaled up; else at the first value.
        name: What names of averages end with.

    Source:
        TensorFlow 2.15, tf.train.ExponentialMovingAverage. Differs: averages exist after the first
        `apply`, which makes them.
    Example:
        >>> weight = Variable(2.0)
        >>> mean = ExponentialMovingAverage(0.5)
        >>> mean.apply([weight])
        >>> weight.assign(4.0) is None, mean.apply([weight])
        (False, None)
        >>> float(mean.average(weight).value)
        3.0
    """

    def __init__(
        self,
        decay: Any,
        num_updates: Any = None,
        zero_debias: bool = False,
        name: str = "ExponentialMovingAverage",
    ) -> None:
        self._decay, self._num_updates, self._name = decay, num_updates, name
        self._is_debiased = zero_debias
        self._averages: dict[int, tuple[Any, Variable]] = {}
        self._counts: dict[int, Variable] = {}

    def apply(self, var_list: Sequence[Any] | None = None) -> None:
        """Update the averages of variables; the first time it makes them.

        Args:
            var_list: The variables.
        """
        if not var_list:
            rule, fix = "the variables must be told", "Pass model.trainable_variables."
            raise ArgumentError(message("ExponentialMovingAverage.apply", rule, "none", fix))
        for variable in var_list:
            self._update(variable)

    def _update(self, variable: Any) -> None:
        value = variable.value
        if id(variable) not in self._averages:
            first = value * 0 if self._is_debiased else value
            made = Variable(first, trainable=False, name=f"{variable.name}_{self._name}")
            self._averages[id(variable)] = (variable, made)
            self._counts[id(variable)] = Variable(0.0, trainable=False)
            if not self._is_debiased:
                return
        kept = self._averages[id(variable)][1]
        decay = self._now()
        if self._is_debiased:
            count = self._counts[id(variable)]
            before, after = 1 - decay**count.value, 1 - decay ** (count.value + 1)
            raw = kept.value * before
            kept.assign((decay * raw + (1 - decay) * value) / after)
            count.assign(count.value + 1)
        else:
            kept.assign(decay * kept.value + (1 - decay) * value)

    def _now(self) -> Any:
        if self._num_updates is None:
            return self._decay
        from nacre import ops

        number = getattr(self._num_updates, "value", self._num_updates)
        return ops.minimum(self._decay, (1.0 + number) / (10.0 + number))

    def average(self, var: Any) -> Any:
        """The average of a variable; None before the first `apply`.

        Args:
            var: The variable.
        """
        found = self._averages.get(id(var))
        return None if found is None else found[1]

    def average_name(self, var: Any) -> str:
        """The name of the average of a variable."""
        return f"{var.name}/{self._name}"

    @property
    def name(self) -> str:
        """What names of averages end with."""
        return self._name


__all__ = ["ExponentialMovingAverage"]
