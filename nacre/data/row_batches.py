"""Rows of arrays as batches by index, for rows that are changed on their way to the device."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.core.random import host_generator
from nacre.data.py_dataset import PyDataset
from nacre.data.sources import ArraySource


class RowBatches(PyDataset):
    """Batches of the rows of arrays, in an order drawn anew for each epoch.

    Args:
        source: The arrays.
        rows: Rows a batch.
        shuffle: Whether rows are shuffled; else they come in their order.
    """

    def __init__(self, source: ArraySource, rows: int, shuffle: bool) -> None:
        super().__init__()
        self.source, self.rows, self.shuffle = source, min(rows, source.num_rows), shuffle
        self._generator = host_generator(None)
        self.order = np.arange(source.num_rows)

    @property
    def num_batches(self) -> int:
        """The number of batches an epoch."""
        return -(-self.source.num_rows // self.rows)

    def on_epoch_begin(self) -> None:
        """Draw an order."""
        if self.shuffle:
            self.order = self._generator.permutation(self.source.num_rows)

    def __getitem__(self, index: int) -> Any:
        """Batch number `index`."""
        rows = self.order[index * self.rows : (index + 1) * self.rows]
        return self.source.pack(self.source.rows(rows))


__all__ = ["RowBatches"]
