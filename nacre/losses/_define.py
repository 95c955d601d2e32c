"""How this package's loss functions are declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from nacre.ops._define import Family

P = ParamSpec("P")
R = TypeVar("R")


# Operations of ours, which no namespace of ops shows.
_op = Family("numpy", is_listed=False)


def loss_function(function: Callable[P, R]) -> Callable[P, R]:
    """Let a loss function record itself when it is given symbolic tensors (`model.add_loss`).

    It also marks that the function checks shapes itself, and that less of it is better.
    """
    declared = _op(name=f"loss_{function.__name__}", tensors=("y_true", "y_pred"))(function)
    declared.checks_shapes = True  # type: ignore[attr-defined]
    declared.direction = "min"  # type: ignore[attr-defined]
    return declared
