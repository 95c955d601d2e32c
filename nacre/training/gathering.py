"""The outputs of `predict`, batch after batch, as arrays over all samples."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from nacre.core import tree
from nacre.data.sources import without_arrays
from nacre.ops.kernels import placement


def fetched(leaf: Any) -> np.ndarray:
    """An output on the host; on a CPU it may look into the memory of the device."""
    array = np.asarray(leaf)
    is_extended = array.dtype.kind == "V"  # asking for the name takes longer
    is_bfloat16 = is_extended and array.dtype.name == "bfloat16"
    return array.astype(np.float32) if is_bfloat16 else array


def start_fetching(outputs: Any) -> None:
    """Let outputs begin to come to the host, where the device has memory of its own.

    Taking them, later, waits for no more than what has not arrived yet.
    """
    if placement.platform() != "cpu":
        for leaf in tree.flatten(outputs):
            if isinstance(leaf, jax.Array):
                leaf.copy_to_host_async()


def own_rows(leaf: Any, count: int, padded: int) -> np.ndarray:
    """An output of one batch as an array of the user's own, without the rows of padding."""
    array = np.array(leaf)
    if array.dtype.kind == "V":  # bfloat16
        array = fetched(leaf)
    if padded != count and array.ndim and array.shape[0] == padded:
        return np.array(array[:count])
    return array


class Gathered:
    """Outputs of batches, each copied once, to its place in one array of all samples.

    Where the number of samples is not known (a generator), or an output has no row for each sample,
    the outputs of the batches are kept and joined at the end.

    Args:
        total: The number of samples, None when it is not known.
        are_shown: Whether callbacks are given the outputs of each batch: arrays of their own, which
            they may keep and change.

    Example:
        >>> gathered = Gathered(3)
        >>> _ = gathered.add(np.ones((2, 1)), 2, 2), gathered.add(np.zeros((2, 1)), 1, 2)
        >>> gathered.result().tolist()
        [[1.0], [1.0], [0.0]]
    """

    def __init__(self, total: int | None, are_shown: bool = False) -> None:
        self._total, self._are_shown = total, are_shown
        self._structure: Any = None
        self._columns: list[_Column] = []
        self.num_batches = 0

    def add(self, outputs: Any, count: int, padded: int) -> Any:
        """Take the outputs of a batch of `count` samples, computed for `padded` of them.

        Returns:
            The outputs of this batch, without padding, as arrays.
        """
        leaves = tree.flatten(outputs)
        if not self.num_batches:
            self._structure = without_arrays(outputs)
            self._columns = [_Column(self._total, self._are_shown) for _ in leaves]
        self.num_batches += 1
        rows = [
            column.add(leaf, count, padded)
            for column, leaf in zip(self._columns, leaves, strict=True)
        ]
        return tree.pack_sequence_as(self._structure, rows)

    def result(self) -> Any:
        """The outputs for all samples."""
        return tree.pack_sequence_as(self._structure, [column.result() for column in self._columns])


class _Column:
    """One output."""

    def __init__(self, total: int | None, are_shown: bool) -> None:
        self._total, self._are_shown = total, are_shown
        self._whole: np.ndarray | None = None
        self._filled = 0
        self._parts: list[np.ndarray] = []
        self._is_none = False

    def add(self, leaf: Any, count: int, padded: int) -> np.ndarray | None:
        if leaf is None:
            self._is_none = True
            return None
        array = fetched(leaf)
        has_rows = array.ndim > 0 and array.shape[0] == padded
        if has_rows and padded != count:
            array = array[:count]
        if self._total is None or not has_rows or not self._fits(array):
            self._keep_parts()
            # Memory of the device stays as it is; an array of the host may be the user's.
            is_safe = isinstance(leaf, jax.Array) and not self._are_shown
            self._parts.append(array if is_safe else np.array(array))
            return self._parts[-1]
        if self._whole is None:
            self._whole = np.empty((self._total, *array.shape[1:]), array.dtype)
        place = self._whole[self._filled : self._filled + count]
        np.copyto(place, array)
        self._filled += count
        return place

    def _fits(self, array: np.ndarray) -> bool:
        if self._whole is None:
            return not self._parts
        same = self._whole.shape[1:] == array.shape[1:] and self._whole.dtype == array.dtype
        return same and self._filled + len(array) <= len(self._whole)

    def _keep_parts(self) -> None:
        """From here on one array cannot hold the outputs: what is in it becomes the first part."""
        self._total = None
        if self._whole is not None:
            self._parts, self._whole = [self._whole[: self._filled]], None

    def result(self) -> np.ndarray | None:
        if self._is_none:
            return None
        if self._whole is not None:
            return self._whole[: self._filled]
        if len(self._parts) == 1:
            part = self._parts[0]
            return part if part.flags.writeable else np.array(part)
        joined = np.concatenate if self._parts[0].ndim else np.stack
        return joined(self._parts)


__all__ = ["Gathered", "fetched", "own_rows", "start_fetching"]
