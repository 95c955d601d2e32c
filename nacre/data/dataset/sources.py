"""Where elements begin: arrays, single elements, ranges, generators, random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.core.errors import DataError, message
from nacre.core.sparse import SparseRows, holds_entries, is_sparse
from nacre.core.stored import is_stored
from nacre.core.tables import is_table
from nacre.data.dataset import elements as el
from nacre.data.dataset.host_tensor import HostTensor
from nacre.data.dataset.node import INFINITE, Cursor, Node, Opening, Rows, as_dataset
from nacre.data.dataset.ragged import Ragged
from nacre.data.dataset.seeds import Passes
from nacre.data.dataset.sparse import SparseEntries
from nacre.data.dataset.spec import (
    TensorSpec,
    merged,
    spec_of,
    unbatched,
)
from nacre.data.rows import is_picked_late, pick, stored_rows

_row: Any = np.ndarray.__getitem__  # faster by far than the method of the class

# -------------------------------------------------------------------------- rows of arrays


class ArrayRows(Rows):
    """Rows of arrays, which are looked at and not copied."""

    def __init__(self, arrays: Any, count: int) -> None:
        self.arrays, self._count = arrays, count
        self._is_bare = type(arrays) is HostTensor

    def __len__(self) -> int:
        return self._count

    def row(self, position: int) -> Any:
        """One row."""
        if self._is_bare:
            return _row(self.arrays, (position, ...))
        return el.mapped(lambda leaf: _row_of(leaf, position), self.arrays)

    def gather(self, positions: np.ndarray) -> Any:
        """Some rows; of a mapped file they are read in the order of the file."""
        first, last = int(positions[0]), int(positions[-1])
        at: Any = positions
        if last - first == len(positions) - 1 and np.array_equal(
            positions, np.arange(first, last + 1)
        ):
            at = slice(first, last + 1)
        return el.mapped(lambda leaf: _gathered(leaf, at), self.arrays)


def _row_of(leaf: Any, position: int) -> Any:
    if type(leaf) is HostTensor:
        return _row(leaf, (position, ...))
    if isinstance(leaf, Ragged):
        return leaf[position]
    if isinstance(leaf, SparseEntries):
        return leaf.row(position)
    return el.sealed(np.asarray(leaf[position : position + 1])[0])


def _gathered(leaf: Any, at: Any) -> Any:
    if isinstance(leaf, Ragged):
        places = range(at.start, at.stop) if isinstance(at, slice) else at
        rows, who = [leaf[int(place)] for place in places], "Dataset.batch"
        return Ragged.of_rows(rows, leaf.row_splits.dtype, who, leaf.ragged_rank - 1)
    if isinstance(leaf, SparseEntries):
        return leaf.rows(np.arange(at.start, at.stop) if isinstance(at, slice) else at)
    if is_picked_late(leaf):
        return el.sealed(np.asarray(leaf[at]))
    array: np.ndarray = leaf.view(np.ndarray) if type(leaf) is HostTensor else leaf
    if array.dtype.kind not in "fiubc":
        return el.sealed(array[at])
    return el.sealed(pick(array, at, array.dtype, "Dataset.from_tensor_slices"))


def _spec_of_array(array: Any) -> TensorSpec:
    if isinstance(array, Ragged | SparseEntries):
        return spec_of(array)
    return TensorSpec(array.shape, array.dtype)


def _number_of_rows(leaf: Any) -> int | None:
    if isinstance(leaf, SparseEntries):
        return leaf.shape[0] if leaf.shape else None
    return len(leaf) if leaf.shape else None


class Slices(Node):
    """The rows of arrays, one an element."""

    name = "Dataset.from_tensor_slices"

    def own_source(self) -> Any:
        return self.arrays

    def __init__(self, tensors: Any) -> None:
        super().__init__()
        self.arrays = _arrays(tensors, self.name)
        leaves = el.leaves(self.arrays)
        counts = [_number_of_rows(leaf) for leaf in leaves]
        if not leaves or None in counts:
            raise DataError(
                message(
                    self.name,
                    "every array must have rows on a first axis",
                    "a number" if leaves else "nothing",
                    "For one element take Dataset.from_tensors.",
                )
            )
        if len(set(counts)) > 1:
            raise DataError(
                message(
                    self.name,
                    "all arrays must have the same number of rows",
                    ", ".join(map(str, counts[:8])),
                    "Check how they were split or filtered.",
                )
            )
        self.count = int(counts[0] or 0)
        self.rows = ArrayRows(self.arrays, self.count)

    def make_cursor(self, opening: Opening) -> Cursor:
        return RowsCursor(self.rows)

    def make_spec(self) -> Any:
        return unbatched(el.mapped(_spec_of_array, self.arrays), self.name)

    def cardinality(self) -> int:
        return self.count

    def __getstate__(self) -> dict[str, Any]:
        return {"arrays": self.arrays, "count": self.count}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Node.__init__(self)
        self.arrays, self.count = state["arrays"], state["count"]
        self.rows = ArrayRows(self.arrays, self.count)


def _arrays(tensors: Any, who: str) -> Any:
    """What holds rows, as elements whose leaves may be sparse matrices."""
    if is_table(tensors) and hasattr(tensors, "columns"):
        return el.to_element(tensors, who)
    if is_sparse(tensors) and not holds_entries(tensors):  # one kind of SciPy's matrices is a dict
        return SparseRows(tensors)
    if el.is_structure(tensors):
        parts = [_arrays(value, who) for _, value in el.children(tensors)]
        return el.rebuilt(tensors, parts)
    if is_stored(tensors) and tensors.shape:
        tensors = stored_rows(tensors, who)
        if is_picked_late(tensors):
            return tensors
    if isinstance(tensors, np.memmap) and tensors.dtype.kind in "fiubc":
        return tensors
    if isinstance(tensors, np.ndarray):  # not copied: it may be all the memory there is
        return el.whole(tensors, who)
    return el.to_element(tensors, who)


class RowsCursor(Cursor):
    """A place among rows."""

    def __init__(self, rows: Rows) -> None:
        self.rows: Rows = rows
        self._count, self._at = len(rows), 0
        self._dtype = np.int32 if self._count < 2**31 else np.int64  # many are held in a shuffle

    def __next__(self) -> Any:
        at = self._at
        if at >= self._count:
            raise StopIteration
        self._at = at + 1
        return self.rows.row(at)

    def positions(self, count: int) -> np.ndarray:
        first = self._at
        self._at = min(self._count, first + count)
        return np.arange(first, self._at, dtype=self._dtype)

    def state(self) -> Any:
        return self._at

    def restore(self, state: Any) -> None:
        self._at = int(state)


_BLOCK = 1024


class RangeRows(Rows):
    """The numbers of a range, which are counted and not kept."""

    def __init__(self, numbers: range, dtype: np.dtype) -> None:
        self._numbers, self._dtype = numbers, dtype
        self._first, self._block = -1, None  # numbers that were counted together

    def __len__(self) -> int:
        return len(self._numbers)

    def row(self, position: int) -> Any:
        """One number."""
        first = position - position % _BLOCK
        if first != self._first:
            self._first, self._block = first, self.gather(np.arange(first, first + _BLOCK))
        return _row(self._block, (position - first, ...))

    def gather(self, positions: np.ndarray) -> Any:
        """Some numbers."""
        numbers = self._numbers.start + self._numbers.step * positions.astype(np.int64)
        return el.sealed(numbers.astype(self._dtype))


class Range(Node):
    """Whole numbers at a distance."""

    name = "Dataset.range"

    def __init__(self, numbers: range, dtype: Any) -> None:
        super().__init__()
        self.numbers, self.dtype = numbers, np.dtype(dtype)

    def own_source(self) -> Any:
        return str(self.numbers), self.dtype.str

    def make_cursor(self, opening: Opening) -> Cursor:
        return RowsCursor(RangeRows(self.numbers, self.dtype))

    def make_spec(self) -> Any:
        return TensorSpec((), self.dtype)

    def cardinality(self) -> int:
        return len(self.numbers)


class Counter(Node):
    """Whole numbers at a distance, without end."""

    name = "Dataset.counter"

    def __init__(self, start: int, step: int, dtype: np.dtype) -> None:
        super().__init__()
        self.start, self.step, self.dtype = start, step, dtype

    def own_source(self) -> Any:
        return self.start, self.step, np.dtype(self.dtype).str

    def make_cursor(self, opening: Opening) -> Cursor:
        return CounterCursor(self)

    def make_spec(self) -> Any:
        return TensorSpec((), self.dtype)

    def cardinality(self) -> int:
        return INFINITE


class CounterCursor(Cursor):
    """A place among them."""

    def __init__(self, node: Counter) -> None:
        self._node, self._at = node, 0

    def __next__(self) -> Any:
        self._at += 1
        number = self._node.start + (self._at - 1) * self._node.step
        return el.sealed(np.array(number, self._node.dtype))

    def state(self) -> Any:
        return self._at

    def restore(self, state: Any) -> None:
        self._at = int(state)


class Kept(Node):
    """Elements that are there: those of `from_tensors`, and of windows."""

    name = "Dataset.from_tensors"

    def __init__(self, items: list[Any], spec: Any = None) -> None:
        super().__init__()
        self.items, self._given = items, spec

    def own_source(self) -> Any:
        return self.items

    def make_cursor(self, opening: Opening) -> Cursor:
        return KeptCursor(self.items)

    def make_spec(self) -> Any:
        if self._given is not None or not self.items:
            return self._given
        spec = spec_of(self.items[0])
        for item in self.items[1:]:
            spec = merged(spec, spec_of(item))
        return spec

    def cardinality(self) -> int:
        return len(self.items)

    def kept(self) -> list[Any]:
        return self.items


class KeptCursor(Cursor):
    """A place in a list of elements."""

    def __init__(self, items: list[Any]) -> None:
        self._items, self._at = items, 0

    def __next__(self) -> Any:
        if self._at >= len(self._items):
            raise StopIteration
        self._at += 1
        return self._items[self._at - 1]

    def state(self) -> Any:
        return self._at

    def restore(self, state: Any) -> None:
        self._at = int(state)


def dataset_of_kept(items: list[Any]) -> Any:
    """A data set of elements that are there, as a window is."""
    return as_dataset(Kept(items))


el.dataset_of_kept.append(dataset_of_kept)

# -------------------------------------------------------------------------- random numbers


class Random(Node):
    """Random whole numbers without end."""

    name = "Dataset.random"

    def __init__(self, seed: int | None, rerandomize: bool) -> None:
        super().__init__()
        self.passes = Passes(seed, rerandomize)

    def make_cursor(self, opening: Opening) -> Cursor:
        passes = opening.passes(self.passes)
        return RandomCursor(passes, passes.begin(opening.leaves_no_trace))

    def make_spec(self) -> Any:
        return TensorSpec((), "int64")

    def cardinality(self) -> int:
        return INFINITE


class RandomCursor(Cursor):
    """A place among random numbers."""

    def __init__(self, passes: Passes, number: int) -> None:
        self._passes, self._draws, self._at = passes, passes.draws(number), 0

    def __next__(self) -> Any:
        self._at += 1
        return el.sealed(np.array(int(self._draws.at(self._at - 1) * 2**32), np.int64))

    def state(self) -> Any:
        return {"seed": self._passes.seed, "pass": self._draws.number, "at": self._at}

    def restore(self, state: Any) -> None:
        self._draws, self._at = self._passes.resume(state["seed"], state["pass"]), state["at"]


__all__ = [
    "ArrayRows", "Counter", "Kept", "Random", "Range", "RowsCursor", "Slices", "dataset_of_kept",
]  # fmt: skip
