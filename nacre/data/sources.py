"""Where batches come from: arrays, or anything that can be walked.

`ArraySource` holds rows that can be picked by index; the training loop keeps them on the device
when they fit and sends them in chunks when they do not. `BatchSource` walks generators,
`PyDataset`s, data loaders and other iterables of batches.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from nacre.core import tree
from nacre.core.errors import DataError, message
from nacre.core.host_arrays import outside_32_bits, warn_of_rounded_integers
from nacre.core.indices import first_in
from nacre.core.memory import CPU_BUDGET_BYTES, device_budget
from nacre.core.random import host_generator
from nacre.core.strings import Staged, is_text
from nacre.data.prefetch import prefetched
from nacre.data.py_dataset import indexed_batches, is_indexable_source, number_of_batches
from nacre.data.rows import (
    SparseRows,
    arrays_of_lists,
    as_rows,
    device_dtype,
    on_device,
    own_copy,
    pick,
)

MAPPED_BUDGET_BYTES = 128 << 20  # mapped files are streamed early: they are mapped on purpose

# Rows sent to the device at once when arrays are streamed; two chunks are in flight.
CHUNK_BYTES = 16 << 20


class ArraySource:
    """Rows in arrays.

    Args:
        x, y, sample_weight: Arrays with rows on their first axis, nested in lists, tuples or dicts.

    Raises:
        DataError: No rows, or numbers of rows differ.
    """

    def __init__(self, x: Any, y: Any = None, sample_weight: Any = None, who: str = "fit") -> None:
        self.structure = tuple(arrays_of_lists(part) for part in (x, y, sample_weight))
        self.who = who
        paths = tree.flatten_with_path(self.structure)
        self.labels = [_label(path, self.structure[0]) for path, _ in paths]
        self.leaves: list[Any] = [
            None if leaf is None else as_rows(leaf, who, label)
            for (_, leaf), label in zip(paths, self.labels, strict=True)
        ]
        # Dtypes on the device, where they are not what `device_dtype` says.
        self.dtypes: list[np.dtype | None] = [None] * len(self.leaves)
        self.num_rows = self._count_rows(who)

    def _count_rows(self, who: str) -> int:
        labels = [
            (label, len(leaf))
            for label, leaf in zip(self.labels, self.leaves, strict=True)
            if leaf is not None
        ]
        if not labels:
            raise DataError(message(who, "there must be data", "none", "Pass x and y."))
        counts = {count for _, count in labels}
        if len(counts) > 1:
            raise DataError(
                message(
                    who,
                    "all arrays must have the same number of rows",
                    _listed([f"{label}: {count}" for label, count in labels]),
                    self._counts_fix(labels),
                )
            )
        count = counts.pop()
        if count == 0:
            raise DataError(
                message(
                    who,
                    "there must be at least one row",
                    "arrays with 0 rows",
                    "Check the file or the filter that made them.",
                )
            )
        return count

    def _counts_fix(self, labels: list[tuple[str, int]]) -> str:
        """What to do about arrays of different lengths: the likely mistake first."""
        x, y, _ = self.pack(self.leaves)
        shapes = {tuple(leaf.shape) for leaf in tree.flatten(x)}
        if isinstance(x, list | tuple) and len(shapes) == 1 and len(x) == len(tree.flatten(x)) > 1:
            lengths = {len(leaf) for leaf in tree.flatten(y) if leaf is not None}
            if lengths == {len(x)}:
                return "A list is read as one array an input; samples of one input: np.stack(x)."
        if y is None or 1 in (count for _, count in labels):
            return (
                "Check how they were split or filtered; a single sample needs a batch axis: "
                "x[None]."
            )
        return "Check how they were split or filtered."

    def weighed(self, sample_weight: Any) -> ArraySource:
        """The same rows with other sample weights."""
        x, y, _ = self.pack(self.leaves)
        source = ArraySource(x, y, sample_weight, self.who)
        count = len(tree.flatten((x, y)))
        source.dtypes[:count] = self.dtypes[:count]
        return source

    @property
    def row_bytes(self) -> int:
        """Bytes of one row on the device."""
        total = 0
        for leaf in self.leaves:
            if leaf is not None:
                size = int(np.prod(leaf.shape[1:], dtype=np.int64))
                total += size * device_dtype(leaf.dtype).itemsize
        return total

    def batches_per_chunk(self, rows: int) -> int:
        """How many batches of `rows` rows are sent to the device at once when streaming."""
        return max(1, CHUNK_BYTES // max(1, self.row_bytes * rows))

    def fits_device(self) -> bool:
        """Whether the arrays should be kept on the device whole."""
        if any(isinstance(leaf, SparseRows) for leaf in self.leaves):
            return False  # the whole is never made dense
        total = self.row_bytes * self.num_rows
        mapped = any(isinstance(leaf, np.memmap) for leaf in self.leaves)
        return total <= device_budget(MAPPED_BUDGET_BYTES if mapped else CPU_BUDGET_BYTES)

    def rows(self, indices: np.ndarray | slice) -> list[Any]:
        """The rows at `indices` as arrays ready for the device; None where there is no array."""
        return [
            None if leaf is None else pick(leaf, indices, dtype, f"{self.who}, {label}")
            for leaf, dtype, label in zip(self.leaves, self.dtypes, self.labels, strict=True)
        ]

    def copy_rows(self, indices: np.ndarray | slice, into: list[Any]) -> None:
        """Put the rows at `indices` into arrays of the host; None where there is no array."""
        parts = zip(self.leaves, self.dtypes, self.labels, into, strict=True)
        for leaf, dtype, label, out in parts:
            if leaf is not None:
                pick(leaf, indices, dtype, f"{self.who}, {label}", out)

    def specs(self, rows: int) -> list[Any]:
        """Shapes and dtypes of a batch on the device; None where there is no array."""
        return [
            None
            if leaf is None
            else jax.ShapeDtypeStruct((rows, *leaf.shape[1:]), dtype or device_dtype(leaf.dtype))
            for leaf, dtype in zip(self.leaves, self.dtypes, strict=True)
        ]

    def non_finite(self) -> str:
        """Where the first number stands that is NaN or infinite; empty when there is none."""
        for leaf, label in zip(self.leaves, self.labels, strict=True):
            if not isinstance(leaf, np.ndarray) or leaf.dtype.kind != "f" or not leaf.size:
                continue
            wrong = ~np.isfinite(leaf)
            if wrong.any():
                return f"{label} holds {first_in(leaf, wrong)}"
        return ""

    def pack(self, leaves: list[Any]) -> Any:
        """Leaves in the structure (x, y, sample_weight)."""
        return tree.pack_sequence_as(self.structure, leaves)

    def whole(self) -> list[Any]:
        """All rows on the device."""
        return [
            None if leaf is None else on_device(leaf, dtype, f"{self.who}, {label}")
            for leaf, dtype, label in zip(self.leaves, self.dtypes, self.labels, strict=True)
        ]

    def split(self, fraction: float, who: str) -> tuple[ArraySource, ArraySource]:
        """(first rows, last rows): the last `fraction` of the rows is cut off."""
        if not 0 < fraction < 1:
            raise DataError(
                message(who, "validation_split must lie between 0 and 1", repr(fraction))
            )
        cut = int(np.floor(self.num_rows * (1 - fraction)))
        if cut in (0, self.num_rows):
            raise DataError(
                message(
                    who,
                    "both parts of validation_split must have rows",
                    f"{self.num_rows} rows split at {cut}",
                    "Use more data or another fraction.",
                )
            )
        parts = []
        for piece in (slice(0, cut), slice(cut, None)):
            cuts = [None if leaf is None else leaf[piece] for leaf in self.leaves]
            parts.append(ArraySource(*self.pack(cuts), who=who))
        return parts[0], parts[1]


def _label(path: tuple[Any, ...], x: Any = None) -> str:
    """Which array of (x, y, sample_weight) stands at a path, as in "x['a']"."""
    name = ("x", "y", "sample_weight")[path[0]]
    rest = path[2:] if path[0] == 0 and isinstance(x, Staged) else path[1:]
    return name + "".join(f"[{p!r}]" for p in rest)


@contextlib.contextmanager
def used(*sources: Any) -> Iterator[Callable[[Any], Any]]:
    """Close the sources of batches among these at the end, also when the call is refused.

    What it gives takes a source that is made within the block, to be closed too, and returns it.
    """
    kept = list(sources)

    def keep(source: Any) -> Any:
        kept.append(source)
        return source

    try:
        yield keep
    finally:
        for source in kept:
            if isinstance(source, BatchSource):
                source.close()


class BatchSource:
    """Batches from a generator, a `PyDataset`, a data loader or any iterable.

    Args:
        data: The source.
        who: The method that was called, for messages.
    """

    def __init__(self, data: Any, who: str = "fit", shuffle: bool = False) -> None:
        self.data = data
        self.who = who
        self.shuffle = shuffle
        self.indexed = is_indexable_source(data)
        # A generator can be walked once; all else can be walked again from its beginning.
        self.one_pass = not self.indexed and hasattr(data, "__next__")
        self.stage: Any = (
            None  # (x, y, sample_weight) -> the same, in the thread that makes batches
        )
        # What the rows of a batch become for the device, and where: see `narrow_batch`.
        self.narrow: Callable[[Any], Any] = narrow_batch(who)
        self._finishing: list[Callable[[Any], Any]] = []
        self._waiting: Iterator[Any] | None = None
        self._iterator: Iterator[Any] | None = None
        self._open_ones: list[Any] = []
        self._peeked: list[Any] = []
        self._given = 0  # batches of the pass under way
        self.began_again = False  # within an epoch, as that was longer than a pass
        self._begun = False

    @property
    def num_batches(self) -> int | None:
        """The number of batches an epoch, None when it is not known."""
        return number_of_batches(self.data)

    def then(self, finish: Callable[[Any], Any]) -> None:
        """Let each batch of the epochs to come go through a function, in the order given."""
        self._finishing.append(finish)

    def peek(self) -> Any:
        """The first batch, (x, y, sample_weight), without losing it."""
        if not self._peeked:
            iterator = self._open()
            try:
                self._peeked.append(next(iterator))
            except StopIteration:
                raise DataError(
                    message(
                        self.who,
                        "the source must give at least one batch",
                        "none",
                        "A generator that was used up gives nothing: make a new one.",
                    )
                ) from None
            self._iterator = iterator
        return self._peeked[0]

    def _open(self) -> Iterator[Any]:
        if self._iterator is not None:
            iterator, self._iterator = self._iterator, None
            return iterator
        self._given = 0
        raw, self._waiting = self._waiting or self._walk(), None
        self._open_ones = [prefetched(_made(raw, self.who, self.stage, self.narrow))]
        return self._open_ones[0]

    def _walk(self) -> Iterator[Any]:
        """One pass over the batches as the source gives them."""
        self._begin()
        if not self.indexed:
            return iter(self.data)
        count = number_of_batches(self.data)
        shuffles = self.shuffle and count is not None
        return indexed_batches(
            self.data, host_generator(None).permutation(count).tolist() if shuffles else None
        )

    def preview(self) -> Any:
        """The first batch before `stage`, None when there is none. Ask before anything else."""
        raw = self._walk()
        item = next(raw, None)
        if item is None:
            self._waiting = raw
            return None
        self._waiting = itertools.chain([item], raw)
        return standard_batch(item, self.who)

    def close(self) -> None:
        """End the thread that makes batches ahead. The user's own generator stays open."""
        self._iterator = None
        for iterator in self._open_ones:
            iterator.close()
        self._open_ones = []

    def _begin(self) -> None:
        if self.indexed and not self._begun and hasattr(self.data, "on_epoch_begin"):
            self.data.on_epoch_begin()
        self._begun = True

    def epoch(self, steps: int | None, go_on: bool | None = None) -> Iterator[Any]:
        """The batches of one epoch: `steps` of them, or all there are.

        Args:
            steps: Number of batches; None for one pass.
            go_on: Whether an epoch begins where the one before stopped, and at the end of the data
                with its beginning, also when it is longer than a pass; False begins anew each
                time, as validation needs. A generator always goes on, and ends. None: only
                sources without indices go on.
        """
        keeps = self.one_pass or (
            steps is not None and (not self.indexed if go_on is None else go_on)
        )
        iterator = self._open()
        self._begin()
        count, longer = 0, False
        while steps is None or count < steps:
            item = self._peeked.pop(0) if self._peeked else next(iterator, None)
            if item is None:
                if steps is None or self.one_pass or self._given == 0:
                    break
                if not go_on and self._given < steps:
                    break  # validation: what there is
                longer = longer or self._given < steps
                iterator = self._open()  # the pass is over, the epoch is not
                continue
            self.began_again = self.began_again or longer
            count += 1
            self._given += 1
            for finish in self._finishing:
                item = finish(item)
            yield item
        if keeps and (self.one_pass or count == steps):
            self._iterator = iterator
        elif hasattr(iterator, "close"):
            iterator.close()
        if self.indexed and hasattr(self.data, "on_epoch_end"):
            self.data.on_epoch_end()
        self._begun = False


