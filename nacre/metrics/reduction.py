"""Sums and means over batches, and the metric that is the mean of a function."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Self

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.core.interop import to_numpy_if_foreign
from nacre.core.registry import plain_config, register
from nacre.core.safety import reads_config
from nacre.core.scope import get_mask
from nacre.losses.absent import is_axis_unambiguous, without_absent
from nacre.losses.checking import as_array, as_returned_array, check_given_labels, same_rank
from nacre.losses.logits import activation_of_probabilities
from nacre.losses.loss import SettableArguments, function_config, function_from_config
from nacre.losses.reduction import (
    combined_mask,
    divide_or_zero,
    fit_weights,
    mask_of_sums,
    weighted,
)
from nacre.metrics.direction import direction_of
from nacre.metrics.metric import Metric


def combined_weights(
    who: str, sample_weight: Any, mask: Any, shape: tuple[int, ...], dtype: Any
) -> Any:
    """Weights and mask as one array that broadcasts to `shape`; None when there is neither.

    Args:
        who: Name for messages.
        sample_weight: Weights or None.
        mask: Mask or None.
        shape: Shape of the values they belong to.
        dtype: Dtype of the result.
    """
    weights = None
    if sample_weight is not None:
        weights = as_array(sample_weight).astype(dtype)
        weights = fit_weights(who, weights, shape)
    if mask is not None:
        mask = fit_weights(who, jnp.asarray(mask), shape, "the mask").astype(dtype)
        weights = mask if weights is None else weights * mask
    return weights


def _per_sample(values: Any, sample_weight: Any, reduce: Callable[..., Any]) -> Any:
    """As Keras does: where a weight belongs to several values, these are reduced first."""
    if sample_weight is None:
        return values
    rank = np.ndim(to_numpy_if_foreign(sample_weight))
    if rank == 0 or rank >= values.ndim:
        return values
    return reduce(values, axis=tuple(range(rank, values.ndim)))


def reads_labels(metric: Metric) -> bool:
    """Whether targets are indices of the classes of the predictions."""
    function = getattr(metric, "_fn", None)
    is_sorted = getattr(metric, "_fn_kwargs", {}).get("from_sorted_ids", False)
    return getattr(function, "reads_labels", False) and not is_sorted


def _arguments_for_logits(function: Any) -> tuple[str, str, Any, Any] | None:
    """(activation, argument, its default, its value for logits) of a function that has such."""
    activation, _ = activation_of_probabilities(function)
    if activation is not None and not isinstance(function, functools.partial):
        return activation, "from_logits", False, True
    return getattr(function, "for_logits", None)


def _sums_over_samples(function: Any) -> bool:
    """Whether a function gives one number for a batch, as Dice does."""
    return getattr(function, "sums_over_samples", False)


@register("metrics/Sum")
class Sum(Metric):
    """The weighted sum of values.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.

    Example:
        >>> total = Sum()
        >>> total.update_state([1.0, 3.0])
        >>> float(total.result())
        4.0
    """

    leaves_out_absent = True

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), "zeros", name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values, times their weights.

        Args:
            values: Numbers of any shape.
            sample_weight: Weights of the values, or of the leading axes.
        """
        mask = get_mask(values)
        values = as_array(values).astype(self.dtype)
        if mask is None:
            values = _per_sample(values, sample_weight, jnp.sum)
        weights = combined_weights(self._who, sample_weight, mask, values.shape, values.dtype)
        self.total.assign_add(jnp.sum(values if weights is None else weighted(values, weights)))

    def result(self) -> Any:
        """The sum so far."""
        return self.total.value


