"""Types of `**kwargs`, so that a checker sees a misspelt keyword before the script runs.

Functions take `**kwargs` for old spellings, and to name the nearest argument when they refuse one
(`errors.refuse_unknown`). `**kwargs: Unpack[...]` tells a checker which keywords these are.
"""

from __future__ import annotations

from typing import TypedDict


class NoKeywords(TypedDict):
    """No keyword is taken; the function refuses each itself, with the nearest name."""


class OldDataKeywords(TypedDict, total=False):
    """What tf.keras 2 takes in `fit`, `evaluate` and `predict`; a `PyDataset` says it now."""

    max_queue_size: int
    workers: int
    use_multiprocessing: bool