def _made(
    raw: Iterator[Any], who: str, stage: Any, narrow: Callable[[Any], Any]
) -> Iterator[tuple[Any, Any, Any]]:
    """Batches for training. Without the source in hand: a thread that held it would outlive it."""
    for item in raw:
        batch = standard_batch(item, who)
        yield narrow(batch if stage is None else stage(batch))


def standard_batch(item: Any, who: str) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight) as arrays, from what a source gives; numbers keep their width."""
    if isinstance(item, list):
        item = tuple(item)
    if not isinstance(item, tuple):
        item = (item,)
    if not 1 <= len(item) <= 3:
        raise DataError(
            message(
                who,
                "each batch must be x, (x, y) or (x, y, sample_weight)",
                f"a tuple of {len(item)}",
                "Put several inputs into a list or a dict: ((a, b), y) or ({'a': a, 'b': b}, y).",
            )
        )
    parts = tuple(arrays_of_lists(part) for part in (*item, None, None)[:3])
    leaves = []
    for path, leaf in tree.flatten_with_path(parts):
        rows = None if leaf is None else as_rows(leaf, who, _label(path))
        leaves.append(np.asarray(rows) if isinstance(rows, SparseRows) else rows)
    return tree.pack_sequence_as(parts, leaves)


def narrow_batch(who: str, dtype_of: Callable[[Any], list[Any]] | None = None) -> Any:
    """A function that gives the arrays of (x, y, sample_weight) the dtypes of the device.

    Args:
        who: Who asks, for messages.
        dtype_of: x -> for each of its leaves the dtype to take, None for the usual one.
    """

    told: set[str] = set()  # a warning for each array, not for each batch

    def narrow(batch: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        paths = tree.flatten_with_path(batch)
        wanted = [] if dtype_of is None else dtype_of(batch[0])
        leaves = []
        for place, (path, leaf) in enumerate(paths):
            if isinstance(leaf, np.ndarray) and not is_text(leaf):
                name = f"{who}, {_label(path, batch[0])}"
                dtype = device_dtype(leaf.dtype)
                if place < len(wanted) and wanted[place] is not None:
                    dtype = np.dtype(wanted[place])
                    is_rounded = dtype.kind == "f" and name not in told
                    if is_rounded and warn_of_rounded_integers(leaf, name):
                        told.add(name)
                elif path[0] and outside_32_bits(leaf):  # targets and weights
                    dtype = np.dtype("float32")
                leaf = own_copy(leaf, dtype, name)
            leaves.append(leaf)
        return tree.pack_sequence_as(batch, leaves)

    return narrow


def _listed(parts: list[str], most: int = 6) -> str:
    """Parts with commas between; of many the first few and the last."""
    if len(parts) > most:
        parts = [*parts[: most - 2], "...", parts[-1]]
    return ", ".join(parts)
