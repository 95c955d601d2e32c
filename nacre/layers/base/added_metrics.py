"""`layer.add_metric(value, name)`, as of tf.keras 2: the mean of a value that a call computes."""

from __future__ import annotations

from typing import Any

from nacre.core.errors import ArgumentError, message
from nacre.layers.base.holding import PartHolder
from nacre.metrics.metric import Metric, gave
from nacre.metrics.reduction import Mean

_ATTRIBUTE = "_added_metric_"


class MetricAdder(PartHolder):
    """The part of `Layer` that keeps what `add_metric` is told."""

    def add_metric(
        self, value: Any, name: str | None = None, aggregation: str | None = None, **kwargs: Any
    ) -> None:
        """Report the mean of a value over the batches of an epoch, as of tf.keras 2.

        To be called within `call`, with what was computed there; a metric that is an attribute of
        the layer is reported without it.

        Args:
            value: Numbers; all of them count. What a metric of the layer's own gave is that
                metric's, and reported under its name.
            name: What it is called in the record of a training.
            aggregation: 'mean' or None, which is the same.

        Raises:
            ArgumentError: There is no name, or another aggregation.
        """
        who = f"{self._who()}.add_metric"
        if kwargs:
            raise ArgumentError(message(who, "arguments must be known", ", ".join(kwargs)))
        if aggregation not in (None, "mean"):
            raise ArgumentError(message(who, "aggregation must be 'mean' or None", aggregation))
        if _is_of_metric(self, value):
            return
        if not isinstance(name, str) or not name:
            fix = "Name it: add_metric(value, name='distance')."
            raise ArgumentError(message(who, "there must be a name", repr(name), fix))
        metric = getattr(self, f"{_ATTRIBUTE}{name}", None)
        if metric is None:
            metric = Mean(name=name)
            setattr(self, f"{_ATTRIBUTE}{name}", metric)
        metric.update_state(value)


def _is_of_metric(layer: Any, value: Any) -> bool:
    """Whether a value is what a metric that the layer holds gave last."""
    metrics = [part for part in vars(layer).values() if isinstance(part, Metric)]
    return any(gave(metric, value) for metric in metrics)


__all__ = ["MetricAdder"]
