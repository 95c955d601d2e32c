"""Hinge losses as metrics."""

from __future__ import annotations

from typing import Any

from nacre.core.registry import register
from nacre.losses import hinges as losses
from nacre.metrics.reduction import BuiltinMean


@register("metrics/Hinge")
class Hinge(BuiltinMean):
    """The mean hinge loss.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
    """

    def __init__(self, name: str | None = "hinge", dtype: Any = None) -> None:
        super().__init__(losses.hinge, name, dtype)


@register("metrics/SquaredHinge")
class SquaredHinge(BuiltinMean):
    """The mean squared hinge loss.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
    """

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(losses.squared_hinge, name, dtype)


@register("metrics/CategoricalHinge")
class CategoricalHinge(BuiltinMean):
    """The mean categorical hinge loss.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
    """

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(losses.categorical_hinge, name, dtype)
