"""`SparseEntries`: a tensor by the places and values of what is not zero, as an element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from nacre.core.errors import DataError, message
from nacre.data.dataset.host_tensor import HostTensor


class SparseEntries:
    """Values at places, all others being zero. `fit` makes its batches dense.

    Args:
        indices: The places, (count, rank), int64.
        values: What stands there, (count,).
        dense_shape: The shape, (rank,), int64.

    Source:
        tf.SparseTensor. Differs: a value of the host with what data sets need; nothing is checked.
    Example:
        >>> x = SparseEntries([[0, 2], [1, 0]], [5, 7], [2, 3])
        >>> x.shape, x.rows([1]).values.tolist()
        ((2, 3), [7])
    """

    holds_sparse_entries = True  # layers and `fit` take it, and make batches of it dense
    spec_class: ClassVar[Any] = None  # the spec of such an element; see `spec.SparseSpec`

    def __init__(self, indices: Any, values: Any, dense_shape: Any) -> None:
        self._set(indices, values, dense_shape)

    def _set(self, indices: Any, values: Any, dense_shape: Any) -> None:
        sizes = np.asarray(dense_shape, np.int64).reshape(-1)
        self.indices: Any = _sealed(np.asarray(indices, np.int64).reshape(-1, len(sizes)))
        self.values: Any = _sealed(np.asarray(values))
        self.dense_shape: Any = _sealed(sizes)
        self._by_row: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def of_parts(cls, indices: Any, values: Any, dense_shape: Any) -> Self:
        """One of arrays of the host, which are not looked at."""
        made = object.__new__(cls)
        made._set(indices, values, dense_shape)
        return made

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return tuple(np.asarray(self.dense_shape).tolist())

    @property
    def dtype(self) -> Any:
        """The dtype of the values."""
        return self.values.dtype

    def on_host(self) -> Self:
        """The same with values on the host, where ops may have left them on the device."""
        are_there = all(type(part) is HostTensor for part in (self.indices, self.values))
        return self if are_there else self.of_parts(self.indices, self.values, self.dense_shape)

    def _parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        parts = (self.indices, self.values, self.dense_shape)
        return tuple(np.asarray(part).view(np.ndarray) for part in parts)  # type: ignore[return-value]

    def row(self, index: int) -> Self:
        """One row, with an axis less."""
        places, values, sizes = self._parts()
        kept = self._of_row(places, index)
        return self.of_parts(places[kept][:, 1:], values[kept], sizes[1:])

    def _of_row(self, places: np.ndarray, index: int) -> np.ndarray:
        """Which places are of a row, in their order; found in no time for each of many rows."""
        if self._by_row is None:
            order = np.argsort(places[:, 0], kind="stable")
            self._by_row = order, places[order, 0]
        order, numbers = self._by_row
        return order[slice(*np.searchsorted(numbers, [index, index + 1]))]

    def rows(self, indices: Any) -> Self:
        """Some rows, in the order of `indices`."""
        places, values, sizes = self._parts()
        wanted = np.asarray(indices, np.int64).reshape(-1)
        found = [self._of_row(places, index) for index in wanted.tolist()]
        kept = np.concatenate([*found, np.empty(0, np.int64)]).astype(np.int64)
        moved = places[kept]
        moved[:, 0] = np.repeat(np.arange(len(wanted)), [len(part) for part in found])
        return self.of_parts(moved, values[kept], [len(wanted), *sizes[1:]])

    @classmethod
    def stacked(cls, items: Sequence[SparseEntries], who: str) -> Self:
        """Tensors with a new first axis, each other axis as long as the longest.

        Raises:
            DataError: They differ in their number of axes or in dtype.
        """
        raised = []
        for item in items:
            places, values, sizes = item._parts()
            first = np.zeros((len(places), 1), np.int64)
            parts = np.concatenate([first, places], 1), values, np.concatenate([[1], sizes])
            raised.append(cls.of_parts(*parts))
        return cls.joined(raised, who)

    @classmethod
    def joined(cls, items: Sequence[SparseEntries], who: str) -> Self:
        """Tensors one behind another on the first axis, each other axis as long as the longest.

        Raises:
            DataError: They differ in their number of axes or in dtype.
        """
        parts = [item._parts() for item in items]
        ranks, dtypes = {len(sizes) for *_, sizes in parts}, {v.dtype for _, v, _ in parts}
        if len(ranks) > 1 or len(dtypes) > 1:
            what = "number of axes" if len(ranks) > 1 else "dtype"
            shown = ", ".join(sorted(map(str, ranks if len(ranks) > 1 else dtypes)))
            raise DataError(message(who, f"sparse tensors must have one {what}", shown))
        counts = np.asarray([sizes[0] for *_, sizes in parts])
        starts = np.concatenate([[0], np.cumsum(counts)])
        places = [p + np.eye(1, p.shape[1], dtype=np.int64) * start for (p, *_), start in zip(parts, starts, strict=False)]  # noqa: E501  # fmt: skip
        largest = np.max([sizes for *_, sizes in parts], 0)
        largest[0] = starts[-1]
        return cls.of_parts(
            np.concatenate(places), np.concatenate([v for _, v, _ in parts]), largest
        )


def _sealed(array: np.ndarray) -> HostTensor:
    view: HostTensor = array.view(HostTensor)
    view.setflags(write=False)
    return view


__all__ = ["SparseEntries"]
