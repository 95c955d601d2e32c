"""Elements picked and put by index. Kernels end the run at an index outside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.graph.sizes import Size, product_of
from nacre.export.targets.litert.body import Body, Tensor
from nacre.export.targets.litert.rules._rule import dtype_of, only, rule, widened
from nacre.export.targets.litert.rules.elementwise import binary
from nacre.export.targets.litert.rules.shaping import numbers_to

_MOVED = frozenset({"int8", "uint8", "int16"})


def _clips(node: Node) -> str | None:
    return None if node.attributes["outside"] == "clip" else "Take indices inside."


def _whole(make: Body, indices: Tensor) -> Tensor:
    """Indices as int32, as which places of axes fit; int64 beyond are the largest or smallest."""
    if indices.dtype in ("int64", "uint32"):
        wide = make.cast(indices, "int64")
        limits = np.iinfo("int32")
        wide = binary(make, "MINIMUM", wide, make.constant(limits.max, "int64"))
        wide = binary(make, "MAXIMUM", wide, make.constant(limits.min, "int64"))
        return make.cast(wide, "int32")
    return make.cast(indices, "int32")


def _limited(make: Body, indices: Tensor, most: Tensor) -> Tensor:
    """Indices moved inside."""
    if indices.data is not None and most.data is not None:
        return make.constant(np.clip(indices.data, 0, most.data).astype("int32"))
    indices = binary(make, "MAXIMUM", indices, make.constant(0, "int32"))
    return binary(make, "MINIMUM", indices, most)


@rule("gather", limit=_clips)
def _gather(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    x, indices = inputs
    axis = node.attributes["axis"] % x.ndim
    places = _limited(make, _whole(make, indices), make.size(x.shape[axis] - 1))
    shape = node.outputs[0].shape

    def work(xs: list[Tensor]) -> Tensor:
        inner = [xs[0], places]
        return make.add("GATHER", inner, xs[0].dtype, shape, axis=axis, batch_dims=0)

    return widened(make, [x], work, _MOVED)


def _clips_something(node: Node) -> str | None:
    indices = node.inputs[1]
    assert indices is not None
    return _clips(node) if indices.shape[-1] != 0 else "Name at least one axis."


@rule("gather_nd", limit=_clips_something)
def _gather_nd(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    x, indices = inputs
    count = int(indices.shape[-1])  # type: ignore[arg-type]
    most = make.sizes([n - 1 for n in x.shape[:count]])
    places = _limited(make, _whole(make, indices), most)
    shape = node.outputs[0].shape
    return widened(
        make, [x], lambda xs: make.add("GATHER_ND", [xs[0], places], xs[0].dtype, shape), _MOVED
    )


# --- segments -------------------------------------------------------------------------------------

_SEGMENTS = {
    "segment_sum": "UNSORTED_SEGMENT_SUM", "segment_prod": "UNSORTED_SEGMENT_PROD",
    "segment_max": "UNSORTED_SEGMENT_MAX", "segment_min": "UNSORTED_SEGMENT_MIN",
}  # fmt: skip
_NUMBERS = ("float32", "int32", "int8", "uint8", "int16", "uint16")


@rule(*_SEGMENTS, limit=only(*_NUMBERS))
def _segment(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    data, ids = inputs
    count = node.attributes["num_segments"]
    inside = _left_out(make, _whole(make, ids), count)
    found = widened(make, [data], lambda xs: _joined(make, node.op, xs[0], inside, count))
    if node.op in ("segment_max", "segment_min") and data.dtype in _MOVED | {"uint16"}:
        limits = np.iinfo(data.dtype)
        nothing = limits.min if node.op == "segment_max" else limits.max
        return _or(make, found, inside, count, make.constant(nothing, data.dtype))
    return found


def _joined(make: Body, op: str, data: Tensor, ids: Tensor, count: Size) -> Tensor:
    """The parts of each id joined, in a dtype that has kernels."""
    shape = (count, *data.shape[ids.ndim :])
    found = make.add(_SEGMENTS[op], [data, ids, make.size(count)], data.dtype, shape)
    if op in ("segment_sum", "segment_prod") or data.dtype != "float32":
        return found
    # The kernel begins with the largest finite number, not with infinity.
    infinity = make.constant(-np.inf if op == "segment_max" else np.inf, "float32")
    return _or(make, found, ids, count, infinity)


def _or(make: Body, found: Tensor, ids: Tensor, count: Size, nothing: Tensor) -> Tensor:
    """Segments, with another number for those that have no part."""
    ones = make.full(ids.shape, 1, "int32")
    counts = _joined(make, "segment_sum", ones, ids, count)
    is_empty = binary(make, "EQUAL", counts, make.constant(0, "int32"), "bool")
    is_empty = make.reshape(is_empty, (count, *[1] * (found.ndim - 1)))
    return make.add("SELECT_V2", [is_empty, nothing, found], found.dtype, found.shape)


def _left_out(make: Body, ids: Tensor, count: Size) -> Tensor:
    """Ids with -1, which the kernels leave out, for those that are too large."""
    fits = binary(make, "LESS", ids, make.size(count), "bool")
    return make.add("SELECT_V2", [fits, ids, make.constant(-1, "int32")], "int32", ids.shape)


_COMBINED = {
    "add": ("segment_sum", "ADD"), "mul": ("segment_prod", "MUL"),
    "max": ("segment_max", "MAXIMUM"), "min": ("segment_min", "MINIMUM"),
}  # fmt: skip


def _scattered(node: Node) -> str | None:
    if dtype_of(node) not in (*_NUMBERS, "bool") and node.attributes["combine"] != "set":
        return "Cast to float32 or int32."
    indices = node.inputs[1]
    assert indices is not None
    return None if indices.shape[-1] != 0 else "Name at least one axis."


@rule("scatter_nd", limit=_scattered)
def _scatter_nd(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """The indexed axes as one, whose places are ids of segments, joined with what is there."""
    x, indices, updates = inputs
    count = int(indices.shape[-1])  # type: ignore[arg-type]
    outer, inner = x.shape[:count], x.shape[count:]
    total, batch = product_of(outer), product_of(indices.shape[:-1])
    ids = make.reshape(_flat_ids(make, node, indices, outer), (batch,))
    rows = make.reshape(x, (total, *inner))
    parts = make.reshape(updates, (batch, *inner))
    if node.attributes["combine"] == "set":
        result = _set(make, rows, parts, ids, total)
    else:
        kind, op = _COMBINED[node.attributes["combine"]]

        def work(xs: list[Tensor]) -> Tensor:
            joined = _joined(make, kind, xs[1], ids, total)
            return make.add(op, [xs[0], joined], xs[0].dtype, xs[0].shape)

        narrow = [make.cast(v, "int32") if v.dtype == "bool" else v for v in (rows, parts)]
        result = make.cast(widened(make, narrow, work), x.dtype)
    return make.reshape(result, x.shape)


def _flat_ids(make: Body, node: Node, indices: Tensor, outer: Sequence[Size]) -> Tensor:
    """Where each index leads, counted over all indexed axes; -1 for one that is left out."""
    places = _whole(make, indices)
    most = make.sizes([n - 1 for n in outer])
    limited = _limited(make, places, most)
    steps: list[Size] = [product_of(outer[axis + 1 :]) for axis in range(len(outer))]
    flat = binary(make, "MUL", limited, make.sizes(steps))
    last = make.ints(indices.ndim - 1)
    shape = indices.shape[:-1]
    found = make.add("SUM", [flat, last], "int32", shape, keep_dims=False)
    if node.attributes["outside"] == "clip":
        return found
    same = binary(make, "EQUAL", places, limited, "bool")
    inside = make.add("REDUCE_ALL", [same, last], "bool", shape, keep_dims=False)
    return make.add("SELECT_V2", [inside, found, make.constant(-1, "int32")], "int32", shape)


def _set(make: Body, rows: Tensor, parts: Tensor, ids: Tensor, total: Size) -> Tensor:
    """Of several updates at one place the last one stays."""
    numbers = numbers_to(make, parts.shape[0])
    winner = _joined(make, "segment_max", numbers, ids, total)
    zero = make.constant(0, "int32")
    is_there = binary(make, "GREATER_EQUAL", winner, zero, "bool")
    is_there = make.reshape(is_there, (total, *[1] * (rows.ndim - 1)))
    place = binary(make, "MAXIMUM", winner, zero)

    def work(xs: list[Tensor]) -> Tensor:
        shape = xs[0].shape
        picked = make.add("GATHER", [xs[1], place], xs[1].dtype, shape, axis=0, batch_dims=0)
        return make.add("SELECT_V2", [is_there, picked, xs[0]], xs[0].dtype, shape)

    return widened(make, [rows, parts], work, _MOVED | {"bool"})
