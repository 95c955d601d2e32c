"""Python's and NumPy's own random numbers, as a state to go on from.

Code of the user's draws from them: a `PyDataset` that shuffles or augments, a callback.
"""

# NumPy gives the state of its generator without a type.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import random as python_random
from collections.abc import Mapping
from typing import Any

import numpy as np

from nacre.core.kinds import is_list, is_mapping, is_numpy_array


def host_random_state() -> dict[str, Any]:
    """Where `random` and `np.random` are: data that JSON can hold, and arrays.

    Example:
        >>> state = host_random_state()
        >>> first = np.random.random(), python_random.random()
        >>> set_host_random_state(state)
        >>> first == (np.random.random(), python_random.random())
        True
    """
    version, words, gauss = python_random.getstate()
    return {
        "python": [version, np.array(words, np.uint32), gauss],
        "numpy": dict(np.random.get_state(legacy=False)),
    }


def set_host_random_state(state: Mapping[str, Any]) -> None:
    """Let `random` and `np.random` go on where a state was taken."""
    version, words, gauss = state["python"]
    python_random.setstate((version, tuple(int(word) for word in words), gauss))
    np.random.set_state(state["numpy"])


def are_same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether nothing was drawn between two states."""
    return _are_same(first, second)


def _are_same(first: Any, second: Any) -> bool:
    if is_mapping(first):
        return all(_are_same(value, second[name]) for name, value in first.items())
    if is_list(first):
        return all(_are_same(a, b) for a, b in zip(first, second, strict=True))
    return np.array_equal(first, second) if is_numpy_array(first) else bool(first == second)


__all__ = ["are_same", "host_random_state", "set_host_random_state"]
