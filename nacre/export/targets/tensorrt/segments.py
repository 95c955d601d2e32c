"""Elements joined by index, without ScatterND that joins: TensorRT has only the one that sets.

Each row of the result takes the updates whose index it is: sums are a product with a matrix of
ones and zeros, others look at all updates. NaN in an update reaches all rows of a sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.graph.sizes import product_of
from nacre.export.passes import opened
from nacre.export.passes.rewriting import Rewriting, within

_REDUCTIONS = {"add": "reduce_sum", "mul": "reduce_prod", "max": "reduce_max", "min": "reduce_min"}
_OPS = {"add": "add", "mul": "mul", "max": "max", "min": "min"}


def joined_by_products(graph: Graph) -> Graph:
    """The graph without elements that are joined where they are put."""
    graph = opened(graph, lambda node: not node.op.startswith("segment_"))
    once = lambda part: Rewriting(part).run(_joined)
    return once(within(graph, once))


def _joined(node: Node, new: Rewriting) -> Sequence[Value] | None:
    if node.op != "scatter_nd" or node.attributes["combine"] == "set":
        return None
    x, indices, updates = node.inputs
    assert x is not None
    assert indices is not None
    assert updates is not None
    axes = indices.shape[-1]
    if not isinstance(axes, int) or not axes:
        return None
    combine, rest = node.attributes["combine"], x.shape[axes:]
    rows, count, width = (product_of(n) for n in (x.shape[:axes], indices.shape[:-1], rest))

    def add(op: str, *inputs: Value, **attributes: object) -> Value:
        return new.add(op, inputs, node, **attributes)

    def number(value: float, dtype: str) -> Value:
        return add("constant", value=np.asarray(value, dtype))

    table = add("cast", add("reshape", indices, shape=(count, axes)), dtype="int32")
    ids = number(0, "int32")  # counted over all indexed axes, -1 for one outside
    inside: Value | None = None
    for axis in range(axes):
        place = add("slice", table, starts=(0, axis), stops=(count, axis + 1), strides=(1, 1))
        size = add("size", size=x.shape[axis], dtype="int32")
        last = add("size", size=x.shape[axis] - 1, dtype="int32")
        kept = add("min", add("max", place, number(0, "int32")), last)
        same = add("equal", kept, place)
        inside = same if inside is None else add("and", inside, same)
        ids = add("add", add("mul", ids, size), kept)
    assert inside is not None
    if node.attributes["outside"] == "drop":
        ids = add("select", inside, ids, number(-1, "int32"))
    ids = add("reshape", ids, shape=(1, count))
    places = add("reshape", add("iota", shape=(rows,), axis=0, dtype="int32"), shape=(rows, 1))
    is_here = add("equal", places, ids)  # (rows, updates)
    flat = add("reshape", updates, shape=(count, width))
    if combine == "add" and "float" in x.dtype:
        found = add("matmul", add("cast", is_here, dtype=x.dtype), flat)
    else:
        neutral = number(_NEUTRAL[combine](np.dtype(x.dtype)), x.dtype)
        here = add("reshape", is_here, shape=(rows, count, 1))
        seen = add("select", here, add("reshape", flat, shape=(1, count, width)), neutral)
        found = add(_REDUCTIONS[combine], seen, axes=(1,), keepdims=False)
    return [add(_OPS[combine], x, add("reshape", found, shape=x.shape))]


def _lowest(dtype: np.dtype) -> float:
    return -np.inf if dtype.kind not in "iu" else float(np.iinfo(dtype).min)


def _highest(dtype: np.dtype) -> float:
    return np.inf if dtype.kind not in "iu" else np.iinfo(dtype).max


_NEUTRAL = {"add": lambda _: 0, "mul": lambda _: 1, "max": _lowest, "min": _highest}

__all__ = ["joined_by_products"]
