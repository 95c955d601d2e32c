"""How this package's metric functions are declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def metric_function(function: Callable[P, R]) -> Callable[P, R]:
    """Mark that a function converts its arguments and checks their shapes itself, and that more of
    it is better: those of which less is better are losses."""
    function.checks_shapes = True  # type: ignore[attr-defined]
    function.direction = "max"  # type: ignore[attr-defined]
    return function
