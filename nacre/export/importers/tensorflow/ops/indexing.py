"""Parts of arrays by their places: slices, gathers, scatters."""

from __future__ import annotations

from collections.abc import Iterator
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
        sizes = ints(size)
        if -1 in sizes:
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
    index = _inside_index(x, _index(node, begin, end, strides))
    return x[index] if is_known(x) and is_known(begin) else jnp.asarray(x)[index]


def _parts_of_axes(x: Any, index: tuple[Any, ...]) -> Iterator[tuple[int, Any]]:
    """Which axis each part of an index is of; new axes are of none."""
    at = 0
    taken = sum(part is not None and part is not Ellipsis for part in index)
    for part in index:
        if part is Ellipsis:
            at += x.ndim - taken
        elif part is not None:
            yield at, part
            at += 1


def _inside_index(x: Any, index: tuple[Any, ...]) -> tuple[Any, ...]:
    """The index, whose places outside are errors there, and would be the last ones here."""
    for at, part in _parts_of_axes(x, index):
        if isinstance(part, int) and not -x.shape[at] <= part < x.shape[at]:
            raise GraphError(f"place {part} of axis {at} is asked for")
    return index


@op("TensorStridedSliceUpdate")
def _strided_slice_update(
    node: Node, x: Any, begin: Any, end: Any, strides: Any, value: Any
) -> Any:
    return jnp.asarray(x).at[_inside_index(x, _index(node, begin, end, strides))].set(value)


# --- places outside -------------------------------------------------------------------------------


@stops("Slice")
def _stops_slice(node: Node, x: Any, begin: Any, size: Any) -> Any:
    if is_known(begin) or -1 in ints(size):
        return None
    room = jnp.asarray(np.subtract(x.shape, ints(size)), begin.dtype)
    return jnp.any((begin < 0) | (begin > room))


@stops("StridedSlice", "TensorStridedSliceUpdate")
def _stops_strided_slice(node: Node, x: Any, begin: Any, end: Any, strides: Any, *more: Any) -> Any:
    """Of single places; ranges end at the array's ends, as in Python."""
    found: list[Any] = []
    for at, part in _parts_of_axes(x, _index(node, begin, end, strides)):
        if not isinstance(part, slice) and not isinstance(part, int):
            found.append((part < -x.shape[at]) | (part >= x.shape[at]))
    return jnp.any(jnp.stack(found)) if found else None


@stops("Gather", "GatherV2", "ResourceGather", gives_nan=True)
def _stops_gather(node: Node, x: Any, indices: Any, axis: Any = 0) -> Any:
    return None if is_known(indices) else _outside(indices, x.shape[integer(axis)])


@stops("GatherNd", "ResourceGatherNd", gives_nan=True)
def _stops_gather_nd(node: Node, x: Any, indices: Any) -> Any:
    return None if is_known(indices) else _outside(indices, x.shape[: indices.shape[-1]])


@stops("ScatterNd")
def _stops_scatter(node: Node, indices: Any, updates: Any, sizes: Any) -> Any:
    if is_known(indices):
        return None
    return _outside(indices, shape(sizes, updates.dtype)[: indices.shape[-1]])


@stops(
    "TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub", "TensorScatterMax",
    "TensorScatterMin", "ScatterNdNonAliasingAdd",
)  # fmt: skip
def _stops_tensor_scatter(node: Node, x: Any, indices: Any, updates: Any) -> Any:
    return None if is_known(indices) else _outside(indices, x.shape[: indices.shape[-1]])


def _outside(indices: Any, sizes: int | tuple[int, ...]) -> Any:
    """Whether there is a place outside."""
    module = numbers(indices)
    return module.any((indices < 0) | (indices >= np.asarray(sizes, indices.dtype)))


@stops("DynamicPartition")
def _stops_partition(node: Node, x: Any, parts: Any) -> Any:
    return _outside(parts, int(node["num_partitions"]))


@stops("SparseToDense")
def _stops_to_dense(node: Node, indices: Any, sizes: Any, values: Any, default: Any) -> Any:
    places = numbers(indices).reshape(indices, (-1, 1)) if indices.ndim < 2 else indices
    return _outside(places, ints(sizes))


@stops("SparseTensorDenseMatMul")
def _stops_sparse_matmul(node: Node, indices: Any, values: Any, sizes: Any, dense: Any) -> Any:
    return _outside(indices, ints(sizes))


