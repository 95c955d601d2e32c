"""What is saved of a model that another thread trains is what one step left."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from nacre.core.state import standing_still
from nacre.core.variable import Variable

P = ParamSpec("P")
Saved = TypeVar("Saved")


def of_one_step(save: Callable[P, Saved]) -> Callable[P, Saved]:
    """Saving while another thread trains the model: the training waits, and so does one that
    begins meanwhile, else the file would hold some weights of one step and some of another."""

    @functools.wraps(save)
    def whole(*args: P.args, **kwargs: P.kwargs) -> Saved:
        model: Any = args[0] if args else kwargs.get("model")
        held = list(getattr(model, "variables", ()))
        held += getattr(getattr(model, "optimizer", None), "variables", ())
        kept = [variable for variable in held if isinstance(variable, Variable)]
        with standing_still(kept):
            return save(*args, **kwargs)

    return whole


__all__ = ["of_one_step"]
