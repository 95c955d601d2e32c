"""Lists of tensors: `TensorList` of TensorFlow 2, `TensorArray` of TensorFlow 1."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.core.wire.tensorflow.dtypes import STRING
from nacre.export.importers.tensorflow.registry import Node, ShapeValue, op
from nacre.export.importers.tensorflow.run import Run
from nacre.export.importers.tensorflow.values import (
    GraphError,
    Handle,
    NotKnownError,
    TensorList,
    dtype,
    integer,
    ints,
    is_known,
    known,
    numbers,
    shape,
)

Shape = tuple[int | None, ...] | None


def _element_shape(value: Any) -> Shape:
    """A shape among inputs: -1 alone is an unknown rank, in a list an unknown size."""
    if not is_known(value):
        return None
    if np.ndim(value) == 0:
        return None
    return tuple(None if n < 0 else n for n in ints(value))


def _merged(first: Shape, second: Shape) -> Shape:
    if first is None or second is None:
        return first if second is None else second
    return tuple(a if b is None else b for a, b in zip(first, second, strict=True))


def _zeros(sizes: tuple[int, ...], number: int) -> Any:
    kind = dtype(number)
    if number == STRING:
        return np.full(shape(np.asarray(sizes, np.int64), kind), b"", object)
    kind = jax.dtypes.canonicalize_dtype(kind)
    shape(np.asarray(sizes, np.int64), kind)
    return jnp.zeros(sizes, kind)


def _stacked(tensors: TensorList, wanted: Shape = None) -> Any:
    """The elements as one array."""
    if tensors.stacked is not None:
        return tensors.stacked
    sizes = _merged(tensors.shape, wanted)
    if sizes is None or any(n is None for n in sizes):
        if len(tensors):
            raise GraphError("elements of a list that no value and no shape was given for")
        sizes = tuple(0 if n is None else n for n in sizes or ())
    return _zeros((len(tensors), *(n or 0 for n in sizes)), tensors.dtype)


def _list(stacked: Any, number: int, sizes: Shape = None) -> TensorList:
    return TensorList(stacked, 0, _merged(sizes, tuple(stacked.shape[1:])), number)


@op("TensorListReserve", "EmptyTensorList")
def _reserve(node: Node, sizes: Any, count: Any) -> Any:
    size = integer(count) if node.op == "TensorListReserve" else 0
    return TensorList(None, size, _element_shape(sizes), int(node["element_dtype"]))


@op("TensorListFromTensor")
def _from_tensor(node: Node, x: Any, sizes: Any) -> Any:
    return _list(x, int(node["element_dtype"]))


@op("TensorListStack")
def _stack(node: Node, tensors: TensorList, sizes: Any) -> Any:
    return _stacked(tensors, _element_shape(sizes))


@op("TensorListLength", known=True)
def _length(node: Node, tensors: TensorList) -> Any:
    return np.asarray(len(tensors), np.int32)


@op("TensorListElementShape", known=True)
def _shape_of(node: Node, tensors: TensorList) -> Any:
    kind = dtype(node["shape_type"])
    if tensors.shape is None:
        return np.asarray(-1, kind)
    return np.asarray([-1 if n is None else n for n in tensors.shape], kind)


@op("TensorListGetItem")
def _get(node: Node, tensors: TensorList, index: Any, sizes: Any) -> Any:
    stacked = _stacked(tensors, _element_shape(sizes))
    if is_known(index):
        at = int(index)
        if not 0 <= at < len(tensors):
            raise GraphError(f"element {at} of a list of {len(tensors)}")
        return stacked[at]
    return lax.dynamic_index_in_dim(jnp.asarray(stacked), index, 0, keepdims=False)


@op("TensorListSetItem")
def _set(node: Node, tensors: TensorList, index: Any, item: Any) -> Any:
    if is_known(index) and not 0 <= int(index) < len(tensors):
        if not node.get("resize_if_index_out_of_bounds", False) or int(index) < 0:
            raise GraphError(f"element {int(index)} of a list of {len(tensors)}")
        tensors = _resized(tensors, int(index) + 1)
    elif not is_known(index) and node.get("resize_if_index_out_of_bounds", False):
        raise NotKnownError("which element of a list that may grow is set")
    stacked = _stacked(tensors, tuple(item.shape))
    if numbers(stacked, item, index) is np:
        stacked = np.array(stacked)
        stacked[int(index)] = item
    else:
        stacked = lax.dynamic_update_index_in_dim(
            jnp.asarray(stacked), jnp.asarray(item, stacked.dtype), index, 0
        )
    return _list(stacked, tensors.dtype, tensors.shape)


def _resized(tensors: TensorList, size: int) -> TensorList:
    if tensors.stacked is None:
        return TensorList(None, size, tensors.shape, tensors.dtype)
    stacked = tensors.stacked[:size]
    if size > len(tensors):
        more = _zeros((size - len(tensors), *stacked.shape[1:]), tensors.dtype)
        stacked = numbers(stacked, more).concatenate([stacked, more])
    return _list(stacked, tensors.dtype, tensors.shape)


@op("TensorListResize")
def _resize(node: Node, tensors: TensorList, size: Any) -> Any:
    return _resized(tensors, integer(size))


@op("TensorListPushBack")
def _push(node: Node, tensors: TensorList, item: Any) -> Any:
    stacked = _stacked(tensors, tuple(item.shape))
    found = numbers(stacked, item).concatenate([stacked, numbers(item).expand_dims(item, 0)])
    return _list(found, tensors.dtype, tensors.shape)


@op("TensorListPopBack")
def _pop(node: Node, tensors: TensorList, sizes: Any) -> Any:
    if not len(tensors):
        raise GraphError("the last element of an empty list")
    stacked = _stacked(tensors, _element_shape(sizes))
    return _list(stacked[:-1], tensors.dtype, tensors.shape), stacked[-1]


@op("TensorListGather")
def _gather(node: Node, tensors: TensorList, indices: Any, sizes: Any) -> Any:
    stacked = _stacked(tensors, _element_shape(sizes))
    return numbers(stacked, indices).take(stacked, indices, axis=0)


@op("TensorListScatterV2", "TensorListScatter")
def _scatter(node: Node, x: Any, indices: Any, sizes: Any, count: Any = -1) -> Any:
    least = int(known(indices).max()) + 1 if np.size(indices) else 0
    size = max(least, integer(count))
    stacked = jnp.zeros((size, *x.shape[1:]), x.dtype).at[jnp.asarray(indices)].set(x)
    return _list(stacked, int(node["element_dtype"]))


@op("TensorListScatterIntoExistingList")
def _scatter_into(node: Node, tensors: TensorList, x: Any, indices: Any) -> Any:
    stacked = jnp.asarray(_stacked(tensors, tuple(x.shape[1:])))
    return _list(stacked.at[jnp.asarray(indices)].set(x), tensors.dtype, tensors.shape)


@op("TensorListConcat", "TensorListConcatV2")
def _concat(node: Node, tensors: TensorList, sizes: Any = None, leading: Any = None) -> Any:
    stacked = _stacked(tensors)
    lengths = np.full(stacked.shape[0], stacked.shape[1], np.int64)
    return stacked.reshape(-1, *stacked.shape[2:]), lengths


@op("TensorListSplit")
def _split(node: Node, x: Any, sizes: Any, lengths: Any) -> Any:
    each = set(ints(lengths))
    if len(each) != 1:
        raise GraphError("a list of parts of several lengths")
    return _list(x.reshape(-1, each.pop(), *x.shape[1:]), int(node["element_dtype"]))


# --- TensorArray: the handle names it, what flows holds its elements ------------------------------


@op("TensorArrayV3", shared=True)
def _array(run: Run, node: Node, size: Any) -> Any:
    given = node.get("element_shape")
    sizes = given.sizes if isinstance(given, ShapeValue) else None
    number = int(node["dtype"])
    flow = TensorList(None, integer(size), sizes, number)
    return Handle("array", node.name, number), flow


@op("TensorArrayWriteV3")
def _array_write(node: Node, handle: Handle, index: Any, value: Any, flow: TensorList) -> Any:
    if is_known(index) and int(index) >= len(flow):
        flow = _resized(flow, int(index) + 1)
    return _set(Node("TensorListSetItem", node.name), flow, index, value)


@op("TensorArrayReadV3")
def _array_read(node: Node, handle: Handle, index: Any, flow: TensorList) -> Any:
    return _get(node, flow, index, np.asarray(-1))


@op("TensorArrayGatherV3")
def _array_gather(node: Node, handle: Handle, indices: Any, flow: TensorList) -> Any:
    return _gather(node, flow, indices, np.asarray(-1))


@op("TensorArrayScatterV3")
def _array_scatter(node: Node, handle: Handle, indices: Any, x: Any, flow: TensorList) -> Any:
    return _scatter_into(node, flow, x, indices)


@op("TensorArraySizeV3", known=True)
def _array_size(node: Node, handle: Handle, flow: TensorList) -> Any:
    return np.asarray(len(flow), np.int32)


@op("TensorArrayConcatV3")
def _array_concat(node: Node, handle: Handle, flow: TensorList) -> Any:
    return _concat(node, flow)


@op("TensorArraySplitV3")
def _array_split(node: Node, handle: Handle, x: Any, lengths: Any, flow: TensorList) -> Any:
    return _split(
        Node("TensorListSplit", node.name, {"element_dtype": flow.dtype}), x, None, lengths
    )


@op("TensorArrayCloseV3", known=True)
def _array_close(node: Node, handle: Handle) -> Any:
    return ()
