"""Parts of arrays by their places: slices, gathers, scatters."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.export.importers.tensorflow.registry import Node, op, stops
from nacre.export.importers.tensorflow.values import (
    GraphError,
    integer,
    ints,
    is_known,
    known,
    numbers,
    shape,
)

# --- slices ---------------------------------------------------------------------------------------


@op("Slice", known=True)
def _slice(node: Node, x: Any, begin: Any, size: Any) -> Any:
    if not is_known(begin):
        sizes = [x.shape[i] if n == -1 else n for i, n in enumerate(ints(size))]
        if -1 in ints(size):
            raise GraphError("a part up to the end, from a place that is computed")
        return lax.dynamic_slice(jnp.asarray(x), list(jnp.asarray(begin)), sizes)
    starts = ints(begin)
    ends = [x.shape[i] if n == -1 else starts[i] + n for i, n in enumerate(ints(size))]
    if any(a < 0 or a > b or b > n for a, b, n in zip(starts, ends, x.shape, strict=True)):
        raise GraphError(f"a part from {starts} to {tuple(ends)} is asked for")
    return x[tuple(slice(a, b) for a, b in zip(starts, ends, strict=True))]


def _index(node: Node, begin: Any, end: Any, strides: Any) -> tuple[Any, ...]:
    """The index in Python's way that begins, ends, strides and masks say."""
    masks = [
        int(node.get(f"{name}_mask", 0))
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    ]
    begins, ends, ellipses, axes, shrinks = masks
    steps = ints(strides)
    parts: list[Any] = []
    for i, step in enumerate(steps):
        bit = 1 << i
        if ellipses & bit:
            parts.append(Ellipsis)
        elif axes & bit:
            parts.append(None)
        elif shrinks & bit:
            parts.append(int(begin[i]) if is_known(begin) else begin[i])
        else:
            first = None if begins & bit else int(known(begin)[i])
            last = None if ends & bit else int(known(end)[i])
            parts.append(slice(first, last, step))
    return tuple(parts)


@op("StridedSlice", known=True)
def _strided_slice(node: Node, x: Any, begin: Any, end: Any, strides: Any) -> Any:
    index = _index(node, begin, end, strides)
    at = 0
    taken = sum(part is not None and part is not Ellipsis for part in index)
    for part in index:  # places outside are errors there, and would be the last ones here
        if part is Ellipsis:
            at += x.ndim - taken
            continue
        if isinstance(part, int) and not -x.shape[at] <= part < x.shape[at]:
            raise GraphError(f"place {part} of axis {at} is asked for")
        at += part is not None
    return x[index] if is_known(x) and is_known(begin) else jnp.asarray(x)[index]


@op("TensorStridedSliceUpdate")
def _strided_slice_update(
    node: Node, x: Any, begin: Any, end: Any, strides: Any, value: Any
) -> Any:
    return jnp.asarray(x).at[_index(node, begin, end, strides)].set(value)


# --- places outside -------------------------------------------------------------------------------


@stops("Gather", "GatherV2", "ResourceGather")
def _stops_gather(node: Node, x: Any, indices: Any, axis: Any = 0) -> Any:
    return None if is_known(indices) else _outside(indices, x.shape[integer(axis)])


@stops("GatherNd", "ResourceGatherNd")
def _stops_gather_nd(node: Node, x: Any, indices: Any) -> Any:
    return None if is_known(indices) else _outside(indices, x.shape[: indices.shape[-1]])


@stops("ScatterNd")
def _stops_scatter(node: Node, indices: Any, updates: Any, sizes: Any) -> Any:
    if is_known(indices):
        return None
    return _outside(indices, shape(sizes, updates.dtype)[: indices.shape[-1]])


@stops(
    "TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub", "TensorScatterMax",
    "TensorScatterMin",
)  # fmt: skip
def _stops_tensor_scatter(node: Node, x: Any, indices: Any, updates: Any) -> Any:
    return None if is_known(indices) else _outside(indices, x.shape[: indices.shape[-1]])


def _outside(indices: Any, sizes: int | tuple[int, ...]) -> Any:
    """Whether there is a place outside."""
    return jnp.any((indices < 0) | (indices >= jnp.asarray(sizes, indices.dtype)))


# --- gathers --------------------------------------------------------------------------------------


@op("Gather", "GatherV2", known=True)
def _gather(node: Node, x: Any, indices: Any, axis: Any = 0) -> Any:
    return gather(x, indices, integer(axis), int(node.get("batch_dims", 0)))


