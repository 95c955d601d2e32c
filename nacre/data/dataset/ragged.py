"""`Ragged`: rows of different lengths, as all their values and where each row begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

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
    def of_tensorflow(tensor: Any, who: str) -> Ragged:
        """A RaggedTensor's rows.

        Raises:
            DataError: Several of its axes are ragged.
        """
        if tensor.ragged_rank > 1:
            rule = "rows may differ in the length of one axis alone"
            got = f"a RaggedTensor with {tensor.ragged_rank} such axes"
            raise DataError(message(who, rule, got, "Fill them up first: tensor.to_tensor()."))
        return Ragged(tensor.values.numpy(), tensor.row_splits.numpy())

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


__all__ = ["Ragged"]
