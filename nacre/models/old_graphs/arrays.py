"""Functions of TensorFlow that make, move and choose elements, as graphs of tf.keras 2 name
them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre import ops
from nacre.core.symbolic import KerasTensor
from nacre.models.old_graphs.table import (
    FUNCTIONS,
    Value,
    device_dtype_name,
    function,
    is_tensor,
    pair,
    refuse,
    tensor,
)

for _name in ("identity", "ensure_shape", "debugging.check_numerics", "keras.backend.identity"):
    FUNCTIONS[_name] = lambda x, **others: ops.copy(x)
FUNCTIONS["stop_gradient"] = lambda input: ops.stop_gradient(tensor(input))


@function("cast", "dtypes.cast")
def cast(x: Value, dtype: Any) -> Any:
    return ops.cast(tensor(x), device_dtype_name(dtype))


@function("dtypes.saturate_cast", "saturate_cast")
def saturate_cast(value: Value, dtype: Any) -> Any:
    return ops.saturate_cast(tensor(value), device_dtype_name(dtype))


# -------------------------------------------------------------------- made from shapes


def _shape(shape: Any) -> tuple[int, ...]:
    if isinstance(shape, KerasTensor):
        raise refuse("reshape", "a shape must follow from the shapes of tensors", "a tensor")
    return tuple(shape) if isinstance(shape, list | tuple) else tuple(np.atleast_1d(shape).tolist())


@function("zeros")
def zeros(shape: Any, dtype: Any = "float32") -> Any:
    return ops.zeros(_shape(shape), dtype=device_dtype_name(dtype))


@function("ones")
def ones(shape: Any, dtype: Any = "float32") -> Any:
    return ops.ones(_shape(shape), dtype=device_dtype_name(dtype))


@function("fill")
def fill(dims: Any, value: Value) -> Any:
    return ops.full(_shape(dims), value, dtype=device_dtype_name(tensor(value).dtype))


@function("zeros_like", "compat.v1.zeros_like")
def zeros_like(input: Value, dtype: Any = None, **others: Any) -> Any:
    return ops.zeros_like(tensor(input), dtype=None if dtype is None else device_dtype_name(dtype))


@function("ones_like", "compat.v1.ones_like")
def ones_like(input: Value, dtype: Any = None, **others: Any) -> Any:
    return ops.ones_like(tensor(input), dtype=None if dtype is None else device_dtype_name(dtype))


@function("range")
def range_(start: Value, limit: Value = None, delta: Value = 1, dtype: Any = None) -> Any:
    start, limit = (0, start) if limit is None else (start, limit)
    whole = all(not isinstance(v, float) for v in (start, limit, delta))
    result = device_dtype_name(dtype) if dtype is not None else "int32" if whole else "float32"
    return ops.arange(start, limit, delta, dtype=result)


@function("linspace", "compat.v1.linspace")
def linspace(start: Value, stop: Value, num: int, axis: int = 0) -> Any:
    return ops.linspace(start, stop, num, axis=axis)


@function("sequence_mask")
def sequence_mask(lengths: Value, maxlen: Any = None, dtype: Any = "bool") -> Any:
    if maxlen is None:
        raise refuse("sequence_mask", "maxlen must be given", None)
    steps = ops.arange(0, maxlen, 1, dtype=str(lengths.dtype))
    return ops.cast(ops.less(steps, ops.expand_dims(lengths, -1)), device_dtype_name(dtype))


# -------------------------------------------------------------------- shapes


@function("reshape", "compat.v1.reshape")
def reshape(x: Value, shape: Any) -> Any:
    return ops.reshape(tensor(x), _shape(shape))


@function("keras.backend.batch_flatten", "compat.v1.keras.backend.batch_flatten")
def batch_flatten(x: Value) -> Any:
    return ops.reshape(x, (x.shape[0] or -1, int(np.prod(x.shape[1:]))))


@function("broadcast_to")
def broadcast_to(input: Value, shape: Any) -> Any:
    return ops.broadcast_to(tensor(input), _shape(shape))


@function("expand_dims", "compat.v1.expand_dims")
def expand_dims(input: Value, axis: Any = None, dim: Any = None) -> Any:
    axis = dim if axis is None else axis
    return ops.expand_dims(tensor(input), int(np.asarray(axis).reshape(())))


@function("compat.v1.squeeze", "squeeze")
def squeeze(input: Value, axis: Any = None, squeeze_dims: Any = None) -> Any:
    axis = squeeze_dims if axis is None else axis
    axes = tuple(axis) if isinstance(axis, list | tuple) else axis
    return ops.squeeze(input, axis=None if axes == () else axes)


@function("compat.v1.transpose", "transpose")
def transpose(a: Value, perm: Any = None, conjugate: bool = False) -> Any:
    return ops.transpose(tensor(a), axes=None if perm is None else tuple(perm))


@function("tile", "keras.backend.tile")
def tile(input: Value, multiples: Any) -> Any:
    return ops.tile(tensor(input), _shape(multiples))


@function("repeat")
def repeat(input: Value, repeats: Any, axis: int | None = None) -> Any:
    return ops.repeat(tensor(input), repeats, axis=axis)


@function("roll")
def roll(input: Value, shift: Any, axis: Any) -> Any:
    several = isinstance(axis, list | tuple)
    return ops.roll(
        input, tuple(shift) if several else shift, axis=tuple(axis) if several else axis
    )


@function("reverse")
def reverse(tensor: Value, axis: Any) -> Any:
    return ops.flip(tensor, axis=tuple(axis) if isinstance(axis, list | tuple) else axis)


@function("compat.v1.pad", "pad")
def pad(
    tensor: Value, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, **others: Any
) -> Any:
    widths = [tuple(int(n) for n in pair) for pair in np.asarray(paddings)]
    if mode.upper() == "CONSTANT":
        return ops.pad(tensor, widths, mode="constant", constant_values=constant_values)
    return ops.pad(tensor, widths, mode=mode.lower())


# -------------------------------------------------------------------- joined and parted


def _like_each_other(values: Any) -> list[Any]:
    like = next((v for v in values if is_tensor(v)), None)
    return [tensor(v, like=like) for v in values]


@function("concat")
def concat(values: Any, axis: Any) -> Any:
    if is_tensor(values):
        return ops.copy(values)
    parts = [v for v in _like_each_other(values) if v.shape != (0,)]
    return ops.concatenate(parts, axis=int(np.asarray(axis)))


@function("stack")
def stack(values: Any, axis: int = 0) -> Any:
    return ops.stack(_like_each_other(values), axis=axis)


@function("unstack")
def unstack(value: Value, num: Any = None, axis: int = 0) -> Any:
    return list(ops.unstack(value, num=num, axis=axis))


@function("split")
def split(value: Value, num_or_size_splits: Any, axis: Any = 0, num: Any = None) -> Any:
    axis = int(np.asarray(axis))
    if isinstance(num_or_size_splits, list | tuple):
        sizes = [int(n) for n in num_or_size_splits]
        if -1 in sizes:
            rest = int(value.shape[axis]) - (sum(sizes) + 1)
            sizes[sizes.index(-1)] = rest
        return list(ops.split(value, np.cumsum(sizes)[:-1].tolist(), axis=axis))
    return list(ops.split(value, int(num_or_size_splits), axis=axis))


# -------------------------------------------------------------------- chosen


@function("__operators__.getitem", "strided_slice")
def get_item(tensor: Value, slice_spec: Any) -> Any:
    key = tuple(slice_spec) if isinstance(slice_spec, list | tuple) else slice_spec
    return ops.get_item(tensor, key)


@function("slice")
def slice_(input_: Value, begin: Any, size: Any) -> Any:
    key = tuple(
        slice(int(b), None if s == -1 else int(b) + s)
        for b, s in zip(np.asarray(begin).tolist(), list(size), strict=True)
    )
    return ops.get_item(input_, key)


@function("where", "compat.v1.where_v2")
def where(condition: Value, x: Value = None, y: Value = None) -> Any:
    if x is None or y is None:
        raise refuse("where", "both x and y must be given", "a condition alone")
    return ops.where(tensor(condition), *pair(x, y))


@function("compat.v1.gather", "gather")
def gather(
    params: Value,
    indices: Value,
    axis: Any = None,
    batch_dims: int = 0,
    validate_indices: Any = None,
) -> Any:
    params, indices = tensor(params), tensor(indices)
    axis = batch_dims if axis is None else int(axis)
    if not batch_dims:
        return ops.take(params, indices, axis=axis)
    if batch_dims != len(indices.shape) - 1 or axis % len(params.shape) != batch_dims:
        raise refuse("gather", "batch_dims must be all axes of indices but the last", batch_dims)
    behind = len(params.shape) - axis - 1
    return ops.take_along_axis(
        params, ops.expand_dims(indices, [-1 - i for i in range(behind)]) if behind else indices,
        axis=axis,
    )  # fmt: skip


@function("compat.v1.gather_nd", "gather_nd")
def gather_nd(params: Value, indices: Value, batch_dims: int = 0, **others: Any) -> Any:
    indices = tensor(indices)
    if batch_dims == 1 and len(indices.shape) == 2 and indices.shape[-1] == 1:
        chosen = gather(params, indices, axis=1, batch_dims=1)
        return ops.squeeze(chosen, axis=1)
    if batch_dims:
        raise refuse("gather_nd", "batch_dims must be 0, or 1 for one index a sample", batch_dims)
    depth = int(indices.shape[-1])
    return ops.get_item(params, tuple(ops.get_item(indices, (..., i)) for i in range(depth)))


@function("one_hot")
def one_hot(
    indices: Value,
    depth: int,
    on_value: Any = None,
    off_value: Any = None,
    axis: int | None = None,
    dtype: Any = None,
) -> Any:
    result_kind = "float32" if dtype is None else device_dtype_name(dtype)
    result = ops.one_hot(
        tensor(indices), int(depth), axis=-1 if axis is None else axis, dtype=result_kind
    )
    if on_value is None and off_value is None:
        return result
    on, off = 1 if on_value is None else on_value, 0 if off_value is None else off_value
    return ops.add(ops.multiply(result, on - off), off)


@function("clip_by_value")
def clip_by_value(t: Value, clip_value_min: Value, clip_value_max: Value) -> Any:
    return ops.clip(t, tensor(clip_value_min, like=t), tensor(clip_value_max, like=t))


@function("clip_by_norm")
def clip_by_norm(t: Value, clip_norm: Value, axes: Any = None) -> Any:
    squares = ops.sum(ops.square(t), axis=None if axes is None else tuple(axes), keepdims=True)
    size = ops.sqrt(ops.where(ops.greater(squares, 0), squares, ops.ones_like(squares)))
    size = ops.where(ops.greater(squares, 0), size, squares)
    return ops.divide(ops.multiply(t, clip_norm), ops.maximum(size, clip_norm))
