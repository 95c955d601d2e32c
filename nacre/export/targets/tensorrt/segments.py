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
    if indices.shape[-1] != 1:
        return None
    combine, rows, rest = node.attributes["combine"], x.shape[0], x.shape[1:]
    count, width = product_of(indices.shape), product_of(rest)

    def add(op: str, *inputs: Value, **attributes: object) -> Value:
        return new.add(op, inputs, node, **attributes)

    def number(value: float, dtype: str) -> Value:
        return add("constant", value=np.asarray(value, dtype))

    ids = add("cast", add("reshape", indices, shape=(1, count)), dtype="int32")
    if node.attributes["outside"] == "clip":
        last = add("size", size=rows - 1, dtype="int32")
        ids = add("min", add("max", ids, number(0, "int32")), last)
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
