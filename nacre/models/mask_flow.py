"""Masks of graphs that Keras wrote: they end at ops, where nacre sends them on.

In Keras a mask goes from layer to layer, and `embedding + positions` has none. Here masks travel
through ops as well. A graph that Keras wrote keeps Keras's numbers: its models carry a flag, which
stands in configs under `KEY`, and while such a model is called no op passes a mask on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nacre.core.registry import is_builtin
from nacre.layers.base.layer import Layer

# In configs: True where masks end at ops. Without it a graph is Keras's, or has no ops.
KEY = "masks_end_at_ops"


def can_matter(operations: Iterable[Any]) -> bool:
    """Whether there may be ops among what a model calls: its own, or those of a user's layer."""
    return any(not isinstance(op, Layer) or not is_builtin(type(op)) for op in operations)


__all__ = ["KEY", "can_matter"]
