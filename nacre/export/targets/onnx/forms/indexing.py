"""Elements picked and put by index. ONNX has no places outside: indices are brought inside."""

from __future__ import annotations

import numpy as np

from nacre.export.graph.ir import Node, Value
from nacre.export.graph.sizes import Size
from nacre.export.targets.onnx.body import Body, Placed, rank_of, value_of
from nacre.export.targets.onnx.forms._form import NUMBERS, Kernel, cast_back, cast_in, form

_PLACES = Kernel(frozenset({"int32", "int64"}))


def _clipped(node: Node) -> str | None:
    return None if node.attributes["outside"] == "clip" else ""


def _indices(make: Body, value: Value) -> tuple[str, str]:
    """Indices and their dtype, one that ONNX takes for them."""
    dtype = _PLACES.computing(value.dtype)
    return cast_in(make, make.tensor(value), value.dtype, _PLACES), dtype


@form("gather", limit=_clipped)
def _gather(make: Body, node: Node) -> str:
    x, indices = value_of(node), value_of(node, 1)
    axis = node.attributes["axis"] % rank_of(node)
    places, dtype = _indices(make, indices)
    size, known = x.shape[axis], make.data(indices)
    is_inside = (
        known is not None and isinstance(size, int) and bool(((known >= 0) & (known < size)).all())
    )
    if not is_inside:
        zero = make.constant(np.asarray(0, dtype))
        places = make.add("Clip", [places, zero, make.scalar(size - 1, dtype)])
    return make.add("Gather", [make.tensor(x), places], axis=axis)


def _inside(make: Body, value: Value, sizes: tuple[Size, ...]) -> str:
    """Indices of several axes, each brought inside, int64."""
    tensor = (
        make.cast(make.tensor(value), "int64") if value.dtype != "int64" else make.tensor(value)
    )
    limits = make.sizes([size - 1 for size in sizes])
    return make.add("Min", [make.add("Max", [tensor, make.ints(0)]), limits])


def _clipped_count(node: Node) -> str | None:
    count = value_of(node, 1).shape[-1]
    return None if count and node.attributes["outside"] == "clip" else ""


@form("gather_nd", limit=_clipped_count)
def _gather_nd(make: Body, node: Node) -> str:
    x, indices = value_of(node), value_of(node, 1)
    count = indices.shape[-1]
    assert isinstance(count, int)
    places = _inside(make, indices, x.shape[:count])
    return make.add("GatherND", [make.tensor(x), places])


@form("scatter_nd", limit=_clipped_count)
def _scatter_nd(make: Body, node: Node) -> str | Placed:
    x, indices, updates = (value_of(node, i) for i in range(3))
    count = indices.shape[-1]
    assert isinstance(count, int)
    places = _inside(make, indices, x.shape[:count])
    data = [cast_in(make, make.tensor(v), x.dtype, NUMBERS) for v in (x, updates)]
    combine = node.attributes["combine"]
    reduction = None if combine == "set" else combine
    found = make.add("ScatterND", [data[0], places, data[1]], reduction=reduction)
    return cast_back(make, found, x.dtype, NUMBERS)
