"""`Ragged`: rows of different lengths, as all their values and where each row begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from nacre.core.errors import DataError, message
from nacre.data.dataset.host_tensor import HostTensor


class Ragged:
    """Rows of different lengths: `values` of all rows one after another, and `row_splits`.

    Row i is `values[row_splits[i]:row_splits[i + 1]]`. Where the rows hold rows of different
    lengths themselves, `values` are a `Ragged` too.

    Args:
        values: What the rows hold, one after another.
        row_splits: Where each row begins, and at last where the last one ends.

    Shapes:
        values      (total, ...)
        row_splits  (batch + 1,)  int64 or int32
    Source:
        tf.RaggedTensor. Differs: a value of the host with what data sets and `fit` need.
    Example:
        >>> rows = Ragged(np.array([1, 2, 3]), np.array([0, 1, 3]))
        >>> rows.to_list(), rows.to_tensor().tolist()
        ([[1], [2, 3]], [[1, 0], [2, 3]])
        >>> Ragged(rows, np.array([0, 0, 2])).to_list()
        [[], [[1], [2, 3]]]
    """

    def __init__(self, values: Any, row_splits: Any) -> None:
        # Values of the device stay there: a tape may follow them.
        stay = isinstance(values, Ragged | jax.Array)
        self.values: Any = values if stay else np.asarray(values).view(HostTensor)
        self.row_splits = np.asarray(row_splits).view(HostTensor)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The shape; None for the lengths of the rows."""
        return (len(self), None, *self.values.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the values."""
        dtype: np.dtype = self.values.dtype
        return dtype

    @property
    def ragged_rank(self) -> int:
        """How many axes hold rows of different lengths."""
        return 1 + (self.values.ragged_rank if isinstance(self.values, Ragged) else 0)

    @property
    def flat_values(self) -> HostTensor:
        """The values of the innermost rows, one after another."""
        values: HostTensor = getattr(self.values, "flat_values", self.values)
        return values

    def on_host(self) -> Ragged:
        """The same with its values on the host, where ops may have left them on the device."""
        if isinstance(self.values, Ragged):
            values = self.values.on_host()
            return self if values is self.values else Ragged(values, self.row_splits)
        if isinstance(self.values, jax.Array):
            return Ragged(np.asarray(self.values), self.row_splits)
        return self

    def __len__(self) -> int:
        return len(self.row_splits) - 1

    def __getitem__(self, index: int | slice) -> Any:
        splits = self.row_splits.view(np.ndarray)
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                rule = "rows are cut one after another"
                raise DataError(message("Ragged", rule, f"a step of {step}", "Leave it out."))
            splits = splits[start : max(start, stop) + 1]
            return Ragged(self.values[splits[0] : splits[-1]], splits - splits[0])
        start, stop = splits[[index, index + 1] if index >= 0 else [index - 1, index]]
        return self.values[start:stop]

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def row_lengths(self) -> np.ndarray:
        """The length of each row."""
        return np.diff(self.row_splits.view(np.ndarray))

    def to_list(self) -> list[Any]:
        """The rows as lists."""
        return [row.to_list() if isinstance(row, Ragged) else row.tolist() for row in self]

    def to_tensor(self, default_value: Any = 0) -> np.ndarray:
        """One array, the rows filled up behind to the length of the longest of their axis.

        Args:
            default_value: What to fill in; empty strings among strings, where it is left out.
        """
        if self.dtype.kind in "OUST" and default_value == 0:
            first = np.asarray(self.flat_values).ravel()[:1].tolist()
            default_value = "" if first and isinstance(first[0], str) else b""
        if isinstance(self.values, Ragged):
            values = self.values.to_tensor(default_value)  # (total, longest inner, ...)
        else:
            values = np.asarray(self.values)
        return self._laid_out(values, default_value)

    def mask(self) -> np.ndarray:
        """Which places of `to_tensor` hold values: bool of shape (batch, longest, ...), with one
        axis for each that is ragged."""
        if isinstance(self.values, Ragged):
            return self._laid_out(self.values.mask(), False)
        return self._places()

    def _places(self) -> np.ndarray:
        lengths = self.row_lengths()
        return np.arange(int(lengths.max(initial=0))) < lengths[:, None]

    def _laid_out(self, values: np.ndarray, fill: Any) -> np.ndarray:
        """Values of all rows, (total, ...), as (batch, longest, ...)."""
        places = self._places()
        out = np.full((*places.shape, *values.shape[1:]), fill, values.dtype)
        out[places] = values
        return out

    def __repr__(self) -> str:
        return f"<Ragged {self.to_list()!r}>"

    @staticmethod
    def of_rows(rows: Sequence[Any], splits_dtype: Any, who: str, inner: int = 0) -> Ragged:
        """Rows of different lengths together; those that differ in more axes make these ragged too.

        Args:
            rows: Arrays, or `Ragged`s.
            splits_dtype: The dtype of the row splits.
            who: Who asks, for messages.
            inner: How many axes of the rows after the first are ragged at least.

        Raises:
            DataError: They differ in their numbers of axes, or in their dtypes.
        """
        first = rows[0]
        ranks, dtypes = {len(row.shape) for row in rows}, {row.dtype for row in rows}
        if len(ranks) > 1 or 0 in ranks:
            shapes = sorted({str(row.shape) for row in rows})
            rule, fix = "rows must have the same number of axes", "Bring them to one with map."
            raise DataError(message(who, rule, f"shapes {', '.join(shapes[:4])}", fix))
        if len(dtypes) > 1:
            index = next(i for i, row in enumerate(rows) if row.dtype != first.dtype)
            got = f"{first.dtype} first and {rows[index].dtype} {index} element(s) later"
            fix = "Convert in map: np.asarray(value, 'float32')."
            raise DataError(message(who, "elements must have one dtype", got, fix))
        return Ragged(
            _joined(rows, splits_dtype, inner), _splits([len(r) for r in rows], splits_dtype)
        )

    @staticmethod
    def of_tensorflow(tensor: Any) -> Ragged:
        """A RaggedTensor's rows."""
        values = tensor.values
        is_nested = tensor.ragged_rank > 1
        rows = Ragged.of_tensorflow(values) if is_nested else values.numpy()
        return Ragged(rows, tensor.row_splits.numpy())


def _splits(lengths: Any, dtype: Any) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(dtype)


def _joined(parts: Sequence[Any], splits_dtype: Any, inner: int) -> Any:
    """Arrays or `Ragged`s one behind another, ragged in the axes in which they differ."""
    are_arrays = not any(isinstance(part, Ragged) for part in parts)
    if are_arrays and inner <= 0 and len({part.shape[1:] for part in parts}) == 1:
        return np.concatenate([np.asarray(part) for part in parts])
    rows = [part if isinstance(part, Ragged) else _cut_up(part, splits_dtype) for part in parts]
    lengths = np.concatenate([row.row_lengths() for row in rows])
    values = _joined([row.values for row in rows], splits_dtype, inner - 1)
    return Ragged(values, _splits(lengths, splits_dtype))


def _cut_up(array: np.ndarray, splits_dtype: Any) -> Ragged:
    """An array of two axes or more as rows of one length."""
    count, length = array.shape[:2]
    values = array.reshape(count * length, *array.shape[2:])
    return Ragged(values, _splits([length] * count, splits_dtype))


__all__ = ["Ragged"]
