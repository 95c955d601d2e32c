"""Sparse tensors, as indices, values and a shape."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.fingerprint import farm_fingerprint, join_fingerprints
from nacre.export.importers.tensorflow.ops.ragged import counted
from nacre.export.importers.tensorflow.registry import Node, op
from nacre.export.importers.tensorflow.values import (
    GraphError,
    ints,
    known,
    numbers,
    of_bytes,
    shape,
    strings,
)


@op("SparseToDense")
def _to_dense(node: Node, indices: Any, sizes: Any, values: Any, default: Any) -> Any:
    full = shape(sizes, np.int64)
    places = numbers(indices).reshape(indices, (-1, 1)) if indices.ndim < 2 else indices
    if numbers(places, values, default) is np:
        found = np.full(full, default, values.dtype)
        found[tuple(places.T)] = values
        return found
    base = jnp.full(full, default, values.dtype)
    return base.at[tuple(jnp.asarray(places).T)].set(values)


@op("SparseReorder", host=True)
def _reorder(node: Node, indices: Any, values: Any, sizes: Any) -> Any:
    indices, values = np.asarray(indices), np.asarray(values)
    order = np.lexsort(indices.T[::-1])
    return indices[order], values[order]


@op("SparseReshape", host=True)
def _reshape(node: Node, indices: Any, before: Any, after: Any) -> Any:
    old, new = ints(before), list(ints(after))
    if -1 in new:
        rest = int(np.prod([n for n in new if n != -1], dtype=np.int64))
        new[new.index(-1)] = int(np.prod(old, dtype=np.int64)) // max(rest, 1)
    flat = np.ravel_multi_index(tuple(np.asarray(indices).T), old)
    found = np.stack(np.unravel_index(flat, new), 1) if np.size(flat) else np.zeros((0, len(new)))
    return found.astype(np.int64), np.asarray(new, np.int64)


@op("SparseFillEmptyRows", host=True)
def _fill_rows(node: Node, indices: Any, values: Any, sizes: Any, default: Any) -> Any:
    indices, values = np.asarray(indices), np.asarray(values)
    rows = ints(sizes)[0]
    is_empty = np.bincount(indices[:, 0], minlength=rows) == 0
    missing = np.flatnonzero(is_empty)
    more = np.zeros((len(missing), indices.shape[1]), np.int64)
    more[:, 0] = missing
    all_indices = np.concatenate([indices, more])
    fill = np.empty(len(missing), values.dtype)
    fill[:] = np.asarray(default).item()
    all_values = np.concatenate([values, fill])
    order = np.argsort(all_indices[:, 0], kind="stable")
    reverse = np.argsort(order)[: len(indices)].astype(np.int64)
    return all_indices[order], all_values[order], is_empty, reverse


@op("SparseTensorDenseMatMul")
def _matmul(node: Node, indices: Any, values: Any, sizes: Any, dense: Any) -> Any:
    rows, columns = jnp.asarray(indices)[:, 0], jnp.asarray(indices)[:, 1]
    high = ints(sizes)[0]
    if node.get("adjoint_a"):
        rows, columns, high = columns, rows, ints(sizes)[1]
    dense = jnp.conj(jnp.swapaxes(dense, 0, 1)) if node.get("adjoint_b") else jnp.asarray(dense)
    parts = jnp.asarray(values)[:, None] * dense[columns]
    return jnp.zeros((high, dense.shape[1]), dense.dtype).at[rows].add(parts)


@op("SparseSlice", host=True)
def _slice(node: Node, indices: Any, values: Any, sizes: Any, start: Any, size: Any) -> Any:
    indices, begin = np.asarray(indices), known(start)
    ends = np.minimum(begin + known(size), known(sizes))
    keeps = ((indices >= begin) & (indices < ends)).all(1)
    return indices[keeps] - begin, np.asarray(values)[keeps], (ends - begin).astype(np.int64)


@op("SparseConcat", host=True)
def _concat(node: Node, *inputs: Any) -> Any:
    count, axis = node["N"], node["concat_dim"]
    indices, values, shapes = inputs[:count], inputs[count : 2 * count], inputs[2 * count :]
    offset, parts = 0, []
    sizes = np.asarray(shapes[0]).copy()
    axis %= len(sizes)
    for each, of in zip(indices, shapes, strict=True):
        moved = np.asarray(each).copy()
        moved[:, axis] += offset
        offset += int(np.asarray(of)[axis])
        parts.append(moved)
    sizes[axis] = offset
    return _reorder(node, np.concatenate(parts), np.concatenate(values), sizes) + (sizes,)


@op("SparseReduceSum", host=True)
def _reduce_sum(node: Node, indices: Any, values: Any, sizes: Any, axes: Any) -> Any:
    dense = np.zeros(shape(sizes), np.asarray(values).dtype)
    np.add.at(dense, tuple(np.asarray(indices).T), np.asarray(values))
    over = tuple(ints(axes)) or None
    return np.asarray(dense.sum(over, keepdims=bool(node.get("keep_dims"))))


@op("SparseCross", host=True)
def _cross(node: Node, *inputs: Any) -> Any:
    """All combinations of columns' values, row by row, the last column's the fastest: hashes of
    them, or texts joined by `_X_`. Sparse columns come first."""
    count = int(node["N"])
    columns = [
        _sparse_rows(*of)
        for of in zip(inputs[:count], inputs[count : 2 * count], inputs[2 * count : 3 * count])
    ]
    columns += [[np.asarray(row) for row in known(dense)] for dense in inputs[3 * count :]]
    if len({len(rows) for rows in columns}) > 1:
        raise GraphError(f"columns of {sorted({len(rows) for rows in columns})} rows")
    of_rows = list(zip(*columns, strict=True))
    found = [_crossed(node, row) for row in of_rows]
    places = [(at, i) for at, row in enumerate(found) for i in range(len(row))]
    values = np.concatenate(found) if found else _crossed(node, ())
    sizes = [len(found), max(map(len, found), default=0)]
    indices = np.asarray(places, np.int64).reshape(-1, 2)
    return indices, values, np.asarray(sizes, np.int64)


@op("SparseCrossV2", host=True)
def _cross_as_text(node: Node, *inputs: Any) -> Any:
    """The same, as texts joined by one that is given."""
    joined = {**node.attributes, "hashed_output": False, "separator": strings(inputs[-1]).item()}
    return _cross(Node(node.op, node.name, joined), *inputs[:-1])


def _sparse_rows(indices: Any, values: Any, sizes: Any) -> list[Any]:
    """The values of each row."""
    values, at = np.asarray(values), np.asarray(indices)[:, 0]
    return [values[at == row] for row in range(ints(sizes)[0])]


def _crossed(node: Node, row: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """All combinations of the values of one row."""
    if not node["hashed_output"]:
        texts = [[_text(value) for value in values.tolist()] for values in row]
        separator = bytes(node.get("separator", b"_X_"))
        joined = [separator.join(parts) for parts in itertools.product(*texts)] if row else []
        return of_bytes(joined)
    size = int(node["num_buckets"])
    total = np.full(1, node["hash_key"], np.int64).view(np.uint64)[: len(row) or 0]
    with np.errstate(over="ignore"):
        for values in map(_fingerprints, row):
            wide = np.broadcast_arrays(total[:, None], values[None])
            total = join_fingerprints(wide[0].ravel(), wide[1].ravel())
    return (total % np.uint64(size or np.iinfo(np.int64).max)).astype(np.int64)


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _fingerprints(column: Any) -> np.ndarray[Any, Any]:
    """[values] as 64 bits each: of whole numbers they are the numbers."""
    array = np.asarray(column)
    if array.dtype.kind == "O":
        return np.asarray(farm_fingerprint(strings(array).ravel()), np.uint64)
    return array.astype(np.int64).view(np.uint64)


@op("SparseBincount", host=True)
def _bincount(node: Node, indices: Any, values: Any, sizes: Any, size: Any, weights: Any) -> Any:
    if np.size(sizes) != 2:
        raise GraphError("counts of a sparse tensor that has not two axes")
    rows, count = ints(sizes)[0], int(np.asarray(size))
    return counted(node, np.asarray(values), np.asarray(indices)[:, 0], rows, count, weights)