def gather(x: Any, indices: Any, axis: int, batch_dims: int = 0) -> Any:
    """Parts along an axis; what is outside is an error, or NaN where it is told only in the run."""
    axis += x.ndim if axis < 0 else 0
    batch_dims += np.ndim(indices) if batch_dims < 0 else 0
    size = x.shape[axis]
    if is_known(indices):
        if np.size(indices) and (np.min(indices) < 0 or np.max(indices) >= size):
            worst = int(np.min(indices)) if np.min(indices) < 0 else int(np.max(indices))
            raise GraphError(f"place {worst} of {size} is asked for")
    else:
        indices = jnp.where(indices < 0, size, indices)
    if is_known(x) and is_known(indices) and not batch_dims:
        return np.take(x, indices, axis)
    x, indices = jnp.asarray(x), jnp.asarray(indices)
    if not batch_dims:
        return jnp.take(x, indices, axis, mode="fill")
    # x: [batch..., before..., size, after...], indices: [batch..., places...]
    grids = []
    out_rank = axis + (indices.ndim - batch_dims)
    for at in range(batch_dims):
        grids.append(jnp.arange(x.shape[at]).reshape((-1,) + (1,) * (out_rank - at - 1)))
    for at in range(batch_dims, axis):
        grids.append(jnp.arange(x.shape[at]).reshape((-1,) + (1,) * (out_rank - at - 1)))
    places = indices.reshape(
        indices.shape[:batch_dims] + (1,) * (axis - batch_dims) + indices.shape[batch_dims:]
    )
    return x.at[(*grids, places)].get(mode="fill")


@op("GatherNd", known=True)
def _gather_nd(node: Node, x: Any, indices: Any) -> Any:
    return gather_nd(x, indices)


def gather_nd(x: Any, indices: Any) -> Any:
    depth = indices.shape[-1]
    if is_known(indices):
        sizes = np.asarray(x.shape[:depth])
        if np.size(indices) and ((indices < 0) | (indices >= sizes)).any():
            raise GraphError(f"a place outside {tuple(sizes.tolist())} is asked for")
        if is_known(x):
            return x[tuple(np.moveaxis(indices, -1, 0))]
    indices = jnp.asarray(indices)
    places = tuple(
        jnp.where(indices[..., i] < 0, x.shape[i], indices[..., i]) for i in range(depth)
    )
    return (
        jnp.asarray(x).at[places].get(mode="fill")
        if depth
        else jnp.broadcast_to(x, indices.shape[:-1] + x.shape)
    )


# --- scatters -------------------------------------------------------------------------------------


def _places(indices: Any, sizes: tuple[int, ...]) -> tuple[Any, ...]:
    indices = jnp.asarray(indices)
    parts = range(indices.shape[-1])
    return tuple(jnp.where(indices[..., i] < 0, sizes[i], indices[..., i]) for i in parts)


def _inside(indices: Any, sizes: tuple[int, ...]) -> None:
    """Raise for places outside, where they are known."""
    if is_known(indices) and np.size(indices):
        limits = np.asarray(sizes[: indices.shape[-1]])
        if ((indices < 0) | (indices >= limits)).any():
            raise GraphError(f"a place outside {sizes} is asked for")


@op("ScatterNd")
def _scatter_nd(node: Node, indices: Any, updates: Any, sizes: Any) -> Any:
    full = shape(sizes, updates.dtype)
    _inside(indices, full)
    zeros = jnp.zeros(full, updates.dtype)
    return zeros.at[_places(indices, full)].add(updates, mode="drop")


@op(
    "TensorScatterUpdate",
    "TensorScatterAdd",
    "TensorScatterSub",
    "TensorScatterMax",
    "TensorScatterMin",
)
@op("ScatterNdNonAliasingAdd")
def _tensor_scatter(node: Node, x: Any, indices: Any, updates: Any) -> Any:
    _inside(indices, x.shape)
    return scattered(node.op, x, _places(indices, x.shape), updates)


def scattered(name: str, x: Any, places: Any, updates: Any) -> Any:
    """Values put into places; the end of the op's name tells how."""
    at = jnp.asarray(x).at[places]
    updates = jnp.asarray(updates)
    if name.endswith("Add"):
        return at.add(updates, mode="drop")
    if name.endswith("Sub"):
        return at.add(-updates, mode="drop")
    if name.endswith(("Max", "Min")):
        return (at.max if name.endswith("Max") else at.min)(updates, mode="drop")
    return at.set(updates, mode="drop")


