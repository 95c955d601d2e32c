"""Dicts within dicts, as values by path: `{"dense": {"kernel": 1}}` is `("dense", "kernel")` -> 1.

Unlike in `core.tree` lists are values, and names keep the order they have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nacre.core.kinds import is_mapping


def values_by_path(nested: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    """Path -> value, in order.

    Example:
        >>> values_by_path({"dense": {"kernel": 1, "bias": 2}})
        {('dense', 'kernel'): 1, ('dense', 'bias'): 2}
    """
    return dict(_walk(nested, ()))


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not is_mapping(value):
        yield path, value
        return
    for name, inner in value.items():
        yield from _walk(inner, (*path, str(name)))


def nested(paths: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """The dicts of which `values_by_path` gave the paths.

    Example:
        >>> nested({("dense", "kernel"): 1, ("dense", "bias"): 2})
        {'dense': {'kernel': 1, 'bias': 2}}
    """
    made: dict[str, Any] = {}
    for (*outer, last), value in paths.items():
        here = made
        for name in outer:
            here = here.setdefault(name, {})
        here[last] = value
    return made


__all__ = ["values_by_path", "nested"]
