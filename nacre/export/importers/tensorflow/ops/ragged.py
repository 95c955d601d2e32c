"""Ragged tensors: rows of several lengths, as splits and flat values."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from nacre.export.importers.tensorflow.registry import Node, op
from nacre.export.importers.tensorflow.values import (
    GraphError,
    Ragged,
    dtype,
    ints,
    known,
    shape,
)


@op("RaggedTensorToTensor", host=True)
def _to_tensor(node: Node, wanted: Any, values: Any, default: Any, *partitions: Any) -> Any:
    """Rows filled up to one length, and cut to a shape that is asked for."""
    kinds = [bytes(kind).decode() for kind in node["row_partition_types"]]
    parts = [np.asarray(part) for part in partitions]
    values, default = np.asarray(values), np.asarray(default)
    if kinds[0] == "FIRST_DIM_SIZE":
        rows = int(parts[0])
        lengths = [_lengths(parts[1], kinds[1], rows)] if len(kinds) > 1 else []
        start = 2
    else:
        lengths = [_lengths(parts[0], kinds[0], None)]
        rows, start = len(lengths[0]), 1
    for part, kind in zip(parts[start:], kinds[start:], strict=True):
        lengths.append(_lengths(part, kind, int(lengths[-1].sum())))
    inner = values.shape[1:]
    sizes = [rows, *(int(each.max(initial=0)) for each in lengths), *inner]
    asked = ints(wanted) if np.ndim(wanted) else (-1,) * len(sizes)
    if len(asked) != len(sizes):
        raise GraphError(f"a shape {asked} for a ragged tensor of {len(sizes)} axes")
    full = tuple(n if w < 0 else w for n, w in zip(sizes, asked, strict=True))
    shape(np.asarray(full), np.int64)
    found = np.broadcast_to(default, full).copy()
    places = [np.arange(rows)]
    for each in lengths:
        parents = np.repeat(np.arange(len(each)), each)
        starts = np.cumsum(each) - each
        within = np.arange(len(parents)) - starts[parents]
        places = [place[parents] for place in places] + [within]
    keeps = np.ones(len(values), bool)
    for place, size in zip(places, full, strict=False):
        keeps &= place < size
    cut = tuple(slice(0, n) for n in full[len(places) :])
    found[(*(place[keeps] for place in places), *cut)] = values[keeps][(slice(None), *cut)]
    return found


def _lengths(part: np.ndarray[Any, Any], kind: str, rows: int | None) -> np.ndarray[Any, Any]:
    if kind == "ROW_SPLITS":
        return np.diff(part)
    if kind == "VALUE_ROWIDS":
        return np.bincount(part, minlength=rows or 0)
    raise GraphError(f"rows told by {kind}")


@op("RaggedTensorToSparse", host=True)
def _to_sparse(node: Node, *values: Any) -> Any:
    *splits, flat = [np.asarray(value) for value in values]
    lengths = [np.diff(each) for each in splits]
    places = [np.arange(len(lengths[0]))]
    sizes = [len(lengths[0])]
    for each in lengths:
        parents = np.repeat(np.arange(len(each)), each)
        within = np.arange(len(parents)) - (np.cumsum(each) - each)[parents]
        places = [place[parents] for place in places] + [within]
        sizes.append(int(each.max(initial=0)))
    inner = flat.shape[1:]
    if inner:
        raise GraphError("a ragged tensor of arrays as a sparse one")
    return np.stack(places, 1).astype(np.int64), flat, np.asarray(sizes, np.int64)


@op("RaggedRange", host=True)
def _range(node: Node, starts: Any, limits: Any, deltas: Any) -> Any:
    first, last, by = np.broadcast_arrays(*map(known, (starts, limits, deltas)))
    rows = [
        np.arange(a, b, c, dtype=first.dtype)
        for a, b, c in zip(first.ravel(), last.ravel(), by.ravel(), strict=True)
    ]
    splits = np.cumsum([0, *map(len, rows)]).astype(dtype(node["Tsplits"]))
    return splits, np.concatenate(rows) if rows else np.zeros(0, first.dtype)


@op("RaggedGather", host=True)
def _gather(node: Node, *inputs: Any) -> Any:
    """Rows of a ragged tensor, at places that may have several axes."""
    rank = node["PARAMS_RAGGED_RANK"]
    splits = [np.asarray(each) for each in inputs[:rank]]
    values, places = np.asarray(inputs[rank]), np.asarray(inputs[rank + 1])
    rows = places.ravel()
    if rows.size and (rows.min() < 0 or rows.max() >= len(splits[0]) - 1):
        raise GraphError(f"a row outside {len(splits[0]) - 1}")
    found: list[Any] = []
    for size in places.shape[1:]:  # rows of one length
        count = int(np.prod(places.shape[: len(found) + 1]))
        found.append(np.arange(count + 1, dtype=splits[0].dtype) * size)
    for each in splits:
        begins, ends = each[rows], each[rows + 1]
        lengths = ends - begins
        found.append(np.concatenate([[0], np.cumsum(lengths)]).astype(each.dtype))
        total = int(lengths.sum())
        offsets = np.repeat(begins - (np.cumsum(lengths) - lengths), lengths)
        rows = np.arange(total) + offsets
    return (*found, values[rows])


@op("RaggedTensorToVariant", host=True)
def _to_variant(node: Node, *values: Any) -> Any:
    *splits, flat = values
    if not node.get("batched_input"):
        return Ragged(list(splits), flat)
    outer, rest = np.asarray(splits[0]), splits[1:]
    if rest:
        raise GraphError("a batch of ragged tensors of several ragged axes")
    found = np.empty(len(outer) - 1, object)
    for at, (begin, end) in enumerate(itertools.pairwise(outer)):
        found[at] = Ragged([], np.asarray(flat)[int(begin) : int(end)])
    return found


@op("RaggedTensorFromVariant", host=True)
def _from_variant(node: Node, encoded: Any) -> Any:
    if isinstance(encoded, Ragged):
        return (*encoded.splits, encoded.values)
    parts = list(np.asarray(encoded).ravel())
    if any(not isinstance(part, Ragged) or part.splits for part in parts):
        raise GraphError("a batch of ragged tensors of several ragged axes")
    rows = [np.asarray(part.values) for part in parts]
    kind = dtype(node["Tvalues"])
    splits = np.cumsum([0, *map(len, rows)]).astype(dtype(node["Tsplits"]))
    return splits, np.concatenate(rows) if rows else np.zeros(0, kind)


@op("RaggedBincount", host=True)
def _bincount(node: Node, splits: Any, values: Any, size: Any, weights: Any) -> Any:
    ends, flat, count = np.asarray(splits), np.asarray(values), int(np.asarray(size))
    of = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    return counted(node, flat, of, len(ends) - 1, count, weights)


def counted(node: Node, values: Any, of: Any, rows: int, size: int, weights: Any) -> Any:
    """How often each number stands in each row, or the sum of its weights: [rows, size].

    Args:
        values: The numbers, flat; those outside are not counted.
        of: The row of each.
    """
    found = np.zeros((rows, size), dtype(node["T"]))
    keeps = (values >= 0) & (values < size)
    if node.get("binary_output"):
        found[of[keeps], values[keeps]] = 1
    else:
        given = np.asarray(weights)
        amounts = given.ravel()[keeps] if given.size else 1
        np.add.at(found, (of[keeps], values[keeps]), amounts)
    return found
