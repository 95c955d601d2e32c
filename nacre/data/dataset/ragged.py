"""`Ragged`: rows of different lengths, as all their values and where each row begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nacre.core import tree
from nacre.core.errors import DataError, message
from nacre.data.dataset.host_tensor import HostTensor


class Ragged:
    """Rows of different lengths: `values` of all rows one after another, and `row_splits`.

    Row i is `values[row_splits[i]:row_splits[i + 1]]`.

    Args:
        values: What the rows hold, one after another.
        row_splits: Where each row begins, and at last where the last one ends.

    Shapes:
        values      (total, ...)
        row_splits  (batch + 1,)  int64 or int32
    Example:
        >>> rows = Ragged(np.array([1, 2, 3]), np.array([0, 1, 3]))
        >>> rows.to_list(), rows.to_tensor().tolist()
        ([[1], [2, 3]], [[1, 0], [2, 3]])
    """

    def __init__(self, values: Any, row_splits: Any) -> None:
        self.values = np.asarray(values).view(HostTensor)
        self.row_splits = np.asarray(row_splits).view(HostTensor)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The shape; None for the lengths of the rows."""
        return (len(self), None, *self.values.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the values."""
        return self.values.dtype

    def __len__(self) -> int:
        return len(self.row_splits) - 1

    def __getitem__(self, index: int) -> HostTensor:
        start, stop = self.row_splits.view(np.ndarray)[[index, index + 1] if index >= 0 else
                                                       [index - 1, index]]  # fmt: skip
        return self.values[start:stop]

    def __iter__(self) -> Iterator[HostTensor]:
        return (self[index] for index in range(len(self)))

    def row_lengths(self) -> np.ndarray:
        """The length of each row."""
        return np.diff(self.row_splits.view(np.ndarray))

    def to_list(self) -> list[Any]:
        """The rows as lists."""
        return [row.tolist() for row in self]

    def to_tensor(self, default_value: Any = 0) -> np.ndarray:
        """One array, the rows filled up behind to the length of the longest.

        Args:
            default_value: What to fill in.
        """
        lengths = self.row_lengths()
        shape = (len(self), int(lengths.max(initial=0)), *self.values.shape[1:])
        fill = b"" if self.dtype.kind == "O" and default_value == 0 else default_value
        out = np.full(shape, fill, self.dtype)
        out[self.mask()] = self.values.view(np.ndarray)
        return out

    def mask(self) -> np.ndarray:
        """Which places of `to_tensor` hold values: bool of shape (batch, longest)."""
        lengths = self.row_lengths()
        return np.arange(int(lengths.max(initial=0))) < lengths[:, None]

    def __repr__(self) -> str:
        return f"<Ragged {self.to_list()!r}>"

    @staticmethod
    def of_rows(rows: Sequence[np.ndarray], splits_dtype: Any, who: str) -> Ragged:
        """Rows of different lengths together.

        Raises:
            DataError: They differ in more than their lengths.
        """
        if any(row.ndim == 0 or row.shape[1:] != rows[0].shape[1:] for row in rows):
            shapes = sorted({row.shape for row in rows})
            raise DataError(
                message(
                    who,
                    "rows may differ in the length of their first axis alone",
                    f"shapes {', '.join(map(str, shapes[:4]))}",
                    "Bring the other axes to one size with map, or use padded_batch.",
                )
            )
        splits = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(splits_dtype)
        return Ragged(np.concatenate([row.view(np.ndarray) for row in rows]), splits)

    @staticmethod
    def stacked(items: Sequence[Any], who: str) -> Any:
        """Refuse to batch what is ragged already."""
        raise DataError(
            message(
                who,
                "ragged rows are batched already",
                "an element that ragged_batch made",
                "Call ds.unbatch() before it.",
            )
        )


def padded(x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """A batch whose ragged rows are filled up with 0, and weighted 0 there where they are targets.

    Inputs that are filled up are passed over by `Embedding(mask_zero=True)` and `Masking()`.

    Args:
        x, y, sample_weight: The parts of a batch.

    Example:
        >>> rows = Ragged(np.array([1, 2, 3]), np.array([0, 1, 3]))
        >>> x, y, weight = padded(rows, rows, None)
        >>> x.tolist(), weight.tolist()
        ([[1, 0], [2, 3]], [[1.0, 0.0], [1.0, 1.0]])
    """
    leaves = tree.flatten((x, y, sample_weight))
    if not any(isinstance(leaf, Ragged) for leaf in leaves):
        return x, y, sample_weight
    if any(isinstance(leaf, Ragged) for leaf in tree.flatten(y)):
        given = tree.flatten(sample_weight)
        if sample_weight is None:
            given = [None] * len(tree.flatten(y))
        if len(given) == len(tree.flatten(y)):
            pairs = zip(tree.flatten(y), given, strict=True)
            weights = [_weights(target, weight) for target, weight in pairs]
            sample_weight = tree.pack_sequence_as(y, weights)
    x, y, sample_weight = tree.map_structure(
        lambda leaf: leaf.to_tensor() if isinstance(leaf, Ragged) else leaf, (x, y, sample_weight)
    )
    return x, y, sample_weight


def _weights(target: Any, given: Any) -> Any:
    if not isinstance(target, Ragged):
        return np.ones(len(target), np.float32) if given is None else given
    mask = target.mask().astype(np.float32)
    if given is None:
        return mask
    weight = given.to_tensor() if isinstance(given, Ragged) else np.asarray(given)
    return mask * (weight[:, None] if weight.ndim == 1 else weight)


__all__ = ["Ragged", "padded"]
