"""How the form of an op is declared: one function, by the op's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from nacre.export.graph.evaluate import node_results
from nacre.export.graph.ir import Graph, Node, Value, dtype_of
from nacre.export.graph.opset import OPSET
from nacre.export.graph.sizes import SizeExpr
from nacre.export.targets.litert.body import Body, Tensor
from nacre.export.targets.support import Forms

# (subgraph in the making, node, its tensors) -> the tensors of its results.
Form: TypeAlias = "Callable[[Body, Node, Sequence[Tensor]], Tensor | Sequence[Tensor]]"
FORMS: Forms[Form] = Forms()
rule = FORMS.form

_FEW_BYTES = 1 << 12


def lower_nodes(make: Body, graph: Graph, tensors: dict[object, Tensor]) -> None:
    """Add the nodes of a graph to a subgraph; `tensors` gets the tensors of their results."""
    for node in graph.nodes:
        make.layer = node.layer
        inputs = [None if v is None else tensors[v] for v in node.inputs]
        results = _worked_out(make, node, inputs)
        if results is None:
            found = FORMS.by_op[node.op](make, node, inputs)  # type: ignore[arg-type]
            results = [found] if isinstance(found, Tensor) else list(found)
        tensors.update(zip(node.outputs, results, strict=True))
    make.layer = ""


def _worked_out(make: Body, node: Node, inputs: Sequence[Tensor | None]) -> list[Tensor] | None:
    """The results of a node of weights and constants alone, unless they take more room than these;
    None where only a run tells them."""
    spec = OPSET[node.op]
    given = [x for x in inputs if x is not None]
    if spec.is_random or spec.graphs or any(x.data is None for x in given):
        return None
    if node.op == "cast" and given[0].dtype in ("int8", "uint8"):
        return None  # products of such numbers know their limits
    if any(isinstance(n, SizeExpr) for v in node.outputs for n in v.shape) or _has_symbols(node):
        return None
    room = max([_FEW_BYTES, *(x.numbers.nbytes for x in given)])
    sizes = (_count(v) * np.dtype(v.dtype).itemsize for v in node.outputs if v.dtype != "string")
    if sum(sizes) > room or any(v.dtype == "string" for v in node.outputs):
        return None
    values = {v: x.data for v, x in zip(node.inputs, inputs, strict=True) if v is not None and x}
    with np.errstate(all="ignore"):
        results = node_results(node, values, {}, np.random.default_rng(0))  # type: ignore[arg-type]
    return [
        make.constant(np.asarray(result, v.dtype))
        for result, v in zip(results, node.outputs, strict=True)
    ]


def _has_symbols(node: Node) -> bool:
    parts = (
        part
        for found in node.attributes.values()
        for part in (found if isinstance(found, tuple) else (found,))
    )
    return any(isinstance(part, SizeExpr) for part in parts)


def _count(value: Value) -> int:
    return int(np.prod([n for n in value.shape if isinstance(n, int)], dtype="int64"))


def inlined(make: Body, graph: Graph, arguments: Sequence[Tensor]) -> list[Tensor]:
    """The results of a graph, whose nodes are added to a subgraph of its own sizes."""
    tensors: dict[object, Tensor] = dict(zip(graph.inputs, arguments, strict=True))
    make.use_sizes_of(graph, tensors)
    lower_nodes(make, graph, tensors)
    return [tensors[output.value] for output in graph.outputs]


def only(*dtypes: str, index: int = 0) -> Callable[[Node], str | None]:
    """The limit of a form that takes these dtypes alone, of one input."""

    def limit(node: Node) -> str | None:
        if dtype_of(node, index) in dtypes:
            return None
        return f"Cast to {dtypes[0]}."

    return limit


# What is worked out in wider numbers and cast back, which keeps the bits that are left.
WIDER = {
    "int8": "int32", "uint8": "int32", "int16": "int32", "uint16": "int32", "uint32": "int64",
}  # fmt: skip


def widened(
    make: Body,
    inputs: Sequence[Tensor],
    work: Callable[[list[Tensor]], Tensor],
    has: frozenset[str] = frozenset(),
) -> Tensor:
    """Work done in a dtype that has kernels.

    Args:
        has: Dtypes, beyond those of 32 and 64 bits, for which it has them.
    """
    dtype = inputs[0].dtype
    wider = dtype if dtype in has else WIDER.get(dtype, dtype)
    result = work([make.cast(x, wider) for x in inputs])
    return make.cast(result, dtype) if result.dtype == wider else result