@op("InplaceUpdate", "InplaceAdd")
def _in_place(node: Node, x: Any, rows: Any, values: Any) -> Any:
    return scattered(node.op, x, jnp.asarray(rows), values)


@op("DynamicStitch", "ParallelDynamicStitch")
def _stitch(node: Node, *values: Any) -> Any:
    count = len(values) // 2
    indices = [known(index) for index in values[:count]]
    size = max((int(index.max()) + 1 for index in indices if index.size), default=0)
    rest = values[count].shape[indices[0].ndim :]
    module = numbers(*values)
    at = np.concatenate([index.ravel() for index in indices])
    rows = module.concatenate([module.reshape(v, (-1, *rest)) for v in values[count:]])
    last = {int(place): row for row, place in enumerate(at)}  # the last one counts
    found = module.zeros((size, *rest), rows.dtype)
    to, from_ = np.asarray(list(last), np.int64), np.asarray(list(last.values()), np.int64)
    if module is np:
        found[to] = rows[from_]
        return found
    return found.at[to].set(rows[from_])


@op("DynamicPartition", host=True)
def _partition(node: Node, x: Any, parts: Any) -> Any:
    x, parts = np.asarray(x), np.asarray(parts)
    rest = x.shape[parts.ndim :]
    flat, of = x.reshape(-1, *rest), parts.ravel()
    return tuple(flat[of == i] for i in range(node["num_partitions"]))


# --- diagonals ------------------------------------------------------------------------------------


@op("MatrixBandPart", "BatchMatrixBandPart")
def _band_part(node: Node, x: Any, lower: Any, upper: Any) -> Any:
    rows, columns = jnp.arange(x.shape[-2])[:, None], jnp.arange(x.shape[-1])[None]
    keeps = ((lower < 0) | (rows - columns <= lower)) & ((upper < 0) | (columns - rows <= upper))
    return jnp.where(keeps, x, jnp.zeros((), x.dtype))


@op("Diag")
def _diagonal(node: Node, x: Any) -> Any:
    x = jnp.asarray(x)
    return jnp.diag(x.ravel()).reshape(x.shape * 2)


@op("DiagPart")
def _diagonal_part(node: Node, x: Any) -> Any:
    half = x.shape[: x.ndim // 2]
    return jnp.diagonal(jnp.reshape(x, (int(np.prod(half)),) * 2)).reshape(half)


@op("MatrixDiag")
def _matrix_diagonal(node: Node, x: Any) -> Any:
    x = jnp.asarray(x)
    return x[..., None] * jnp.eye(x.shape[-1], dtype=x.dtype)


@op("MatrixDiagPart")
def _matrix_diagonal_part(node: Node, x: Any) -> Any:
    return jnp.diagonal(jnp.asarray(x), axis1=-2, axis2=-1)


def _one_diagonal(k: Any) -> int:
    found = ints(k)
    if len(set(found)) != 1:
        raise GraphError("several diagonals at once")
    return found[0]


@op("MatrixDiagV2", "MatrixDiagV3")
def _matrix_diagonal_k(node: Node, x: Any, k: Any, rows: Any, columns: Any, padding: Any) -> Any:
    x, at = jnp.asarray(x), _one_diagonal(k)
    size = x.shape[-1]
    high, wide = integer(rows), integer(columns)
    if high < 0 and wide < 0:  # the smallest square
        high = wide = size + abs(at)
    high = size + max(-at, 0) if high < 0 else high
    wide = size + max(at, 0) if wide < 0 else wide
    found = jnp.full((*x.shape[:-1], high, wide), padding, x.dtype)
    places = np.arange(size)
    return found.at[..., places + max(-at, 0), places + max(at, 0)].set(x)


@op("MatrixDiagPartV2", "MatrixDiagPartV3")
def _matrix_diagonal_part_k(node: Node, x: Any, k: Any, padding: Any) -> Any:
    return jnp.diagonal(jnp.asarray(x), _one_diagonal(k), axis1=-2, axis2=-1)


@op("MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3")
def _matrix_set_diagonal(node: Node, x: Any, diagonal: Any, k: Any = 0) -> Any:
    at, x = (_one_diagonal(k) if np.size(k) else 0), jnp.asarray(x)
    places = np.arange(diagonal.shape[-1])
    return x.at[..., places + max(-at, 0), places + max(at, 0)].set(diagonal)
