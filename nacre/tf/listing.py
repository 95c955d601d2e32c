"""All public names of TensorFlow, and of each whether it is here, how it differs, or why it is not.

`tensorflow_names.txt.gz` has the names (`tests/reference/make_tensorflow_names.py` wrote it): those
of TensorFlow 2.21, and below `keras` those of tf.keras 2.15. What is said of them is asked of the
namespaces themselves.
"""

from __future__ import annotations

import functools
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from nacre.core.errors import NotThereError
from nacre.tf.differing import DIFFERS

_FIRST_VERSION = "compat.v1"


@functools.cache
def names_of_tensorflow() -> dict[str, frozenset[str]]:
    """The names of each module of TensorFlow, by its path: '' for the package."""
    file = resources.files("nacre.tf").joinpath("tensorflow_names.txt.gz")
    found: dict[str, frozenset[str]] = {}
    for line in gzip.decompress(file.read_bytes()).decode().splitlines():
        path, _, names = line.partition(": ")
        found[path] = frozenset(names.split())
    return found


def in_second_version(path: str, name: str | None = None) -> str | None:
    """The module of TensorFlow 2 that one of `compat.v1` is, for a name that means the same there.

    Args:
        path: A module, such as 'compat.v1.math'.
        name: A name of it; None where the module itself is asked for.
    """
    if path != _FIRST_VERSION and not path.startswith(f"{_FIRST_VERSION}."):
        return None
    known = names_of_tensorflow()
    if name is None:
        return path[len(_FIRST_VERSION) + 1 :] if path in known else None
    return path[len(_FIRST_VERSION) + 1 :] if name in known.get(path, ()) else None


@dataclass(frozen=True)
class Symbol:
    """A public name of TensorFlow.

    Attributes:
        name: The name, below `tf`.
        state: 'here', 'differs' or 'absent'.
        told: How it differs, or why it is absent and what to write; '' where it is here.
    """

    name: str
    state: Literal["here", "differs", "absent"]
    told: str = ""


def symbol(path: str, name: str) -> Symbol:
    """What is known of a name of TensorFlow.

    Args:
        path: Its module, such as 'math'; '' for the package.
        name: The name.
    """
    from nacre.tf.namespaces import and_above, find, reason_for

    full = f"{path}.{name}" if path else name
    try:
        find(path, name)
    except NotThereError as error:
        return Symbol(full, "absent", reason_for(full) or str(error).partition("'. ")[2])
    place = full.removeprefix(f"{_FIRST_VERSION}.").removeprefix("math.")
    differs = next((DIFFERS[part] for part in and_above(place) if part in DIFFERS), None)
    return Symbol(full, "here") if differs is None else Symbol(full, "differs", differs)


def symbols(within: str = "") -> Iterator[Symbol]:
    """All public names of TensorFlow, or those within a module, in order.

    Args:
        within: A module or a name, such as 'tf.image' or 'tf.image.resize'.

    Example:
        >>> [(one.name, one.state) for one in symbols("tf.sets")][:2]
        [('sets.difference', 'here'), ('sets.intersection', 'here')]
    """
    within = "" if within == "tf" else within.removeprefix("tf.").removeprefix("tensorflow.")
    for path, names in sorted(names_of_tensorflow().items()):
        for name in sorted(names):
            full = f"{path}.{name}" if path else name
            if not within or full == within or full.startswith(f"{within}."):
                yield symbol(path, name)


__all__ = ["Symbol", "in_second_version", "names_of_tensorflow", "symbol", "symbols"]
