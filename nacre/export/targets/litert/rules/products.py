"""Sums of products."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.targets.litert.body import Body, Tensor
from nacre.export.targets.litert.rules._rule import only, rule
from nacre.export.targets.litert.rules.elementwise import binary


@rule("dense", limit=only("float32"))
def _dense(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    x, kernel, bias = inputs
    return connected(make, x, kernel, bias)


def connected(make: Body, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """x · kernel + bias over the last axis; the kernel is (features, units) and is written
    (units, features)."""
    rows = make.reshape(x, (1, *x.shape)) if x.ndim == 1 else x
    weights = make.transpose(kernel, (1, 0))
    shape = (*rows.shape[:-1], kernel.shape[1])
    keep = {"keep_num_dims": True} if rows.ndim > 2 else {}
    result = make.add("FULLY_CONNECTED", [rows, weights, bias], x.dtype, shape, **keep)
    return make.reshape(result, shape[1:]) if x.ndim == 1 else result


@rule("matmul", limit=only("float32", "int32"))
def _matmul(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    x, y = inputs
    if x.dtype == "int32":
        return _whole_product(make, node, x, y)
    if y.ndim == 2 and y.data is not None:
        return connected(make, x, y, None)
    shape = node.outputs[0].shape
    return make.add("BATCH_MATMUL", [x, y], x.dtype, shape, adj_x=False, adj_y=False)


# Sums of so many products of numbers of 8 bits are whole numbers that float32 holds: 2^24 / 2^14,
# less one for the largest, 128 · 128.
_MOST_SUMMED = 1023


def _whole_product(make: Body, node: Node, x: Tensor, y: Tensor) -> Tensor:
    """A product of matrices of int32, for which there is no kernel: of numbers of 8 bits in parts
    that floats hold, of others product by product."""
    shape, size = node.outputs[0].shape, x.shape[-1]
    if x.source is None or y.source is None or not isinstance(size, int):
        wide = binary(make, "MUL", make.expand(x, x.ndim), make.expand(y, y.ndim - 2))
        axis = make.ints(wide.ndim - 2)
        return make.add("SUM", [wide, axis], "int32", shape, keep_dims=False)
    total: Tensor | None = None
    for start in range(0, size, _MOST_SUMMED):
        stop = min(start + _MOST_SUMMED, size)
        parts = [_some(make, x.source, x.ndim - 1, start, stop)]
        parts.append(_some(make, y.source, y.ndim - 2, start, stop))
        parts = [make.cast(part, "float32") for part in parts]
        options = {"adj_x": False, "adj_y": False}
        product = make.add("BATCH_MATMUL", parts, "float32", shape, **options)
        found = make.cast(product, "int32")
        total = found if total is None else binary(make, "ADD", total, found)
    assert total is not None
    return total


def _some(make: Body, x: Tensor, axis: int, start: int, stop: int) -> Tensor:
    """A part of an axis, cut at once where the numbers are known."""
    if (start, stop) == (0, x.shape[axis]):
        return x
    if x.data is not None:
        places = [slice(None)] * x.ndim
        places[axis] = slice(start, stop)
        return make.constant(np.ascontiguousarray(x.data[tuple(places)]))
    return make.part(x, axis, start, stop)
