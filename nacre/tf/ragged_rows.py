"""`tf.ragged`: rows of different lengths, made and put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.data import Ragged
from nacre.data.dataset.elements import sealed
from nacre.tf.dtypes import as_dtype
from nacre.tf.nodes import node
from nacre.tf.ragged_calls import flat_of, of_values, rows_alike
from nacre.tf.sizes import plain
from nacre.tf.values import same, tensor


def ragged_range(
    starts: Any, limits: Any = None, deltas: Any = 1, dtype: Any = None, name: Any = None,
    row_splits_dtype: Any = "int64",
) -> Ragged:  # fmt: skip
    """Numbers from a start to a limit, a row for each pair.

    Args:
        starts, limits: The first numbers, and where the rows end; limits alone begin at 0.
        deltas: The steps.
        dtype: Of the numbers.
        name: Accepted for compatibility.
        row_splits_dtype: The dtype of the row splits.
    """
    if limits is None:
        starts, limits = 0, starts
    values = [np.asarray(v) for v in same(starts, limits, deltas)]
    starts, limits, deltas = np.broadcast_arrays(*values)
    rows = [np.arange(a, b, d) for a, b, d in zip(*map(np.ravel, (starts, limits, deltas)))]
    kind = as_dtype(dtype)._dtype if dtype is not None else starts.dtype
    flat = np.concatenate(rows).astype(kind) if rows else np.empty(0, kind)
    return Ragged(flat, _splits([len(row) for row in rows], row_splits_dtype))


def _splits(lengths: Any, kind: Any = "int64") -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(as_dtype(kind)._dtype)


def ragged_stack(values: Any, axis: int = 0, name: Any = None) -> Ragged:
    """Tensors of different lengths as rows.

    Args:
        values: Tensors or ragged tensors.
        axis: 0: which of them is the first axis.
        name: Accepted for compatibility.
    """
    if plain(axis) != 0:
        fix = "Stack along axis 0."
        raise ArgumentError(message("tf.ragged.stack", "axis must be 0", f"{axis}", fix))
    rows: list[Any] = [v if isinstance(v, Ragged) else tensor(v) for v in values]
    from nacre.tf.rows import made

    if any(isinstance(row, jax.Array) for row in rows) and all(len(row.shape) == 1 for row in rows):
        lengths = [row.shape[0] for row in rows]
        like = Ragged(np.empty(sum(lengths)), _splits(lengths))
        return of_values(like, made("", "concat")(rows, 0))
    host = [row if isinstance(row, Ragged) else np.asarray(row) for row in rows]
    return Ragged.of_rows(host, np.int64, "tf.ragged.stack", 0)


def ragged_boolean_mask(data: Any, mask: Any, name: Any = None) -> Any:
    """What stands where a mask is true, row by row.

    Args:
        data: A tensor, or a ragged one.
        mask: Truths for its rows, or for the values of its rows.
        name: Accepted for compatibility.
    """
    if isinstance(mask, Ragged):
        keeps = np.asarray(mask.values)
        lengths = _per_row(keeps, np.asarray(mask.row_splits))
        inner = data.values if isinstance(data, Ragged) else _flat(data)
    else:
        truth = np.asarray(tensor(mask)).astype(bool)
        if truth.ndim == 1:
            rows = np.flatnonzero(truth)
            if isinstance(data, Ragged):
                return Ragged.of_rows([data[int(i)] for i in rows], np.int64, "tf.ragged", 0)
            return node("GatherV2")(tensor(data), rows.astype(np.int32), np.int32(0))
        keeps, lengths = truth.ravel(), truth.sum(1)
        inner = _flat(data)
    picked = np.asarray(inner)[keeps]
    return Ragged(picked, _splits(lengths))


def _flat(data: Any) -> np.ndarray:
    array = np.asarray(tensor(data))
    return array.reshape(-1, *array.shape[2:])


def _per_row(keeps: np.ndarray, splits: np.ndarray) -> np.ndarray:
    counts = np.concatenate([[0], np.cumsum(keeps)])
    return np.diff(counts[splits])


def map_flat_values(op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A function of the values, the rows as they were.

    Args:
        op: The function.
        args, kwargs: Its arguments: ragged tensors, whose rows must be equally long, and others.
    """
    ragged = [v for v in (*args, *kwargs.values()) if isinstance(v, Ragged)]
    if not ragged:
        return op(*args, **kwargs)
    first = ragged[0]
    for other in ragged[1:]:
        if not rows_alike(first, other):
            got = f"lengths {first.row_lengths().tolist()} and {other.row_lengths().tolist()}"
            raise ShapeError(message("tf.ragged.map_flat_values", "rows must be alike", got))
    inner = lambda v: flat_of(v) if isinstance(v, Ragged) else v
    return of_values(
        first, tensor(op(*map(inner, args), **{k: inner(v) for k, v in kwargs.items()}))
    )


def row_splits_to_segment_ids(splits: Any, name: Any = None, out_type: Any = "int64") -> Any:
    """Which row each value is of.

    Args:
        splits: Where rows begin, and the last one ends.
        name: Accepted for compatibility.
        out_type: The dtype.
    """
    lengths = np.diff(np.asarray(tensor(splits), np.int64))
    return sealed(np.repeat(np.arange(len(lengths)), lengths).astype(as_dtype(out_type)._dtype))


def segment_ids_to_row_splits(
    segment_ids: Any, num_segments: Any = None, out_type: Any = "int64", name: Any = None
) -> Any:
    """Where rows begin, and the last one ends.

    Args:
        segment_ids: Which row each value is of, in order.
        num_segments: How many rows there are; by default up to the last one named.
        out_type: The dtype.
        name: Accepted for compatibility.
    """
    ids = np.asarray(tensor(segment_ids)).astype(np.int64)
    count = int(ids.max(initial=-1)) + 1 if num_segments is None else plain(num_segments)
    return sealed(_splits(np.bincount(ids, minlength=count), out_type))


def stack_dynamic_partitions(
    data: Any, partitions: Any, num_partitions: Any, name: Any = None
) -> Ragged:
    """Values sorted into rows.

    Args:
        data: The values.
        partitions: The row of each.
        num_partitions: How many rows there are.
        name: Accepted for compatibility.
    """
    array, rows = np.asarray(tensor(data)), np.asarray(tensor(partitions)).astype(np.int64)
    if rows.ndim != 1:
        array, rows = array.reshape(-1, *array.shape[rows.ndim :]), rows.ravel()
    order = np.argsort(rows, kind="stable")
    return Ragged(array[order], _splits(np.bincount(rows, minlength=plain(num_partitions))))


__all__ = [
    "map_flat_values", "ragged_boolean_mask", "ragged_range", "ragged_stack",
    "row_splits_to_segment_ids", "segment_ids_to_row_splits", "stack_dynamic_partitions",
]  # fmt: skip
