"""Sums of products."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Node
from nacre.export.targets.litert.body import Body, Tensor
from nacre.export.targets.litert.rules._rule import only, rule


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


@rule("matmul", limit=only("float32"))
def _matmul(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    x, y = inputs
    if y.ndim == 2 and y.data is not None:
        return connected(make, x, y, None)
    shape = node.outputs[0].shape
    return make.add("BATCH_MATMUL", [x, y], x.dtype, shape, adj_x=False, adj_y=False)
