"""How the variables and the batches of programs lie on several devices.

A program is written for one device. Where a layout is in force, the state puts its variables on the
devices, each as its path says, and says of those that a program gives back that they lie there too;
batches are divided along their first axis. XLA does the rest. Batches whose size cannot be divided
are computed by every device.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from nacre.core.context import changed, current
from nacre.core.typed_jax import said_to_lie


@dataclass(frozen=True)
class Layout:
    """Where variables and batches lie.

    Args:
        mesh: The devices.
        batch_axis: The axis of the mesh along which batches are divided.
        rules: (regular expression, partition) for variables by path; the first that is found in
            the path holds. All others are on every device.

    Example:
        >>> import jax
        >>> layout = data_parallel(jax.devices()[:1])
        >>> layout.of_variable("dense/kernel").is_fully_replicated
        True
    """

    mesh: Mesh
    batch_axis: str
    rules: tuple[tuple[str, PartitionSpec], ...] = ()

    @property
    def everywhere(self) -> NamedSharding:
        """On every device."""
        return NamedSharding(self.mesh, PartitionSpec())

    def of_variable(self, path: str) -> NamedSharding:
        """Where a variable lies."""
        for pattern, partition in self.rules:
            if re.search(pattern, path):
                return NamedSharding(self.mesh, partition)
        return self.everywhere

    def of_batch(self, size: int) -> NamedSharding:
        """Where a batch lies."""
        if size % self.mesh.shape[self.batch_axis]:
            return self.everywhere
        return NamedSharding(self.mesh, PartitionSpec(self.batch_axis))

    def divided(self, leaves: Sequence[Any]) -> list[Any]:
        """The arrays of a batch within a program, divided among the devices."""
        return [None if a is None else said_to_lie(a, self.of_batch(a.shape[0])) for a in leaves]


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


__all__ = ["Layout", "current_layout", "data_parallel", "use_layout"]