@stops("CropAndResize")
def _stops_crop(node: Node, x: Any, boxes: Any, which: Any, size: Any) -> Any:
    return _outside(which, x.shape[0])


@stops("SparseSoftmaxCrossEntropyWithLogits", gives_nan=True)
def _stops_cross_entropy(node: Node, logits: Any, labels: Any) -> Any:
    return _outside(labels, logits.shape[-1])


@stops(
    "UnsortedSegmentSum", "UnsortedSegmentProd", "UnsortedSegmentMax", "UnsortedSegmentMin",
)  # fmt: skip
def _stops_segments(node: Node, x: Any, ids: Any, count: Any) -> Any:
    """Below 0 they are left out."""
    return numbers(ids).any(ids >= integer(count))


@stops(
    "SparseSegmentSumWithNumSegments", "SparseSegmentMeanWithNumSegments",
    "SparseSegmentSqrtNWithNumSegments", "SparseSegmentSum", "SparseSegmentMean",
    "SparseSegmentSqrtN",
)  # fmt: skip
def _stops_sparse_segments(node: Node, data: Any, indices: Any, ids: Any, count: Any = None) -> Any:
    wrong = _outside(indices, data.shape[0])
    return wrong if count is None else wrong | _outside(ids, integer(count))


@stops("Bincount", "DenseBincount", at="a number below 0 is counted")
def _stops_counts(node: Node, x: Any, size: Any, weights: Any) -> Any:
    return numbers(x).any(x < 0)


@stops("ReverseSequence")
def _stops_reversal(node: Node, x: Any, lengths: Any) -> Any:
    return numbers(lengths).any((lengths < 0) | (lengths > x.shape[node["seq_dim"]]))


@stops("TensorListGetItem")
def _stops_list(node: Node, tensors: Any, index: Any, *more: Any) -> Any:
    return None if is_known(index) else _outside(index, len(tensors))


@stops("TensorListSetItem")
def _stops_list_set(node: Node, tensors: Any, index: Any, item: Any) -> Any:
    return None if is_known(index) else _outside(index, len(tensors))


@stops("TensorListGather")
def _stops_list_gather(node: Node, tensors: Any, indices: Any, sizes: Any) -> Any:
    return _outside(indices, len(tensors))


@stops("TensorListScatterIntoExistingList")
def _stops_list_scatter(node: Node, tensors: Any, x: Any, indices: Any) -> Any:
    return _outside(indices, len(tensors))


@stops("TensorArrayReadV3", "TensorArrayGatherV3")
def _stops_array(node: Node, handle: Any, indices: Any, flow: Any) -> Any:
    return _outside(indices, len(flow))


@stops("TensorArrayWriteV3")
def _stops_array_write(node: Node, handle: Any, index: Any, value: Any, flow: Any) -> Any:
    return None if is_known(index) else _outside(index, len(flow))


@stops("TensorArrayScatterV3")
def _stops_array_scatter(node: Node, handle: Any, indices: Any, x: Any, flow: Any) -> Any:
    return _outside(indices, len(flow))


@stops(
    "ResourceScatterUpdate", "ResourceScatterAdd", "ResourceScatterSub", "ResourceScatterMax",
    "ResourceScatterMin", "ScatterUpdate", "ScatterAdd",
)  # fmt: skip
def _stops_resource_scatter(node: Node, x: Any, rows: Any, values: Any) -> Any:
    return _outside(rows, x.shape[0])


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
    if updates.dtype.kind == "O":
        return _put(np.full(full, b"", object), _places(indices, full), updates)
    at = jnp.zeros(full, updates.dtype).at[_places(indices, full)]
    put = at.max if updates.dtype.kind == "b" else at.add  # a sum of truths is whether one is true
    return put(updates, mode="drop")


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


def _put(texts: Any, places: Any, updates: Any) -> Any:
    """Strings put into places, on the host."""
    texts[tuple(np.asarray(place) for place in places)] = np.asarray(updates)
    return texts


def scattered(name: str, x: Any, places: Any, updates: Any) -> Any:
    """Values put into places; the end of the op's name tells how."""
    if x.dtype.kind == "O" and name.endswith("Update"):
        return _put(np.array(x), places, updates)
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
