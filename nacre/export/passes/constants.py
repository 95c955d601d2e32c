"""What only a run of constants needs is worked out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.evaluate import node_results
from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.graph.opset import OPSET
from nacre.export.graph.sizes import SizeExpr
from nacre.export.passes.rewriting import Rewriting, within

_MOST_ELEMENTS = 1 << 16  # of a result; larger ones would make files large


def fold_constants(graph: Graph) -> Graph:
    """The graph with each node of constants as a constant."""
    return within(Rewriting(graph).run(_folded), lambda g: Rewriting(g).run(_folded))


def _folded(node: Node, new: Rewriting) -> Sequence[Value] | None:
    spec = OPSET[node.op]
    if node.op == "constant" or spec.is_random or spec.graphs or not _is_small(node):
        return None
    known: dict[Value, np.ndarray] = {}
    for value in node.inputs:
        if value is None:
            continue
        maker = new.maker.get(value)
        if maker is None or maker.op != "constant":
            return None
        known[value] = maker.attributes["value"]
    with np.errstate(all="ignore"):
        results = node_results(node, known, {}, np.random.default_rng(0))
    return [
        new.add("constant", [], node, value=np.asarray(result, value.dtype))
        for result, value in zip(results, node.outputs, strict=True)
    ]


def _is_small(node: Node) -> bool:
    attributes = (
        part
        for value in node.attributes.values()
        for part in (value if isinstance(value, tuple) else (value,))
    )
    if any(isinstance(part, SizeExpr) for part in attributes):
        return False
    return all(
        all(isinstance(n, int) for n in value.shape)
        and np.prod(value.shape, dtype=float) <= _MOST_ELEMENTS  # type: ignore[arg-type]
        and value.dtype != "string"
        for value in node.outputs
    )
