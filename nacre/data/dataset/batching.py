"""Elements together and apart: batch, padded_batch, ragged_batch, unbatch, rebatch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DataError, message
from nacre.data.dataset import elements as el
from nacre.data.dataset.host_tensor import HostTensor
from nacre.data.dataset.node import INFINITE, NOT_KNOWN, UNKNOWN, Cursor, Node, Opening
from nacre.data.dataset.ordering import OneCursor, OneInput
from nacre.data.dataset.ragged import Ragged
from nacre.data.dataset.sparse import SparseEntries
from nacre.data.dataset.spec import (
    RaggedSpec,
    RowSpec,
    Shape,
    SparseSpec,
    TensorSpec,
    as_shape,
    batched,
    is_fixed,
    unbatched,
)
from nacre.data.rows import aligned_empty


class Batch(OneInput):
    """Elements stacked, so many at a time."""

    name = "Dataset.batch"

    def __init__(self, node: Node, batch_size: int, drop_remainder: bool) -> None:
        super().__init__(node)
        self.batch_size, self.drop_remainder = batch_size, drop_remainder
        self._known_rows: Any = NOT_KNOWN

    def make_cursor(self, opening: Opening) -> Cursor:
        return BatchCursor(self.input.open(opening), self)

    def make_spec(self) -> Any:
        return batched(self.input.spec(), self._size())

    def _size(self) -> int | None:
        return self.batch_size if self.drop_remainder else None

    def cardinality(self) -> int:
        available = self.input.cardinality()
        if available < 0:
            return available
        if self.drop_remainder:
            return available // self.batch_size
        return -(-available // self.batch_size)

    def together(self, items: list[Any]) -> Any:
        """Elements as a batch."""
        known = self._rows_known()
        if known is None:
            return el.stacked(items, self.name)
        flat, facts = [el.leaves(item) for item in items], el.leaves(known)
        if any(len(row) != len(facts) for row in flat):
            return el.stacked(items, self.name)  # tells what differs
        columns = zip(*flat, strict=True)
        made = iter([self._column(c, fact) for c, fact in zip(columns, facts, strict=True)])
        return el.mapped(lambda leaf: next(made), items[0])

    def _rows_known(self) -> Any:
        """The spec of elements among which there are rows of a `Ragged`; None without any."""
        if self._known_rows is NOT_KNOWN:
            known = self.input.known_spec()
            is_there = known is not NOT_KNOWN and any(
                isinstance(leaf, RowSpec | RaggedSpec) for leaf in el.leaves(known)
            )
            self._known_rows = known if is_there else None
        return self._known_rows

    def _column(self, items: Any, fact: Any) -> Any:
        if isinstance(fact, RowSpec | RaggedSpec):
            inner = _inner_axes(fact)
            return Ragged.of_rows(items, np.dtype(fact.row_splits_dtype), self.name, inner)
        return el.stacked(items, self.name)


class BatchCursor(OneCursor):
    """See `Batch`; between two batches nothing is kept. Of rows whole batches are gathered."""

    picks_rows = False

    def __init__(self, up: Cursor, node: Batch) -> None:
        super().__init__(up)
        self._node = node
        self._gathers = type(node) is Batch
        self._is_over = False

    def __next__(self) -> Any:
        node = self._node
        size = node.batch_size
        if self._is_over:
            raise StopIteration
        rows = self._up.rows if self._gathers else None
        if rows is not None:
            positions = self._up.positions(size)
            count = len(positions)
        else:
            items = list(itertools.islice(self._up, size))
            count = len(items)
        if count < size:
            self._is_over = True
            if count == 0 or node.drop_remainder:
                raise StopIteration
        return node.together(items) if rows is None else rows.gather(positions)

    def state(self) -> Any:
        return {"up": self._up.state(), "is_over": self._is_over}

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._is_over = state["is_over"]


class PaddedBatch(Batch):
    """Elements stacked, filled up behind to the size of the largest; ragged ones inside too."""

    name = "Dataset.padded_batch"

    def __init__(
        self, node: Node, batch_size: int, drop_remainder: bool, shapes: Any, values: Any
    ) -> None:
        super().__init__(node, batch_size, drop_remainder)
        self.shapes, self.values = shapes, values
        known = node.known_spec()
        if known is not NOT_KNOWN:
            self._check(known)

    def _check(self, spec: Any) -> None:
        """Refuse shapes and values that do not have the structure of elements."""
        self._padded(spec, self.shapes, self.values, lambda leaf, shape, value, where: None)

    def _padded(
        self, element: Any, shapes: Any, values: Any, function: Any, where: str = ""
    ) -> Any:
        """A function over the leaves, each with its shape and value."""
        if element is None:
            return None
        if not el.is_structure(element):
            shape = None if shapes is None else self._shape(shapes, where)
            return function(element, shape, values, where)
        parts: list[Any] = []
        for key, value in el.children(element):
            path = f"{where}[{key!r}]"
            its_shape = None if shapes is None else self._child(shapes, key, path, "padded_shapes")
            its_value = values
            if el.is_structure(values) or isinstance(values, list):
                its_value = self._child(values, key, path, "padding_values")
            parts.append(self._padded(value, its_shape, its_value, function, path))
        return el.rebuilt(element, parts)

    def _child(self, structure: Any, key: Any, where: str, name: str) -> Any:
        try:
            if isinstance(structure, list) and isinstance(key, int):
                return structure[key]
            return el.child(structure, key)
        except (KeyError, IndexError, AttributeError, TypeError):
            raise ArgumentError(
                message(
                    self.name,
                    f"{name} must have the structure of the elements",
                    f"{structure!r}"[:80] + f", without {where}",
                    "Leave it out to fill all sizes up to the largest.",
                )
            ) from None

    def _shape(self, shape: Any, where: str) -> Shape:
        try:
            return as_shape(shape)
        except (TypeError, ValueError):
            raise ArgumentError(
                message(self.name, f"padded_shapes{where} must be a shape", f"{shape!r}"[:80])
            ) from None

    def make_spec(self) -> Any:
        size = self._size()

        def spec(leaf: Any, shape: Shape, value: Any, where: str) -> Any:
            _refuse_sparse(leaf, self.name)
            wanted = shape if shape is not None else leaf.shape
            if wanted is None:
                return TensorSpec(None, leaf.dtype)
            return TensorSpec((size, *wanted), leaf.dtype)

        return self._padded(self.input.spec(), self.shapes, self.values, spec)

    def together(self, items: list[Any]) -> Any:
        """Elements as a batch."""

        def pad(first: Any, shape: Shape, value: Any, where: str) -> Any:
            return None

        first = items[0]
        if type(first) is HostTensor:
            shape = None if self.shapes is None else self._shape(self.shapes, "")
            return self._pad(items, shape, self.values, "")
        columns: list[tuple[Any, ...]] = []
        self._padded(first, self.shapes, self.values, lambda *facts: columns.append(facts))
        flat = [el.leaves(item) for item in items]
        if any(len(row) != len(columns) for row in flat):
            return el.stacked(items, self.name)  # tells what differs
        padded = iter(
            self._pad([row[place] for row in flat], shape, value, where)
            for place, (_, shape, value, where) in enumerate(columns)
        )
        return el.mapped(lambda leaf: next(padded), first)

    def _pad(self, items: list[Any], shape: Shape, value: Any, where: str) -> HostTensor:
        _refuse_sparse(items[0], self.name)
        if any(isinstance(item, Ragged) for item in items):
            items = [self._dense(item, value) for item in items]
        first = items[0]
        at = f" at {where}" if where else ""
        if any(type(item) is not HostTensor for item in items):
            return el.stacked(items, self.name, where)
        ranks = {item.ndim for item in items}
        if len(ranks) > 1 or (shape is not None and len(shape) != first.ndim):
            sizes = sorted({str(item.shape) for item in items})
            raise DataError(
                message(
                    self.name,
                    f"elements{at} must have as many axes"
                    + (" as padded_shapes" if len(ranks) == 1 else " as each other"),
                    ", ".join(sizes[:4]) + (f" with {shape}" if shape is not None else ""),
                )
            )
        largest = tuple(max(sizes) for sizes in zip(*(item.shape for item in items), strict=True))
        wanted = tuple(
            n if shape is None or (w := shape[axis]) is None else w
            for axis, n in enumerate(largest)
        )
        if any(n > w for n, w in zip(largest, wanted, strict=True)):
            index = next(
                i
                for i, item in enumerate(items)
                if any(n > w for n, w in zip(item.shape, wanted, strict=True))
            )
            raise DataError(
                message(
                    self.name,
                    f"elements{at} must not be larger than padded_shapes, {wanted}",
                    f"{items[index].shape} in element {index} of the batch",
                    "Pass None for a size that is to be that of the largest.",
                )
            )
        dtype = first.dtype
        if any(item.dtype != dtype for item in items):
            return el.stack_leaves(items, self.name, where)  # tells which
        fill = self._fill(value, dtype)
        full = (len(items), *wanted)
        out = np.empty(full, dtype) if dtype.kind == "O" else aligned_empty(full, dtype)
        is_ragged = any(item.shape != wanted for item in items)
        if is_ragged:
            out[...] = fill
        for index, item in enumerate(items):
            if dtype.kind == "O" and item.ndim == 0:
                out[index] = item.item()
            else:
                out[(index, *map(slice, item.shape))] = item
        return el.sealed(out)

    def _dense(self, item: Any, value: Any) -> Any:
        if not isinstance(item, Ragged):
            return item
        return el.sealed(item.to_tensor(self._fill(value, item.dtype)))

    def _fill(self, value: Any, dtype: np.dtype) -> Any:
        if value is None:
            return b"" if dtype.kind == "O" else np.zeros((), dtype)[()]
        if dtype.kind == "O":
            return el.tensor(value, self.name).item()
        plain = np.asarray(value)
        with np.errstate(all="ignore"):
            cast = plain.astype(dtype)
        if plain.shape != () or (plain != cast and not (plain != plain and dtype.kind == "f")):
            is_close = dtype.kind == "f" and np.isclose(float(plain), float(cast))
            if plain.shape != () or not is_close:
                raise ArgumentError(
                    message(
                        self.name, f"a padding value must be a number of dtype {dtype}",
                        f"{value!r}"[:60],
                    )
                )  # fmt: skip
        return cast[()]


def _refuse_sparse(leaf: Any, who: str) -> None:
    if isinstance(leaf, SparseEntries | SparseSpec):
        rule, fix = "elements must be dense", "Take batch(batch_size), which joins sparse ones."
        raise DataError(message(who, rule, f"a {type(leaf).__name__}", fix))


class RaggedBatch(Batch):
    """Rows of different lengths together. Tensors whose size the source fixes are stacked."""

    name = "Dataset.ragged_batch"

    def __init__(
        self, node: Node, batch_size: int, drop_remainder: bool, row_splits_dtype: Any
    ) -> None:
        super().__init__(node, batch_size, drop_remainder)
        self.row_splits_dtype = np.dtype(row_splits_dtype)
        known = node.known_spec()
        self._is_fixed = known is not NOT_KNOWN and is_fixed(known)
        self._known = known

    def _is_dense(self, leaf: Any, known: Any) -> bool:
        return leaf.shape == () or (known is not NOT_KNOWN and is_fixed(known))

    def make_spec(self) -> Any:
        size = self._size()

        def spec(leaf: Any, known: Any) -> Any:
            _refuse_sparse(leaf, self.name)
            if self._is_dense(leaf, known):
                return TensorSpec((size, *leaf.shape), leaf.dtype)
            inner = () if leaf.shape is None else leaf.shape[1:]
            return RaggedSpec((size, None, *inner), leaf.dtype, self.row_splits_dtype)

        given = self.input.spec()
        known = el.mapped(lambda leaf: NOT_KNOWN, given)
        if self._known is not NOT_KNOWN:
            known = self._known
        return el.mapped(spec, given, known)

    def together(self, items: list[Any]) -> Any:
        """Elements as a batch."""
        first = items[0]
        known = el.mapped(lambda leaf: NOT_KNOWN, first)
        if self._known is not NOT_KNOWN:
            known = self._known
        flat, facts = [el.leaves(item) for item in items], el.leaves(known)
        if any(len(row) != len(facts) for row in flat):
            return el.stacked(items, self.name)  # tells what differs
        columns = zip(*flat, strict=True)

        def together(column: Any, fact: Any) -> Any:
            _refuse_sparse(column[0], self.name)
            if self._is_dense(column[0], fact):
                return el.stack_leaves(column, self.name, "")
            return Ragged.of_rows(column, self.row_splits_dtype, self.name, _inner_axes(fact))

        made = iter([together(c, fact) for c, fact in zip(columns, facts, strict=True)])
        return el.mapped(lambda leaf: next(made), first)


class Unbatch(OneInput):
    """The rows of elements, one an element."""

    name = "Dataset.unbatch"

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        if node.known_spec() is not NOT_KNOWN:
            self.spec()  # refuses what has no rows, now

    def make_cursor(self, opening: Opening) -> Cursor:
        return UnbatchCursor(self.input.open(opening))

    def make_spec(self) -> Any:
        return unbatched(self.input.spec(), self.name)

    def cardinality(self) -> int:
        size, available = _fixed_rows(self.input.known_spec()), self.input.cardinality()
        if available == INFINITE and size:
            return INFINITE
        return UNKNOWN if size is None or available < 0 else available * size


def _fixed_rows(given: Any) -> int | None:
    """How many rows each element has, where a spec tells it."""
    if given is NOT_KNOWN:
        return None
    sizes = {(spec.shape or (None,))[0] for spec in el.leaves(given) if type(spec) is TensorSpec}
    return sizes.pop() if len(sizes) == 1 else None


def _inner_axes(known: Any) -> int:
    """How many axes after the first a source says to be of different lengths, up to the last."""
    shape = None if known is NOT_KNOWN else known.shape
    return max((axis for axis, size in enumerate(shape or ()) if size is None), default=0)


class UnbatchCursor(OneCursor):
    """See `Unbatch`."""

    picks_rows = False

    def __init__(self, up: Cursor) -> None:
        super().__init__(up)
        self._element, self._count, self._at = None, 0, 0

    def __next__(self) -> Any:
        while self._at >= self._count:
            self._element = next(self._up)
            self._count, self._at = number_of_rows(self._element, Unbatch.name), 0
        self._at += 1
        at = self._at - 1
        return el.mapped(lambda leaf: _row(leaf, at), self._element)

    def state(self) -> Any:
        is_used = self._at >= self._count
        return {
            "up": self._up.state(),
            "element": None if is_used else {"is": el.packed(self._element)},
            "at": 0 if is_used else self._at,
        }

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._element, self._count, self._at = None, 0, 0
        if state["element"] is not None:
            self._element, self._at = el.unpacked(state["element"]["is"]), state["at"]
            self._count = number_of_rows(self._element, Unbatch.name)


def _row(leaf: Any, at: int) -> Any:
    if isinstance(leaf, SparseEntries):
        return leaf.row(at)
    return leaf[at] if isinstance(leaf, Ragged) else _item(leaf, (at, ...))


_item: Any = np.ndarray.__getitem__  # faster by far than the method of the class


def number_of_rows(element: Any, who: str) -> int:
    """The rows of an element, the same for all its tensors.

    Raises:
        DataError: They differ, or there are none.
    """
    sizes = [_length(leaf) for leaf in el.leaves(element)]
    if not sizes or None in sizes or len(set(sizes)) > 1:
        raise DataError(
            message(
                who,
                "all tensors of an element must have the same number of rows",
                ", ".join("a number" if n is None else f"{n} rows" for n in sizes) or "no tensors",
            )
        )
    return int(sizes[0] or 0)


def _length(leaf: Any) -> int | None:
    if isinstance(leaf, SparseEntries):
        return leaf.shape[0] if leaf.shape else None
    return len(leaf) if leaf.shape else None


class Rebatch(OneInput):
    """Batches of other sizes out of batches; of a list of sizes in turn."""

    name = "Dataset.rebatch"

    def __init__(self, node: Node, sizes: list[int], drop_remainder: bool) -> None:
        super().__init__(node)
        self.sizes, self.drop_remainder = sizes, drop_remainder
        if node.known_spec() is not NOT_KNOWN:
            self.spec()

    def make_cursor(self, opening: Opening) -> Cursor:
        return RebatchCursor(self.input.open(opening), self)

    def make_spec(self) -> Any:
        rows = unbatched(self.input.spec(), self.name)
        given = _fixed_rows(self.input.spec())
        size = self.sizes[0]
        is_one = self.drop_remainder or (given is not None and given % size == 0)
        return batched(rows, size if is_one and len(set(self.sizes)) == 1 else None)

    def cardinality(self) -> int:
        return UNKNOWN


class RebatchCursor(OneCursor):
    """See `Rebatch`."""

    picks_rows = False

    def __init__(self, up: Cursor, node: Rebatch) -> None:
        super().__init__(up)
        self._node, self._turn = node, 0
        self._parts: list[Any] = []  # rows that were read and not given
        self._available, self._is_over = 0, False

    def __next__(self) -> Any:
        size = self._node.sizes[self._turn % len(self._node.sizes)]
        while self._available < size and not self._is_over:
            try:
                element = next(self._up)
            except StopIteration:
                self._is_over = True
                break
            count = number_of_rows(element, Rebatch.name)
            if count:
                self._parts.append(element)
                self._available += count
        if not self._available or (self._available < size and self._node.drop_remainder):
            raise StopIteration
        self._turn += 1
        return self._taken(min(size, self._available))

    def _taken(self, count: int) -> Any:
        used: list[Any] = []
        self._available -= count
        while count:
            part = self._parts[0]
            rows = number_of_rows(part, Rebatch.name)
            if rows <= count:
                used.append(self._parts.pop(0))
                count -= rows
            else:
                used.append(_cut(part, slice(0, count)))
                self._parts[0] = _cut(part, slice(count, rows))
                count = 0
        if len(used) == 1:
            return used[0]
        return el.mapped(lambda *leaves: _joined(leaves), *used)

    def state(self) -> Any:
        return {
            "up": self._up.state(),
            "parts": [el.packed(part) for part in self._parts],
            "turn": self._turn,
        }

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._parts, self._turn = [el.unpacked(part) for part in state["parts"]], state["turn"]
        self._available = sum(number_of_rows(part, Rebatch.name) for part in self._parts)
        self._is_over = False


def _cut(element: Any, rows: slice) -> Any:
    return el.mapped(lambda leaf: _part(leaf, rows), element)


def _part(leaf: Any, rows: slice) -> Any:
    if isinstance(leaf, SparseEntries):
        return leaf.rows(np.arange(rows.start, rows.stop))
    return leaf[rows]


def _joined(leaves: tuple[Any, ...]) -> Any:
    first = leaves[0]
    if isinstance(first, Ragged):
        rows = [row for leaf in leaves for row in leaf]
        return Ragged.of_rows(rows, first.row_splits.dtype, Rebatch.name)
    if isinstance(first, SparseEntries):
        return first.joined(leaves, Rebatch.name)
    for leaf in leaves:
        if leaf.shape[1:] != first.shape[1:] or leaf.dtype != first.dtype:
            raise DataError(
                message(
                    Rebatch.name,
                    "batches that are put together must have rows of one shape and dtype",
                    f"{first.dtype} of shape {first.shape} and {leaf.dtype} of shape {leaf.shape}",
                    "Call unbatch() and padded_batch(batch_size) in its place.",
                )
            )
    return el.sealed(np.concatenate(leaves))


__all__ = ["Batch", "PaddedBatch", "RaggedBatch", "Rebatch", "Unbatch", "number_of_rows"]
