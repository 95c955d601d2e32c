"""Types of arguments that a signature alone does not tell a checker.

Functions take `**kwargs` for old spellings, and to name the nearest argument when they refuse one
(`errors.refuse_unknown`). `**kwargs: Unpack[...]` tells a checker which keywords these are, so that
a misspelt one is seen before the script runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict, TypeVar

R = TypeVar("R")


class NoKeywords(TypedDict):
    """No keyword is taken; the function refuses each itself, with the nearest name."""


class OldDataKeywords(TypedDict, total=False):
    """What tf.keras 2 takes in `fit`, `evaluate` and `predict`; a `PyDataset` says it now."""

    max_queue_size: int
    workers: int
    use_multiprocessing: bool


def any_arguments(method: Callable[..., R]) -> Callable[..., R]:
    """Mark a method that a subclass may override with other arguments; it changes nothing.

    Such are the hooks that people override and do not call, as `call` and `on_epoch_end`.
    """
    return method
