"""A node of a graph that reports a value: what `model.add_metric(tensor, name)` makes."""

from __future__ import annotations

from typing import Any, Unpack

from nacre import ops
from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer


@register("MetricTap", module="nacre")
class MetricTap(Layer):
    """Reports the mean of its inputs, and gives a loss of 0 that keeps it in each step.

    Args:
        metric_name: What the mean is called.
    """

    def __init__(self, metric_name: str, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.metric_name = metric_name

    def call(self, inputs: Any) -> Any:
        """0."""
        self.add_metric(inputs, name=self.metric_name)
        return ops.zeros((), "float32")


__all__ = ["MetricTap"]