@register("metrics/Mean")
class Mean(Metric):
    """The weighted mean of values.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.

    Formula:
        sum(weight · value) / sum(weight), 0 before the first value
    Example:
        >>> mean = Mean()
        >>> mean.update_state([1.0, 3.0], sample_weight=[1.0, 3.0])
        >>> float(mean.result())
        2.5
    """

    leaves_out_absent = True

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Take values in.

        Args:
            values: Numbers of any shape.
            sample_weight: Weights of the values, or of the leading axes.
        """
        mask = get_mask(values)
        values = as_array(values).astype(self.dtype)
        if mask is None:
            values = _per_sample(values, sample_weight, jnp.mean)
        weights = combined_weights(self._who, sample_weight, mask, values.shape, values.dtype)
        self._add(values, weights)

    def _add(self, values: Any, weights: Any) -> None:
        if weights is None:
            self.total.assign_add(jnp.sum(values))
            self.count.assign_add(math.prod(values.shape))
        else:
            self.total.assign_add(jnp.sum(weighted(values, weights)))
            self.count.assign_add(jnp.sum(jnp.broadcast_to(weights, values.shape)))

    def result(self) -> Any:
        """The mean so far."""
        return divide_or_zero(self.total.value, self.count.value)


@register("metrics/MeanMetricWrapper")
class MeanMetricWrapper(SettableArguments, Mean):
    """The mean of a function `(y_true, y_pred, **kwargs) -> one value per sample`.

    Args:
        fn: The function.
        name: The function's own by default in `compile`, else automatic.
        dtype: Dtype of the result.
        kwargs: Further arguments of the function.

    Example:
        >>> distance = MeanMetricWrapper(lambda t, p: jnp.abs(t - p), name="distance")
        >>> distance.update_state([1.0, 2.0], [2.0, 4.0])
        >>> float(distance.result())
        1.5
    """

    _settings = frozenset(("_fn", "_fn_kwargs"))

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        if not callable(fn):
            raise ArgumentError(message("MeanMetricWrapper", "fn must be callable", repr(fn)))
        super().__init__(name=name, dtype=dtype)
        if self.direction is None:  # a class may say it; a function's author may too
            self.direction = direction_of(fn)
        self._fn = fn
        self._fn_kwargs = kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in.

        Args:
            y_true: Targets.
            y_pred: Predictions. If they have a mask, it leaves steps out.
            sample_weight: One weight per sample, or per sample and step.
        """
        self._take(y_true, y_pred, sample_weight, self._fn_kwargs)

    def _reads_probabilities(self) -> bool:
        for_logits = _arguments_for_logits(self._fn)
        if for_logits is None:
            return getattr(self._fn, "takes_probabilities", False)
        _, name, default, _ = for_logits
        return self._fn_kwargs.get(name, default) == default

    def _update_from_logits(
        self,
        y_true: Any,
        logits: Any,
        sample_weight: Any,
        activation: str,
        probabilities: Callable[[Any], Any],
    ) -> None:
        for_logits = _arguments_for_logits(self._fn)
        if for_logits is None or for_logits[0] != activation:
            self._take(y_true, probabilities(logits), sample_weight, self._fn_kwargs)
        else:  # exact where the probability would be rounded to 0 or 1
            arguments = {**self._fn_kwargs, for_logits[1]: for_logits[3]}
            self._take(y_true, logits, sample_weight, arguments)

    def _take(self, y_true: Any, y_pred: Any, sample_weight: Any, arguments: Any) -> None:
        mask = get_mask(y_pred)
        if reads_labels(self):
            check_given_labels(self._who, y_true, y_pred, arguments, mask, sample_weight)
        y_pred = as_array(y_pred)
        has_targets = y_true is not None or self._is_own_formula()
        # A function of the user's may be one of the predictions alone.
        y_true = as_array(y_true) if has_targets else y_pred
        if sample_weight is not None:
            sample_weight = as_array(sample_weight)
        valid_for = y_true
        y_true, y_pred = without_absent(
            y_true,
            y_pred,
            sample_weight,
            mask,
            axis=arguments.get("axis", -1),
            is_by_sample=not (
                self._is_own_formula()
                or is_axis_unambiguous(getattr(sample_weight, "shape", ()), y_pred.shape)
            ),
            zeros=_sums_over_samples(self._fn),
        )
        if not getattr(self._fn, "checks_shapes", False):
            y_true, y_pred = same_rank(y_true, y_pred)
        values = self._fn(y_true if has_targets else None, y_pred, **arguments)
        values = as_returned_array(self._who, values).astype(self.dtype)
        if mask is not None and _sums_over_samples(self._fn):
            mask = mask_of_sums(mask, values.ndim)
        mask = combined_mask(self._who, mask, self._valid(valid_for, values.shape), values.shape)
        if mask is None:
            values = _per_sample(values, sample_weight, jnp.mean)
        self._add(
            values,
            combined_weights(self._who, sample_weight, mask, values.shape, values.dtype),
        )

    @property
    def leaves_out_absent(self) -> bool:  # type: ignore[override]
        """Whether the function gives one value a sample; of a user's function this is unknown."""
        axis = self._fn_kwargs.get("axis", -1)
        by_sample = isinstance(axis, int) and axis != 0
        return self._is_own_formula() and by_sample and not _sums_over_samples(self._fn)

    def _is_own_formula(self) -> bool:
        return getattr(self._fn, "checks_shapes", False)

    def _valid(self, y_true: Any, shape: tuple[int, ...]) -> Any:
        """Which values count, by the targets alone; None for all."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = Metric.get_config(self)
        if type(self) is MeanMetricWrapper:
            config["fn"] = function_config(self._fn)
        return {**config, **plain_config(self._fn_kwargs)}

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the metric a config describes."""
        config = dict(config)
        if "fn" in config:
            config["fn"] = function_from_config(config["fn"], "keras.metrics", "keras.losses")
        return super().from_config(config)


class BuiltinMean(MeanMetricWrapper):
    """The mean of one of this package's functions; arguments of the function are attributes."""

    # Arguments that Keras leaves out of configs: written only when they are not the default.
    _left_out: dict[str, Any] = {}

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        kept = {
            key: value
            for key, value in self._fn_kwargs.items()
            if key not in self._left_out or self._left_out[key] != value
        }
        return {**Metric.get_config(self), **plain_config(kept)}

    def __getattr__(self, name: str) -> Any:
        arguments = self.__dict__.get("_fn_kwargs", {})
        if name in arguments:
            return arguments[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
