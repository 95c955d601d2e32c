"""Shapes of what a program gives where some sizes are open, found by trying sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ShapeError, message
from nacre.core.strings import is_text
from nacre.core.symbolic import KerasTensor

# Sizes to try where a size is unknown: an output's size that differs between the two is unknown.
_TRIAL_SIZES = ((2, 16), (3, 24))


def shapes_by_trial(
    tried: Callable[[Any], Any], leaves: Sequence[Any], structure: Any, who: str
) -> Any:
    """Zeros in the shapes of the outputs; sizes that are symbols in the inputs stay symbols.

    Args:
        tried: Shapes and dtypes that the program gives for arrays in the inputs' structure.
        leaves, structure: The inputs, some of whose sizes are symbols.
        who: What errors call the layer.

    Raises:
        ShapeError: An output has a size that is no input's, and differs from trial to trial.
    """
    unknown = list({n: None for leaf in leaves for n in leaf.shape if not isinstance(n, int)})
    trials = [
        {n: sizes[min(at, 1)] + max(at - 1, 0) for at, n in enumerate(unknown)}
        for sizes in _TRIAL_SIZES
    ]
    symbols = {(trials[0][n], trials[1][n]): n for n in unknown}
    found: list[Any] = []
    for sizes in trials:
        shapes: list[tuple[Any, ...]] = [
            tuple(sizes.get(n, n) for n in leaf.shape) for leaf in leaves
        ]
        given = [
            np.full(shape, "", object) if is_text(leaf) else jnp.zeros(shape, leaf.dtype)
            for shape, leaf in zip(shapes, leaves, strict=True)
        ]
        found.append(tried(jax.tree.unflatten(structure, given)))
    first, second = (jax.tree.leaves(each) for each in found)
    arrays: list[Any] = []
    for one, other in zip(first, second, strict=True):
        pairs = list(zip(one.shape, other.shape, strict=True))
        if any(a != b and (a, b) not in symbols for a, b in pairs):
            raise ShapeError(
                message(
                    who,
                    "the output's sizes must be known, or be sizes of the inputs",
                    f"inputs of shapes {[tuple(map(str, leaf.shape)) for leaf in leaves]}",
                    "Give the layer's input a full shape.",
                )
            )
        shape = tuple(a if a == b else symbols[a, b] for a, b in pairs)
        is_open = None in shape  # of strings, which are not traced
        make: Any = KerasTensor if is_open else jnp.zeros
        arrays.append(make(shape, str(one.dtype)))
    return jax.tree.unflatten(jax.tree.structure(found[0]), arrays)


__all__ = ["shapes_by_trial"]
