"""Sums of products."""

from __future__ import annotations

from nacre.export.graph.ir import Node
from nacre.export.targets.onnx.body import Body, dtype_of, rank_of, value_of
from nacre.export.targets.onnx.forms._form import NUMBERS, cast_back, cast_in, form


def _inputs(make: Body, node: Node) -> list[str]:
    return [
        "" if v is None else cast_in(make, make.tensor(v), v.dtype, NUMBERS) for v in node.inputs
    ]


def _rows(node: Node) -> str | None:
    return None if rank_of(node) > 1 else "Give it a batch."


@form("dense", limit=_rows)
def _dense(make: Body, node: Node) -> str:
    x, kernel, bias = _inputs(make, node)
    if rank_of(node) == 2 and bias and "float" in dtype_of(node):
        return make.add("Gemm", [x, kernel, bias])
    found = make.add("MatMul", [x, kernel])
    found = make.add("Add", [found, bias]) if bias else found
    return cast_back(make, found, dtype_of(node), NUMBERS)


@form("matmul")
def _matmul(make: Body, node: Node) -> str:
    return cast_back(make, make.add("MatMul", _inputs(make, node)), dtype_of(node), NUMBERS)


@form("einsum")
def _einsum(make: Body, node: Node) -> str:
    found = make.add("Einsum", _inputs(make, node), equation=node.attributes["subscripts"])
    return cast_back(make, found, value_of(node).dtype, NUMBERS)
