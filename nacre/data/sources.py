"""What the user gave, as rows of arrays: normalised once, and checked.

Rows can be picked by index. Whole batches, from generators and the like, are in `batch_source.py`.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Hashable
from typing import Any

import jax
import numpy as np

from nacre.core import config, tree
from nacre.core.errors import DataError, message
from nacre.core.host_arrays import outside_32_bits, warn_of_rounded_integers
from nacre.core.indices import first_in, fits
from nacre.core.memory import CPU_BUDGET_BYTES, device_budget
from nacre.core.stored import StoredRows
from nacre.core.strings import Staged, is_text
from nacre.core.typed_jax import setting
from nacre.data.padding import padded
from nacre.data.recognised import is_dataset
from nacre.data.rows import (
    SMALL_BYTES,
    USUAL,
    aligned_empty,
    arrays_of_lists,
    as_rows,
    device_dtype,
    is_in_file,
    is_picked_late,
    on_device,
    own_copy,
    pick,
)

MAPPED_BUDGET_BYTES = 128 << 20  # mapped files are streamed early: they are mapped on purpose

# Rows sent to the device at once when arrays are streamed; two chunks are in flight.
CHUNK_BYTES = 16 << 20
# The same for shuffled rows of a file: the more at once, the more lie on one page, or in one chunk.
# Of 3 million rows of 400 bytes the system takes 2.5 s where it took 6.3 with 16 MB.
SCATTERED_CHUNK_BYTES = 64 << 20

Batch = tuple[Any, Any, Any]  # x, y, sample_weight


class ArraySource:
    """Rows in arrays.

    Args:
        x, y, sample_weight: Arrays with rows on their first axis, nested in lists, tuples or dicts.
        who: The method that was called, for messages.

    Attributes:
        structure: The structure of (x, y, sample_weight), with 0 or None in the place of arrays.
        leaves: The arrays; None where nothing was given.
        dtypes: Their dtypes on the device, where they are not what `device_dtype` says.
        convert: What becomes of each batch on the host, where rows cannot be changed all at once.

    Raises:
        DataError: No rows, or numbers of rows differ.
    """

    def __init__(self, x: Any, y: Any = None, sample_weight: Any = None, who: str = "fit") -> None:
        self.who = who
        self.structure: Any
        self.labels: list[str]
        self.leaves: list[Any]
        given = x, y, sample_weight
        if all(map(_is_usual, given)):
            self.structure, self.labels = without_arrays(given), ["x", "y", "sample_weight"]
            self.leaves = [*given]
        else:
            given = tuple(arrays_of_lists(part) for part in padded(x, y, sample_weight))
            paths = tree.flatten_with_path(given)
            self.structure = tree.pack_sequence_as(given, [_place_of(leaf) for _, leaf in paths])
            self.labels = [_label(path, given[0]) for path, _ in paths]
            self.leaves = [
                None if leaf is None else as_rows(leaf, who, label)
                for (_, leaf), label in zip(paths, self.labels, strict=True)
            ]
        self.dtypes: list[np.dtype | None] = [None] * len(self.leaves)
        self.convert: Callable[[Batch], Batch] | None = None
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
        x, y, _ = self.parts
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

    def with_sample_weight(self, sample_weight: Any) -> ArraySource:
        """The same rows with other sample weights."""
        x, y, _ = self.structure
        count = len(tree.flatten((x, y)))
        weights = tree.flatten(sample_weight)
        source = self._copied()
        source.structure = (x, y, without_arrays(sample_weight))
        source.leaves = [*self.leaves[:count], *weights]
        source.dtypes = [*self.dtypes[:count], *(None for _ in weights)]
        paths = tree.flatten_with_path(source.structure)
        source.labels = [_label(path, x) for path, _ in paths]
        return source

    def cut(self, rows: slice) -> ArraySource:
        """Some of the rows, which are not copied."""
        source = self._copied()
        source.leaves = [None if leaf is None else leaf[rows] for leaf in self.leaves]
        source.num_rows = len(range(*rows.indices(self.num_rows)))
        return source

    def _copied(self) -> ArraySource:
        source = copy.copy(self)
        vars(source).pop("parts", None)
        return source

    @functools.cached_property
    def parts(self) -> Batch:
        """x, y and sample_weight as they were given, with the arrays of all rows."""
        parts: Batch = self.pack(self.leaves)
        return parts

    @property
    def row_bytes(self) -> int:
        """Bytes of one row on the device."""
        total = 0
        for leaf in self.leaves:
            if leaf is not None:
                total += math.prod(leaf.shape[1:]) * device_dtype(leaf.dtype).itemsize
        return total

    def batches_per_chunk(self, batch_size: int, is_shuffled: bool = False) -> int:
        """How many batches are sent to the device at once when streaming."""
        are_scattered = is_shuffled and any(map(is_in_file, self.leaves))
        size_bytes = SCATTERED_CHUNK_BYTES if are_scattered else CHUNK_BYTES
        return max(1, size_bytes // max(1, self.row_bytes * batch_size))

    def reads_of_chunks(self, batch_size: int) -> tuple[str, float, int, str]:
        """How often a shuffled pass reads a chunk of a file: (which array, how often, its rows, the
        array's name in its file).

        Each time rows are picked all over the file, and a chunk is read whole for one of its rows.
        """
        worst = ("", 0.0, 0, "")
        if not any([isinstance(leaf, StoredRows) for leaf in self.leaves]):
            return worst
        picked = self.batches_per_chunk(batch_size, is_shuffled=True) * batch_size
        for leaf, label in zip(self.leaves, self.labels, strict=True):
            if isinstance(leaf, StoredRows) and leaf.chunk_rows > 1:
                chunks = max(1, len(leaf) / leaf.chunk_rows)
                touched = 1 - (1 - 1 / chunks) ** min(picked, len(leaf)) if chunks > 1 else 1.0
                often = touched * max(1.0, len(leaf) / picked)
                worst = max(
                    worst, (label, often, leaf.chunk_rows, leaf.place), key=lambda one: one[1]
                )
        return worst

    def fits_device(self) -> bool:
        """Whether the arrays should be kept on the device whole."""
        if any(map(is_picked_late, self.leaves)):
            return False
        total = self.row_bytes * self.num_rows
        mapped = any(isinstance(leaf, np.memmap) for leaf in self.leaves)
        return total <= device_budget(MAPPED_BUDGET_BYTES if mapped else CPU_BUDGET_BYTES)

    def is_one_small_batch(self, batch_size: int) -> bool:
        """Whether the rows are one batch that costs less to hand over than to keep on a device."""
        given = [leaf for leaf in self.leaves if leaf is not None]
        if self.num_rows > batch_size or any(type(leaf) is not np.ndarray for leaf in given):
            return False
        return sum([leaf.nbytes for leaf in given]) <= SMALL_BYTES

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

    def specs(self, count: int) -> list[Any]:
        """Shapes and dtypes of `count` rows on the device; None where there is no array."""
        return [
            None
            if leaf is None
            else jax.ShapeDtypeStruct((count, *leaf.shape[1:]), dtype or device_dtype(leaf.dtype))
            for leaf, dtype in zip(self.leaves, self.dtypes, strict=True)
        ]

    def non_finite(self) -> str:
        """Where the first NaN or infinite number is; empty when there is none."""
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
        return self.cut(slice(0, cut)), self.cut(slice(cut, None))

    def batch(self, indices: np.ndarray | slice) -> Batch:
        """The rows at `indices` as a batch on the host, (x, y, sample_weight)."""
        batch: Batch = self.pack(self.rows(indices))
        return batch if self.convert is None else self.convert(batch)

    def targets_and_weights(self) -> tuple[Any, Any]:
        """All of y and sample_weight as they were given, on the host."""
        return tree.map_structure(_on_host, self.parts[1:])

    def batch_specs(self, count: int) -> Any:
        """Shapes and dtypes of a batch of `count` samples, (x, y, sample_weight)."""
        if self.convert is None:
            return self.pack(self.specs(count))

        def spec(leaf: Any) -> Any:
            if leaf is None:
                return None
            return jax.ShapeDtypeStruct((count, *leaf.shape[1:]), device_dtype(leaf.dtype))

        return tree.map_structure(spec, self.batch(slice(0, 1)))


def without_arrays(structure: Any) -> Any:
    """A structure of leaves with 0 in the place of each array.

    Example:
        >>> without_arrays(({"a": np.ones(3)}, None, None))
        ({'a': 0}, None, None)
    """
    return tree.map_structure(_place_of, structure)


def _place_of(leaf: Any) -> int | None:
    return None if leaf is None else 0


def _on_host(leaf: Any) -> Any:
    return np.asarray(leaf) if isinstance(leaf, jax.Array) else leaf


def _label(path: tuple[Any, ...], x: Any = None) -> str:
    """Which array of (x, y, sample_weight) stands at a path, as in "x['a']"."""
    name = ("x", "y", "sample_weight")[path[0]]
    rest = path[2:] if path[0] == 0 and isinstance(x, Staged) else path[1:]
    return name + "".join([f"[{p!r}]" for p in rest])


def standard_batch(item: Any, who: str) -> Batch:
    """(x, y, sample_weight) as arrays, from what a source gives; numbers keep their width."""
    if type(item) is tuple and 1 <= len(item) <= 3 and all(map(_is_usual, item)):
        x, y, sample_weight = (*item, None, None)[:3]
        return x, y, sample_weight
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
    parts = tuple(arrays_of_lists(part) for part in padded(*(*item, None, None)[:3]))
    leaves = []
    for path, leaf in tree.flatten_with_path(parts):
        if is_dataset(leaf):
            rule = "batches must hold arrays"
            fix = (
                "Take the elements of windows first: ds.flat_map(lambda w: w.batch(size)). Put "
                "several data sets side by side with Dataset.zip((a, b)), one after another with "
                "a.concatenate(b)."
            )
            raise DataError(message(f"{who}, {_label(path)}", rule, "a Dataset", fix))
        rows = None if leaf is None else as_rows(leaf, who, _label(path))
        leaves.append(np.asarray(rows) if is_picked_late(rows) else rows)
    return tree.pack_sequence_as(parts, leaves)


def _is_usual(part: Any) -> bool:
    """Whether it is nothing, or one array in which `as_rows` has nothing to change."""
    return part is None or (type(part) is np.ndarray and part.ndim > 0 and part.dtype in USUAL)


def _dtypes(batch: Batch) -> tuple[np.dtype | None, ...]:
    return tuple([None if part is None else part.dtype for part in batch])


def _copied_part(part: np.ndarray | None, dtype: np.dtype | None) -> np.ndarray | None:
    """A copy of numbers that fit into a dtype."""
    if part is None or dtype is None:
        return None
    copy = aligned_empty(part.shape, dtype)
    np.copyto(copy, part, casting="unsafe")
    return copy


def _stays_a_kind(given: np.dtype | None, dtype: np.dtype | None) -> bool:
    """Whether floats stay floats and whole numbers whole ones, which are then told if too large."""
    if given is None or dtype is None:
        return given is dtype
    return given == dtype or (given.kind == dtype.kind and given.kind in "fi")


def _fits(part: np.ndarray | None, dtype: np.dtype | None) -> bool:
    return part is None or dtype is None or fits(part, dtype)


def narrow_batch(
    who: str,
    dtype_of: Callable[[Any], list[Any]] | None = None,
    token: Callable[[], Hashable] | None = None,
    refuse_text: Callable[[Batch], None] | None = None,
) -> Callable[[Batch], Batch]:
    """A function that gives the arrays of (x, y, sample_weight) the dtypes of the device.

    Args:
        who: Who asks, for messages.
        dtype_of: x -> for each of its leaves the dtype to take, None for the usual one.
        token: What `dtype_of` depends on besides `x`; without it each batch is asked about anew.
        refuse_text: Called with each batch that holds strings; raises where they cannot stay.
    """

    told: set[str] = set()  # a warning for each array, not for each batch
    # What batches of single arrays became last, of whose numbers no more is asked than if they fit.
    last: tuple[Hashable, tuple[np.dtype | None, ...]] | None = None

    def narrow(batch: Batch) -> Batch:
        nonlocal last
        if token is None or not all(map(_is_usual, batch)):
            return narrow_any(batch)
        # Not the dtypes themselves, as NumPy takes None for that of float64.
        kinds = tuple([None if part is None else part.dtype.char for part in batch])
        form = kinds, token(), setting("jax_enable_x64"), config.floatx()
        if last is not None and last[0] == form and all(map(_fits, batch, last[1])):
            x, y, weight = map(_copied_part, batch, last[1])
            return x, y, weight
        narrowed = narrow_any(batch)
        if all(map(_stays_a_kind, _dtypes(batch), _dtypes(narrowed))):
            last = form, _dtypes(narrowed)
        return narrowed

    def narrow_any(batch: Batch) -> Batch:
        paths = tree.flatten_with_path(batch)
        if refuse_text is not None and any([is_text(leaf) for _, leaf in paths]):
            refuse_text(batch)
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
