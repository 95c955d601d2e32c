"""How the variables and the batches of programs lie on several devices.

A program is written for one device. Where a layout is in force, the state puts its variables on the
devices, each as its path says, and says of those that a program gives back that they lie there too;
batches are divided along their first axis. XLA does the rest. Batches whose size cannot be divided
are computed by every device.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from nacre.core.context import changed, current
from nacre.core.errors import ArgumentError, message
from nacre.core.typed_jax import said_to_lie


@dataclass(frozen=True)
class Layout:
    """Where variables and batches lie.

    Args:
        mesh: The devices.
        batch_axis: The axis of the mesh along which batches are divided.
        rules: (regular expression, partition) for variables by path: the one that is found in the
            path holds. All others are on every device.

    Example:
        >>> import jax
        >>> layout = data_parallel(jax.devices()[:1])
        >>> layout.of_variable("dense/kernel", (2, 2)).is_fully_replicated
        True
    """

    mesh: Mesh
    batch_axis: str
    rules: tuple[tuple[str, PartitionSpec], ...] = ()

    @property
    def everywhere(self) -> NamedSharding:
        """On every device."""
        return NamedSharding(self.mesh, PartitionSpec())

    def of_variable(self, path: str, shape: Sequence[int]) -> NamedSharding:
        """Where a variable lies.

        Raises:
            ArgumentError: Several rules fit its path, or the one that does divides axes that it has
                not, or sizes that cannot be divided so.
        """
        rules = dict(self.rules)
        key = fitting_key(rules, path)
        if key is None:
            return self.everywhere
        partition = rules[key]
        who, named = f"layout of variable {path!r}", tuple(partition)
        if len(named) > len(shape):
            rule = f"a layout must have at most the {len(shape)} axes of the variable"
            raise ArgumentError(message(who, rule, f"{named}", "Let the key fit fewer paths."))
        for size, axes in zip(shape, named, strict=False):
            parts = (
                1 if axes is None else math.prod(self.mesh.shape[a] for a in np.atleast_1d(axes))
            )
            if size % parts:
                rule = f"each axis must be divided by as many devices as its size allows: {named}"
                fix = f"Choose a multiple of {parts}, or do not divide this axis."
                raise ArgumentError(message(who, rule, f"{size} by {parts}", fix))
        return NamedSharding(self.mesh, partition)

    def of_batch(self, size: int) -> NamedSharding:
        """Where a batch lies."""
        if size % self.mesh.shape[self.batch_axis]:
            return self.everywhere
        return NamedSharding(self.mesh, PartitionSpec(self.batch_axis))

    def divided(self, leaves: Sequence[Any]) -> list[Any]:
        """The arrays of a batch within a program, divided among the devices."""
        return [None if a is None else said_to_lie(a, self.of_batch(a.shape[0])) for a in leaves]


def fitting_key(keys: Collection[str], path: str) -> str | None:
    """The key that is a path, else the one that is found in it; None where there is none.

    Args:
        keys: Regular expressions.
        path: That of a variable.
    Raises:
        ArgumentError: Several are found in it, and none is the path.
    Example:
        >>> fitting_key(["dense/.*", "bias"], "dense/kernel")
        'dense/.*'
    """
    if path in keys:
        return path
    fitting = [key for key in keys if re.search(key, path)]
    if len(fitting) > 1:
        rule, got = f"one key must fit path '{path}'", ", ".join(map(repr, fitting))
        fix = "Let the regular expressions fit fewer paths."
        raise ArgumentError(message("layout of variables", rule, got, fix))
    return fitting[0] if fitting else None


def data_parallel(devices: Sequence[Any]) -> Layout:
    """Variables on every device, batches divided.

    Args:
        devices: Those of `jax.devices()`, which have no type.
    """
    return Layout(Mesh(np.array(devices), ("batch",)), "batch")


def current_layout() -> Layout | None:
    """The layout for programs that are made here; None: one device."""
    return current().layout


def use_layout(layout: Layout | None) -> changed:
    """A block in which programs are made for a layout.

    Example:
        >>> import jax
        >>> with use_layout(data_parallel(jax.devices()[:1])):
        ...     current_layout() is None
        False
    """
    return changed(layout=layout)


__all__ = ["Layout", "current_layout", "data_parallel", "fitting_key", "use_layout"]
