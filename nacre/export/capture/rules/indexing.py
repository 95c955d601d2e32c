"""Elements picked and put by index.

JAX's `gather` takes windows of an array at several places. Most uses are one of three: elements
along one axis, one block at one place, single elements; what is none of them is written out as
single elements, one index for each axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.export.capture.jaxpr import Equation, sizes_of, type_of
from nacre.export.capture.lower import Call, Lowering, NoForm, composite, primitive
from nacre.export.capture.rules.shaping import block, reshaped, sliced, transposed
from nacre.export.graph.ir import Value
from nacre.export.graph.ops.indexing import default_filler
from nacre.export.graph.rules import same_shape
from nacre.export.graph.sizes import same_size


def _mode(equation: Equation) -> str:
    """'fill', 'clip', or 'promise' where indices are known to be inside."""
    name = str(getattr(equation.params["mode"], "name", equation.params["mode"])).lower()
    return "fill" if "fill" in name or "drop" in name else "clip" if "clip" in name else "promise"


@primitive("gather")
def _gather(low: Lowering, equation: Equation, x: Value, indices: Value) -> Value:
    numbers, sizes = equation.params["dimension_numbers"], sizes_of(equation.params["slice_sizes"])
    mode = _mode(equation)
    filler = equation.params.get("fill_value")
    is_usual = filler is None or filler != filler or filler == default_filler(np.dtype(x.dtype))
    if mode == "fill" and not is_usual:
        raise NoForm(f"the fill value {filler}")
    result = type_of(equation.outputs[0])
    batched = tuple(numbers.operand_batching_dims)
    mapped = tuple(numbers.start_index_map)
    outside = "fill" if mode == "fill" else "clip"
    if not batched:
        if len(indices.shape) == 1 and mode != "fill":
            found = _one_block(low, x, indices, mapped, sizes)
            return reshaped(low, found, result.shape)
        if len(mapped) == 1 and numbers.collapsed_slice_dims == mapped:
            (axis,) = mapped
            whole = all(
                i == axis or same_size(n, m) for i, (n, m) in enumerate(zip(sizes, x.shape))
            )
            if whole:
                return _along_axis(low, x, indices, axis, numbers.offset_dims, outside)
    places, offset = _coordinates(low, x, indices, numbers, sizes, mode)
    picked = low.add("gather_nd", x, places, outside=outside)
    return _in_order(low, picked, len(indices.shape) - 1, numbers.offset_dims, offset)


def _one_block(low: Lowering, x: Value, indices: Value, mapped: Any, sizes: Any) -> Value:
    """The one window, at one index for each of the mapped axes."""
    zero = low.constant(0, "int32")
    starts = [zero] * len(x.shape)
    for place, axis in enumerate(mapped):
        one = sliced(low, indices, (place,), (place + 1,))
        starts[axis] = reshaped(low, one, ())
    return block(low, x, starts, sizes)


def _along_axis(
    low: Lowering, x: Value, indices: Value, axis: int, offset_dims: Any, outside: str
) -> Value:
    """Elements along one axis; the axes of indices go where the result wants them."""
    indices = reshaped(low, indices, indices.shape[:-1])
    steps = _steps(low, indices, x.shape[axis], outside)
    if steps is not None:
        first, count, stride = steps
        starts, stops = [0] * len(x.shape), list(x.shape)
        starts[axis], stops[axis] = first, first + (count - 1) * stride + 1
        strides = [stride if i == axis else 1 for i in range(len(x.shape))]
        picked = sliced(low, x, starts, stops, strides)
    else:
        picked = low.add("gather", x, indices, axis=axis, outside=outside)
    batch = len(indices.shape)
    ndim = batch + len(x.shape) - 1
    # The picked array has axes (before, *batch, behind), the result its own order.
    offset = [i for i in range(ndim) if not axis <= i < axis + batch]
    order = [0] * ndim
    others = [i for i in range(ndim) if i not in offset_dims]
    for place, source in zip(offset_dims, offset):
        order[place] = source
    for place, source in zip(others, range(axis, axis + batch)):
        order[place] = source
    return transposed(low, picked, tuple(order))


def _steps(low: Lowering, indices: Value, size: Any, outside: str) -> Any:
    """First, count and stride of known indices that rise evenly within the axis; else None."""
    known = low.known(indices)
    if known is None or known.ndim != 1 or len(known) < 1 or not isinstance(size, int):
        return None
    first, count = int(known[0]), len(known)
    stride = int(known[1]) - first if count > 1 else 1
    if stride < 1 or first < 0 or first + (count - 1) * stride >= size:
        return None
    return (first, count, stride) if (known == first + stride * _range(count)).all() else None


def _range(count: int) -> Any:
    return np.arange(count)


def _coordinates(
    low: Lowering, x: Value, indices: Value, numbers: Any, sizes: Any, mode: str
) -> tuple[Value, list[int]]:
    """One index for each axis of x, for each window and place in it: (*batch, *window, axes). The
    axes of x that the window keeps are told too."""
    batch = len(indices.shape) - 1
    mapped = tuple(
        getattr(numbers, "start_index_map", getattr(numbers, "scatter_dims_to_operand_dims", ()))
    )
    gone = (
        *getattr(numbers, "collapsed_slice_dims", getattr(numbers, "inserted_window_dims", ())),
        *numbers.operand_batching_dims,
    )
    kept = [axis for axis in range(len(x.shape)) if axis not in gone]
    index_batches = getattr(
        numbers,
        "start_indices_batching_dims",
        getattr(numbers, "scatter_indices_batching_dims", ()),
    )
    shape = (*indices.shape[:-1], *(sizes[axis] for axis in kept))
    columns: list[Value] = []
    for axis in range(len(x.shape)):
        total = None
        if axis in mapped:
            place = mapped.index(axis)
            starts = [0] * batch + [place]
            one = sliced(low, indices, starts, (*indices.shape[:-1], place + 1))
            total = reshaped(low, one, (*indices.shape[:-1], *[1] * len(kept)))
            if mode == "clip" and axis in kept:
                most = low.add("size", size=x.shape[axis] - sizes[axis], dtype=indices.dtype)
                total = low.add("clamp", total, low.number(0, total), most)
        elif axis in numbers.operand_batching_dims:
            of_index = index_batches[tuple(numbers.operand_batching_dims).index(axis)]
            total = _counted(low, shape, of_index, indices.dtype)
        if axis in kept and not (isinstance(sizes[axis], int) and sizes[axis] == 1):
            inside = _counted(low, shape, batch + kept.index(axis), indices.dtype)
            total = inside if total is None else low.add("add", total, inside)
        if total is None:
            total = low.number(0, indices)
        spread = (
            total if same_shape(total.shape, shape) else low.add("broadcast_to", total, shape=shape)
        )
        columns.append(reshaped(low, spread, (*shape, 1)))
    places = columns[0] if len(columns) == 1 else low.add("concat", *columns, axis=len(shape))
    return places, kept


def _counted(low: Lowering, shape: Any, axis: int, dtype: str) -> Value:
    """0, 1, 2 ... along one axis of a shape, of size 1 along the others."""
    sizes = tuple(n if i == axis else 1 for i, n in enumerate(shape))
    return low.add("iota", shape=sizes, axis=axis, dtype=dtype)


def _in_order(low: Lowering, x: Value, batch: int, offset_dims: Any, kept: list[int]) -> Value:
    """Of axes (*batch, *window) the order that the result has."""
    order = [0] * len(x.shape)
    others = [i for i in range(len(x.shape)) if i not in offset_dims]
    for place, source in zip(others, range(batch)):
        order[place] = source
    for place, source in zip(offset_dims, range(batch, batch + len(kept))):
        order[place] = source
    return transposed(low, x, tuple(order))


_COMBINE = {
    "scatter": "set", "scatter-add": "add", "scatter_add": "add", "scatter-mul": "mul",
    "scatter_mul": "mul", "scatter-max": "max", "scatter_max": "max", "scatter-min": "min",
    "scatter_min": "min", "scatter-sub": "add",
}  # fmt: skip


@primitive(*_COMBINE)
def _scatter(low: Lowering, equation: Equation, x: Value, indices: Value, updates: Value) -> Value:
    numbers, mode = equation.params["dimension_numbers"], _mode(equation)
    combine = _COMBINE[equation.primitive]
    if x.dtype == "bool" and combine != "set":
        raise NoForm(f"booleans joined by {combine}")
    if equation.primitive == "scatter-sub":
        updates = low.add("neg", updates)
    windows = tuple(numbers.update_window_dims)
    gone = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
    kept = [axis for axis in range(len(x.shape)) if axis not in gone]
    sizes: list[Any] = [1] * len(x.shape)
    for axis, place in zip(kept, windows):
        sizes[axis] = updates.shape[place]
    batch = [i for i in range(len(updates.shape)) if i not in windows]
    updates = transposed(low, updates, (*batch, *windows))
    outside = "clip" if mode == "clip" else "drop"
    whole = all(same_size(sizes[axis], x.shape[axis]) for axis in kept)
    mapped = tuple(numbers.scatter_dims_to_operand_dims)
    if whole and not numbers.operand_batching_dims and mapped == tuple(range(len(mapped))):
        if set(mapped) == set(numbers.inserted_window_dims):
            return low.add("scatter_nd", x, indices, updates, combine=combine, outside=outside)
    places, _ = _coordinates(low, x, indices, numbers, sizes, mode)
    return low.add("scatter_nd", x, places, updates, combine=combine, outside=outside)


# ------------------------------------------------------------------ composite ops


@composite("embed")
def _embed(low: Lowering, call: Call) -> Value | None:
    table, indices = call.inputs["table"], call.inputs["indices"]
    if not table.dtype.startswith(("float", "bfloat")):
        return None
    if "int" not in indices.dtype:
        indices = low.add("cast", indices, dtype="int32")
    return low.add("gather", table, indices, axis=0, outside="fill")


@composite("segment_sum", "segment_prod", "segment_max", "segment_min")
def _segments(low: Lowering, call: Call) -> Value | None:
    data, ids = call.inputs["data"], call.inputs["segment_ids"]
    if data.dtype == "bool":
        return None
    return low.add(call.op, data, ids, num_segments=int(call["num_segments"]))
