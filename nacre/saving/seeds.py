"""The seeds of a model's layers in formats that have no place for them: a list of nacre's own.

Without them training that goes on from a file would draw other masks of dropout than training that
never stopped. Other readers pass over the list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nacre.core.names import paired_in_order, without_numbers
from nacre.core.random import SeedGenerator
from nacre.core.variable import Variable
from nacre.saving.layout import entries
from nacre.saving.weights import LoadStep

NAME = "_nacre_seeds"


def seeds_of(model: Any) -> dict[str, Variable]:
    """Path of a generator in the model -> its state, without the one that layers without a seed
    share."""
    return {
        entry.path: entry.owner.state
        for entry in entries(model, optimizer=False)
        if isinstance(entry.owner, SeedGenerator)
    }


def seed_steps(
    model: Any,
    shapes: Mapping[str, tuple[int, ...]],
    read: Callable[[str], np.ndarray],
) -> list[LoadStep]:
    """How the seeds of a model are set from a file; none where it holds those of another model.

    Args:
        model: The model.
        shapes: Path in the file -> shape.
        read: Gives the array of a path in the file.
    """
    own = seeds_of(model)
    paths = paired_in_order(list(own), list(shapes), without_numbers)
    if paths is None or any(shapes[paths[path]] != state.shape for path, state in own.items()):
        return []

    def assign(arrays: list[np.ndarray]) -> None:
        for state, values in zip(own.values(), arrays, strict=True):
            state.assign(values)

    return [LoadStep(lambda: [read(paths[path]) for path in own], assign)]


__all__ = ["NAME", "seed_steps", "seeds_of"]
